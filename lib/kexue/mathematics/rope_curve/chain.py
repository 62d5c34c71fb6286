r"""Chapter 01, the rope as a chain of N rigid links: energy, descent, saddles, all by automatic differentiation.

Link i has length L/N and makes the angle theta_i with the axis, so the length is held exactly. Angle 0 points along positive y, which is
also the direction of gravity here (the chain hangs from y = 0), and

.. math:: E(\theta)=-\tfrac12\omega^2\int x^2\,ds-g\int y\,ds .

Ends that are both fixed are two constraints on the angles, met by an augmented Lagrangian whose multipliers are the force at the far end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kexue.mathematics.rope_curve import _door

__all__ = ["Descent", "Spin", "chain_energy", "chain_nodes", "descend", "gap", "lagrangian_spectrum", "newton", "sine_start"]


@dataclass(frozen=True)
class Spin:
    """A spinning chain: what is held fixed while its angles change.

    Args:
        length: L.
        omega: angular speed.
        gravity: g.
        start: distance of the first end from the axis.
        span: distance D along the axis to the second end, which is held on the axis; None leaves it free.

    Raises:
        ValueError: a length that is not positive, a negative speed or gravity, a rope not longer than its span.
    """

    length: float = 1.0
    omega: float = 1.0
    gravity: float = 0.0
    start: float = 0.0
    span: float | None = None

    def __post_init__(self) -> None:
        _door.positive(length=self.length)
        _door.not_negative(omega=self.omega, gravity=self.gravity)
        _door.finite(start=self.start)
        if self.span is not None:
            _door.slack(self.length, self.span)


@dataclass(frozen=True)
class Descent:
    """Where gradient descent came to rest.

    Args:
        theta: angles (..., N).
        force: multipliers (..., 2), the force (along x, along y) that holds the second end; zero when it is free.
        gradient: largest component of the gradient of the Lagrangian, per unit length of rope.
        miss: largest distance of the second end from its place.
        steps: gradient steps taken.
        history: energy before each step (steps, ...); empty after Newton's method.
    """

    theta: Tensor
    force: Tensor
    gradient: float
    miss: float
    steps: int
    history: Tensor


def chain_nodes(theta: Tensor, spin: Spin) -> tuple[Tensor, Tensor]:
    """Positions of the ends of the links.

    Args:
        theta: angles (..., N), N >= 2.
        spin: the chain.

    Returns:
        x (..., N + 1) and y (..., N + 1).

    Raises:
        ValueError: fewer than two links, or angles that are not floating point and finite.
    """
    if theta.ndim < 1 or theta.shape[-1] < 2 or not theta.is_floating_point():
        raise ValueError(f"theta must be a floating-point tensor (..., N) with N >= 2, got {tuple(theta.shape)} of {theta.dtype}")
    link = spin.length / theta.shape[-1]
    zero = torch.zeros_like(theta[..., :1])
    x = spin.start + torch.cat([zero, link * torch.sin(theta).cumsum(-1)], -1)
    y = torch.cat([zero, link * torch.cos(theta).cumsum(-1)], -1)
    return x, y


def chain_energy(theta: Tensor, spin: Spin) -> Tensor:
    """Energy (...) of the chain in the rotating frame, exact for straight uniform links of unit density.

    Args:
        theta: angles (..., N).
        spin: the chain.

    Returns:
        E (...); minus half omega² times the moment of inertia, minus the weight's work.

    Raises:
        ValueError: as `chain_nodes`.

    Example:
        >>> chain_energy(torch.full((4,), torch.pi / 2, dtype=torch.float64), Spin(omega=2.0)).item()  # straight out: -omega²/6
        -0.6666666666666666
    """
    x, y = chain_nodes(theta, spin)
    link = spin.length / theta.shape[-1]
    a, b = x[..., :-1], x[..., 1:]
    moment = link / 3.0 * (a * a + a * b + b * b).sum(-1)  # the integral of x² over a straight link
    return -0.5 * spin.omega**2 * moment - spin.gravity * link * 0.5 * (y[..., :-1] + y[..., 1:]).sum(-1)


def gap(theta: Tensor, spin: Spin) -> Tensor:
    """How far the second end is from its place, (..., 2); zero for a free end."""
    if spin.span is None:
        return theta.new_zeros(*theta.shape[:-1], 2)
    x, y = chain_nodes(theta, spin)
    return torch.stack([x[..., -1], y[..., -1] - spin.span], -1)


def sine_start(links: int, spin: Spin, *, lobes: int = 1, height: float = 1.0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Angles (N,) of a wave with a given number of lobes, height 1 being of the order of the slack."""
    _door.count("links", links, 2)
    _door.count("lobes", lobes, 1)
    s = (torch.arange(links, dtype=dtype) + 0.5) / links
    return height * torch.cos(torch.pi * lobes * s)


