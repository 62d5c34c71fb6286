"""The book's figures: words required, colours safe for all eyes, the same bytes twice, nothing that clashes on a page."""

from __future__ import annotations

import base64
import io
import re
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from kexue import figures

WORDS = {"alt": "The line rises.", "caption": "A line with $x^2$ & a < b."}
# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
EYES = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    t = XYZ @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, two: np.ndarray) -> float:
    """Colour difference after Sharma, Wu and Dalal (2005)."""
    chroma = (np.hypot(*one[1:]) + np.hypot(*two[1:])) / 2
    g = 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25**7)))
    a = np.array([one[1], two[1]]) * (1 + g)
    b = np.array([one[2], two[2]])
    c, h = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    turn = (h[1] - h[0] + 180) % 360 - 180 if c.prod() else 0.0
    light, whole = two[0] - one[0], c[1] - c[0]
    hue = 2 * np.sqrt(c.prod()) * np.sin(np.radians(turn / 2))
    mean_l, mean_c = (one[0] + two[0]) / 2, c.mean()
    mean_h = h[0] + turn / 2 if c.prod() else h.sum()
    t = 1 - 0.17 * np.cos(np.radians(mean_h - 30)) + 0.24 * np.cos(np.radians(2 * mean_h))
    t += 0.32 * np.cos(np.radians(3 * mean_h + 6)) - 0.2 * np.cos(np.radians(4 * mean_h - 63))
    sl = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    sc, sh = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    turn_term = -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25**7)) * np.sin(np.radians(60 * np.exp(-(((mean_h % 360 - 275) / 25) ** 2))))
    parts = (light / sl) ** 2 + (whole / sc) ** 2 + (hue / sh) ** 2 + turn_term * whole / sc * hue / sh
    return float(np.sqrt(parts))


def contrast(one: str, two: str) -> float:
    low, high = sorted(float(np.array([0.2126, 0.7152, 0.0722]) @ linear(c)) for c in (one, two))
    return (high + 0.05) / (low + 0.05)


def line(name: str = "fig-line", **words: str) -> figures.Shown:
    with figures.axes("half", 2) as (fig, ax):
        ax.plot([0, 1], [0, 1], label="$y$")
        ax.legend()
        return figures.show(fig, name=name, **{**WORDS, **words})


def svg(shown: figures.Shown) -> ElementTree.Element:
    found = re.search(r"<svg.*</svg>", shown.markup, re.S)
    assert found
    return ElementTree.fromstring(found[0])


@pytest.mark.parametrize(("pair", "expected"), [(((50, 2.6772, -79.7751), (50, 0, -82.7485)), 2.0425), (((50, -1, 2), (50, 0, 0)), 2.3669),
                                                (((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387)), 1.2644)])  # fmt: skip
