"""The report of the checked derivations: verified once for each state of the library, kept in ``_build``."""

from __future__ import annotations

import hashlib
import html
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from . import chapters
from .assets import LIB, ROOT
from .deferred import filler, raw
from .tables import table

BUILD = ROOT / "_build"
KINDS = (
    ("symbolic", "Symbolic"),
    ("digits", "Digits"),
    ("monte carlo", "Simulated"),
    ("refuted", "Refuted"),
    ("given", "Given"),
    ("quoted", "Quoted"),
)


def key() -> str:
    """A digest of everything a derivation can depend on: the library's modules."""
    total = hashlib.sha256()
    for path in sorted(LIB.rglob("*.py")):
        if path.relative_to(LIB).parts[0] not in ("explorer", "datasets", "training", "records"):
            total.update(path.relative_to(LIB).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def kept(path: Path, digest: str) -> Any:
    """What was kept for this digest, or None."""
    if not path.is_file():
        return None
    read = json.loads(path.read_text("utf8"))
    return read["value"] if isinstance(read, dict) and read.get("key") == digest else None


def keep(path: Path, digest: str, value: Any) -> Any:
    """Write whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"key": digest, "value": value}, indent=1, ensure_ascii=False), "utf8")
    part.replace(path)
    return value


def derivations() -> list[dict[str, Any]]:
    """A row for each derivation of the book; verifies them all unless nothing has changed since."""
    path, digest = BUILD / "derivations.json", key()
    rows = kept(path, digest)
    if rows is None:
        from kexue.derivation import collect, report

        rows = keep(path, digest, [asdict(row) for row in report(collect())])
    found: list[dict[str, Any]] = rows
    return found


def verified() -> int:
    """Steps that were verified: those merely given or quoted are not counted."""
    return sum(n for row in derivations() for kind, n in row["kinds"].items() if kind not in ("given", "quoted"))


def mutations() -> dict[str, Any]:
    """The counts of the last mutation test: those of ``_build/mutations.json``, else the test is run."""
    path = BUILD / "mutations.json"
    if path.is_file():
        read: dict[str, Any] = json.loads(path.read_text("utf8"))
        return read
    from kexue.derivation.mutate import mutation_report

    made = mutation_report()
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf8")
    return made


@filler("mathematics-report")
def mathematics_report(app: Sphinx, docname: str, arguments: dict[str, Any]) -> list[nodes.Node]:
    rows, counts = derivations(), mutations()
    if counts["missed"]:
        raise ValueError(f"{len(counts['missed'])} planted errors were not caught, the first in {counts['missed'][0]}")
    kinds = [(k, title) for k, title in KINDS if any(k in r["kinds"] for r in rows)]
    unknown = {k for r in rows for k in r["kinds"]} - {k for k, _ in KINDS}
    if unknown:
        raise ValueError(f"unknown kinds of steps: {', '.join(sorted(unknown))}")
    order = {f"{c.part}.{c.slug.replace('-', '_')}": c.no for c in chapters.chapters()}
    rows = sorted(rows, key=lambda r: order.get(r["chapter"], len(order) + 1))
    body = [_row(app, docname, row, [k for k, _ in kinds]) for row in rows]
    total = ("All", "", f"={sum(r['steps'] for r in rows)}", *(f"={sum(r['kinds'].get(k, 0) for r in rows)}" for k, _ in kinds), "")
    header = ("Chapter", "Derivation", "Steps", *(title for _, title in kinds), "To digits")
    by_error = [(html.escape(error), f"={number:,}") for error, number in sorted(counts["by_error"].items())]
    tried = counts["planted"] - counts["equivalent"]
    sentence = f"In the last mutation test {tried:,} false steps were planted and {counts['caught']:,} of them were caught; "
    sentence += f"{counts['equivalent']:,} further changes left the statement true and were not counted."
    return [
        table(header, [*body, total], "Derivations and how their steps were verified"),
        raw(f'<p id="mutations">{sentence}</p>'),
        table(("Planted error", "Times"), by_error, "Planted errors by kind"),
    ]


def _row(app: Sphinx, docname: str, row: dict[str, Any], kinds: list[str]) -> tuple[str, ...]:
    stem = row["chapter"].replace("_", "-").replace(".", "/")
    chapter = chapters.by_docname().get(f"chapters/{stem}")
    name = f"{chapter.no:02d}" if chapter else html.escape(row["chapter"])
    if chapter and chapter.docname in app.env.found_docs:
        name = f'<a href="{app.builder.get_relative_uri(docname, chapter.docname)}">{name}</a>'
    numbers = (f"={row['kinds'].get(k, 0) or ''}" for k in kinds)
    return name, html.escape(row["title"]), f"={row['steps']}", *numbers, f"={row['digits'] or ''}"