def _function_gradient(theta: Tensor, spin: Spin, force: Tensor, rho: float) -> tuple[Tensor, Tensor]:
    """Gradient (..., N) of the augmented Lagrangian with respect to the angle per unit length, and the energy (...)."""
    theta = theta.detach().requires_grad_(True)
    miss, energy = gap(theta, spin), chain_energy(theta, spin)
    # the minus sign makes `force` the pull of the support: stationarity reads dE = force . d(end)
    total = energy - (force * miss).sum(-1) + 0.5 * rho * (miss * miss).sum(-1)
    (gradient,) = torch.autograd.grad(total.sum(), theta)
    return gradient * theta.shape[-1] / spin.length, energy.detach()


def descend(
    theta: Tensor,
    spin: Spin,
    *,
    force: Tensor | None = None,
    steps: int = 20000,
    rate: float = 1.5,
    tolerance: float = 1e-9,
    rho: float = 1.0,
    inner: int = 10,
) -> Descent:
    """Plain gradient descent on the angles; with a held second end, an augmented Lagrangian.

    The step is rate / ((1 + rho) (omega² L² + g L)), or without rho when the end is free, and the gradient is taken per unit length:
    both make the number of steps independent of the number of links as long as the tension stays away from zero.

    Args:
        theta: first angles (..., N); a batch descends side by side.
        spin: the chain.
        force: first multipliers (..., 2); zero by default.
        steps: most gradient steps.
        rate: safety factor of the step, in (0, 2).
        tolerance: stop when gradient and miss are below it, in units of omega² L² + g L and of L.
        rho: penalty weight in units of omega² L + g; below about 0.3 the multipliers may swing ever wider; ignored when the end is free.
        inner: gradient steps between two updates of the multipliers.

    Returns:
        The state at the last step; compare `gradient` and `miss` with what you need.

    Raises:
        ValueError: rate outside (0, 2), or fewer than one step.
    """
    if not 0.0 < rate < 2.0:
        raise ValueError(f"rate must lie in (0, 2), got {rate}")
    _door.count("steps", steps, 1)
    _door.positive(tolerance=tolerance, rho=rho)
    scale = spin.omega**2 * spin.length + spin.gravity  # a force per unit length
    weight = 0.0 if spin.span is None else rho * scale
    step = rate / (scale * spin.length + weight * spin.length)
    theta = theta.detach().clone()
    force = theta.new_zeros(*theta.shape[:-1], 2) if force is None else force.detach().clone()
    history = []
    for taken in range(1, steps + 1):
        gradient, energy = _function_gradient(theta, spin, force, weight)
        history.append(energy)
        theta = theta - step * gradient
        if taken % inner == 0:
            miss = gap(theta, spin)
            force = force - weight * miss
            if float(gradient.abs().max()) < tolerance * scale * spin.length and float(miss.abs().max()) < tolerance * spin.length:
                break
    rest = float(_function_gradient(theta, spin, force, weight)[0].abs().max())
    return Descent(theta, force, rest, float(gap(theta, spin).abs().max()), taken, torch.stack(history))


