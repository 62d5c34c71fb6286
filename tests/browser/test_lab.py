"""JupyterLab end to end, as ``python3 make.py lab`` starts it: a chapter opens as a notebook, and Python answers its sliders."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from kexue.mathematics import gumbel_softmax_figures as explorers

pytestmark = [pytest.mark.browser, pytest.mark.book, pytest.mark.slow]
CHAPTER = "chapters/mathematics/gumbel-softmax.md"
TOKEN = "of-this-test"
PRESSES = 14
IDLE = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-ExecutionIndicator[data-status=idle]"
SAID = ".jp-OutputArea .kxe-say"
SHORT = """
# One explorer

```{code-cell} ipython3
from kexue.mathematics import gumbel_softmax_figures as explorers
```

```{code-cell} ipython3
explorers.temperature()
```
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def entry(root):
    """The book's entry script as a module."""
    spec = importlib.util.spec_from_file_location("book_entry", root / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory):
    """A copy of a chapter and a short one with the same header, beside the book's Jupytext settings."""
    folder = tmp_path_factory.mktemp("book")
    (folder / CHAPTER).parent.mkdir(parents=True)
    shutil.copy(root / "jupytext.toml", folder)
    text = (root / CHAPTER).read_text("utf8")
    (folder / CHAPTER).write_text(text, "utf8")
    header = re.match(r"---\n.*?\n---\n", text, re.S)[0]
    (folder / CHAPTER).with_name("short.md").write_text(header + SHORT, "utf8")
    return folder


@pytest.fixture(scope="module")
def lab(root, folder, tmp_path_factory):
    """JupyterLab on a port of its own, for a reader whose home folder is empty."""
    make, port, home = entry(root), free_port(), tmp_path_factory.mktemp("home")
    private = ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
    env = {k: v for k, v in make.environment().items() if k not in private} | {"HOME": str(home), "PYTHONPATH": str(root / "lib")}
    ours = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
    command = [str(make.PY), "-m", "jupyter", "lab", f"--notebook-dir={folder}", "--no-browser", "--allow-root", *ours]
    with open(home / "lab.log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for _ in range(600):
            try:
                direct.open(f"{address}/api/status?token={TOKEN}", timeout=10).close()
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, (home / "lab.log").read_text("utf8")[-2000:]
                time.sleep(0.3)
        else:
            pytest.fail("JupyterLab does not answer: " + (home / "lab.log").read_text("utf8")[-2000:])
        yield address
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def said_at(steps: int) -> str:
    """What Python says some steps from the start of the first slider, which JupyterLab moves to the nearest step from its lower end."""
    explorer = explorers.temperature()
    tau = explorer.controls["tau"]
    tau.value = 10 ** (tau.min + tau.step * (round((math.log10(tau.value) - tau.min) / tau.step) + steps))
    return explorer.say()


def open_by_double_click(page, path):
    """Down through the folders of the file browser to a notebook whose kernel is ready."""
    page.wait_for_selector(".jp-DirListing-item")
    for name in path.split("/"):
        page.locator(".jp-DirListing-item").filter(has=page.get_by_text(name, exact=True)).dblclick()
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook .jp-Cell")
    page.wait_for_selector(IDLE)


def test_a_chapter_opens_as_a_notebook(browser, opened, lab, folder):
    before = (folder / CHAPTER).read_text("utf8")
    with opened(browser, f"{lab}/lab/workspaces/chapter?reset&token={TOKEN}", width=1400, quiet=False) as page:
        open_by_double_click(page, CHAPTER)
        assert page.locator(".jp-MarkdownCell h1").first.inner_text().startswith("Reparameterisation: from the normal to Gumbel-softmax")
        assert page.locator(".jp-CodeCell").count() > 0
        assert page.locator(".jp-Dialog").count() == 0
        assert [w for w in page.wrong if w.startswith("asks for")] == []
    assert (folder / CHAPTER).read_text("utf8") == before


def test_python_answers_the_slider_and_saving_keeps_the_text(browser, opened, lab, folder):
    path = folder / CHAPTER.replace("gumbel-softmax", "short")
    before, written = path.read_text("utf8"), path.stat().st_mtime_ns
    start, end = (said_at(step) for step in (0, -PRESSES))
    with opened(browser, f"{lab}/lab/workspaces/short?reset&token={TOKEN}", width=1400, quiet=False) as page:
        open_by_double_click(page, CHAPTER.replace("gumbel-softmax", "short"))
        page.wait_for_timeout(2000)  # a run before the kernel has settled asks which kernel to take
        page.locator(".jp-NotebookPanel .jp-CodeCell").first.click()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        figure = page.locator(".jp-OutputArea .kxe-live")
        figure.locator(".kxe-figure[data-drawn]").wait_for()
        page.wait_for_selector(IDLE)
        page.wait_for_function("([s, t]) => document.querySelector(s).innerText === t", arg=[SAID, start])
        picture = figure.locator(".kxe-panels")
        before_picture = picture.screenshot()
        handle = page.locator(".jp-OutputArea .noUi-handle").first
        handle.focus()
        for _ in range(PRESSES):
            handle.press("ArrowLeft")
        page.wait_for_function("([s, t]) => document.querySelector(s).innerText === t", arg=[SAID, end])
        assert picture.screenshot() != before_picture
        page.locator(".jp-NotebookPanel .jp-MarkdownCell").first.click()
        page.keyboard.press("Control+s")
        for _ in range(300):
            if path.stat().st_mtime_ns != written:
                break
            page.wait_for_timeout(100)
        assert path.stat().st_mtime_ns != written, "JupyterLab has not saved"
        page.wait_for_timeout(500)
        assert page.locator(".jp-Dialog").count() == 0
        assert [w for w in page.wrong if w.startswith("asks for")] == []
    assert path.read_text("utf8") == before
