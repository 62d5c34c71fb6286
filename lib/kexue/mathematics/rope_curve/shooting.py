"""Chapter 01, the force balance as an initial value problem: shooting, residuals, and the curve as the post computed it.

The rope is written in Hamiltonian form: position (x, y) and tension vector (u, v) = T t, with d(u, v)/ds = -force, d(x, y)/ds = (u, v)/T.
Line density 1; x is the distance from the axis of rotation, y runs along it and gravity points to negative y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import root

from kexue.mathematics.rope_curve import _door
from kexue.mathematics.rope_curve.closed_form import small_slack

Array = NDArray[np.float64]
__all__ = ["RopeCurve", "bernoulli", "equilibrium_residual", "integrate_rope", "posted_curve", "shoot_troposkein"]


@dataclass(frozen=True)
class RopeCurve:
    """A rope sampled along its length: arc length s, position x, y and tension vector u = T dx/ds, v = T dy/ds, all (n,)."""

    s: Array
    x: Array
    y: Array
    u: Array
    v: Array

    @property
    def tension(self) -> Array:
        """T (n,), the length of the tension vector."""
        return np.hypot(self.u, self.v)


def integrate_rope(
    start: tuple[float, float],
    pull: tuple[float, float],
    length: float,
    *,
    omega: float = 1.0,
    gravity: float = 0.0,
    samples: int = 201,
    rtol: float = 1e-11,
) -> RopeCurve:
    """Follow the rope from one end, given where the end is and the tension vector there.

    Args:
        start: (x, y) of the end.
        pull: (u, v), the tension vector at the end, along the rope; not zero.
        length: L.
        omega: angular speed.
        gravity: g, along negative y.
        samples: number of points, equally spaced in arc length.
        rtol: relative tolerance of the integrator.

    Returns:
        The curve.

    Raises:
        ValueError: a negative or non-finite number, a zero tension vector, or fewer than two samples.
    """
    _door.positive(length=length, rtol=rtol)
    _door.not_negative(omega=omega, gravity=gravity)
    _door.finite(x=start[0], y=start[1], u=pull[0], v=pull[1])
    _door.count("samples", samples, 2)
    if pull == (0.0, 0.0):
        raise ValueError("the tension vector at the start must not be zero: it gives the direction of the rope")

    def rhs(s: float, state: Array) -> list[float]:
        x, _, u, v = state
        tension = math.hypot(u, v)
        return [u / tension, v / tension, -(omega**2) * x, gravity]

    s = np.linspace(0.0, length, samples)
    solution = solve_ivp(rhs, (0.0, length), [*start, *pull], method="DOP853", t_eval=s, rtol=rtol, atol=0.1 * rtol * length)
    x, y, u, v = solution.y
    return RopeCurve(s, x, y, u, v)


def shoot_troposkein(length: float, span: float = 1.0, *, omega: float = 1.0, lobes: int = 1, samples: int = 201) -> RopeCurve:
    """Find the spinning rope by shooting, with no closed form in sight.

    The unknowns are the two components of the tension vector at the first end; the targets are x = 0 and y = D at the other.
    A nearly taut rope is a sine wave, which gives the first guess; from there the slack is raised step by step (continuation), so that
    each number of lobes keeps its own root.

    Args:
        length: L.
        span: D < L.
        omega: angular speed, above zero.
        lobes: number of half waves, 1 for the usual skipping rope.
        samples: number of points of the returned curve.

    Returns:
        The curve.

    Raises:
        ValueError: a rope not longer than its span, omega <= 0, lobes < 1.
        RuntimeError: when Newton's method does not reach the second end.
    """
    ratio = _door.slack(length, span)
    _door.positive(omega=omega)
    _door.count("lobes", lobes, 1)
    steps = max(1, math.ceil(math.log((ratio - 1.0) / 0.1) / math.log(1.4))) if ratio > 1.1 else 0
    ladder = 1.0 + (ratio - 1.0) * np.power(1.4, np.arange(-steps, 1.0))
    # H = omega² b² (1 - k²) / 4 with b = D / (n K) ~ 2 D / (n pi); the slope at the end of a sine of modulus k is 2 k
    h = (omega / (np.pi * lobes)) ** 2
    found, previous = np.array([2.0 * small_slack(float(ladder[0]))[0] * h, h]), None
    for rung in ladder:
        guess = found if previous is None else 2.0 * found - previous  # secant predictor: the rungs are not equal, but near enough
        previous, found = (found if rung > ladder[0] else None), _aim(guess, float(rung), omega, 1e-7)
    found = _aim(found, ratio, omega, 1e-11)  # the rungs below were only guesses for this one
    pull = (float(found[0]) * span**2, float(found[1]) * span**2)  # the search has span 1; a tension scales as a length squared
    return integrate_rope((0.0, 0.0), pull, length, omega=omega, samples=samples)


def _aim(guess: Array, ratio: float, omega: float, rtol: float) -> Array:
    """Newton's method for the tension vector that brings a rope of length `ratio` from (0, 0) to (0, 1)."""

    def miss(pull: Array) -> Array:
        curve = integrate_rope((0.0, 0.0), (float(pull[0]), float(pull[1])), ratio, omega=omega, samples=2, rtol=rtol)
        return np.array([curve.x[-1], curve.y[-1] - 1.0])

    found = root(miss, guess, method="hybr", options={"xtol": 0.01 * rtol, "eps": 0.1 * rtol**0.5})
    if float(np.max(np.abs(miss(found.x)))) > 1e3 * rtol:
        raise RuntimeError(f"shooting lost its way at L/D = {ratio:g}")
    return np.asarray(found.x)


