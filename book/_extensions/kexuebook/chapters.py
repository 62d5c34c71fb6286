"""The chapters of ``book/chapters.yml``: their map, and the lines under each chapter's title and at its end."""

from __future__ import annotations

import functools
import html
import math
import sys
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from .assets import ROOT
from .deferred import deferred, filler, raw
from .notebooks import runs

BOOK = "Scientific Spaces, an executable textbook"
WORDS_A_MINUTE = 180  # of prose; a displayed equation, a figure or a cell takes about as long as SECONDS_A_STOP
SECONDS_A_STOP = 25


@dataclass(frozen=True)
class Chapter:
    """What the book knows of a chapter beside its text."""

    no: int
    slug: str
    title: str
    title_zh: str
    posted: date
    post: int
    question: str
    builds_on: tuple[int, ...]
    part: str

    @property
    def docname(self) -> str:
        return f"chapters/{self.part}/{self.slug}"

    @property
    def url(self) -> str:
        """Address of the post."""
        return f"https://kexue.fm/archives/{self.post}"


@dataclass(frozen=True)
class Part:
    slug: str
    number: str
    title: str
    title_zh: str
    chapters: tuple[Chapter, ...]


@functools.cache
def parts() -> tuple[Part, ...]:
    """The parts with their chapters.

    Raises:
        ValueError: if chapters.yml contradicts itself.
    """
    read = yaml.safe_load((ROOT / "book" / "chapters.yml").read_text("utf8"))["parts"]
    found = tuple(
        Part(p["slug"], p["number"], p["title"], p["title_zh"], tuple(_chapter(c, p["slug"]) for c in p["chapters"])) for p in read
    )
    numbers = [c.no for p in found for c in p.chapters]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"chapters.yml must number the chapters 1, 2, 3 … in order, got {numbers}")
    for chapter in (c for p in found for c in p.chapters):
        if not all(1 <= b < chapter.no for b in chapter.builds_on):
            raise ValueError(f"chapter {chapter.no} builds on {chapter.builds_on}: only earlier chapters can be built on")
    return found


def _chapter(entry: dict[str, Any], part: str) -> Chapter:
    rest = {k: v for k, v in entry.items() if k != "number"}
    return Chapter(no=entry["number"], part=part, **{**rest, "builds_on": tuple(entry["builds_on"])})


def chapters() -> tuple[Chapter, ...]:
    """All chapters in the book's order."""
    return tuple(c for p in parts() for c in p.chapters)


def by_docname() -> dict[str, Chapter]:
    return {c.docname: c for c in chapters()}


# --- the map -----------------------------------------------------------------------------------------------------------


class ChapterMap(SphinxDirective):
    """``chapter-map``: the chapters by part, which are ready, and how they build on each other."""

    def run(self) -> list[nodes.Node]:
        return [deferred(filler="chapter-map", arguments={})]


@filler("chapter-map")
def chapter_map(app: Sphinx, docname: str, arguments: dict[str, Any]) -> list[nodes.Node]:
    ready = {c.no for c in chapters() if c.docname in app.env.found_docs}
    sections = "".join(_part(app, docname, part, ready) for part in parts())
    return [raw(f'<div class="kx-map">{_arcs(ready)}{sections}</div>')]


def _part(app: Sphinx, docname: str, part: Part, ready: set[int]) -> str:
    cards = "".join(_card(app, docname, c, ready) for c in part.chapters)
    title = f'<span class="kx-part-no">{part.number}</span> {html.escape(part.title)} <span class="zh" lang="zh">{part.title_zh}</span>'
    return (
        f'<section class="kx-part kx-part-{part.slug}" aria-label="Part {part.number}">'
        f'<p class="kx-part-title">{title}</p><ol class="kx-cards">{cards}</ol></section>'
    )


