"""Chapter 01, the baselines: how well simpler curves stand in for the troposkein."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar

from kexue.mathematics.rope_curve import _door
from kexue.mathematics.rope_curve.closed_form import Troposkein, troposkein

Array = NDArray[np.float64]
__all__ = ["FITS", "apex_of_length", "fit_error", "stand_in"]

FITS = ("sine", "parabola", "cubic")


def stand_in(kind: str, t: ArrayLike, slope: float = 2.0) -> Array:
    """A curve from 0 over height 1 back to 0 for t = y/D (...) between 0 and 1.

    Args:
        kind: "sine", "parabola", or "cubic", a cubic on each half with a level tangent at the middle.
        t: y / D.
        slope: of the cubic at the end, per half span; 2 makes it the parabola.

    Returns:
        Height (...).

    Raises:
        ValueError: an unknown kind.
    """
    t = np.asarray(t, dtype=np.float64)
    if kind == "sine":
        return np.asarray(np.sin(np.pi * t))
    h = 2.0 * np.minimum(t, 1.0 - t)  # 0 at the ends, 1 in the middle
    if kind == "parabola":
        return np.asarray(h * (2.0 - h))
    if kind == "cubic":
        return np.asarray(h * (slope + h * (3.0 - 2.0 * slope + h * (slope - 2.0))))
    raise ValueError(f"kind must be one of {', '.join(FITS)}, got {kind!r}")


def fit_error(kind: str, ratio: float, points: int = 2001) -> float:
    """Largest distance between the troposkein and a stand-in of the same height, in units of that height.

    Args:
        kind: as `stand_in`; for the cubic the end slope is the one that fits best.
        ratio: L/D > 1.
        points: number of positions compared, on half the span.

    Returns:
        The largest of ``abs(x - x_fit) / a``.

    Raises:
        ValueError: an unknown kind, or a ratio not above 1.

    Example:
        >>> [round(100 * fit_error(kind, 2.0), 1) for kind in ("sine", "parabola")]
        [7.0, 1.9]
    """
    _door.count("points", points, 10)
    rope: Troposkein = troposkein(ratio, 1.0)
    t = np.linspace(0.0, 0.5, points)
    true = rope.x(t) / rope.apex

    def worst(slope: float) -> float:
        return float(np.max(np.abs(true - stand_in(kind, t, slope))))

    if kind != "cubic":
        return worst(2.0)
    best = minimize_scalar(worst, bounds=(1.0, 4.0 + 0.5 * rope.end_slope / rope.apex), method="bounded", options={"xatol": 1e-8})
    return float(best.fun)


def apex_of_length(kind: str, ratio: float) -> float:
    """Height over span at which a sine or a parabola is as long as the rope: what one can know before the curve is known.

    Args:
        kind: "sine" or "parabola".
        ratio: L/D > 1.

    Returns:
        a / D.

    Raises:
        ValueError: another kind, or a ratio not above 1.
    """
    if kind not in ("sine", "parabola"):
        raise ValueError(f"kind must be sine or parabola, got {kind!r}")
    _door.slack(ratio, 1.0)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    t = 0.25 * (nodes + 1.0)  # half the span
    slope = np.pi * np.cos(np.pi * t) if kind == "sine" else 4.0 - 8.0 * t

    def excess(a: float) -> float:
        return float(0.5 * np.sum(weights * np.hypot(1.0, a * slope))) - ratio

    return float(brentq(excess, 0.0, math.sqrt(2.0) * ratio, xtol=1e-14))