def equilibrium_residual(s: ArrayLike, x: ArrayLike, y: ArrayLike, tension: ArrayLike, *, omega: float, gravity: float = 0.0) -> Array:
    r"""Force left over on each point of a would-be rope, :math:`\frac{d}{ds}(T\mathbf t)+(\omega^2x,\,-g)`, by central differences.

    Args:
        s: arc lengths (n,), equally spaced, n >= 5.
        x: distance from the axis (n,).
        y: height (n,).
        tension: T (n,).
        omega: angular speed.
        gravity: g.

    Returns:
        Residual (2, n - 4), force per length at the inner points.

    Raises:
        ValueError: arrays of different length, too few points, or steps that are not equal.
    """
    s_, x_, y_, tension_ = (np.asarray(a, dtype=np.float64) for a in (s, x, y, tension))
    if not (s_.ndim == 1 and s_.size >= 5 and x_.shape == y_.shape == tension_.shape == s_.shape):
        raise ValueError(f"s, x, y, tension must be 1-d of one length >= 5, got {s_.shape}, {x_.shape}, {y_.shape}, {tension_.shape}")
    h = float(s_[1] - s_[0])
    if not np.allclose(np.diff(s_), h, rtol=1e-6, atol=0.0):
        raise ValueError("the arc lengths s must be equally spaced")
    tangent = np.stack([x_[2:] - x_[:-2], y_[2:] - y_[:-2]]) / (2 * h)  # (2, n - 2)
    pull = tension_[1:-1] * tangent
    return np.asarray((pull[:, 2:] - pull[:, :-2]) / (2 * h) + np.stack([omega**2 * x_[2:-2], np.full(s_.size - 4, -gravity)]))


def bernoulli(x: ArrayLike, y: ArrayLike, tension: ArrayLike, *, omega: float, gravity: float = 0.0) -> Array:
    """T + omega² x² / 2 - g y (...), which is the multiplier mu at every point of a rope in equilibrium."""
    return np.asarray(np.asarray(tension) + 0.5 * omega**2 * np.asarray(x) ** 2 - gravity * np.asarray(y))


def posted_curve(
    *, omega: float = 2.0, gravity: float = 3.0, constant: float = 0.0, length: float = 0.5, samples: int = 501, swapped: bool = True
) -> RopeCurve:
    r"""The curve of the post, recomputed: :math:`\varphi=\tfrac12\omega^2x^2-gy` with no multiplier, start (1, 0).

    The first integral is :math:`\varphi\,dy/ds=-gs+C_1`, hence dy/ds = G = (C_1 - g s)/phi. The post's program returns G as dx/ds.

    Args:
        omega: angular speed.
        gravity: g.
        constant: C_1.
        length: arc length to follow.
        samples: number of points.
        swapped: True integrates (dx/ds, dy/ds) = (G, -sqrt(1 - G²)) as posted; False puts the two components where they belong.

    Returns:
        The curve; its tension vector is -phi t, so that u, v point against the rope where the rope would be in compression.

    Raises:
        ValueError: a number that is negative or not finite.
    """
    _door.not_negative(omega=omega, gravity=gravity)
    _door.positive(length=length)
    _door.finite(constant=constant)
    _door.count("samples", samples, 5)

    def phi(x: Array, y: Array) -> Array:
        return 0.5 * omega**2 * x**2 - gravity * y

    def direction(s: float | Array, state: Array) -> Array:
        ratio = np.clip((constant - gravity * np.asarray(s)) / phi(state[0], state[1]), -1.0, 1.0)
        other = -np.sqrt(1.0 - ratio**2)
        return np.stack([ratio, other] if swapped else [other, ratio])

    s = np.linspace(0.0, length, samples)
    solution = solve_ivp(direction, (0.0, length), [1.0, 0.0], method="RK23", t_eval=s, rtol=1e-10, atol=1e-12, max_step=length / 200)
    x, y = solution.y
    u, v = -phi(x, y) * direction(s, solution.y)
    return RopeCurve(s, x, y, u, v)
