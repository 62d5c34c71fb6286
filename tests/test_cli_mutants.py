"""The command's words, where planted errors showed that nothing looked."""

from __future__ import annotations

from pathlib import Path

import pytest

from kexue import cli


@pytest.mark.parametrize("text", ["=5", "steps=", "=", "steps", ""])
def test_a_setting_needs_its_name_its_sign_and_its_value(text: str) -> None:
    with pytest.raises(ValueError, match=f"KEY=VALUE, got {text!r}"):
        cli._setting(text)


@pytest.mark.parametrize(("text", "found"), [("a=b=c", ("a", "b=c")), ("a=null", ("a", None)), ("a=0", ("a", 0)), ("a=01", ("a", "01"))])
def test_a_setting_is_parted_at_its_first_sign(text: str, found: tuple[str, object]) -> None:
    assert cli._setting(text) == found


def test_the_project_is_two_folders_above_the_library() -> None:
    assert (cli.ROOT / "lib" / "kexue" / "cli.py").samefile(cli.__file__)


@pytest.mark.parametrize(("error", "status"), [(KeyError("a key"), 2), (ValueError("a value"), 2), (RuntimeError("a state"), 1),
                                               (OSError("a disk"), 1), (KeyboardInterrupt("a stop"), 130)])  # fmt: skip
def test_each_kind_of_failure_has_its_status_and_says_why(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(names: list[str]) -> int:
        raise error

    monkeypatch.setattr("kexue.datasets.cli_data", fail)
    assert cli.main(["data"]) == status
    assert capsys.readouterr().err == f"kexue: {error.args[0]}\n"


def test_of_several_words_of_an_error_the_first_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(names: list[str]) -> int:
        raise ValueError("what was wrong", "where")

    monkeypatch.setattr("kexue.datasets.cli_data", fail)
    assert cli.main(["data"]) == 2
    assert capsys.readouterr().err == "kexue: what was wrong\n"


def test_the_last_line_of_the_list_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    waits = {"a": "a GPU", "b": "", "c": "repair", "d": "a GPU", "e": "a GPU"}
    monkeypatch.setattr("kexue.training.experiments", lambda: dict.fromkeys(waits))
    monkeypatch.setattr("kexue.records.shipped", lambda: {name: Path(name) for name in waits})
    monkeypatch.setattr(cli, "_row", lambda experiment, folder: (folder.name, "", "", waits[folder.name]))
    assert cli.main(["list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "5 experiments, 2 as they should be, 3 waiting for a GPU"


def test_other_failures_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(names: list[str]) -> int:
        raise TypeError("a mistake of the programmer")

    monkeypatch.setattr("kexue.datasets.cli_data", fail)
    with pytest.raises(TypeError, match="programmer"):
        cli.main(["data"])


def test_defaults_of_the_words() -> None:
    parser = cli._parser()
    train = parser.parse_args(["train", "x"])
    assert (train.device, train.small, train.quiet, train.seed, train.set, train.out) == ("auto", False, False, None, [], None)
    judge = parser.parse_args(["evaluate"])
    assert (judge.device, judge.names, judge.runs) == ("cpu", [], None)
    shown = parser.parse_args(["list"])
    assert (shown.pattern, shown.names) == ("*", False)
    assert parser.parse_args(["data"]).names == []
    assert parser.parse_args(["train", "x", "--seed", "3", "--seed", "1", "--out", "here"]).seed == [3, 1]
    assert parser.parse_args(["evaluate", "--runs", "there"]).runs == Path("there")
