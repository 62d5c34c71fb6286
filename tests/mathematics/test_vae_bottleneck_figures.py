"""The explorers against the library: what the page computes by its formulas is what the functions compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from kexue import datasets
from kexue.explorer import Explorer
from kexue.mathematics import vae_bottleneck_figures as explorers
from kexue.mathematics import vae_bottleneck_linear as linear
from kexue.mathematics import vae_bottleneck_plots as plots
from kexue.mathematics.vae_bottleneck_paths import expected_norm

F64 = torch.float64


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    loaded = datasets.load("digits")
    return loaded.images / 16, loaded.labels


@pytest.fixture(scope="module")
def water(digits: tuple[Tensor, Tensor]) -> Explorer:
    return explorers.water_level(*digits)


@pytest.fixture(scope="module")
def roads(digits: tuple[Tensor, Tensor]) -> Explorer:
    return explorers.two_roads(*digits, 0.02)


def at(explorer: Explorer, **state: float) -> dict[str, np.ndarray]:
    for name, value in state.items():
        explorer.controls[name].value = value
    return explorer.values()


def test_first_of_each_class(digits: tuple[Tensor, Tensor]) -> None:
    rows = explorers.first_of_each(torch.tensor([2, 0, 2, 1, 0]))
    assert rows == [1, 3, 0]
    assert digits[1][explorers.first_of_each(digits[1])].tolist() == list(range(10))


@pytest.mark.parametrize("level", [0.001, 0.05, 0.2, 1.0])
def test_read_outs_are_the_filling(water: Explorer, digits: tuple[Tensor, Tensor], level: float) -> None:
    heights = linear.pca(digits[0].flatten(1).to(F64))[1]
    filling, shown = linear.water_filling(heights, level), at(water, level=level)
    assert float(shown["rate"]) == pytest.approx(filling.rate.item(), abs=1e-5)
    assert float(shown["bits"]) == pytest.approx(filling.rate.item() / math.log(2), abs=1e-5)
    assert float(shown["distortion"]) == pytest.approx(filling.distortion.item(), abs=1e-5)
    assert float(shown["coded"]) == int(filling.coded)
    assert float(shown["lost"]) == pytest.approx(100 * filling.distortion.item() / heights.sum().item(), abs=1e-4)
    assert float(shown["surface"]) == pytest.approx(math.log10(level))
    error, rate = (water.figure.spec["panels"][1][axis] for axis in "xy")  # the dot lies in the picture
    assert error[0] <= float(shown["distortion"]) <= error[1]
    assert rate[0] <= float(shown["rate"]) <= rate[1]
    assert np.interp(filling.distortion.item(), shown["curve_error"], shown["curve_rate"]) == pytest.approx(filling.rate.item(), abs=0.3)
    assert np.diff(shown["tangent"]) / np.diff(shown["curve_error"]) == pytest.approx(np.full(119, -1 / (2 * level)), rel=1e-3)
    tangent = np.interp(filling.distortion.item(), shown["curve_error"], shown["tangent"])
    assert tangent == pytest.approx(filling.rate.item(), abs=2e-2)


@pytest.mark.parametrize("level", [0.001, 0.1, 1.0])
def test_decoded_digits_are_those_of_the_linear_code(water: Explorer, digits: tuple[Tensor, Tensor], level: float) -> None:
    data = digits[0].flatten(1).to(F64)
    mean, heights, directions = linear.pca(data)
    code = linear.linear_optimum(heights, level)
    chosen = data[explorers.first_of_each(digits[1])]
    decoded = ((chosen - mean) @ directions * code.a * code.w) @ directions.T + mean
    shown = at(water, level=level)
    np.testing.assert_allclose(shown["rebuilt"].reshape(10, 64), decoded.numpy(), atol=2e-4)
    assert shown["drawn"].shape == (10, 8, 8)
    spread = ((shown["drawn"].reshape(10, 64) - mean.numpy()) @ directions.numpy()).std(0)
    assert spread[int((heights > level).sum()) + 1 :].max() < 1e-3
    if level < 0.5:
        assert spread[0] == pytest.approx(math.sqrt(heights[0].item() - level), rel=0.6)


def test_draws_differ_and_the_sentence_speaks(water: Explorer) -> None:
    at(water, level=0.05)
    assert water.say() == (
        "At water level 0.0500 the code keeps 18 directions and costs 10.65 nats, 15.36 bits; the squared error is 1.486, "
        "31.7 % of the variance."
    )
    drawn = water.values()["drawn"].reshape(10, -1)
    assert np.linalg.matrix_rank(drawn - drawn.mean(0)) == 9
    assert water.data_bytes < 60_000


def test_states_that_the_text_names(water: Explorer, roads: Explorer) -> None:
    """Presets, marks, ends and starts of the sliders."""
    spec = water.figure.spec
    shown = {label: round(10 ** state["level"], 4) for label, state in spec["presets"]}
    assert shown == {"Nearly dry": 0.001, "18 directions": 0.05, "Ten bits": 0.0793, "Two peaks": 0.6, "Drowned": 1.0}
    (level,) = spec["controls"]
    assert [(round(10**value, 4), label) for value, label in level["marks"]] == [(0.0793, "10 bits"), (0.6989, "last peak")]
    assert (level["positions"][0], level["positions"][-1], level["positions"][1]) == (-3.0, 0.2, -2.99)
    assert 10 ** level["start"] == pytest.approx(0.05)
    assert [(p["x"], p["y"]) for p in spec["panels"][:2]] == [([0.0, 55.0], [-4.0, 0.2]), ([0.0, 4.75], [0.0, 90.0])]
    assert [(p["width"], p.get("columns")) for p in spec["panels"]] == [(0.6, None), (0.4, None), *[(1.0, 10)] * 3, (None, None)]
    spec = roads.figure.spec
    assert spec["presets"] == [
        ["Half-way, 2 numbers", {"t": 0.5, "size": 0.0}], ["Half-way, 128 numbers", {"t": 0.5, "size": 3.0}], ["At the end", {"t": 1.0}],
    ]  # fmt: skip
    t, size = spec["controls"]
    assert (t["start"], t["marks"], t["positions"][0], t["positions"][-1]) == (0.25, [[0.5, "half"]], 0.0, 1.0)
    assert (size["start"], size["labels"]) == (2.0, ["2", "8", "32", "128"])
    assert "play" in t
    assert "play" not in size
    assert spec["panels"][0]["y"] == [0.0, 10.0]


def test_landscape_is_the_staircase_of_the_heights(water: Explorer) -> None:
    at(water, level=0.01)
    shown = water.values()
    np.testing.assert_allclose(10 ** shown["water"], np.minimum(np.repeat(shown["heights"], 2), 0.01), rtol=1e-3)
    assert shown["heights"].shape == (55,)
    assert shown["floor"].tolist() == pytest.approx([-4.0] * 110, abs=1e-6)
    np.testing.assert_allclose(10 ** shown["crest"][::2], shown["heights"], rtol=1e-3)
    assert shown["water"].max() == pytest.approx(-2)
    assert shown["water"].min() > -4
    assert np.allclose(shown["water"][::2], shown["water"][1::2])


@pytest.mark.parametrize(("size", "dimension"), list(enumerate(explorers.DIMENSIONS)))
def test_lengths_along_the_roads(roads: Explorer, size: int, dimension: int) -> None:
    shown = at(roads, t=0.5, size=size)
    assert float(shown["count"]) == dimension
    assert float(shown["variance"]) == pytest.approx(0.5)
    assert float(shown["ratio"]) == pytest.approx(math.sqrt(0.5))
    assert float(shown["unit"]) == pytest.approx(1)
    for name in ("shell", "along"):
        assert shown[name].sum() * 0.005 == pytest.approx(1, abs=0.03)
    assert float(shown["shrunk"]) == pytest.approx(math.sqrt(0.5) * expected_norm(dimension) / math.sqrt(dimension), rel=1e-5)
    lengths = torch.randn(40_000, dimension, generator=torch.Generator().manual_seed(1)).norm(dim=1)
    below = (lengths < math.sqrt(0.5) * expected_norm(dimension)).double().mean().item()
    assert float(shown["below"]) == pytest.approx(below, abs=0.015)


def test_pictures_along_the_roads(roads: Explorer, digits: tuple[Tensor, Tensor]) -> None:
    ends = [at(roads, t=t) for t in (0.0, 1.0)]
    for shown in ends:
        np.testing.assert_allclose(shown["straight"], shown["round"], atol=1e-9)
    half = at(roads, t=0.5)
    mean = digits[0].mean(0).double().numpy()
    middle = (ends[0]["straight"] + ends[1]["straight"]) / 2
    np.testing.assert_allclose(half["straight"], middle, atol=1e-9)
    np.testing.assert_allclose(half["round"] - mean, math.sqrt(2) * (middle - mean), atol=1e-3)
    assert "128 numbers" in _said(roads, t=0.5, size=3)
    assert "variance 0.500 and 0.707 times" in _said(roads, t=0.5, size=3)


def _said(explorer: Explorer, **state: float) -> str:
    at(explorer, **state)
    return explorer.say()


WORDS = {"alt": "what is seen", "caption": "what is found"}


def test_plots_draw_what_they_are_given() -> None:
    shown = plots.hinges([0.0, 1.0, 2.0], [0.6, 0.2, 0.1], [0.5, 0.0, 0.0], 0.5, 0.25, name="fig-a", **WORDS)
    assert "what is seen" in repr(shown)
    curve = ([0.1, 1.0], [4.0, 1.0])
    one = plots.rate_distortion(curve, {"trained": ([0.5], [2.0])}, name="fig-b", **WORDS)
    two = plots.rate_distortion(curve, {"trained": ([0.5], [2.5])}, name="fig-b", **WORDS)
    assert one.markup != two.markup
    other = plots.rate_distortion(curve, {"trained": ([0.5], [2.0])}, label="Shannon", name="fig-b", **WORDS)
    assert other.markup != one.markup
    planes = plots.information_planes(curve, ([0.5], [0.2]), curve, ([0.3], [0.1]), [0.2], name="fig-c", **WORDS)
    fewer = plots.information_planes(curve, ([0.5], [0.2]), curve, ([0.3], [0.1]), [], name="fig-c", **WORDS)
    assert planes.markup != fewer.markup


def test_forgetting_and_atlas_draw_what_they_are_given() -> None:
    words = {"name": "fig-d", **WORDS}
    shown = plots.forgetting([1.0, 10.0], [0.5, 0.9], [0.1, 0.6], {"plain": 0.7, "dropout": 0.9}, 2.3, **words)
    assert shown.markup != plots.forgetting([1.0, 10.0], [0.5, 0.9], [0.1, 0.6], {"plain": 0.7}, 2.3, **words).markup
    assert shown.markup != plots.forgetting([1.0, 10.0], [0.5, 0.9], [0.2, 0.6], {"plain": 0.7, "dropout": 0.9}, 2.3, **words).markup
    points = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    one = plots.atlas({"a": points}, [0, 7, 7], **words)
    assert "what is seen" in repr(one)
    assert one.markup != plots.atlas({"a": points, "b": points}, [0, 7, 7], **words).markup
    assert one.markup != plots.atlas({"a": points}, [0, 7, 8], **words).markup
