"""The still figures of the energy chapter, and the digging network behind one of them."""

from __future__ import annotations

import re

import pytest
import torch

from kexue.figures import Shown
from kexue.generative import energy_gan as eg
from kexue.generative import energy_gan_figures as plots
from kexue.generative.energy_gan_digging import dig_network
from kexue.generative.energy_gan_entropy import TwoPits

F64 = torch.float64
WORDS = {"alt": "What this figure shows, in so many words that it can be read aloud", "caption": "The finding."}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shown() -> dict[str, Shown]:
    data, first = eg.Normals((-2.0, 2.0), (0.7, 0.7)), eg.Normals((0.0,), (2.5,))
    x = torch.linspace(-7, 7, 60, dtype=F64)
    start = first.quantiles(40)
    paths = {w: eg.particle_flow(start, data, w, 0.5, time=0.4, steps=8, length=14.0) for w in ("fake", "mixture", "uniform")}
    real = torch.tensor([-3.0, -1.0, 0.5, 2.0, 4.0], dtype=F64)
    variances = {k: [1.0, 1.0] for k in ("right", "none", "printed", "langevin")}
    return {
        "fig-pits": plots.pits_figure(real, [eg.Normals((0.0,), (1.0,)), first], name="fig-pits", **WORDS),
        "fig-flow": plots.flow_figure(x, data, first, paths, (0.0, 0.2), 0.05, 0.5, name="fig-flow", **WORDS),
        "fig-momentum": plots.momentum_figure(
            TwoPits(), [0.0, 0.9], {0.1: [1.0, 0.2], 0.2: [1.0, 0.1], 0.3: [1, 0]}, name="fig-momentum", **WORDS
        ),
        "fig-samplers": plots.sampler_figure([0.1, 1.0], variances, name="fig-samplers", **WORDS),
        "fig-heights": plots.heights_figure({"linear": torch.tensor([1.0, 5.0])}, name="fig-heights", **WORDS),
    }


def test_figures_say_what_they_show_and_are_the_same_twice() -> None:
    first, second = shown(), shown()
    for name, figure in first.items():
        assert f'id="{name}"' in figure.markup
        assert len(figure.markup) < 150_000
        assert set(re.findall(r"stroke: ?(#[0-9a-f]{6})", figure.markup)) == set()  # all colours follow the page
        assert figure.markup == second[name].markup


def test_momentum_empties_the_near_pit() -> None:
    land = TwoPits()
    shares = [plots.share_left(land, step=0.3, beta=beta, balls=60) for beta in (0.0, 0.5, 0.9)]
    assert shares[0] == 1
    assert shares[0] > shares[1] > shares[2]
    assert plots.share_left(land, step=0.05, beta=0.5, balls=60) == 1  # small steps allow some momentum


@pytest.fixture(scope="module")
def points() -> tuple[torch.Tensor, torch.Tensor]:
    return 0.3 * torch.randn(32, generator=rng(1)), 4 + 0.3 * torch.randn(32, generator=rng(2))


def test_linear_loss_runs_away_unless_the_gap_is_penalised(points: tuple[torch.Tensor, torch.Tensor]) -> None:
    height = {
        (where, weight): float(dig_network(*points, where=where, weight=weight, steps=120, generator=rng())[-1])
        for where, weight in (("real", 0.0), ("real", 1.0), ("interpolates", 1.0))
    }
    assert height["real", 0.0] > 1e3
    assert height["real", 1.0] > 1e3
    assert 6 < height["interpolates", 1.0] < 15  # two atoms: a²/2λ = 8


def test_bounded_losses_stay_low(points: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert float(dig_network(*points, "hinge", steps=120, generator=rng())[-1]) < 20
    assert float(dig_network(*points, "softplus", weight=1.0, steps=120, generator=rng())[-1]) < 100


def test_digging_is_repeatable_and_careful(points: tuple[torch.Tensor, torch.Tensor]) -> None:
    one, two = (dig_network(*points, "hinge", steps=3, generator=rng(5)) for _ in range(2))
    assert torch.equal(one, two)
    with pytest.raises(ValueError, match="one shape"):
        dig_network(points[0], points[1][:3], generator=rng())
    with pytest.raises(ValueError, match="must be one of"):
        dig_network(*points, "square", steps=1, generator=rng())
