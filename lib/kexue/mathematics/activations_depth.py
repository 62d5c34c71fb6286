r"""What an activation function does to signals and gradients in a deep random network, in the limit of infinite width.

Weights are ``N(0, weight / fan-in)``, biases ``N(0, bias)``, so `weight` and `bias` are variances. Layer by layer the variance of a
pre-activation obeys ``q' = weight E f(sqrt(q) z)^2 + bias``, the correlation of two inputs a map ``c -> C(c)``, and a squared gradient is
multiplied by ``chi = weight E f'(sqrt(q) z)^2`` (Poole et al. 2016; Schoenholz et al. 2017). Expanded in Hermite polynomials ``f`` is a law
of probability on degrees, ``C`` its generating function and ``chi`` its mean: depth is a branching process.
"""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq
from torch import Tensor

from kexue.mathematics.activations import Activation, activation, gaussian_mean, moments, slope

__all__ = [
    "chi",
    "chi_normalised",
    "correlation_map",
    "correlation_trajectory",
    "critical_init",
    "depth_scale",
    "fixed_point",
    "half_stable_point",
    "hermite_shares",
    "q_map",
    "q_slope",
    "trajectory",
]

Which = Activation | str


def _known(f: Which) -> Activation:
    return activation(f) if isinstance(f, str) else f


