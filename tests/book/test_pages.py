"""What a build may take over from the last one, and that a site is replaced whole or not at all."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

import build
import pages


@pytest.fixture
def book(tmp_path, monkeypatch):
    """The files of a book without a page, and what stands in for the writer of the pages: it fails when it is told to."""
    for name in ("_config.yml", "_toc.yml", "book/chapters.yml", "book/a.bib", "requirements/lock.txt", "lib/kexue/a.py", "chapters/a.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, "utf8")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "__file__", str(tmp_path / "_config.yml"))
    (tmp_path / "_build" / "jupyter_execute").mkdir(parents=True)
    told = types.SimpleNamespace(status=0, found=[])

    def build_sphinx(source, site, *, doctreedir, **_):
        told.found.append(sorted(p.name for p in doctreedir.glob("*")))
        doctreedir.mkdir(exist_ok=True)
        (doctreedir / "a.doctree").touch()
        site.mkdir()
        return told.status

    fake = types.ModuleType("jupyter_book.sphinx")
    fake.build_sphinx = build_sphinx
    monkeypatch.setitem(sys.modules, "jupyter_book.sphinx", fake)
    return told


CHANGED = ["_config.yml", "_toc.yml", "book/chapters.yml", "book/a.bib", "requirements/lock.txt", "lib/kexue/a.py", "lib/kexue/b.py"]


@pytest.mark.parametrize("name", CHANGED)
def test_whatever_all_pages_depend_on_lets_all_be_read_anew(book, tmp_path, name):
    site = tmp_path / "_build" / "html.new"
    assert pages.write(site, 1)
    (tmp_path / name).write_text("other", "utf8")
    assert pages.write(site, 1)
    assert pages.write(site, 1)
    assert book.found == [[], [], ["a.doctree"]]


def test_after_a_change_of_a_page_alone_the_others_are_kept(book, tmp_path):
    site = tmp_path / "_build" / "html.new"
    assert pages.write(site, 1)
    (tmp_path / "chapters" / "a.md").write_text("other", "utf8")
    assert pages.write(site, 1)
    assert book.found == [[], ["a.doctree"]]


def test_after_a_failure_and_without_the_executed_notebooks_all_pages_are_read_anew(book, tmp_path):
    site = tmp_path / "_build" / "html.new"
    book.status = 1  # a warning is an error, and is given only when its page is read
    assert not pages.write(site, 1)
    book.status = 0
    assert pages.write(site, 1)
    (tmp_path / "_build" / "jupyter_execute").rmdir()
    assert pages.write(site, 1)
    assert book.found == [[], [], []]


@pytest.mark.parametrize("there", [True, False])
def test_a_new_site_takes_the_place_of_the_old_one(tmp_path, there):
    new, site = tmp_path / "html.new", tmp_path / "html"
    for folder, name in [(new, "b"), (site, "a")][: 1 + there]:
        folder.mkdir()
        (folder / name).touch()
    build.put(new, site)
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["html", "html/b"]


def test_a_build_that_fails_leaves_the_old_site(tmp_path, monkeypatch):
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "a").touch()
    steps: list[str] = []

    def step(title: str, *command: str) -> float:
        steps.append(title)
        if title == "inspection":
            raise SystemExit(1)
        return 0.0

    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(build, "step", step)
    with pytest.raises(SystemExit):
        build.main()
    assert steps[-2:] == ["pages", "inspection"]
    assert [p.name for p in Path(tmp_path / "html").iterdir()] == ["a"]
