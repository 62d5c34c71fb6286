r"""The linear bottlenecks by training, to be held against their closed forms.

:func:`fit_linear_vae` trains encoder, decoder and noise of a linear beta-VAE by Adam. For a linear network the mean over data and noise
is a function of the data's covariance alone, so each step has the exact gradient and costs a few small matrix products.
:func:`fit_gaussian_bottleneck` trains a linear variational bottleneck on draws from a joint normal, as a network would be trained.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kexue.mathematics.vae_bottleneck import gaussian_kl, gaussian_log_density, sample_code
from kexue.mathematics.vae_bottleneck_information import gaussian_information
from kexue.mathematics.vae_bottleneck_linear import check_level

__all__ = ["BottleneckFit", "LinearFit", "canonical_joint", "fit_gaussian_bottleneck", "fit_linear_vae", "linear_parts", "sampled_parts"]


class LinearFit(NamedTuple):
    """A trained linear VAE.

    Attributes:
        encoder: ``(k, n)``.
        decoder: ``(n, k)``.
        log_variance: ``(k,)`` of the code's noise.
        rates: nats of each coordinate ``(k,)``.
        distortion: mean squared error.
        history: loss at every step.
    """

    encoder: Tensor
    decoder: Tensor
    log_variance: Tensor
    rates: Tensor
    distortion: Tensor
    history: Tensor


# --8<-- [start:parts]
def linear_parts(encoder: Tensor, decoder: Tensor, log_variance: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    r"""Rate of each coordinate and squared error of ``z = A x + s noise``, ``x̂ = W z``, exactly.

    Args:
        encoder: A ``(k, n)``.
        decoder: W ``(n, k)``.
        log_variance: :math:`\log s^2` ``(k,)``.
        covariance: of the centred data ``(n, n)``.

    Returns:
        Rates ``(k,)`` in nats and the error.
    """
    variance = log_variance.exp()
    seen = encoder @ covariance  # (k, n)
    power = (seen * encoder).sum(1)  # (k,), variance of the code's mean
    rates = 0.5 * (power + variance - 1 - log_variance)
    cross = (seen * decoder.T).sum()
    error = covariance.trace() - 2 * cross + ((decoder.T @ decoder) * (seen @ encoder.T)).sum() + (decoder.square().sum(0) * variance).sum()
    return rates, error


# --8<-- [end:parts]


def sampled_parts(
    encoder: Tensor, decoder: Tensor, log_variance: Tensor, data: Tensor, *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Rate and squared error of a batch of centred data ``(N, n)`` with one noise each: what a VAE is usually trained on."""
    mean = data @ encoder.T
    wide = log_variance.expand_as(mean)
    z = sample_code(mean, wide, generator=generator)
    return gaussian_kl(mean, wide).mean(), (data - z @ decoder.T).square().sum(1).mean()


# --8<-- [start:fit]
def fit_linear_vae(
    covariance: Tensor,
    *,
    size: int,
    beta: float,
    noise: float,
    steps: int = 3000,
    learning_rate: float = 1e-2,
    generator: torch.Generator | None = None,
) -> LinearFit:
    r"""Minimise :math:`\frac{1}{2\sigma^2}E|x-\hat x|^2+\beta R` over encoder, decoder and the code's noise by Adam.

    Args:
        covariance: of the data ``(n, n)``.
        size: number k of coordinates of the code.
        beta: price of a nat.
        noise: the decoder's variance :math:`\sigma^2`.
        steps: of Adam.
        learning_rate: kept for four fifths of the steps, then falling to zero along a line.
        generator: draws the start.

    Raises:
        ValueError: for a size below 1, a covariance that is not square, a price or variance that is not positive.
    """
    if size < 1 or covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ValueError(f"covariance must be (n, n) and size at least 1, got {tuple(covariance.shape)} and {size}")
    check_level(beta * noise)
    n = len(covariance)
    encoder, decoder = (0.1 * torch.randn(shape, generator=generator, dtype=covariance.dtype) for shape in ((size, n), (n, size)))
    log_variance = torch.zeros(size, dtype=covariance.dtype)
    optimiser = torch.optim.Adam([leaf.requires_grad_() for leaf in (encoder, decoder, log_variance)], lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 5 * (1 - step / steps)))
    history = torch.empty(steps)
    for step in range(steps):
        rates, error = linear_parts(encoder, decoder, log_variance, covariance)
        loss = error / (2 * noise) + beta * rates.sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        history[step] = loss.detach()
    a, w, log_s2 = encoder.detach(), decoder.detach(), log_variance.detach()
    rates, error = linear_parts(a, w, log_s2, covariance)
    return LinearFit(a, w, log_s2, rates, error, history)


