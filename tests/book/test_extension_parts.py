"""The parts of the extension that need no built book."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_extensions"))

from kexuebook import assets, chapters, figures, library, notebooks, tables  # noqa: E402


def test_the_book_has_its_36_chapters_in_six_parts() -> None:
    found = chapters.chapters()
    assert [c.no for c in found] == list(range(1, 37))
    assert [len(p.chapters) for p in chapters.parts()] == [6, 5, 10, 6, 5, 4]
    assert len({c.slug for c in found}) == len({c.post for c in found}) == 36
    assert (found[4].slug, found[4].url, found[4].posted.isoformat()) == ("gumbel-softmax", "https://kexue.fm/archives/6705", "2019-06-10")


def test_every_chapter_of_the_contents_is_known() -> None:
    listed = {line.split()[-1] for line in (ROOT / "_toc.yml").read_text("utf8").splitlines() if "- file: chapters/" in line}
    assert listed
    assert listed <= set(chapters.by_docname())


def test_the_number_of_chapters_is_right_wherever_it_is_typed() -> None:
    text = "".join(path.read_text("utf8") for path in sorted((ROOT / "book").glob("*.md")))
    typed = re.findall(r"(\d+) chapters", text)
    assert typed
    assert set(typed) == {str(len(chapters.chapters()))}


def test_words_before_a_colon_are_no_type() -> None:
    returns = ["One.", "", "Args:", "    x: a number.", "", "Returns:", "    Shape ``(...)``: O(n), :math:`n`.", "    more: words"]
    library.keep_colons(None, "function", "f", None, None, returns)  # type: ignore[arg-type]
    assert returns[3:] == ["    x: a number.", "", "Returns:", "    Shape ``(...)`` – O(n), :math:`n`.", "    more: words"]
    own = ["The widgets: set them.", "then: more"]
    library.keep_colons(None, "property", "f", None, None, own)  # type: ignore[arg-type]
    assert own == ["The widgets – set them.", "then: more"]
    library.keep_colons(None, "class", "f", None, None, own := ["A class: words."])  # type: ignore[arg-type]
    assert own == ["A class: words."]
    library.keep_colons(None, "data", "f", None, None, [])  # type: ignore[arg-type]


def test_a_citation_is_complete() -> None:
    entry = chapters.bibtex(chapters.chapters()[0], 2026)
    for part in ("@incollection{kexue01,", "{{The shape of a skipping rope}}", "chapter   = {1}", "archives/6784", "year      = {2026}"):
        assert part in entry
    assert entry.count("{") == entry.count("}")


def test_captions_are_parsed_into_their_kinds() -> None:
    kinds = [(type(n).__name__, n.astext()) for n in figures.inline("a $x$ **b** *c* `d` e")]
    assert kinds == [("Text", "a "), ("math", "x"), ("Text", " "), ("strong", "b"), ("Text", " "), ("emphasis", "c"), ("Text", " "),
                     ("literal", "d"), ("Text", " e")]  # fmt: skip


def test_a_table_aligns_columns_of_numbers_and_refuses_ragged_rows() -> None:
    text = tables.table(("Name", "Value", ""), [("a", "=1", "x"), ("b", "=2", "y")], "Some").astext()
    assert '<th scope="col" class="kx-number">Value</th><td></td>' in text
    assert '<th scope="row">a</th><td class="kx-number">1</td><td>x</td>' in text
    with pytest.raises(ValueError, match="2 cells, 3 are expected"):
        tables.table(("Name", "Value", ""), [("a", "=1")], "Some")


def test_icons_that_no_page_names_are_dropped(tmp_path: Path) -> None:
    script, page = tmp_path / "fontawesome.js", tmp_path / "page.html"
    kept = 'sun:[512,512,[],"f185","M2"],"star":[576,512,["favourite"],"f005",["M3","M4"]]};'
    script.write_text('var icons={"moon":[512,512,[127769],"f186","M1"],' + kept)
    page.write_text('<i class="fa-solid fa-sun"></i><i class="fa-favourite"></i>')
    assets.icons(script, [page])
    assert script.read_text() == "var icons={" + kept


def test_two_chinese_characters_are_searched_for(tmp_path: Path) -> None:
    script = tmp_path / "searchtools.js"
    script.write_text("if (word.length > 2) {}")
    for _ in range(2):  # a second build of the same folder changes nothing
        assets.chinese_search(script)
        assert script.read_text() == r"if ((word.length > 2 || /[\u3400-\u9fff]{2}/.test(word))) {}"


def test_the_reference_has_each_module_once_in_the_order_of_the_chapters() -> None:
    pages = library.pages()
    assert [p.name for p in pages] == sorted(p.name for p in pages)  # so the contents order them
    listed = [m for p in pages for m in p.modules]
    assert len(listed) == len(set(listed))
    rooms = {p.slug for p in chapters.parts()} - set(library.GROUND)
    held = {f"{path.parent.name}.{path.stem}" for room in rooms for path in (assets.LIB / room).glob("[!_]*.py")}
    packages = {f"{path.parent.parent.name}.{path.parent.name}" for room in rooms for path in (assets.LIB / room).glob("*/__init__.py")}
    assert {m for m in listed if m.partition(".")[0] in rooms} == held | packages
    assert {m for m in listed if "." not in m} == set(library.GROUND)
    floor = {p.stem for p in assets.LIB.iterdir() if p.stem[0] != "_" and (p.suffix == ".py" or (p / "__init__.py").is_file())}
    assert floor - {p.slug for p in chapters.parts()} - {"cli"} == set(library.GROUND) - {"training"}
    by_name = {p.name: p for p in pages}
    assert by_name["05-gumbel-softmax"].modules[0] == "mathematics.gumbel_softmax"
    assert by_name["05-gumbel-softmax"].title == "Library 5: gumbel_softmax"
    assert "generative.scores" in by_name["21x-shared-generative"].modules
    trainer = {f"training.{path.stem}" for path in (assets.LIB / "training").glob("[!_]*.py")}
    assert trainer == {m for m in listed if m.startswith("training.")}


def test_what_the_chapters_of_a_part_share_stands_behind_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part with one module for each of its chapters and one more: the pages' names are in the book's order."""
    for part in chapters.parts():
        (tmp_path / part.slug).mkdir()
        for name in ("__init__", "a_helper", "zoo", *(c.slug.replace("-", "_") + "_laws" for c in part.chapters)):
            (tmp_path / part.slug / f"{name}.py").touch()
    monkeypatch.setattr(library, "LIB", tmp_path)
    names = [p.name for p in library.pages()]
    assert names == sorted(names)
    assert len(names) == len(library.GROUND) + 36 + 5
    shared = {p.name: p.modules for p in library.pages() if "x-shared" in p.name}
    assert shared["06x-shared-mathematics"] == ("mathematics.a_helper", "mathematics.zoo")
    (trainer,) = [p for p in library.pages() if p.title == "Library: training"]
    assert trainer.modules == ("training", "training.a_helper", "training.zoo")


