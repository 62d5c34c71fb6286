"""A smooth kernel in few dimensions has a Gram matrix of small rank: thin factors of it by an incomplete Cholesky factorisation.

Fine and Scheinberg (2001) brought the method to kernel machines. With thin factors a permuted HSIC costs a product of thin matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from kexue.mathematics.hsic import check_sample, gram, resolve_bandwidth

__all__ = ["cholesky_features", "thin_factor"]


# --8<-- [start:cholesky]
def _pivoted(column: Callable[[int], Tensor], left: Tensor, tolerance: float, most: int) -> Tensor | None:
    """Factor ``(n, r)`` of a matrix given by its columns and its diagonal `left`; None if `most` columns are not enough."""
    n = len(left)
    goal = tolerance * float(left.sum())
    phi = left.new_empty((n, most))
    r = 0
    while float(left.sum()) > goal and r < n:
        if r == most:
            return None
        pivot = int(left.argmax())
        fresh = (column(pivot) - phi[:, :r] @ phi[pivot, :r]) / left[pivot].sqrt()
        phi[:, r] = fresh
        left = (left - fresh * fresh).clamp_min(0.0)  # what is not yet explained
        r += 1
    return phi[:, :r].clone()


# --8<-- [end:cholesky]


def thin_factor(k: Tensor, *, tolerance: float = 1e-11, most: int | None = None) -> Tensor | None:
    r"""A factor ``(n, r)`` of a Gram matrix with :math:`\mathrm{tr}(K-\phi\phi^\top)\le` tolerance · tr K; None if r would exceed `most`.

    Args:
        k: positive semi-definite ``(n, n)``.
        tolerance: relative; HSIC computed with the factor is off by no more, for kernels with k(x, x) = 1.
        most: the largest r; if absent n // 8, or 4 √n where that is more: up to there the products of a permutation are quicker than
            fetching all of L in a new order.
    """
    n = len(k)
    return _pivoted(lambda i: k[:, i], k.diagonal().clone(), tolerance, max(n // 8, 4 * math.isqrt(n)) if most is None else min(most, n))


def cholesky_features(
    x: Tensor, kernel: str = "gaussian", bandwidth: float | str = "median", *, tolerance: float = 1e-8, most: int = 512
) -> Tensor:
    r"""Features ``(n, r)`` with :math:`\mathrm{tr}(K-\phi\phi^\top)\le` tolerance · tr K; the Gram matrix itself is never formed.

    Only r columns of it are computed: O(n r^2) time, O(n r) memory.

    Args:
        x: sample ``(n,)`` or ``(n, d)``.
        kernel: name of a positive semi-definite kernel.
        bandwidth: as in :func:`kexue.mathematics.hsic.gram`.
        tolerance: relative, above zero.
        most: the largest r.

    Raises:
        ValueError: if `most` columns do not reach the tolerance; take random features then.
    """
    x = check_sample(x, 1)
    wide = resolve_bandwidth(x, bandwidth)
    phi = _pivoted(lambda i: gram(x, kernel, wide, x[i : i + 1]).squeeze(1), _diagonal(x, kernel), tolerance, min(most, len(x)))
    if phi is None:
        raise ValueError(f"{most} columns do not reach the tolerance {tolerance:g}; take fourier_features")
    return phi


def _diagonal(x: Tensor, kernel: str) -> Tensor:
    """The similarities k(x_i, x_i), ``(n,)``."""
    if kernel == "linear":
        return (x * x).sum(1)
    norms: Tensor = torch.linalg.vector_norm(x, dim=1)
    return norms if kernel == "distance" else torch.ones_like(norms)