def test_the_difference_of_colours_agrees_with_published_pairs(pair: tuple[tuple[float, ...], ...], expected: float) -> None:
    # Sharma et al. print four decimals
    assert ciede2000(*(np.array(p) for p in pair)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_any_two_colours_of_the_palette_differ_for_every_eye(eye: str, theme: str) -> None:
    seen = {role: lab(EYES[eye] @ linear(getattr(figures.PALETTE[role], theme))) for role in figures.ROLES}
    nearest = min((ciede2000(seen[a], seen[b]), a, b) for a, b in combinations(seen, 2))
    assert nearest[0] > 14, nearest  # a difference of about 2 is just seen side by side


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_and_text_stand_out_from_the_ground(theme: str) -> None:
    ground = getattr(figures.PALETTE["bg"], theme)
    for role in figures.ROLES:
        assert contrast(getattr(figures.PALETTE[role], theme), ground) >= 3, role
    for role in ("fg", "muted"):
        assert contrast(getattr(figures.PALETTE[role], theme), ground) >= 4.5, role


def test_the_style_sheet_has_the_palette_of_the_library() -> None:
    css = (Path(__file__).parents[1] / "book" / "_static" / "kexue.css").read_text("utf8")
    light, dark = css.split('html[data-theme="dark"] {')[0], css.split('html[data-theme="dark"] {')[1].split("}")[0]
    for role in figures.ROLES:
        assert f"--kx-{role}: {figures.PALETTE[role].light};" in light
        assert f"--kx-{role}: {figures.PALETTE[role].dark};" in dark


def test_a_second_call_gives_the_same_bytes() -> None:
    assert line().markup == line().markup


def test_the_figure_says_its_finding_and_follows_the_theme() -> None:
    root = svg(line())
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert root.get("role") == "img"
    assert title is not None
    assert title.text == WORDS["alt"]
    assert root.get("aria-labelledby") == title.get("id")
    markup = line().markup
    assert "var(--kx-one,#4162db)" in markup
    assert "var(--kx-fg,var(--jp-ui-font-color1,#1f2328))" in markup
    assert "#000000" not in markup
    assert "date" not in markup
    assert "$x^2$ &amp; a &lt; b" in markup


def test_no_style_of_a_figure_reaches_another_svg() -> None:
    assert "<style" not in re.sub(r"<style>\[data-jp-theme-light.*?</style>", "", line().markup)


def test_identifiers_of_two_figures_do_not_clash() -> None:
    one, two = (set(re.findall(r' id="([^"]+)"', line(name).markup)) for name in ("fig-one", "fig-two"))
    assert one
    assert not one & two


def test_every_reference_within_a_figure_has_its_target() -> None:
    markup = line().markup
    ids = set(re.findall(r' id="([^"]+)"', markup))
    assert set(re.findall(r'href="#([^"]+)|url\(#([^)]+)\)', markup)) <= {(i, "") for i in ids} | {("", i) for i in ids}


WRONG = [{"alt": ""}, {"alt": "  "}, {"caption": ""}, {"name": "line"}, {"name": "fig-Line"}, {"name": "fig_line"}]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_figure_without_words_or_name_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"needs its|kebab-case"):
        line(**{"name": "fig-line", **wrong})


def test_a_heavy_figure_is_refused_unless_rasterised() -> None:
    points = np.random.default_rng(0).normal(size=(2, 4000))
    with figures.axes() as (fig, ax):
        ax.scatter(*points)
        with pytest.raises(ValueError, match="rasterized=True"):
            figures.show(fig, name="fig-heavy", **WORDS)
    with figures.axes() as (fig, ax):
        ax.scatter(*points, rasterized=True)
        assert len(figures.show(fig, name="fig-heavy", **WORDS).markup) < figures.LIMIT


@pytest.mark.parametrize(("width", "height"), [("wide", 2), ("text", 0), ("text", float("nan"))])
def test_axes_refuse_a_wrong_size(width: str, height: float) -> None:
    with pytest.raises(ValueError, match=r"width must be|height must be"), figures.axes(width, height):
        pass


def test_axes_leave_the_settings_of_matplotlib_alone() -> None:
    import matplotlib as mpl

    before = {k: v for k, v in mpl.rcParams.items() if k != "backend"}  # chosen by matplotlib itself at the first drawing
    line()
    assert {k: v for k, v in mpl.rcParams.items() if k != "backend"} == before


def test_colour_refuses_an_unknown_role() -> None:
    with pytest.raises(ValueError, match="seven"):
        figures.colour("seven")


def test_the_terminal_shows_the_words() -> None:
    bundle = line()._repr_mimebundle_()
    assert bundle["text/plain"] == repr(line()) == "[Figure: The line rises.]"
    assert bundle["text/html"].startswith('<figure class="kx-figure" id="fig-line">')


def test_curves_draw_the_mean_and_the_range_over_seeds() -> None:
    runs = np.array([[1.0, 2, 3], [3, 4, 5]])
    words = {"name": "fig-c", "xlabel": "step", "ylabel": "loss", **WORDS}
    both = figures.curves({"a": runs, "b": [1, 2, 3]}, [1, 10, 100], xscale="log", **words)
    assert "opacity: 0.18" in both.markup  # the band
    alone = figures.curves({"b": [1, 2, 3]}, **words)
    assert "opacity: 0.18" not in alone.markup
    assert figures.colour("two") not in alone.markup


