"""The explorer's values against the library, its permutations against true ones, its states."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kexue.explorer import Explorer
from kexue.mathematics import hsic
from kexue.mathematics import hsic_figures as explorers
from kexue.mathematics.hsic_independence import permutation_null, random_orders


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return explorers.kernels_and_bandwidth()


KERNELS = (hsic.gaussian_gram, hsic.laplace_gram, hsic.linear_gram, hsic.distance_gram)


@pytest.mark.parametrize(
    ("state", "of"),
    [
        ({"family": 1, "strength": 0.9, "scale": 1.0, "kernel": 0, "n": 100, "sample": 0}, "gaussian_line"),
        ({"family": 2, "strength": 0.4, "scale": 0.1, "kernel": 1, "n": 50, "sample": 1}, "laplace_line"),
        ({"family": 4, "strength": 1.0, "scale": 10.0, "kernel": 2, "n": 25, "sample": 2}, "linear_line"),
        ({"family": 0, "strength": 0.3, "scale": 1.0, "kernel": 3, "n": 50, "sample": 0}, "distance_line"),
        ({"family": 3, "strength": 1.0, "scale": 0.1, "kernel": 0, "n": 100, "sample": 2}, "gaussian_line"),
    ],
)
def test_the_page_computes_what_the_library_computes(explorer: Explorer, state: dict[str, float], of: str) -> None:
    for name, value in state.items():
        explorer.controls[name].value = value
    v = {name: float(value) if np.ndim(value) == 0 and not isinstance(value, str) else value for name, value in explorer.values().items()}
    x, y = (torch.from_numpy(p) for p in explorers.points(int(state["family"]), state["strength"], int(state["sample"]), int(state["n"])))
    make = KERNELS[int(state["kernel"])]
    widths = [state["scale"] * hsic.median_bandwidth(p) for p in (x, y)]
    k, m = (make(p, w) if state["kernel"] < 2 else make(p) for p, w in zip((x, y), widths, strict=True))
    close = {"rel_tol": 1e-7, "abs_tol": 1e-12}
    assert math.isclose(v["hsic_b"], hsic.hsic_biased(k, m), **close)
    assert math.isclose(v["hsic_u"], hsic.hsic_unbiased(k, m), **close)
    assert math.isclose(v["cka"], hsic.cka(k, m), **close)
    assert math.isclose(v["pearson"], np.corrcoef(x, y)[0, 1], **close)
    orders = torch.from_numpy(v["orders"]).long()[:, : len(x)]
    assert torch.equal(orders.sort(1).values, torch.arange(len(x)).expand(200, len(x)))
    by_x = x.argsort()
    null = permutation_null(k[by_x][:, by_x], m[by_x][:, by_x], orders)
    np.testing.assert_allclose(v["null"], null, rtol=1e-7, atol=1e-12)
    assert math.isclose(v["p_value"], (1 + int((null >= v["hsic_b"]).sum())) / 201, rel_tol=1e-12)
    places = np.flatnonzero(np.isclose(explorers.SCALES, math.log10(state["scale"])))
    if state["kernel"] > 1 or len(places):
        drawn = v[of][0 if state["kernel"] > 1 else places[0]]
        assert math.isclose(v["margin"], drawn, rel_tol=0.02, abs_tol=0.02)
    assert len(v["shown_x"]) == 100
    assert np.isfinite(v["shown_x"]).sum() == len(x)
    assert abs(v["picture_x"]).max() == pytest.approx(1)


def test_the_bias_of_the_read_out_is_the_mean_over_all_relabellings(explorer: Explorer) -> None:
    for name, value in {"family": 1, "strength": 0.9, "scale": 1.0, "kernel": 0, "n": 25, "sample": 0}.items():
        explorer.controls[name].value = value
    v = {name: float(value) if np.ndim(value) == 0 and not isinstance(value, str) else value for name, value in explorer.values().items()}
    x, y = (torch.from_numpy(p) for p in explorers.points(1, 0.9, 0, 25))
    null = permutation_null(hsic.gram(x), hsic.gram(y), random_orders(25, 4000, torch.Generator().manual_seed(0)))
    assert abs(null.mean() - v["bias"]) < 4 * null.std() / 4000**0.5
    assert math.isclose(v["centre"], null.mean(), rel_tol=0.1)  # 200 relabellings by sines are as good as any
    assert math.isclose(v["sd"], null.std(), rel_tol=0.25)


def test_points_keep_their_variance_and_their_kind() -> None:
    for family in range(5):
        x, y = explorers.points(family, 0.0, 0, 100)
        assert abs(np.corrcoef(x, y)[0, 1]) < 0.3
    x, y = explorers.points(0, 1.0, 1, 50)
    np.testing.assert_allclose(y, x, atol=1e-12)
    x, y = explorers.points(1, 1.0, 2, 100)
    np.testing.assert_allclose(x**2 + y**2, 2, atol=1e-12)
    x, y = explorers.points(3, 1.0, 0, 25)
    np.testing.assert_allclose(y, math.sqrt(2) * np.sin(6 * x), atol=1e-12)
    assert len(x) == 25


def test_each_bandwidth_sees_what_the_chapter_says() -> None:
    fast = explorers.excess(3, 1.0, 0, 100)["gaussian_line"]
    tenth, median, wide = (int(np.argmin(abs(explorers.SCALES - s))) for s in (-1, 0, 2))
    assert fast[tenth] > 8
    assert fast[median] < 2
    assert fast[wide] < 2
    line = explorers.excess(0, 0.4, 0, 100)
    assert line["gaussian_line"][wide] == explorers.TOP
    assert line["gaussian_line"].max() <= explorers.TOP
    assert math.isclose(
        explorers.excess(1, 0.9, 0, 50)["med_x"], hsic.median_bandwidth(torch.from_numpy(explorers.points(1, 0.9, 0, 50)[0]))
    )


def test_information_is_that_of_a_normal_pair(explorer: Explorer) -> None:
    for strength, words in ((0.0, "0 nats"), (0.5, "0.347 nats"), (1.0, "infinite")):
        explorer.controls["family"].value, explorer.controls["strength"].value = 0, strength
        assert explorer.values()["truth"] == words
    explorer.controls["family"].value = 1
    assert explorer.values()["truth"] == "no closed form"


def test_the_declaration_fits_the_page(explorer: Explorer) -> None:
    assert explorer.data_bytes < 300_000
    assert "Pearson's r is" in explorer.say()
