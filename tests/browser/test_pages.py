"""Every page and explorer in a headless Chromium: themes, widths, keyboard, no network, nothing outside, axe-core, search."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import inspect_site

pytestmark = [pytest.mark.browser, pytest.mark.book]
ROOT = Path(__file__).resolve().parents[2]
PAGES = inspect_site.toc_files()
EXPLORER = re.compile(r"spin_the_rope\(|temperature\(|sine_race\(|code_flip\(")
WITH_EXPLORERS = [name for name in PAGES if EXPLORER.search((ROOT / f"{name}.md").read_text("utf8"))]
LOCAL = re.compile(r"(file:|data:|blob:|http://127\.0\.0\.1)")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        """Say nothing."""


@pytest.fixture(scope="module")
def server(site):
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium is installed (Debian and Ubuntu: sudo apt install chromium)")
    with playwright.sync_playwright() as pw:
        chromium = pw.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe():
    """axe-core's script out of the front end's development packages."""
    script = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm", path=str(Path(sys.executable).parent)) or shutil.which("npm")
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=ROOT / "frontend", check=True, capture_output=True)
    return script.read_text("utf8")


@contextlib.contextmanager
def opened(browser, address, *, width=1280, scheme="light", quiet=True, **options):
    """A page with everything outside this machine refused; what it asked for or complained of must be nothing."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", **options)
    page = context.new_page()
    wrong: list[str] = []

    def gate(route):
        if LOCAL.match(route.request.url):
            return route.continue_()
        wrong.append(f"asks for {route.request.url}")
        return route.abort()

    page.route("**/*", gate)
    page.on("requestfailed", lambda r: wrong.append(f"failed: {r.url}"))
    page.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.goto(address, wait_until="load", timeout=60_000)
    if options.get("java_script_enabled", True):
        page.wait_for_function("!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)")
    try:
        yield page
        if quiet:
            assert wrong == []
    finally:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_fits_every_width(browser, server, name):
    with opened(browser, f"{server}/{name}.html") as page:
        for width in (390, 820, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(WIDE) <= 0, f"{name} scrolls sideways at {width} px"
        assert page.locator("mjx-merror").count() == 0
        assert page.locator("mjx-container").count() > 0 or page.locator(".math").count() == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser, server, axe, name, scheme):
    with opened(browser, f"{server}/{name}.html", scheme=scheme) as page:
        page.evaluate(axe)
        rules = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"
        found = page.evaluate(f"axe.run(document, {{runOnly: {rules}, resultTypes: ['violations']}}).then(r => r.violations)")
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("home", ["server", "disk"])
@pytest.mark.parametrize("name", WITH_EXPLORERS)
def test_every_slider_moves_the_picture_and_the_sentence(browser, server, site, name, home):
    address = f"{server}/{name}.html" if home == "server" else (site / f"{name}.html").as_uri()
    with opened(browser, address) as page:
        page.context.set_offline(True)
        explorers = page.locator(".kexue-explorer")
        assert explorers.count() > 0
        for i in range(explorers.count()):
            explorer = explorers.nth(i)
            explorer.scroll_into_view_if_needed()
            explorer.locator(".kxe-figure[data-drawn]").wait_for()
            sliders = explorer.locator("input[type=range]:visible")
            assert sliders.count() > 0
            moved = 0
            for j in range(sliders.count()):
                slider = sliders.nth(j)
                before, value = explorer.screenshot(), slider.input_value()
                slider.focus()
                slider.press("ArrowLeft" if value == slider.get_attribute("max") else "ArrowRight")
                page.wait_for_timeout(80)
                assert slider.input_value() != value
                moved += before != explorer.screenshot()
            assert moved == sliders.count(), f"explorer {i}: {moved} of {sliders.count()} sliders move the picture"


def test_state_in_the_address_sets_the_explorer(browser, site):
    address = (site / "chapters/mathematics/gumbel-softmax.html").as_uri()
    with opened(browser, address) as page:
        sentence = page.locator("#temperature .kxe-say, [data-name=temperature] .kxe-say").first
        plain = sentence.inner_text()
    with opened(browser, address + "#temperature:tau=0.1") as page:
        sentence = page.locator("#temperature .kxe-say, [data-name=temperature] .kxe-say").first
        assert sentence.inner_text() != plain


@pytest.mark.parametrize(("query", "page_name"), [("troposkein", "rope-curve"), ("重参数", "gumbel-softmax"), ("跳绳", "rope-curve")])
def test_the_search_finds_english_and_chinese(browser, server, query, page_name):
    with opened(browser, f"{server}/search.html?q={query}") as page:
        page.wait_for_selector("#search-results li a", timeout=20_000)
        page.wait_for_timeout(500)
        links = page.locator("#search-results li a").evaluate_all("list => list.map(a => a.href)")
        assert any(page_name in link for link in links)


def test_a_chapter_reads_without_javascript(browser, site):
    address = (site / "chapters/mathematics/gumbel-softmax.html").as_uri()
    with opened(browser, address, java_script_enabled=False, quiet=False) as page:
        pictures = page.locator(".kexue-explorer img:visible, .kexue-explorer noscript svg:visible")
        assert pictures.count() >= 3
