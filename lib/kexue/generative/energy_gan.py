r"""A GAN read as energy, in one dimension: the best energy in closed form, its pits and their basins, and the flow of the fakes.

The energy :math:`U` is *low on data*: it minimises
:math:`J[U]=E_p[U]-E_q[U]+\lambda E_r[U'^2]` for the law p of the data, the law q of the fakes and a law r of the places at which the
slope is penalised. Fakes move downhill, :math:`\dot x=-U'(x)`.

Letters as in the chapter: distribution functions :math:`F_p,F_q`, weight of the penalty :math:`\lambda`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kexue.generative.energy_gan_laws import Normals, points_cdf, some

__all__ = [
    "PLACES", "Normals", "basin_edges", "critic_slope", "critic_value", "interpolate_density", "landscape", "particle_flow", "pits",
    "place_density", "points_cdf", "relaxed_cdf",
]  # fmt: skip

#: where the slope is penalised: on data (R1), on fakes (R2), on both, everywhere alike
PLACES = ("real", "fake", "mixture", "uniform")


# --8<-- [start:critic]
def critic_slope(f_p: Tensor, f_q: Tensor, r: Tensor, lam: float) -> Tensor:
    r"""The slope of the best energy: the solution of a Poisson equation, in one dimension

    .. math:: U'=\frac{F_p-F_q}{2\lambda r} .

    Args:
        f_p: distribution function of the data, any shape.
        f_q: distribution function of the fakes at the same places.
        r: density of the penalty there; where it is 0 and the two differ, the slope is infinite.
        lam: weight λ of the penalty.

    Returns:
        U' of the same shape; 0 where the two distribution functions agree.

    Raises:
        ValueError: if λ is not positive, or r is negative somewhere.
    """
    if not lam > 0:
        raise ValueError(f"the weight of the penalty must be above 0, got {lam}")
    if (r < 0).any():
        raise ValueError(f"r is a density: it cannot be negative, got {float(r.min())}")
    gap = f_p - f_q
    return torch.where(gap == 0, torch.zeros_like(gap), gap / (2 * lam * r))


def landscape(x: Tensor, slope: Tensor) -> Tensor:
    """The energy itself: the slope summed by the trapezoidal rule, 0 at the first place.

    Args:
        x: places in rising order ``(n,)``.
        slope: U' there ``(n,)``.

    Returns:
        U ``(n,)``.

    Raises:
        ValueError: if the shapes differ or the places do not rise.
    """
    _grid(x, slope)
    return torch.cat([slope.new_zeros(1), torch.cumulative_trapezoid(slope, x)])


def critic_value(x: Tensor, f_p: Tensor, f_q: Tensor, r: Tensor, lam: float) -> Tensor:
    r"""The least value of the loss, :math:`J[U]=-\lambda E_r[U'^2]=-\frac1{4\lambda}\int\frac{(F_p-F_q)^2}{r}\,dx`, by trapezia.

    With r = 1 it is :math:`-\frac1{8\lambda}` times the square of SciPy's ``energy_distance``.

    Args:
        x: places in rising order ``(n,)``.
        f_p: distribution function of the data there.
        f_q: distribution function of the fakes there.
        r: density of the penalty there.
        lam: weight λ of the penalty.

    Returns:
        A scalar, at most 0.
    """
    slope = critic_slope(f_p, f_q, r, lam)
    _grid(x, slope)
    return -lam * torch.trapezoid(r * slope**2, x)


# --8<-- [end:critic]


def interpolate_density(x: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """The density of points drawn uniformly from the segment between a random data point and a random fake.

    Two atoms at distance a give the constant density 1/a between them. Pairs that coincide give an atom, which has no density.

    Args:
        x: where, ``(n,)``.
        real: data ``(m,)``.
        fake: fakes ``(k,)``.

    Returns:
        The density ``(n,)``.

    Raises:
        ValueError: if there are no points, or two of a pair coincide.
    """
    some(real)
    some(fake)
    low, high = torch.minimum(real[:, None], fake).flatten(), torch.maximum(real[:, None], fake).flatten()
    if (high == low).any():
        raise ValueError("a data point and a fake coincide: the segment between them has no density")
    inside = (x[:, None] >= low) & (x[:, None] < high)  # (n, m k)
    return (inside / (high - low)).mean(-1)


# --8<-- [start:pits]
def pits(real: Tensor, f_q: Tensor, *, least: float = 0.0) -> Tensor:
    r"""Which data points are pits of the best energy.

    To the left of the i-th of n sorted points :math:`F_p=\frac{i-1}n`, to the right :math:`\frac in`. So the slope changes from
    falling to rising if and only if :math:`F_q(x_i)` lies strictly between the two: whatever r and λ are.

    Args:
        real: data ``(n,)``, in any order; points that coincide count as one with their weight.
        f_q: distribution function of the fakes, continuous, at the data ``(n,)``.
        least: the mass of fakes that must lie beyond on each side. A normal law leaves 1e-30 of its mass anywhere; a batch of
            a thousand fakes does not notice what is below 1e-3.

    Returns:
        Truth values ``(n,)`` in the order of the data.

    Raises:
        ValueError: if the shapes differ, there are no points, or `least` is negative.
    """
    some(real)
    if real.shape != f_q.shape or least < 0:
        raise ValueError(f"data and f_q must have one shape and least be at least 0, got {real.shape}, {f_q.shape}, {least}")
    ranked = real.sort().values
    below = torch.searchsorted(ranked, real.contiguous()).to(f_q.dtype) / len(real)
    upto = torch.searchsorted(ranked, real.contiguous(), right=True).to(f_q.dtype) / len(real)
    return (f_q > below + least) & (f_q < upto - least)


def basin_edges(real: Tensor, fake: Normals) -> Tensor:
    r"""The crests between the pits: where :math:`F_q` crosses a flat step k/n of :math:`F_p`.

    There the slope is 0 from above, so a basin between two crests holds as much of the fakes as of the data.

    Args:
        real: data ``(n,)``, all different.
        fake: the law of the fakes.

    Returns:
        Crests in rising order, at most n - 1 of them.

    Raises:
        ValueError: if there are no points or two coincide.
    """
    some(real)
    ranked = real.double().sort().values
    if (ranked.diff() == 0).any():
        raise ValueError("two data points coincide: weigh them as one")
    n = len(ranked)
    steps = torch.arange(1, n, dtype=torch.float64) / n
    f_q = fake.cdf(ranked)
    has = (f_q[:-1] < steps) & (f_q[1:] > steps)
    low, high = ranked[:-1][has], ranked[1:][has]
    for _ in range(80):
        middle = (low + high) / 2
        below = fake.cdf(middle) < steps[has]
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


# --8<-- [end:pits]


# --8<-- [start:flow]
def place_density(where: str, p: Tensor, q: Tensor, *, length: float = 1.0) -> Tensor:
    """The density r of the penalty, from those of data and fakes; `length` is that of the box of the uniform law.

    Raises:
        ValueError: if the place is unknown.
    """
    if where not in PLACES:
        raise ValueError(f"the place of the penalty must be one of {', '.join(PLACES)}, got {where!r}")
    return {"real": p, "fake": q, "mixture": (p + q) / 2, "uniform": torch.full_like(p, 1 / length)}[where]


def particle_flow(fake: Tensor, real: Normals, where: str, lam: float, *, time: float, steps: int, length: float = 1.0) -> Tensor:
    r"""Fakes that roll down the best energy while it is dug anew at every moment: :math:`\dot x=-U'(x)`, by Euler steps.

    Particles on a line keep their order, so the i-th of N keeps its rank :math:`F_q=(i+\frac12)/N`, and the density of the fakes is the
    rank's slope, taken on the side from which the fakes come (upwind).

    Args:
        fake: N particles in rising order ``(N,)``.
        real: the law of the data.
        where: the place of the penalty, one of ``PLACES``.
        lam: weight λ of the penalty.
        time: how long.
        steps: number of Euler steps.
        length: of the box, for the uniform law.

    Returns:
        The particles at all steps ``(steps + 1, N)``; what has been thrown beyond all bounds is infinite or NaN.

    Raises:
        ValueError: fewer than three particles or not in rising order, a time, λ or number of steps that is not positive.
    """
    if fake.ndim != 1 or len(fake) < 3 or (fake.diff() <= 0).any():
        raise ValueError(f"expected at least 3 particles in rising order, got shape {tuple(fake.shape)}")
    if not (time > 0 and steps > 0 and lam > 0):
        raise ValueError(f"time, steps and λ must be above 0, got {time}, {steps}, {lam}")
    n = len(fake)
    rank = (torch.arange(n, dtype=fake.dtype, device=fake.device) + 0.5) / n
    path = [fake]
    for _ in range(steps):
        x = path[-1]
        gap = real.cdf(x) - rank
        spacing = x.diff()
        left, right = torch.cat([spacing[:1], spacing]), torch.cat([spacing, spacing[-1:]])
        q = 1 / (n * torch.where(gap > 0, left, right)).abs().clamp_min(1e-300)
        slope = gap / (2 * lam * place_density(where, real.density(x), q, length=length))
        path.append(x - time / steps * slope)
    return torch.stack(path)


def relaxed_cdf(f_p: Tensor, f_0: Tensor, lam: float, time: float) -> Tensor:
    r"""The exact flow for r = q: :math:`F_t=F_p+(F_0-F_p)\,e^{-t/2\lambda}`, in every dimension :math:`q_t=p+(q_0-p)e^{-t/2\lambda}`.

    Args:
        f_p: distribution function of the data.
        f_0: that of the first fakes at the same places; they must reach wherever there are data.
        lam: weight λ of the penalty.
        time: t.
    """
    return f_p + (f_0 - f_p) * math.exp(-time / (2 * lam))


# --8<-- [end:flow]


def _grid(x: Tensor, values: Tensor) -> None:
    if x.ndim != 1 or x.shape != values.shape or (x.diff() <= 0).any():
        raise ValueError(f"expected rising places and values of the same shape (n,), got {tuple(x.shape)} and {tuple(values.shape)}")
