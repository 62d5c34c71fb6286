"""Closed forms that judge gradient estimators: the Concrete density, and the bias and variance of each estimator on solvable cases.

Two classes with logit difference ``a`` are one relaxed bit :math:`y=\\sigma((a+\\ell)/\\tau)` with a standard logistic ``l`` (a
difference of two Gumbels), so its derivative has moments that a one-dimensional integral gives to machine precision.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kexue.mathematics.gumbel_softmax import check_logits, check_tau

__all__ = [
    "concrete_log_density",
    "gradient_moments",
    "relaxed_bit_mean",
    "score_function_variance",
    "second_moment_law",
    "sine_crossing",
    "sine_variances",
    "square_best_baseline",
]


# --8<-- [start:density]
def concrete_log_density(y: Tensor, logits: Tensor, tau: float) -> Tensor:
    r"""Log-density of the Gumbel-softmax (Concrete) law with respect to the first ``k - 1`` coordinates.

    .. math:: \log p(y)=\log\Gamma(k)+(k-1)\log\tau-k\log\sum_i\pi_iy_i^{-\tau}+\sum_i(\log\pi_i-(\tau+1)\log y_i)

    Args:
        y: points of the open simplex, ``(..., k)``.
        logits: ``(..., k)``, broadcast against `y`.
        tau: temperature above 0.

    Returns:
        Log-densities ``(...)``.

    Raises:
        ValueError: if a point is not inside the simplex or the class axes differ.
    """
    tau, k = check_tau(tau), check_logits(logits).shape[-1]
    if y.ndim < 1 or y.shape[-1] != k:
        raise ValueError(f"y must have shape (..., {k}) like the logits, got {tuple(y.shape)}")
    if not bool((y > 0).all()) or bool(((y.sum(-1) - 1).abs() > 1e-4).any()):
        raise ValueError("y must lie inside the simplex: coordinates above 0 that sum to 1")
    weighted = logits - tau * y.log()  # log(pi_i y_i^-tau), up to a constant that cancels
    constant = math.lgamma(k) + (k - 1) * math.log(tau)
    return constant - k * weighted.logsumexp(-1) + (weighted - y.log()).sum(-1)


# --8<-- [end:density]


def relaxed_bit_mean(a: Tensor) -> Tensor:
    r"""Mean of a relaxed bit at :math:`\tau=1`: :math:`E[y]=e^a(e^a-1-a)/(e^a-1)^2`, with the limit 1/2 at ``a = 0``.

    >>> relaxed_bit_mean(torch.tensor([0.0, 1.0], dtype=torch.float64))
    tensor([0.5000, 0.6613], dtype=torch.float64)
    """
    u = -a.abs()  # the formula at -|a| does not overflow; E[y](-a) = 1 - E[y](a)
    exact = u.exp() * (torch.expm1(u) - u) / torch.expm1(u).square()
    series = 0.5 + u / 6 - u**3 / 180  # the closed form is 0/0 at the origin
    lower = torch.where(u > -2e-2, series, exact)
    return torch.where(a > 0, 1 - lower, lower)


# --8<-- [start:moments]
def gradient_moments(a: Tensor, tau: Tensor, *, step: float = 0.02, reach: float = 60.0) -> tuple[Tensor, Tensor]:
    r"""Mean and second moment of the pathwise derivative :math:`\partial y/\partial a=y(1-y)/\tau` of a relaxed bit.

    With :math:`y=\sigma(s)` the noise is :math:`\ell=\tau s-a` and both moments are integrals of an analytic function that falls
    off exponentially, for which the trapezoidal rule converges faster than any power of its step.

    Args:
        a: logit differences.
        tau: temperatures above 0 and up to 20, broadcast against `a`.
        step: spacing of the nodes in ``s``.
        reach: the nodes cover ``[-reach, reach]``.

    Returns:
        ``(E[dy/da], E[(dy/da)^2])`` in float64, of the broadcast shape.

    Raises:
        ValueError: for a temperature outside (0, 20].
    """
    if not bool(((tau > 0) & (tau <= 20)).all()):
        raise ValueError(f"tau must lie in (0, 20], got values from {tau.min().item():g} to {tau.max().item():g}")
    s = torch.arange(-reach, reach + step, step, dtype=torch.float64)  # (N,)
    a, tau = a.double()[..., None], tau.double()[..., None]
    bump = torch.sigmoid(s) * torch.sigmoid(-s)  # y(1 - y) = dy/ds
    noise = tau * s - a
    density = torch.sigmoid(noise) * torch.sigmoid(-noise) * tau  # of s
    return (bump / tau * density).sum(-1) * step, ((bump / tau) ** 2 * density).sum(-1) * step


# --8<-- [end:moments]


def second_moment_law(probability: Tensor, tau: Tensor) -> Tensor:
    r"""Small-temperature law :math:`E[(\partial y_i/\partial o_i)^2]\to p_i(1-p_i)/(6\tau)`, for any number of classes."""
    return probability * (1 - probability) / (6 * tau)


# --8<-- [start:variances]
def score_function_variance(mu: float, s: float, baseline: float = 0.0) -> float:
    r"""Variance of one score-function sample of :math:`\partial_\mu E[z^2]`, :math:`z\sim N(\mu,s^2)`, with a constant baseline.

    :math:`(\mu^4+18\mu^2s^2+15s^4-2b(\mu^2+3s^2)+b^2)/s^2-4\mu^2`; the pathwise sample ``2 z`` has variance ``4 s^2``.

    >>> round(score_function_variance(0.7, 1.3), 3)
    32.352
    """
    second = (mu**4 + 18 * mu**2 * s**2 + 15 * s**4 - 2 * baseline * (mu**2 + 3 * s**2) + baseline**2) / s**2
    return second - 4 * mu**2


def square_best_baseline(mu: float, s: float) -> float:
    r"""The constant that minimises :func:`score_function_variance`: :math:`b^*=\mu^2+3s^2`, not :math:`E[f]=\mu^2+s^2`."""
    return mu**2 + 3 * s**2


def sine_variances(w: Tensor) -> tuple[Tensor, Tensor]:
    r"""Variances of one sample of :math:`\partial_\mu E[\sin wz]` at :math:`\mu=0,s=1`: ``(pathwise, score function)``.

    >>> pathwise, score = sine_variances(torch.tensor(2.0))
    >>> round(pathwise.item(), 3), round(score.item(), 3)
    (1.927, 0.429)
    """
    pathwise = w**2 * (0.5 * (1 + (-2 * w**2).exp()) - (-(w**2)).exp())
    score = 0.5 * (1 - (1 - 4 * w**2) * (-2 * w**2).exp()) - w**2 * (-(w**2)).exp()
    return pathwise, score


# --8<-- [end:variances]


def sine_crossing(lower: float = 0.5, upper: float = 2.0) -> float:
    """The frequency at which the two variances of :func:`sine_variances` are equal, by bisection.

    >>> round(sine_crossing(), 9)
    1.108986217
    """
    for _ in range(60):  # 1.5 / 2^60 is below the spacing of doubles
        middle = (lower + upper) / 2
        pathwise, score = sine_variances(torch.tensor(middle, dtype=torch.float64))
        lower, upper = (middle, upper) if bool(pathwise < score) else (lower, middle)
    return (lower + upper) / 2
