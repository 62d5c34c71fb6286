"""The reference of the library: each module's own words, and the chapter that teaches it.

``{library} mathematics`` documents the modules of a part, ``{library} figures`` one module of the ground floor, ``{library-parts}``
links to the page of each part that has modules.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from .assets import LIB
from .chapters import Chapter, chapters, parts


def modules(name: str) -> list[str]:
    """The import names that a name of the reference stands for.

    Raises:
        ValueError: the library has no such module or part.
    """
    path = LIB.joinpath(*name.split("."))
    folder, file = path, path.with_suffix(".py")
    if file.is_file():
        return [f"kexue.{name}"]
    if not (folder / "__init__.py").is_file():
        raise ValueError(f"the library has no module or part {name!r}")
    if name not in {c.part for c in chapters()}:
        return [f"kexue.{name}"]
    found = [p for p in folder.iterdir() if _public(p)]
    order = {c.slug.replace("-", "_"): c.no for c in chapters()}
    known = sorted(found, key=lambda p: (next((n for s, n in order.items() if p.stem == s or p.stem.startswith(s + "_")), 99), p.stem))
    return [f"kexue.{name}.{p.stem}" for p in known]


def _public(path: Path) -> bool:
    return not path.stem.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").is_file())


def chapter_of(module: str) -> Chapter | None:
    """The chapter that teaches a module."""
    last = module.rpartition(".")[2]
    return next((c for c in chapters() if last == (s := c.slug.replace("-", "_")) or last.startswith(s + "_")), None)


class Library(SphinxDirective):
    """``library``: reference of a part or of a module of the ground floor."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        try:
            names = modules(self.arguments[0])
        except ValueError as error:
            raise self.error(str(error)) from None
        found: list[nodes.Node] = []
        for name in names:
            found += [*self.heading(name), *self.reference(name)]
        return found or [nodes.paragraph("", "No chapter of this part is written yet.")]

    def heading(self, name: str) -> list[nodes.Node]:
        rubric = nodes.rubric("", "", nodes.literal("", name), classes=["kx-module"])
        chapter = chapter_of(name)
        if chapter is None or chapter.docname not in self.env.found_docs:
            return [rubric] if name.count(".") > 1 else []
        link = addnodes.pending_xref(
            "", nodes.inline("", f"chapter {chapter.no}, {chapter.title}"), refdomain="std", reftype="doc", reftarget=f"/{chapter.docname}",
            refdoc=self.env.docname, refexplicit=True, refwarn=True,
        )  # fmt: skip
        return [rubric, nodes.paragraph("", "", nodes.Text("Taught in "), link, nodes.Text("."), classes=["kx-taught"])]

    def reference(self, name: str) -> list[nodes.Node]:
        lines = ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "   :show-inheritance:", "```"]
        node = nodes.container(classes=["kx-reference"])
        self.state.nested_parse(StringList(lines, source=self.env.doc2path(self.env.docname)), self.content_offset, node)
        return [node]


class Parts(SphinxDirective):
    """``library-parts``: links to the reference of each part that has modules; the last part's are in ``kexue.training``."""

    def run(self) -> list[nodes.Node]:
        links = nodes.bullet_list()
        for part in parts():
            if part.slug == "training" or not (LIB / part.slug / "__init__.py").is_file():
                continue
            page = f"book/library-{part.slug}"
            if page not in self.env.found_docs:
                raise self.error(f"the part {part.slug!r} has modules and no page {page}.md in _toc.yml")
            link = addnodes.pending_xref(
                "", nodes.inline("", f"Part {part.number}: {part.title}"), refdomain="std", reftype="doc", reftarget=f"/{page}",
                refdoc=self.env.docname, refexplicit=True, refwarn=True,
            )  # fmt: skip
            links += nodes.list_item("", nodes.paragraph("", "", link))
        return [links]


def find(app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.TextElement) -> nodes.Element | None:
    """Resolve a name of the library that is documented elsewhere than it is defined; let pass what exists undocumented."""
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") != "py" or not target:
        return None
    objects = env.get_domain("py").data["objects"]
    short = target.removeprefix("kexue.").split(".")
    for length in range(len(short), 0, -1):
        tail = "." + ".".join(short[-length:])
        found = {name: entry for name, entry in objects.items() if name.endswith(tail) and not entry.aliased}
        if len(found) == 1:
            ((name, entry),) = found.items()
            return make_refnode(app.builder, str(node["refdoc"]), entry.docname, entry.node_id, text, name)
        if found or (length == 2 and short[-2][:1].isupper()):  # a method is not to be sought without its class
            break
    return text if target.startswith("kexue.") and exists(target) else None


def exists(target: str) -> bool:
    """Whether a dotted name can be imported.

    >>> exists("kexue.figures.show"), exists("kexue.figures.hide")
    (True, False)
    """
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            value = getattr(value, part, None)
        return value is not None
    return False


def setup(app: Sphinx) -> None:
    app.add_directive("library", Library)
    app.add_directive("library-parts", Parts)
    app.connect("missing-reference", find)
