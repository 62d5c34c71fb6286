"""The command that plants errors: what counts as a mutant, which tests it meets, and what is kept of it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import covering  # noqa: E402
import mutants  # noqa: E402
import planting  # noqa: E402
from mutant_copies import Copy  # noqa: E402

FUTURE = "from __future__ import annotations\n"


@pytest.mark.parametrize(("one", "two", "same"), [
    ("def f(x: int | None) -> int: return x\n", "def f(x: int + None) -> float: return x\n", True),
    ("def f():\n    x: int = 1\n", "def f():\n    x: float = 1\n", True),
    ("class A:\n    x: int = 1\n", "class A:\n    x: float = 1\n", False),  # a dataclass reads it
    ("def f():\n    class A:\n        x: int = 1\n", "def f():\n    class A:\n        x: float = 1\n", False),
    ("x = 1 + 2  # why\n", "x = (1 +\n     2)\n", True),
    ("def f(x=1): return x\n", "def f(x=2): return x\n", False),
    ("def f(*, x): return x\n", "def f(x, /): return x\n", False),
])  # fmt: skip
def test_a_mutant_must_be_another_program(one: str, two: str, same: bool) -> None:
    assert (planting.program(FUTURE + one) == planting.program(FUTURE + two)) is same


def test_annotations_that_are_evaluated_count() -> None:
    assert planting.program("def f(x: int) -> int: return x") != planting.program("def f(x: str) -> int: return x")


@pytest.mark.parametrize("text", ["def f(:\n", "return 1\n", "x = \0\n"])
def test_what_does_not_compile_is_no_program(text: str) -> None:
    assert planting.program(text) is None


def test_a_change_is_told_by_line_and_words() -> None:
    assert planting.change("a\n  b + 1\nc\n", "a\n  b - 1\nc\n") == (2, "b + 1", "b - 1")
    assert planting.change("a\nb\nc\n", "a\nc\n") == (2, "b", "")
    assert planting.change("a\n", "a\n") == (0, "", "")


@dataclass(frozen=True)
class Fixed:
    """A mutant whose text is known."""

    number: int
    file: Path = Path("a.py")
    operator: str = "o"
    before: str = "x = 0\n"

    @property
    def occurrence(self) -> int:
        return self.number

    def planted(self) -> str | None:
        return [f"x = {self.number}\n", "x =\n", "x  =  0\n", None][self.number % 4]


def test_a_sample_is_drawn_again_where_the_mutant_is_none() -> None:
    listed = [Fixed(n) for n in range(40)]
    whole = list(planting.drawn(listed, None, "s"))  # type: ignore[arg-type]
    assert sorted(m.number for m, _ in whole) == [n for n in range(40) if n % 4 == 0 and n]
    assert list(planting.drawn(listed[::-1], 4, "s")) == whole[:4]  # type: ignore[arg-type]
    assert list(islice(planting.drawn(listed, None, "t"), 4)) != whole[:4]  # type: ignore[arg-type]


def test_units_are_the_ground_floor_and_the_chapters() -> None:
    known = mutants.units(ROOT)
    assert {"cli", "figures", *mutants.GROUND, "mathematics.rope_curve", "mathematics.gumbel_softmax"} <= known.keys()
    files = [f for u in known.values() for f in u.files]
    library = {p.relative_to(ROOT) for p in (ROOT / "lib" / "kexue").rglob("*.py")}
    assert len(files) == len(set(files))
    assert library - set(files) == {Path("lib/kexue/__init__.py"), Path("lib/kexue/__main__.py"), *(
        p for p in library if p.name == "__init__.py" and len(p.parts) == 4 and p.parts[2] not in mutants.GROUND)}  # fmt: skip
    assert set(known["cli"].tests) >= {Path("tests/test_cli.py"), Path("tests/test_cli_mutants.py")}
    assert all(t.name.startswith("test_cli") for t in known["cli"].tests)
    assert Path("lib/kexue/mathematics/rope_curve/pole.py") in known["mathematics.rope_curve"].files
    assert all(t.name.startswith("test_rope_curve") for t in known["mathematics.rope_curve"].tests)
    assert {t.name for t in known["derivation"].tests if t.parent != Path("tests/derivation")} == {"test_derivation_mutations.py"}


def test_every_unit_has_tests_by_its_name_or_by_what_they_import(tmp_path: Path) -> None:
    known = mutants.units(ROOT)
    assert not [name for name, unit in known.items() if not unit.tests]
    assert {f.name for f in known["generative.digit_classifier"].files} == {"digit_classifier.py", "digit_classifier_experiments.py"}
    assert known["generative.efficientnet"].tests == (Path("tests/generative/test_efficientnet.py"),)
    scores = (Path("tests/generative/test_scores.py"), Path("tests/generative/test_scores_mutants.py"))
    assert known["generative.neighbours"].tests == scores
    test = tmp_path / "test_x.py"
    for text, found in (
        ("import kexue.part.name", True),
        ("import kexue.part.name as n", True),
        ("from kexue.part import other, name", True),
        ("from kexue.part.name import f", True),
        ("import kexue.part.names", False),
        ("from kexue.part import other", False),
        ("from kexue.other import name", False),
        ("import kexue.part\n# kexue.part.name", False),
    ):
        test.write_text(text + "\n")
        assert mutants._imports(test, "part.name") is found, text


def test_units_are_chosen_by_name_path_or_pattern() -> None:
    known = {n: mutants.Unit(n, (), ()) for n in ("cli", "records", "mathematics.rope_curve", "mathematics.gumbel_softmax")}
    assert [u.name for u in mutants.chosen(["kexue.cli", "mathematics/*", "cli"], known)] == ["cli", *list(known)[2:]]
    assert mutants.chosen([], known) == list(known.values())
    with pytest.raises(ValueError, match="no unit is called 'clo'; there are cli, records"):
        mutants.chosen(["clo"], known)


def test_the_interval_is_wilson_s() -> None:
    from scipy.stats import binomtest

    for planted in (1, 7, 20, 133):
        for killed in range(0, planted + 1, max(1, planted // 7)):
            oracle = binomtest(killed, planted).proportion_ci(0.95, method="wilson")
            assert mutants.interval(killed, planted) == pytest.approx((oracle.low, oracle.high), abs=6e-4)  # three digits are kept
    assert mutants.interval(0, 0) == (0, 1)


def test_a_row_is_whole_when_the_mutants_ran_out() -> None:
    tally = mutants.Tally(planted=3, killed=2, timeouts=1, survivors=[{"where": "a:1", "was": "", "became": "", "equivalent": "why"}])
    sample, whole = tally.row(90, 3, 5), tally.row(90, 4, 5)
    assert (sample["whole"], sample["seed"], sample["interval"]) == (False, 5, [0.208, 0.939])
    assert (whole["whole"], whole["seed"], whole["interval"], whole["equivalent"], whole["of"]) == (True, None, None, 1, 90)
    assert tally.row(90, None, 5)["whole"]


def test_rows_are_kept_beside_those_of_other_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1")
    path = tmp_path / "m.json"
    for name in ("b", "gone", "a"):
        mutants.keep(name, {"planted": 1}, ["a", "b"] if name == "a" else ["a", "b", "gone"], path)
    assert json.loads(path.read_text()) == {"format": 1, "tool": "cosmic-ray 1", "units": {"a": {"planted": 1}, "b": {"planted": 1}}}


TEXT = """\
import a