def _variance(name: str, value: float) -> float:
    """`value` if it is a finite variance above zero."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is a variance: a finite number above 0 was expected, got {value}")
    return value


def _depth(depth: int) -> int:
    if depth < 0:
        raise ValueError(f"depth counts layers and can't be negative, got {depth}")
    return depth


# --8<-- [start:maps]
def q_map(f: Which, q: Tensor | float, *, weight: float = 1.0, bias: float = 0.0) -> Tensor:
    r"""The variance of the next pre-activation, :math:`q'=\sigma_w^2\,\mathbb E f(\sqrt q\,z)^2+\sigma_b^2`, for variances `q` (...)."""
    g = _known(f)
    root = torch.as_tensor(q, dtype=torch.float64).sqrt()
    return weight * gaussian_mean(lambda x: g(x) ** 2, scale=root, kinks=g.kinks) + bias


def chi(f: Which, q: Tensor | float, *, weight: float = 1.0) -> Tensor:
    r"""What a layer does to a squared gradient, :math:`\chi=\sigma_w^2\,\mathbb E f'(\sqrt q\,z)^2`, for variances `q` (...)."""
    g = _known(f)
    root = torch.as_tensor(q, dtype=torch.float64).sqrt()
    return weight * gaussian_mean(lambda x: slope(g, x) ** 2, scale=root, kinks=g.kinks)


def q_slope(f: Which, q: Tensor | float, *, weight: float = 1.0) -> Tensor:
    r"""The slope of :func:`q_map`, :math:`\dd q'/\dd q=\sigma_w^2\,\mathbb E[(z^2-1)f(\sqrt q\,z)^2]/2q`; no derivative of f is needed."""
    g = _known(f)
    variance = torch.as_tensor(q, dtype=torch.float64)
    second = gaussian_mean(lambda x: (x**2 / variance[..., None, None] - 1) * g(x) ** 2, scale=variance.sqrt(), kinks=g.kinks)
    return weight * second / (2 * variance)


def trajectory(f: Which, depth: int, *, q0: float = 1.0, weight: float = 1.0, bias: float = 0.0) -> tuple[Tensor, Tensor]:
    r"""Variances of the pre-activations of layers 0 … `depth`, and the growth :math:`\prod\chi` of a squared gradient from there to 0.

    Returns:
        ``q`` and ``growth``, both float64 ``(depth + 1,)``; ``growth[l]`` is the factor of a squared gradient on its way from layer
        ``l`` back to layer 0.
    """
    q = [torch.tensor(_variance("q0", q0), dtype=torch.float64)]
    for _ in range(_depth(depth)):
        q.append(q_map(f, q[-1], weight=weight, bias=bias))
    variances = torch.stack(q)
    growth = torch.cat([torch.ones(1, dtype=torch.float64), chi(f, variances[:-1], weight=weight).cumprod(0)])
    return variances, growth


# --8<-- [end:maps]


def fixed_point(f: Which, *, weight: float = 1.0, bias: float = 0.0, start: float = 1.0, steps: int = 2000) -> float:
    """The variance at which ``q_map`` comes to rest from `start`: 0 where the signal dies, ``inf`` where it explodes.

    Raises:
        ValueError: where it has not come to rest after `steps` layers.
    """
    q = _variance("start", start)
    for _ in range(steps):
        new = float(q_map(f, q, weight=weight, bias=bias))
        if new > 1e6:
            return math.inf
        if new < 1e-12:
            return 0.0
        if abs(new - q) <= 1e-11 * q:
            return new
        q = new
    raise ValueError(f"the variance has not settled after {steps} layers, it stands at {q:.4g} and changes ever more slowly")


# --8<-- [start:correlation]
def correlation_map(f: Which, c: Tensor | float, *, q: float = 1.0, weight: float = 1.0, bias: float = 0.0) -> Tensor:
    r"""The correlation of two pre-activations after a layer, if before it they had variance `q` and correlations `c` (...).

    :math:`C(c)=(\sigma_w^2\,\mathbb E f(\sqrt q\,z_1)f(\sqrt q\,z_2)+\sigma_b^2)/q'` with :math:`\mathbb E z_1z_2=c`; the inner mean is
    taken over :math:`z_2` given :math:`z_1`, so that kinks stay at known places.
    """
    g, root = _known(f), math.sqrt(_variance("q", q))
    before = torch.as_tensor(c, dtype=torch.float64)
    if bool((before.abs() > 1).any()):
        raise ValueError("correlations lie between -1 and 1")

    def both(x: Tensor) -> Tensor:  # x (..., intervals, nodes)
        share = before[..., None, None]
        return g(x) * gaussian_mean(g, mean=share * x, scale=root * (1 - share**2).sqrt() + 0 * x, kinks=g.kinks)

    outer = gaussian_mean(both, scale=root + 0 * before, kinks=g.kinks)
    return (weight * outer + bias) / q_map(g, q, weight=weight, bias=bias)


def correlation_trajectory(f: Which, depth: int, *, c0: float = 0.0, q: float = 1.0, weight: float = 1.0, bias: float = 0.0) -> Tensor:
    """Correlations of two inputs at layers 0 … `depth` while the variance stays at `q`: ``(depth + 1,)``."""
    c = [torch.tensor(c0, dtype=torch.float64)]
    for _ in range(_depth(depth)):
        c.append(correlation_map(f, c[-1].clamp(-1, 1), q=q, weight=weight, bias=bias))
    return torch.stack(c)


# --8<-- [end:correlation]


# --8<-- [start:hermite]
def hermite_shares(f: Which, degrees: int = 16, *, q: float = 1.0) -> Tensor:
    r"""How the energy of :math:`f(\sqrt q\,z)` is spread over Hermite degrees: :math:`p_n=a_n^2/\mathbb Ef^2`, ``(degrees + 1,)``.

    :math:`a_n=\mathbb E f(\sqrt q\,z)h_n(z)` with the normalised polynomials :math:`h_0=1,\ h_1=z,\
    \sqrt{n+1}\,h_{n+1}=zh_n-\sqrt n\,h_{n-1}`. Their sum tends to 1, their mean degree :math:`\sum np_n` to the chi of the own gain.
    """
    g, root = _known(f), math.sqrt(_variance("q", q))
    energy = gaussian_mean(lambda x: g(x) ** 2, scale=root, kinks=g.kinks)

    def degree(n: int) -> Tensor:
        def product(x: Tensor) -> Tensor:
            z = x / root
            before, h = torch.zeros_like(z), torch.ones_like(z)
            for k in range(n):
                before, h = h, (z * h - math.sqrt(k) * before) / math.sqrt(k + 1)
            return g(x) * h

        return gaussian_mean(product, scale=root, kinks=g.kinks)

    return torch.stack([degree(n) for n in range(_depth(degrees) + 1)]) ** 2 / energy


# --8<-- [end:hermite]


# --8<-- [start:normalised]
def chi_normalised(f: Which) -> float:
    r"""Growth of a squared gradient per layer under batch normalisation: :math:`\mathbb E f'^2/(\mathbb E f^2-(\mathbb E f)^2)` at q = 1.

    The normalisation divides by the spread over the batch, to which the mean does not contribute (Yang et al. 2019). In Hermite degrees:
    the mean of those degrees that are not zero. It is never below 1, whatever the gain.

    >>> round(chi_normalised("relu") * (1 - 1 / math.pi), 12)
    1.0
    """
    m = moments(_known(f))
    return m.slope_square / (m.square - m.mean**2)


# --8<-- [end:normalised]


def depth_scale(growth: float) -> float:
    """The number of layers over which something that is multiplied by `growth` in each changes by a factor e: ``1 / |log growth|``.

    >>> depth_scale(1.0)
    inf
    """
    if not growth > 0:
        raise ValueError(f"growth is a factor per layer and must be positive, got {growth}")
    return math.inf if growth == 1 else 1 / abs(math.log(growth))


# --8<-- [start:critical]
def critical_init(f: Which, *, q: float = 1.0) -> tuple[float, float]:
    r"""Variances ``(weight, bias)`` that keep both the signal at size `q` and the gradient: :math:`q'=q` and :math:`\chi=1`.

    :math:`\sigma_w^2=1/\mathbb Ef'^2` and :math:`\sigma_b^2=q-\mathbb Ef^2/\mathbb Ef'^2`, both means at :math:`\sqrt q\,z`.

    Raises:
        ValueError: where that asks for a negative variance of the biases: chi is below one however the biases are chosen.
    """
    m = moments(_known(f), q=_variance("q", q))
    bias = q - m.square / m.slope_square
    if bias < -1e-9:
        raise ValueError(f"no biases make {_known(f).label} critical at q = {q:g}: its chi there is {q * m.chi:.4g}, below 1")
    return 1 / m.slope_square, max(bias, 0.0)


# --8<-- [end:critical]


def half_stable_point(f: Which, *, low: float, high: float) -> tuple[float, float, float]:
    r"""The variance `q` in (`low`, `high`) at which chi and the slope of the q-map are both one, with its ``(weight, bias)``.

    There the variance is at rest to first order too; for Swish and GELU such a point exists (Roberts, Yaida, Hanin 2022).
    """

    def gap(q: float) -> float:
        return float(q_slope(f, q) / chi(f, q)) - 1

    if gap(low) * gap(high) > 0:
        raise ValueError(f"the slope of the q-map over chi does not cross 1 between q = {low:g} and q = {high:g}")
    q = float(brentq(gap, low, high, xtol=1e-10))
    return q, *critical_init(f, q=q)