@pytest.mark.parametrize("series", [{}, {str(i): [1, 2] for i in range(7)}, {"a": [[[1.0]]]}, {"a": [1, 2, 3]}])
def test_curves_refuse_wrong_shapes(series: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match=r"series"):
        figures.curves(series, [1, 2], name="fig-c", xlabel="", ylabel="", **WORDS)


def test_an_image_grid_holds_the_images_to_the_grey_level() -> None:
    from PIL import Image

    images = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5) % 256
    shown = figures.image_grid(images, name="fig-i", limits=(0, 255), row_labels=["a", "b"], column_labels=["1", "2", "3"], **WORDS)
    data = re.search(r"data:image/png;base64,([^\"]+)", shown.markup)
    assert data
    picture = np.array(Image.open(io.BytesIO(base64.b64decode(data[1]))).convert("RGBA"))
    assert picture.shape == (2 * 4 + figures.GAP, 3 * 5 + 2 * figures.GAP, 4)
    np.testing.assert_array_equal(picture[:4, :5, 0], images[0, 0])
    np.testing.assert_array_equal(picture[-4:, -5:, 0], images[1, 2])
    assert not picture[4:6, :, 3].any()  # the gap is transparent


def test_a_strip_is_a_grid_of_one_row() -> None:
    strip = np.random.default_rng(0).random((3, 8, 8))
    assert figures.image_grid(strip, name="fig-i", **WORDS).markup == figures.image_grid(strip[None], name="fig-i", **WORDS).markup


