"""The book's Sphinx extension: what each directive and role makes of a small book, and that misuse is a warning."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from kexue import figures

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_extensions"))

from kexuebook import library  # noqa: E402

# Sphinx, docutils and their extensions deprecate freely: their warnings are no fault of the book
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CHAPTER = "chapters/mathematics/gumbel-softmax"
CONFIG = """
extensions = ["myst_nb", "sphinx_external_toc", "sphinx_design", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "kexuebook"]
nitpick_ignore_regex = [("py:.*", ".*")]
nb_execution_mode = "off"
nb_mime_priority_overrides = [["html", "text/html", 5]]
suppress_warnings = ["mystnb.unknown_mime_type", "myst.mathjax"]
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
numfig, numfig_secnum_depth, language = True, 1, "en"
mathjax_path = "mathjax/tex-chtml-full.js"
external_toc_path = "_toc.yml"
external_toc_exclude_missing = True
use_multitoc_numbering = True
nitpicky = True
"""
TOC = f"format: jb-book\nroot: index\nparts:\n  - caption: I\n    numbered: true\n    chapters:\n      - file: {CHAPTER}\n"


@dataclass
class Built:
    """A small book: its pages by name, what was warned of, and the folder."""

    pages: dict[str, str]
    warnings: str
    folder: Path

    @property
    def chapter(self) -> str:
        return self.pages[CHAPTER]


Build = Callable[..., Built]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build a book of one page and one chapter, whose notebook holds given texts and outputs."""

    def make(index: str, *cells: str | dict[str, Any]) -> Built:
        source = tmp_path / "book"
        (source / CHAPTER).parent.mkdir(parents=True, exist_ok=True)
        (source / "conf.py").write_text(CONFIG, "utf8")
        (source / "_toc.yml").write_text(TOC, "utf8")
        (source / "index.md").write_text("# Index\n\n" + index, "utf8")
        made = [_cell(c) for c in ("# Random choices", *cells)]
        language = {"name": "python", "pygments_lexer": "ipython3"}
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "language_info": language}
        notebook = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        (source / f"{CHAPTER}.ipynb").write_text(json.dumps(notebook), "utf8")
        warned = io.StringIO()
        out = tmp_path / "_build" / "html"
        shutil.rmtree(out, ignore_errors=True)
        with patch_docutils(str(source)), docutils_namespace():
            trees = out.with_name("doctrees")
            app = Sphinx(str(source), str(source), str(out), str(trees), "html", status=io.StringIO(), warning=warned)
            app.build()
        pages = {p.relative_to(out).with_suffix("").as_posix(): p.read_text("utf8") for p in out.rglob("*.html")}
        return Built(pages, warned.getvalue(), out)

    return make


