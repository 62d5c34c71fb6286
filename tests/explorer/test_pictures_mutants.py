"""The pictures for print: each artist is where the numbers say. Written where planted errors showed that nothing looked."""

from __future__ import annotations

import itertools
from typing import Any

import ipywidgets as w
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba

from kexue.explorer import Explorer, pictures
from kexue.explorer import panels as p
from kexue.explorer.controls import _spread, read
from kexue.explorer.evaluate import tabulate, wrap
from kexue.figures import PALETTE

X = np.linspace(0.0, 2.0, 9)
GRID = np.add.outer(np.arange(4.0), 10 * np.arange(3.0))
POINTS = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.1, 0.1, 0.8]])


def axes_of(panel: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The matplotlib axes of a panel's picture at k = 2; some outputs need k to be read, so that they are no constants."""
    figures: list[Any] = []
    real = pictures.Figure

    def make(*args: Any, **options: Any) -> Any:
        figures.append(real(*args, **options))
        return figures[-1]

    monkeypatch.setattr(pictures, "Figure", make)

    def f(k: int) -> dict[str, Any]:
        return {"y": k * X, "pair": np.array([0.2, 0.6]) * k, "z": GRID * k, "points": POINTS, "at": 0.25 * k,
                "images": np.arange(3 * 4.0).reshape(3, 2, 2) * k, "counts": np.array([1.0, 3.0]) * k}  # fmt: skip

    controls = {"k": w.IntSlider(value=2, min=2, max=3)}
    Explorer(f, controls=controls, panels=[panel], sentence="{k}", title="T", name="t", alt="A.").html()
    (axes,) = figures[0].axes
    return axes


def colour(role: str) -> str:
    return str(pictures.PALETTE[role])


def test_colours_of_print_are_the_palette_s() -> None:
    assert all(to_hex(colour(role)) == PALETTE[role].light for role in ("one", "two", "six"))


def test_lines_dots_marks_and_notes_stand_where_the_numbers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    line = p.Line("y", colour="two", label="a line", dashed=True, fill=True)
    note, dots = p.Note("at {at:.2f}", 1.0, 0.75, anchor="end"), p.Dots(x="at", y="at", colour="three")
    marks = [p.Mark(x="at"), p.Mark(y=1.5)]
    panel = p.Curves(line, x=X, y_range=(0, 5), marks=marks, dots=[dots], layers=[note], xlabel="across", ylabel="up")
    axes = axes_of(panel, monkeypatch)
    line, upright, level = axes.lines
    np.testing.assert_allclose(line.get_xydata(), np.stack([X, 2 * X], 1), atol=1e-3)  # quantised to 16 bits
    assert (line.get_linestyle(), line.get_color(), line.get_label()) == ("--", colour("two"), "a line")
    assert list(upright.get_xdata()) == pytest.approx([0.5, 0.5], abs=1e-4)
    assert list(level.get_ydata()) == pytest.approx([1.5, 1.5], abs=1e-4)
    fill, dots = axes.collections
    assert fill.get_alpha() == 0.15
    np.testing.assert_allclose(dots.get_offsets(), [[0.5, 0.5]], atol=1e-4)
    assert dots.get_facecolors()[0][:3] == pytest.approx(to_rgba(colour("three"))[:3])
    (note,) = axes.texts
    assert (note.get_text(), note.get_position(), note.get_ha()) == ("at 0.50", (1.0, 0.75), "right")
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_ylim()) == ("across", "up", (0.0, 5.0))
    assert axes.get_legend() is not None


def test_a_line_without_a_label_has_no_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.Curves("y", x=X), monkeypatch)
    assert axes.get_legend() is None
    assert axes.lines[0].get_linestyle() == "-"
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")


