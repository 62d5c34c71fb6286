"""Inspect the built site and list what is wrong with it: the build fails while anything is.

``inspect(site)`` returns the problems; each names its page. What a browser must see (that explorers move, that no request leaves
the page, that axe-core finds nothing) is tested in ``tests/browser``.
"""

from __future__ import annotations

import fnmatch
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book" / "_extensions"))

from kexuebook import cache, library  # noqa: E402

PAGE_LIMIT = 1_500_000  # bytes of a page with its own pictures, shared assets left out
FIGURE_LIMIT = 300_000  # bytes of an explorer's data
FRONT_END_LIMIT = 150_000  # bytes of the explorers' shared script and style
SITE_LIMIT = 60_000_000  # bytes of the site as a zip; the unpacked site is held to it too
MEMORY_LIMIT = 2_000_000_000  # bytes that the kernel of a page may hold
TRACES = ("Traceback (most recent call last)", 'class="output traceback', 'class="problematic"', "widget-view+json", "mjx-merror")


class Page(HTMLParser):
    """What the checks need of one page: links, loads, pictures, anchors, explorers, words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.silent: list[str] = []  # pictures without words
        self.ids: set[str] = set()
        self.explorers: list[str] = []
        self.empty: list[str] = []  # solutions without content
        self._svg: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {k: v or "" for k, v in attrs}
        if a.get("id"):
            self.ids.add(a["id"])
        if a.get("name") and tag == "a":
            self.ids.add(a["name"])
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag in ("script", "img", "iframe", "source", "video", "audio") and a.get("src"):
            self.loads.append(a["src"])
        if tag == "link" and a.get("rel") not in ("canonical", "license", "next", "prev", "search", "index") and a.get("href"):
            self.loads.append(a["href"])
        if tag == "img" and not a.get("alt", "").strip() and a.get("role") != "presentation":
            self.silent.append(a.get("src", "img")[:80])
        if tag == "svg" and a.get("role") == "img" and not (a.get("aria-label", "").strip() or a.get("aria-labelledby", "").strip()):
            self.silent.append("svg " + a.get("id", ""))
        if "kexue-explorer" in a.get("class", "").split():
            self.explorers.append(a.get("data-name") or a.get("id", ""))


def toc_files() -> list[str]:
    """The pages of the contents; those of the library's reference, which the build writes, by what the library holds."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    found: list[str] = [toc["root"]]

    def walk(entry: object) -> None:
        if isinstance(entry, dict):
            if "file" in entry:
                found.append(entry["file"])
            if "glob" in entry:
                found.extend(p.docname for p in library.pages() if fnmatch.fnmatchcase(p.docname, entry["glob"]))
            for value in entry.values():
                walk(value)
        elif isinstance(entry, list):
            for value in entry:
                walk(value)

    walk(toc.get("parts", []))
    return found


def check_page(path: Path, text: str, page: Page, pages: dict[Path, Page], site: Path) -> list[str]:
    """Traces of errors, requests that would leave the page, silent pictures, dead links."""
    name = path.relative_to(site).as_posix()
    problems = [f"{name}: contains {trace!r}" for trace in TRACES if trace in text]
    problems += [f"{name}: loads {url} from outside" for url in page.loads if re.match(r"(https?:)?//", url)]
    problems += [f"{name}: picture without words: {what}" for what in page.silent]
    for url in page.links + page.loads:
        if re.match(r"[a-z][a-z0-9+.-]*:|//|#$", url):
            continue
        file, _, anchor = url.partition("#")
        target = (path.parent / unquote(file.partition("?")[0])).resolve() if file else path
        if target.is_dir():
            target = target / "index.html"
        if not target.exists():
            problems.append(f"{name}: no file for the link {url}")
        elif anchor and target in pages and ":" not in anchor and unquote(anchor) not in pages[target].ids:
            problems.append(f"{name}: no anchor for the link {url}")
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.S):
        if len(block) > FIGURE_LIMIT:
            problems.append(f"{name}: explorer data of {len(block):,} bytes ({FIGURE_LIMIT:,} allowed)")
    own = len(text.encode()) + sum(
        f.stat().st_size for u in page.loads if "_images/" in u and (f := (path.parent / unquote(u)).resolve()).is_file()
    )
    if own > PAGE_LIMIT:
        problems.append(f"{name}: weighs {own:,} bytes ({PAGE_LIMIT:,} allowed)")
    return problems


def check_chapter(name: str, text: str, page: Page, site: Path) -> list[str]:
    """What the standard of a chapter wants to see on its page."""
    source = (ROOT / f"{name}.md").read_text("utf8")
    problems = []
    wanted = {
        "an explorer": bool(page.explorers),
        "a checked derivation": "kx-derivation" in text,
        "a claim": "kexue.claim" in text or "kx-claim" in text,
        "the Chinese summary": "摘要" in text,
        "the 'last verified' line": "ast verified" in text,
        "the citation of the chapter": "@" in text and "cite this chapter" in text.lower(),
    }
    problems += [f"{name}: lacks {what}" for what, there in wanted.items() if not there]
    exercises, solutions = (len(re.findall(rf'class="[^"]*\b{c}\b[^"]*admonition', text)) for c in ("exercise", "solution"))
    told = len(re.findall(r"(?m)^[`:]{3,}\s*\{exercise(?:-start)?\}", source))
    if exercises < told or solutions < told or told < 4:
        problems.append(f"{name}: {told} exercises in the source, {exercises} on the page, {solutions} solutions")
    if not re.search(r"\.show\(|figures\.(?:show|image_grid|curves)\(", source):
        problems.append(f"{name}: shows no figure")
    path = site / "_sources" / f"{name}.ipynb"
    if not path.is_file():
        return [*problems, f"{name}: no notebook to download"]
    notebook = json.loads(path.read_text("utf8"))
    sources = [cache.text(cell) for cell in cache.code(notebook["cells"])]
    return problems + check_notebook(name, notebook, cache.executed(site.parent, ROOT, name, sources))


