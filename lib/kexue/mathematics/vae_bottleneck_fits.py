r"""The linear bottlenecks by training, to be held against their closed forms.

:func:`fit_linear_vae` trains encoder, decoder and noise of a linear beta-VAE by Adam. For a linear network the mean over data and noise
is a function of the data's covariance alone, so each step has the exact gradient and costs a few small matrix products.
:func:`fit_gaussian_bottleneck` trains a linear variational bottleneck on draws from a joint normal, as a network would be trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kexue.mathematics.vae_bottleneck import gaussian_kl, gaussian_log_density, sample_code
from kexue.mathematics.vae_bottleneck_information import gaussian_information
from kexue.mathematics.vae_bottleneck_linear import check_level

__all__ = ["BottleneckFit", "LinearFit", "canonical_joint", "fit_gaussian_bottleneck", "fit_linear_vae", "linear_parts", "sampled_parts"]


class LinearFit(NamedTuple):
    """Linear VAEs trained at m prices.

    Encoders ``(m, k, n)``, decoders ``(m, n, k)``, logarithms of the codes' variances ``(m, k)``; the rates of all coordinates in nats
    ``(m, k)``, the mean squared errors ``(m,)``, and the loss at every step ``(steps, m)``.
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
        encoder: A ``(..., k, n)``.
        decoder: W ``(..., n, k)``.
        log_variance: :math:`\log s^2` ``(..., k)``.
        covariance: of the centred data ``(n, n)``.

    Returns:
        Rates ``(..., k)`` in nats and the error ``(...)``.
    """
    variance = log_variance.exp()
    seen = encoder @ covariance  # (..., k, n)
    rates = 0.5 * ((seen * encoder).sum(-1) + variance - 1 - log_variance)
    cross = (seen * decoder.mT).sum((-2, -1))
    both = ((decoder.mT @ decoder) * (seen @ encoder.mT)).sum((-2, -1))
    return rates, covariance.trace() - 2 * cross + both + (decoder.square().sum(-2) * variance).sum(-1)


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
    betas: Sequence[float],
    *,
    size: int,
    noise: float,
    steps: int = 3000,
    learning_rate: float = 1e-2,
    generator: torch.Generator | None = None,
) -> LinearFit:
    r"""Minimise :math:`\frac{1}{2\sigma^2}E|x-\hat x|^2+\beta R` over encoder, decoder and the code's noise by Adam.

    Several prices are trained side by side from the same start; none touches another, since Adam looks at each number by itself.

    Args:
        covariance: of the data ``(n, n)``.
        betas: m prices of a nat.
        size: number k of coordinates of the code.
        noise: the decoder's variance :math:`\sigma^2`.
        steps: of Adam.
        learning_rate: kept for four fifths of the steps, then falling to zero along a line.
        generator: draws the start.

    Raises:
        ValueError: for a size below 1, a covariance that is not square, a price or variance that is not positive.
    """
    if size < 1 or covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ValueError(f"covariance must be (n, n) and size at least 1, got {tuple(covariance.shape)} and {size}")
    prices = torch.tensor(betas, dtype=covariance.dtype)  # (m,)
    check_level(prices * noise)
    m, n = len(prices), len(covariance)
    start = [0.1 * torch.randn(shape, generator=generator, dtype=covariance.dtype) for shape in ((size, n), (n, size))]
    encoder, decoder = (matrix.repeat(m, 1, 1) for matrix in start)
    log_variance = torch.zeros(m, size, dtype=covariance.dtype)
    optimiser, schedule = _adam([encoder, decoder, log_variance], learning_rate, steps)
    history = torch.empty(steps, m)
    for step in range(steps):
        rates, error = linear_parts(encoder, decoder, log_variance, covariance)
        loss = error / (2 * noise) + prices * rates.sum(-1)
        optimiser.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        history[step] = loss.detach()
    a, w, log_s2 = encoder.detach(), decoder.detach(), log_variance.detach()
    return LinearFit(a, w, log_s2, *linear_parts(a, w, log_s2, covariance), history)


# --8<-- [end:fit]


def _adam(leaves: list[Tensor], rate: float, steps: int) -> tuple[torch.optim.Adam, torch.optim.lr_scheduler.LambdaLR]:
    """Adam whose rate falls along a line in the last fifth of the steps."""
    optimiser = torch.optim.Adam([leaf.requires_grad_() for leaf in leaves], lr=rate)
    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 5 * (1 - step / steps)))


# ------------------------------------------------------------------------------------------------------------- a joint normal to learn
class BottleneckFit(NamedTuple):
    """Linear bottlenecks at m worths: ``A`` (m, k, n), the codes' variances (m, k), and their two exact informations in nats (m,)."""

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
    joint: Tensor,
    n: int,
    worths: Sequence[float],
    *,
    size: int,
    steps: int = 1000,
    batch: int = 512,
    generator: torch.Generator | None = None,
) -> BottleneckFit:
    r"""Train linear variational bottlenecks, rate :math:`-\,b\,E\log q(y|t)`, on fresh draws of a joint normal.

    Args:
        joint: covariance of input and target, the input's ``n`` coordinates first.
        n: size of the input.
        worths: m multipliers b, trained side by side on the same draws of input and target.
        size: number of coordinates of the code.
        steps: of Adam.
        batch: pairs drawn in each.
        generator: source of all draws.

    Returns:
        The encoders, with the *exact* information that they keep and tell, from the covariances: no estimate judges the training.
    """
    m, k, dtype = len(joint) - n, len(worths), joint.dtype
    root, price = torch.linalg.cholesky(joint), torch.tensor(worths, dtype=dtype)
    encoder, decoder = ((0.1 * torch.randn(shape, generator=generator, dtype=dtype)).repeat(k, 1, 1) for shape in ((size, n), (m, size)))
    # q(y|t) is a normal law with any covariance: the last leaf holds the triangular root of its precision, the diagonal as logarithm
    log_variance, precision = torch.zeros(k, 1, size, dtype=dtype), torch.zeros(k, m, m, dtype=dtype)
    optimiser, schedule = _adam([encoder, decoder, log_variance, precision], 0.02, steps)
    for _ in range(steps):
        x, y = (torch.randn(batch, n + m, generator=generator, dtype=dtype) @ root.T).split([n, m], 1)
        mean = x @ encoder.mT  # (k, batch, size)
        t = sample_code(mean, log_variance.expand_as(mean), generator=generator)
        scale = precision.diagonal(dim1=1, dim2=2)  # (k, m)
        whiten = precision.tril(-1) + scale.exp().diag_embed()
        error = (y - t @ decoder.mT) @ whiten.mT
        told = gaussian_log_density(error, error * 0, error * 0).mean(-1) + scale.sum(-1)
        loss = gaussian_kl(mean, log_variance.expand_as(mean)).mean(-1) - price * told
        optimiser.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    a, variance = encoder.detach(), log_variance.detach()[:, 0].exp()
    both = torch.stack([torch.stack(_informations(one, noise, joint, n)) for one, noise in zip(a, variance, strict=True)])
    return BottleneckFit(a, variance, both[:, 0], both[:, 1])


# --8<-- [end:bottleneck]


def _informations(a: Tensor, variance: Tensor, joint: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Exact information of ``t = A x + noise`` about the input and about the target."""
    signal = a @ joint[:n, :n] @ a.T
    kept = 0.5 * ((signal + variance.diag()).logdet() - variance.log().sum())
    cross = a @ joint[:n, n:]  # (k, m)
    pair = torch.cat([torch.cat([signal + variance.diag(), cross], 1), torch.cat([cross.T, joint[n:, n:]], 1)])
    return kept, gaussian_information(pair, len(a))
