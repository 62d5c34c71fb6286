"""The built book: weights of its pages, redrawing of its explorers, and (on request, it is long) the time to build it."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from benchmarks.table import Row, quantile

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
PRESSES = 60
FIGURE_LIMIT, FRONT_END_LIMIT, ZIP_LIMIT, FRAME_LIMIT = 300e3, 150e3, 60e6, 0.016
RUN_LIMIT, MEMORY_LIMIT = 40.0, 2e9


class Page(HTMLParser):
    """What a page loads, and how much of it is data of explorers and inline pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.assets: set[str] = set()
        self.explorers: list[int] = []
        self._in_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {key: value or "" for key, value in attrs}
        if tag == "link" and set(held.get("rel", "").split()) & {"stylesheet", "icon", "preload", "modulepreload"}:
            self.assets.add(held.get("href", ""))
        elif tag in ("script", "img", "source", "video", "audio", "iframe"):
            self.assets.add(held.get("src", ""))
        # the data of an explorer is the JSON script inside its box; other JSON (of the theme) is small and has no such class or place
        self._in_data = tag == "script" and "json" in held.get("type", "")

    def handle_data(self, data: str) -> None:
        if self._in_data and len(data) > 1000:
            self.explorers.append(len(data.encode()))


def assets_of(page: Path, site: Path) -> tuple[Page, set[Path]]:
    """A page, and the local files that it loads: those it names, and those that its style sheets name."""
    parsed = Page(page.read_text("utf8"))
    files: set[Path] = set()
    waiting = [(page, address) for address in parsed.assets]
    while waiting:
        base, address = waiting.pop()
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not parts.path:
            continue
        path = (base.parent / unquote(parts.path)).resolve()
        if path.is_file() and path.is_relative_to(site.resolve()) and path not in files:
            files.add(path)
            if path.suffix == ".css":
                waiting += [(path, found) for found in re.findall(r"url\(\s*['\"]?([^'\")]+)", path.read_text("utf8", "replace"))]
    return parsed, files


def weights(site: Path = SITE) -> list[Row]:
    """Bytes of each page and of what pages share."""
    pages = {p: assets_of(p, site) for p in sorted(site.rglob("*.html")) if "_static" not in p.parts}
    uses: dict[Path, int] = {}
    for _, files in pages.values():
        for file in files:
            uses[file] = uses.get(file, 0) + 1
    shared = [file for file, count in uses.items() if count > 1]
    rows = []
    for path, (parsed, files) in pages.items():
        html, own = path.read_bytes(), sum(f.stat().st_size for f in files if uses[f] == 1)
        note = f"{show_kb(len(gzip.compress(html)))} compressed, {show_kb(own)} of its own files"
        rows.append(Row("pages", path.relative_to(site).as_posix(), len(html), "B", note=note))
        for i, size in enumerate(parsed.explorers, 1):
            rows.append(Row("pages", f"  data of explorer {i}", size, "B", peer="limit", theirs=FIGURE_LIMIT))
    front = [p for p in (site / "_static" / "explorer").glob("*") if p.is_file()]
    rows.append(Row("pages", "front end of all explorers", sum(p.stat().st_size for p in front), "B", peer="limit", theirs=FRONT_END_LIMIT))
    used = sum(f.stat().st_size for f in shared)
    rows.append(
        Row("pages", "files that pages share, named by them", used, "B", note=f"{len(shared)} files; what scripts load later not counted")
    )
    everything = [p for p in site.rglob("*") if p.is_file()]
    rows.append(Row("pages", "the site", sum(p.stat().st_size for p in everything), "B", note=f"{len(everything)} files"))
    archive = ROOT / "_build" / "kexue-book.zip"
    if archive.is_file():
        rows.append(Row("pages", "the site as one zip", archive.stat().st_size, "B", peer="limit", theirs=ZIP_LIMIT))
    return rows


def running(times: Path = ROOT / "_build" / "times.json") -> list[Row]:
    """Seconds and greatest memory of each page's last run, as the build measured them."""
    rows = []
    for name, ran in json.loads(times.read_text("utf8"))["pages"].items():
        note = f"{ran['processor_seconds']:.1f} s of the processor"
        rows.append(Row("running the chapters", name, ran["seconds"], peer="limit", theirs=RUN_LIMIT, note=note))
        rows.append(Row("running the chapters", "  greatest memory", ran["peak_bytes"], "B", peer="limit", theirs=MEMORY_LIMIT))
    return rows


