from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as save_tensors

from kexue.records import Curve, Metric, Record, RecordError, load, read_record, save, shipped
from kexue.records import record as record_module
from kexue.records.names import near_names, unknown
from kexue.records.table import ProvenanceTable, _duration


def make(**changes: Any) -> Record:
    values: dict[str, Any] = {
        "name": "tiny/one",
        "title": "a tiny run <of nothing>",
        "experiment": "tests:Tiny",
        "settings": {"rate": 0.1, "hidden": [4, 2]},
        "data": {"name": "digits", "title": "Digits", "version": "1", "sha256": "ab" * 32, "used": "10 for training"},
        "seeds": (0, 1),
        "device": {"kind": "cpu", "name": "a processor", "count": 1},
        "versions": {"torch": "2"},
        "steps": 100,
        "wall_time_s": (60.0, 65.0),
        "throughput": 1234.5,
        "metrics": {"loss": Metric((1.0, 3.0)), "only": Metric((2.0,))},
        "curve": Curve((50, 100), {"loss": ((4.0, 1.0), (6.0, 3.0))}),
        "weights_seed": 0,
        "weights_sha256": "",
        "weights_bytes": 0,
        "metrics_of_weights": {"loss": 1.01},
        "tolerance": {"loss": 0.05},
        "made": "2026-11-21",
    }
    return Record(**(values | changes))


WEIGHTS = {"w": torch.arange(6.0).view(2, 3), "n": torch.tensor([3])}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "part" / "runs" / "tiny" / "one"
    save(make(), save_tensors(WEIGHTS), place)
    return place


def test_what_is_written_is_read(folder: Path) -> None:
    record = read_record(folder)
    expected = make(weights_sha256=record.weights_sha256, weights_bytes=record.weights_bytes)
    assert record == expected
    assert record.folder == folder
    assert all(torch.equal(v, WEIGHTS[k]) for k, v in record.weights().items())
    assert record.weights_bytes == (folder / "weights.safetensors").stat().st_size
    assert read_record(folder) == record  # reading changes nothing


def test_statistics() -> None:
    metric = Metric((1.0, 2.0, 6.0))
    assert metric.mean == 3.0
    assert metric.std == pytest.approx(math.sqrt((4 + 1 + 9) / 2), rel=1e-14)
    assert str(metric) == "3 ± 2.6"
    assert Metric((5.0,)).std == 0.0
    curve = make().curve
    assert curve.mean("loss") == (5.0, 2.0)
    assert curve["loss"] == ((4.0, 1.0), (6.0, 3.0))
    assert list(curve) == ["loss"]
    assert len(curve) == 2
    with pytest.raises(KeyError, match="did you mean loss"):
        curve["los"]


@pytest.mark.parametrize("values", [(), (1.0, math.nan), (math.inf,)])
def test_metrics_must_be_finite(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="finite"):
        Metric(values)


def test_every_flipped_bit_of_the_weights_is_found(folder: Path) -> None:
    path = folder / "weights.safetensors"
    good = path.read_bytes()
    for position in range(0, len(good), 7):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        path.write_bytes(bytes(bad))
        with pytest.raises(RecordError, match="damaged: its SHA-256 is"):
            read_record(folder).weights()
    path.write_bytes(good[:-1])
    with pytest.raises(RecordError, match=r"weights\.safetensors is damaged.*kexue train tiny/one"):
        read_record(folder).weights()


def test_missing_weights(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    with pytest.raises(RecordError, match="is missing"):
        read_record(folder).weights()
    with pytest.raises(RecordError, match="not read from a folder"):
        make().weights()


def edit(folder: Path, change: Any) -> None:
    path = folder / "record.json"
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["metrics"]["loss"]["seeds"].__setitem__(0, 0.9),
        lambda body: body["metrics"]["loss"].__setitem__("mean", 1.9),
        lambda body: body.__setitem__("waiting_for_gpu", True),
        lambda body: body.__setitem__("extra", 1),
        lambda body: body.pop("note"),
        lambda body: body.pop("record_sha256"),
    ],
)
def test_an_edited_record_is_found(folder: Path, change: Any) -> None:
    edit(folder, change)
    with pytest.raises(RecordError, match=r"record\.json is damaged or was edited: the SHA-256"):
        read_record(folder)


