"""Chapter 01, many pole ropes at once: a fixed-step integrator vectorised over the free end, for scans and for figures.

Lengths are in units of g/omega², in which the equations hold no parameter.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue.mathematics.rope_curve import _door

Array = NDArray[np.float64]
__all__ = ["scan_pole", "trace_pole"]


def _steps(p: Array, sigma: Array, steps: int) -> Iterator[tuple[Array, Array, Array]]:
    """x, y and w = u/s for many free ends p (n,) at once, at tau = 0, 1/steps, ... 1: classical Runge-Kutta in tau, s = sigma tau².

    Both the squared grid and w, which stays smooth where u/s is 0/0, are there for the free end.
    """
    state = np.stack([p, np.zeros_like(p), p])  # (3, n)

    def slope(tau: float, state: Array) -> Array:
        x, _, w = state
        cosine = 2.0 * sigma * tau / np.hypot(1.0, w)  # ds = 2 sigma tau dtau
        return np.stack([-w * cosine, cosine, 2.0 * (x - w) / tau if tau > 0 else np.zeros_like(w)])

    h = 1.0 / steps
    yield state[0], state[1], state[2]
    for i in range(steps):
        tau = i * h
        k1 = slope(tau, state)
        k2 = slope(tau + h / 2, state + h / 2 * k1)
        k3 = slope(tau + h / 2, state + h / 2 * k2)
        k4 = slope(tau + h, state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        yield state[0], state[1], state[2]


def _lengths(p: ArrayLike, sigma: ArrayLike) -> tuple[Array, Array]:
    """Free ends and lengths as arrays that broadcast."""
    ends, lengths = np.asarray(p, dtype=np.float64), np.asarray(sigma, dtype=np.float64)
    if not bool(np.all(np.isfinite(ends))) or not bool(np.all(np.isfinite(lengths) & (lengths > 0))):
        raise ValueError("the free ends p must be finite, the lengths sigma positive and finite")
    if ends.ndim != 1 or lengths.shape not in ((), ends.shape):
        raise ValueError(f"expected free ends (n,) and one length or n of them, got {ends.shape} and {lengths.shape}")
    return ends, lengths


def scan_pole(p: ArrayLike, sigma: ArrayLike, *, steps: int = 600) -> Array:
    """Where the upper ends come to lie for many free ends at once; lengths in units of g/omega².

    Args:
        p: distances of the free ends from the axis (n,).
        sigma: length of the rope, omega² L / g > 0; one, or one for each free end (n,).
        steps: of the Runge-Kutta method.

    Returns:
        x(sigma) (n,).

    Raises:
        ValueError: sigma not positive, shapes that do not fit, or fewer than one step.
    """
    _door.count("steps", steps, 1)
    *_, (x, _, _) = _steps(*_lengths(p, sigma), steps)
    return x


def trace_pole(p: ArrayLike, sigma: ArrayLike, points: int, *, every: int = 8) -> tuple[Array, Array]:
    """The ropes themselves for many free ends, at points that lie denser towards the free end.

    Args:
        p: distances of the free ends from the axis (n,), in units of g/omega².
        sigma: length of the rope, in the same unit; one, or one for each free end (n,).
        points: number of points, s = sigma tau² with equal steps of tau.
        every: Runge-Kutta steps between two points.

    Returns:
        x (n, points) from the free end up, and y (n, points), zero at the upper end.

    Raises:
        ValueError: sigma not positive, shapes that do not fit, or fewer than two points.
    """
    _door.count("points", points, 2)
    _door.count("every", every, 1)
    kept = list(_steps(*_lengths(p, sigma), (points - 1) * every))[::every]
    x, y = np.stack([k[0] for k in kept], axis=1), np.stack([k[1] for k in kept], axis=1)
    return x, y - y[:, -1:]
