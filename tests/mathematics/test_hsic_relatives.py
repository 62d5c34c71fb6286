"""Distance covariance, Chatterjee's coefficient, Benjamini-Hochberg: identities, hand-worked cases, SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist

from kexue.mathematics import hsic
from kexue.mathematics import hsic_relatives as relatives


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("d", [1, 3])
def test_distance_covariance_is_four_times_hsic(d: int) -> None:
    x, y = normal(20, d), normal(20, 2, seed=1)
    y[:, 0] += x[:, 0]
    a, b = cdist(x, x), cdist(y, y)
    a = a - a.mean(0) - a.mean(1)[:, None] + a.mean()
    value = relatives.distance_covariance(x, y)
    assert math.isclose(value, (a * b).mean(), rel_tol=1e-9)
    assert math.isclose(value, 4 * hsic.hsic_biased(hsic.distance_gram(x), hsic.distance_gram(y)), rel_tol=1e-9)


def test_distance_correlation() -> None:
    x, y = normal(30), normal(30, seed=1)
    assert math.isclose(relatives.distance_correlation(x, 3 * x - 1), 1, rel_tol=1e-9)
    v = relatives.distance_covariance
    assert math.isclose(relatives.distance_correlation(x, y) ** 2, v(x, y) / (v(x, x) * v(y, y)) ** 0.5, rel_tol=1e-9)


def test_xi_is_that_of_scipy_and_of_the_paper() -> None:
    x, y = normal(40), normal(40, seed=1)
    for target in (y, x**2, (3 * y).round()):
        assert math.isclose(relatives.chatterjee_xi(x, target), stats.chatterjeexi(x.numpy(), target.numpy()).statistic, rel_tol=1e-12)
    ramp = torch.arange(10.0)
    assert relatives.chatterjee_xi(ramp, ramp) == 1 - 3 * 9 / 99  # 1 - 3 (n - 1) / (n^2 - 1) without ties
    assert relatives.chatterjee_xi(torch.linspace(-1, 1, 2000), torch.linspace(-1, 1, 2000) ** 2) > 0.99
    noise = [relatives.chatterjee_xi(normal(200, seed=s), normal(200, seed=s + 500)) for s in range(100)]
    assert abs(np.mean(noise)) < 4 * math.sqrt(0.4 / 200 / 100)


def test_xi_breaks_ties_in_x_at_random_when_asked() -> None:
    x, y = torch.zeros(50, dtype=torch.float64), torch.arange(50.0, dtype=torch.float64)
    assert relatives.chatterjee_xi(x, y) == 1 - 3 * 49 / (50**2 - 1)  # in the order given y seems a function of x
    value = relatives.chatterjee_xi(x, y, generator=torch.Generator().manual_seed(0))
    assert abs(value) < 0.4
    assert value == relatives.chatterjee_xi(x, y, generator=torch.Generator().manual_seed(0))
    assert value != relatives.chatterjee_xi(x, y, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_benjamini_hochberg_is_that_of_scipy(rate: float) -> None:
    for seed in range(5):
        p = torch.rand(30, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        p[:8] /= 200
        adjusted = stats.false_discovery_control(p.numpy())
        assert relatives.benjamini_hochberg(p, rate=rate).tolist() == (adjusted <= rate).tolist()


def test_benjamini_hochberg_at_the_border() -> None:
    assert relatives.benjamini_hochberg(torch.tensor([0.02, 0.5, 0.05], dtype=torch.float64), rate=0.06).tolist() == [True, False, False]
    step_up = torch.tensor([0.05, 0.04, 0.03, 0.5], dtype=torch.float64)  # 0.03 and 0.04 pass only because 0.05 <= 3/4 of 0.08
    assert relatives.benjamini_hochberg(step_up, rate=0.08).tolist() == [True, True, True, False]
    assert relatives.benjamini_hochberg(torch.tensor([0.05], dtype=torch.float64)).tolist() == [True]
    assert relatives.benjamini_hochberg(torch.tensor([0.051], dtype=torch.float64)).tolist() == [False]
    assert relatives.benjamini_hochberg(torch.tensor([0.0, 1.0])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: relatives.distance_covariance(normal(3), normal(4)), "x and y must hold the same n observations, got n = 3 and n = 4"),
        (lambda: relatives.chatterjee_xi(normal(3, 1), normal(3, 1)), "x and y must be samples of one shape (n,), got (3, 1) and (3, 1)"),
        (lambda: relatives.chatterjee_xi(normal(3), normal(4)), "x and y must be samples of one shape (n,), got (3,) and (4,)"),
        (lambda: relatives.chatterjee_xi(normal(3), torch.ones(3)), "y is constant: no coefficient tells whether it depends on x"),
        (lambda: relatives.chatterjee_xi(torch.tensor([math.nan, 1.0]), normal(2)), "a sample must be finite, got a NaN or an infinity"),
        (lambda: relatives.benjamini_hochberg(torch.tensor([0.1]), rate=0.0), "the rate must lie between 0 and 1, got 0.0"),
        (lambda: relatives.benjamini_hochberg(torch.tensor([0.1]), rate=1.0), "the rate must lie between 0 and 1, got 1.0"),
        (lambda: relatives.benjamini_hochberg(torch.tensor([1.1])), "p_values must be numbers in [0, 1] of shape (m,), got shape (1,)"),
        (lambda: relatives.benjamini_hochberg(torch.tensor([-0.1])), "p_values must be numbers in [0, 1] of shape (m,), got shape (1,)"),
        (lambda: relatives.benjamini_hochberg(torch.zeros(2, 2)), "p_values must be numbers in [0, 1] of shape (m,), got shape (2, 2)"),
    ],
)
def test_errors_say_what_was_expected(call, words) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert str(caught.value) == words
