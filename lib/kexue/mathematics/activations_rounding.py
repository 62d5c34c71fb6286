r"""A network whose layers are all linear, but for the rounding of its numbers: a non-linearity that no gradient sees.

After Foerster (2017), who scaled activations into the range where float32 loses them. :func:`staircase` does it in half precision without
any switch of the machine, :func:`flush` in float32, in a context that lets numbers below 2^-126 fall to zero. Rounding is constant
almost everywhere, so the network is trained by :func:`evolve`: it needs values of the loss, never a slope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "Evolution",
    "accuracy",
    "blurred_gradient",
    "descend",
    "evolve",
    "flush",
    "flushing",
    "forward",
    "loss",
    "moons",
    "staircase",
    "start",
]

Rounding = Callable[[Tensor], Tensor]


# --8<-- [start:rounding]
def staircase(x: Tensor) -> Tensor:
    """``(x + 2048) - 2048`` in half precision: in exact arithmetic x, in sixteen bits a multiple of 2 (of 1 below zero).

    >>> staircase(torch.tensor([-1.4, -0.6, 0.4, 0.9, 1.4, 3.2]))
    tensor([-1., -1.,  0.,  0.,  2.,  4.])
    """
    return ((x.half() + 2048) - 2048).float()


def flush(x: Tensor) -> Tensor:
    """``(x * 2**-125) * 2**125`` in float32: within :func:`flushing` zero where ``abs(x) < 1/2``, else x."""
    return (x * 2.0**-125) * 2.0**125


@contextmanager
def flushing() -> Iterator[bool]:
    """Within, the processor replaces subnormal results by zero; afterwards it stops doing so. Yields whether it can.

    The switch is one of the calling thread alone: with two threads half of a large tensor would keep its subnormal numbers. So only
    one thread computes within.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch.set_flush_denormal(True)
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


# --8<-- [end:rounding]


def moons(count: int, *, noise: float = 0.15, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two interleaved half circles: points ``(count, 2)`` and classes 0 or 1 ``(count,)``, float32."""
    from sklearn.datasets import make_moons

    x, y = make_moons(count, noise=noise, random_state=seed)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def start(width: int = 16, *, scale: float = 4.0, generator: torch.Generator) -> Tensor:
    """Initial parameters ``(4 * width + 1,)`` of a 2-`width`-1 network, the first layer's weights at `scale`."""
    first = scale * torch.randn(2 * width, generator=generator) / 2**0.5
    second = torch.randn(width, generator=generator) / width**0.5
    return torch.cat([first, torch.zeros(width), second, torch.zeros(1)])


def forward(parameters: Tensor, x: Tensor, rounding: Rounding) -> Tensor:
    """Logits ``(P, N)`` of P networks ``(P, 4 * width + 1)`` at points ``(N, 2)``: linear, rounded, linear."""
    if parameters.ndim != 2 or parameters.shape[1] % 4 != 1:
        raise ValueError(f"parameters must have shape (networks, 4 * width + 1), got {tuple(parameters.shape)}")
    width = parameters.shape[1] // 4
    first = parameters[:, : 2 * width].reshape(-1, 2, width)  # (P, 2, W)
    bias, second = parameters[:, 2 * width : 3 * width], parameters[:, 3 * width : 4 * width]  # (P, W)
    hidden = rounding(torch.einsum("nd,pdw->pnw", x, first) + bias[:, None])  # (P, N, W)
    return torch.einsum("pnw,pw->pn", hidden, second) + parameters[:, -1:]


def loss(parameters: Tensor, x: Tensor, y: Tensor, rounding: Rounding) -> Tensor:
    """Mean cross-entropy ``(P,)`` of P networks."""
    logits = forward(parameters, x, rounding)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, y.expand_as(logits), reduction="none").mean(1)


def accuracy(parameters: Tensor, x: Tensor, y: Tensor, rounding: Rounding) -> float:
    """Share of the points that a network ``(4 * width + 1,)`` classifies rightly."""
    return ((forward(parameters[None], x, rounding)[0] > 0) == (y > 0.5)).float().mean().item()


@dataclass(frozen=True)
class Evolution:
    """Settings of the evolution strategy.

    Attributes:
        steps: updates.
        pairs: antithetic pairs a step.
        sigma: standard deviation of the perturbations.
        rate: Adam's learning rate.
        width: hidden units.
    """

    steps: int = 400
    pairs: int = 64
    sigma: float = 0.1
    rate: float = 0.05
    width: int = 16


# --8<-- [start:evolve]
def blurred_gradient(values: Tensor, epsilon: Tensor, sigma: float) -> Tensor:
    r"""Gradient of a loss blurred by a normal law of width sigma, from differences alone.

    .. math:: \frac1{2\sigma P}\sum_{i=1}^P\bigl(L(\theta+\sigma\epsilon_i)-L(\theta-\sigma\epsilon_i)\bigr)\,\epsilon_i

    Args:
        values: losses ``(2P,)``, first those at :math:`+\sigma\epsilon_i`, then those at :math:`-\sigma\epsilon_i`.
        epsilon: normal directions ``(P, D)``.
        sigma: width of the blur.
    """
    up, down = values.chunk(2)
    return (up - down) @ epsilon / (2 * sigma * len(epsilon))


def evolve(x: Tensor, y: Tensor, rounding: Rounding, *, settings: Evolution, generator: torch.Generator) -> Tensor:
    """Train by antithetic evolution strategies: a blurred loss has a slope although the loss itself has steps.

    Args:
        x: points ``(N, 2)``.
        y: classes ``(N,)``.
        rounding: the only non-linearity.
        settings: see :class:`Evolution`.
        generator: of the start and of the perturbations.

    Returns:
        Parameters ``(4 * width + 1,)``.
    """
    theta = start(settings.width, generator=generator)
    optimiser = torch.optim.Adam([theta], lr=settings.rate)
    with torch.no_grad():
        for _ in range(settings.steps):
            epsilon = torch.randn(settings.pairs, len(theta), generator=generator)
            values = loss(theta + settings.sigma * torch.cat([epsilon, -epsilon]), x, y, rounding)  # (2P,)
            theta.grad = blurred_gradient(values, epsilon, settings.sigma)
            optimiser.step()
    return theta


# --8<-- [end:evolve]


def descend(x: Tensor, y: Tensor, rounding: Rounding, *, steps: int = 400, rate: float = 0.05, generator: torch.Generator) -> Tensor:
    """The same network by back-propagation, which takes the rounding for the identity: the slope of a straight line everywhere."""
    theta = start(generator=generator).requires_grad_()
    optimiser = torch.optim.Adam([theta], lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(theta[None], x, y, rounding).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return theta.detach()
