"""The reference of the library: each module's own words, and the chapter that teaches it.

``{library} figures`` documents a module or package. The pages of the reference are written before the build looks for pages, by
``write``: one for each package of the ground floor, one for the modules of each chapter, one for those that the chapters of a part share.
A new module thus appears by itself. ``{library-pages}`` lists the pages.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from .assets import LIB
from .chapters import Chapter, Part, parts

FOLDER = "book/library"
GROUND = {
    "derivation": "checked derivations",
    "records": "shipped runs and claims",
    "explorer": "sliders and the figures they move",
    "datasets": "real data out of packages",
    "figures": "the style of the figures, and plots that chapters share",
    "training": "the trainer",
}
MORE = {"explorer": ("explorer.panels",)}  # what a package's own page documents beside its front
PAGE = """---
myst:
  html_meta:
    description: "{description}"
---

# {title}

{lead}
"""


@dataclass(frozen=True)
class Page:
    """A page of the reference.

    Attributes:
        name: of the file; in the order of the names the pages stand in the contents.
        group: under what it is listed.
        title: its heading, short enough for the contents.
        label: what it is listed as.
        lead: its first sentence.
        modules: what it documents, without ``kexue.``
    """

    name: str
    group: str
    title: str
    label: str
    lead: str
    modules: tuple[str, ...]

    @property
    def docname(self) -> str:
        return f"{FOLDER}/{self.name}"

    @property
    def text(self) -> str:
        """The page as MyST Markdown."""
        description = f"Reference of the library kexue, {self.label}.".replace('"', "'")
        top = PAGE.format(description=description, title=self.title, lead=self.lead)
        return top + "".join(f"\n```{{library}} {name}\n```\n" for name in self.modules)


def module(name: str) -> str:
    """The import name that a name of the reference stands for.

    Raises:
        ValueError: the library has no such module.
    """
    path = LIB.joinpath(*name.split("."))
    if not path.with_suffix(".py").is_file() and not (path / "__init__.py").is_file():
        raise ValueError(f"the library has no module {name!r}")
    return f"kexue.{name}"


def _public(path: Path) -> bool:
    return not path.stem.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").is_file())


def chapter_of(name: str) -> Chapter | None:
    """The chapter that teaches a module, such as ``generative.energy_gan_laws``: the longest name that it begins with."""
    part, _, last = name.removeprefix("kexue.").partition(".")
    found = {c.slug.replace("-", "_"): c for p in parts() if p.slug == part for c in p.chapters}
    slugs = [s for s in found if last == s or last.startswith(s + "_")]
    return found[max(slugs, key=len)] if slugs else None


def pages() -> list[Page]:
    """The pages of the reference in their order: the ground floor, the chapters, what the chapters of a part share."""
    ground = [_ground(place, name, about) for place, (name, about) in enumerate(GROUND.items(), 1)]
    return ground + [page for part in parts() for page in _of_part(part)]


def _ground(place: int, name: str, about: str) -> Page:
    more = MORE.get(name, ())
    if name in {part.slug for part in parts()}:  # its package brings names in when they are asked for: the modules hold them
        found = [f"{name}.{path.stem}" for path in sorted((LIB / name).iterdir()) if _public(path)]
        more = tuple(m for m in found if chapter_of(m) is None)
    lead = f"The ground floor's `kexue.{name}`, which serves all chapters."
    return Page(f"00-{place}-{name}", "The ground floor", f"Library: {name}", f"{name}: {about}", lead, (name, *more))


def _of_part(part: Part) -> list[Page]:
    folder = LIB / part.slug
    if not (folder / "__init__.py").is_file():
        return []
    held: dict[Chapter | None, list[str]] = {}
    for path in sorted(filter(_public, folder.iterdir()), key=lambda p: p.stem):
        name = f"{part.slug}.{path.stem}"
        held.setdefault(chapter_of(name), []).append(name)
    group = f"Part {part.number}: {part.title}"
    made = []
    for chapter in part.chapters:
        if names := held.get(chapter):
            title, stem = f"Library {chapter.no}: {chapter.slug.replace('-', '_')}", f"{chapter.no:02d}-{chapter.slug}"
            lead = f"The modules of `kexue.{part.slug}` that belong to chapter {chapter.no}."
            made.append(Page(stem, group, title, f"chapter {chapter.no}: {chapter.title}", lead, tuple(names)))
    shared = held.get(None)
    if shared and part.slug not in GROUND:
        stem, lead = f"{part.chapters[-1].no:02d}x-shared-{part.slug}", f"Modules of `kexue.{part.slug}` that several chapters use."
        title, label = f"Library {part.number}: shared modules", f"modules that the chapters of part {part.number} share"
        made.append(Page(stem, group, title, label, lead, tuple(shared)))
    return made


def write(app: Sphinx, config: Config) -> None:
    """Write the pages of a book that has a reference, and remove those that are no more; what stays the same is left alone."""
    folder = Path(app.srcdir) / FOLDER
    if not folder.with_suffix(".md").is_file():
        return
    folder.mkdir(exist_ok=True)
    texts = {folder / f"{page.name}.md": page.text for page in pages()}
    for path in set(folder.glob("*.md")) - set(texts):
        path.unlink()
    for path, text in texts.items():
        if not path.is_file() or path.read_text("utf8") != text:
            path.write_text(text, "utf8")


class Library(SphinxDirective):
    """``library``: reference of a module or package."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        try:
            name = module(self.arguments[0])
        except ValueError as error:
            raise self.error(str(error)) from None
        return [*self.heading(name), *self.reference(name)]

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


