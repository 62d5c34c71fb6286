"""Tests of independence with p-values: by permutation, by a gamma law, or by all permutations where they are few.

>>> x = torch.linspace(-1, 1, 40, dtype=torch.float64)
>>> hsic_test(x, x**2).p_value
0.001

Settings live in :class:`HsicTest`, which also tests every pair of columns of a table and scores features for scikit-learn's
``SelectKBest``. Samples are tensors or whatever ``torch.as_tensor`` takes; the result never depends on an earlier call.
"""

# ruff: noqa: E741  (K and L are the chapter's names of the two Gram matrices)
from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kexue.mathematics.hsic import (
    BANDWIDTH,
    KERNELS,
    centre,
    check_grams,
    check_sample,
    gram,
    hsic_biased,
    hsic_unbiased,
    resolve_bandwidth,
)
from kexue.mathematics.hsic_factors import thin_factor
from kexue.mathematics.hsic_relatives import benjamini_hochberg

__all__ = [
    "HsicTest",
    "Outcome",
    "Pairs",
    "gamma_p_value",
    "hsic_test",
    "permutation_null",
    "permutation_p_value",
    "shared_p_values",
    "u_centre",
]

METHODS = ("permutation", "gamma")
LEAST = 6  #: observations that the gamma law needs
THIN = 150  #: from this n on it pays to look for thin factors


@dataclass(frozen=True)
class Outcome:
    """What a test found.

    Attributes:
        statistic: HSIC_b, or HSIC_u if the test asked for it.
        p_value: the probability, under independence, of a statistic at least as large.
        method: ``permutation``, ``exact`` (all n! permutations) or ``gamma``.
        n: observations.
        bandwidths: of x and of y; NaN for a kernel without one.
        null: the statistic after each permutation ``(B,)``; empty for the gamma law.
    """

    statistic: float
    p_value: float
    method: str
    n: int
    bandwidths: tuple[float, float]
    null: Tensor


@dataclass(frozen=True)
class Pairs:
    """Tests of all pairs of d columns.

    Attributes:
        statistic: ``(d, d)``, symmetric, NaN on the diagonal.
        p_value: ``(d, d)``, symmetric, NaN on the diagonal.
        dependent: ``(d, d)`` booleans: found dependent at the false discovery rate asked for (Benjamini-Hochberg over all pairs).
    """

    statistic: Tensor
    p_value: Tensor
    dependent: Tensor


def as_sample(x: Any, least: int = 2) -> Tensor:
    """A sample from a tensor, an array or a list; integers become float64."""
    tensor = torch.as_tensor(x)
    return check_sample(tensor if tensor.is_floating_point() else tensor.double(), least)


# --------------------------------------------------------------------------------------------------------------------- permutation
def u_centre(k: Tensor) -> Tensor:
    r"""The U-centred matrix (Székely and Rizzo 2014): zero diagonal, zero row sums, and
    :math:`\mathrm{HSIC}_u=\langle U(K),L\rangle/n(n-3)`.

    Raises:
        ValueError: for n < 4.
    """
    n = check_grams(k, k, 4)
    eye = torch.eye(n, dtype=torch.bool, device=k.device)
    hollow = k.masked_fill(eye, 0.0)
    rows = hollow.sum(-1, keepdim=True) / (n - 2)
    total = hollow.sum((-2, -1), keepdim=True) / ((n - 1) * (n - 2))
    return (hollow - rows - rows.mT + total).masked_fill(eye, 0.0)


