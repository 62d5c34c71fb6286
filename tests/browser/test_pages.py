"""Every page and explorer in a headless Chromium: themes, widths, keyboard, no network, nothing outside, axe-core, search."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import inspect_site

pytestmark = [pytest.mark.browser, pytest.mark.book]
ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
PAGES = inspect_site.toc_files()
CHAPTER = "chapters/mathematics/gumbel-softmax"
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = f"axe.run(document, {{runOnly: {RULES}, resultTypes: ['violations']}}).then(r => r.violations.map(v => [v.id, v.nodes[0].html]))"
# What an explorer shows: its drawings, to the last pixel of its canvases, and its sentence.
SHOWN = """e => ({
  picture: [...e.querySelectorAll('.kxe-panels svg')].map(s => s.outerHTML).join()
    + [...e.querySelectorAll('.kxe-panels canvas')].map(c => c.toDataURL()).join()
    + [...e.querySelectorAll('.kxe-panels .kxe-reads')].map(r => r.textContent).join(),
  sentence: e.querySelector('.kxe-say') && e.querySelector('.kxe-say').textContent,
})"""
# What would lie beyond the right edge of a sheet of A4: nothing scrolls there.
CUT = """() => {
  const edge = document.querySelector('article').getBoundingClientRect().right + 1;
  return [...document.querySelectorAll('article :is(mjx-math, table, pre, svg, img)')]
    .filter(e => !e.closest('mjx-assistive-mml') && e.getBoundingClientRect().right > edge).map(e => e.outerHTML.slice(0, 200));
}"""
PAPER = 673  # px: A4 less two margins of 16 mm
DRAWN = "e => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def with_explorers() -> list[str]:
    """The pages of the built site that hold an explorer; before it is built, one to say so."""
    built = {name: SITE / f"{name}.html" for name in PAGES}
    shows = re.compile(r'class="[^"]*\bkexue-explorer\b')
    return [name for name, path in built.items() if path.is_file() and shows.search(path.read_text("utf8"))] or [CHAPTER]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_fits_every_width_and_paper_and_axe_finds_nothing(browser, opened, server, axe, name):
    with opened(browser, f"{server}/{name}.html") as page:
        for width in (390, 820, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(WIDE) <= 0, f"{name} scrolls sideways at {width} px"
        assert page.locator("mjx-merror").count() == 0
        assert page.locator("mjx-container").count() > 0 or page.locator(".math").count() == 0
        page.set_viewport_size({"width": 1280, "height": 900})
        page.evaluate(axe)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
            page.locator("html").evaluate(DRAWN)
            assert page.evaluate(AXE) == [], f"{name}, {scheme}"
        page.set_viewport_size({"width": PAPER, "height": 900})
        page.emulate_media(media="print")
        assert page.evaluate(CUT) == [], f"{name} on paper"


def moves(explorer, slider) -> bool:
    """Whether one key press on a slider changes the picture: at once, or in another of the explorer's modes, where it has modes."""
    modes = explorer.locator("input[type=radio]:not(:checked)").all()
    for mode in [None, *modes]:
        if mode is not None:
            mode.check(force=True)
            explorer.evaluate(DRAWN)
        before, value = explorer.evaluate(SHOWN), slider.input_value()
        slider.press("ArrowLeft" if value == slider.get_attribute("max") else "ArrowRight")
        explorer.evaluate(DRAWN)
        assert slider.input_value() != value
        if explorer.evaluate(SHOWN)["picture"] != before["picture"]:
            return True
    return False


@pytest.mark.parametrize("home", ["server", "disk"])
@pytest.mark.parametrize("name", with_explorers())
def test_every_slider_moves_the_picture_and_the_sentence(browser, opened, server, site, name, home):
    address = f"{server}/{name}.html" if home == "server" else (site / f"{name}.html").as_uri()
    with opened(browser, address) as page:
        explorers = page.locator(".kexue-explorer")
        assert explorers.count() > 0
        for explorer in explorers.all():
            explorer.scroll_into_view_if_needed()
            explorer.locator(".kxe-figure[data-drawn]").wait_for()
        page.wait_for_load_state("networkidle")  # what a page fetches when it comes into sight is there; from now on it asks for nothing
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url))
        for explorer in explorers.all():
            explorer.scroll_into_view_if_needed()
            title = explorer.locator(".kxe").get_attribute("aria-label")
            seen, start = explorer.screenshot(), explorer.evaluate(SHOWN)
            sliders = explorer.locator("input[type=range]:visible").all()
            assert sliders
            for slider in sliders:
                assert moves(explorer, slider), f"{title}: {slider.get_attribute('id')} moves nothing"
            assert explorer.screenshot() != seen, f"{title} looks as before"
            assert explorer.evaluate(SHOWN)["sentence"] != start["sentence"], f"{title} says the same as before"
        # the browser itself looks for the sign of the site again when the address takes up the state
        assert [address for address in asked if not address.endswith("favicon.svg")] == []


