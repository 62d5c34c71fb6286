r"""The variational information bottleneck: what a code keeps, what it costs, and the bounds on both.

A stochastic *encoder* turns an input ``x`` into a normal code ``z = mean + exp(log_variance / 2) * noise`` with independent coordinates.
Three numbers judge it, all in nats:

* the *information* :math:`I(X;Z)`, which the code keeps of its input;
* the *rate* :math:`R=E_x\,KL(p(z|x)\|q(z))` against the fixed prior ``q = N(0, I)``, never below the information;
* the *relevance* :math:`I(Z;Y)`, bounded from below by the entropy of the label minus the cross-entropy of a classifier.

Codes have shape ``(..., d)``: coordinates are the last axis. The exact theory of the linear case is in
:mod:`kexue.mathematics.vae_bottleneck_linear`, of the joint normal and the finite case in
:mod:`kexue.mathematics.vae_bottleneck_information`, the laws of interpolated codes in :mod:`kexue.mathematics.vae_bottleneck_paths`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "code_information",
    "dual_step",
    "gaussian_kl",
    "gaussian_log_density",
    "gaussian_log_ratio",
    "hinge_of_mean",
    "mean_of_hinge",
    "relevance_bound",
    "sample_code",
    "vib_loss",
]


def check_code(mean: Tensor, log_variance: Tensor) -> None:
    """Refuse means and log-variances that do not describe normal codes ``(..., d)``.

    Raises:
        ValueError: naming the shapes and what was expected.
    """
    if mean.shape != log_variance.shape or mean.ndim < 1 or mean.shape[-1] < 1:
        raise ValueError(f"mean and log_variance must share a shape (..., d), got {tuple(mean.shape)} and {tuple(log_variance.shape)}")
    if not (mean.is_floating_point() and log_variance.is_floating_point()):
        raise ValueError(f"mean and log_variance must be floating-point tensors, got {mean.dtype} and {log_variance.dtype}")


def check_at_least(name: str, value: float, least: float) -> float:
    """Return a finite number that is at least `least`; raise ``ValueError`` for any other."""
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= least):
        raise ValueError(f"{name} must be a finite number of at least {least:g}, got {value!r}")
    return float(value)


# --8<-- [start:kl]
def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Divergence of a normal code from the prior, :math:`\tfrac12\sum_j(\mu_j^2+\sigma_j^2-1-\log\sigma_j^2)`.

    Args:
        mean: ``(..., d)``.
        log_variance: ``(..., d)``, the logarithm of the variances.

    Returns:
        Nats, of shape ``(...)``; 0 exactly where the code is the prior itself.

    >>> gaussian_kl(torch.tensor([1.0, 0.0]), torch.zeros(2))
    tensor(0.5000)
    """
    check_code(mean, log_variance)
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum(-1)  # expm1: exact near the prior


