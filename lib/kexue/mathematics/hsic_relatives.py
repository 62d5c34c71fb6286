"""Relatives of HSIC: distance covariance, Chatterjee's coefficient, and the Benjamini-Hochberg procedure."""

from __future__ import annotations

import torch
from torch import Tensor

from kexue.mathematics.hsic import centre, check_sample, squared_distances

__all__ = ["benjamini_hochberg", "chatterjee_xi", "distance_correlation", "distance_covariance"]


def _centred_distances(x: Tensor) -> Tensor:
    """The doubly centred matrix of Euclidean distances."""
    return centre(squared_distances(x).sqrt())


# --8<-- [start:distance]
def distance_covariance(x: Tensor, y: Tensor) -> Tensor:
    r"""Squared distance covariance :math:`\frac1{n^2}\sum_{ij}A_{ij}B_{ij}`, A and B the doubly centred distances (Székely et al. 2007).

    Args:
        x: sample ``(n,)`` or ``(n, d)``.
        y: sample ``(n,)`` or ``(n, e)``.

    Returns:
        A number, four times HSIC_b with :func:`kexue.mathematics.hsic.distance_gram`.

    Raises:
        ValueError: for samples of different length.
    """
    x, y = check_sample(x), check_sample(y)
    if len(x) != len(y):
        raise ValueError(f"x and y must hold the same n observations, got n = {len(x)} and n = {len(y)}")
    return (_centred_distances(x) * _centred_distances(y)).mean()


def distance_correlation(x: Tensor, y: Tensor) -> Tensor:
    r"""Distance correlation in [0, 1], :math:`\sqrt{\mathrm{dCov}^2(x,y)/\sqrt{\mathrm{dCov}^2(x,x)\,\mathrm{dCov}^2(y,y)}}`."""
    scale = (distance_covariance(x, x) * distance_covariance(y, y)).sqrt()
    return (distance_covariance(x, y).clamp_min(0.0) / scale).sqrt()


# --8<-- [end:distance]


# --8<-- [start:xi]
def chatterjee_xi(x: Tensor, y: Tensor, *, generator: torch.Generator | None = None) -> float:
    r"""Chatterjee's rank coefficient (2021): in the limit 0 if and only if independent, 1 if and only if y is a function of x.

    .. math:: \xi=1-\frac{n\sum_i|r_{i+1}-r_i|}{2\sum_i l_i(n-l_i)}

    in the order of increasing x, where :math:`r_i` counts the y that are at most :math:`y_i`, :math:`l_i` those that are at least.

    Args:
        x: sample ``(n,)``.
        y: sample ``(n,)``.
        generator: breaks ties in x at random; without one they keep their order.

    Raises:
        ValueError: for samples that are not one-dimensional or differ in length, or a constant y.
    """
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"x and y must be samples of one shape (n,), got {tuple(x.shape)} and {tuple(y.shape)}")
    check_sample(x), check_sample(y)
    n = len(x)
    first = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
    first = first.to(x.device)
    order = first[torch.argsort(x[first], stable=True)]
    ascending = y.sort().values
    below = torch.searchsorted(ascending, y[order].contiguous(), right=True)  # r: how many are at most this
    above = n - torch.searchsorted(ascending, y.contiguous())  # l: how many are at least this
    scale = int((above * (n - above)).sum())
    if scale == 0:
        raise ValueError("y is constant: no coefficient tells whether it depends on x")
    return 1 - n * int(below.diff().abs().sum()) / (2 * scale)


# --8<-- [end:xi]


# --8<-- [start:bh]
def benjamini_hochberg(p_values: Tensor, *, rate: float = 0.05) -> Tensor:
    r"""Which of m hypotheses to reject so that the expected share of false ones among the rejected stays below `rate`.

    Sort the p-values and find the last one with :math:`p_{(k)}\le\frac km\,\mathrm{rate}`; reject it and all smaller ones
    (Benjamini and Hochberg 1995). It holds for independent and for positively dependent tests.

    Args:
        p_values: ``(m,)`` numbers in [0, 1].
        rate: between 0 and 1.

    Returns:
        Booleans ``(m,)`` in the order given.

    Raises:
        ValueError: for p-values outside [0, 1] or a rate outside (0, 1).

    >>> benjamini_hochberg(torch.tensor([0.03, 0.001, 0.5, 0.02]))
    tensor([ True,  True, False,  True])
    """
    if not 0 < rate < 1:
        raise ValueError(f"the rate must lie between 0 and 1, got {rate}")
    if p_values.ndim != 1 or not bool(((p_values >= 0) & (p_values <= 1)).all()):
        raise ValueError(f"p_values must be numbers in [0, 1] of shape (m,), got shape {tuple(p_values.shape)}")
    m = len(p_values)
    ordered = p_values.double().sort().values
    ranks = torch.arange(1, m + 1, dtype=torch.float64, device=p_values.device)
    passed = torch.nonzero(ordered <= ranks * rate / m)
    if len(passed) == 0:
        return torch.zeros_like(p_values, dtype=torch.bool)
    return p_values.double() <= ordered[passed[-1]]


# --8<-- [end:bh]
