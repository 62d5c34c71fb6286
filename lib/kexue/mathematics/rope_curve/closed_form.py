"""Chapter 01, closed forms: the catenary and the troposkein.

Lengths are in any one unit, the line density is 1. For the troposkein x is the distance from the axis, y runs along the axis from one
end (y = 0) to the other (y = D), as in the chapter. SciPy's elliptic functions take the parameter m = k², never the modulus k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ellipeinc, ellipj, ellipkm1, elliprd, expit

from kexue.mathematics.rope_curve import _door

Array = NDArray[np.float64]
__all__ = ["Troposkein", "catenary", "catenary_parameter", "small_slack", "troposkein", "troposkein_modulus"]


def catenary_parameter(length: float, span: float) -> float:
    r"""Parameter a of the catenary y = a cosh(x/a) of given length and span.

    Solves :math:`2a\sinh(D/2a)=L`.

    Args:
        length: L, the length of the rope.
        span: D < L, the distance of its two ends, which hang at equal height.

    Returns:
        a, the radius of curvature at the lowest point, which is also H / (density g).

    Raises:
        ValueError: a rope not longer than its span, or a number that is not finite.

    Example:
        >>> a = catenary_parameter(2.0, 1.0)
        >>> round(2 * a * math.sinh(1 / (2 * a)), 12)
        2.0
    """
    ratio = _door.slack(length, span)
    # with v = D/2a the equation is sinh(v)/v = L/D; v < 1 + 2 log(2 L/D) bounds the root, and v² > 2(L/D - 1) fails only above it
    high = 2.0 + 2.0 * math.log(2.0 * ratio)
    v = brentq(lambda v: _sinhc_minus_one(v) - (ratio - 1.0), 1e-12, high, xtol=1e-300, rtol=1e-15)
    return float(span / (2.0 * v))


def _sinhc_minus_one(v: float) -> float:
    """sinh(v)/v - 1 without cancellation at small v."""
    if v < 0.1:
        w = v * v
        return w / 6 * (1 + w / 20 * (1 + w / 42 * (1 + w / 72 * (1 + w / 110))))
    return math.sinh(v) / v - 1.0


def catenary(x: ArrayLike, length: float, span: float) -> Array:
    """Height y = a cosh(x/a) of a hanging rope whose lowest point is at x = 0.

    Args:
        x: horizontal positions (...), between -D/2 and D/2.
        length: L.
        span: D < L.

    Returns:
        y (...); the tension at each point is density * g * y.

    Raises:
        ValueError: as `catenary_parameter`.
    """
    a = catenary_parameter(length, span)
    return np.asarray(a * np.cosh(np.asarray(x, dtype=np.float64) / a))


@dataclass(frozen=True)
class Troposkein:
    r"""The curve of a rope that spins about the line through its two ends, without gravity.

    .. math:: x(y)=a\,\mathrm{sn}\Big(\frac{2K(k)\,y}{D},\,k\Big),\qquad \frac LD=\frac{2E(k)}{(1-k^2)K(k)}-1 .

    Made by `troposkein(length, span)`. The shape depends on L/D alone; every tension is proportional to the square of omega.

    Args:
        length: L.
        span: D.
        k: the modulus.
        complement: 1 - k², kept apart because it cancels for a long rope.

    References:
        A. Nordmark and H. Essén, The skipping rope curve, European Journal of Physics 28, 241-247 (2007).
    """

    length: float
    span: float
    k: float
    complement: float

    @cached_property
    def quarter(self) -> float:
        """K(k), the quarter period of sn."""
        return float(ellipkm1(self.complement))

    @cached_property
    def reach(self) -> float:
        """b = D / ((1 - k²) K), the larger root of the quartic under the square root: there T would be -H."""
        return self.span / (self.complement * self.quarter)

    @property
    def apex(self) -> float:
        """a = k b, the largest distance from the axis."""
        return self.k * self.reach

    @property
    def end_slope(self) -> float:
        """dx/dy at the ends, 2k / (1 - k²)."""
        return 2.0 * self.k / self.complement

    @property
    def end_angle(self) -> float:
        """Angle between rope and axis at the ends, in radians."""
        return math.atan(self.end_slope)

    @property
    def moment(self) -> float:
        r"""Moment of inertia :math:`\int x^2\,ds` about the axis, for unit density."""
        m, m1 = self.k**2, self.complement
        d = float(elliprd(0.0, m1, 1.0)) / 3.0  # (K - E) / k² = mean of sn²
        b = m1 * float(elliprd(0.0, 1.0, m1)) / 3.0  # (E - (1 - k²) K) / k² = mean of cn²
        sn2cn2 = (d - (d - b) / m) / 3.0 if m > 1e-8 else math.pi / 16.0
        return self.apex**2 * self.span / self.quarter * (d + 2.0 * m / m1 * sn2cn2)

    def axial_tension(self, omega: float = 1.0) -> float:
        """H = omega² b² (1 - k²) / 4, the constant component of the tension along the axis."""
        _door.not_negative(omega=omega)
        return 0.25 * omega**2 * self.reach**2 * self.complement

    def end_tension(self, omega: float = 1.0) -> float:
        """T_0 = omega² b² (1 + k²) / 4, the tension at the two ends and the largest on the rope."""
        _door.not_negative(omega=omega)
        return 0.25 * omega**2 * self.reach**2 * (1.0 + self.k**2)

    def tension(self, x: ArrayLike, omega: float = 1.0) -> Array:
        """T = T_0 - omega² x² / 2 at distance x from the axis (...)."""
        return np.asarray(self.end_tension(omega) - 0.5 * omega**2 * np.asarray(x, dtype=np.float64) ** 2)

    def x(self, y: ArrayLike) -> Array:
        """Distance from the axis (...) at the positions y (...) along it."""
        sn, _, _, _ = ellipj(2.0 * self.quarter * np.asarray(y, dtype=np.float64) / self.span, self.k**2)
        return np.asarray(self.apex * sn)

    def arclength(self, y: ArrayLike) -> Array:
        r"""Length (...) of rope between the first end and y (...): the integral of :math:`1+\frac{2k^2}{1-k^2}\mathrm{cn}^2`."""
        v = 2.0 * self.quarter * np.asarray(y, dtype=np.float64) / self.span
        _, _, _, amplitude = ellipj(v, self.k**2)
        cn2 = ellipeinc(amplitude, self.k**2) - self.complement * v  # k² times the integral of cn²
        return np.asarray((v + 2.0 / self.complement * cn2) * self.span / (2.0 * self.quarter))

    def at_arclength(self, s: ArrayLike) -> tuple[Array, Array]:
        """Position of the points at given lengths of rope from the first end.

        Args:
            s: lengths (...), between 0 and L.

        Returns:
            x (...), y (...).

        Raises:
            ValueError: a length outside [0, L].
        """
        s = np.asarray(s, dtype=np.float64)
        if not bool(np.all((s >= -1e-12 * self.length) & (s <= self.length * (1 + 1e-12)))):
            raise ValueError(f"arc lengths must lie between 0 and the rope's length {self.length:g}")
        table = 0.5 * self.span * (1.0 - np.cos(np.linspace(0.0, np.pi, 513)))
        y = np.interp(s, self.arclength(table), table)
        for _ in range(6):  # Newton: ds/dy is known in closed form and at least 1
            _, cn, _, _ = ellipj(2.0 * self.quarter * y / self.span, self.k**2)
            y = y - (self.arclength(y) - s) / (1.0 + 2.0 * self.k**2 / self.complement * cn**2)
        y = np.clip(y, 0.0, self.span)
        return self.x(y), np.asarray(y)


def _log_slack(z: float) -> float:
    """log(L/D - 1) for m = k² = expit(z), free of cancellation at both ends."""
    m1 = float(expit(-z))
    # L/D - 1 = 2 (E - (1-m) K) / ((1-m) K), and E - (1-m) K = m (1-m) R_D(0, 1, 1-m) / 3   (DLMF 19.25.1)
    return math.log(2.0 * float(expit(z)) * float(elliprd(0.0, 1.0, m1)) / (3.0 * float(ellipkm1(m1))))


def troposkein_modulus(ratio: float) -> float:
    """Modulus k of the troposkein whose rope is `ratio` = L/D times as long as its span.

    Args:
        ratio: L/D > 1.

    Returns:
        k, between 0 and 1.

    Raises:
        ValueError: a ratio that is not a finite number above 1.

    Example:
        >>> round(troposkein_modulus(2.0), 12)
        0.72398682811
    """
    return troposkein(ratio, 1.0).k


def troposkein(length: float, span: float = 1.0) -> Troposkein:
    """The troposkein of a rope of given length between two points of the axis.

    Args:
        length: L.
        span: D < L.

    Returns:
        The curve, with its modulus and every quantity that follows.

    Raises:
        ValueError: a rope not longer than its span, or a number that is not finite.

    Example:
        >>> round(troposkein(2.0).apex, 12)
        0.81141382981
    """
    target = math.log(_door.slack(length, span) - 1.0)
    z = brentq(lambda z: _log_slack(z) - target, -40.0, 40.0, xtol=1e-14)
    return Troposkein(length, span, math.sqrt(float(expit(z))), float(expit(-z)))


def small_slack(ratio: float) -> tuple[float, float]:
    """First terms of the expansion for a nearly taut rope.

    Args:
        ratio: L/D, a little above 1.

    Returns:
        k = sqrt(L/D - 1) and a/D = 2 k / pi, both with relative error of the order of L/D - 1.

    Raises:
        ValueError: a ratio that is not a finite number above 1.
    """
    k = math.sqrt(_door.slack(ratio, 1.0) - 1.0)
    return k, 2.0 * k / math.pi