def test_layout_does_not_matter(folder: Path) -> None:
    edit(folder, lambda body: None)  # written again without indentation
    assert read_record(folder).name == "tiny/one"


def test_a_newer_format_says_so(folder: Path) -> None:
    edit(folder, lambda body: body.__setitem__("format", 2))
    with pytest.raises(RecordError, match=r"has format 2, this library reads up to 1: update"):
        read_record(folder)


@pytest.mark.parametrize("text", ["", "{", '{"format": 1', "\xff"])
def test_what_is_not_json(folder: Path, text: str) -> None:
    (folder / "record.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordError, match="not JSON"):
        read_record(folder)


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "one"}'])
def test_what_is_no_record(folder: Path, text: str) -> None:
    (folder / "record.json").write_text(text)
    with pytest.raises(RecordError, match="no format version"):
        read_record(folder)


def test_missing_record(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"there is no record\.json"):
        read_record(tmp_path)


def test_a_full_disk_leaves_the_old_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kexue.records.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(make(steps=7), save_tensors({"w": torch.zeros(3)}), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_large_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"8\.0 MB, at most 8 MB"):
        save(make(), bytes(8 * 2**20 + 1), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_load_by_name(folder: Path, tmp_path: Path) -> None:
    assert shipped(tmp_path) == {"tiny/one": folder}
    assert load("tiny/one", root=tmp_path) == read_record(folder)
    with pytest.raises(KeyError, match="did you mean tiny/one"):
        load("tiny/on", root=tmp_path)
    with pytest.raises(KeyError, match="there are: none"):
        load("tiny/on", root=tmp_path / "part")


def test_near_names() -> None:
    assert near_names("gumbel/mnist-st", ["gumbel/mnist-rt", "gumbel/mnist-st2", "else"])[0] == "gumbel/mnist-st2"
    assert near_names("st", ["a/mnist-st"]) == ["a/mnist-st"]  # by its last part
    assert unknown("thing", "zzz", ["a", "b"]) == "there is no thing 'zzz'; there are: a, b"


def test_table() -> None:
    table = make(weights_sha256="cd" * 32, waiting_for_gpu=True, note="see here").table()
    rows = dict(table.rows())
    assert rows["loss"] == "2.000 ± 1.4 (standard deviation of 2 seeds)"
    assert rows["only"] == "2.000"
    assert rows["settings"] == "rate 0.1, hidden 4, 2"
    assert rows["training"].startswith("100 steps a seed, 2 min 5 s in all, 1234 examples/s") or "1235" in rows["training"]
    assert "wait for a GPU" in rows["waiting"]
    assert rows["note"] == "see here"
    assert "&lt;of nothing&gt;" in table._repr_html_()
    assert repr(table).count("\n") == len(rows) - 1
    short = dict(make().table(metrics=False).rows())  # where the page shows the metrics itself
    assert not {"loss", "only"} & set(short)
    assert {"run", "weights"} <= set(short)
    plain = ProvenanceTable(make(device={"kind": "cuda", "name": "H", "count": 4}))
    assert dict(plain.rows())["device"] == "H × 4"
    assert "waiting" not in dict(plain.rows())
    assert _duration(7300) == "2 h 1 min"


def test_a_record_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().steps = 3  # type: ignore[misc]


def test_records_do_not_import_torch() -> None:
    import subprocess
    import sys

    code = "import sys, kexue.records; print('torch' in sys.modules, 'lightning_fabric' in sys.modules, 'IPython' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=record_module.PACKAGE.parent)
    assert found.stdout.split() == ["False", "False", "False"]
