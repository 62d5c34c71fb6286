from __future__ import annotations

import dataclasses
import errno
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tiny import Tiny
from torch import Tensor

from kexue.records import Record, RecordError, files, read_record
from kexue.records import record as record_module
from kexue.training import Interrupted, Run, SettingsChangedError, evaluate, runner, speed, state, train
from kexue.training.run import StateNotSavedWarning


def trained(tiny: Tiny, out: Path) -> Record:
    return train(tiny, out, device="cpu", quiet=True, save_every=0.0)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return trained(Tiny(), tmp_path)


def test_the_record_says_what_was_done(record: Record, tmp_path: Path) -> None:
    assert read_record(tmp_path / "tiny/line") == record
    assert record.settings == Tiny().settings()
    assert record.seeds == (0, 1)
    assert record.steps == 60
    assert record.data["sha256"] == "00" * 32
    assert record.curve.steps == (7, 14, 21, 28, 35, 42, 49, 56, 60)
    assert set(record.curve) == {"loss", "val_loss"}
    assert not record.waiting_for_gpu
    assert record.note == ""
    assert record.device["kind"] == "cpu"
    assert record.device["name"]
    assert record.versions["torch"] == torch.__version__
    assert all(v > 0 for v in record.wall_time_s)
    assert record.throughput > 0
    assert sorted(p.name for p in (tmp_path / "tiny/line").iterdir()) == ["record.json", "weights.safetensors"]


def test_metrics_are_those_of_the_seeds(record: Record) -> None:
    for index, seed in enumerate(record.seeds):
        weights = Tiny().train(Run(seed=seed))
        assert record.metrics["loss"].seeds[index] == Tiny().evaluate(weights, Run())["loss"]
    best = min(record.curve["val_loss"][0])
    assert record.metrics["loss"].seeds[0] == pytest.approx(best, rel=1e-5)  # the curve is written with six digits


def test_weights_are_in_half_precision_and_judged_so(record: Record) -> None:
    weights = record.weights()
    assert {w.dtype for w in weights.values()} == {torch.float16}
    found = Tiny().evaluate({k: w.float() for k, w in weights.items()}, Run())["loss"]
    assert record.metrics_of_weights == {"loss": found}
    assert record.weights_seed == 0


def test_an_experiment_may_ship_some_of_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def judge(self: Tiny, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        seen.append(sorted(weights))
        return {f"norm-{name}": float(w.norm()) for name, w in weights.items()}

    monkeypatch.setattr(Tiny, "evaluate", judge)
    everything = sorted(trained(Tiny(), tmp_path / "all").weights())
    monkeypatch.setattr(Tiny, "shipped", lambda self, weights: {"2.bias": weights["2.bias"]}, raising=False)
    seen.clear()
    record = trained(Tiny(), tmp_path / "some")
    assert seen == [everything, everything, ["2.bias"]]  # of both seeds all is judged, then what is shipped
    assert list(record.weights()) == ["2.bias"]
    assert set(record.metrics) == {f"norm-{name}" for name in everything} | {"ms_per_step"}
    assert set(record.metrics_of_weights) == {"norm-2.bias"}
    assert [c.metric for c in evaluate(record, experiment=Tiny())] == ["norm-2.bias"]


def test_small_settings_wait_for_a_gpu(tmp_path: Path) -> None:
    made = train(Tiny(), tmp_path, device="cpu", small=True, quiet=True)
    assert made.waiting_for_gpu
    assert made.note == "The full settings have steps 60."
    assert made.settings["steps"] == 20


def test_evaluate_agrees(record: Record) -> None:
    (comparison,) = evaluate(record, experiment=Tiny())
    assert comparison.agrees
    assert comparison.found == comparison.recorded
    assert comparison.tolerance == 0.01


def test_evaluate_uses_the_settings_of_the_record(tmp_path: Path) -> None:
    made = trained(Tiny(hidden=(6,)), tmp_path)
    assert evaluate(made, experiment=Tiny())[0].agrees


def test_evaluate_finds_other_weights(record: Record) -> None:
    assert record.folder is not None
    other = dataclasses.replace(record, metrics_of_weights={"loss": record.metrics_of_weights["loss"] + 0.011})
    assert not evaluate(other, experiment=Tiny())[0].agrees
    path = record.folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-2] + b"\x00\x01")
    with pytest.raises(RecordError, match="damaged"):
        evaluate(record, experiment=Tiny())


