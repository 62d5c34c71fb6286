"""Thin factors against the Gram matrices that they stand for."""

from __future__ import annotations

import pytest
import torch

from kexue.mathematics import hsic
from kexue.mathematics import hsic_factors as factors


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kernel", sorted(hsic.KERNELS))
def test_cholesky_features_reproduce_the_gram_matrix(kernel: str) -> None:
    x = normal(60).mul(3).round().div(3) if kernel == "delta" else normal(60)
    phi = factors.cholesky_features(x, kernel, tolerance=1e-10)
    k = hsic.gram(x, kernel)
    assert (k - phi @ phi.T).abs().max() < 1e-8 * k.diagonal().sum()
    if kernel == "linear":
        assert phi.shape == (60, 1)
    if kernel == "gaussian":
        assert phi.shape[1] < 30


def test_cholesky_keeps_its_tolerance_and_says_when_it_cannot() -> None:
    x = normal(80, 2)
    for tolerance in (0.1, 1e-3, 1e-8):
        phi = factors.cholesky_features(x, tolerance=tolerance)
        rest = 1 - float((phi * phi).sum()) / 80
        assert rest <= tolerance
        before = 1 - float((phi[:, :-1] ** 2).sum()) / 80
        assert before > tolerance  # not one column more than needed
    assert torch.equal(factors.cholesky_features(x), factors.cholesky_features(x, "gaussian", "median", tolerance=1e-8, most=512))
    with pytest.raises(ValueError, match=r"^3 columns do not reach the tolerance 1e-08; take fourier_features$"):
        factors.cholesky_features(x, most=3)
    small = normal(5)
    assert factors.cholesky_features(small, bandwidth=1e-3).shape == (5, 5)


def test_thin_factor_of_a_matrix() -> None:
    k = hsic.gram(normal(400))
    phi = factors.thin_factor(k)
    assert phi is not None
    rest = k - phi @ phi.T
    assert -1e-12 < float(rest.trace()) <= 400 * 1e-11 + 1e-12
    assert phi.shape[1] <= 50
    assert factors.thin_factor(k, most=phi.shape[1] - 1) is None
    exact = factors.thin_factor(k, most=phi.shape[1])
    assert exact is not None
    assert torch.equal(exact, phi)
    assert factors.thin_factor(torch.eye(40, dtype=torch.float64)) is None
    whole = factors.thin_factor(torch.eye(40, dtype=torch.float64), most=100)
    assert whole is not None
    assert torch.equal(whole @ whole.T, torch.eye(40, dtype=torch.float64))
    loose = factors.thin_factor(k, tolerance=0.1)
    assert loose is not None
    assert loose.shape[1] < phi.shape[1]