def shown(cell: dict[str, Any]) -> list[str]:
    """The kinds of a cell's outputs that a reader sees: text, HTML, pictures; what only the build reads is left out."""
    kinds: list[str] = []
    before: dict[str, Any] = {}
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream" and output["name"] == before.get("name"):
            continue  # a busy kernel sends one printed text in pieces
        before = output
        held = output.get("data", {})
        seen = [k for k in ("text/html", "text/latex", "image/svg+xml", "image/png", "text/plain") if k in held]
        kinds += [output["output_type"]] if not held else seen[:1]
    return kinds


def check_notebook(name: str, notebook: dict[str, Any], executed: list[dict[str, Any]]) -> list[str]:
    """A notebook for download: each code cell counted, without errors, with what its execution showed.

    Args:
        name: the page.
        notebook: what the reader gets.
        executed: the page's code cells as they were executed; empty where these were never executed.
    """
    code = cache.code(notebook["cells"])
    if not executed:
        return [f"{name}: the cells of the notebook were never executed as they stand"]
    problems = []
    for number, (cell, ran) in enumerate(zip(code, executed, strict=True), 1):
        where = f"{name}: code cell {number} of the notebook"
        if not isinstance(cell.get("execution_count"), int):
            problems.append(f"{where} has no execution count")
        if "error" in shown(cell):
            problems.append(f"{where} ends in an error")
        if shown(cell) != shown(ran):
            problems.append(f"{where} shows {shown(cell) or 'nothing'}, its execution showed {shown(ran) or 'nothing'}")
    return problems


def check_reference(texts: dict[str, str]) -> list[str]:
    """Every module of the library's reference is on its page.

    Args:
        texts: the pages by name.
    """
    wanted = [(page.docname, name) for page in library.pages() for name in page.modules]
    return [f"{page}: lacks the module {name}" for page, name in wanted if f'id="module-kexue.{name}"' not in texts.get(page, "")]


def check_memory(names: list[str], times: dict[str, Any]) -> list[str]:
    """The greatest memory of each chapter's kernel, out of ``times.json``: measured, and within the limit."""
    problems = []
    for name in names:
        peak = times.get("pages", {}).get(name, {}).get("peak_bytes", 0)
        if not peak:
            problems.append(f"{name}: the memory of its kernel was not measured")
        elif peak > MEMORY_LIMIT:
            problems.append(f"{name}: its kernel held {peak:,} bytes ({MEMORY_LIMIT:,} allowed)")
    return problems


def inspect(site: Path) -> list[str]:
    """All problems of a built site, each with its page; an empty list where all is well."""
    site = site.resolve()
    texts = {p: p.read_text("utf8") for p in sorted(site.rglob("*.html")) if "_static" not in p.parts}
    pages = {p: Page(text) for p, text in texts.items()}
    problems = []
    for name in toc_files():
        path = site / f"{name}.html"
        if path not in pages:
            problems.append(f"{name}: the page was not built")
        elif name.startswith("chapters/"):
            problems += check_chapter(name, texts[path], pages[path], site)
    problems += check_reference({path.relative_to(site).with_suffix("").as_posix(): text for path, text in texts.items()})
    times = site.parent / "times.json"
    chapters = [name for name in toc_files() if name.startswith("chapters/")]
    problems += check_memory(chapters, json.loads(times.read_text("utf8")) if times.is_file() else {})
    for path, page in pages.items():
        problems += check_page(path, texts[path], page, pages, site)
    for name, least in (("book/claims", 20), ("book/errata", 3), ("book/checked", 10)):
        path = site / f"{name}.html"
        if path in texts and texts[path].count("<tr") + texts[path].count("kx-erratum") < least:
            problems.append(f"{name}: gathers nothing from the chapters")
    shared = sum(p.stat().st_size for p in (site / "_static" / "explorer").glob("*") if p.is_file())
    if not 0 < shared <= FRONT_END_LIMIT:
        problems.append(f"_static/explorer: {shared:,} bytes of shared front end (1 to {FRONT_END_LIMIT:,} allowed)")
    whole = sum(p.stat().st_size for p in site.rglob("*") if p.is_file())
    if whole > SITE_LIMIT:
        problems.append(f"the site weighs {whole:,} bytes ({SITE_LIMIT:,} allowed)")
    index = site / "searchindex.js"
    if not (index.is_file() and re.search(r"(\\u[4-9][0-9a-f]{3}){2}|[\u4e00-\u9fff]{2}", index.read_text("utf8"))):
        problems.append("searchindex.js: holds no Chinese")
    return problems


def main(site: str = str(ROOT / "_build" / "html")) -> None:
    problems = inspect(Path(site))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"inspected: {len(problems)} problems" if problems else "inspected: nothing wrong")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main(*sys.argv[1:])
