"""The table of the benchmarks: ratios, units, medians in turns, what is kept of an earlier run. No time is tested."""

from __future__ import annotations

import doctest
import json
import statistics
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import table
from benchmarks.table import Row, as_json, as_text, in_turns, merge, quantile, show

ROWS = [
    Row("draws", "relaxed", 0.002, peer="torch", theirs=0.004),
    Row("draws", "hard", 0.5, peer="torch", theirs=0.25, note="slow"),
    Row("pages", "index.html", 123_456, "B"),
    Row("pages", "limit of nothing", 5, "B", peer="limit", theirs=0.0),
]


def test_ratio() -> None:
    assert [row.ratio for row in ROWS] == [0.5, 2.0, None, None]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.3456, "s", "12.3 s"), (0.0123456, "s", "12.3 ms"), (4.5e-6, "s", "4.50 µs"), (4.5e-9, "s", "0.00450 µs"), (0.0, "s", "0 µs"),
        (999, "B", "999 B"),
        (1000, "B", "1.00 kB"), (60e6, "B", "60.0 MB"), (1234.5, "", "1,234"), (7, "runs", "7.00 runs"), (None, "s", ""),
    ],
)  # fmt: skip
def test_units(value: float | None, unit: str, text: str) -> None:
    assert show(value, unit) == text


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_quantiles_against_the_standard_library(values: list[float]) -> None:
    assert quantile(values, 0.0) == min(values)
    assert quantile(values, 1.0) == max(values)
    assert quantile(values, 0.5) == pytest.approx(statistics.median(values), rel=1e-9, abs=1e-9)
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    assert quantile(values, 0.95) == pytest.approx(cuts[-1], rel=1e-9, abs=1e-6)


def test_examples() -> None:
    assert doctest.testmod(table) == (0, 2)


def test_quantile_of_nothing() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        quantile([], 0.5)


def test_in_turns_takes_medians_of_interleaved_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock of our own: each call of `a` lasts 1, of `b` 3 but 100 in one round; the median does not see that round."""
    now, calls = [0.0], []
    monkeypatch.setattr(table.time, "perf_counter", lambda: now[0])

    def a() -> None:
        calls.append("a")
        now[0] += 1.0

    def b() -> None:
        calls.append("b")
        now[0] += 100.0 if calls.count("b") == 4 else 3.0

    assert in_turns([a, b], repeats=5, least=0.5) == [1.0, 3.0]
    assert calls == ["a", "a", "b", "b"] + ["a", "b"] * 5


def test_quick_functions_are_called_often_in_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = [0.0], []
    monkeypatch.setattr(table.time, "perf_counter", lambda: now[0])

    def quick() -> None:
        calls.append(1)
        now[0] += 0.25

    assert in_turns([quick], repeats=3, least=2.0) == [0.25]
    assert len(calls) == 2 + 3 * 8


def test_text() -> None:
    lines = as_text(ROWS).splitlines()
    assert lines[0] == "draws"
    assert lines[1].split() == ["ours", "peer", "or", "limit", "theirs", "ratio"]
    assert lines[2].split() == ["relaxed", "2.00", "ms", "torch", "4.00", "ms", "0.500"]
    assert lines[3].split()[-2:] == ["2.00", "slow"]
    assert lines[5] == "pages"
    assert lines[7].split() == ["index.html", "123", "kB"]
    assert all(line == line.rstrip() for line in lines)


def test_json_holds_the_ratios_and_the_machine() -> None:
    held = json.loads(as_json(ROWS))
    assert [row["ratio"] for row in held["rows"]] == [0.5, 2.0, None, None]
    assert held["machine"]["cores"] >= 1
    assert held["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_an_earlier_run_keeps_what_is_not_measured_now() -> None:
    now = [Row("draws", "relaxed", 0.001, peer="torch", theirs=0.004)]
    assert merge(as_json(ROWS), now) == [*ROWS[2:], *now]
    assert merge("", now) == now
    assert merge('{"rows": [{"odd": 1}]}', now) == now
