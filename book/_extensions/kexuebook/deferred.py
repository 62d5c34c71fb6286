"""Places in the pages that are filled once every page has been read: counts, tables, maps.

A directive or role leaves a ``deferred`` node with the name of a filler and its arguments. After all pages have been read,
``doctree-resolved`` asks the filler for the nodes that take its place. Pages with such places are written at every build.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

logger = logging.getLogger(__name__)
Filler = Callable[[Sphinx, str, dict[str, Any]], list[nodes.Node]]
FILLERS: dict[str, Filler] = {}


class deferred(nodes.General, nodes.Inline, nodes.Element):
    """A place to be filled: attributes ``filler`` and ``arguments``."""


def filler(name: str) -> Callable[[Filler], Filler]:
    """Register a function that fills places named ``name``."""

    def register(function: Filler) -> Filler:
        FILLERS[name] = function
        return function

    return register


def raw(text: str, *classes: str) -> nodes.raw:
    """A piece of HTML as a node."""
    return nodes.raw("", text, format="html", classes=list(classes))


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Fill the places of a page; what goes wrong is a warning, which ends the book's build."""
    for node in list(doctree.findall(deferred)):
        try:
            node.replace_self(FILLERS[node["filler"]](app, docname, node["arguments"]))
        except Exception as error:
            logger.warning("%s could not be filled: %s: %s", node["filler"], type(error).__name__, error, location=node)
            node.replace_self([])


def note(app: Sphinx, doctree: nodes.document) -> None:
    """Remember which pages hold such places."""
    pages: set[str] = pages_of(app.env)
    name = app.env.docname
    pages.discard(name)
    if any(True for _ in doctree.findall(deferred)):
        pages.add(name)


def pages_of(env: BuildEnvironment) -> set[str]:
    """The pages with places to fill."""
    if not hasattr(env, "kexue_deferred"):
        env.kexue_deferred = set()  # type: ignore[attr-defined]
    found: set[str] = env.kexue_deferred  # type: ignore[attr-defined]
    return found


def rewrite(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the pages with places to fill, and all chapters, whose last line tells when they ran."""
    names = pages_of(env) | {d for d in env.found_docs if d.startswith("chapters/")}
    return sorted(names & set(env.found_docs))


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    pages_of(env).discard(docname)


def merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    pages_of(env).update(pages_of(other) & set(docnames))


def setup(app: Sphinx) -> None:
    app.add_node(deferred)
    app.connect("doctree-read", note)
    app.connect("doctree-resolved", fill)
    app.connect("env-updated", rewrite)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