def _card(app: Sphinx, docname: str, chapter: Chapter, ready: set[int]) -> str:
    title = html.escape(chapter.title)
    if chapter.no in ready:
        href = app.builder.get_relative_uri(docname, chapter.docname)
        title, state, word = f'<a href="{href}">{title}</a>', "ready", "ready to read"
    else:
        state, word = "planned", "not yet written"
    links = ", ".join(f'<a href="#chapter-{b:02d}">{b:02d}</a>' for b in chapter.builds_on)
    builds = f'<span class="kx-card-builds">builds on {links}</span>' if links else ""
    return (
        f'<li class="kx-card kx-{state}" id="chapter-{chapter.no:02d}"><span class="kx-card-no">{chapter.no:02d}</span>'
        f'<p class="kx-card-title">{title}</p><p class="kx-card-zh zh" lang="zh">{html.escape(chapter.title_zh)}</p>'
        f'<p class="kx-card-question">{html.escape(chapter.question)}</p>'
        f'<p class="kx-card-foot"><span class="kx-state">{word}</span>{builds}</p></li>'
    )


def _arcs(ready: set[int]) -> str:
    """A line of dots, one for each chapter, with an arc from each to those it builds on."""
    step, base = 20, 108
    x = {c.no: 12 + step * (c.no - 1) for c in chapters()}
    longest = max((x[c.no] - x[b]) / 2 for c in chapters() for b in c.builds_on)
    arcs = []
    for c in chapters():
        for b in c.builds_on:
            half = (x[c.no] - x[b]) / 2
            height = min(half, 100 * math.sqrt(half / longest))
            arcs.append(f'<path class="kx-arc kx-part-{c.part}" d="M{x[b]} {base}A{half:g} {height:.1f} 0 0 1 {x[c.no]} {base}"/>')
    dots = "".join(
        f'<circle class="kx-dot kx-part-{c.part}{" kx-ready" * (c.no in ready)}" cx="{x[c.no]}" cy="{base}" r="5"/>' for c in chapters()
    )
    width = 24 + step * (len(x) - 1)
    label = f"{len(x)} chapters in a row, joined by arcs to those they build on; {len(ready)} are ready. The list below says the same."
    return f'<svg class="kx-arcs" viewBox="0 0 {width} {base + 10}" role="img" aria-label="{label}">{"".join(arcs)}{dots}</svg>'


# --- the lines of a chapter ---------------------------------------------------------------------------------------------


def reading_minutes(doctree: nodes.document) -> int:
    """Minutes to read a page, from its words and its stops, rounded to five."""
    hidden = (nodes.literal_block, nodes.raw, nodes.math_block, nodes.math, nodes.comment)
    words = sum(len(t.split()) for t in doctree.findall(nodes.Text) if not _inside(t, hidden))
    stops = sum(1 for n in doctree.findall() if isinstance(n, (nodes.math_block, nodes.figure, nodes.literal_block)))
    return max(5, 5 * round((words / WORDS_A_MINUTE + stops * SECONDS_A_STOP / 60) / 5))


def _inside(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, kinds):
            return True
        parent = parent.parent
    return False


