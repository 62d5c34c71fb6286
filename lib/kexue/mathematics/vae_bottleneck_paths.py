r"""Roads between two codes: the straight line, the circle and the great arc, and what each does to the law of a code.

Two independent codes of the prior, mixed as :math:`\alpha z_1+\beta z_2`, are normal with variance :math:`\alpha^2+\beta^2`. A road stays
in the prior exactly where that is one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["circle_path", "expected_norm", "great_arc", "mixed_variance", "straight_path"]


def _ends(first: Tensor, second: Tensor, t: Tensor) -> Tensor:
    """The times ``t`` with an axis for the coordinates, once the ends fit each other."""
    if first.shape != second.shape or first.ndim < 1:
        raise ValueError(f"the ends must share a shape (..., d), got {tuple(first.shape)} and {tuple(second.shape)}")
    return t.to(first).reshape(-1, *[1] * first.ndim)  # (T, 1, ..., 1)


# --8<-- [start:paths]
def straight_path(first: Tensor, second: Tensor, t: Tensor) -> Tensor:
    """``(1 - t) first + t second`` for times ``t (T,)``; returns ``(T, ..., d)``."""
    t = _ends(first, second, t)
    return (1 - t) * first + t * second


def circle_path(first: Tensor, second: Tensor, t: Tensor) -> Tensor:
    r"""``cos(angle) first + sin(angle) second`` with the angle :math:`\tfrac\pi2t`: independent codes of the prior stay such codes."""
    angle = 0.5 * math.pi * _ends(first, second, t)
    return angle.cos() * first + angle.sin() * second


def great_arc(first: Tensor, second: Tensor, t: Tensor) -> Tensor:
    r"""Shoemake's spherical interpolation, :math:`\frac{\sin(1-t)\omega}{\sin\omega}z_1+\frac{\sin t\omega}{\sin\omega}z_2`.

    The angle :math:`\omega` is the one between the two ends, so ends of equal norm keep it exactly.

    Raises:
        ValueError: for ends that are parallel or opposite: the arc is not defined.
    """
    t = _ends(first, second, t)
    cosine = torch.nn.functional.cosine_similarity(first, second, dim=-1)[..., None]  # (..., 1)
    if bool((cosine.abs() > 1 - 1e-6).any()):
        raise ValueError("the ends of a great arc must be neither parallel nor opposite")
    omega = cosine.acos()
    return (((1 - t) * omega).sin() * first + (t * omega).sin() * second) / omega.sin()


# --8<-- [end:paths]


def mixed_variance(t: Tensor, *, circle: bool) -> Tensor:
    r"""Variance of each coordinate along the road between independent ends: 1 on the circle, :math:`t^2+(1-t)^2` on the line.

    >>> mixed_variance(torch.tensor([0.0, 0.5, 1.0]), circle=False)
    tensor([1.0000, 0.5000, 1.0000])
    """
    angle = 0.5 * math.pi * t
    return angle.cos().square() + angle.sin().square() if circle else (1 - t).square() + t.square()


def expected_norm(dimension: int) -> float:
    r"""Mean length :math:`\sqrt2\,\Gamma(\tfrac{d+1}2)/\Gamma(\tfrac d2)` of a standard normal vector in d dimensions.

    >>> round(expected_norm(128), 4)
    11.2916
    """
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, got {dimension}")
    return math.sqrt(2) * math.exp(math.lgamma((dimension + 1) / 2) - math.lgamma(dimension / 2))