@deco
def f(x, y=(
        2)):
    if (x and
            y):
        return (1 +
                2)
    return 3
"""


@pytest.mark.parametrize(("line", "lines"), [(1, [1]), (3, [3, 4, 5]), (5, [3, 4, 5]), (6, [6, 7]), (7, [6, 7]), (9, [8, 9]), (10, [10])])
def test_a_line_belongs_to_its_statement(line: int, lines: list[int]) -> None:
    assert list(covering.statement(TEXT, line)) == lines


def test_tests_that_run_through_the_line_come_first() -> None:
    known = covering.Covering({"t1": 3.0, "t2": 1.0, "t3": 2.0}, {"a.py": {8: ["t1"], 9: ["t3"], 10: ["t2"]}})
    assert known.tests(Path("a.py"), TEXT, 8) == (["t3", "t1"], ["t2"])
    assert known.tests(Path("a.py"), TEXT, 1) == ([], ["t2", "t3", "t1"])
    assert known.tests(Path("b.py"), TEXT, 8) == ([], ["t2", "t3", "t1"])


def test_each_reason_speaks_of_a_line_that_is_there() -> None:
    for (file, was, became), reason in mutants.equivalents().items():
        lines = [line.strip() for line in (ROOT / file).read_text("utf8").splitlines()]
        assert all(part in lines for part in was.split(" ⏎ ")), f"{file}: no line {was!r} any more"
        assert was != became
        assert len(reason.split()) >= 4


TOY = """\
def add(a, b):
    return a + b

