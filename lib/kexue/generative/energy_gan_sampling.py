r"""Drawing from :math:`e^{-U}`: Langevin steps, the Metropolis correction that makes them exact, and two published ones that do not.

All take an energy ``(..., d) -> (...)``: one number for each point. The step is that of the chapter,
:math:`x'=x-\frac\varepsilon2\nabla U(x)+\sqrt\varepsilon\,\xi`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Chain", "energy_gradient", "langevin", "log_proposal", "mala", "no_log_proposal", "norm_log_proposal", "printed_log_proposal"]

Energy = Callable[[Tensor], Tensor]
LogProposal = Callable[[Tensor, Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class Chain:
    """What a sampler returns.

    Attributes:
        x: the points after the last step, of the shape they began with.
        moments: mean of x² over all coordinates after each step, ``(steps,)``.
        acceptance: share of proposals that were accepted; 1 without a Metropolis step.
    """

    x: Tensor
    moments: Tensor
    acceptance: float


def energy_gradient(energy: Energy, x: Tensor) -> tuple[Tensor, Tensor]:
    """Energies ``(...)`` and their gradients ``(..., d)`` at points ``(..., d)``.

    Raises:
        ValueError: if the energy does not return one number for each point.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        u = energy(x)
        if u.shape != x.shape[:-1]:
            raise ValueError(f"the energy must give one number for each point, shape {tuple(x.shape[:-1])}, got {tuple(u.shape)}")
        (gradient,) = torch.autograd.grad(u.sum(), x)
    return u.detach(), gradient


# --8<-- [start:langevin]
def langevin(energy: Energy, x: Tensor, eps: float, steps: int, *, generator: torch.Generator) -> Chain:
    r"""Unadjusted Langevin steps. For :math:`U=x^2/2` they settle at the variance :math:`1/(1-\varepsilon/4)`, not at 1.

    Args:
        energy: ``(..., d) -> (...)``.
        x: where to begin ``(..., d)``.
        eps: step size ε.
        steps: how many.
        generator: source of the noise.

    Returns:
        The chain.

    Raises:
        ValueError: if ε or the number of steps is not positive.
    """
    _positive(eps, steps)
    moments = []
    for _ in range(steps):
        _, gradient = energy_gradient(energy, x)
        x = x - 0.5 * eps * gradient + eps**0.5 * _noise(x, generator)
        moments.append(x.square().mean())
    return Chain(x, torch.stack(moments), 1.0)


# --8<-- [end:langevin]


# --8<-- [start:mala]
def log_proposal(new: Tensor, old: Tensor, gradient: Tensor, eps: float) -> Tensor:
    r"""Log-density of a Langevin proposal up to a constant, :math:`-\|x'-x+\frac\varepsilon2\nabla U(x)\|^2/2\varepsilon`.

    Args:
        new: x' ``(..., d)``.
        old: x ``(..., d)``.
        gradient: of U at x.
        eps: step size ε.
    """
    return -(new - old + 0.5 * eps * gradient).square().sum(-1) / (2 * eps)


def mala(
    energy: Energy, x: Tensor, eps: float, steps: int, *, generator: torch.Generator, log_density: LogProposal = log_proposal
) -> Chain:
    r"""Metropolis-adjusted Langevin steps: a proposal is accepted with probability

    .. math:: \min\Bigl\{1,\ \frac{e^{-U(x')}\,q(x\mid x')}{e^{-U(x)}\,q(x'\mid x)}\Bigr\} .

    Args:
        energy: ``(..., d) -> (...)``.
        x: where to begin ``(..., d)``.
        eps: step size ε.
        steps: how many.
        generator: source of the noise and of the decisions.
        log_density: the proposal's log-density; any but the right one breaks the invariance of :math:`e^{-U}`.

    Returns:
        The chain, with the share of accepted proposals.

    Raises:
        ValueError: if ε or the number of steps is not positive.

    Source: Roberts and Tweedie (1996).
    """
    _positive(eps, steps)
    u, gradient = energy_gradient(energy, x)
    moments, accepted = [], 0.0
    for _ in range(steps):
        new = x - 0.5 * eps * gradient + eps**0.5 * _noise(x, generator)
        u_new, gradient_new = energy_gradient(energy, new)
        log_ratio = u - u_new + log_density(x, new, gradient_new, eps) - log_density(new, x, gradient, eps)
        accept = torch.rand(u.shape, generator=generator, dtype=u.dtype, device=u.device).log() < log_ratio
        x, gradient = (torch.where(accept[..., None], a, b) for a, b in ((new, x), (gradient_new, gradient)))
        u = torch.where(accept, u_new, u)
        moments.append(x.square().mean())
        accepted += float(accept.to(u.dtype).mean())
    return Chain(x, torch.stack(moments), accepted / steps)


# --8<-- [end:mala]


# --8<-- [start:wrong]
def printed_log_proposal(new: Tensor, old: Tensor, gradient: Tensor, eps: float) -> Tensor:
    r"""For the refutation alone: a drift of ε in the place of ε/2, as printed in archives/6331.

    With it :math:`U=x^2/2` is sampled with the variance :math:`4/3\varepsilon`.
    """
    return -(new - old + eps * gradient).square().sum(-1) / (2 * eps)


def no_log_proposal(new: Tensor, old: Tensor, gradient: Tensor, eps: float) -> Tensor:
    r"""For the refutation alone: no proposal density in the ratio, as in one sampler of the reference code.

    With it :math:`U=x^2/2` is sampled with the variance :math:`1/(2-\varepsilon/4)`: nearly :math:`e^{-2U}`.
    """
    return torch.zeros_like(new[..., 0])


def norm_log_proposal(new: Tensor, old: Tensor, gradient: Tensor, eps: float) -> Tensor:
    """For the refutation alone: the norm in the place of its square, as in the other sampler of the reference code."""
    length: Tensor = torch.linalg.vector_norm(new - old + 0.5 * eps * gradient, dim=-1)
    return -length / (2 * eps)


# --8<-- [end:wrong]


def _noise(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _positive(eps: float, steps: int) -> None:
    if not (eps > 0 and steps > 0):
        raise ValueError(f"the step size and the number of steps must be above 0, got {eps} and {steps}")