def lines(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the line under a chapter's title, and the block at its end."""
    chapter = by_docname().get(docname)
    section = next(iter(doctree.findall(nodes.section)), None)
    if chapter is None or section is None:
        return
    minutes = reading_minutes(doctree)
    run = runs(app).get(docname)
    place = next((i for i, n in enumerate(section.children) if isinstance(n, nodes.title)), -1) + 1
    section.insert(place, raw(_header(chapter, minutes, run.seconds if run else None)))
    section.append(raw(_footer(app, chapter)))


def _seconds(seconds: float) -> str:
    return f"{max(1, math.ceil(seconds))} s"


def _header(chapter: Chapter, minutes: int, seconds: float | None) -> str:
    day = f"{chapter.posted.day} {chapter.posted:%B %Y}"
    run = f"<li>{_seconds(seconds)} to run</li>" if seconds is not None else ""
    return (
        f'<div class="kx-head" aria-label="About this chapter" role="group"><p class="kx-head-post">After the post '
        f'<a class="zh" lang="zh" href="{chapter.url}">{html.escape(chapter.title_zh)}</a> by Su Jianlin '
        f'(<span class="zh" lang="zh">苏剑林</span>), <time datetime="{chapter.posted.isoformat()}">{day}</time></p>'
        f'<ul class="kx-head-facts"><li>about {minutes} min to read</li>{run}</ul></div>'
    )


def bibtex(chapter: Chapter, year: int) -> str:
    """The BibTeX entry of a chapter."""
    return (
        f"@incollection{{kexue{chapter.no:02d},\n  title     = {{{{{chapter.title}}}}},\n  author    = {{{{The authors of the book}}}},\n"
        f"  booktitle = {{{BOOK}}},\n  chapter   = {{{chapter.no}}},\n  year      = {{{year}}},\n"
        f"  note      = {{After a post of Su Jianlin, \\url{{{chapter.url}}}}}\n}}"
    )


def versions() -> str:
    """The versions that decide what a chapter's cells print."""
    import importlib.metadata as metadata

    return ", ".join([f"Python {sys.version.split()[0]}", *(f"{title} {metadata.version(name)}" for title, name in VERSIONS)])


VERSIONS = (("PyTorch", "torch"), ("NumPy", "numpy"), ("SymPy", "sympy"))


def _footer(app: Sphinx, chapter: Chapter) -> str:
    run = runs(app).get(chapter.docname)
    when = run.when.date() if run else date.today()
    ran = f", ran in {_seconds(run.seconds)}" if run else ""
    name = chapter.slug.replace("-", "_")
    to = app.builder.get_relative_uri
    files = f"{to(chapter.docname, 'genindex').rpartition('genindex')[0]}_sources/{chapter.docname}"
    links = [
        f'<a href="{files}.md">source</a>',
        *([f'<a href="{files}.ipynb" download>notebook</a>'] if run else []),
        *_library(app, chapter),
    ]
    return (
        f'<div class="kx-foot" role="group" aria-label="Provenance of this chapter"><p class="kx-verified">Last verified '
        f'<time datetime="{when.isoformat()}">{when.day} {when:%B %Y}</time> with {html.escape(versions())}{ran}.</p>'
        f'<p class="kx-foot-links">{" · ".join(links)}</p>'
        f'<details class="kx-cite" id="cite-{name.replace("_", "-")}"><summary>Cite this chapter</summary>'
        f'<div class="highlight"><pre tabindex="0">{html.escape(bibtex(chapter, when.year))}</pre></div>'
        f'<button type="button" class="kx-copy" data-copied="Copied">Copy</button></details></div>'
    )


def _library(app: Sphinx, chapter: Chapter) -> list[str]:
    """A link to the chapter's modules in the library reference, where there are any."""
    stem = f"kexue.{chapter.part}.{chapter.slug.replace('-', '_')}"
    modules = app.env.get_domain("py").data["modules"]
    uri = app.builder.get_relative_uri
    found = [(m, e) for m, e in sorted(modules.items()) if m == stem or m.startswith(stem + "_")]
    if not found:
        return []
    shown = [m if i == 0 else "…" + m.removeprefix(stem) for i, (m, _) in enumerate(found)]
    addresses = [f"{uri(chapter.docname, entry.docname)}#{entry.node_id}" for _, entry in found]
    links = (f'<a href="{a}"><code>{text}</code></a>' for a, text in zip(addresses, shown, strict=True))
    return ["library: " + ", ".join(links)]


def forget(app: Sphinx, *_: object) -> None:
    """Read chapters.yml anew at each build."""
    parts.cache_clear()


def setup(app: Sphinx) -> None:
    app.add_directive("chapter-map", ChapterMap)
    app.connect("doctree-resolved", lines)
    app.connect("env-before-read-docs", forget)