def times(a, b):
    return a * b

def wait(n):
    while n > 0:
        n -= 1
"""
TOY_TESTS = """\
from kexue import toy

def test_add():
    assert toy.add(2, 3) == 5

def test_times():
    toy.times(2, 2)

def test_wait():
    assert toy.wait(3) is None
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with a test that finds a wrong sum, and none that looks at a product."""
    files = {
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\n",
        "lib/kexue/__init__.py": "",
        "lib/kexue/toy.py": TOY,
        "tests/conftest.py": "",
        "tests/test_toy.py": TOY_TESTS,
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


@pytest.mark.slow
def test_planted_errors_are_found_or_not(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, file = Copy(tmp_path / "copy", project), Path("lib/kexue/toy.py")
    tests = (Path("tests/test_toy.py"), file)
    held = covering.measure(copy, "toy", tests, "not book", tmp_path / "kept")
    assert set(held.seconds) == {f"tests/test_toy.py::test_{name}" for name in ("add", "times", "wait")}
    assert held.lines[file.as_posix()][2] == ["tests/test_toy.py::test_add"]
    assert covering.measure(copy, "toy", tests, "not book", tmp_path / "kept") == held  # read, not run
    before = (project / file).read_text()
    found = {}
    for was, became in (("a + b", "a - b"), ("a * b", "a / b"), ("n -= 1", "n += 1"), ("def add", "dif add")):
        text = before.replace(was, became)
        monkeypatch.setattr(mutants, "SLACK", 1 if was == "n -= 1" else 300)  # only the endless loop may run out of time
        with copy.planting(file, text):
            assert (copy.root / file).read_text() == text
            hint = "tests/test_toy.py::test_add" if was == "a + b" else ""
            order = held.tests(file, before, planting.change(before, text)[0])
            found[was] = mutants.judge(copy, held, *order, hint)
        assert (copy.root / file).read_text() == before
    assert found["a + b"] == ("killed", "tests/test_toy.py::test_add")
    assert found["a * b"] == ("survived", "")
    assert found["n -= 1"] == ("timeout", "")
    assert found["def add"][0] == "killed"
    assert (project / file).read_text() == before


@pytest.mark.slow
def test_tests_that_fail_by_themselves_are_refused(project: Path, tmp_path: Path) -> None:
    (project / "tests" / "test_toy.py").write_text("def test_no():\n    assert False\n")
    with pytest.raises(RuntimeError, match=r"fail without any mutant, at tests/test_toy\.py::test_no"):
        covering.measure(Copy(tmp_path / "copy", project), "toy", [Path("tests/test_toy.py")], "not book", tmp_path / "kept")