# --8<-- [start:permutation]
def permutation_null(k: Tensor, l: Tensor, orders: Tensor, *, unbiased: bool = False) -> Tensor:
    r"""The statistic after each of the given relabellings of y, ``(B,)``: the Gram matrices are computed and centred once.

    Args:
        k: Gram matrix of x ``(n, n)``.
        l: Gram matrix of y ``(n, n)``.
        orders: permutations of 0 … n - 1, one a row, ``(B, n)``.
        unbiased: the statistic is HSIC_u instead of HSIC_b.
    """
    n = check_grams(k, l)
    if not unbiased and n >= THIN and k.dtype == l.dtype == torch.float64:
        phi, psi = thin_factor(k), thin_factor(l)
        if phi is not None and psi is not None:
            return _thin_null(phi, psi, orders)
    centred = u_centre(k) / (n * (n - 3)) if unbiased else centre(k) / n**2
    if k.device.type == "cpu":  # NumPy fetches rows and columns several times quicker than torch does
        a, b = centred.detach().numpy().reshape(-1), l.detach().numpy()
        return torch.tensor([a @ b.take(o, 0).take(o, 1).reshape(-1) for o in orders.numpy()], dtype=k.dtype)
    return torch.stack([(centred * l[o][:, o]).sum() for o in orders])