def test_bars_of_two_groups_share_each_place(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = p.Bars(["pair", [0.1, 0.3]], categories=["a", "b"], labels=["model", "data"], y_range=(0, 2), reference=[1.0, 1.5])
    axes = axes_of(panel, monkeypatch)
    boxes = [(b.get_x(), b.get_x() + b.get_width(), b.get_height()) for b in axes.patches]
    expected = [(-0.4, 0.0, 0.4), (0.6, 1.0, 1.2), (0.0, 0.4, 0.1), (1.0, 1.4, 0.3)]
    np.testing.assert_allclose(boxes, expected, atol=1e-4)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b"]
    assert axes.get_ylim() == (0.0, 2.0)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["model", "data"]
    segments = np.concatenate(axes.collections[0].get_segments())
    np.testing.assert_allclose(segments, [[-0.42, 1.0], [0.42, 1.0], [0.58, 1.5], [1.42, 1.5]], atol=1e-4)


def test_bars_of_one_group_stand_in_the_middle_and_may_each_have_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.Bars("pair", categories=["a", "b"], colours=["four", "six"]), monkeypatch)
    assert [b.get_x() + b.get_width() / 2 for b in axes.patches] == pytest.approx([0.0, 1.0])
    assert [to_hex(b.get_facecolor()) for b in axes.patches] == [to_hex(colour("four")), to_hex(colour("six"))]
    assert axes.get_legend() is None


def test_a_raster_fills_its_box_and_contours_lie_on_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.HeatMap("z", x_range=(0, 3), y_range=(10, 14), layers=[p.Contours("z", [30.0], (0, 3), (10, 14))]), monkeypatch)
    (image,) = axes.images
    assert image.get_extent() == [0, 3, 10, 14]
    assert image.origin == "lower"
    np.testing.assert_allclose(image.get_array(), 2 * GRID, atol=0.3)  # eight bits over the whole grid's range
    (contour,) = axes.collections
    vertices = np.concatenate([path.vertices for path in contour.get_paths()])
    assert len(vertices) > 1
    # z = 2 (row + 10 column) with the middle of cell (r, c) at (c + 1/2, 10 + r + 1/2)
    np.testing.assert_allclose(2 * (vertices[:, 1] - 10.5 + 10 * (vertices[:, 0] - 0.5)), 30.0, atol=0.5)


def test_a_path_joins_its_points_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.Path(X, "y", value="y", layers=[p.Arrows(X, "y", X, X, scale=0.1)]), monkeypatch)
    trail, arrows = sorted(axes.collections, key=lambda c: hasattr(c, "U"))
    segments = np.array(trail.get_segments())
    assert segments.shape == (8, 2, 2)
    np.testing.assert_allclose(segments[:, 0], np.stack([X, 2 * X], 1)[:-1], atol=1e-3)
    np.testing.assert_allclose(segments[:, 1], np.stack([X, 2 * X], 1)[1:], atol=1e-3)
    np.testing.assert_allclose(trail.get_array(), X[:-1] + X[1:], atol=1e-3)
    assert arrows.scale == pytest.approx(10.0)
    np.testing.assert_allclose(arrows.U, X, atol=1e-3)


def test_a_histogram_stands_on_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.Histogram("counts", [0.0, 1.0, 3.0]), monkeypatch)
    values, edges, _ = axes.patches[0].get_data()
    np.testing.assert_allclose(values, [2.0, 6.0], atol=1e-3)
    np.testing.assert_allclose(edges, [0.0, 1.0, 3.0], atol=1e-3)


def test_points_of_the_simplex_are_coloured_by_their_largest_share(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.Simplex("points", corners="ABC", marks=[([1.0, 0.0, 0.0], "corner", "text")]), monkeypatch)
    outline, mark = axes.lines
    triangle = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)], [0, 0]])
    np.testing.assert_allclose(outline.get_xydata(), triangle, atol=1e-12)
    np.testing.assert_allclose(mark.get_xydata(), [[0.0, 0.0]], atol=1e-4)
    (dots,) = axes.collections
    np.testing.assert_allclose(dots.get_offsets(), POINTS @ triangle[:3], atol=1e-4)
    faces = [to_hex(c) for c in dots.get_facecolors()]
    assert faces[2] == faces[3]
    assert len(set(faces)) == 3
    assert [t.get_text() for t in axes.texts] == ["A", "B", "C"]
    assert [t.xyann[1] for t in axes.texts] == [-9, -9, 4]


