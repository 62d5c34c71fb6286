r"""Chapter 01, the rope that hangs from a spinning pole: free at one end, gravity on.

Arc length s runs upward from the free end and u is the horizontal component of the tension, whose vertical component is g s:

.. math:: u'=\omega^2x,\quad x'=-\frac{u}{\sqrt{g^2s^2+u^2}},\quad y'=\frac{gs}{\sqrt{g^2s^2+u^2}},\quad u(0)=0,\; x(L)=r_0 .

In the unit of length g/omega² no parameter is left in the equations, so one integration from the free end serves every rope: the rope of
dimensionless length sigma with its free end at radius p is the first part, up to sigma, of the solution that starts at p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import j0, jn_zeros

from kexue.mathematics.rope_curve import _door
from kexue.mathematics.rope_curve.pole_scan import scan_pole

Array = NDArray[np.float64]
__all__ = ["PoleRope", "critical_speeds", "linear_shape", "onset", "pole_branch", "pole_ropes", "shoot_pole"]

START = 1e-5  # in units of g/omega²: the series below is good to START³


@dataclass(frozen=True)
class PoleRope:
    """A rope in relative equilibrium below a spinning pole, in the units of the arguments, for unit line density.

    Args:
        omega: angular speed.
        gravity: g.
        s: arc length from the free end (n,).
        x: signed distance from the axis (n,); x[-1] is the point of attachment.
        y: height (n,), zero at the point of attachment.
        u: horizontal component of the tension (n,); the vertical one is g s.
    """

    omega: float
    gravity: float
    s: Array
    x: Array
    y: Array
    u: Array

    @property
    def tension(self) -> Array:
        """T (n,)."""
        return np.hypot(self.u, self.gravity * self.s)

    @property
    def tip(self) -> float:
        """Signed distance of the free end from the axis."""
        return float(self.x[0])

    @property
    def nodes(self) -> int:
        """Number of crossings of the axis strictly between the two ends."""
        inner = np.sign(self.x[:-1])
        return int(np.count_nonzero(np.diff(inner[inner != 0])))

    @property
    def tip_angle(self) -> float:
        """Angle between the rope and the vertical at the free end, in radians: the direction of effective gravity there."""
        return math.atan2(self.omega**2 * abs(self.tip), self.gravity)


def critical_speeds(count: int, *, gravity: float = 9.81, length: float = 1.0) -> Array:
    r"""The speeds at which a rope held on the axis can first leave it.

    .. math:: \omega_n=\tfrac12 j_{0,n}\sqrt{g/L}

    Args:
        count: how many.
        gravity: g > 0.
        length: L > 0.

    Returns:
        (count,), increasing.

    Raises:
        ValueError: a count below 1, or g or L not positive.

    Example:
        >>> critical_speeds(3, gravity=1.0).round(4).tolist()
        [1.2024, 2.76, 4.3269]
    """
    _door.count("count", count, 1)
    _door.positive(gravity=gravity, length=length)
    return np.asarray(0.5 * jn_zeros(0, count) * math.sqrt(gravity / length))


def linear_shape(s: ArrayLike, omega: float, gravity: float = 9.81) -> Array:
    """Small deflection J_0(2 omega sqrt(s/g)) at arc length s (...) from the free end, with value 1 there."""
    _door.not_negative(omega=omega)
    _door.positive(gravity=gravity)
    return np.asarray(j0(2.0 * omega * np.sqrt(np.asarray(s, dtype=np.float64) / gravity)))


def _rhs(sigma: float, state: Array) -> list[float]:
    x, _, u = state
    tension = math.hypot(sigma, u)
    return [-u / tension, sigma / tension, x]


def _follow(p: float, sigma: float, **options: Any) -> Any:
    """Solution from the free end at radius p to arc length sigma, lengths in g/omega²."""
    # at s = 0 the direction 0/0 has the limit of effective gravity, and w = u/s obeys w(0) = p, w'(0) = x'(0)/2
    cosine = 1.0 / math.hypot(1.0, p)
    slope = -p * cosine
    bend = -(cosine**3) * slope / 2.0  # x''(0)
    x = p + slope * START + 0.5 * bend * START**2
    y = cosine * START - 0.5 * p * cosine**3 * (slope / 2.0) * START**2
    u = p * START + 0.5 * slope * START**2
    return solve_ivp(_rhs, (START, sigma), [x, y, u], method="DOP853", rtol=1e-12, atol=1e-13, **options)


def shoot_pole(tip: float, omega: float, *, length: float = 1.0, gravity: float = 9.81, samples: int = 201) -> PoleRope:
    """Integrate upward from a free end at distance `tip` from the axis, wherever the upper end may come to lie.

    Args:
        tip: x_0, signed.
        omega: angular speed > 0.
        length: L.
        gravity: g > 0.
        samples: number of points, denser towards the free end, where the rope bends most.

    Returns:
        A rope in equilibrium whose upper end is at x[-1].

    Raises:
        ValueError: omega, L or g not positive, or a tip that is not finite.
    """
    _door.finite(tip=tip)
    _door.positive(omega=omega, length=length, gravity=gravity)
    _door.count("samples", samples, 2)
    unit = gravity / omega**2
    sigma = length / unit
    if sigma <= 10 * START:
        raise ValueError(f"omega² L / g = {sigma:.3g} is too small to tell the rope from a plumb line; expected at least {10 * START:g}")
    p, grid = tip / unit, sigma * np.linspace(0.0, 1.0, samples) ** 2
    x, y, u = _follow(p, sigma, t_eval=np.minimum(grid[grid > START], sigma)).y
    lead = grid[grid <= START]  # the free end itself and what lies too near to it: straight along effective gravity
    cosine = 1.0 / math.hypot(1.0, p)
    x, y, u = (np.concatenate([*pair]) for pair in ((p * (1.0 - cosine * lead), x), (cosine * lead, y), (p * lead, u)))
    return PoleRope(omega, gravity, grid * unit, x * unit, (y - y[-1]) * unit, u * gravity * unit)


def pole_ropes(
    omega: float, *, attach: float = 0.0, length: float = 1.0, gravity: float = 9.81, samples: int = 201, trials: int = 800
) -> tuple[PoleRope, ...]:
    """Every rope of length L in equilibrium below a point at distance r_0 from the axis.

    The distance of the free end is scanned, each change of sign of x(L) - r_0 is polished by Brent's method.
    With r_0 = 0 the straight rope is left out, and so are mirror images: x_0 > 0.

    Args:
        omega: angular speed > 0.
        attach: r_0 >= 0, less than L.
        length: L.
        gravity: g > 0.
        samples: points of each returned rope.
        trials: free ends tried.

    Returns:
        The ropes, fewest crossings of the axis first, then widest first.

    Raises:
        ValueError: omega, L or g not positive, r_0 negative or not below L.

    Example:
        >>> [round(rope.tip, 5) for rope in pole_ropes(9.0)]
        [0.98521, 0.10737]
    """
    _door.not_negative(attach=attach)
    _door.positive(omega=omega, length=length, gravity=gravity)
    _door.count("trials", trials, 10)
    if attach >= length:
        raise ValueError(f"the point of attachment must lie within the rope's length {length:g} of the axis, got {attach:g}")
    sigma = omega**2 * length / gravity
    target = attach * sigma / length
    reach = sigma + target  # the free end is at most L from the point of attachment
    half = reach * 0.5 * (1.0 - np.cos(np.linspace(0.0, np.pi, trials + 1)[1:]))  # dense near the axis and near full stretch
    p = half if attach == 0 else np.concatenate([-half[::-1], half])
    miss = scan_pole(p, sigma) - target

    def exact(q: float) -> float:
        return float(_follow(q, sigma).y[0, -1]) - target

    found = [brentq(exact, p[i], p[i + 1], xtol=1e-13) for i in np.flatnonzero(miss[:-1] * miss[1:] < 0)]
    ropes = [shoot_pole(q * length / sigma, omega, length=length, gravity=gravity, samples=samples) for q in found]
    return tuple(sorted(ropes, key=lambda rope: (rope.nodes, -abs(rope.tip))))


def pole_branch(mode: int, tips: ArrayLike) -> tuple[Array, Array]:
    """One branch of the bifurcation diagram for r_0 = 0, by continuation in the amplitude.

    Each dimensionless free end p gives one curve; its mode-th crossing of the axis is where the pole may hold it, so p runs
    through the branch without a fold or a threshold in the way.

    Args:
        mode: n >= 1, the number of crossings counting the pole's.
        tips: p = omega² x_0 / g > 0 (m,).

    Returns:
        omega sqrt(L/g) (m,) and x_0 / L (m,).

    Raises:
        ValueError: mode < 1, or a p that is not positive and finite.
    """
    _door.count("mode", mode, 1)
    p = np.atleast_1d(np.asarray(tips, dtype=np.float64))
    if not bool(np.all(np.isfinite(p) & (p > 0))):
        raise ValueError("the free ends p must be positive and finite")
    sigma = np.array([_crossing(float(q), mode) for q in p])
    return np.sqrt(sigma), p / sigma


def _crossing(p: float, mode: int) -> float:
    """Arc length, in g/omega², of the mode-th zero of x."""

    def axis(sigma: float, state: Array) -> float:
        return float(state[0])

    sigma = p + 0.25 * float(jn_zeros(0, mode)[-1]) ** 2
    while True:
        zeros = _follow(p, sigma, events=axis).t_events[0]
        if zeros.size >= mode:
            return float(zeros[mode - 1])
        sigma *= 1.5


def onset(mode: int) -> float:
    """The speed, in units of sqrt(g/L), at which the computed branch leaves the axis: extrapolated to x_0 = 0, no Bessel function used.

    Example:
        >>> bool(abs(onset(1) - 1.2024) < 1e-4)
        True
    """
    speed, tip = pole_branch(mode, [0.02, 0.04])
    squares, values = tip**2, speed**2  # omega² grows as x_0² near the threshold
    return float(np.sqrt(values[0] - squares[0] * (values[1] - values[0]) / (squares[1] - squares[0])))
