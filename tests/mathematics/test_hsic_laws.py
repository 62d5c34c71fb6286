"""Closed forms: against quadrature, series, simulation and the values of the fact sheet."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kexue.mathematics import hsic
from kexue.mathematics import hsic_laws as laws

POST = (0.5**0.5, 0.5**0.5)  # the post's kernel exp(-d^2)


def f64(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize(("r", "value"), [(0.5, 0.0099695998), (0.9, 0.059448746), (1.0, 0.096897553), (0.0, 0.0)])
def test_normal_values(r: float, value: float) -> None:
    assert math.isclose(laws.normal_hsic(f64(r), bandwidth=POST), value, abs_tol=5e-10)
    assert math.isclose(laws.normal_hsic(f64(-r), bandwidth=POST), value, abs_tol=5e-10)


def test_normal_with_other_variances() -> None:
    assert math.isclose(laws.normal_hsic(f64(1.0), var_y=1.01, bandwidth=POST), 0.094522762, abs_tol=5e-10)
    base = laws.normal_hsic(f64(0.6), bandwidth=(0.5, 2.0))
    assert math.isclose(laws.normal_hsic(f64(0.6 * 3 * 5), var_x=9.0, var_y=25.0, bandwidth=(1.5, 10.0)), base, rel_tol=1e-12)
    assert math.isclose(laws.normal_hsic(f64(0.6)), laws.normal_hsic(f64(0.6), bandwidth=(1.0, 1.0)), rel_tol=1e-15)


def test_normal_by_quadrature() -> None:
    """HSIC from its definition on a grid of Gauss-Hermite nodes: (x, y) and their independent copies."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    w2 = np.outer(weights, weights).ravel() / (2 * math.pi)
    r, wide = 0.7, (0.9, 1.4)
    x = np.repeat(nodes, 40)
    y = r * x + math.sqrt(1 - r * r) * np.tile(nodes, 40)
    k, m = (np.exp(-((v[:, None] - v) ** 2) / (2 * s * s)) for v, s in zip((x, y), wide, strict=True))
    joint = w2 @ (k * m) @ w2 + (w2 @ k @ w2) * (w2 @ m @ w2) - 2 * w2 @ ((k @ w2) * (m @ w2))
    assert math.isclose(laws.normal_hsic(f64(r), bandwidth=wide), joint, rel_tol=1e-6)


def test_unbiased_estimates_scatter_about_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn((50, 2, 200), generator=generator, dtype=torch.float64)
    x, y = z[:, 0], 0.5 * z[:, 0] + 0.75**0.5 * z[:, 1]
    found = torch.stack(
        [hsic.hsic_unbiased(hsic.gaussian_gram(a, POST[0]), hsic.gaussian_gram(b, POST[1])) for a, b in zip(x, y, strict=True)]
    )
    miss = (found.mean() - laws.normal_hsic(f64(0.5), bandwidth=POST)) / (found.std() / 50**0.5)
    assert abs(miss) < 3


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("n", [10, 50])
def test_bias_under_independence(n: int, ddof: int) -> None:
    generator = torch.Generator().manual_seed(n + ddof)
    z = torch.randn((2, 800, n, 1), generator=generator, dtype=torch.float64)
    k, m = torch.exp(-((z - z.mT) ** 2))
    found = hsic.hsic_biased(k, m, ddof=ddof)
    mean = laws.gaussian_mean_kernel(1.0, POST[0])
    theory = laws.bias_under_independence(mean, mean, n, ddof=ddof)
    assert abs(found.mean() - theory) < 3.5 * found.std() / 800**0.5
    assert math.isclose(theory, (1 - 5**-0.5) ** 2 * (n - 1) / (n - ddof) ** 2, rel_tol=1e-12)


def test_mean_kernel_and_information() -> None:
    assert math.isclose(laws.gaussian_mean_kernel(3.0, 2.0), (1 + 2 * 3 / 4) ** -0.5, rel_tol=1e-15)
    assert math.isclose(laws.normal_mutual_information(f64(0.6)), -0.5 * math.log(0.64), rel_tol=1e-12)
    assert laws.bias_under_independence(0.5, 0.5, 2) == 1 / 16


def test_table_is_hsic_with_delta_kernels() -> None:
    table = torch.tensor([[4.0, 1, 2], [1, 3, 0]], dtype=torch.float64)
    rows, columns = torch.nonzero(table, as_tuple=True)
    counts = table[rows, columns].long()
    x, y = rows.repeat_interleave(counts).double(), columns.repeat_interleave(counts).double()
    value = hsic.hsic_biased(hsic.delta_gram(x), hsic.delta_gram(y))
    assert math.isclose(laws.table_hsic(table / table.sum()), value, abs_tol=1e-15)
    p = torch.tensor([[0.4, 0.1], [0.2, 0.3]], dtype=torch.float64)
    assert math.isclose(laws.table_hsic(p), 4 * (0.4 * 0.3 - 0.1 * 0.2) ** 2, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: laws.normal_hsic(f64(0.5), var_x=0.0), "variances must be above 0, got 0.0 and 1.0"),
        (lambda: laws.normal_hsic(f64(0.5), var_y=0.0), "variances must be above 0, got 1.0 and 0.0"),
        (lambda: laws.normal_hsic(f64(2.5), var_x=4.0), "a covariance is at most sqrt(var_x var_y) = 2 in size, got 2.5"),
        (lambda: laws.bias_under_independence(0.5, 0.5, 1), "the bias needs n >= 2 observations, got 1"),
    ],
)
def test_errors_say_what_was_expected(call, words) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert str(caught.value) == words
