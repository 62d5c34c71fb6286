"""The chapters run where a reader runs them, every cell also twice, and a second build gives the same pages."""

from __future__ import annotations

import copy
import filecmp
import os
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

import build
import execute
import inspect_site
from kexue.records import read_claims

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [name for name in inspect_site.toc_files() if name.startswith("chapters/")]


def names(cells):
    return [claim.name for claim in read_claims(output for cell in cells for output in cell["outputs"])]


@pytest.mark.book
@pytest.mark.slow
@pytest.mark.parametrize("name", CHAPTERS, ids=lambda name: name.rpartition("/")[2])
def test_a_downloaded_notebook_runs_in_an_empty_folder_and_every_cell_twice(name, site, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    notebook = nbformat.read(site / "_sources" / f"{name}.ipynb", as_version=4)
    expected = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [inspect_site.shown(cell) for cell in expected]
    notebook.cells = []
    for cell in expected:
        again = copy.deepcopy(cell)
        again.id = f"{cell.id}-again"
        notebook.cells += [cell, again]
    ran = execute.run(notebook, tmp_path, timeout=300)
    assert not ran.error
    first, second = notebook.cells[::2], notebook.cells[1::2]
    assert [inspect_site.shown(cell) for cell in first] == shown
    assert [inspect_site.shown(cell) for cell in second] == shown
    assert [names([cell]) for cell in first] == [names([cell]) for cell in second]
    made = names(first)
    assert made
    assert len(made) == len(set(made))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.book
@pytest.mark.slow
def test_a_second_build_from_nothing_in_one_process_gives_the_same_files(site, tmp_path):
    output = tmp_path / "_build"
    shutil.copytree(site.parent / ".jupyter_cache", output / ".jupyter_cache")
    command, env = build.pages(output / "html", "1"), {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    held = [{p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()} for root in (site, output / "html")]
    assert held[0] == held[1]
    _, differ, unread = filecmp.cmpfiles(site, output / "html", sorted(held[0]), shallow=False)
    assert (differ, unread) == ([], [])