def test_state_in_the_address_sets_the_explorer(browser, opened, site):
    sentence = "#temperature .kxe-say, [data-name=temperature] .kxe-say"
    with opened(browser, (site / f"{CHAPTER}.html").as_uri()) as page:
        plain = page.locator(sentence).first.inner_text()
        page.evaluate("location.hash = 'temperature:tau=0.1'")
        page.wait_for_function("([s, t]) => document.querySelector(s).innerText !== t", arg=[sentence, plain])
        moved = page.locator(sentence).first.inner_text()
    with opened(browser, (site / f"{CHAPTER}.html").as_uri() + "#temperature:tau=0.1") as page:
        assert page.locator(sentence).first.inner_text() == moved != plain


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_calm_readers_get_no_transitions(browser, opened, server, scheme):
    """One short transition on every element passes a change of colour down the page generation by generation: a minute's work."""
    with opened(browser, f"{server}/{CHAPTER}.html", color_scheme=scheme) as page:
        turned = page.evaluate(
            """() => { const root = document.documentElement; root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
                       getComputedStyle(root).color; return document.getAnimations().length; }"""
        )
        assert turned == 0


def test_a_state_of_an_explorer_may_be_linked_from_any_page(browser, opened, server):
    """The theme's scroll spy takes every link for an anchor: without care it fails at the first that holds a state."""
    with opened(browser, f"{server}/book/colophon.html") as page:
        page.route(
            "**/book/colophon.html",
            lambda route: route.fulfill(
                body=re.sub(r"(<article[^>]*>)", r'\1<a href="#name:tau=1">a state</a>', (SITE / "book/colophon.html").read_text("utf8")),
                content_type="text/html",
            ),
        )
        page.reload(wait_until="load")
        assert page.locator('a[href="#name:tau=1"]').count() == 1
        page.mouse.wheel(0, 400)
        page.locator("html").evaluate(DRAWN)


@pytest.mark.parametrize(("query", "page_name"), [("troposkein", "rope-curve"), ("重参数", "gumbel-softmax"), ("跳绳", "rope-curve")])
def test_the_search_finds_english_and_chinese(browser, opened, server, query, page_name):
    with opened(browser, f"{server}/search.html?q={query}") as page:
        found = "name => [...document.querySelectorAll('#search-results li a')].some(a => a.href.includes(name))"
        page.wait_for_function(found, arg=page_name)
        assert page.evaluate(found, page_name)


def test_a_chapter_reads_without_javascript(browser, opened, site):
    address = (site / f"{CHAPTER}.html").as_uri()
    with opened(browser, address, java_script_enabled=False, quiet=False) as page:
        pictures = page.locator(".kexue-explorer img:visible, .kexue-explorer noscript svg:visible")
        assert pictures.count() >= 3


def test_the_notebook_of_a_page_is_saved_whole(browser, opened, server, tmp_path):
    with opened(browser, f"{server}/{CHAPTER}.html") as page:
        with page.expect_download() as started:
            page.locator("a[download][href$='.ipynb']").first.click()
        target = tmp_path / started.value.suggested_filename
        started.value.save_as(target)
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.reads(target.read_text("utf8"), as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert target.name == "gumbel-softmax.ipynb"
    assert len(code) > 20
    assert sum(bool(cell.outputs) for cell in code) > len(code) / 2
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]
    assert any("kexue-explorer" in json.dumps(o) for cell in code for o in cell.outputs)


def test_a_chapter_prints_with_pictures_for_its_explorers(browser, opened, server):
    with opened(browser, f"{server}/{CHAPTER}.html") as page:
        sheets = page.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "16mm"))
        page.set_viewport_size({"width": PAPER, "height": 900})
        page.emulate_media(media="print")
        for explorer in page.locator(".kexue-explorer").all():
            assert explorer.locator(".kxe-fallback img:visible").count() >= 2
            assert not explorer.locator(".kxe").is_visible()
        assert not page.locator(".bd-sidebar-primary, .bd-header-article").first.is_visible()
    assert sheets.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", sheets)) >= 10