class Pages(SphinxDirective):
    """``library-pages``: links to the pages of the reference."""

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        group = ""
        for page in pages():
            if page.docname not in self.env.found_docs:
                raise self.error(f"the page {page.docname} of the reference is not in the contents: _toc.yml must take all of {FOLDER}")
            if page.group != group:
                group = page.group
                found += [nodes.rubric("", group), nodes.bullet_list()]
            link = addnodes.pending_xref(
                "", nodes.inline("", page.label), refdomain="std", reftype="doc", reftarget=f"/{page.docname}",
                refdoc=self.env.docname, refexplicit=True, refwarn=True,
            )  # fmt: skip
            found[-1] += nodes.list_item("", nodes.paragraph("", "", link))
        return found


def find(app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.TextElement) -> nodes.Element | None:
    """Resolve a name of the library that is documented elsewhere than it is defined; let pass what exists undocumented."""
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") != "py" or not target:
        return None
    known = tails(app)
    short = target.removeprefix("kexue.").split(".")
    for length in range(len(short), 0, -1):
        found = known.get(".".join(short[-length:]), [])
        if len(found) == 1:
            entry = env.get_domain("py").data["objects"][found[0]]
            return make_refnode(app.builder, str(node["refdoc"]), entry.docname, entry.node_id, text, found[0])
        if found or (length == 2 and short[-2][:1].isupper()):  # a method is not to be sought without its class
            break
    return text if target.startswith("kexue.") and exists(target) else None


def tails(app: Sphinx) -> dict[str, list[str]]:
    """The documented names by what they end in: ``kexue.figures.show`` by ``figures.show`` and ``show``; made once in a build."""
    made: dict[str, list[str]] | None = getattr(app, "kexue_tails", None)
    if made is None:
        made = defaultdict(list)
        for name, entry in app.env.get_domain("py").data["objects"].items():
            parts = name.split(".")
            for start in range(1, len(parts) * (not entry.aliased)):
                made[".".join(parts[start:])].append(name)
        app.kexue_tails = made = dict(made)  # type: ignore[attr-defined]
    return made


@functools.cache
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


def keep_colons(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Napoleon takes what stands before a colon, in a returned value or a property, for a type. Types are annotated here: it is prose.

    >>> words = ["Draw.", "", "Returns:", "    Loss and rate: means over the batch."]
    >>> keep_colons(None, "function", "draw", None, None, words)
    >>> words[-1]
    '    Loss and rate – means over the batch.'
    """
    first = [0] if what in ("attribute", "data", "property") else []
    for n in [*first, *(i + 1 for i, line in enumerate(lines[:-1]) if line.strip() == "Returns:")]:
        if n < len(lines):
            lines[n] = re.sub(r"(?<=\S): (?=\S)", " – ", lines[n])


def setup(app: Sphinx) -> None:
    app.add_directive("library", Library)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon (500)
    app.add_directive("library-pages", Pages)
    app.connect("config-inited", write, priority=400)  # before the contents look for pages (900)
    app.connect("missing-reference", find)
