"""Kernels and estimators of HSIC against explicit loops, closed forms, enumeration and the identities of the chapter."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import laplacian_kernel, rbf_kernel

from kexue.mathematics import hsic


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sample(n: int, d: int | None = None, seed: int = 0) -> torch.Tensor:
    return torch.randn((n,) if d is None else (n, d), generator=rng(seed), dtype=torch.float64)


def trace_form(k: torch.Tensor, l: torch.Tensor) -> float:  # noqa: E741
    n = len(k)
    j = torch.eye(n, dtype=k.dtype) - 1 / n
    return float(torch.trace(k @ j @ l @ j))


# ------------------------------------------------------------------------------------------------------------------------- kernels
@pytest.mark.parametrize("d", [1, 3])
def test_kernels_are_those_of_scikit_learn(d: int) -> None:
    x, z = sample(7, d), sample(5, d, 1)
    assert np.allclose(hsic.gaussian_gram(x, 0.7, z), rbf_kernel(x, z, gamma=1 / (2 * 0.7**2)), atol=1e-13)
    assert np.allclose(hsic.gaussian_gram(x, 0.7), rbf_kernel(x, gamma=1 / (2 * 0.7**2)), atol=1e-7 if d == 3 else 1e-14)
    if d == 1:
        assert np.allclose(hsic.laplace_gram(x, 0.7, z), laplacian_kernel(x, z, gamma=1 / 0.7), atol=1e-13)
    assert torch.equal(hsic.linear_gram(x, z), x @ z.T)
    assert torch.equal(hsic.linear_gram(x), x @ x.T)


def test_laplace_and_distance_kernels_use_euclidean_distances() -> None:
    x, z = sample(4, 3), sample(6, 3, 1)
    for i, j in itertools.product(range(4), range(6)):
        gap = (x[i] - z[j]).norm()
        assert torch.isclose(hsic.laplace_gram(x, 1.3, z)[i, j], torch.exp(-gap / 1.3))
        assert torch.isclose(hsic.distance_gram(x, z)[i, j], 0.5 * (x[i].norm() + z[j].norm() - gap))
    assert torch.allclose(hsic.distance_gram(x), hsic.distance_gram(x, x))
    assert torch.allclose(hsic.distance_gram(x).diagonal(), x.norm(dim=1), atol=1e-7)


def test_delta_kernel_compares_labels() -> None:
    labels = torch.tensor([0.0, 2.0, 0.0])
    assert torch.equal(hsic.delta_gram(labels), torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]]))
    assert torch.equal(hsic.delta_gram(labels, torch.tensor([2.0])), torch.tensor([[0.0], [1], [0]]))
    assert hsic.delta_gram(labels).dtype == torch.float32


def test_distances_survive_a_large_offset_and_are_never_negative() -> None:
    x = sample(40, 3).float()
    near = hsic.squared_distances(x)
    far = hsic.squared_distances(x + 1000)
    assert (far - near).abs().max() < 5e-3
    assert far.min() >= 0
    assert torch.equal(hsic.squared_distances(torch.tensor([1.0, 4.0])), torch.tensor([[0.0, 9.0], [9.0, 0.0]]))


@pytest.mark.parametrize("name", sorted(hsic.KERNELS))
def test_gram_by_name_is_the_kernel(name: str) -> None:
    x, z = sample(6, 2), sample(3, 2, 1)
    if name in hsic.BANDWIDTH:
        assert torch.equal(hsic.gram(x, name, 0.4, z), hsic.KERNELS[name](x, 0.4, z))
        assert torch.equal(hsic.gram(x, name), hsic.KERNELS[name](x, hsic.median_bandwidth(x)))
    else:
        assert torch.equal(hsic.gram(x, name, 0.4, z), hsic.KERNELS[name](x, z=z))
    assert torch.linalg.eigvalsh(hsic.gram(x, name)).min() > -1e-10
    assert torch.equal(hsic.gram(x), hsic.gaussian_gram(x, hsic.median_bandwidth(x)))


def test_median_bandwidth_is_the_median_of_the_distances() -> None:
    for n in (5, 8):
        x = sample(n, 2)
        assert math.isclose(hsic.median_bandwidth(x), float(np.median(pdist(x.numpy()))), rel_tol=1e-12)
    assert hsic.median_bandwidth(torch.tensor([0.0, 0.0, 3.0])) == 3.0  # the pair at distance 0 does not count
    assert hsic.median_bandwidth(torch.tensor([0.0, 1.0, 3.0, 3.0])) == 2.0  # 1, 2, 2, 3, 3: an odd number
    assert hsic.median_bandwidth(torch.tensor([0.0, 1.0, 4.0, 10.0])) == 5.0  # 1, 3, 4, 6, 9, 10: the mean of the middle two
    assert hsic.median_bandwidth(torch.ones(4)) == 1.0


def test_median_bandwidth_of_a_large_sample_looks_at_evenly_spaced_rows() -> None:
    x = torch.arange(10.0, dtype=torch.float64)
    assert hsic.median_bandwidth(x, most=4) == float(np.median(pdist(np.array([[0.0], [3], [6], [9]]))))
    assert hsic.median_bandwidth(x, most=10) == float(np.median(pdist(x[:, None].numpy())))
    big = sample(2001).float()
    assert hsic.median_bandwidth(big) == hsic.median_bandwidth(big, most=2000) != hsic.median_bandwidth(big, most=2001)


# ---------------------------------------------------------------------------------------------------------------------- estimators
def test_centre_is_jkj() -> None:
    k = sample(6, 6)
    j = torch.eye(6, dtype=torch.float64) - 1 / 6
    assert torch.allclose(hsic.centre(k), j @ k @ j, atol=1e-14)
    stack = torch.stack([k, 2 * k])
    assert torch.allclose(hsic.centre(stack)[1], 2 * hsic.centre(k))


def test_biased_is_the_trace_form_and_the_three_means() -> None:
    x, y = sample(9), sample(9, 2, 1)
    k, l = hsic.gaussian_gram(x, 0.8), hsic.laplace_gram(y, 1.1)  # noqa: E741
    three = (k * l).mean() + k.mean() * l.mean() - 2 * (k.mean(1) * l.mean(1)).mean()
    assert math.isclose(hsic.hsic_biased(k, l), trace_form(k, l) / 81, abs_tol=1e-15)
    assert math.isclose(hsic.hsic_biased(k, l), three, abs_tol=1e-15)
    assert math.isclose(hsic.hsic_biased(k, l, ddof=1), trace_form(k, l) / 64, abs_tol=1e-15)
    batch = hsic.hsic_biased(torch.stack([k, l]), torch.stack([l, l]))
    assert torch.allclose(batch, torch.stack([hsic.hsic_biased(k, l), hsic.hsic_biased(l, l)]))


def test_unbiased_is_the_mean_over_all_quadruples() -> None:
    """The U-statistic by its definition: the average of the kernel of HSIC over ordered quadruples of different indices."""
    x, y = sample(6), sample(6, seed=1)
    k, l = hsic.gaussian_gram(x, 1.0), hsic.gaussian_gram(y, 0.5)  # noqa: E741
    total = sum(float(k[a, b] * (l[a, b] + l[c, d] - 2 * l[a, c])) for a, b, c, d in itertools.permutations(range(6), 4))
    assert math.isclose(hsic.hsic_unbiased(k, l), total / (6 * 5 * 4 * 3), abs_tol=1e-15)
    shifted = k + torch.diag(torch.arange(6.0, dtype=torch.float64))
    assert math.isclose(hsic.hsic_unbiased(shifted, l), hsic.hsic_unbiased(k, l), abs_tol=1e-15)  # it never reads a diagonal


def test_unbiased_by_enumeration_of_all_samples() -> None:
    """All 4^4 samples of four draws from a 2 by 2 table, weighted by their probabilities, in rational arithmetic of the weights."""
    table = {(0, 0): Fraction(2, 5), (0, 1): Fraction(1, 10), (1, 0): Fraction(1, 5), (1, 1): Fraction(3, 10)}
    population = 4 * (table[0, 0] * table[1, 1] - table[0, 1] * table[1, 0]) ** 2
    mean, naive = Fraction(0), Fraction(0)
    for draws in itertools.product(table, repeat=4):
        weight = math.prod(table[d] for d in draws)
        x, y = (torch.tensor([float(d[i]) for d in draws], dtype=torch.float64) for i in (0, 1))
        k, l = hsic.delta_gram(x), hsic.delta_gram(y)  # noqa: E741
        mean += weight * Fraction(float(hsic.hsic_unbiased(k, l))).limit_denominator(1000)
        naive += weight * Fraction(float(hsic.hsic_biased(k, l, ddof=1))).limit_denominator(1000)
    assert mean == population
    assert naive > population


def test_linear_kernel_gives_the_squared_covariance() -> None:
    x, y = sample(30), sample(30, seed=1)
    y = y + 0.4 * x
    cov = float(((x - x.mean()) * (y - y.mean())).mean())
    assert math.isclose(hsic.hsic_biased(hsic.linear_gram(x), hsic.linear_gram(y)), cov**2, abs_tol=1e-15)
    mirrored = torch.cat([x, -x])  # a symmetric sample: its square is uncorrelated with it, and very dependent
    assert hsic.hsic_biased(hsic.linear_gram(mirrored), hsic.linear_gram(mirrored**2)) < 1e-15
    assert hsic.hsic_biased(hsic.gram(mirrored), hsic.gram(mirrored**2)) > 0.01


def test_properties_of_the_estimators() -> None:
    x, y = sample(20), sample(20, seed=1)
    k, l = hsic.gaussian_gram(x, 1.0), hsic.gaussian_gram(y, 1.0)  # noqa: E741
    order = torch.randperm(20, generator=rng())
    for h in (hsic.hsic_biased, hsic.hsic_unbiased):
        value = h(k, l)
        assert torch.isclose(h(k[order][:, order], l[order][:, order]), value)
        assert torch.isclose(h(l, k), value)
        assert torch.isclose(h(k + 3, l), value, atol=1e-14)
    assert torch.isclose(hsic.hsic_biased(k, k), (hsic.centre(k) ** 2).sum() / 400)
    assert hsic.hsic_biased(k, l) >= 0


def test_wide_bandwidth_is_covariance_and_narrow_sees_nothing() -> None:
    x, y = sample(50), sample(50, seed=1)
    y = y + 0.5 * x
    cov = float(((x - x.mean()) * (y - y.mean())).mean())
    wide = hsic.hsic_biased(hsic.gaussian_gram(x, 200.0), hsic.gaussian_gram(y, 300.0)) * 200.0**2 * 300.0**2
    assert math.isclose(wide, cov**2, rel_tol=1e-3)
    narrow = hsic.hsic_biased(hsic.gaussian_gram(x, 1e-6), hsic.gaussian_gram(y, 1e-6))
    assert math.isclose(narrow, 49 / 2500, rel_tol=1e-12)  # both Gram matrices are the identity: (n - 1) / n^2 whatever the data


def test_gradients() -> None:
    x, y = sample(5, 2).requires_grad_(), sample(5, 2, 1).requires_grad_()
    repeated = torch.tensor([0.0, 0.0, 1.0, 2.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: hsic.hsic_biased(hsic.gaussian_gram(a, 1.0), hsic.gaussian_gram(b, 2.0)), (x, y))
    assert torch.autograd.gradcheck(lambda a, b: hsic.hsic_unbiased(hsic.laplace_gram(a, 1.0), hsic.distance_gram(b)), (x, y))
    assert torch.autograd.gradcheck(lambda a, b: hsic.normalised_hsic(hsic.gaussian_gram(a, 1.0), hsic.linear_gram(b), eps=0.1), (x, y))
    assert torch.autograd.gradcheck(hsic.linear_cka, (x, y))
    (slope,) = torch.autograd.grad(hsic.laplace_gram(repeated, 1.0).sum(), repeated)
    assert torch.isfinite(slope).all()


# ------------------------------------------------------------------------------------------------------------ alignment, normalised
def test_cka_is_an_alignment_and_its_feature_form_the_same() -> None:
    x, y = sample(15, 4), sample(15, 3, 1)
    k, l = hsic.linear_gram(x), hsic.linear_gram(y)  # noqa: E741
    c, d = hsic.centre(k).flatten(), hsic.centre(l).flatten()
    cosine = float(c @ d / (c.norm() * d.norm()))
    assert math.isclose(hsic.cka(k, l), cosine, rel_tol=1e-12)
    assert math.isclose(hsic.linear_cka(x, y), cosine, rel_tol=1e-12)
    assert math.isclose(hsic.linear_cka(x[:, 0], y), hsic.cka(hsic.linear_gram(x[:, 0]), l), rel_tol=1e-12)
    assert math.isclose(hsic.cka(k, k), 1, rel_tol=1e-12)
    u = hsic.hsic_unbiased
    assert math.isclose(hsic.cka(k, l, unbiased=True), u(k, l) / (u(k, k) * u(l, l)) ** 0.5, rel_tol=1e-12)


def test_linear_cka_is_invariant_to_rotation_and_scale_only() -> None:
    x = sample(25, 3)
    rotation = torch.linalg.qr(sample(3, 3, 5)).Q
    stretch = torch.diag(torch.tensor([5.0, 1.0, 0.2], dtype=torch.float64))
    assert math.isclose(hsic.linear_cka(x, 7 * x @ rotation + 2), 1, rel_tol=1e-12)
    assert hsic.linear_cka(x, x @ stretch) < 0.9


def test_normalised_hsic_is_the_trace_of_two_resolvents() -> None:
    x, y = sample(8, 2), sample(8, 2, 1)
    k, l = hsic.gaussian_gram(x, 1.0), hsic.gaussian_gram(y, 1.0)  # noqa: E741
    eye = torch.eye(8, dtype=torch.float64)

    def shrunk(m: torch.Tensor, eps: float) -> torch.Tensor:
        c = hsic.centre(m)
        return c @ torch.linalg.inv(c + eps * 8 * eye)

    for eps in (0.1, 1e-5):
        expected = torch.trace(shrunk(k, eps) @ shrunk(l, eps))
        assert math.isclose(hsic.normalised_hsic(k, l, eps=eps), expected, rel_tol=1e-9)
    assert hsic.normalised_hsic(k, l) == hsic.normalised_hsic(k, l, eps=1e-5)
    assert hsic.normalised_hsic(k, k, eps=1e-9) < 7
    assert math.isclose(hsic.normalised_hsic(eye, eye, eps=1e-12), 7, rel_tol=1e-9)
    batch = hsic.normalised_hsic(torch.stack([k, l]), torch.stack([l, l]))
    assert math.isclose(batch[0], hsic.normalised_hsic(k, l), rel_tol=1e-9)


# ----------------------------------------------------------------------------------------------------------------------------- door
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hsic.gaussian_gram(np.zeros(3), 1.0), "a sample must be a floating-point tensor of shape (n,) or (n, d), got ndarray"),
        (
            lambda: hsic.gaussian_gram(torch.arange(3), 1.0),
            "a sample must be a floating-point tensor of shape (n,) or (n, d), got torch.int64",
        ),
        (
            lambda: hsic.linear_cka(torch.zeros(1, 2), torch.zeros(1, 2)),
            "a sample must have shape (n,) or (n, d) with n >= 2, got shape (1, 2)",
        ),
        (lambda: hsic.linear_gram(torch.zeros(2, 2, 2)), "a sample must have shape (n,) or (n, d) with n >= 1, got shape (2, 2, 2)"),
        (lambda: hsic.linear_gram(torch.zeros(2, 0)), "a sample must have shape (n,) or (n, d) with n >= 1, got shape (2, 0)"),
        (lambda: hsic.linear_gram(torch.tensor([1.0, math.nan])), "a sample must be finite, got a NaN or an infinity"),
        (lambda: hsic.gaussian_gram(torch.zeros(2), 0.0), "the bandwidth must be a finite number above 0, got 0.0"),
        (lambda: hsic.gaussian_gram(torch.zeros(2), math.inf), "the bandwidth must be a finite number above 0, got inf"),
        (
            lambda: hsic.gram(torch.zeros(2), "cosine"),
            "unknown kernel 'cosine': expected one of ['delta', 'distance', 'gaussian', 'laplace', 'linear']",
        ),
        (lambda: hsic.gram(torch.zeros(2), "gaussian", "mean"), "the bandwidth must be a number above 0 or 'median', got 'mean'"),
        (lambda: hsic.squared_distances(torch.zeros(2, 2), torch.zeros(2)), "both samples must have the same dimension, got 2 and 1"),
        (lambda: hsic.hsic_biased(torch.eye(3), torch.eye(4)), "K and L must belong to the same n samples, got n = 3 and n = 4"),
        (lambda: hsic.hsic_biased(torch.zeros(3), torch.eye(3)), "K must be a Gram matrix of shape (..., n, n), got shape (3,)"),
        (lambda: hsic.hsic_biased(torch.eye(3), torch.zeros(3, 2)), "L must be a Gram matrix of shape (..., n, n), got shape (3, 2)"),
        (lambda: hsic.hsic_unbiased(torch.eye(3), torch.eye(3)), "this estimator needs n >= 4 samples, got n = 3"),
        (lambda: hsic.hsic_biased(torch.eye(1), torch.eye(1)), "this estimator needs n >= 2 samples, got n = 1"),
        (lambda: hsic.normalised_hsic(torch.eye(3), torch.eye(3), eps=0.0), "eps must be a finite number above 0, got 0.0"),
        (lambda: hsic.normalised_hsic(torch.eye(3), torch.eye(3), eps=math.nan), "eps must be a finite number above 0, got nan"),
        (lambda: hsic.linear_cka(torch.zeros(3, 2), torch.zeros(4, 2)), "x and y must hold the same n observations, got n = 3 and n = 4"),
    ],
)
def test_errors_say_what_was_expected(call, words) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert str(caught.value) == words


def test_types_and_second_calls() -> None:
    x = sample(6, 2).float()
    for value in (hsic.cka(hsic.gram(x), hsic.gram(x)), hsic.normalised_hsic(hsic.gram(x), hsic.gram(x)), hsic.linear_cka(x, x)):
        assert value.dtype == torch.float32
    assert torch.equal(hsic.gram(x), hsic.gram(x))
