r"""The linear beta-VAE in closed form: reverse water-filling.

Data with covariance eigenvalues :math:`\lambda_i` (the *heights*) stand in water up to the *level* :math:`D=\beta\sigma^2`, the product of
the price of a nat and the decoder's variance. A direction that rises above the water is coded with :math:`\tfrac12\log(\lambda_i/D)` nats
and an error of exactly ``D``; a direction below it is forgotten. The same filling is the rate-distortion function of a Gaussian
source, and at ``beta = 1`` it is probabilistic principal component analysis.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Filling",
    "LinearCode",
    "collapse_threshold",
    "coordinate_loss",
    "level_for_rate",
    "linear_optimum",
    "pca",
    "probabilistic_pca_log_likelihood",
    "rotation_price",
    "settle",
    "water_filling",
]


class LinearCode(NamedTuple):
    """One coordinate's encoder ``z = a x + s noise`` and decoder ``w z``."""

    a: Tensor
    w: Tensor
    s: Tensor


class Filling(NamedTuple):
    """What a water level does to all directions: rates ``(..., n)`` in nats, errors ``(..., n)``, and which are coded ``(..., n)``."""

    rates: Tensor
    distortions: Tensor
    active: Tensor

    @property
    def rate(self) -> Tensor:
        """Total rate in nats."""
        return self.rates.sum(-1)

    @property
    def distortion(self) -> Tensor:
        """Total squared error."""
        return self.distortions.sum(-1)

    @property
    def coded(self) -> Tensor:
        """Number of coded directions."""
        return self.active.sum(-1)


def check_level(level: float | Tensor) -> Tensor:
    """The level as a float64 tensor (or of its own type) if it is positive and finite; ``ValueError`` if not."""
    tensor = level if isinstance(level, Tensor) else torch.tensor(level, dtype=torch.float64)
    if not bool((torch.isfinite(tensor) & (tensor > 0)).all()):
        raise ValueError(f"the water level must be positive and finite, got {level!r}")
    return tensor


def check_heights(heights: Tensor) -> Tensor:
    """The variances if they are finite and not negative; ``ValueError`` if not."""
    if not heights.is_floating_point() or not bool((torch.isfinite(heights) & (heights >= 0)).all()):
        raise ValueError("heights must be a floating-point tensor of finite numbers that are not negative (clamp rounding errors)")
    return heights


# --8<-- [start:optimum]
def coordinate_loss(code: LinearCode, height: Tensor, *, beta: float, noise: float) -> Tensor:
    r"""The objective of one coordinate, :math:`\frac{1}{2\sigma^2}[(1-wa)^2\lambda+w^2s^2]+\frac\beta2[a^2\lambda+s^2-1-\log s^2]`.

    Args:
        code: encoder and decoder; entries broadcast with `height`.
        height: variance :math:`\lambda` of the data.
        beta: price of a nat.
        noise: the decoder's variance :math:`\sigma^2`.
    """
    error = (1 - code.w * code.a).square() * height + (code.w * code.s).square()
    rate = 0.5 * (code.a.square() * height + code.s.square() - 1 - code.s.square().log())
    return error / (2 * noise) + beta * rate


def linear_optimum(height: Tensor, level: float | Tensor) -> LinearCode:
    r"""The minimum of :func:`coordinate_loss`: :math:`w=\sqrt{\lambda-D},\ a=w/\lambda,\ s^2=D/\lambda` above water, the prior below.

    Args:
        height: variances ``(...)``, positive.
        level: water level :math:`D=\beta\sigma^2`.

    Returns:
        The code with ``w >= 0`` (its mirror image, with both signs turned, is as good).
    """
    level = check_level(level).to(height)
    w = (check_heights(height) - level).clamp_min(0).sqrt()
    above = height > level
    return LinearCode(torch.where(above, w / height, 0.0), w, torch.where(above, (level / height).sqrt(), 1.0))


# --8<-- [end:optimum]


# --8<-- [start:filling]
def water_filling(heights: Tensor, level: float | Tensor) -> Filling:
    r"""Rates :math:`\max(0,\tfrac12\log\frac{\lambda_i}D)` and errors :math:`\min(\lambda_i,D)` of all directions.

    Args:
        heights: eigenvalues ``(n,)``.
        level: water level D, a number or ``(...,)``; the result gets its axes in front.

    Raises:
        ValueError: for a level that is not positive or heights below zero.

    >>> filling = water_filling(torch.tensor([4.0, 1.0, 0.1]), 1.0)
    >>> filling.coded, filling.rate, filling.distortion
    (tensor(1), tensor(0.6931), tensor(2.1000))
    """
    if heights.ndim != 1:
        raise ValueError(f"heights must have shape (n,), got {tuple(heights.shape)}")
    water = check_level(level).to(check_heights(heights))[..., None]  # (..., 1)
    rates = 0.5 * (heights / water).clamp_min(1).log()
    return Filling(rates, torch.minimum(heights, water), heights > water)


# --8<-- [end:filling]


