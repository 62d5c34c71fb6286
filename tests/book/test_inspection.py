"""The inspection of the built site bites: damaged notebooks, memory that was not measured or is too much."""

from __future__ import annotations

import copy
import json
import sqlite3

import pytest
from kexuebook import cache

import inspect_site

SHOWN = {"output_type": "execute_result", "metadata": {}, "execution_count": 1, "data": {"text/plain": "2", "text/html": "<b>2</b>"}}
GLUED = {"output_type": "display_data", "metadata": {}, "data": {"application/papermill.record/text/plain": "'2'"}}
PRINTED = {"output_type": "stream", "name": "stdout", "text": "2"}
FAILED = {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}


def cell(source, *outputs, count=1):
    return {"cell_type": "code", "source": source, "execution_count": count, "outputs": list(outputs), "metadata": {}}


RAN = [cell("1 + 1", GLUED, SHOWN), cell("print(2)", PRINTED, count=2), cell("x = 1", count=3)]


def notebook():
    cells = copy.deepcopy(RAN)
    cells[0]["outputs"].remove(GLUED)
    return {"cells": [{"cell_type": "markdown", "source": "How to run", "metadata": {}}, *cells]}


def test_a_faithful_notebook_passes():
    assert inspect_site.check_notebook("page", notebook(), RAN) == []


@pytest.mark.parametrize(
    ("number", "change", "problem"),
    [
        (1, {"outputs": []}, "code cell 1 of the notebook shows nothing, its execution showed ['text/html']"),
        (1, {"outputs": [{**SHOWN, "data": {"text/plain": "2"}}]}, "shows ['text/plain'], its execution showed ['text/html']"),
        (2, {"outputs": []}, "code cell 2 of the notebook shows nothing, its execution showed ['stream']"),
        (2, {"outputs": [FAILED]}, "code cell 2 of the notebook ends in an error"),
        (3, {"execution_count": None}, "code cell 3 of the notebook has no execution count"),
    ],
)
def test_a_damaged_notebook_is_found(number, change, problem):
    damaged = notebook()
    damaged["cells"][number].update(change)
    found = inspect_site.check_notebook("page", damaged, RAN)
    assert any(problem in line for line in found)


def test_a_notebook_that_was_never_executed_is_found():
    assert "never executed" in inspect_site.check_notebook("page", notebook(), [])[0]


def test_memory_is_measured_and_within_the_limit():
    times = {"pages": {"a": {"peak_bytes": 2_000_000_000}, "b": {"peak_bytes": 2_000_000_001}, "c": {"seconds": 1.0}}}
    assert inspect_site.check_memory(["a"], times) == []
    assert "held 2,000,000,001 bytes" in inspect_site.check_memory(["b"], times)[0]
    assert ["not measured" in line for line in inspect_site.check_memory(["c", "d"], times)] == [True, True]


@pytest.fixture
def build(tmp_path):
    """A build folder whose cache holds two executions of one page, the later one of other cells."""
    folder = tmp_path / "_build" / cache.FOLDER
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / "global.db")
    connection.execute("create table nbcache (pk integer, hashkey text, uri text, data text, created text)")
    for pk, (key, source, seconds) in enumerate([("old", "1 + 1", 2.0), ("new", "1 + 2", 3.0)], 1):
        place = folder / "executed" / key
        place.mkdir(parents=True)
        (place / "base.ipynb").write_text(json.dumps({"cells": [cell([source[:2], source[2:]], SHOWN)]}))
        data = json.dumps({"execution_seconds": seconds, "processor_seconds": 1.5, "peak_bytes": 5})
        row = (pk, key, str(tmp_path / "chapters" / "a.md"), data, f"2026-01-0{pk} 00:00:00")
        connection.execute("insert into nbcache values (?, ?, ?, ?, ?)", row)
    connection.execute("insert into nbcache values (9, 'x', '/elsewhere/b.md', null, '2026-01-09 00:00:00')")
    connection.commit()
    connection.close()
    return tmp_path / "_build"


def test_the_last_run_of_a_page_is_read_from_the_cache(build, tmp_path):
    runs = cache.runs(build, tmp_path)
    assert list(runs) == ["chapters/a"]
    run = runs["chapters/a"]
    assert (run.seconds, run.processor_seconds, run.peak_bytes, run.when.day) == (3.0, 1.5, 5, 2)


def test_outputs_are_those_of_the_cells_as_they_stand(build, tmp_path):
    for source in ("1 + 1", "1 + 2"):
        (found,) = cache.executed(build, tmp_path, "chapters/a", [source])
        assert cache.text(found) == source
    assert cache.executed(build, tmp_path, "chapters/a", ["1 + 3"]) == []
    assert cache.executed(build, tmp_path, "chapters/b", ["1 + 1"]) == []
    assert cache.executed(build / "none", tmp_path, "chapters/a", ["1 + 1"]) == []


def test_a_text_that_comes_in_pieces_is_shown_once() -> None:
    def said(name: str, text: str) -> dict[str, str]:
        return {"output_type": "stream", "name": name, "text": text}

    pieces = {"outputs": [said("stdout", "one"), said("stdout", "\n"), said("stderr", "two"), said("stdout", "three")]}
    assert inspect_site.shown(pieces) == ["stream"] * 3