def _lagrangian(spin: Spin) -> Callable[[Tensor], Tensor]:
    """z = (angles, force) -> E - force . gap, whose stationary points are all equilibria, minima or not."""

    def value(z: Tensor) -> Tensor:
        theta = z[:-2] if spin.span is not None else z
        energy = chain_energy(theta, spin)
        return energy - (z[-2:] * gap(theta, spin)).sum() if spin.span is not None else energy

    return value


def _gradient(value: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """First derivatives (M,) of a scalar."""
    z = z.detach().requires_grad_(True)
    return torch.autograd.grad(value(z), z)[0]


def _jacobian(value: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """First derivatives (K, M) of a vector (K,), all rows in one batch (``torch.func`` would first load torch's compiler)."""
    z = z.detach().requires_grad_(True)
    found = value(z)
    return torch.autograd.grad(found, z, torch.eye(len(found), dtype=z.dtype, device=z.device), is_grads_batched=True)[0]


def _hessian(value: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Second derivatives (M, M), reverse over reverse."""
    return _jacobian(lambda at: torch.autograd.grad(value(at), at, create_graph=True)[0], z)


def newton(theta: Tensor, spin: Spin, *, steps: int = 50, tolerance: float = 1e-12) -> Descent:
    """Newton's method for a stationary point near the start: unlike descent it is content with a saddle.

    Args:
        theta: first angles (N,).
        spin: the chain.
        steps: most iterations.
        tolerance: stop when the gradient is below it, in units of omega² L² + g L.

    Returns:
        The stationary point.

    Raises:
        RuntimeError: no convergence.
    """
    value = _lagrangian(spin)
    scale = spin.omega**2 * spin.length**2 + spin.gravity * spin.length
    z = theta.detach().clone()
    if spin.span is not None:
        # the best multipliers for the first angles: least squares on the stationarity condition
        jacobian = _jacobian(lambda t: gap(t, spin), z)  # (2, N)
        force = torch.linalg.lstsq(jacobian.T, _gradient(lambda t: chain_energy(t, spin), z)[:, None]).solution[:, 0]
        z = torch.cat([z, force])
    links = theta.shape[-1]
    for taken in range(1, steps + 1):
        slope = _gradient(value, z)
        rest = float(slope[:links].abs().max()) * links / spin.length
        miss = float(slope[links:].abs().max()) if spin.span is not None else 0.0
        if rest < tolerance * scale and miss < tolerance * spin.length:
            force = z[links:] if spin.span is not None else z.new_zeros(2)
            return Descent(z[:links], force, rest, miss, taken, z.new_zeros(0))
        move = torch.linalg.solve(_hessian(value, z), -slope)
        z = z + move * min(1.0, 0.5 / float(move[:links].abs().max()))  # no link turns by more than half a radian at once
    raise RuntimeError(f"Newton's method did not converge in {steps} steps (gradient {rest:.2e}); start nearer to a stationary point")


def lagrangian_spectrum(state: Descent, spin: Spin) -> Tensor:
    """Curvatures of the energy along the motions that the supports allow, increasing, per unit length.

    The number of negative ones is the index of the equilibrium: 0 for a minimum, otherwise a saddle.

    Args:
        state: a stationary chain, angles (N,).
        spin: the chain.

    Returns:
        Eigenvalues (N,) for a free second end, (N - 2,) for a held one.
    """
    theta, links = state.theta, state.theta.shape[-1]
    full = _hessian(lambda t: chain_energy(t, spin) - (state.force * gap(t, spin)).sum(), theta)
    if spin.span is not None:
        jacobian = _jacobian(lambda t: gap(t, spin), theta)  # (2, N)
        basis = torch.linalg.qr(jacobian.T, mode="complete").Q[:, 2:]  # motions that keep the second end in place
        full = basis.T @ full @ basis
    values: Tensor = torch.linalg.eigvalsh(full)
    return values * links / spin.length