def _cell(content: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(content, str):
        return {"cell_type": "markdown", "id": f"c{abs(hash(content))}", "metadata": {}, "source": content}
    output = {"output_type": "display_data", "metadata": {}, "data": content}
    return {"cell_type": "code", "id": f"c{id(content)}", "metadata": {}, "source": "1", "execution_count": 1, "outputs": [output]}


def figure(name: str = "fig-line") -> dict[str, Any]:
    with figures.axes("half", 2) as (fig, ax):
        ax.plot([0, 1])
        return figures.show(fig, name=name, alt="It rises.", caption="It *rises* as $x^2$ & more.")._repr_mimebundle_()


def claim(name: str = "small", **changes: Any) -> dict[str, Any]:
    data = {"name": name, "value": 0.5, "relation": "<=", "bound": 1, "text": "It is small", "shown": "0.500"}
    data |= {"shown_bound": "1", "tolerance": ""}
    line = f'<p class="kx-claim" data-claim="{name}">✓ It is small</p>'
    return {"text/html": line, "application/vnd.kexue.claim+json": {**data, **changes}}


def test_a_figure_of_a_cell_is_numbered_after_its_chapter_and_can_be_referred_to(build: Build) -> None:
    book = build("See {numref}`fig-line`.", figure(), "And {numref}`fig-line`.")
    assert not book.warnings
    assert re.search(r'<figure class="[^"]*kx-figure[^"]*" id="fig-line">\s*<div class="kx-figure-body"><svg', book.chapter)
    assert '<span class="caption-number">Fig. 5.1 </span>' in book.chapter  # the fifth chapter of the book, the first of this one
    assert re.search(r"<em>rises</em> as <span class=\"math[^>]*>\\\(x\^2\\\)</span> &amp; more", book.chapter)
    assert f'href="{CHAPTER}.html#fig-line"' in book.pages["index"]
    assert "<style>" not in book.chapter[book.chapter.index("<figure") : book.chapter.index("</figure>")]


def test_two_figures_of_one_name_are_a_warning(build: Build) -> None:
    assert "named 'fig-line'" in build("", figure(), figure()).warnings


def test_a_table_of_a_cell_is_numbered(build: Build) -> None:
    shown = figures.table([["a", "1.2"], ["b", "$x$"]], header=["Name", "Value"], caption="All $y$", name="tab-all")
    book = build("", shown._repr_mimebundle_(), "See {numref}`tab-all`.")
    assert not book.warnings
    assert '<span class="caption-number">Table 5.1 </span>' in book.chapter
    assert re.search(r'<td class="kx-number"><p>1.2</p></td>', book.chapter)
    assert re.search(r'<th class="stub"><p>b</p></th>', book.chapter)


def test_the_chapter_has_its_lines_without_a_word_typed(build: Build) -> None:
    book = build("")
    assert '<a class="zh" lang="zh" href="https://kexue.fm/archives/6705">漫谈重参数:从正态分布到Gumbel Softmax</a>' in book.chapter
    assert '<time datetime="2019-06-10">10 June 2019</time>' in book.chapter
    assert "about 5 min to read" in book.chapter
    assert "Last verified" in book.chapter
    assert "PyTorch 2" in book.chapter
    assert "@incollection{kexue05" in book.chapter
    assert "kx-head" not in book.pages["index"]


def test_an_erratum_stands_in_its_place_and_on_the_page_of_errata(build: Build) -> None:
    erratum = "```{erratum} A sign is *wrong*\n:label: my-sign\n:source: the essay, section 2\n\nIt says $+$; see {numref}`fig-line`.\n```"
    book = build("```{errata-list}\n```\n\n[back](#erratum-my-sign) and {count}`errata`", figure(), erratum)
    assert not book.warnings
    assert re.search(r'<div class="[^"]*erratum[^"]*" id="erratum-my-sign">', book.chapter)
    index = book.pages["index"]
    assert 'id="listed-my-sign"' in index
    assert f'href="{CHAPTER}.html#erratum-my-sign"' in index
    assert f'href="{CHAPTER}.html#fig-line"' in index  # references are resolved anew from the page of errata
    assert '<span class="kx-count">1</span>' in index


UNFIT = [(":source: s", ":label:"), (":label: my-sign", ":source:"), (":label: My Sign\n:source: s", "lower case")]


@pytest.mark.parametrize(("options", "message"), UNFIT)
def test_an_erratum_without_label_or_source_is_a_warning(build: Build, options: str, message: str) -> None:
    assert message in build("", f"```{{erratum}} Title\n{options}\n\nText.\n```").warnings


def test_two_errata_of_one_label_are_a_warning(build: Build) -> None:
    erratum = "```{erratum} Title\n:label: twice\n:source: s\n\nText.\n```"
    assert "is taken" in build("", erratum, erratum + "\n").warnings


def test_chinese_is_marked_as_chinese_and_english_is_refused(build: Build) -> None:
    assert '<span class="zh" lang="zh">科学空间</span>' in build("{zh}`科学空间`").pages["index"]
    assert "for Chinese text" in build("{zh}`science`").warnings


def test_an_explore_link_sets_a_state_of_an_explorer_on_the_page(build: Build) -> None:
    explorer = {"text/html": '<div class="kexue-explorer" id="explorer-temperature" data-name="temperature"></div>'}
    book = build("{count}`explorers`", explorer, "{explore}`set τ to 0.1 <temperature?tau=0.1&logit=2>`")
    assert "no explorer named" not in book.warnings
    assert '<a class="kexue-explore" href="#temperature:tau=0.1&amp;logit=2">set τ to 0.1</a>' in book.chapter
    assert "explorer/explorer.static.js" in book.chapter
    assert "explorer/explorer.static.js" not in book.pages["index"]
    assert '<span class="kx-count">1</span>' in book.pages["index"]


NOWHERE = [("x <other?tau=1>", "no explorer named 'other'"), ("temperature", "explore wants"), ("x <a?tau>", "explore wants")]


@pytest.mark.parametrize(("link", "message"), NOWHERE)
def test_an_explore_link_into_nothing_is_a_warning(build: Build, link: str, message: str) -> None:
    assert message in build("", f"{{explore}}`{link}`").warnings


def test_claims_are_gathered_with_links(build: Build) -> None:
    book = build("```{claims}\n```\n\n{count}`claims`", claim("small"), claim("hidden") | {"text/html": "<p>nothing</p>"})
    assert not book.warnings
    index = book.pages["index"]
    assert f'<a href="{CHAPTER}.html#claim-small">It is small</a></th><td class="kx-number">0.500</td><td>≤</td>' in index
    assert f'<a href="{CHAPTER}.html">It is small</a>' in index  # a claim that only feeds the prose has no line of its own
    assert 'id="claim-small"' in book.chapter
    assert '<span class="kx-count">2</span>' in index


def test_the_map_tells_what_is_ready_and_what_builds_on_what(build: Build) -> None:
    page = build("```{chapter-map}\n```").pages["index"]
    assert page.count('<li class="kx-card kx-planned"') == 35
    assert f'<a href="{CHAPTER}.html">Reparameterisation: from the normal to Gumbel-softmax</a>' in page
    six = page[page.index('id="chapter-06"') : page.index('id="chapter-07"')]
    assert 'builds on <a href="#chapter-05">05</a>' in six
    assert "not yet written" in six
    assert page.count('class="kx-dot') == 36


def test_the_notebook_to_download_is_clean_and_says_how_to_run(build: Build) -> None:
    import nbformat

    book = build("", claim("small"))
    notebook = nbformat.read(book.folder / "_sources" / f"{CHAPTER}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert "pip install ." in notebook.cells[0].source
    text = nbformat.writes(notebook)
    assert "vnd.kexue.claim" not in text
    assert "It is small" in text


UNKNOWN = [("{count}`wonders`", "nothing is counted as 'wonders'"), ("```{library} magic\n```", "the library has no module 'magic'")]


@pytest.mark.parametrize(("text", "message"), UNKNOWN)
def test_unknown_names_are_warnings(build: Build, text: str, message: str) -> None:
    assert message in build(text).warnings


def test_the_reference_of_a_module_links_to_its_chapter(build: Build) -> None:
    page = build("```{library} figures\n```\n\n```{library} mathematics.gumbel_softmax\n```")
    assert 'id="kexue.figures.show"' in page.pages["index"]
    assert re.search(rf'Taught in <a class="reference internal" href="{CHAPTER}.html">', page.pages["index"])
    assert 'index.html#module-kexue.mathematics.gumbel_softmax"' in page.chapter


def test_a_reference_that_the_contents_leave_out_is_named(build: Build) -> None:
    warnings = build("```{library-pages}\n```").warnings
    assert "the page book/library/00-1-derivation of the reference is not in the contents: _toc.yml must take all" in warnings


def test_the_pages_of_the_reference_are_written_listed_and_kept_up(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A book whose contents take the folder: a page appears with its module, is linked, and goes when the module goes."""
    modules = ("generative.energy_gan_laws",)
    made = library.Page("13-energy-gan", "Part III", "Library 13: energy_gan", "chapter 13", "The `modules`.", modules)
    monkeypatch.setattr(library, "pages", lambda: [made])
    folder = tmp_path / "book" / "book" / "library"
    folder.mkdir(parents=True)
    folder.with_suffix(".md").write_text("# The library\n\n```{library-pages}\n```\n", "utf8")
    (folder / "old.md").write_text("# Old\n", "utf8")
    entry = "\n  - caption: II\n    chapters:\n      - file: book/library\n        sections:\n          - glob: book/library/*\n"
    monkeypatch.setattr(sys.modules[__name__], "TOC", TOC.rstrip() + entry)
    book = build("")
    assert [p.name for p in folder.iterdir()] == ["13-energy-gan.md"]
    assert "library" not in book.warnings
    assert 'id="module-kexue.generative.energy_gan_laws"' in book.pages["book/library/13-energy-gan"]
    assert "<h1>Library 13: energy_gan" in book.pages["book/library/13-energy-gan"]
    assert re.search(r'href="library/13-energy-gan.html"><span class="doc">chapter 13</span>', book.pages["book/library"])


def test_a_filler_that_fails_is_a_warning(build: Build) -> None:
    other = "```{claims}\n```"
    book = build(other, claim("small", tolerance=1.0))  # a tolerance is words: the table cannot write a number
    assert "claims could not be filled" in book.warnings


def test_mathematics_that_stands_in_html_alone_loads_mathjax(build: Build) -> None:
    book = build("No formula.", {"text/html": '<div class="kx-derivation">\\(x\\)</div>'})
    assert "mathjax/tex-chtml-full.js" in book.chapter
    assert "mathjax/tex-chtml-full.js" not in book.pages["index"]


def held(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def erratum(label: str) -> str:
    return f"```{{erratum}} Wrong\n:label: {label}\n:source: s\n\nText with a {{index}}`term` and {{term}}`kernel`.\n```"


INDEX = """{count}`errata` of {count}`claims`, {numref}`fig-line`, {index}`term`

```{claims}
```

```{errata-list}
```

```{glossary}
kernel
  A sum.
```
"""
LINE, POINT, CLAIM = figure(), figure("fig-point"), claim("small")
BEFORE = (INDEX, (LINE, erratum("a"), "See {numref}`fig-line`.", CLAIM))
CHANGES = {
    "prose of a chapter": (INDEX, (LINE, erratum("a"), "Look at {numref}`fig-line` with other words.", CLAIM)),
    "prose of the index": (INDEX.replace(" of ", " among "), BEFORE[1]),
    "an entry of the glossary": (INDEX.replace("A sum.", "A difference."), BEFORE[1]),
    "a figure before another": (INDEX, (POINT, *BEFORE[1])),
    "errata": (INDEX, (LINE, erratum("c"), erratum("b"), "See {numref}`fig-line`.", CLAIM)),
    "a claim that goes": (INDEX, BEFORE[1][:-1]),
}


@pytest.mark.parametrize("after", CHANGES.values(), ids=CHANGES)
def test_a_build_over_an_earlier_one_gives_the_files_of_one_from_nothing(build: Build, tmp_path: Path, after: Any) -> None:
    first = held(build(BEFORE[0], *BEFORE[1]).folder)
    over = build(after[0], *after[1])
    assert not over.warnings
    second = held(over.folder)
    shutil.rmtree(tmp_path / "_build" / "doctrees")
    assert second == held(build(after[0], *after[1]).folder)
    assert second != first


def test_a_text_that_changed_behind_the_clock_is_read_again(build: Build, tmp_path: Path) -> None:
    assert "one" in build("one").pages["index"]
    page = tmp_path / "book" / "index.md"
    writing = Path.write_text

    def old(path: Path, *arguments: Any) -> int:
        """Write a file as one of 1970."""
        done = writing(path, *arguments)
        os.utime(path, (0, 0))
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_text", old)
        assert "two" in build("two").pages["index"]
    assert page.stat().st_mtime == 0
