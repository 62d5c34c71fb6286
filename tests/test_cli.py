from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kexue import cli
from kexue.records import read_record
from kexue.records import record as record_module

sys.path.insert(0, str(Path(__file__).resolve().parent / "training"))
from tiny import Tiny

from kexue.training import registry, runner


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library that has two experiments, of which ``tiny/line`` is shipped, in ``tmp_path``."""
    known = {"tiny/line": Tiny(), "tiny/other": Tiny("tiny/other")}
    monkeypatch.setattr(registry, "experiments", lambda: known)
    root = tmp_path / "library"
    runner.train(Tiny(), root / "part" / "runs", device="cpu", small=True, quiet=True)
    for function in ("shipped", "load"):
        real = getattr(record_module, function)
        monkeypatch.setattr(f"kexue.records.{function}", lambda *a, real=real: real(*a, root=root))
    return root


def test_list(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    head, line, other, total = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "weights", "from", "made", "waits", "for"]
    assert line.startswith("tiny/line   ")
    assert line.endswith("a GPU")
    assert "not trained yet" in other
    assert total == "2 experiments, 0 as they should be, 2 waiting for a GPU"


def test_list_of_a_full_run_and_a_damaged_one(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = library / "part" / "runs"
    runner.train(Tiny(), folder, device="cpu", quiet=True)
    assert cli.main(["list", "*/line"]) == 0
    assert "1 experiments, 1 as they should be, 0 waiting" in capsys.readouterr().out
    path = folder / "tiny" / "line" / "record.json"
    path.write_text(path.read_text().replace("A line", "Another"))
    assert cli.main(["list"]) == 0
    assert "damaged or was edited" in capsys.readouterr().out


def test_list_of_names(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "--names", "tiny/*"]) == 0
    assert capsys.readouterr().out.split() == ["tiny/line", "tiny/other"]


def test_train(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "tiny/other", "--small", "--device", "cpu", "--seed", "4", "--seed", "7", "--out", str(tmp_path / "out"), "--quiet"]
    assert cli.main(words) == 0
    record = read_record(tmp_path / "out" / "tiny" / "other")
    assert record.seeds == (4, 7)
    assert record.settings["steps"] == 20
    assert record.waiting_for_gpu
    out = capsys.readouterr().out
    assert "tiny/other: loss " in out
    assert f"written to {tmp_path / 'out' / 'tiny' / 'other'}" in out


def test_train_with_another_setting(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "tiny/line", "--device", "cpu", "--out", str(tmp_path), "--quiet"]
    assert cli.main([*words, "--set", "steps=8", "--set", "hidden=[5]"]) == 0
    record = read_record(tmp_path / "tiny" / "line")
    assert (record.settings["steps"], record.settings["hidden"]) == (8, [5])
    assert cli.main([*words, "--set", "speed=1"]) == 2
    assert "has no setting speed" in capsys.readouterr().err
    assert cli.main([*words, "--set", "steps"]) == 2
    assert "KEY=VALUE, got 'steps'" in capsys.readouterr().err


def test_train_with_switches(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, Any] = {}

    def note(experiment: Any, out: Path, **named: Any) -> Any:
        seen.update(named, settings=experiment.settings())
        return dataclasses.replace(read_record(library / "part" / "runs" / "tiny" / "line"), folder=None)

    monkeypatch.setattr("kexue.training.runner.train", note)
    words = ["train", "tiny/line", "--out", str(tmp_path), "--compile", "graphs", "--channels-last"]
    assert cli.main(words) == 0
    assert (seen["compile"], seen["channels_last"]) == ("graphs", True)
    assert capsys.readouterr().out == ""  # a process that wrote nothing reports nothing
    assert cli.main([*words, "--precision", "bf16-mixed"]) == 2
    assert "has no setting precision" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where the record goes instead
    (tmp_path / "file").write_text("no folder")
    words = ["train", "tiny/line", "--device", "cpu", "--small", "--out", str(tmp_path / "file"), "--quiet"]
    assert cli.main(words) == 0
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("kexue: ")
    assert "cannot be written" in first
    assert "the trained weights are in" in last


def test_train_by_pattern_each_once(library: Path, tmp_path: Path) -> None:
    assert cli.main(["train", "tiny/*", "tiny/line", "--small", "--device", "cpu", "--out", str(tmp_path), "--quiet"]) == 0
    assert sorted(p.parent.name for p in (tmp_path / "tiny").glob("*/record.json")) == ["line", "other"]


def test_where_runs_go(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[Path] = []

    def note(experiment: Any, out: Path, **_: Any) -> Any:
        places.append(out)
        return read_record(library / "part" / "runs" / "tiny" / "line")

    monkeypatch.setattr("kexue.training.runner.train", note)
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    assert cli.main(["train", "tiny/line"]) == 0
    (tmp_path / "make.py").touch()
    assert cli.main(["train", "tiny/line"]) == 0
    assert places == [Path("runs"), tmp_path / "_build" / "runs"]


def test_evaluate_all(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("tiny/line  loss")
    assert out.rstrip().endswith("agrees")


def test_evaluate_finds_a_wrong_record(library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Tiny, "evaluate", lambda self, weights, run: {"loss": 99.0})
    assert cli.main(["evaluate", "tiny/line"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_evaluate_runs_of_ones_own(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runner.train(Tiny("tiny/other"), tmp_path / "mine", device="cpu", quiet=True)
    assert cli.main(["evaluate", "tiny/other", "--runs", str(tmp_path / "mine")]) == 0
    assert "agrees" in capsys.readouterr().out
    assert cli.main(["evaluate", "--runs", str(tmp_path / "mine")]) == 2
    assert "name the runs" in capsys.readouterr().err


def test_evaluate_with_nothing_shipped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("kexue.records.shipped", dict)
    assert cli.main(["evaluate"]) == 2
    assert "none is shipped" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_unknown_names(library: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "tiny/lien"]) == 2
    assert "kexue: there is no experiment 'tiny/lien'; did you mean tiny/line" in capsys.readouterr().err


def test_not_shipped(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "tiny/other"]) == 2
    assert "there is no shipped run 'tiny/other'" in capsys.readouterr().err


def test_damage_is_reported(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = library / "part" / "runs" / "tiny" / "line" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert cli.main(["evaluate", "tiny/line"]) == 1
    err = capsys.readouterr().err
    assert str(path) in err
    assert "SHA-256" in err


def test_no_gpu(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert cli.main(["train", "tiny/line", "--device", "cuda", "--out", str(tmp_path / "out")]) == 1
    assert "no GPU here" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ctrl_c(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(registry, "experiments", lambda: {"tiny/line": dataclasses.replace(Tiny(), interrupt_at=5)})
    words = ["train", "tiny/line", "--device", "cpu", "--out", str(tmp_path / "out"), "--quiet"]
    assert cli.main(words) == 130
    assert "stopped at step 5 of 60; the state is saved" in capsys.readouterr().err
    monkeypatch.setattr(registry, "experiments", lambda: {"tiny/line": Tiny()})
    assert cli.main(words) == 0


def test_a_bare_interrupt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(names: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("kexue.datasets.cli_data", interrupt)
    assert cli.main(["data"]) == 130
    assert capsys.readouterr().err == "kexue: stopped\n"


def test_data(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("kexue.datasets.cli_data", lambda names: asked.append(names) or 3)
    assert cli.main(["data", "digits", "mnist-10k"]) == 3
    assert asked == [["digits", "mnist-10k"]]


@pytest.mark.parametrize("words", [[], ["fly"], ["train"], ["train", "x", "--device", "tpu"]])
def test_wrong_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2
    assert "usage: kexue" in capsys.readouterr().err


def test_an_error_without_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(names: list[str]) -> int:
        raise ValueError

    monkeypatch.setattr("kexue.datasets.cli_data", fail)
    assert cli.main(["data"]) == 2
    assert "ValueError" in capsys.readouterr().err


def test_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "kexue", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: kexue")


def test_help_is_quick_because_it_imports_little() -> None:
    code = (
        "import sys, kexue.cli\ntry: kexue.cli.main(['--help'])\nexcept SystemExit: print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["False", "False"]