def test_numbers_of_a_matrix_stand_on_their_cells_and_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.Matrix("z", digits=0, rows=list("abcd"), columns=list("xyz"), range=(0, 46)), monkeypatch)
    cells = {t.get_position(): (t.get_text(), t.get_color()) for t in axes.texts}
    assert {(j, i) for i in range(4) for j in range(3)} == set(cells)
    for (j, i), (text, ink) in cells.items():
        value = 2 * GRID[i, j]
        assert float(text) == pytest.approx(value, abs=1)
        assert ink == ("white" if value > 0.7 * 46 else "black"), value
    assert [t.get_text() for t in axes.get_yticklabels()] == list("abcd")


def test_images_of_a_strip_stand_side_by_side_and_empty_places_are_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.Strip("images", columns=2), monkeypatch)
    (image,) = axes.images
    sheet = np.asarray(image.get_array())
    assert sheet.shape == (4, 4)
    tiles = 2 * np.arange(12.0).reshape(3, 2, 2)
    np.testing.assert_allclose(sheet, np.block([[tiles[0], tiles[1]], [tiles[2], np.zeros((2, 2))]]), atol=0.2)
    assert image.get_cmap().name == "gray_r"


@pytest.mark.parametrize("weight", [1, 4, 40])
def test_pictures_shrink_until_they_fit(weight: float, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []

    def png(panels: object, values: object, dpi: float) -> bytes:
        tried.append(dpi)
        return bytes(int(weight * dpi**1.7))

    monkeypatch.setattr(pictures, "_png", png)
    states = [{}, {}, {}]
    made = pictures.strip([], states, ["a", "b", "c"])
    total = 3 * int(weight * tried[-1] ** 1.7) * 4 / 3
    assert [words for _, words in made] == ["a", "b", "c"]
    assert tried[0] == 90
    assert all(a >= b for a, b in itertools.pairwise(tried))
    assert total <= pictures.MAX_BYTES or tried[-1] < 30
    assert len(tried) <= 3 * 8  # three a round
    if len(tried) > 3:  # no smaller than it must be
        assert total > 0.5 * pictures.MAX_BYTES or tried[-4] < 60


def test_a_spread_has_as_many_values_as_asked() -> None:
    assert _spread(0.0, 1.0, 4) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert _spread(0.0, 1.0, 5) == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert len(read("x", w.FloatSlider(value=0, min=0, max=1, step=0.001), grid=24).values) == 24


def test_a_control_that_only_matters_with_another_is_found_by_the_sweeps() -> None:
    def f(a: int, b: int, c: int) -> dict[str, float]:
        return {"x": float(a * b), "y": float(c)}

    controls = {n: read(n, w.IntSlider(value=0, min=0, max=s - 1)) for n, s in {"a": 30, "b": 2, "c": 30}.items()}
    tables = tabulate(wrap(f, list(controls)), controls, {})
    assert (tables["x"].depends, tables["y"].depends) == (("a", "b"), ("c",))  # not all three, as the last resort would have it


def test_classes_of_dots_have_the_colours_of_the_palette_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = axes_of(p.Scatter(x=X, y="y", classes=np.arange(9) % 7), monkeypatch)
    (dots,) = axes.collections
    names = ["one", "two", "three", "four", "five", "six", "one", "one", "two"]
    assert [to_hex(c) for c in dots.get_facecolors()] == [to_hex(colour(n)) for n in names]


def test_bars_may_be_many() -> None:
    many = [str(i) for i in range(300)]
    controls = {"k": w.IntSlider(value=2, min=2, max=3)}

    def explorer(categories: list[str]) -> Explorer:
        return Explorer(lambda k: {"v": np.ones(300) * k}, controls=controls, panels=[p.Bars("v", categories=categories)], sentence="{k}",
                        title="T", name="t", alt="A.")  # fmt: skip

    assert explorer(many)._payload["panels"][0]["categories"] == many
    with pytest.raises(ValueError, match="for 299 categories"):
        explorer(many[1:])
