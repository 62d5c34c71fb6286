"""The executed notebooks of the build: read for the gathered pages, cleaned for the reader's download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from . import cache
from .cache import Run

CLAIM = "vnd.kexue.claim+json"
HOW = (
    "**How to run this notebook.** It uses the book's library `kexue`. In the folder of the book's source, "
    "`python3 make.py lab` opens it with everything installed. Elsewhere, install the library from that folder first "
    "(Python 3.11 or newer): `pip install .`, then choose *Run all*. Nothing is downloaded while it runs; "
    "data sets are fetched once, by `python -m kexue data`."
)


def folder(app: Sphinx) -> Path:
    """Where the build leaves the executed notebooks."""
    return Path(app.outdir).parent / "jupyter_execute"


def executed(app: Sphinx, docname: str) -> dict[str, Any] | None:
    """The executed notebook of a page, or None for a page without code.

    The build writes a notebook without outputs when it takes them from the cache: they are put back here.
    """
    path = folder(app) / f"{docname}.ipynb"
    if docname not in app.env.found_docs or not path.is_file():
        return None
    notebook: dict[str, Any] = json.loads(path.read_text("utf8"))
    code = cache.code(notebook["cells"])
    if not any(cell.get("outputs") for cell in code):
        ran = cache.executed(Path(app.outdir).parent, Path(app.srcdir), docname, [cache.text(cell) for cell in code])
        for cell, source in zip(code, ran, strict=False):
            cell.update(outputs=source["outputs"], execution_count=source["execution_count"])
    return notebook


def claims(app: Sphinx, docname: str) -> list[dict[str, Any]]:
    """The claims that the cells of a page made, each once, in order."""
    found: dict[str, dict[str, Any]] = {}
    for cell in (executed(app, docname) or {"cells": []})["cells"]:
        for output in cell.get("outputs", []):
            for mime, data in output.get("data", {}).items():
                if mime.endswith(CLAIM):
                    found.setdefault(data["name"], data)
    return list(found.values())


def runs(app: Sphinx) -> dict[str, Run]:
    """The last run of each page, out of the execution cache."""
    return cache.runs(Path(app.outdir).parent, Path(app.srcdir))


def outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Read a page again when its cells ran again: its own text may be the same while the library changed."""
    known: dict[str, str] = getattr(env, "kexue_runs", {})
    now = {name: run.key for name, run in runs(app).items()}
    env.kexue_runs = now  # type: ignore[attr-defined]
    return [name for name, key in now.items() if name in env.found_docs and known.get(name) not in (None, key)]


def clean(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook for the reader: says how to run it, keeps outputs that any viewer shows, drops what only the build uses."""
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        kept = {k: v for k, v in cell.items() if k != "id"} | {"id": f"cell-{number + 1}"}
        if cell["cell_type"] == "code":
            kept["outputs"] = [o for o in (visible(o) for o in cell.get("outputs", [])) if o]
            kept["metadata"] = {k: v for k, v in cell["metadata"].items() if k in ("tags",)}
        cells.append(kept)
    first = {"cell_type": "markdown", "id": "cell-how-to-run", "metadata": {}, "source": HOW}
    metadata = {k: v for k, v in notebook["metadata"].items() if k in ("kernelspec", "language_info")}
    return {"cells": [first, *cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def visible(output: dict[str, Any]) -> dict[str, Any] | None:
    """An output without hidden data, or None where nothing is left."""
    if "data" not in output:
        return output
    data = {k: v for k, v in output["data"].items() if "papermill" not in k and not k.endswith(CLAIM) and "widget-view" not in k}
    return {**output, "data": data, "metadata": {}} if data else None


def offer(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Put the clean notebook beside the page, where the theme's download button looks for it."""
    notebook = executed(app, pagename) if pagename.startswith("chapters/") else None
    if notebook is None:
        return
    name = f"{pagename}.ipynb"
    target = Path(app.outdir) / "_sources" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(clean(notebook), ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf8")
    context["ipynb_source"] = name


def setup(app: Sphinx) -> None:
    app.connect("env-get-outdated", outdated)
    app.connect("html-page-context", offer, priority=400)
