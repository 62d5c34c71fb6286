"""Tests of independence: against all permutations, uniform p-values under independence, the door."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.feature_selection import SelectKBest

from kexue.mathematics import hsic
from kexue.mathematics import hsic_independence as independence
from kexue.mathematics.hsic_independence import HsicTest, hsic_test


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def circle(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    angle = 2 * math.pi * torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return angle.cos() + 0.1 * normal(n, seed=seed + 1), angle.sin() + 0.1 * normal(n, seed=seed + 2)


def test_u_centred_matrices_give_the_unbiased_statistic() -> None:
    k, m = hsic.gram(normal(9)), hsic.gram(normal(9, seed=1))
    u = independence.u_centre(k)
    assert torch.equal(u.diagonal(), torch.zeros(9, dtype=torch.float64))
    assert u.sum(1).abs().max() < 1e-14
    assert math.isclose((u * m).sum() / (9 * 6), hsic.hsic_unbiased(k, m), rel_tol=1e-10)
    assert math.isclose((u * independence.u_centre(m)).sum() / (9 * 6), hsic.hsic_unbiased(k, m), rel_tol=1e-10)


@pytest.mark.parametrize("unbiased", [False, True])
def test_thin_factors_give_the_null_of_the_full_matrices(unbiased: bool) -> None:
    x, y = circle(independence.THIN)
    k, m = hsic.gram(x), hsic.gram(y)
    orders = independence.random_orders(len(x), 30, torch.Generator().manual_seed(0))
    null = independence.permutation_null(k, m, orders, unbiased=unbiased)
    statistic = hsic.hsic_unbiased if unbiased else hsic.hsic_biased
    expected = torch.stack([statistic(k, m[o][:, o]) for o in orders])
    assert torch.allclose(null, expected, rtol=0, atol=1e-11)
    assert null.dtype == torch.float64
    single = independence.permutation_null(k.float(), m.float(), orders, unbiased=unbiased)
    assert torch.allclose(single.double(), expected, rtol=0, atol=1e-7)
    rough = hsic.gaussian_gram(x, 1e-4)  # of full rank: the matrices themselves are permuted
    assert torch.allclose(
        independence.permutation_null(rough, m, orders, unbiased=unbiased),
        torch.stack([statistic(rough, m[o][:, o]) for o in orders]),
        atol=1e-15,
    )
    assert torch.allclose(
        independence.permutation_null(m, rough, orders, unbiased=unbiased),
        torch.stack([statistic(m, rough[o][:, o]) for o in orders]),
        atol=1e-15,
    )


def test_orders_are_permutations() -> None:
    every = independence.all_orders(4)
    assert len(every) == 23
    assert len({tuple(o) for o in every.tolist()} | {(0, 1, 2, 3)}) == 24
    drawn = independence.random_orders(6, 50, torch.Generator().manual_seed(0))
    assert torch.equal(drawn.sort(1).values, torch.arange(6).expand(50, 6))
    assert len(drawn.unique(dim=0)) > 40


@pytest.mark.parametrize("unbiased", [False, True])
def test_null_is_the_statistic_of_permuted_samples(unbiased: bool) -> None:
    x, y = normal(8), normal(8, seed=1)
    k, m = hsic.gaussian_gram(x, 1.0), hsic.gaussian_gram(y, 0.5)
    orders = torch.stack([torch.randperm(8, generator=torch.Generator().manual_seed(s)) for s in range(4)])
    null = independence.permutation_null(k, m, orders, unbiased=unbiased)
    statistic = hsic.hsic_unbiased if unbiased else hsic.hsic_biased
    expected = torch.stack([statistic(k, hsic.gaussian_gram(y[order], 0.5)) for order in orders])
    assert torch.allclose(null, expected, atol=1e-16)


def test_p_value_counts_ties_against_the_finding() -> None:
    null = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    assert independence.permutation_p_value(5.0, null) == 1 / 5
    assert independence.permutation_p_value(3.0, null) == 3 / 5
    assert independence.permutation_p_value(3.0 + 1e-14, null) == 3 / 5  # rounding is no evidence
    assert independence.permutation_p_value(3.0 + 1e-6, null) == 2 / 5
    assert independence.permutation_p_value(0.0, null) == 1.0


def test_exact_p_value_by_enumeration() -> None:
    """At n = 5 there are 120 relabellings: the p-value is the share of those that reach the statistic."""
    x, y = normal(5), normal(5, seed=3)
    found = hsic_test(x, y, permutations=119)
    assert found.method == "exact"
    values = []
    for order in itertools.permutations(range(5)):
        k, m, _ = HsicTest().grams(x, y[list(order)])
        values.append(float(hsic.hsic_biased(k, m)))
    assert found.p_value == sum(v >= found.statistic - 1e-15 for v in values) / 120
    assert len(found.null) == 119
    assert hsic_test(x, y, permutations=118).method == "permutation"
    assert hsic_test(x, y).p_value == found.p_value


def test_least_p_value_is_honest_at_small_n() -> None:
    x = torch.arange(4.0, dtype=torch.float64)
    assert hsic_test(x, x).p_value == 2 / 24  # the identity and the reversal: no smaller p-value exists with four points
    x = torch.linspace(0, 1, 30, dtype=torch.float64)
    assert hsic_test(x, x, permutations=99).p_value == 1 / 100
    assert hsic_test(torch.ones(10), torch.arange(10.0)).p_value == 1.0


def test_finds_a_circle_that_correlation_misses() -> None:
    x, y = circle(150)
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.16
    assert hsic_test(x, y).p_value <= 0.005
    assert hsic_test(x, y, method="gamma").p_value < 0.01
    assert hsic_test(x, y, kernel="linear").p_value > 0.05
    assert hsic_test(x, y, unbiased=True).p_value <= 0.005
    assert hsic_test(torch.stack([x, y], 1), x).p_value == 0.001


def test_p_values_are_uniform_under_independence() -> None:
    gamma, permuted = [], []
    for seed in range(200):
        x, y = normal(60, seed=2 * seed), normal(60, seed=2 * seed + 1) ** 3
        k, m, _ = HsicTest().grams(x, y)
        gamma.append(independence.gamma_p_value(k, m))
        permuted.append(HsicTest(permutations=99, seed=seed)(x[:12], y[:12]).p_value)
    assert stats.kstest(gamma, "uniform").pvalue > 0.01
    steps = np.bincount(np.round(np.array(permuted) * 10 + 0.4999).astype(int), minlength=11)[1:]
    assert stats.chisquare(steps).pvalue > 0.01
    assert np.mean(np.array(permuted) <= 0.05) < 0.1


def test_gamma_by_its_formula() -> None:
    n = 30
    k, m = hsic.gram(normal(n)), 2 * hsic.gram(normal(n, seed=1))
    off = (n * n - n) / (n * n)
    mean = (1 - (k.mean() - 1 / n) / off) * (2 - (m.mean() - 2 / n) / off) / n
    c, d = hsic.centre(k), hsic.centre(m)
    variance = 2 * (n - 4) * (n - 5) / (n * (n - 1) * (n - 2) * (n - 3)) * (c**2).mean() * (d**2).mean()
    alpha, beta = mean**2 / variance, n * variance / mean
    expected = stats.gamma.sf(n * hsic.hsic_biased(k, m), alpha, scale=beta)
    assert math.isclose(independence.gamma_p_value(k, m), expected, rel_tol=1e-9)
    assert independence.gamma_p_value(torch.ones(8, 8), torch.eye(8)) == 1.0
    assert 0 < independence.gamma_p_value(hsic.gram(normal(6)), hsic.gram(normal(6, seed=1))) < 1


def test_the_object_repeats_itself_and_honours_its_seed() -> None:
    x, y = normal(20), normal(20, seed=1)
    test = HsicTest(permutations=50)
    assert torch.equal(test(x, y).null, test(x, y).null)
    assert not torch.equal(test(x, y).null, HsicTest(permutations=50, seed=1)(x, y).null)
    found = test(x, y)
    assert (found.n, found.method, len(found.null)) == (20, "permutation", 50)
    assert found.bandwidths == (hsic.median_bandwidth(x), hsic.median_bandwidth(y))
    assert hsic_test(x, y).null.shape == (999,)
    assert hsic_test(x, y, method="gamma").null.shape == (0,)
    assert found.statistic == float(hsic.hsic_biased(hsic.gram(x), hsic.gram(y)))
    assert math.isnan(hsic_test(x, y, kernel=("linear", "laplace"), bandwidth=(1.0, 0.5)).bandwidths[0])
    k, m, wide = HsicTest(kernel=("linear", "laplace"), bandwidth=(1.0, 0.5)).grams(x, y)
    assert torch.equal(k, hsic.linear_gram(x))
    assert torch.equal(m, hsic.laplace_gram(y, 0.5))
    assert wide[1] == 0.5


def test_takes_arrays_and_lists_and_mixed_types() -> None:
    labels = [0, 1] * 20
    values = np.arange(40.0) % 2 + 0.1 * np.sin(np.arange(40.0))
    assert hsic_test(values, labels, kernel=("gaussian", "delta")).p_value == 0.001
    assert hsic_test(torch.tensor(values, dtype=torch.float32), labels).null.dtype == torch.float32


def test_pairs_of_a_table() -> None:
    x, y = circle(150)
    table = torch.stack([x, y, normal(150, seed=9)], 1)
    test = HsicTest(permutations=99)
    pairs = test.pairs(table)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        found = test(table[:, i], table[:, j])
        assert math.isclose(pairs.statistic[i, j], found.statistic, rel_tol=1e-12)
        assert pairs.statistic[j, i] == pairs.statistic[i, j]
        assert pairs.p_value[i, j] == pairs.p_value[j, i] == found.p_value
    assert torch.equal(pairs.statistic.isnan(), torch.eye(3, dtype=torch.bool))
    assert pairs.dependent.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert test.pairs(table, rate=0.02).dependent.sum() == 0  # 0.01 > 0.02 / 3
    assert test.pairs(table, rate=0.04).dependent.sum() == 2


def test_pairs_of_a_table_by_the_gamma_law() -> None:
    table = torch.stack([*circle(60), normal(60, seed=9)], 1)
    test = HsicTest(method="gamma")
    pairs = test.pairs(table)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        found = test(table[:, i], table[:, j])
        assert math.isclose(pairs.statistic[i, j], found.statistic, rel_tol=1e-12)
        assert math.isclose(pairs.p_value[j, i], found.p_value, rel_tol=1e-9)
    with pytest.raises(ValueError, match="needs n >= 6 samples, got n = 5"):
        test.pairs(table[:5])


@pytest.mark.parametrize("permutations", [19, 70])
def test_tests_that_share_their_permutations_are_those_one_by_one(permutations: int) -> None:
    samples = [circle(30, seed=s) for s in range(3)] + [(normal(30), normal(30) ** 2), (normal(30), torch.ones(30, dtype=torch.float64))]
    kernels = ("gaussian", "linear", "distance", "gaussian", "linear")
    grams = [(hsic.gram(x, kernel), hsic.gram(y, kernel)) for (x, y), kernel in zip(samples, kernels, strict=True)]
    orders = independence.random_orders(30, permutations, torch.Generator().manual_seed(7))
    found = independence.shared_p_values(*(torch.stack(part) for part in zip(*grams, strict=True)), orders)
    for p_value, (x, y), kernel in zip(found.tolist(), samples, kernels, strict=True):
        assert p_value == HsicTest(kernel, permutations=permutations, seed=7)(x, y).p_value
    assert found[-1] == 1  # against a constant everything is a tie
    with pytest.raises(ValueError, match="same n samples"):
        independence.shared_p_values(torch.eye(5)[None], torch.eye(4)[None], orders)


def test_scores_plug_into_select_k_best() -> None:
    x, y = circle(150)
    table = np.stack([normal(150, seed=9).numpy(), x.numpy(), normal(150, seed=8).numpy()], 1)
    chosen = SelectKBest(HsicTest(permutations=99).scores, k=1).fit(table, y.numpy())
    assert chosen.get_support().tolist() == [False, True, False]
    assert chosen.pvalues_[1] == 0.01


def test_u_centring_a_batch_is_u_centring_each() -> None:
    batch = torch.stack([hsic.gaussian_gram(normal(5, 2, seed=s), 1.0) for s in range(3)])
    centred = independence.u_centre(batch)
    for one, k in zip(centred, batch, strict=True):
        assert torch.allclose(one, independence.u_centre(k), atol=1e-15, rtol=0)
        assert torch.allclose(one.sum(0), torch.zeros(5, dtype=one.dtype), atol=1e-14)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: HsicTest(method="chi2"), "unknown method 'chi2': expected one of ('permutation', 'gamma')"),
        (lambda: HsicTest(permutations=0), "permutations must be at least 1, got 0"),
        (
            lambda: HsicTest(method="gamma", unbiased=True),
            "the gamma law belongs to the biased statistic: unbiased=True needs method='permutation'",
        ),
        (
            lambda: HsicTest(kernel=("gaussian", "cosine")),
            "unknown kernel 'cosine': expected one of ['delta', 'distance', 'gaussian', 'laplace', 'linear']",
        ),
        (lambda: hsic_test([1.0, 2.0], [1.0, 2.0, 3.0]), "x and y must hold the same n observations, got n = 2 and n = 3"),
        (lambda: independence.u_centre(torch.eye(3)), "this estimator needs n >= 4 samples, got n = 3"),
        (lambda: independence.gamma_p_value(torch.eye(5), torch.eye(5)), "this estimator needs n >= 6 samples, got n = 5"),
    ],
)
def test_errors_say_what_was_expected(call, words) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert str(caught.value) == words
