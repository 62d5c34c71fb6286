"""The Gaussian toy against its formulae, entropies by the Jacobian, heavy balls against the roots of their recurrence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from kexue.generative import energy_gan_entropy as entropy

F64 = torch.float64


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.floats(0.5, 2), st.floats(0.1, 3), st.floats(0.05, 1))
@settings(max_examples=40, deadline=None)
def test_best_width_minimises_the_loss(s: float, weight: float, noise: float) -> None:
    def loss(v: float) -> float:  # v = σ² + ν²
        return weight * noise**2 / v + v / (2 * s**2)

    found = minimize_scalar(loss, bounds=(noise**2, 50), method="bounded", options={"xatol": 1e-10}).x
    sigma = entropy.best_width("substitute", s, weight=weight, noise=noise)
    assert sigma**2 + noise**2 == pytest.approx(max(found, noise**2), abs=1e-4)


@pytest.mark.parametrize(
    ("term", "more"),
    [
        ("entropy", {}),
        ("none", {}),
        ("substitute", {}),
        ("substitute", {"weight": 2.0, "noise": 0.5}),
        ("substitute", {"weight": 0.5, "noise": 0.3}),
    ],
)
def test_training_finds_the_formula(term: str, more: dict[str, float]) -> None:
    fit = entropy.fit_toy(term, 1.5, 1.0, generator=rng(), **more)
    assert fit.mean == pytest.approx(1.5, abs=0.02)
    assert abs(fit.width) == pytest.approx(entropy.best_width(term, 1.0, **more), abs=0.005, rel=0.02)


def test_same_seed_same_fit() -> None:
    one, two = (entropy.fit_toy("substitute", 1.0, 2.0, generator=rng(3), noise=0.2, steps=20, batch=16) for _ in range(2))
    assert torch.equal(one.widths, two.widths)
    assert one.means.shape == (20,)


def test_log_det_entropy_is_exact() -> None:
    turn = torch.tensor([[2.0, 0.3], [0.1, 0.5]], dtype=F64)
    z = torch.randn(50, 2, generator=rng(), dtype=F64)
    linear = entropy.log_det_entropy(lambda code: turn @ code + 1, z)
    assert float(linear) == pytest.approx(math.log(2 * math.pi * math.e) + math.log(abs(1.0 - 0.03)), rel=1e-12)
    log_normal = entropy.log_det_entropy(torch.exp, z[:, :1])  # H = ½ log 2πe + E z
    assert float(log_normal) == pytest.approx(0.5 * math.log(2 * math.pi * math.e) + float(z[:, 0].mean()), rel=1e-12)


def test_log_det_entropy_has_a_gradient() -> None:
    scale = torch.tensor(2.0, dtype=F64, requires_grad=True)
    z = torch.randn(8, 3, generator=rng(), dtype=F64)
    (slope,) = torch.autograd.grad(entropy.log_det_entropy(lambda code: scale * code, z), scale)
    assert float(slope) == pytest.approx(3 / 2)  # H = 3 log(scale) + constant


@given(st.floats(0.02, 0.9), st.floats(0.0, 0.98))
@settings(max_examples=25, deadline=None)
def test_overshoot_is_complex_roots(step_curvature: float, beta: float) -> None:
    threshold = entropy.overshoot_threshold(step_curvature)
    if abs(beta - threshold) < 0.01:
        return
    roots = np.roots([1, -(1 + beta - step_curvature), beta])
    assert (np.abs(roots.imag) > 0).any() == (beta > threshold)
    path = entropy.heavy_ball(lambda x: x, torch.tensor([1.0, -2.0], dtype=F64), step=step_curvature, beta=beta, steps=300)
    assert entropy.overshoots(path, 0.0).tolist() == [beta > threshold] * 2


def test_threshold_of_the_chapter() -> None:
    assert entropy.overshoot_threshold(0.01) == pytest.approx(0.81)


def test_heavy_ball_is_the_recurrence() -> None:
    path = entropy.heavy_ball(torch.sin, torch.tensor([1.0], dtype=F64), step=0.2, beta=0.7, steps=6)
    x = path[:, 0]
    torch.testing.assert_close(x[1], x[0] - 0.2 * x[0].sin())  # at rest at first
    torch.testing.assert_close(x[2:], x[1:-1] - 0.2 * x[1:-1].sin() + 0.7 * (x[1:-1] - x[:-2]))
    assert len(entropy.heavy_ball(torch.sin, x[:1], step=0.1, beta=0.0, steps=0)) == 1


def test_two_pits_slope_is_the_derivative() -> None:
    land = entropy.TwoPits()
    x = torch.linspace(-3, 5, 30, dtype=F64, requires_grad=True)
    (slope,) = torch.autograd.grad(land.energy(x).sum(), x)
    torch.testing.assert_close(land.slope(x), slope)
    crest = torch.tensor([land.crest()], dtype=F64)
    assert float(land.slope(crest).abs()) < 0.01
    assert float(land.slope(crest - 0.1)) > 0 > float(land.slope(crest + 0.1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: entropy.best_width("noise", 1.0), "term must be one of"),
        (lambda: entropy.best_width("entropy", 0.0), "s must be above 0"),
        (lambda: entropy.best_width("substitute", 1.0, noise=-1.0), "at least 0"),
        (lambda: entropy.fit_toy("noise", 0.0, 1.0, generator=rng()), "term must be one of"),
        (lambda: entropy.log_det_entropy(lambda z: z[:1], torch.zeros(2, 2)), "shape of its code"),
        (lambda: entropy.heavy_ball(torch.sin, torch.zeros(1), step=0.1, beta=1.0, steps=1), "β in"),
        (lambda: entropy.overshoot_threshold(1.0), "between 0 and 1"),
    ],
)
def test_refusals(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
