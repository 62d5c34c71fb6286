"""Measured numbers beside what they are compared with: timing in turns, ratios, one table as text and as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCALES = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")), "B": ((1e6, "MB"), (1e3, "kB"), (1.0, "B"))}


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        group: the part of the table it stands in.
        what: what was measured.
        ours: the number.
        unit: ``s``, ``B`` or empty.
        peer: what it is compared with, a peer measured in the same run or a stated limit; empty for none.
        theirs: the peer's number in the same unit.
        note: how it was measured, or what else was seen.
    """

    group: str
    what: str
    ours: float
    unit: str = "s"
    peer: str = ""
    theirs: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over theirs: below one is quicker or lighter, for a rate above one; none without a peer or with one that is nought."""
        return self.ours / self.theirs if self.theirs else None


def in_turns(functions: Sequence[Callable[[], Any]], *, repeats: int = 7, least: float = 0.02) -> list[float]:
    """Median seconds of a call of each function, measured in turns so that a slow moment of the machine hits all of them.

    Args:
        functions: what to time; each is called once before anything is measured.
        repeats: rounds; the median of the rounds counts.
        least: a round calls a function so often that it lasts about this many seconds.

    Returns:
        Seconds a call, in the order of the functions.
    """
    counts = []
    for function in functions:
        function()
        start = time.perf_counter()
        function()
        counts.append(max(1, math.ceil(least / max(time.perf_counter() - start, 1e-9))))
    rounds: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, count, times in zip(functions, counts, rounds, strict=True):
            start = time.perf_counter()
            for _ in range(count):
                function()
            times.append((time.perf_counter() - start) / count)
    return [statistics.median(times) for times in rounds]


def quantile(values: Iterable[float], q: float) -> float:
    """The q-quantile by linear interpolation between order statistics.

    >>> quantile([3.0, 1.0, 2.0], 0.5), quantile([0.0, 10.0], 0.95)
    (2.0, 9.5)

    Raises:
        ValueError: no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a quantile needs at least one value")
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def show(value: float | None, unit: str) -> str:
    """A number with three digits and the unit that fits it.

    >>> show(0.00123, "s"), show(1_234_567, "B"), show(None, "s")
    ('1.23 ms', '1.23 MB', '')
    """
    if value is None:
        return ""
    for size, name in _SCALES.get(unit, ()):
        if abs(value) >= size:
            return f"{_three(value / size)} {name}"
    smallest, name = _SCALES[unit][-1] if unit in _SCALES else (1.0, unit)
    return f"{_three(value / smallest)} {name}".strip()


def _three(value: float) -> str:
    """Three significant digits, or all digits of the whole part."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def as_text(rows: Sequence[Row]) -> str:
    """The table as text, a heading for each group."""
    cells = [
        (r.what, show(r.ours, r.unit), r.peer, show(r.theirs, r.unit), "" if r.ratio is None else _three(r.ratio), r.note) for r in rows
    ]
    head = ("", "ours", "peer or limit", "theirs", "ratio", "")
    wide = [max(len(line[i]) for line in [head, *cells]) for i in range(5)]
    lines, group = [], ""
    for row, cell in zip(rows, cells, strict=True):
        if row.group != group:
            group = row.group
            lines += ["", group, _line(head, wide)]
        lines.append(_line(cell, wide))
    return "\n".join(lines).lstrip("\n")


def _line(cell: Sequence[str], wide: Sequence[int]) -> str:
    left = (True, False, True, False, False)
    parts = [c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in zip(cell, wide, left, strict=False)]
    return "  " + "  ".join([*parts, cell[5]]).rstrip()


def machine() -> dict[str, str | int]:
    """What the numbers were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        cpu = next((line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), cpu)
    return {"cpu": cpu, "cores": os.cpu_count() or 1, "system": platform.system(), "python": platform.python_version()}


def as_json(rows: Sequence[Row]) -> str:
    """The table as JSON: the machine, the day, and the rows with their ratios."""
    held = [{**vars(row), "ratio": row.ratio} for row in rows]
    return json.dumps({"machine": machine(), "day": time.strftime("%Y-%m-%d"), "rows": held}, indent=1, ensure_ascii=False) + "\n"


def merge(old: str, rows: Sequence[Row]) -> list[Row]:
    """The rows of this run, and those of an earlier one whose group was not measured now."""
    try:
        before = [Row(**{k: v for k, v in row.items() if k != "ratio"}) for row in json.loads(old)["rows"]]
    except (ValueError, KeyError, TypeError):
        before = []
    groups = {row.group for row in rows}
    return [row for row in before if row.group not in groups] + list(rows)
