"""Studies: what the estimators of HSIC return where there is nothing, which dependence each test finds, and what in real pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kexue.mathematics.hsic import gaussian_gram, hsic_biased, hsic_unbiased, median_bandwidth
from kexue.mathematics.hsic_independence import HsicTest
from kexue.mathematics.hsic_relatives import benjamini_hochberg

__all__ = ["DEPENDENCES", "TESTS", "BiasRow", "Discoveries", "bias_study", "discoveries", "power_study"]


@dataclass(frozen=True)
class BiasRow:
    """Means and standard errors over repeated independent samples of one size.

    Attributes:
        n: observations in a sample.
        biased: mean of HSIC_b normalised with (n - 1)^2.
        biased_error: its standard error.
        unbiased: mean of HSIC_u.
        unbiased_error: its standard error.
    """

    n: int
    biased: float
    biased_error: float
    unbiased: float
    unbiased_error: float


def bias_study(sizes: Mapping[int, int], bandwidth: float, *, generator: torch.Generator) -> list[BiasRow]:
    """Both estimates for pairs of independent standard normal samples.

    Args:
        sizes: size of a sample → number of samples.
        bandwidth: of both Gaussian kernels.
        generator: source of the samples.
    """
    rows = []
    for n, repeats in sizes.items():
        found = torch.empty(2, repeats, dtype=torch.float64)
        for i in range(repeats):
            x, y = torch.randn((2, n), generator=generator, dtype=torch.float64)
            k, m = gaussian_gram(x, bandwidth), gaussian_gram(y, bandwidth)
            found[0, i], found[1, i] = hsic_biased(k, m, ddof=1), hsic_unbiased(k, m)
        mean, error = found.mean(1).tolist(), (found.std(1) / math.sqrt(repeats)).tolist()
        rows.append(BiasRow(n, mean[0], error[0], mean[1], error[1]))
    return rows


# --8<-- [start:dependences]
def _line(x: Tensor, e: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    return x, 0.3 * x + e


def _circle(x: Tensor, e: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    angle = 2 * math.pi * torch.special.ndtr(x)  # a uniform angle
    return angle.cos() + 0.1 * e, angle.sin() + 0.1 * f


def _wave(x: Tensor, e: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    return x, torch.sin(3 * x) + 0.3 * e


def _spread(x: Tensor, e: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    return x, x * e


def _nothing(x: Tensor, e: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    return x, e


#: from three standard normal samples to a pair
DEPENDENCES: dict[str, Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "line y = 0.3x + e": _line,
    "circle, noise 0.1": _circle,
    "wave y = sin 3x + 0.3e": _wave,
    "spread y = x e": _spread,
    "independent": _nothing,
}
# --8<-- [end:dependences]

#: test → kernel and multiple of the median bandwidth
TESTS: dict[str, tuple[str, float]] = {
    "HSIC, median": ("gaussian", 1.0),
    "median × 0.1": ("gaussian", 0.1),
    "median × 100": ("gaussian", 100.0),
    "median × 0.003": ("gaussian", 0.003),
    "distance covariance": ("distance", 1.0),
    "Pearson": ("linear", 1.0),
}


def power_study(
    n: int = 100, *, repeats: int = 60, permutations: int = 100, level: float = 0.05, tests: Sequence[str] = tuple(TESTS), seed: int = 0
) -> dict[str, dict[str, float]]:
    """How often each test rejects independence: by dependence, then by test. All tests see the same samples and permutations.

    The permutation test with a linear kernel is that of Pearson's correlation: its statistic is the squared covariance.

    Args:
        n: observations in a sample.
        repeats: samples of each dependence.
        permutations: of each test.
        level: a p-value up to this rejects.
        tests: names from ``TESTS``.
        seed: of samples and permutations.
    """
    rates = {dependence: dict.fromkeys(tests, 0.0) for dependence in DEPENDENCES}
    for number, (dependence, make) in enumerate(DEPENDENCES.items()):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        for repeat in range(repeats):
            x, y = make(*torch.randn((3, n), generator=generator, dtype=torch.float64))
            widths = median_bandwidth(x), median_bandwidth(y)
            for name in tests:
                kernel, times = TESTS[name]
                test = HsicTest(kernel, (times * widths[0], times * widths[1]), permutations=permutations, seed=seed + repeat)
                rates[dependence][name] += (test(x, y).p_value <= level) / repeats
    return rates


@dataclass(frozen=True)
class Discoveries:
    """What a test finds among real pairs and among the same pairs shuffled, all judged together by Benjamini and Hochberg.

    Attributes:
        real: found among the pairs as they are ``(m,)``.
        shuffled: found among those whose second column was shuffled ``(m,)``: false discoveries.
    """

    real: Tensor
    shuffled: Tensor


def discoveries(
    pairs: Sequence[Tensor], kernel: str, *, n: int = 100, permutations: int = 199, rate: float = 0.05, seed: int = 0
) -> Discoveries:
    """Test n rows of every pair, and the same rows with one column shuffled.

    Args:
        pairs: samples ``(points, 2)``, each of at least n points.
        kernel: as in :class:`kexue.mathematics.hsic_independence.HsicTest`.
        n: rows drawn from each pair.
        permutations: of each test.
        rate: false discovery rate.
        seed: of the rows and of the shuffling.
    """
    generator = torch.Generator().manual_seed(seed)
    test = HsicTest(kernel, permutations=permutations)
    p_values = torch.empty(2, len(pairs), dtype=torch.float64)
    for i, pair in enumerate(pairs):
        x, y = pair[torch.randperm(len(pair), generator=generator)[:n]].T
        p_values[0, i] = test(x, y).p_value
        p_values[1, i] = test(x, y[torch.randperm(len(y), generator=generator)]).p_value
    found = benjamini_hochberg(p_values.flatten(), rate=rate).view(2, -1)
    return Discoveries(found[0], found[1])