def test_a_page_of_the_reference_as_text() -> None:
    page = library.Page("n", "g", "T", 'of "x"', "Lead.", ("a", "b.c"))
    assert page.docname == "book/library/n"
    top = "---\nmyst:\n  html_meta:\n    description: \"Reference of the library kexue, of 'x'.\"\n---\n\n# T\n\nLead.\n"
    assert page.text == top + "\n```{library} a\n```\n\n```{library} b.c\n```\n"


def test_modules_are_known_and_taught_by_the_chapter_of_the_longest_name() -> None:
    assert library.module("figures") == "kexue.figures"
    assert library.module("mathematics.rope_curve") == "kexue.mathematics.rope_curve"
    with pytest.raises(ValueError, match="the library has no module 'magic'"):
        library.module("magic")

    def slug(name: str) -> str | None:
        found = library.chapter_of(name)
        return found and found.slug

    assert slug("kexue.generative.gan_qp") == slug("generative.gan_qp_laws") == "gan-qp"
    assert slug("generative.bigan_qp") == "bigan-qp"
    assert slug("sequences.gan_qp") is slug("generative.gan_qps") is slug("figures") is None  # another part, another word, no part


def test_the_theme_s_arrows_get_names() -> None:
    from bs4 import BeautifulSoup

    text = '<li class="has-children"><a>The library</a><details><summary><i></i></summary><ul><li><a>x</a></li></ul></details></li>'
    context = {"generate_toctree_html": lambda kind, **_: BeautifulSoup(text, "html.parser") if kind == "sidebar" else ""}
    assets.navigation(None, "", "", context, None)  # type: ignore[arg-type]
    made: Any = context["generate_toctree_html"]
    assert made("sidebar", depth=1).summary["aria-label"] == "Pages of: The library"
    assert made("raw") == ""
    bare: dict[str, Any] = {}
    assets.navigation(None, "", "", bare, None)  # type: ignore[arg-type]
    assert bare == {}


@pytest.mark.parametrize(("name", "there"), [("kexue.figures.show", True), ("kexue.figures.hide", False), ("kexue.nothing", False)])
def test_what_can_be_imported_exists(name: str, there: bool) -> None:
    assert library.exists(name) is there


def test_a_clean_notebook_keeps_what_a_reader_sees() -> None:
    hidden = {"output_type": "display_data", "metadata": {"scrapbook": {}}, "data": {"application/papermill.record/text/plain": "'1'"}}
    shown = {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": "2", "application/vnd.kexue.claim+json": {}}}
    stream = {"output_type": "stream", "name": "stdout", "text": "3"}
    cell = {"cell_type": "code", "id": "x", "metadata": {"tags": ["a"], "execution": {}}, "source": "", "outputs": [hidden, shown, stream]}
    made = notebooks.clean({"cells": [cell], "metadata": {"kernelspec": {}, "widgets": {}}})
    assert made["metadata"] == {"kernelspec": {}}
    assert made["cells"][1]["outputs"] == [{**shown, "data": {"text/plain": "2"}}, stream]
    assert made["cells"][1]["metadata"] == {"tags": ["a"]}


def test_a_run_is_known_by_time_and_duration() -> None:
    run = notebooks.Run(datetime(2026, 1, 2, 3, 4), 5.0, "1 2026")
    assert (run.when.year, run.seconds, run.key) == (2026, 5.0, "1 2026")