def test_finished_seeds_are_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(Tiny(), tmp_path / "whole")
    seeds: list[int] = []
    real = Tiny.train

    def stop_in_the_second(self: Tiny, run: Run) -> dict[str, Tensor]:
        seeds.append(run.seed)
        if seeds == [0, 1]:
            return real(dataclasses.replace(self, interrupt_at=30), run)
        return real(self, run)

    monkeypatch.setattr(Tiny, "train", stop_in_the_second)
    with pytest.raises(Interrupted):
        trained(Tiny(), tmp_path / "broken")
    with pytest.raises(SettingsChangedError, match=r"(?s)seed0\.done was made with other settings.*rate: 0.05 then, 0.2 now"):
        trained(Tiny(rate=0.2), tmp_path / "broken")
    seeds.append(-1)
    broken = trained(Tiny(), tmp_path / "broken")
    assert seeds == [0, 1, -1, 1]
    assert {**broken.metrics, "ms_per_step": None} == {**whole.metrics, "ms_per_step": None}
    assert broken.curve == whole.curve
    assert broken.weights_sha256 == whole.weights_sha256


def test_a_full_disk_at_the_end_still_delivers_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, wanted, spare = files.write_atomic, tmp_path / "wanted", tmp_path / "spare"
    spare.mkdir()

    def full(path: Path, data: bytes) -> None:
        if path.is_relative_to(wanted):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(record_module, "write_atomic", full)
    monkeypatch.setattr(state, "write_atomic", full)
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    with pytest.warns(StateNotSavedWarning) as told:
        made = trained(Tiny(), wanted)
    assert made.folder is not None
    assert made.folder.is_relative_to(spare)
    assert f"(No space left on device); the trained weights are in {made.folder}" in str(told[-1].message)
    assert read_record(made.folder) == made
    assert made.weights_sha256 == trained(Tiny(), tmp_path / "whole").weights_sha256


def test_two_trainings_in_one_folder(tmp_path: Path) -> None:
    lock = tmp_path / "tiny/line/.lock"
    with files.exclusive(lock), pytest.raises(files.BusyError, match=r"another process is at work in .*line"):
        trained(Tiny(), tmp_path)
    trained(Tiny(), tmp_path)
    assert not lock.exists()


def test_leftovers_of_killed_writes_are_swept_up(tmp_path: Path) -> None:
    folder = tmp_path / "tiny/line"
    (folder / ".state").mkdir(parents=True)
    (folder / ".state-forgotten").mkdir()
    parts = (".record.json.abc.part", ".weights.safetensors.x.part", ".state/.seed0.state.y.part", ".state-forgotten/seed0.done")
    for name in (".lock", *parts):
        (folder / name).write_text("half")
    trained(Tiny(), tmp_path)
    assert sorted(p.name for p in folder.iterdir()) == ["record.json", "weights.safetensors"]


def test_a_compiled_training_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "why_not_compile", lambda device: "no compiler")
    with pytest.warns(speed.SlowerWarning, match=r"does not work here \(no compiler\)"):
        made = runner.train(Tiny(), tmp_path, device="cpu", quiet=True, compile="default", channels_last=True)
    assert made.device["compile"] == "default"
    assert made.weights_sha256 == trained(Tiny(), tmp_path / "plain").weights_sha256


def test_weights_beyond_half_precision() -> None:
    with pytest.raises(ValueError, match=r"'w' do not fit half precision: the largest is 70000"):
        runner.half_precision({"w": torch.tensor([1.0, -70000.0])})
    kept = runner.half_precision({"n": torch.tensor([70000])})
    assert kept["n"].item() == 70000


def test_facts_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert runner.device_facts("cuda") == {"kind": "cuda", "name": "Some GPU", "count": 4}


def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "rank", 1)
    monkeypatch.setattr(Run, "world", 2)
    monkeypatch.setenv("RANK", "1")
    made = train(Tiny(), tmp_path, device="cpu", quiet=True, save_every=0.0)
    assert made.folder is None
    assert list(tmp_path.rglob("*")) == []


def test_processor_without_a_list_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner.Path, "read_text", lambda self: "no model here\n")
    assert runner._processor().startswith("CPU ")


def test_tolerance_of_unnamed_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def two(self: Tiny, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        return {"loss": 1.0, "other": 2.0}

    monkeypatch.setattr(Tiny, "evaluate", two)
    assert trained(Tiny(steps=2), tmp_path).tolerance == {"loss": 0.01, "other": 0.001}
