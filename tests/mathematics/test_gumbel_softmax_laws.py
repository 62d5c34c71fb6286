"""The closed forms against quadrature, simulation and PyTorch's own distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue.mathematics import gumbel_softmax as gs
from kexue.mathematics import gumbel_softmax_laws as laws


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------------------------------------------ the density
@pytest.mark.parametrize("tau", [0.7, 1.0, 2.0])
def test_density_integrates_to_one_with_three_classes(tau: float) -> None:
    """In coordinates z = log(y_i / y_3) the density is smooth and the trapezoidal rule exact; dy1 dy2 = y1 y2 y3 dz1 dz2."""
    step, reach = 0.05, 30 / tau
    z = torch.arange(-reach, reach, step, dtype=torch.float64)
    y = torch.stack([*torch.meshgrid(z, z, indexing="ij"), torch.zeros(len(z), len(z), dtype=torch.float64)], -1).softmax(-1)
    mass = laws.concrete_log_density(y, torch.tensor([0.4, -0.3, 0.0], dtype=torch.float64), tau).exp() * y.prod(-1)
    assert mass.sum().item() * step**2 == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0])
def test_density_equals_that_of_pytorch(tau: float) -> None:
    logits = torch.randn(5, 4, generator=rng(), dtype=torch.float64)
    y = torch.softmax(torch.randn(5, 4, generator=rng(1), dtype=torch.float64), -1)
    theirs = torch.distributions.RelaxedOneHotCategorical(torch.tensor(tau, dtype=torch.float64), logits=logits).log_prob(y)
    torch.testing.assert_close(laws.concrete_log_density(y, logits, tau), theirs, rtol=1e-10, atol=1e-10)


def midpoint_excess(one: torch.Tensor, two: torch.Tensor, tau: float) -> torch.Tensor:
    logits = torch.zeros(one.shape[-1], dtype=torch.float64)
    ends = laws.concrete_log_density(torch.stack([one, two]), logits, tau).mean(0)
    return laws.concrete_log_density((one + two) / 2, logits, tau) - ends


@pytest.mark.parametrize("classes", [3, 5])
def test_density_is_log_convex_up_to_one_over_k_minus_one_and_no_further(classes: int) -> None:
    one, two = torch.randn(2, 4000, classes, generator=rng(), dtype=torch.float64).mul(3).softmax(-1)
    assert midpoint_excess(one, two, 1 / (classes - 1)).max() < 1e-9
    # The bound is sharp at an edge: one coordinate tends to 0, the others stay where they are.
    one, two = (torch.tensor([x] + [(1 - x) / (classes - 1)] * (classes - 1), dtype=torch.float64) for x in (1e-14, 3e-14))
    assert midpoint_excess(one, two, 0.95 / (classes - 1)) < 0
    assert midpoint_excess(one, two, 1.3 / (classes - 1)) > 1e-3


@pytest.mark.parametrize("classes", [3, 5])
def test_where_the_density_is_infinite(classes: int) -> None:
    """Towards an edge the density grows below tau = 1 / (k - 1), towards a corner below k - 1; the centre is a peak above 1."""
    logits = torch.zeros(classes, dtype=torch.float64)

    def slope(kind: str, tau: float) -> float:
        def point(x: float) -> torch.Tensor:
            small = 1 if kind == "edge" else classes - 1
            y = torch.full((classes,), (1 - small * x) / (classes - small), dtype=torch.float64)
            y[:small] = x
            return laws.concrete_log_density(y, logits, tau)

        return ((point(1e-60) - point(1e-50)) / math.log(1e-10)).item()

    for tau in (0.8 / (classes - 1), 1.2 / (classes - 1)):
        assert slope("edge", tau) == pytest.approx((classes - 1) * tau - 1, abs=1e-3)
    for tau in (0.8, 1.2, classes - 0.8):
        assert slope("corner", tau) == pytest.approx(tau - (classes - 1), abs=1e-6)
    centre = torch.full((classes,), 1 / classes, dtype=torch.float64)
    move = torch.zeros(classes, dtype=torch.float64)
    move[:2] = torch.tensor([1e-2, -1e-2])
    assert midpoint_excess(centre - move, centre + move, 0.9) < 0 < midpoint_excess(centre - move, centre + move, 1.1)


# ------------------------------------------------------------------------------------------------------------------------ relaxed bits
@given(a=st.floats(-30, 30))
@settings(max_examples=60, deadline=None)
def test_mean_of_a_relaxed_bit(a: float) -> None:
    s = np.linspace(-60, 60, 12_001)
    density = 1 / (2 * np.cosh((s - a) / 2)) ** 2  # of the logistic at s - a, where y = sigma(s)
    reference = (density / (1 + np.exp(-s))).sum() * (s[1] - s[0])
    assert laws.relaxed_bit_mean(torch.tensor(a, dtype=torch.float64)).item() == pytest.approx(reference, abs=1e-9)


def test_mean_of_a_relaxed_bit_at_the_numbers_of_the_text() -> None:
    a = torch.tensor([0.0, 1.0, 800.0, -800.0], dtype=torch.float64)
    expected = [0.5, 0.661303, 1.0, 0.0]
    assert laws.relaxed_bit_mean(a).tolist() == pytest.approx(expected, abs=5e-7)


TABLE = [(2, 0.10285, 0.24), (1, 0.15095, 0.52), (0.5, 0.18159, 0.96), (0.2, 0.19419, 1.82), (0.1, 0.19602, 2.74), (0.05, 0.19647, 4.00)]


@pytest.mark.parametrize(("tau", "mean", "ratio"), TABLE)
def test_moments_of_the_derivative(tau: float, mean: float, ratio: float) -> None:
    first, second = laws.gradient_moments(torch.tensor(1.0), torch.tensor(tau))
    assert first.item() == pytest.approx(mean, abs=6e-6)
    assert ((second - first**2).sqrt() / first).item() == pytest.approx(ratio, abs=6e-3)


@given(a=st.floats(-4, 4), tau=st.floats(0.05, 20))
@settings(max_examples=30, deadline=None)
def test_moments_do_not_depend_on_the_step(a: float, tau: float) -> None:
    pair = torch.tensor(a), torch.tensor(tau)
    torch.testing.assert_close(laws.gradient_moments(*pair), laws.gradient_moments(*pair, step=0.01), rtol=1e-7, atol=1e-12)


def test_moments_agree_with_autograd_on_draws() -> None:
    logits = torch.tensor([1.0, 0.0], dtype=torch.float64).expand(200_000, 2).clone().requires_grad_()
    y = gs.gumbel_softmax(logits, 0.4, generator=rng())
    slope = torch.autograd.grad(y[:, 0].sum(), logits)[0][:, 0]
    first, second = laws.gradient_moments(torch.tensor(1.0), torch.tensor(0.4))
    for sample, value in [(slope, first), (slope**2, second)]:
        assert (sample.mean() - value).abs() < 4.5 * sample.std() / math.sqrt(len(sample))


def test_second_moment_law_with_two_classes() -> None:
    a = torch.tensor([-1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    tau = torch.tensor(0.02)
    _, second = laws.gradient_moments(a, tau)
    # the first correction is of relative order tau^2
    torch.testing.assert_close(second, laws.second_moment_law(torch.sigmoid(a), tau.double()), rtol=2e-3, atol=0)


def test_second_moment_law_with_ten_classes_entry_by_entry() -> None:
    """E[(dy_i/do_j)^2] tends to |dp_i/do_j| / (6 tau): the whole Jacobian, not its diagonal alone."""
    tau, count = 0.03, 400_000
    logits = torch.randn(5, generator=rng(4), dtype=torch.float64)
    y = gs.gumbel_softmax(logits.expand(count, 5), tau, generator=rng(5))
    p = logits.softmax(-1)
    eye = torch.eye(5, dtype=torch.float64)
    for i in range(5):
        squares = ((eye[i] * y - y * y[:, i : i + 1]) / tau) ** 2  # (N, 5) for this i
        law = (eye[i] * p - p * p[i]).abs() / (6 * tau)
        error = squares.std(0) / math.sqrt(count)
        assert bool(((squares.mean(0) - law).abs() < 4.5 * error + 0.02 * law).all())


# ------------------------------------------------------------------------------------------------------------------------ variances
@given(mu=st.floats(-2, 2), s=st.floats(0.2, 2), b=st.floats(-3, 10))
@settings(max_examples=40, deadline=None)
def test_score_function_variance_by_gauss_hermite(mu: float, s: float, b: float) -> None:
    x, weight = np.polynomial.hermite_e.hermegauss(20)  # exact for polynomials up to degree 39
    weight = weight / weight.sum()
    sample = ((mu + s * x) ** 2 - b) * x / s
    reference = weight @ sample**2 - (weight @ sample) ** 2
    assert laws.score_function_variance(mu, s, b) == pytest.approx(reference, rel=1e-9, abs=1e-9)


@given(mu=st.floats(-2, 2), s=st.floats(0.2, 2), other=st.floats(-5, 15))
@settings(max_examples=40, deadline=None)
def test_best_baseline_is_best(mu: float, s: float, other: float) -> None:
    best = laws.score_function_variance(mu, s, laws.square_best_baseline(mu, s))
    assert best == pytest.approx(8 * mu**2 + 6 * s**2, rel=1e-9)
    assert best <= laws.score_function_variance(mu, s, other) + 1e-9


@pytest.mark.parametrize(("baseline", "value"), [(0.0, 32.352), (0.7**2 + 3 * 1.3**2, 14.06), (0.7**2 + 1.3**2, 20.82)])
def test_variances_at_the_numbers_of_the_text(baseline: float, value: float) -> None:
    assert laws.score_function_variance(0.7, 1.3, baseline) == pytest.approx(value, abs=5e-3)


@pytest.mark.parametrize("w", [0.3, 1.0, 2.0, 3.0])
def test_sine_variances_by_quadrature(w: float) -> None:
    z = np.linspace(-10, 10, 8001)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    closed = laws.sine_variances(torch.tensor(w, dtype=torch.float64))
    for sample, value in zip((w * np.cos(w * z), np.sin(w * z) * z), closed, strict=True):
        assert weight @ sample**2 - (weight @ sample) ** 2 == pytest.approx(value.item(), abs=1e-10)


def test_the_two_variances_cross_once_at_the_number_of_the_text() -> None:
    assert laws.sine_crossing() == pytest.approx(1.1089862171372238, abs=1e-12)
    pathwise, score = laws.sine_variances(torch.linspace(0.05, 6, 500, dtype=torch.float64))
    assert ((pathwise > score).int().diff() != 0).sum().item() == 1


# ------------------------------------------------------------------------------------------------------------------------ the door
def test_what_is_refused() -> None:
    logits = torch.zeros(3)
    with pytest.raises(ValueError, match="inside the simplex"):
        laws.concrete_log_density(torch.tensor([0.5, 0.5, 0.0]), logits, 1.0)
    with pytest.raises(ValueError, match="inside the simplex"):
        laws.concrete_log_density(torch.tensor([0.5, 0.5, 0.5]), logits, 1.0)
    with pytest.raises(ValueError, match="like the logits"):
        laws.concrete_log_density(torch.tensor([0.5, 0.5]), logits, 1.0)
    with pytest.raises(ValueError, match=r"\(0, 20\]"):
        laws.gradient_moments(torch.tensor(1.0), torch.tensor([0.5, 0.0]))
