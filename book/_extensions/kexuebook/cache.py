"""The execution cache of the build: what the cells of each page gave, when they ran, in how long and with how much memory.

Standard library alone: the inspection of the built site reads the same cache.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FOLDER = ".jupyter_cache"


@dataclass(frozen=True)
class Run:
    """When a page's cells last ran, for how many seconds, and how much of the processor and of memory their kernel took (0: not known)."""

    when: datetime
    seconds: float
    key: str
    processor_seconds: float = 0.0
    peak_bytes: int = 0


def _read(build: Path, query: str) -> list[tuple[Any, ...]]:
    database = build / FOLDER / "global.db"
    if not database.is_file():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def _docname(uri: str, source: Path) -> str | None:
    path = Path(uri)
    return path.relative_to(source).with_suffix("").as_posix() if path.is_relative_to(source) else None


def runs(build: Path, source: Path) -> dict[str, Run]:
    """The last run of each page.

    Args:
        build: the folder that holds the cache.
        source: the root of the book's source; pages are named relative to it.

    Returns:
        The runs by the pages' names.
    """
    found: dict[str, Run] = {}
    for uri, data, created, pk in _read(build, "select uri, data, created, pk from nbcache order by created"):
        name = _docname(uri, source)
        if name is not None:
            held = json.loads(data) if data else {}
            seconds, processor = (float(held.get(k, 0.0)) for k in ("execution_seconds", "processor_seconds"))
            found[name] = Run(datetime.fromisoformat(created), seconds, f"{pk} {created}", processor, int(held.get("peak_bytes", 0)))
    return found


def text(cell: dict[str, Any]) -> str:
    """The source of a cell, which the notebook format writes as a string or as a list of lines."""
    return "".join(cell["source"])


def code(cells: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The code cells among ``cells``."""
    return [cell for cell in cells if cell["cell_type"] == "code"]


def executed(build: Path, source: Path, docname: str, sources: Sequence[str]) -> list[dict[str, Any]]:
    """The executed code cells of a page, in order; empty where it was never executed with just these cells.

    Args:
        build: the folder that holds the cache.
        source: the root of the book's source.
        docname: name of the page.
        sources: what stands in its code cells: an earlier text of the page may be in the cache too.
    """
    for key, uri in _read(build, "select hashkey, uri from nbcache order by created desc"):
        if _docname(uri, source) == docname:
            path = build / FOLDER / "executed" / key / "base.ipynb"
            cells = code(json.loads(path.read_text("utf8"))["cells"])
            if [text(cell).strip() for cell in cells] == [s.strip() for s in sources]:
                return cells
    return []
