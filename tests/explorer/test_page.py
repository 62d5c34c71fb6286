"""The static page in a browser, from a file, with the network off."""

from __future__ import annotations

import ipywidgets as w
import numpy as np
import pytest

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.explorer.explorer import STATIC

pytestmark = pytest.mark.browser
X = np.linspace(0.0, 6.0, 60)
PAGE = """<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Page</title>
<meta name="viewport" content="width=device-width"><style>{css}
html[data-theme=dark] {{ --pst-color-background: #16191d; --pst-color-text-base: #dee2e6;
  --pst-color-text-muted: #adb5bd; background: #16191d }}
</style></head><body><main><h1>Page</h1><p style="margin-bottom: 2000px">Set <a class="kexue-explore" href="#wave:k=2.5">it</a>.</p>{body}
</main><script>{js}</script></body></html>"""


def wave(k, kind):
    y = np.sin(k * X)
    return {"y": np.sign(y) if kind == "square" else y, "zeros": float(k * 6 / np.pi)}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    explorer = Explorer(
        wave,
        controls={
            "k": w.FloatSlider(value=1.0, min=0.5, max=3.0, step=0.1, description="Wave number", readout_format=".1f"),
            "kind": w.ToggleButtons(options=["sine", "square"], description="Shape"),
        },
        grid={"k": 6},
        interpolate=True,
        panels=[p.Curves("y", x=X, title="Wave"), p.Matrix(np.eye(3), title="Unit")],
        sentence="At k = {k:.1f} the {kind} has {zeros:.1f} zeros.",
        presets={"fast": {"k": 3.0, "kind": "square"}},
        marks={"k": {2.0: "*k* = 2"}},
        play=["k"],
        title="Waves",
        name="wave",
        alt="A wave whose zeros come closer as k grows.",
    )
    folder = tmp_path_factory.mktemp("page")
    css, js = ((STATIC / f).read_text("utf8") for f in ("explorer.css", "explorer.static.js"))
    for theme in ("light", "dark"):
        (folder / f"{theme}.html").write_text(PAGE.format(theme=theme, css=css, js=js, body=explorer.html()), "utf8")
    return (folder / "light.html").as_uri()


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport={"width": 900, "height": 800}, offline=True)
    page = context.new_page()
    page.wrong = []
    page.on("console", lambda m: page.wrong.append(m.text))
    page.on("pageerror", lambda e: page.wrong.append(str(e)))
    page.goto(address)
    page.locator(".kexue-explorer").scroll_into_view_if_needed()
    page.wait_for_selector(".kxe-figure[data-drawn]")
    yield page
    assert page.wrong == []
    context.close()


def said(page):
    return page.locator(".kxe-say").inner_text()


def drawn(page):
    return page.locator(".kxe-svg .kxe-line").first.get_attribute("d")


def test_the_keyboard_moves_the_slider_the_picture_and_the_sentence(page):
    before = drawn(page)
    page.get_by_label("Wave number", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert said(page) == "At k = 1.1 the sine has 2.1 zeros."
    assert drawn(page) != before
    page.keyboard.press("End")
    assert said(page).startswith("At k = 3.0")
    assert page.get_by_label("Wave number", exact=True).get_attribute("aria-valuetext") == "3.0"
    page.wait_for_function("document.querySelector('.kxe [aria-live]').textContent.startsWith('At k = 3.0')")


def test_a_link_in_the_text_sets_the_state_and_shows_the_figure(page):
    page.evaluate("scrollTo(0, 0)")
    page.locator("a.kexue-explore").click()
    page.wait_for_function("document.querySelector('.kxe').getBoundingClientRect().top < innerHeight / 2")
    assert said(page).startswith("At k = 2.5 the sine")


def test_the_state_goes_into_the_address_and_comes_back(page, address):
    page.get_by_text("square", exact=True).click()
    page.wait_for_function("location.hash === '#wave:kind=square'")
    page.goto("about:blank")
    page.goto(address + "#wave:k=2&kind=square")
    page.wait_for_selector(".kxe-figure[data-drawn]")
    assert said(page).startswith("At k = 2.0 the square")
    page.evaluate("location.hash = '#wave:kind=sine'")
    page.wait_for_function("document.querySelector('.kxe-say').textContent.includes('sine')")
    assert said(page).startswith("At k = 2.0 the sine")


def test_presets_critical_values_and_reset(page):
    page.get_by_role("button", name="fast").click()
    assert said(page).startswith("At k = 3.0 the square")
    page.get_by_role("button", name="k = 2").click()
    assert said(page).startswith("At k = 2.0 the square")
    page.get_by_role("button", name="Reset").click()
    assert said(page).startswith("At k = 1.0 the sine")


def test_it_plays_when_asked_and_steps(page):
    page.get_by_role("button", name="step: Wave number").click()
    assert said(page).startswith("At k = 1.1")
    page.get_by_role("button", name="step back: Wave number").click()
    assert said(page).startswith("At k = 1.0")
    page.get_by_role("button", name="play: Wave number").click()
    page.wait_for_function("document.querySelector('.kxe-say').textContent.startsWith('At k = 1.3')")
    page.get_by_role("button", name="pause: Wave number").click()


def test_every_redraw_is_measured(page):
    page.get_by_label("Wave number", exact=True).focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(40)
    times = page.evaluate("performance.getEntriesByName('kexue-redraw').map(e => e.duration)")
    assert len(times) == 5
    assert all(t > 0 for t in times)


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_nothing_sticks_out_sideways_and_letters_stay_readable(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_function("w => document.querySelector('.kxe-svg').getBoundingClientRect().right <= w", arg=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate("[...document.querySelectorAll('.kxe-svg text')].map(t => parseFloat(getComputedStyle(t).fontSize))")
    assert min(sizes) >= 11
    heights = page.evaluate(
        "[...document.querySelectorAll('.kxe button, .kxe select, .kxe input[type=range]')].map(b => b.getBoundingClientRect().height)"
    )
    assert min(heights) >= 24


def test_the_dark_page_has_light_lines(page, address):
    light = page.evaluate("getComputedStyle(document.querySelector('.kxe-svg .kxe-line')).stroke")
    page.goto(address.replace("light.html", "dark.html"))
    page.locator(".kexue-explorer").scroll_into_view_if_needed()
    page.wait_for_selector(".kxe-svg .kxe-line")
    dark = page.evaluate("getComputedStyle(document.querySelector('.kxe-svg .kxe-line')).stroke")
    assert (light, dark) == ("rgb(65, 98, 219)", "rgb(114, 158, 251)")


def test_without_javascript_and_in_print_there_are_pictures(browser, address, page):
    page.emulate_media(media="print")
    assert page.locator(".kxe-fallback img").first.is_visible()
    assert not page.locator(".kxe").is_visible()
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(address)
    assert still.locator(".kxe-fallback img").count() == 3
    assert still.locator(".kxe-fallback img").first.is_visible()
    context.close()
