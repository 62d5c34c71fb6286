"""The explorers show what the library computes, in every state that the text names; the plots show what they are given."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from kexue.explorer import Explorer
from kexue.mathematics import activations as act
from kexue.mathematics import activations_depth as deep
from kexue.mathematics import activations_figures as explorers
from kexue.mathematics import activations_plots as plots

FAMILIES = (act.su, act.swish, act.tanhexp)


@pytest.fixture(scope="module")
def shape() -> Explorer:
    return explorers.shape()


@pytest.fixture(scope="module")
def branching() -> Explorer:
    return explorers.branching()


def put(explorer: Explorer, **state: Any) -> dict[str, Any]:
    for name, value in state.items():
        explorer.controls[name].value = value
    return explorer.values()


@pytest.mark.parametrize("state", [(0, 1.0, 1.0), (1, 1.0, 1.676532), (1, 0.4, 2.2), (2, 2.5, 1.3), (0, 7.0, 0.6)])
def test_the_page_iterates_the_maps_of_the_library(shape: Explorer, state: tuple[int, float, float]) -> None:
    family, beta, gain = state
    v = put(shape, family=family, beta=beta, gain=gain, depth=12)
    f = act.Activation("f", "f", lambda x: FAMILIES[family](x, beta), (0.0,))
    q, growth = deep.trajectory(f, 64, weight=gain**2)
    inside = (q.log10().abs() < 8).numpy()
    np.testing.assert_allclose(v["sizes"][inside], q.log10().numpy()[inside], atol=3e-3)
    np.testing.assert_allclose(v["grads"][inside], growth.log10().numpy()[inside], atol=3e-3)
    np.testing.assert_allclose(v["nexts"][:-1], v["sizes"][1:], atol=1e-9)
    np.testing.assert_allclose(v["step"][:-1], np.diff(v["sizes"]), atol=1e-9)
    near = np.abs(v["before"]).argmin()
    at = 10 ** float(v["before"][near])
    assert v["change"][near] == pytest.approx(float((deep.q_map(f, at, weight=gain**2) / at).log10()), abs=1e-9)
    here = float(q[12])
    m = act.moments(f, q=here)
    assert v["q"] == pytest.approx(here, rel=0.01)
    assert v["own"] == pytest.approx(act.moments(f).gain, rel=1e-3)
    exact = act.moments(f, q=float(v["q"]))
    assert v["mean"] == pytest.approx(exact.mean, rel=1e-3)
    assert v["energy"] == pytest.approx(exact.square, rel=1e-3)
    assert v["rate"] == pytest.approx(gain**2 * m.slope_square, rel=0.01)


def test_functions_slopes_and_sleepers(shape: Explorer) -> None:
    x = torch.linspace(-5, 3, 161, dtype=torch.float64)
    z = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for family, f in enumerate(FAMILIES):
        v = put(shape, family=family, beta=1.4, gain=1.2, depth=3)
        np.testing.assert_allclose(v["f_x"], f(x, 1.4), atol=1e-9)
        np.testing.assert_allclose(v["d_x"], act.slope(lambda t, f=f: f(t, 1.4), x), atol=1e-9)
        np.testing.assert_allclose(v["bell"], np.exp(-(x.numpy() ** 2) / (2 * v["q"])), rtol=1e-9)
        asleep = (act.slope(lambda t, f=f: f(t, 1.4), math.sqrt(v["q"]) * z).abs() < 0.05).double().mean().item()
        assert v["asleep"] == pytest.approx(100 * asleep, abs=1.0)


def test_shape_is_small_and_speaks(shape: Explorer) -> None:
    assert shape.data_bytes < 100_000
    put(shape, family=1, beta=1.0, gain=1.0, depth=20)
    words = shape.say()
    assert "Swish" in words
    assert "at layer 20 the variance is ten to the −11.8" in words
    assert "grown by ten to the −11.7, and the next layer multiplies it by 0.25" in words
    assert len(explorers.size_tables(0)["log_energy"]) == 521


def test_shape_presets_are_the_own_gains(shape: Explorer) -> None:
    presets = {label: values for label, values in shape.figure.spec["presets"]}
    assert presets["Swish, own gain"]["gain"] == pytest.approx(act.gain("swish"))
    assert presets["Su, own gain"]["gain"] == pytest.approx(act.gain("su"))
    assert len(presets) == 7


@pytest.mark.parametrize("name", ["relu", "su", "tanh", "sigmoid"])
@pytest.mark.parametrize("critical", [0, 1])
def test_offspring_is_that_of_the_library(name: str, critical: int) -> None:
    v = explorers.offspring(name, critical)
    m = act.moments(name)
    weight, bias = deep.critical_init(name) if critical and m.chi > 1 else (1 / m.square, 0.0)
    shares = deep.hermite_shares(name, 8) * weight * m.square + bias * (torch.arange(9) == 0)
    np.testing.assert_allclose(v["shares"], 100 * shares, atol=1e-9)
    path = deep.correlation_trajectory(name, 12, weight=weight, bias=bias)
    np.testing.assert_allclose(np.asarray(v["path"])[:13], path, atol=5e-6)
    np.testing.assert_allclose(v["curve"], deep.correlation_map(name, torch.linspace(0, 1, 41), weight=weight, bias=bias), atol=5e-6)
    assert v["rate"] == pytest.approx(weight * m.slope_square)


def test_branching_states_of_the_text(branching: Explorer) -> None:
    assert branching.data_bytes < 50_000
    sigmoid = put(branching, activation="sigmoid", critical=0, depth=3)
    assert sigmoid["shares"][0] == pytest.approx(85.2, abs=0.05)
    assert sigmoid["here"] > 0.995
    assert put(branching, activation="tanh", critical=0, depth=64)["here"] == pytest.approx(0, abs=1e-6)
    relu = put(branching, activation="relu", critical=0, depth=10)
    assert relu["shares"][0] == pytest.approx(100 / math.pi, rel=1e-9)
    assert relu["apart"] == pytest.approx(1 - relu["path"][10])
    np.testing.assert_allclose(relu["after"], [*relu["path"][1:], relu["path"][64]], rtol=1e-12)
    assert "the mean degree is 1.000; two orthogonal inputs have correlation 0.872 at layer 10" in branching.say()


# --------------------------------------------------------------------------------------------------------------------------- plots
WORDS = {"name": "fig-act-x", "alt": "what it shows", "caption": "what it shows"}


def markup(shown: Any) -> str:
    return str(shown._repr_mimebundle_()["text/html"])


def test_every_function_has_a_colour() -> None:
    assert set(plots.COLOURS) == set(act.ACTIVATIONS)


def test_gallery_and_plane_draw_every_name() -> None:
    svg = markup(plots.gallery(["relu", "su"], **WORDS))
    assert svg.count("var(--kx-two") >= 2  # function and slope of Su
    plane = markup(plots.design_plane(["relu", "su", "gelu"], **WORDS))
    assert all(f"--kx-{role}" in plane for role in ("fg", "two", "four"))


def test_moment_table_holds_the_numbers() -> None:
    words = {"name": "tab-act-x", "caption": "moments"}
    text = repr(plots.moment_table(["su", "sigmoid"], **words))
    assert "function | E f | E f² | E f ′ | E f ′² | own gain | χ | dq′/dq" in text
    assert "Su | 0.2616 | 0.5426 | 0.6242 | 0.5853 | 1.3575 | 1.0786 | 0.9259" in text
    assert "sigmoid | 0.5000 | 0.2934 | 0.2066 | 0.0448 | 1.8462 | 0.1528 | 0.1063" in text


def test_profiles_draw_dots_bands_and_lines() -> None:
    squares = torch.tensor([[8.0, 4.0, 2.0, 1.0], [2.0, 2.0, 1.0, 1.0]])
    svg = markup(plots.profiles({"one": squares}, {"one": torch.tensor([8.0, 4.0, 2.0, 1.0])}, {"one": "five"}, **WORDS))
    assert svg.count("var(--kx-five") >= 3


def test_boundaries_and_theory() -> None:
    field = torch.zeros(8, 10, dtype=torch.bool)
    field[:, 5:] = True
    points, classes = torch.tensor([[0.1, 0.2], [0.8, 0.7]]), torch.tensor([0.0, 1.0])
    svg = markup(plots.boundaries({"left": field, "right": ~field}, points, classes, (0, 1, 0, 1), **WORDS))
    assert len(re.findall("<image", svg)) >= 2  # the points of each panel
    growth = {"relu": 1.467, "su": 1.234}
    seeds = {"relu": [2.6, 2.7], "su": [1.6, 1.7]}
    drawn = markup(plots.against_theory(growth, seeds, seeds, 31, **WORDS))
    assert drawn.count("var(--kx-two") >= 2
    flat = {20: [[0.5, 0.6], [0.7, 0.8]], 40: [[0.1, 0.2], [0.3, 0.4]]}
    svg = markup(plots.edge_figure({20: [-1.0, 1.0], 40: [-2.0, 2.0]}, flat, flat, (50, 200), **WORDS))
    assert svg.count("var(--kx-one") == svg.count("var(--kx-two") > 4