def level_for_rate(heights: Tensor, rate: float) -> float:
    r"""The level at which the total rate is `rate` nats, by filling direction after direction.

    With the m largest directions above water the rate is :math:`\tfrac12\sum_{i\le m}\log\lambda_i-\tfrac m2\log D`; the right m is the one
    whose level lies between its neighbours.

    Raises:
        ValueError: for a rate that is not positive, or no positive height.

    >>> level_for_rate(torch.tensor([4.0, 1.0]), math.log(2.0))
    1.0
    """
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"rate must be a positive finite number of nats, got {rate!r}")
    logs = check_heights(heights)[heights > 0].sort(descending=True).values.double().log()
    if not len(logs):
        raise ValueError("at least one height must be positive")
    number = torch.arange(1, len(logs) + 1, dtype=torch.float64)
    level = (logs.cumsum(0) - 2 * rate) / number  # log of the level, if m directions are coded
    fits = level <= logs  # the m-th still rises above it; the last that does is the number of coded directions
    return math.exp(level[fits.nonzero().max()].item())


# ------------------------------------------------------------------------------------------------------------------------ real data
# --8<-- [start:pca]
def pca(data: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean ``(n,)``, eigenvalues ``(n,)`` in falling order and orthonormal directions ``(n, n)``, as columns, of data ``(N, n)``.

    The covariance is divided by N, as a maximum of the likelihood wants. Each direction's largest entry is positive.

    Raises:
        ValueError: for data of another shape.
    """
    if data.ndim != 2 or len(data) < 2:
        raise ValueError(f"data must be (N, n) with at least two rows, got {tuple(data.shape)}")
    mean = data.mean(0)
    covariance = (data - mean).T @ (data - mean) / len(data)
    heights, directions = torch.linalg.eigh(covariance)
    directions = directions.flip(1)
    sign = directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()
    return mean, heights.flip(0).clamp_min(0), directions * sign


# --8<-- [end:pca]


def probabilistic_pca_log_likelihood(heights: Tensor, count: int) -> Tensor:
    r"""Mean log-likelihood of the best normal model with `count` free directions (Tipping and Bishop 1999).

    The other directions share the mean of their eigenvalues as variance. This is also the best value that the ELBO of a linear VAE with
    a code of that size can take.

    Args:
        heights: eigenvalues ``(n,)`` in falling order, of the covariance divided by N.
        count: the size of the code, from 0 to n − 1.

    Raises:
        ValueError: for a count outside that range.
    """
    n = len(check_heights(heights))
    if not 0 <= count < n:
        raise ValueError(f"count must lie between 0 and {n - 1}, got {count}")
    noise = heights[count:].mean()
    return -0.5 * (n * math.log(2 * math.pi) + heights[:count].log().sum() + (n - count) * noise.log() + n)


def rotation_price(heights: Tensor, rotation: Tensor) -> Tensor:
    r"""Nats lost when a code is turned: :math:`\tfrac12[\sum_j\log(Q\Lambda Q^\top)_{jj}-\sum_j\log\lambda_j]`, times beta in the loss.

    Decoder and prior do not mind a rotation of the code. An encoder with *independent* noise does, unless the heights are equal.

    Args:
        heights: of the coded directions ``(k,)``, all above water.
        rotation: Q ``(k, k)``, orthogonal.

    Raises:
        ValueError: for shapes that do not fit, or a matrix that is not orthogonal.

    >>> quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    >>> rotation_price(torch.tensor([4.0, 1.0]), quarter)
    tensor(0.)
    """
    k = len(check_heights(heights))
    if rotation.shape != (k, k) or not torch.allclose(rotation @ rotation.T, torch.eye(k).to(rotation), atol=1e-5):
        raise ValueError(f"rotation must be an orthogonal matrix ({k}, {k}), got shape {tuple(rotation.shape)}")
    turned = (rotation.square() * heights).sum(1)  # the diagonal of Q Lambda Q^T
    return 0.5 * (turned.log().sum() - heights.log().sum())


# ----------------------------------------------------------------------------------------------------------------- the collapse alone
def settle(height: float, *, beta: float, noise: float, start: float = 0.1) -> LinearCode:
    """Minimise :func:`coordinate_loss` by L-BFGS from a small code ``a = w = start``, ``s = 1``: what training does to one coordinate."""
    check_level(beta * noise)
    parameters = torch.tensor([start, start, 0.0], dtype=torch.float64, requires_grad=True)  # a, w, log s
    optimiser = torch.optim.LBFGS([parameters], max_iter=500, tolerance_grad=1e-11, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = coordinate_loss(_code(parameters), torch.tensor(height), beta=beta, noise=noise)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return _code(parameters.detach())


def _code(parameters: Tensor) -> LinearCode:
    return LinearCode(parameters[0], parameters[1], parameters[2].exp())


def collapse_threshold(*, beta: float, noise: float, halvings: int = 14) -> float:
    """The height at which a trained coordinate wakes up, found by bisection over actual minimisations; the theory says ``beta * noise``.

    Args:
        beta: price of a nat.
        noise: the decoder's variance.
        halvings: of the interval from a quarter of the level to three times the level.
    """
    low, high = beta * noise / 4, 3 * beta * noise
    for _ in range(halvings):
        middle = math.sqrt(low * high)
        if float(settle(middle, beta=beta, noise=noise).w.abs()) < 1e-3 * math.sqrt(middle):
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)
