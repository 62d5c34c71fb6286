from __future__ import annotations

import ipywidgets as w
import numpy as np
import pytest

from kexue.explorer import Explorer
from kexue.explorer import panels as p
from kexue.explorer.page import heights
from kexue.explorer.pictures import flatten

X = np.linspace(0.0, 2.0, 12)
LATTICE = p.lattice(6)
NOISE = np.random.default_rng(0).dirichlet(np.ones(3), 20)


def f(k, on):
    return {
        "y": np.where(X > 1.8, np.nan, X * k),
        "many": np.outer([1.0, 2.0], X) * k,
        "z": np.add.outer(X, k * X[:5]),
        "points": np.stack([X, k * X], axis=1),
        "simplex": NOISE,
        "density": LATTICE[:, 0] * k,
        "shares": np.array([0.2, 0.3, 0.5]) * k,
        "images": np.full((9, 4, 4), 0.1 * k),
        "counts": np.arange(11.0) * k,
        "at": 0.5 * k,
        "who": np.arange(12) % 3,
    }


def explorer(*panels, **more):
    controls = {"k": w.IntSlider(value=1, min=1, max=3), "on": w.Checkbox(value=False)}
    return Explorer(f, controls=controls, panels=list(panels), sentence="{k}", title="T", name="t", alt="A picture.", **more)


def spec(panel):
    return explorer(panel)._payload["panels"][0]


