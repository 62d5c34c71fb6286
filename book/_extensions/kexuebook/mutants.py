"""How many planted errors the library's tests find: ``book/mutants.json``, which ``python3 make.py mutants`` writes, as a table."""

from __future__ import annotations

import hashlib
import html
import json
from pathlib import Path
from typing import Any

from docutils import nodes

from .tables import table

ROOT = Path(__file__).resolve().parents[3]
RESULT = ROOT / "book" / "mutants.json"
TITLE = "Errors planted in the library"
HEADER = ("Part of the library", "Planted", "Found", "Share", "95 % interval", "Not found", "of these without effect")


def scores(path: Path = RESULT) -> dict[str, Any]:
    """What is known of each unit.

    Raises:
        ValueError: the file is of another format.
    """
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text("utf8"))
    if found.get("format") != 1:
        raise ValueError(f"{path.name} has format {found.get('format')!r}, format 1 is expected: run python3 make.py mutants again")
    return found


def present(unit: dict[str, Any], root: Path = ROOT) -> bool:
    """Whether the score is that of the files as they now are."""
    total = hashlib.sha256()
    for name in unit["files"]:
        path = root / name
        total.update(name.encode() + b"\0" + (path.read_bytes() if path.is_file() else b"") + b"\0")
    return total.hexdigest()[:16] == unit["source"]


def row(name: str, unit: dict[str, Any], root: Path = ROOT) -> tuple[str, ...]:
    """A line of the table, in HTML; an asterisk where the library has changed since."""
    planted, interval = unit["planted"], unit["interval"]
    bounds = "all planted" if interval is None else f"{interval[0]:.0%} to {interval[1]:.0%}"
    called = f"<code>kexue.{html.escape(name)}</code>" + ("" if present(unit, root) else " *")
    cells = (planted, unit["killed"], f"{unit['killed'] / max(1, planted):.0%}", bounds, unit["survived"], unit["equivalent"])
    return called, *(f"={cell}" for cell in cells)


def section(path: Path = RESULT, root: Path = ROOT) -> list[nodes.Node]:
    """The part of the colophon: nothing, where nothing was planted."""
    found = scores(path)
    if not found.get("units"):
        return []
    units = found["units"]
    text = (
        f"The tests of the library are tested by sabotage: {found['tool']} plants one error at a time, and the tests of that part of the "
        "library must fail. Each line is a random sample. An error that is not found was looked at: some have no effect that could be "
        "observed, with the reason kept in the repository. The command is python3 make.py mutants."
    )
    if not all(present(u, root) for u in units.values()):
        text += " An asterisk marks a part that has changed since."
    return [nodes.rubric("", TITLE), nodes.paragraph("", text), table(HEADER, [row(n, u, root) for n, u in units.items()], TITLE)]
