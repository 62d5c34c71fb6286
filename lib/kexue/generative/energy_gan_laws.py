"""Laws on the line for the energy chapter: mixtures of normal laws, and points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Normals", "points_cdf", "some"]


@dataclass(frozen=True)
class Normals:
    r"""A mixture of normal laws on the line, :math:`\sum_k w_k\,\mathcal N(m_k,s_k^2)`.

    Attributes:
        means: m.
        stds: s, one for each mean.
        weights: w, equal by default.

    Raises:
        ValueError: lengths that differ, a standard deviation or weight that is not positive, weights that do not sum to 1.

    >>> law = Normals((-1.0, 1.0), (0.5, 0.5))
    >>> round(float(law.cdf(torch.tensor(0.0))), 3)
    0.5
    """

    means: tuple[float, ...]
    stds: tuple[float, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.means)
        object.__setattr__(self, "weights", self.weights or (1 / n,) * n if n else ())
        if not n or len(self.stds) != n or len(self.weights) != n:
            raise ValueError(f"means, stds and weights must have one length, at least 1, got {n}, {len(self.stds)}, {len(self.weights)}")
        if min(self.stds) <= 0 or min(self.weights) <= 0 or not math.isclose(sum(self.weights), 1, abs_tol=1e-9):
            raise ValueError(f"stds and weights must be positive and the weights sum to 1, got {self.stds} and {self.weights}")

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Standardised x ``(..., k)``, standard deviations ``(k,)`` and weights ``(k,)``."""
        means, stds, weights = (x.new_tensor(v) for v in (self.means, self.stds, self.weights))
        return (x[..., None] - means) / stds, stds, weights

    def density(self, x: Tensor) -> Tensor:
        """The density at x, of the shape of x."""
        t, stds, weights = self._parts(x)
        return (weights / stds * torch.exp(-0.5 * t**2)).sum(-1) / math.sqrt(2 * math.pi)

    def cdf(self, x: Tensor) -> Tensor:
        """The distribution function at x, of the shape of x."""
        t, _, weights = self._parts(x)
        below: Tensor = weights * torch.special.ndtr(t)
        return below.sum(-1)

    def quantiles(self, count: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
        """The quantiles of (i + 1/2) / count, ``(count,)``, by bisection: `count` points that stand for the law."""
        ranks = (torch.arange(count, dtype=dtype) + 0.5) / count
        reach = 12 * max(self.stds)
        low, high = torch.full_like(ranks, min(self.means) - reach), torch.full_like(ranks, max(self.means) + reach)
        for _ in range(80):
            middle = (low + high) / 2
            below = self.cdf(middle) < ranks
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2


def points_cdf(points: Tensor, x: Tensor) -> Tensor:
    """The distribution function of n equally weighted points, a staircase with n steps.

    Args:
        points: ``(n,)``, in any order.
        x: where, any shape.

    Returns:
        The share of points that are at most x, of the shape of x.

    Raises:
        ValueError: if there are no points.
    """
    some(points)
    return torch.searchsorted(points.sort().values, x.contiguous(), right=True).to(x.dtype) / len(points)


def some(points: Tensor) -> None:
    """Refuse what is not a list of points.

    Raises:
        ValueError: unless the shape is ``(n,)`` with n of at least 1.
    """
    if points.ndim != 1 or len(points) == 0:
        raise ValueError(f"expected points of shape (n,), at least one, got shape {tuple(points.shape)}")
