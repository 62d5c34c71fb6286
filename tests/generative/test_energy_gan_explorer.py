"""The explorer "Dig and jump": what its page computes is what the library computes, and it says so."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch

from kexue.explorer import Explorer
from kexue.generative import energy_gan as eg
from kexue.generative import energy_gan_explorer as explorer

F64 = torch.float64


@pytest.fixture(scope="module")
def figure() -> Explorer:
    return explorer.dig_and_jump()


def values(figure: Explorer, **state: Any) -> dict[str, Any]:
    start = {"mean": -5.0, "width": 0.8, "lam": 1.0, "step": 0, "place": 3, "beta": 0.0, "dig": 0}
    for name, control in figure.controls.items():
        control.value = state.get(name, start[name])
    return figure.values()


@pytest.mark.parametrize(("mean", "width"), [(-6.0, 0.5), (0.0, 1.0), (0.5, 2.4), (2.0, 1.3), (-1.0, 3.3)])
def test_pits_follow_the_rule(figure: Explorer, mean: float, width: float) -> None:
    real = torch.as_tensor(explorer.REAL)
    expected = eg.pits(real, eg.Normals((mean,), (width,)).cdf(real), least=explorer.LEAST)
    for place in range(4):
        state = values(figure, mean=mean, width=width, place=place, lam=0.5)
        assert state["is_pit"].astype(bool).tolist() == expected.tolist()


def test_slope_is_the_closed_form(figure: Explorer) -> None:
    state = values(figure, mean=0.5, width=2.4, lam=0.5)
    x = torch.as_tensor(np.asarray(state["axis"]))
    soft = torch.sigmoid((x[:, None] - torch.as_tensor(explorer.REAL)) / explorer.SOFT).mean(-1)
    r = torch.full_like(x, 1 / (2 * explorer.SIDE))
    exact = eg.critic_slope(soft, eg.Normals((0.5,), (2.4,)).cdf(x), r, 0.5)
    np.testing.assert_allclose(state["slope_g"], exact, atol=3e-3)  # the page's normal law is right to 2e-4, times 1/2λr = 14
    assert float(state["steepest"]) == pytest.approx(float(exact[x.abs() <= 6].abs().max()), rel=0.01)


@pytest.mark.parametrize("place", range(4))
def test_basins_are_fair_without_momentum(figure: Explorer, place: int) -> None:
    share = values(figure, mean=0.5, width=2.4, place=place, step=40)["share"]
    np.testing.assert_allclose(share, 0.2, atol=0.026)  # one ball of forty
    assert "20, 20, 20, 20 and 20 %" in figure.say()


def test_momentum_spoils_the_shares(figure: Explorer) -> None:
    worst = [float(values(figure, mean=0.5, width=2.4, beta=beta, step=40)["worst"]) for beta in (0.0, 0.9)]
    assert worst[0] < 0.03
    assert worst[1] > 0.1


def test_digging_anew_reaches_all_five(figure: Explorer) -> None:
    frozen = values(figure, step=40)
    assert float(frozen["served"]) <= 3
    anew = values(figure, step=40, dig=1)
    assert float(anew["served"]) == 5
    assert float(anew["pits"]) == 5
    assert float(values(figure, dig=1)["pits"]) <= 1


def test_steps_are_the_heavy_ball(figure: Explorer) -> None:
    """The unrolled formulae against a loop."""
    state = values(figure, mean=1.0, width=1.5, beta=0.6, step=7, place=2)
    x, v = 1.0 + 1.5 * np.asarray(state["deviates"]), 0.0
    for k in range(7):
        v = 0.6 * v - explorer.STEP * np.asarray(state[f"felt_{k}"])
        x = x + v
    np.testing.assert_allclose(state["ball"], x, rtol=1e-12)
    np.testing.assert_allclose(state["x_7"], state["x_40"], rtol=0)  # after the step that is shown they stand still


def test_real_samples_alone_make_walls(figure: Explorer) -> None:
    steep = [float(values(figure, mean=0.5, width=2.4, place=place)["steepest"]) for place in (0, 1)]
    assert steep[0] > 10 * steep[1]


def test_it_is_light_and_whole(figure: Explorer) -> None:
    values(figure)
    assert figure.data_bytes < 300_000
    assert figure.grid_states == 1  # everything is a formula
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', figure.html(), re.S)[1])  # type: ignore[index]
    assert {c["name"] for c in data["controls"]} == {"mean", "width", "lam", "step", "place", "beta", "dig"}
    assert len(data["presets"]) == 8
    assert next(c for c in data["controls"] if c["name"] == "step")["play"]
    assert "0 of 5 real samples are pits" in figure.say()
