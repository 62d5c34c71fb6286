r"""The losses of a GAN read as energy: digging pits, jumping in, gradient penalties, the entropy term, and all of it as one loss.

The energy :math:`U(x)` is *low on data*; a discriminator in the other sign is :math:`D=-U`. Every loss is a mean over a batch of
energies of shape ``(B,)``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["LOSSES", "PLACES", "dig", "gradient_penalty", "jump", "penalty_points", "reconstruction_loss", "single_loss"]

LOSSES = ("linear", "softplus", "hinge", "margin")
PLACES = ("real", "fake", "mixture", "interpolates")
Map = Callable[[Tensor], Tensor]


# --8<-- [start:losses]
def dig(real: Tensor, fake: Tensor, kind: str = "linear", *, margin: float = 1.0) -> Tensor:
    r"""The energy's loss: low on data, high on fakes.

    ============ =====================================================================================
    ``linear``   :math:`E_p[U]-E_q[U]`: unbounded without a penalty
    ``softplus`` :math:`E_p[\log(1+e^U)]+E_q[\log(1+e^{-U})]`: the cross-entropy of the first GAN
    ``hinge``    :math:`E_p[\max(0,m+U)]+E_q[\max(0,m-U)]`: no force beyond the thresholds
    ``margin``   :math:`E_p[U]+E_q[\max(0,m-U)]`: for energies that are never negative
    ============ =====================================================================================

    Args:
        real: energies of data, any shape.
        fake: energies of fakes, any shape.
        kind: one of ``LOSSES``.
        margin: the threshold m of ``hinge`` and ``margin``.

    Returns:
        A scalar.

    Raises:
        ValueError: if the kind is unknown, a batch is empty, or the margin is not above 0.

    Source: Lim and Ye (2017) and Zhao, Mathieu and LeCun (2017) for the last two.
    """
    _check(kind, real, fake)
    if not margin > 0:
        raise ValueError(f"the margin must be above 0, got {margin}")
    if kind == "linear":
        return real.mean() - fake.mean()
    if kind == "softplus":
        return softplus(real).mean() + softplus(-fake).mean()
    lifted = (margin - fake).clamp_min(0).mean()
    return lifted + (real.mean() if kind == "margin" else (margin + real).clamp_min(0).mean())


def jump(fake: Tensor, kind: str = "linear") -> Tensor:
    r"""The generator's loss: fakes roll downhill.

    :math:`E_q[U]`, except with ``softplus``, where it is :math:`E_q[\log(1+e^U)]`, the form whose force does not vanish on fakes that
    the energy has found out.

    Args:
        fake: energies of fakes, any shape.
        kind: one of ``LOSSES``.

    Returns:
        A scalar.

    Raises:
        ValueError: if the kind is unknown or the batch is empty.
    """
    _check(kind, fake)
    return softplus(fake).mean() if kind == "softplus" else fake.mean()


# --8<-- [end:losses]


def _check(kind: str, *batches: Tensor) -> None:
    if kind not in LOSSES:
        raise ValueError(f"the loss must be one of {', '.join(LOSSES)}, got {kind!r}")
    if any(batch.numel() == 0 for batch in batches):
        raise ValueError("a loss needs at least one energy in each batch, got none")


# --8<-- [start:penalty]
def penalty_points(where: str, real: Tensor, fake: Tensor, *, generator: torch.Generator) -> Tensor:
    r"""Points of the law r at which the slope of the energy is penalised; no gradient leads back to data or fakes.

    ``real`` (R1) and ``fake`` (R2) are the batches themselves; ``mixture`` takes for each place the one or the other with equal
    chance; ``interpolates`` draws uniformly from the segment between the two.

    Args:
        where: one of ``PLACES``.
        real: data ``(B, …)``.
        fake: fakes ``(B, …)``.
        generator: source of the choice; used by the last two.

    Returns:
        Points ``(B, …)``.

    Raises:
        ValueError: if the place is unknown or the batches differ in shape.
    """
    if where not in PLACES:
        raise ValueError(f"the place of the penalty must be one of {', '.join(PLACES)}, got {where!r}")
    if real.shape != fake.shape:
        raise ValueError(f"data and fakes must have one shape, got {tuple(real.shape)} and {tuple(fake.shape)}")
    real, fake = real.detach(), fake.detach()
    if where in ("real", "fake"):
        return real if where == "real" else fake
    share = torch.rand(len(real), *[1] * (real.dim() - 1), generator=generator, dtype=real.dtype, device=real.device)
    return torch.where(share < 0.5, real, fake) if where == "mixture" else real + share * (fake - real)


def gradient_penalty(energy: Map, points: Tensor, *, centre: float = 0.0) -> Tensor:
    r"""Mean of :math:`(\|\nabla U(x)\|-c)^2` over points; with the centre 0, :math:`E_r\|\nabla U\|^2`.

    Args:
        energy: ``(B, …) -> (B,)``; each energy must depend on its own point alone.
        points: ``(B, …)``.
        centre: the slope c that costs nothing: 0 for pits with flat bottoms, 1 for the Lipschitz constraint of WGAN-GP.

    Returns:
        A scalar through which gradients reach the parameters of the energy.

    Raises:
        ValueError: if the centre is negative or the energy does not return one number for each point.

    Source: Mescheder, Geiger and Nowozin (2018); Gulrajani et al. (2017) for the centre 1.
    """
    if centre < 0:
        raise ValueError(f"the centre must be at least 0, got {centre}")
    x = points.detach().requires_grad_()
    energies = energy(x)
    if energies.shape != x.shape[:1]:
        raise ValueError(f"the energy must give one number for each of {len(x)} points, got shape {tuple(energies.shape)}")
    (slope,) = torch.autograd.grad(energies.sum(), x, create_graph=True)
    squares = slope.flatten(1).square().sum(1)  # (B,)
    return squares.mean() if centre == 0 else (squares.clamp_min(1e-24).sqrt() - centre).square().mean()


# --8<-- [end:penalty]


# --8<-- [start:entropy]
def reconstruction_loss(recover: Map, z: Tensor, fake: Tensor, *, noise: float = 0.0, generator: torch.Generator | None = None) -> Tensor:
    r"""A stand-in for minus the entropy of the fakes: how badly the code is recovered from the fake, noise added.

    :math:`E\|z-E(x+\nu\varepsilon)\|^2` with a recovering network E. Up to a constant and a factor it bounds
    :math:`-I(X;Z)` from above (a Gaussian guess of z has just this error in its exponent). The mutual information differs from the
    entropy :math:`H(X)` by a constant only if the noise on x is fixed; without noise every invertible generator recovers z
    perfectly, however narrow its fakes lie, and the term does not stop them from shrinking.

    Args:
        recover: ``(B, …) -> (B, k)``.
        z: codes ``(B, k)``.
        fake: fakes ``(B, …)``.
        noise: standard deviation ν of the noise on each coordinate.
        generator: source of the noise; needed if there is any.

    Returns:
        A scalar, summed over the k coordinates, a mean over the batch.

    Raises:
        ValueError: if the noise is negative, has no source, or the recovered codes have another shape.
    """
    if noise < 0:
        raise ValueError(f"the noise must be at least 0, got {noise}")
    if noise > 0:
        if generator is None:
            raise ValueError("noise on the fakes needs a generator, got none")
        fake = fake + noise * torch.randn(fake.shape, generator=generator, dtype=fake.dtype, device=fake.device)
    found = recover(fake)
    if found.shape != z.shape:
        raise ValueError(f"the recovered codes must have the shape {tuple(z.shape)}, got {tuple(found.shape)}")
    return (z - found).square().flatten(1).sum(1).mean()


# --8<-- [end:entropy]


# --8<-- [start:single]
def single_loss(energy: Map, generator: Map, real: Tensor, z: Tensor, kind: str = "linear", *, ratio: float = 1.0) -> tuple[Tensor, Tensor]:
    r"""One loss whose gradient is that of the energy's loss in U and of the generator's in G.

    With :math:`G_{\rm ng}` the fakes behind a stopped gradient,

    .. math:: L=\mathrm{dig}(U(x),U(G_{\rm ng}(z)))+\rho\,[\mathrm{jump}(U(G(z)))-\mathrm{jump}(U(G_{\rm ng}(z)))] .

    The bracket is identically 0: both terms have the same value and the same gradient in U. Only the path through the fakes is left
    in the first, so its gradient is :math:`(0,\nabla_G\,\mathrm{jump})`. One optimiser then trains both networks, and
    :math:`\rho` is the ratio of their learning rates (for plain gradient descent; Adam takes no notice of it).

    Args:
        energy: ``(B, …) -> (B,)``.
        generator: codes ``(B, k)`` to fakes ``(B, …)``; must give the same fakes for the same codes.
        real: data ``(B, …)``.
        z: codes ``(B, k)``.
        kind: one of ``LOSSES``.
        ratio: the factor ρ of the bracket.

    Returns:
        The loss and the bracket (0 in value).

    Raises:
        ValueError: if the ratio is not above 0, or see :func:`dig`.
    """
    if not ratio > 0:
        raise ValueError(f"the ratio of the learning rates must be above 0, got {ratio}")
    fake = generator(z)
    frozen = energy(fake.detach())
    bracket = jump(energy(fake), kind) - jump(frozen, kind)
    return dig(energy(real), frozen, kind) + ratio * bracket, bracket


# --8<-- [end:single]
