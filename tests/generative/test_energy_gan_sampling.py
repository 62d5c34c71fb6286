"""Samplers: the right proposal density leaves the target invariant, the published ones do not, each with its own exact law."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kexue.generative import energy_gan_sampling as sampling

F64 = torch.float64


def bowl(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x.square().sum(-1)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stationary_variance(log_density: sampling.LogProposal, eps: float, *, reach: float = 12.0, n: int = 301) -> float:
    """The variance of the chain's law from its transition matrix on a grid: an oracle without randomness."""
    x = torch.linspace(-reach, reach, n, dtype=F64)
    old, new = x[:, None, None].expand(n, n, 1), x[None, :, None].expand(n, n, 1)
    kernel = torch.exp(sampling.log_proposal(new, old, old, eps)) * (x[1] - x[0]) / math.sqrt(2 * math.pi * eps)
    log_ratio = bowl(old) - bowl(new) + log_density(old, new, new, eps) - log_density(new, old, old, eps)
    move = (kernel * log_ratio.clamp(max=0).exp()).numpy()
    np.fill_diagonal(move, 0.0)
    np.fill_diagonal(move, 1 - move.sum(1))
    for _ in range(12):
        move = move @ move
    law = move[n // 2]
    return float(law @ x.numpy() ** 2 / law.sum())


@pytest.mark.parametrize("eps", [0.3, 0.5, 1.0])
def test_exact_law_of_each_variant(eps: float) -> None:
    assert stationary_variance(sampling.log_proposal, eps) == pytest.approx(1, abs=1e-6)
    assert stationary_variance(sampling.printed_log_proposal, eps) == pytest.approx(4 / (3 * eps), rel=1e-4)
    assert stationary_variance(sampling.no_log_proposal, eps) == pytest.approx(1 / (2 - eps / 4), rel=1e-6)
    assert abs(stationary_variance(sampling.norm_log_proposal, eps) - 1) > 0.1


def test_corrected_chain_is_invariant_and_the_printed_is_not() -> None:
    start = torch.randn(2000, 1, generator=rng(), dtype=F64)
    right = sampling.mala(bowl, start, 0.5, 100, generator=rng(1))
    assert float(right.moments[50:].mean()) == pytest.approx(1, abs=0.02)  # 1e5 draws
    assert 0.9 < right.acceptance < 1
    wrong = sampling.mala(bowl, start, 0.5, 100, generator=rng(1), log_density=sampling.printed_log_proposal)
    assert float(wrong.moments[50:].mean()) > 2


def test_langevin_is_too_wide_by_the_law() -> None:
    start = torch.randn(2000, 2, generator=rng(2), dtype=F64)
    chain = sampling.langevin(bowl, start, 0.5, 120, generator=rng(3))
    assert float(chain.moments[30:].mean()) == pytest.approx(1 / (1 - 0.5 / 4), rel=0.02)
    assert chain.acceptance == 1


def test_mala_samples_a_law_that_is_not_normal() -> None:
    def quartic(x: torch.Tensor) -> torch.Tensor:
        return 0.25 * (x**4).sum(-1)

    chain = sampling.mala(quartic, torch.zeros(2000, 1, dtype=F64), 0.3, 150, generator=rng(4))
    exact = 2 * math.gamma(0.75) / math.gamma(0.25)  # E x² under exp(−x⁴/4)
    assert float(chain.moments[70:].mean()) == pytest.approx(exact, rel=0.03)


def test_same_seed_same_chain() -> None:
    start = torch.zeros(5, 3)
    one, two = (sampling.mala(bowl, start, 0.4, 7, generator=rng(5)) for _ in range(2))
    assert torch.equal(one.x, two.x)
    assert one.x.dtype == torch.float32
    assert not torch.equal(one.x, sampling.mala(bowl, start, 0.4, 7, generator=rng(6)).x)


def test_small_steps_are_nearly_always_accepted() -> None:
    start = torch.randn(500, 4, generator=rng(7), dtype=F64)
    assert sampling.mala(bowl, start, 0.01, 20, generator=rng(8)).acceptance > 0.995


def test_gradient_is_that_of_the_energy() -> None:
    x = torch.randn(6, 3, generator=rng(9), dtype=F64)
    u, gradient = sampling.energy_gradient(lambda y: (y**3).sum(-1), x)
    torch.testing.assert_close(u, (x**3).sum(-1))
    torch.testing.assert_close(gradient, 3 * x**2)


def test_refusals() -> None:
    x = torch.zeros(2, 1)
    with pytest.raises(ValueError, match="must be above 0"):
        sampling.langevin(bowl, x, 0.0, 3, generator=rng())
    with pytest.raises(ValueError, match="must be above 0"):
        sampling.mala(bowl, x, 0.1, 0, generator=rng())
    with pytest.raises(ValueError, match="one number for each point"):
        sampling.langevin(lambda y: y, x, 0.1, 1, generator=rng())
