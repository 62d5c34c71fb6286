"""Chapters bear the numbers of chapters.yml, also while chapters before them are not written yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles as Collector

from .chapters import by_docname

Assign = Callable[[TocTreeCollector, BuildEnvironment], list[str]]


def renumber(env: BuildEnvironment) -> None:
    """Put the book's number of a chapter in the first place of every section number of its page."""
    for docname, chapter in by_docname().items():
        numbers = env.toc_secnumbers.get(docname)
        if not numbers:
            continue
        for anchor, number in numbers.items():
            if number:
                numbers[anchor] = (chapter.no, *number[1:])
        for node in (env.titles.get(docname), *_references(env.tocs.get(docname))):
            if node is not None and node.get("secnumber"):
                node["secnumber"] = [chapter.no, *node["secnumber"][1:]]


def _references(toc: nodes.Element | None) -> list[nodes.Element]:
    return list(toc.findall(nodes.reference)) if toc is not None else []


def wrap(app: Sphinx, config: Config) -> None:
    """Renumber right after the sections are numbered: figures, equations and theorems follow from it."""
    original: Any = Collector.assign_section_numbers
    if getattr(original, "kexue", False):
        original = original.original

    def assign(self: TocTreeCollector, env: BuildEnvironment) -> list[str]:
        rewrite: list[str] = original(self, env)
        renumber(env)
        return rewrite

    assign.kexue = True  # type: ignore[attr-defined]
    assign.original = original  # type: ignore[attr-defined]
    Collector.assign_section_numbers = assign  # type: ignore[method-assign]


def setup(app: Sphinx) -> None:
    app.connect("config-inited", wrap)
