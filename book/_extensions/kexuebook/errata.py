"""Errors of the sources: shown where they matter, gathered on one page.

```{erratum} The tension is missing
:label: rope-multiplier
:source: the post, second formula

What is said, why it is wrong, and what is right.
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, new_document

from .chapters import by_docname
from .deferred import deferred, filler

logger = logging.getLogger(__name__)


@dataclass
class Erratum:
    """An error of a source, with its place in the book."""

    label: str
    title: str
    source: str
    docname: str
    body: list[nodes.Node]


def known(env: BuildEnvironment) -> dict[str, Erratum]:
    """All errata of the book by label."""
    if not hasattr(env, "kexue_errata"):
        env.kexue_errata = {}  # type: ignore[attr-defined]
    found: dict[str, Erratum] = env.kexue_errata  # type: ignore[attr-defined]
    return found


class ErratumDirective(SphinxDirective):
    """``erratum``: an admonition that also enters the page of errata."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"label": directives.unchanged_required, "source": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        label, source = self.options.get("label", ""), self.options.get("source", "")
        self.assert_has_content()
        if not label or nodes.make_id(label) != label:
            raise self.error(f"an erratum needs a :label: in lower case with hyphens, got {label!r}")
        if not source:
            raise self.error("an erratum needs a :source: who says it, and where")
        other = known(self.env).get(label)
        if other is not None:
            raise self.error(f"the label {label!r} is taken by an erratum of {other.docname}")
        title, messages = self.state.inline_text(self.arguments[0], self.lineno)
        node = nodes.admonition("", nodes.title("", "", *title), names=[f"erratum-{label}"], classes=["erratum", "kx-erratum"])
        self.set_source_info(node)
        self.state.document.note_explicit_target(node)
        where, more = self.state.inline_text(source, self.lineno)
        node += nodes.paragraph("", "", nodes.inline("", "Where: ", classes=["kx-erratum-where"]), *where)
        self.state.nested_parse(self.content, self.content_offset, node)
        known(self.env)[label] = Erratum(label, nodes.title("", "", *title).astext(), source, self.env.docname, [node.deepcopy()])
        return [node, *messages, *more]


class ErrataList(SphinxDirective):
    """``errata-list``: all errata of the book, by chapter, each with a link to its place."""

    def run(self) -> list[nodes.Node]:
        return [deferred(filler="errata-list", arguments={})]


@filler("errata-list")
def gather(app: Sphinx, docname: str, arguments: dict[str, Any]) -> list[nodes.Node]:
    found: list[nodes.Node] = []
    order = {name: c.no for name, c in by_docname().items()}
    last = ""
    for erratum in sorted(known(app.env).values(), key=lambda e: (order.get(e.docname, 99), e.docname)):
        title = app.env.titles[erratum.docname].astext()
        if erratum.docname != last:
            number = f"{order[erratum.docname]:02d}  " if erratum.docname in order else ""
            found.append(nodes.rubric("", f"{number}{title}"))
            last = erratum.docname
        uri = f"{app.builder.get_relative_uri(docname, erratum.docname)}#erratum-{erratum.label}"
        copy = erratum.body[0].deepcopy()
        assert isinstance(copy, nodes.Element)
        for node in copy.findall(nodes.Element):
            node["ids"], node["names"] = [], []
        copy["ids"] = [f"listed-{erratum.label}"]
        back = nodes.reference("", "in its chapter", internal=True, refuri=uri)
        copy += nodes.paragraph("", "", back, classes=["kx-erratum-back"])
        found.append(resolve(app, docname, copy))
    return found or [nodes.paragraph("", "No error of a source has been found so far.")]


def resolve(app: Sphinx, docname: str, node: nodes.Element) -> nodes.Element:
    """Resolve the references of a node that came from another page."""
    for reference in node.findall(addnodes.pending_xref):
        reference["refdoc"] = docname
    document = new_document("")
    document += node
    app.env.resolve_references(document, docname, app.builder)
    document.remove(node)
    return node


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    for label in [k for k, e in known(env).items() if e.docname == docname]:
        del known(env)[label]


def merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    known(env).update({k: e for k, e in known(other).items() if e.docname in docnames})


def setup(app: Sphinx) -> None:
    app.add_directive("erratum", ErratumDirective)
    app.add_directive("errata-list", ErrataList)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