# --8<-- [end:fit]


# ------------------------------------------------------------------------------------------------------------- a joint normal to learn
class BottleneckFit(NamedTuple):
    """A trained linear bottleneck: ``A`` of shape (k, n), the code's variances (k,), and its two exact informations in nats."""

    encoder: Tensor
    variance: Tensor
    kept: Tensor
    told: Tensor


def canonical_joint(correlations: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Covariance ``(2n, 2n)`` of a normal pair with the given canonical correlations ``(n,)``, each side in a random basis and scale.

    Raises:
        ValueError: for correlations outside [0, 1).
    """
    if correlations.ndim != 1 or bool(((correlations < 0) | (correlations >= 1)).any()):
        raise ValueError("correlations must be a vector of numbers in [0, 1)")
    n = len(correlations)
    # random rotations with scales between a half and three halves: far from singular
    draw = [torch.randn(n, n, generator=generator, dtype=correlations.dtype) for _ in range(2)]
    scale = [0.5 + torch.rand(n, generator=generator, dtype=correlations.dtype) for _ in range(2)]
    mix: Tensor = torch.block_diag(  # type: ignore[no-untyped-call]
        *[torch.linalg.qr(g).Q * s for g, s in zip(draw, scale, strict=True)]
    )
    core = torch.eye(2 * n, dtype=correlations.dtype)
    core[:n, n:] = core[n:, :n] = correlations.diag()
    joint: Tensor = mix @ core @ mix.T
    return joint


# --8<-- [start:bottleneck]
def fit_gaussian_bottleneck(
    joint: Tensor, n: int, *, multiplier: float, size: int, steps: int = 1500, batch: int = 1024, generator: torch.Generator | None = None
) -> BottleneckFit:
    r"""Train a linear variational bottleneck, rate :math:`-\,b\,E\log q(y|t)`, on fresh draws of a joint normal.

    Args:
        joint: covariance of input and target, the input's ``n`` coordinates first.
        n: size of the input.
        multiplier: worth b of a nat about the target.
        size: number of coordinates of the code.
        steps: of Adam.
        batch: pairs drawn in each.
        generator: source of all draws.

    Returns:
        The encoder, with the *exact* information that it keeps and tells, from the covariances: no estimate judges the training.
    """
    m, dtype = len(joint) - n, joint.dtype
    root = torch.linalg.cholesky(joint)
    encoder = 0.1 * torch.randn(size, n, generator=generator, dtype=dtype)
    decoder = 0.1 * torch.randn(m, size, generator=generator, dtype=dtype)
    # q(y|t) is a normal law with any covariance: the last leaf holds the triangular root of its precision, the diagonal as logarithm
    leaves = [encoder, decoder, torch.zeros(size, dtype=dtype), torch.zeros(m, m, dtype=dtype)]
    optimiser = torch.optim.Adam([leaf.requires_grad_() for leaf in leaves], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        x, y = (torch.randn(batch, n + m, generator=generator, dtype=dtype) @ root.T).split([n, m], 1)
        mean = x @ leaves[0].T
        t = sample_code(mean, leaves[2].expand_as(mean), generator=generator)
        whiten = leaves[3].tril(-1) + leaves[3].diagonal().exp().diag()
        error = (y - t @ leaves[1].T) @ whiten.T
        told = gaussian_log_density(error, error * 0, error * 0).mean() + leaves[3].diagonal().sum()
        loss = gaussian_kl(mean, leaves[2].expand_as(mean)).mean() - multiplier * told
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    a, variance = leaves[0].detach(), leaves[2].detach().exp()
    return BottleneckFit(a, variance, *_informations(a, variance, joint, n))


# --8<-- [end:bottleneck]


def _informations(a: Tensor, variance: Tensor, joint: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Exact information of ``t = A x + noise`` about the input and about the target."""
    signal = a @ joint[:n, :n] @ a.T
    kept = 0.5 * ((signal + variance.diag()).logdet() - variance.log().sum())
    cross = a @ joint[:n, n:]  # (k, m)
    pair = torch.cat([torch.cat([signal + variance.diag(), cross], 1), torch.cat([cross.T, joint[n:, n:]], 1)])
    return kept, gaussian_information(pair, len(a))
