"""The built product: inspected, packed, and every chapter as a notebook that runs and survives a save."""

from __future__ import annotations

import html
import json
import zipfile
from pathlib import Path

import jupytext
import pytest

import execute
import inspect_site
import pack
from kexue import datasets

pytestmark = pytest.mark.book
ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*/*.md"))
NAMES = [path.stem for path in CHAPTERS]


def test_nothing_is_wrong_with_the_site(site):
    assert inspect_site.inspect(site) == []


def test_no_planted_error_was_missed():
    counts = json.loads((ROOT / "_build" / "mutations.json").read_text("utf8"))
    assert counts["missed"] == []
    assert counts["planted"] == counts["caught"] + counts["equivalent"]
    assert counts["caught"] > 2000


def test_every_chapter_on_disk_is_in_the_table_of_contents():
    listed = {name for name in inspect_site.toc_files() if name.startswith("chapters/")}
    assert listed == {path.relative_to(ROOT).with_suffix("").as_posix() for path in CHAPTERS}


def test_the_data_page_tells_everything_about_every_set(site):
    text = html.unescape((site / "book" / "data.html").read_text("utf8"))
    rows = datasets.table()
    assert [f'id="data-{row["name"]}"' in text for row in rows] == [True] * len(rows)
    for row in rows:
        title, _, rest = row["contents"].partition(". ")
        missing = [fact for fact in [title, rest, *(v for k, v in row.items() if k != "contents")] if fact not in text]
        assert missing == []


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('<div class="kexue-explorer', '<div class="gone', "lacks an explorer"),
        ("摘要", "", "lacks the Chinese summary"),
        ("</article>", '<img src="x.png"></article>', "picture without words"),
        ("</article>", '<script src="https://example.org/a.js"></script></article>', "from outside"),
        ("</article>", '<a href="nowhere.html">x</a></article>', "no file for the link nowhere.html"),
        ("</article>", "Traceback (most recent call last)</article>", "contains 'Traceback"),
    ],
)
def test_the_inspection_finds_planted_damage(site, before, after, problem):
    name = "chapters/mathematics/rope-curve"
    path = site / f"{name}.html"
    text = path.read_text("utf8")
    assert before in text
    text = text.replace(before, after)
    page = inspect_site.Page(text)
    found = inspect_site.check_chapter(name, text, page, site) + inspect_site.check_page(path, text, page, {path: page}, site)
    assert any(problem in line for line in found)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=NAMES)
def test_a_save_by_jupyterlab_changes_nothing(chapter, tmp_path):
    copy = tmp_path / chapter.name
    (tmp_path / "jupytext.toml").write_bytes((ROOT / "jupytext.toml").read_bytes())
    copy.write_bytes(chapter.read_bytes())
    config = jupytext.config.load_jupytext_config(str(copy))
    assert config is not None
    notebook = jupytext.read(copy, config=config)
    jupytext.write(notebook, copy, config=config)
    assert copy.read_text("utf8") == chapter.read_text("utf8")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=NAMES)
def test_a_chapter_runs_and_its_cache_is_fresh(chapter, capsys):
    assert execute.execute([chapter], jobs=1) == {}
    capsys.readouterr()
    assert execute.execute([chapter], jobs=1) == {}
    assert capsys.readouterr().out == ""  # the second time nothing is left to run, and so for the book's builder


def test_the_zip_holds_every_file_and_is_the_same_twice(site, tmp_path):
    first, second = tmp_path / "a.zip", tmp_path / "b.zip"
    size = pack.pack(site, first)
    pack.pack(site, second)
    assert size < pack.LIMIT
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = {name.removeprefix("kexue-book/") for name in archive.namelist()}
    assert names == {p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file()}