def sample_code(mean: Tensor, log_variance: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    r"""A code :math:`z=\mu+\sigma\varepsilon` with :math:`\varepsilon\sim N(0,I)`: differentiable in both (chapter 5).

    Args:
        mean: ``(..., d)``.
        log_variance: ``(..., d)``.
        generator: source of randomness.

    Returns:
        Codes ``(..., d)``.
    """
    check_code(mean, log_variance)
    noise = torch.empty_like(mean).normal_(generator=generator)
    return mean + (0.5 * log_variance).exp() * noise


# --8<-- [end:kl]


# --8<-- [start:vib]
def vib_loss(logits: Tensor, labels: Tensor, mean: Tensor, log_variance: Tensor, weight: float) -> tuple[Tensor, Tensor, Tensor]:
    r"""The bottleneck's objective, :math:`-E\log q(y|z)+\lambda\,E\,KL(p(z|x)\|q(z))`, with its two parts (Alemi et al. 2017).

    Args:
        logits: ``(B, c)``, the classifier's answer to *sampled* codes.
        labels: ``(B,)``, integers below c.
        mean: ``(B, d)``, of the codes.
        log_variance: ``(B, d)``.
        weight: the price :math:`\lambda\ge0` of a nat.

    Returns:
        Loss, cross-entropy and rate: means over the batch, in nats.

    Raises:
        ValueError: for a negative weight or batches of unequal length.
    """
    check_at_least("weight", weight, 0)
    if mean.shape[:1] != logits.shape[:1] or labels.shape != logits.shape[:1]:
        raise ValueError(f"one code, one answer, one label each: got {tuple(mean.shape)}, {tuple(logits.shape)}, {tuple(labels.shape)}")
    cross_entropy = functional.cross_entropy(logits, labels)
    rate = gaussian_kl(mean, log_variance).mean()
    return cross_entropy + weight * rate, cross_entropy, rate


# --8<-- [end:vib]


def relevance_bound(log_q: Tensor, labels: Tensor) -> Tensor:
    r"""Lower bound :math:`I(Z;Y)\ge H(Y)+E\log q(y|z)`, with the entropy of the labels as they occur.

    Args:
        log_q: log-probabilities ``(N, c)`` of the classes given each code.
        labels: ``(N,)``, integers below c.

    Returns:
        Nats; at most :math:`\log c`, negative for a classifier worse than the class frequencies.

    Raises:
        ValueError: for shapes that do not fit.

    >>> certain = torch.log(torch.tensor([[1.0, 1e-30], [1e-30, 1.0]]))
    >>> relevance_bound(certain, torch.tensor([0, 1])).exp()
    tensor(2.)
    """
    if log_q.ndim != 2 or labels.shape != log_q.shape[:1] or not len(labels):
        raise ValueError(f"log_q must be (N, c) and labels (N,) with N > 0, got {tuple(log_q.shape)} and {tuple(labels.shape)}")
    share = torch.bincount(labels, minlength=log_q.shape[1]).to(log_q) / len(labels)
    bound: Tensor = torch.special.entr(share).sum() + log_q.gather(1, labels[:, None]).mean()
    return bound


# --8<-- [start:information]
def gaussian_log_density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log-density of independent normals at ``z (..., d)``, summed over the coordinates."""
    check_code(mean, log_variance)
    return -0.5 * (math.log(2 * math.pi) + log_variance + (z - mean).square() * (-log_variance).exp()).sum(-1)


def code_information(
    mean: Tensor, log_variance: Tensor, *, draws: int = 1, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    r"""The information between the *index* of N inputs and their code, by Monte Carlo, with its standard error.

    :math:`I=E\log\frac{p(z|x)}{p(z)}` where :math:`p(z)=\frac1N\sum_np(z|x_n)` is the mixture of all N codes. It is at most
    :math:`\log N`, whatever the rate says.

    Args:
        mean: ``(N, d)``.
        log_variance: ``(N, d)``.
        draws: codes drawn for each input.
        generator: source of randomness.

    Returns:
        The estimate and its standard error, in nats.

    Raises:
        ValueError: for other shapes or fewer than two log-ratios in all.
    """
    check_code(mean, log_variance)
    if mean.ndim != 2 or draws < 1 or draws * len(mean) < 2:
        raise ValueError(f"codes must be (N, d) with draws >= 1 and at least two in all, got {tuple(mean.shape)} and draws={draws}")
    log_ratio = []
    for _ in range(draws):
        z = sample_code(mean, log_variance, generator=generator)  # (N, d)
        pairs = torch.stack([gaussian_log_density(row, mean, log_variance) for row in z])  # (N codes, N inputs)
        log_ratio.append(pairs.diagonal() - pairs.logsumexp(1) + math.log(len(mean)))
    ratios = torch.cat(log_ratio)
    return ratios.mean(), ratios.std() / math.sqrt(len(ratios))


# --8<-- [end:information]


# ------------------------------------------------------------------------------------------------------ a budget instead of a price
# --8<-- [start:hinge]
def mean_of_hinge(log_ratio: Tensor, budget: float) -> Tensor:
    r"""The post's constraint, :math:`E\max(\log\frac{p(z|x)}{p(z)}-b,\,0)`: it charges every lucky draw, also below the budget."""
    return (log_ratio - budget).clamp_min(0).mean()


def hinge_of_mean(log_ratio: Tensor, budget: float) -> Tensor:
    r"""A true constraint, :math:`\max(E\log\frac{p(z|x)}{p(z)}-b,\,0)`: nothing to pay while the information is within the budget."""
    return (log_ratio.mean() - budget).clamp_min(0)


def dual_step(weight: float, rate: float, budget: float, *, step: float) -> float:
    r"""Next price of a nat, :math:`\max(0,\lambda+\alpha(R-b))`: dearer above the budget, cheaper below (Peng et al. 2019).

    >>> dual_step(0.1, rate=3.0, budget=2.0, step=0.5), dual_step(0.1, rate=1.0, budget=2.0, step=0.5)
    (0.6, 0.0)
    """
    check_at_least("weight", weight, 0)
    return max(0.0, weight + check_at_least("step", step, 0) * (rate - budget))


# --8<-- [end:hinge]


def gaussian_log_ratio(x: Tensor, z: Tensor, rho: float) -> Tensor:
    r"""The log-ratio :math:`\log p(z|x)/p(z)` of a standard normal pair with correlation :math:`\rho`; its mean is their information.

    Args:
        x: any shape.
        z: the same shape.
        rho: correlation, strictly between −1 and 1.

    Raises:
        ValueError: for a correlation outside (−1, 1) or shapes that differ.
    """
    if not -1 < rho < 1:
        raise ValueError(f"rho must lie strictly between -1 and 1, got {rho!r}")
    if x.shape != z.shape:
        raise ValueError(f"x and z must share a shape, got {tuple(x.shape)} and {tuple(z.shape)}")
    rest = 1 - rho * rho
    return -0.5 * math.log(rest) - (z - rho * x).square() / (2 * rest) + z.square() / 2