@pytest.mark.parametrize(("images", "options", "message"), [
    (np.zeros((2, 2)), {}, "shape"), (np.full((1, 2, 2), np.nan), {}, "finite"), (np.zeros((1, 2, 2)), {}, "low < high"),
    (np.eye(2)[None], {"row_labels": ["a", "b"]}, "row labels"), (np.eye(2)[None], {"column_labels": ["a", "b"]}, "column labels"),
    (np.eye(2)[None], {"limits": (1, 0)}, "low < high"),
])  # fmt: skip
def test_an_image_grid_refuses_what_it_cannot_draw(images: np.ndarray, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.image_grid(images, name="fig-i", **WORDS, **options)  # type: ignore[arg-type]


def test_a_table_has_headings_for_rows_and_columns() -> None:
    rows = [["a < b", "1.20", "$x$"], ["c", "−3", "no"]]
    shown = figures.table(rows, header=["Name", "Value", "Note"], caption="All of it", name="tab-all")
    assert '<th scope="col">Value</th>' in shown.markup
    assert '<th scope="row">a &lt; b</th><td class="kx-number">1.20</td><td>$x$</td>' in shown.markup
    assert '<td class="kx-number">−3</td>' in shown.markup
    assert repr(shown).splitlines() == ["All of it", "Name | Value | Note", "a < b | 1.20 | $x$", "c | −3 | no"]


@pytest.mark.parametrize(("rows", "name", "caption"), [([], "tab-a", "c"), ([["a"]], "tab-a", "c"), ([["a", "b"]], "fig-a", "c"),
                                                       ([["a", "b"]], "tab-a", "")])  # fmt: skip
def test_a_table_refuses_wrong_rows_names_and_silence(rows: list[list[str]], name: str, caption: str) -> None:
    with pytest.raises(ValueError, match=r"cells|kebab-case|needs its"):
        figures.table(rows, header=["x", "y"], caption=caption, name=name)


# --- what planted errors showed to be missing ---------------------------------------------------------------------------


def box(shown: figures.Shown) -> list[float]:
    return [float(v) for v in svg(shown).attrib["viewBox"].split()]


@pytest.mark.parametrize(("width", "height"), [("text", 3.0), ("half", 1.25)])
def test_a_figure_keeps_its_size_in_points_and_in_the_column(width: str, height: float) -> None:
    with figures.axes(width, height) as (fig, ax):
        ax.plot([0, 1])
        shown = figures.show(fig, name="fig-size", **WORDS)
    assert box(shown) == pytest.approx([0, 0, 72 * figures.WIDTHS[width], 72 * height], rel=1e-6)
    look = svg(shown).attrib["style"]
    share = figures.WIDTHS[width] / figures.WIDTHS["text"]
    assert float(re.findall(r"max-width:([\d.]+)rem", look)[0]) == pytest.approx(48 * share, rel=1e-3)


def test_a_figure_wider_than_the_column_is_shown_as_wide_as_it() -> None:
    from matplotlib.figure import Figure

    fig = Figure(figsize=(1.5 * figures.WIDTHS["text"], 2))
    fig.subplots().plot([0, 1])
    assert "max-width:48rem" in svg(figures.show(fig, name="fig-wide", **WORDS)).attrib["style"]


def test_a_colour_outside_the_palette_stays_and_one_of_it_becomes_a_variable() -> None:
    with figures.axes("half", 2) as (fig, ax):
        ax.plot([0, 1], color="#123456")
        ax.plot([1, 0], color=figures.colour("three"))
        markup = figures.show(fig, name="fig-own", **WORDS).markup
    assert "stroke: #123456" in markup
    assert f"stroke: var(--kx-three,{figures.colour('three')})" in markup


def test_a_long_smooth_line_is_simplified() -> None:
    with figures.axes() as (fig, ax):
        ax.plot(np.linspace(0, 1, 20_000))
        assert len(figures.show(fig, name="fig-long", **WORDS).markup) < 25_000


def test_coordinates_are_rounded_to_a_hundredth_and_scales_to_a_millionth() -> None:
    assert figures._short("M 1.23456 -7.5 L 10.999 0.004") == "M 1.23 -7.5 L 11 0"
    assert figures._short("translate(1.5 2.0) scale(0.01234567 -0.5)") == "translate(1.5 2) scale(0.012346 -0.5)"


def picture(shown: figures.Shown) -> tuple[np.ndarray, ElementTree.Element]:
    from PIL import Image

    (node,) = [n for n in svg(shown).iter() if n.tag.endswith("}image")]
    data = next(v for k, v in node.attrib.items() if k.endswith("href"))
    return np.array(Image.open(io.BytesIO(base64.b64decode(data.partition("base64,")[2]))).convert("RGBA")), node


def test_greys_run_from_the_smallest_value_to_the_largest() -> None:
    values = np.array([[[2.0, 3.0], [4.0, 6.0]]])
    shown, _ = picture(figures.image_grid(values, name="fig-i", **WORDS))
    np.testing.assert_array_equal(shown[..., 0], [[0, 64], [128, 255]])
    clipped, _ = picture(figures.image_grid(values, name="fig-i", limits=(3.0, 4.0), **WORDS))
    np.testing.assert_array_equal(clipped[..., 0], [[0, 0], [255, 255]])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The axes of the figures that are shown, as they were drawn."""
    kept: list[object] = []
    show = figures.show

    def note(fig: object, **words: str) -> figures.Shown:
        shown = show(fig, **words)  # type: ignore[arg-type]
        kept.extend(fig.axes)  # type: ignore[attr-defined]
        return shown

    monkeypatch.setattr(figures, "show", note)
    return kept


@pytest.mark.parametrize("labels", [{}, {"row_labels": ["first", "second"]}, {"column_labels": ["a", "b", "c"]}])
def test_the_grid_fills_the_width_and_leaves_room_for_its_labels(drawn: list[Any], labels: dict[str, list[str]]) -> None:
    figures.image_grid(np.random.default_rng(0).random((2, 3, 10, 10)), name="fig-i", **WORDS, **labels)
    (ax,) = drawn
    wide, high = ax.figure.get_size_inches()
    place = ax.get_position()
    rows, columns = 2 * 10 + figures.GAP, 3 * 10 + 2 * figures.GAP
    assert place.height * high / (place.width * wide) == pytest.approx(rows / columns, rel=1e-3)
    # what is not picture is a margin of a few points, and the labels
    assert wide - place.width * wide < (1.2 if "row_labels" in labels else 0.4), (place, wide)
    assert high - place.height * high < (0.5 if "column_labels" in labels else 0.3), (place, high)


def test_labels_stand_at_the_middle_of_their_images(drawn: list[Any]) -> None:
    figures.image_grid(np.eye(4)[None].repeat(3, 0), name="fig-i", column_labels=["a", "b", "c"], **WORDS)
    figures.image_grid(np.eye(4)[None].repeat(3, 0)[:, None], name="fig-i", row_labels=["a", "b", "c"], **WORDS)
    middles = [2.0, 2.0 + 4 + figures.GAP, 2.0 + 2 * (4 + figures.GAP)]
    assert [(list(ax.get_xticks()), list(ax.get_yticks())) for ax in drawn] == [(middles, []), ([], middles)]


def test_the_band_reaches_from_the_lowest_seed_to_the_highest(drawn: list[Any]) -> None:
    runs = np.array([[1.0, 2, 6], [3, 5, 8], [2, 2, 1]])
    figures.curves({"a": runs}, [1, 10, 100], name="fig-c", xlabel="step", ylabel="loss", **WORDS)
    (ax,) = drawn
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.stack([[1, 10, 100], runs.mean(0)], 1))
    edge = ax.collections[0].get_paths()[0].vertices
    for x, column in zip([1, 10, 100], runs.T, strict=True):
        at = edge[edge[:, 0] == x, 1]
        assert (at.min(), at.max()) == (column.min(), column.max())
    assert ax.get_legend() is None


def test_without_steps_curves_count_from_nought_and_two_of_them_have_a_legend(drawn: list[Any]) -> None:
    figures.curves({"a": [5, 6, 7], "b": [1, 2, 3]}, name="fig-c", xlabel="step", ylabel="loss", **WORDS)
    (ax,) = drawn
    assert [list(line.get_xdata()) for line in ax.lines] == [[0, 1, 2]] * 2
    assert [line.get_color() for line in ax.lines] == [figures.colour("one"), figures.colour("two")]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.figure.get_figheight() == 3.0


@pytest.mark.parametrize("value", ["1.5", " 2", "−3", "+4", "≈ 5", "< 6", "> 7", "± 8", ".5"])
def test_numbers_of_a_table_are_aligned_as_numbers(value: str) -> None:
    assert figures._cell(1, value) == f'<td class="kx-number">{value.replace("<", "&lt;").replace(">", "&gt;")}</td>'
    assert figures._cell(1, f"x {value}").startswith("<td>x")


def test_a_table_writes_minus_signs_and_leaves_hyphens() -> None:
    assert figures._cell(1, "-3") == '<td class="kx-number">−3</td>'
    assert figures._cell(1, "1.5 ± -.5") == '<td class="kx-number">1.5 ± −.5</td>'
    assert figures._cell(1, "vib-0.1, B - A, 2026-11-21") == "<td>vib-0.1, B - A, 2026-11-21</td>"
    assert figures._cell(1, "–") == '<td class="kx-number">–</td>'  # where a number is missing


def test_words_of_a_figure_are_given_by_name() -> None:
    images = np.eye(2)[None]
    for call in (lambda: figures.image_grid(images, "fig-i", "alt", "caption"), lambda: figures.curves({}, None, "fig-c", "alt", "caption"),
                 lambda: figures.show(None, "fig-s", "alt", "caption"), lambda: figures.table([["a"]], ["b"], "caption", "tab-a"),
                 lambda: figures.axes("text", 3.0, 1, 1)):  # fmt: skip
        with pytest.raises(TypeError, match="positional"):
            call()  # type: ignore[no-untyped-call]
    figures.image_grid(images=images, name="fig-i", **WORDS)


def test_quotation_marks_in_captions_stay_as_they_are_written() -> None:
    text = 'A "word" & it\'s < 2'
    assert 'A "word" &amp; it\'s &lt; 2</caption>' in figures.table([["a"]], header=["b"], caption=text, name="tab-q").markup
    assert 'A "word" &amp; it\'s &lt; 2</figcaption>' in line(caption=text).markup
    assert '<title id="fig-line-alt">A "word" &amp; it\'s &lt; 2</title>' in line(alt=text).markup