def show_kb(size: float) -> str:
    """Bytes in kB."""
    return f"{size / 1e3:,.0f} kB"


def chromium() -> str | None:
    """The installed browser, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def redraw(site: Path = SITE, presses: int = PRESSES) -> list[Row]:
    """Time from a key press to the redrawn figure, as the front end's own marks measure it, in a page opened from disk."""
    browser = chromium()
    if browser is None:
        print("No Chromium is installed: the redrawing of explorers was not measured.", file=sys.stderr)
        return []
    from playwright.sync_api import sync_playwright

    rows = []
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = started.new_context(offline=True, viewport={"width": 1440, "height": 900}).new_page()
        for path in sorted(site.rglob("*.html")):
            if "_static" not in path.parts and "kexue-explorer" in path.read_text("utf8"):
                page.goto(path.as_uri())
                page.wait_for_load_state("load")
                rows += _redraw_page(page, path.relative_to(site).as_posix(), presses)
        started.close()
    return rows


def _redraw_page(page: Any, name: str, presses: int) -> list[Row]:
    rows = []
    for i, explorer in enumerate(page.query_selector_all(".kexue-explorer"), 1):
        explorer.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        slider = explorer.query_selector("input[type=range]")
        if slider is None:
            continue
        slider.focus()
        page.evaluate("performance.clearMeasures('kexue-redraw')")
        for k in range(presses):  # there and back, so that the slider is never at its end for long
            page.keyboard.press("ArrowRight" if k % 20 < 10 else "ArrowLeft")
            page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        times = [t / 1e3 for t in page.evaluate("performance.getEntriesByName('kexue-redraw').map(entry => entry.duration)")]
        label = explorer.get_attribute("data-name") or explorer.get_attribute("id") or str(i)
        if not times:
            print(f"{name}, explorer {label}: the page holds no 'kexue-redraw' measures.", file=sys.stderr)
            continue
        for title, q in (("median", 0.5), ("95 %", 0.95)):
            what = f"{label} ({name}), {title}"
            rows.append(
                Row("key press to redrawn figure", what, quantile(times, q), peer="limit", theirs=FRAME_LIMIT, note=f"{len(times)} presses")
            )
    return rows


def building() -> list[Row]:
    """Seconds to build the book in a copy of the project: from nothing, again with nothing changed, with one chapter changed."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        copy_project(copy)
        chapter = sorted((copy / "chapters").rglob("*.md"))[0]
        first = _build(copy)
        rows.append(Row("building the book", "from nothing (environment and data are there)", first))
        rows.append(Row("building the book", "again, nothing changed", _build(copy), peer="from nothing", theirs=first))
        rows.append(Row("building the book", "again, forced", _build(copy, force=True), peer="from nothing", theirs=first))
        chapter.write_text(chapter.read_text("utf8") + "\nOne more sentence, for the measurement.\n", "utf8")
        rows.append(
            Row("building the book", f"prose of one chapter changed ({chapter.stem})", _build(copy), peer="from nothing", theirs=first)
        )
        text = chapter.read_text("utf8")
        chapter.write_text(text + "\n```{code-cell} python\n1 + 1\n```\n", "utf8")
        rows.append(
            Row("building the book", f"code of one chapter changed ({chapter.stem})", _build(copy), peer="from nothing", theirs=first)
        )
    return rows


def copy_project(copy: Path) -> None:
    """Copy what git holds or would hold; the environment and the data are linked."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode("utf8").split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    for name in (".venv", ".data"):
        if (ROOT / name).exists():
            (copy / name).symlink_to(ROOT / name)


def _build(copy: Path, *, force: bool = False) -> float:
    """Build the copy by its own make.py, without its check of the environment, which this process runs in."""
    env = {**os.environ, "PYTHONPATH": str(copy / "lib")}
    words = "'--force'" if force else ""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"import make; make.html({words})"], cwd=copy, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the build of the copy failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return time.perf_counter() - start
