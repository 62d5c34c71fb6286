"""Large samples: blocks and features against the full Gram matrices, the limit law against permutations."""

from __future__ import annotations

import math

import pytest
import torch

from kexue.mathematics import hsic
from kexue.mathematics import hsic_factors as factors
from kexue.mathematics import hsic_large as large


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(n: int = 37) -> tuple[torch.Tensor, torch.Tensor]:
    x = normal(n)
    return x, 0.5 * x + normal(n, seed=1)


# --------------------------------------------------------------------------------------------------------------------------- blocks
@pytest.mark.parametrize("kernel", ["gaussian", "linear", "distance"])
@pytest.mark.parametrize("block", [1, 10, 37, 512])
def test_blocks_give_the_full_statistic(kernel: str, block: int) -> None:
    x, y = pair()
    k, m = hsic.gram(x, kernel), hsic.gram(y, kernel)
    assert math.isclose(large.hsic_blocked(x, y, kernel=kernel, block=block), hsic.hsic_biased(k, m), rel_tol=1e-10)
    assert math.isclose(large.hsic_blocked(x, y, kernel=kernel, block=block, unbiased=True), hsic.hsic_unbiased(k, m), rel_tol=1e-9)


def test_blocks_defaults_bandwidths_and_orders() -> None:
    x, y = pair()
    value = hsic.hsic_biased(hsic.gaussian_gram(x, 0.3), hsic.gaussian_gram(y, 2.0))
    assert math.isclose(large.hsic_blocked(x, y, bandwidth=(0.3, 2.0)), value, rel_tol=1e-10)
    assert large.hsic_blocked(x, y) == large.hsic_blocked(x, y, kernel="gaussian", bandwidth="median", unbiased=False, block=512)
    order = torch.arange(36, -1, -1)
    null = large.hsic_blocked(x, y, orders=[order, torch.arange(37)])
    assert null.shape == (2,)
    assert math.isclose(null[0], hsic.hsic_biased(hsic.gram(x), hsic.gram(y[order])), rel_tol=1e-10)
    assert null[1] == large.hsic_blocked(x, y)
    assert large.hsic_blocked(x.float(), y.float()).dtype == torch.float64


# ------------------------------------------------------------------------------------------------------------------------- features
def test_fourier_features_average_to_the_kernel() -> None:
    x = normal(12, 3)
    phi = large.fourier_features(x, 1.5, 20_000, generator=torch.Generator().manual_seed(1))
    assert phi.shape == (12, 20_000)
    assert torch.allclose((phi * phi).sum(1), torch.ones(12, dtype=torch.float64))
    assert (phi @ phi.T - hsic.gaussian_gram(x, 1.5)).abs().max() < 5 / math.sqrt(10_000)
    again = large.fourier_features(x, 1.5, 20_000, generator=torch.Generator().manual_seed(1))
    assert torch.equal(phi, again)
    assert not torch.equal(phi, large.fourier_features(x, 1.5, 20_000, generator=torch.Generator().manual_seed(2)))
    assert large.fourier_features(x.float(), 1.5, 2).dtype == torch.float32


def test_feature_hsic_is_hsic_of_the_feature_kernels() -> None:
    phi, psi = normal(25, 4), normal(25, 3, seed=1)
    k, m = phi @ phi.T, psi @ psi.T
    assert math.isclose(large.feature_hsic(phi, psi), hsic.hsic_biased(k, m), rel_tol=1e-10)
    assert math.isclose(large.feature_hsic(phi, psi, unbiased=True), hsic.hsic_unbiased(k, m), rel_tol=1e-9)
    x, y = pair(200)
    exact = hsic.hsic_biased(hsic.gram(x), hsic.gram(y))
    assert math.isclose(large.feature_hsic(factors.cholesky_features(x), factors.cholesky_features(y)), exact, rel_tol=1e-6)


def test_feature_test_finds_and_does_not_find() -> None:
    x, _ = pair(500)
    dependent = factors.cholesky_features(torch.sin(2 * x) + 0.5 * normal(500, seed=7))
    unrelated = factors.cholesky_features(normal(500, seed=8))
    phi = factors.cholesky_features(x)
    assert large.feature_test(phi, dependent).p_value == 1 / 2000
    assert large.feature_test(phi, unrelated).p_value > 0.05
    found = large.feature_test(phi, dependent, permutations=99)
    assert found.p_value == 0.01
    assert math.isclose(found.statistic, large.feature_hsic(phi, dependent), rel_tol=1e-10)
    assert found.null.shape == (99,)


def test_limit_law_agrees_with_permutations() -> None:
    phi, psi = factors.cholesky_features(normal(400)), factors.cholesky_features(normal(400, seed=5))
    limit = large.feature_test(phi, psi, draws=4000).null
    shuffled = large.feature_test(phi, psi, permutations=1000).null
    for q in (0.1, 0.5, 0.9):
        assert math.isclose(limit.quantile(q), shuffled.quantile(q), rel_tol=0.08)
    assert math.isclose(limit.mean(), shuffled.mean(), rel_tol=0.05)
    own = [large.feature_test(phi, psi, draws=50, generator=torch.Generator().manual_seed(s)).null for s in (3, 3, 4)]
    assert torch.equal(own[0], own[1])
    assert not torch.equal(own[0], own[2])
    assert torch.equal(large.feature_test(phi, psi, draws=50).null, large.feature_test(phi, psi, draws=50).null)
    assert large.feature_test(phi, psi).null.shape == (1999,)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: large.hsic_blocked(normal(5), normal(6)), "x and y must hold the same n observations, got n = 5 and n = 6"),
        (lambda: large.hsic_blocked(normal(5), normal(5), block=0), "block must be at least 1 row, got 0"),
        (lambda: large.hsic_blocked(normal(3), normal(3)), "a sample must have shape (n,) or (n, d) with n >= 4, got shape (3,)"),
        (lambda: large.fourier_features(normal(5), 1.0, 3), "count must be an even number of at least 2 features, got 3"),
        (lambda: large.fourier_features(normal(5), 1.0, 0), "count must be an even number of at least 2 features, got 0"),
        (lambda: large.feature_hsic(normal(5), normal(5)), "features must have shapes (n, r) and (n, s), got (5,) and (5,)"),
        (lambda: large.feature_hsic(normal(5, 2), normal(6, 2)), "features must have shapes (n, r) and (n, s), got (5, 2) and (6, 2)"),
    ],
)
def test_errors_say_what_was_expected(call, words) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert str(caught.value) == words
