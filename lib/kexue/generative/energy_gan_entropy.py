r"""Two ways to lose diversity on a frozen landscape, small enough for closed forms: no entropy in the loss, and momentum in the steps.

The Gaussian toy: fakes :math:`x=\mu+\sigma z` on the energy :math:`U=(x-m)^2/2s^2`, whose law :math:`e^{-U}/Z` is
:math:`\mathcal N(m,s^2)`. The heavy ball: :math:`x_{t+1}=x_t-\eta U'(x_t)+\beta(x_t-x_{t-1})`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "TERMS", "TwoPits", "best_width", "fit_toy", "gaussian_entropy", "heavy_ball", "log_det_entropy", "overshoot_threshold", "overshoots",
]  # fmt: skip

#: what keeps the fakes apart: their entropy, nothing, or the error of recovering z
TERMS = ("entropy", "none", "substitute")


# --8<-- [start:toy]
def best_width(term: str, s: float, *, weight: float = 1.0, noise: float = 0.0) -> float:
    r"""The width σ that minimises the generator's loss in the Gaussian toy.

    ============== ======================================================= ==========================================
    ``entropy``    :math:`-\log\sigma+E\,U`                                :math:`\sigma=s`
    ``none``       :math:`E\,U`                                            :math:`\sigma=0`
    ``substitute`` :math:`w\min_E E[(z-E(x+\nu\xi))^2]+E\,U(x+\nu\xi)`      :math:`\sigma^2=\max(0,\nu s\sqrt{2w}-\nu^2)`
    ============== ======================================================= ==========================================

    Args:
        term: one of ``TERMS``.
        s: width of the energy's law.
        weight: w of the substitute.
        noise: ν, the standard deviation of the noise on x.

    Raises:
        ValueError: an unknown term, a width that is not positive, a negative weight or noise.
    """
    if term not in TERMS:
        raise ValueError(f"the term must be one of {', '.join(TERMS)}, got {term!r}")
    if s <= 0 or weight < 0 or noise < 0:
        raise ValueError(f"s must be above 0, weight and noise at least 0, got {s}, {weight}, {noise}")
    if term == "substitute":
        return math.sqrt(max(0.0, noise * s * math.sqrt(2 * weight) - noise**2))
    return s if term == "entropy" else 0.0


@dataclass(frozen=True)
class Fit:
    """Mean and width of the fakes after each step, ``(steps,)`` each; the last quarter's mean is the result."""

    means: Tensor
    widths: Tensor

    @property
    def mean(self) -> float:
        """The mean μ that was found."""
        return float(self.means[-len(self.means) // 4 :].mean())

    @property
    def width(self) -> float:
        """The width σ that was found."""
        return float(self.widths[-len(self.widths) // 4 :].mean())


def fit_toy(
    term: str,
    m: float,
    s: float,
    *,
    generator: torch.Generator,
    weight: float = 1.0,
    noise: float = 0.0,
    steps: int = 600,
    batch: int = 512,
) -> Fit:
    """Train μ and σ by gradient descent on fresh batches, from μ = 0 and σ = s / 2.

    The substitute recovers z from x by the best linear map, found anew on each batch by least squares.

    Args:
        term: one of ``TERMS``.
        m: mean of the energy's law.
        s: its width.
        generator: source of z and of the noise.
        weight: of the substitute.
        noise: standard deviation of the noise on x.
        steps: of gradient descent; their size falls from 0.1 s² to 0.
        batch: draws a step.

    Returns:
        The path of μ and σ.

    Raises:
        ValueError: see :func:`best_width`.
    """
    best_width(term, s, weight=weight, noise=noise)
    fakes = torch.tensor([0.0, 0.5 * s], dtype=torch.float64, requires_grad=True)  # μ and σ
    path = []
    for step in range(steps):
        z, xi = torch.randn(2, batch, generator=generator, dtype=torch.float64)
        x = fakes[0] + fakes[1] * z + noise * xi
        loss = ((x - m) ** 2).mean() / (2 * s**2)
        if term == "entropy":
            loss = loss - fakes[1].log()
        elif term == "substitute":
            loss = loss + weight * (z.var() - torch.cov(torch.stack([z, x]))[0, 1] ** 2 / x.var())  # what the best line leaves
        (gradient,) = torch.autograd.grad(loss, fakes)
        with torch.no_grad():
            fakes -= 0.1 * s**2 * (1 - step / steps) * gradient
        path.append(fakes.detach().clone())
    means, widths = torch.stack(path).unbind(-1)
    return Fit(means, widths)


# --8<-- [end:toy]


def gaussian_entropy(d: int) -> float:
    r"""Entropy of the standard normal law in d dimensions, :math:`\frac d2\log 2\pi e`, in nats."""
    return 0.5 * d * math.log(2 * math.pi * math.e)


# --8<-- [start:logdet]
def log_det_entropy(generator: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    r"""Entropy of the fakes of an invertible generator with as many outputs as inputs, exact up to the mean over the batch:

    .. math:: H(G(Z))=H(Z)+E\log\lvert\det J_G(Z)\rvert ,\qquad Z\sim\mathcal N(0,I).

    Args:
        generator: one code ``(d,)`` to one fake ``(d,)``.
        z: codes ``(B, d)``.

    Returns:
        A scalar in nats, through which gradients reach the generator.

    Raises:
        ValueError: if a fake has not the shape of its code.
    """
    jacobian = torch.func.vmap(torch.func.jacrev(generator))(z)  # (B, d, d)
    if jacobian.shape != (*z.shape, z.shape[-1]):
        raise ValueError(f"a fake must have the shape of its code, {tuple(z.shape[1:])}; the Jacobian is {tuple(jacobian.shape[1:])}")
    log_volume: Tensor = torch.linalg.slogdet(jacobian).logabsdet
    return gaussian_entropy(z.shape[-1]) + log_volume.mean()


# --8<-- [end:logdet]


# --8<-- [start:ball]
def heavy_ball(slope: Callable[[Tensor], Tensor], x: Tensor, *, step: float, beta: float, steps: int) -> Tensor:
    r"""Balls with momentum, :math:`x_{t+1}=x_t-\eta U'(x_t)+\beta(x_t-x_{t-1})`, started at rest.

    Args:
        slope: U', elementwise.
        x: where they start ``(N,)``.
        step: η.
        beta: momentum β in [0, 1).
        steps: how many.

    Returns:
        The paths ``(steps + 1, N)``.

    Raises:
        ValueError: a step that is not positive, a momentum outside [0, 1).

    Source: Polyak (1964).
    """
    if not (step > 0 and 0 <= beta < 1 and steps >= 0):
        raise ValueError(f"expected a step above 0, β in [0, 1) and steps of at least 0, got {step}, {beta}, {steps}")
    path, last = [x], x
    for _ in range(steps):
        now = path[-1]
        path.append(now - step * slope(now) + beta * (now - last))
        last = now
    return torch.stack(path)


def overshoot_threshold(step_curvature: float) -> float:
    r"""The momentum above which a heavy ball overshoots the bottom of a pit: :math:`(1-\sqrt{\eta\kappa})^2`.

    Args:
        step_curvature: ηκ, step size times the curvature U'' of the pit, between 0 and 1.

    Raises:
        ValueError: outside (0, 1).
    """
    if not 0 < step_curvature < 1:
        raise ValueError(f"ηκ must lie between 0 and 1, got {step_curvature}")
    return (1 - math.sqrt(step_curvature)) ** 2


def overshoots(path: Tensor, bottom: float) -> Tensor:
    """Which balls ``(N,)`` of the paths ``(T, N)`` were ever seen on the other side of the bottom than the one they started from."""
    side = torch.sign(path - bottom)
    return (side * side[0] < 0).any(0)


# --8<-- [end:ball]


@dataclass(frozen=True)
class TwoPits:
    r"""A landscape with a shallow pit near the start and a deep one behind it, the picture with which the post warns of momentum.

    :math:`U(x)=\frac c2(x-b)^2-\sum_k d_k\exp(-(x-a_k)^2/2w^2)`.

    Attributes:
        places: a, the near pit first.
        depths: d.
        width: w.
        bowl: c.
        centre: b.
    """

    places: tuple[float, float] = (0.0, 3.0)
    depths: tuple[float, float] = (0.8, 2.0)
    width: float = 0.6
    bowl: float = 0.4
    centre: float = 2.0

    def energy(self, x: Tensor) -> Tensor:
        """U at x, elementwise."""
        pits = sum(d * torch.exp(-((x - a) ** 2) / (2 * self.width**2)) for a, d in zip(self.places, self.depths, strict=True))
        return 0.5 * self.bowl * (x - self.centre) ** 2 - pits

    def slope(self, x: Tensor) -> Tensor:
        """U' at x, elementwise."""
        pits = sum(
            d * (x - a) / self.width**2 * torch.exp(-((x - a) ** 2) / (2 * self.width**2))
            for a, d in zip(self.places, self.depths, strict=True)
        )
        return self.bowl * (x - self.centre) + pits

    def crest(self) -> float:
        """Where the ridge between the two pits is."""
        x = torch.linspace(self.places[0], self.places[1], 3001, dtype=torch.float64)
        return float(x[self.energy(x).argmax()])