def _thin_null(phi: Tensor, psi: Tensor, orders: Tensor) -> Tensor:
    r"""The same from thin factors: :math:`|\Phi_c^\top\Psi_\pi|^2/n^2` for every permutation pi of the rows of psi."""
    n, size = len(phi), max(1, 2**21 // psi.numel())
    turned = (phi - phi.mean(0)).T  # (r, n)
    return torch.cat([(turned @ psi[part]).square().sum((1, 2)) for part in torch.split(orders.to(psi.device), size)]) / n**2


def shared_p_values(k: Tensor, l: Tensor, orders: Tensor) -> Tensor:
    r"""The p-values of T permutation tests of HSIC_b that share their permutations: the places in L are looked up for all at once.

    Args:
        k: Gram matrices of x ``(T, n, n)``.
        l: Gram matrices of y ``(T, n, n)``.
        orders: permutations of 0 … n - 1, one a row, ``(B, n)``.

    Returns:
        ``(T,)``, float64; each is that of :func:`permutation_null` and :func:`permutation_p_value`.
    """
    n = check_grams(k, l)
    above = np.triu_indices(n, 1)  # the matrices are symmetric: half of them is enough
    turns = torch.cat([torch.arange(n)[None], orders]).numpy()  # the sample goes the same way as its permutations, so that ties stay ties
    a, b = centre(k).detach().numpy(), l.detach().numpy()
    places = (turns * n).take(above[0], 1) + turns.take(above[1], 1)  # (1 + B, n (n - 1) / 2)
    values = np.einsum("ti,tbi->tb", np.einsum("tii->ti", a), np.einsum("tii->ti", b)[:, turns])  # (T, 1 + B)
    for value, one, other in zip(values, a, b, strict=True):
        value += 2 * (other.reshape(-1).take(places) @ one[above])
    return torch.tensor([permutation_p_value(float(v[0]), torch.from_numpy(v[1:])) for v in values], dtype=torch.float64)


def permutation_p_value(statistic: float, null: Tensor) -> float:
    r"""The share :math:`(1+\#\{\text{null}\ge\text{statistic}\})/(1+B)`: at most its nominal level for every n and every B.

    Sums of the same terms in another order may differ in the last bits, so values within rounding count as ties, against the finding.

    >>> permutation_p_value(2.0, torch.tensor([1.0, 2.0, 3.0]))
    0.75
    """
    slack = 100 * torch.finfo(null.dtype).eps * max(abs(statistic), float(null.abs().max()))
    return (1 + int((null >= statistic - slack).sum())) / (1 + len(null))


# --8<-- [end:permutation]


def random_orders(n: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` permutations drawn uniformly, one a row ``(count, n)``."""
    return torch.stack([torch.randperm(n, generator=generator) for _ in range(count)])


def all_orders(n: int) -> Tensor:
    """All n! permutations but the identity, ``(n! - 1, n)``."""
    return torch.tensor(list(itertools.permutations(range(n)))[1:])


# --------------------------------------------------------------------------------------------------------------------------- gamma
# --8<-- [start:gamma]
def gamma_p_value(k: Tensor, l: Tensor) -> float:
    r"""The p-value of :math:`n\,\mathrm{HSIC}_b` under a gamma law with its first two moments (Gretton et al. 2007).

    .. math:: E=\frac{(\bar k_{ii}-\bar k_{ij})(\bar l_{ii}-\bar l_{ij})}{n},\quad
              V=\frac{2(n-4)(n-5)}{n(n-1)(n-2)(n-3)}\,\|C_{xx}\|^2\|C_{yy}\|^2,\quad \alpha=E^2/V,\ \beta=nV/E

    One pass over the matrices instead of hundreds of permutations; an approximation, good for large n.

    Args:
        k: Gram matrix of x ``(n, n)``.
        l: Gram matrix of y ``(n, n)``.

    Raises:
        ValueError: for n < 6, where the variance has no meaning.
    """
    check_grams(k, l, LEAST)
    return _gamma(_Summary.of(k), _Summary.of(l))[1]


@dataclass(frozen=True)
class _Summary:
    """What the gamma law needs of one Gram matrix: centred, mean of the diagonal less mean of the rest, mean square when centred."""

    centred: Tensor
    spread: Tensor
    norm: Tensor

    @classmethod
    def of(cls, k: Tensor) -> _Summary:
        n, c = len(k), centre(k)
        diagonal = k.diagonal().sum().double()
        spread = diagonal / n - (k.sum().double() - diagonal) / (n * (n - 1))
        return cls(c, spread, c.flatten().dot(c.flatten()).double() / n**2)


def _gamma(x: _Summary, y: _Summary) -> tuple[float, float]:
    """HSIC_b and its p-value."""
    n = len(x.centred)
    statistic = x.centred.flatten().dot(y.centred.flatten()).double() / n**2
    mean = x.spread * y.spread / n
    variance = 2 * (n - 4) * (n - 5) / (n * (n - 1) * (n - 2) * (n - 3)) * x.norm * y.norm
    if not (mean > 0 and variance > 0):
        return float(statistic), 1.0  # a constant sample is independent of everything
    return float(statistic), float(torch.special.gammaincc(mean**2 / variance, statistic * mean / variance))


# --8<-- [end:gamma]


# ---------------------------------------------------------------------------------------------------------------------- the object
@dataclass(frozen=True)
class HsicTest:
    """A test of independence, ready to be used on many samples.

    Attributes:
        kernel: of x and of y: ``gaussian``, ``laplace``, ``linear``, ``distance`` or ``delta``; or a pair of names.
        bandwidth: ``"median"`` or a number, of x and of y; or a pair. It is chosen before any label is permuted.
        method: ``permutation`` or ``gamma``.
        permutations: how many; where n! is no larger, all of them are taken and the p-value is exact.
        unbiased: the statistic is HSIC_u instead of HSIC_b.
        seed: of the permutations.

    >>> test = HsicTest(permutations=199)
    >>> test(torch.arange(30.0), torch.arange(30.0) % 2).p_value > 0.05
    True
    """

    kernel: str | tuple[str, str] = "gaussian"
    bandwidth: float | str | tuple[float | str, float | str] = "median"
    method: str = "permutation"
    permutations: int = 999
    unbiased: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"unknown method {self.method!r}: expected one of {METHODS}")
        if self.permutations < 1:
            raise ValueError(f"permutations must be at least 1, got {self.permutations}")
        if self.method == "gamma" and self.unbiased:
            raise ValueError("the gamma law belongs to the biased statistic: unbiased=True needs method='permutation'")
        for name in self._two(self.kernel):
            if name not in KERNELS:
                raise ValueError(f"unknown kernel {name!r}: expected one of {sorted(KERNELS)}")

    @staticmethod
    def _two(setting: Any) -> tuple[Any, Any]:
        return setting if isinstance(setting, tuple) else (setting, setting)

    def grams(self, x: Any, y: Any) -> tuple[Tensor, Tensor, tuple[float, float]]:
        """The Gram matrices of both samples and their bandwidths.

        Raises:
            ValueError: for samples of different length, or what :func:`kexue.mathematics.hsic.gram` refuses.
        """
        samples = as_sample(x), as_sample(y)
        if len(samples[0]) != len(samples[1]):
            raise ValueError(f"x and y must hold the same n observations, got n = {len(samples[0])} and n = {len(samples[1])}")
        kernels, asked = self._two(self.kernel), self._two(self.bandwidth)
        width = [resolve_bandwidth(s, b) if name in BANDWIDTH else math.nan for s, name, b in zip(samples, kernels, asked, strict=True)]
        k, l = (gram(s, name, b) for s, name, b in zip(samples, kernels, width, strict=True))
        return k, l, (width[0], width[1])

    def __call__(self, x: Any, y: Any) -> Outcome:
        """Test x ``(n,)`` or ``(n, d)`` against y ``(n,)`` or ``(n, e)``."""
        k, l, widths = self.grams(x, y)
        return self._judge(k, l.to(k), widths)

    def _judge(self, k: Tensor, l: Tensor, widths: tuple[float, float]) -> Outcome:
        n = len(k)
        if self.method == "gamma":
            check_grams(k, l, LEAST)
            return Outcome(*_gamma(_Summary.of(k), _Summary.of(l)), "gamma", n, widths, k.new_empty(0))
        statistic = float((hsic_unbiased if self.unbiased else hsic_biased)(k, l))
        exact = math.factorial(min(n, 20)) <= self.permutations + 1
        generator = torch.Generator().manual_seed(self.seed)
        orders = all_orders(n) if exact else random_orders(n, self.permutations, generator)
        # the sample itself goes the same way as its permutations, so that ties stay ties
        values = permutation_null(k, l, torch.cat([torch.arange(n)[None], orders]), unbiased=self.unbiased)
        p_value = permutation_p_value(float(values[0]), values[1:])
        return Outcome(statistic, p_value, "exact" if exact else "permutation", n, widths, values[1:])

    def pairs(self, table: Any, *, rate: float = 0.05) -> Pairs:
        """Test every pair of columns of a table ``(n, d)``; each Gram matrix is computed once.

        Args:
            table: observations by row.
            rate: the false discovery rate that Benjamini and Hochberg's procedure keeps.
        """
        columns = as_sample(table).T
        d = len(columns)
        one = [self.grams(c, c)[::2] for c in columns]
        brief = [_Summary.of(k) for k, _ in one] if self.method == "gamma" and len(columns[0]) >= LEAST else []
        result = torch.full((2, d, d), math.nan, dtype=torch.float64)
        for i, j in itertools.combinations(range(d), 2):
            if brief:
                found = _gamma(brief[i], brief[j])
            else:
                outcome = self._judge(one[i][0], one[j][0], (one[i][1][0], one[j][1][1]))
                found = outcome.statistic, outcome.p_value
            result[:, i, j] = result[:, j, i] = torch.tensor(found, dtype=torch.float64)
        i, j = torch.triu_indices(d, d, 1)
        dependent = torch.zeros(d, d, dtype=torch.bool)
        dependent[i, j] = dependent[j, i] = benjamini_hochberg(result[1][i, j], rate=rate)
        return Pairs(result[0], result[1], dependent)

    def scores(self, table: Any, y: Any) -> tuple[Any, Any]:
        """Statistic and p-value of each column of a table against y, as NumPy arrays: a ``score_func`` for ``SelectKBest``."""
        found = [self(column, y) for column in as_sample(table).T]
        statistics, p_values = torch.tensor([(f.statistic, f.p_value) for f in found], dtype=torch.float64).T.numpy()
        return statistics, p_values


def hsic_test(x: Any, y: Any, **settings: Any) -> Outcome:
    """Test two samples for independence; the settings are those of :class:`HsicTest`."""
    return replace(HsicTest(), **settings)(x, y)