EVERY = {
    "curves": p.Curves("y", p.Line("many", colour="two", label="both", dashed=True, fill=True), x=X,
                       marks=[("at", "here"), 0.3, p.Mark(y=1.0)],
                       dots=[p.Dots(x="at", y="at", ring=True)], layers=[p.Note("at {at:.1f}", 1.0, 1.0)]),
    "band": p.Plane(layers=[p.Band("shares", [1.0, 1.0, 1.0], x=[0.0, 1.0, 2.0])], axes=False),
    "log": p.Curves([1e-3, 1.0, 50.0], x=[0.1, 1.0, 10.0], x_log=True, y_log=True, labels=["loss"]),
    "scatter": p.Scatter("points", classes="who", names=["a", "b", "c"], equal=True),
    "scatter xy": p.Scatter(x=X, y="y", label="dots"),
    "heat map": p.HeatMap("z", x_range=(0, 1), y_range=(0, 2), colours="diverging", layers=[p.Line([0.0, 2.0], [0.0, 1.0])]),
    "contours": p.HeatMap("z", x_range=(0, 1), y_range=(0, 2), layers=[p.Contours("z", [0.5, 1.0, 99.0], (0, 1), (0, 2))]),
    "no contours": p.Plane(layers=[p.Contours("z", [99.0])]),
    "path": p.Path(X, "y", value="y", layers=[p.Arrows(X, X, X, X, scale=0.1)]),
    "plain path": p.Path(X, "y"),
    "histogram": p.Histogram("counts", X),
    "outline": p.Plane(layers=[p.Bins("counts", X, outline=True)]),
    "bars": p.Bars("shares", categories=["a", "b", "c"], colours=["one", "two", "three"], reference=[0.3, 0.3, 0.3]),
    "grouped bars": p.Bars(["shares", [0.1, 0.1, 0.1]], labels=["model", "data"]),
    "simplex": p.Simplex("simplex", corners="ABC", classes=np.zeros(20), density="density", marks=[([0.2, 0.3, 0.5], "mean", "text")]),
    "simplex alone": p.Simplex(density="density"),
    "matrix": p.Matrix("z", digits=1, rows=list("abcdefghijkl"), columns=list("abcde")),
    "strip": p.Strip("images", labels=list("abcdefghi"), invert=True),
    "read-outs": p.Text([("k", "{k}")]),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_every_panel_is_declared_and_pictured(name):
    drawn = explorer(p.Curves("y", x=X), EVERY[name])
    known = {"plane", "bars", "simplex", "matrix", "strip", "text"}
    assert drawn._payload["panels"][1]["kind"] in known
    assert drawn.html().count("data:image/png") == 3


def test_axes_hold_all_that_occurs_on_the_grid_so_that_they_stand_still():
    panel = spec(p.Curves("many", x=X))
    assert panel["x"] == [0.0, 2.0]
    assert panel["y"][0] == 0.0
    assert panel["y"][1] == pytest.approx(12.0 * 1.04)
    assert spec(p.Curves("many"))["x"] == [0.0, 11.0]
    assert spec(p.Curves([5.0, 5.0]))["y"] == pytest.approx([4.8, 5.2])
    assert spec(p.Plane())["x"] == [0.0, 1.0]
    assert spec(p.Curves([3.0, 3.0], y_log=True))["y"] == [3.0, 30.0]


def test_dots_do_not_stretch_the_axes_of_lines():
    assert spec(p.Curves("y", x=X, dots=[p.Dots(x=[50.0], y=[1.0])]))["x"] == [0.0, 2.0]
    low, high = spec(p.Scatter("points"))["x"]
    assert (low, high) == (0.0 - 0.04 * 6, 6.0 + 0.04 * 6) or low <= 0.0 < 6.0 <= high


def test_rasters_are_stored_in_eight_bits_and_logarithmic_axes_in_logarithms():
    drawn = explorer(
        p.HeatMap("z", x_range=(0, 1), y_range=(0, 1)),
        p.Curves("many", x=X, y_range=(1, 9), y_log=True),
        p.Text([("a", "{at}")]),
    )
    tables = drawn._payload["tables"]
    assert (tables["z"]["enc"], tables["many"]["enc"], tables["at"]["enc"]) == ("u1", "u2", "f4")  # "many" starts at zero
    positive = explorer(p.Curves([1e-6, 1.0], y_log=True))
    assert positive._payload["tables"]["#0"]["enc"] == "u2log"


def test_equal_constants_are_stored_once():
    drawn = explorer(p.Curves("y", x=X), p.Curves("many", x=X.copy()))
    assert [n for n in drawn._payload["tables"] if n.startswith("#")] == ["#0"]


@pytest.mark.parametrize("m", [1, 2, 7])
def test_the_lattice_lies_inside_the_triangle_and_sums_to_one(m):
    points = p.lattice(m)
    assert len(points) == (m + 1) * (m + 2) // 2
    np.testing.assert_allclose(points.sum(axis=1), 1.0, rtol=1e-14)
    assert points.min() > 0
    np.testing.assert_allclose(points.mean(axis=0), 1 / 3, rtol=1e-12)  # it is as symmetric as the triangle


def test_the_triangle_of_print_is_equilateral():
    a, b, c = flatten(np.eye(3))
    assert np.linalg.norm(a - b) == pytest.approx(np.linalg.norm(b - c), rel=1e-14) == pytest.approx(np.linalg.norm(c - a), rel=1e-14)


def test_the_height_counts_rows_side_by_side_and_stacked():
    panel = {"width": None, "height": 200, "title": ""}
    control = {"kind": "range", "marks": []}
    one, two, three = (heights([panel] * n, [control], 0) for n in (1, 2, 3))
    assert one[0] == two[0] == three[0] - 214
    assert two[1] - one[1] == 214
    assert heights([panel], [{**control, "play": 200}], 2)[1] > one[1]


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        (lambda: p.Curves("y", height=10), "at least 40"),
        (lambda: p.Curves("y", width=1.5), "share of the row"),
        (lambda: p.Curves("y", y_range=(1, 0)), "expected low < high"),
        (lambda: p.Curves("y", y_range=(0, 1), y_log=True), "0 < low < high"),
        (lambda: p.Curves(p.Line("y", colour="red")), "unknown colour 'red'"),
        (lambda: p.Scatter(), "either xy"),
        (lambda: p.Scatter("z"), r"expected \(n, 2\)"),
        (lambda: p.HeatMap("y", x_range=(0, 1), y_range=(0, 1)), r"expected \(rows, columns\)"),
        (lambda: p.HeatMap("z", x_range=(1, 2), y_range=(0, 1), x_log=True), "bend"),
        (lambda: p.HeatMap("z", x_range=(0, 1), y_range=(0, 1), colours="jet"), "unknown colour map 'jet'"),
        (lambda: p.Plane(layers=[p.Contours("y", [1.0])]), r"expected \(rows, columns\) and \(n,\)"),
        (lambda: p.Plane(layers=[p.Contours("z", [1.0])], x_range=(1, 2), x_log=True), "bend"),
        (lambda: p.Histogram("counts", X[:4]), r"expected \(n,\) and \(n \+ 1,\)"),
        (lambda: p.Plane(layers=[p.Mark()]), "either x"),
        (lambda: p.Plane(layers=[p.Mark(x="y")]), r"one number, got shape \(12,\)"),
        (lambda: p.Plane(layers=[p.Note("n", anchor="left")]), "unknown anchor 'left'"),
        (lambda: p.Plane(layers=[p.Note("{nope}")]), "neither a control nor an output"),
        (lambda: p.Bars("shares", categories=["a"]), "for 1 categories"),
        (lambda: p.Bars("shares", y_range=(1, 1)), "low < high"),
        (lambda: p.Simplex("points"), r"expected \(n, 3\)"),
        (lambda: p.Simplex("simplex", corners=["a"]), "three corners"),
        (lambda: p.Simplex(density="y"), "no triangular lattice"),
        (lambda: p.Matrix("y"), "values of shape"),
        (lambda: p.Strip("z"), "expected \\(n, height, width\\)"),
    ],
)
def test_a_wrong_panel_is_refused(panel, message):
    with pytest.raises(ValueError, match=message):
        explorer(panel())
