"""Studies: what the estimators of HSIC return where there is nothing, which dependence each test finds, and what in real pairs."""

# ruff: noqa: E741  (K and L are the chapter's names of the two Gram matrices)
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kexue.mathematics.hsic import gaussian_gram, gram, hsic_biased, hsic_unbiased, median_bandwidth
from kexue.mathematics.hsic_independence import random_orders, shared_p_values
from kexue.mathematics.hsic_relatives import benjamini_hochberg

__all__ = ["DEPENDENCES", "TESTS", "BiasRow", "Discoveries", "bias_study", "discoveries", "largest_false_share", "power_study"]


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
    sources = [torch.Generator().manual_seed(1000 * seed + number) for number in range(len(DEPENDENCES))]
    rejected = torch.zeros(len(DEPENDENCES), len(tests), dtype=torch.float64)
    for repeat in range(repeats):
        k: list[Tensor] = []
        l: list[Tensor] = []
        for make, source in zip(DEPENDENCES.values(), sources, strict=True):
            for grams, sample in zip((k, l), make(*torch.randn((3, n), generator=source, dtype=torch.float64)), strict=True):
                median = median_bandwidth(sample)
                grams += [gram(sample, kernel, times * median) for kernel, times in (TESTS[name] for name in tests)]
        orders = random_orders(n, permutations, torch.Generator().manual_seed(seed + repeat))
        p_values = shared_p_values(torch.stack(k), torch.stack(l), orders)
        rejected += (p_values <= level).view_as(rejected)
    shares = (rejected / repeats).tolist()
    return {dependence: dict(zip(tests, row, strict=True)) for dependence, row in zip(DEPENDENCES, shares, strict=True)}


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
        pairs: samples ``(points, 2)``.
        kernel: as in :class:`kexue.mathematics.hsic_independence.HsicTest`.
        n: rows drawn from each pair; of a pair with fewer all are taken.
        permutations: of each test.
        rate: false discovery rate.
        seed: of the rows and of the shuffling.
    """
    generator = torch.Generator().manual_seed(seed)
    grams = []
    for pair in pairs:
        x, y = pair[torch.randperm(len(pair), generator=generator)[:n]].T
        l, turn = gram(y, kernel), torch.randperm(len(y), generator=generator)
        grams.append(torch.stack([gram(x, kernel), l, l[turn][:, turn]]))
    p_values = torch.empty(2, len(pairs), dtype=torch.float64)
    for size in {len(g[0]) for g in grams}:
        rows = [i for i, g in enumerate(grams) if len(g[0]) == size]
        k, l, shuffled = torch.stack([grams[i] for i in rows], 1)
        orders = random_orders(size, permutations, torch.Generator().manual_seed(seed))
        p_values[:, rows] = shared_p_values(torch.cat([k, k]), torch.cat([l, shuffled]), orders).view(2, -1)
    found = benjamini_hochberg(p_values.flatten(), rate=rate).view(2, -1)
    return Discoveries(found[0], found[1])


def largest_false_share(found: Sequence[Discoveries], *, rate: float = 0.05, level: float = 1e-3) -> float:
    r"""How large a share of shuffled pairs among all findings the procedure's promise allows for: an upper quantile.

    Of m pairs R are found; then a shuffled one is found if its p-value is at most :math:`\alpha R/m`, which has a probability of at most
    that. So the mean share of the :math:`m_0` shuffled pairs among the findings is at most :math:`\alpha m_0/m`, whatever the real pairs
    are (Benjamini and Yekutieli 2001). Each pair is shuffled by itself, so their number is taken as binomial with that probability and R
    as it was found. This neglects that a false finding raises R: a share beyond the quantile is about a tenth more probable than `level`.

    Args:
        found: one or more draws.
        rate: the false discovery rate alpha that was asked for.
        level: of the upper quantile of the binomial law.

    Raises:
        ValueError: if nothing was found.

    >>> one = Discoveries(torch.ones(100, dtype=torch.bool), torch.zeros(100, dtype=torch.bool))
    >>> largest_false_share([one], level=0.5)  # about the mean, 2.5 of 100
    0.02
    """
    shuffled = sum(len(f.shuffled) for f in found)
    pairs = shuffled + sum(len(f.real) for f in found)
    findings = sum(int(f.real.sum()) + int(f.shuffled.sum()) for f in found)
    if findings == 0:
        raise ValueError("nothing was found: there is no share of false discoveries")
    chance, count = rate * findings / pairs, 0
    mass = below = (1 - chance) ** shuffled  # of 0, 1, … found among the shuffled
    while below < 1 - level:
        mass *= (shuffled - count) / (count + 1) * chance / (1 - chance)
        below += mass
        count += 1
    return count / findings
