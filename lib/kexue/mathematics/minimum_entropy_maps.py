"""Maps by minimum entropy: SNE, t-SNE and what lies between them.

Where no records exist they are made: points x in many dimensions "borrow" each other with
:math:`c(j\\mid i)\\propto e^{-\\beta_i\\|x_i-x_j\\|^2}`, the width of each row set by a perplexity. A map z in two dimensions answers with
the kernel

.. math:: k_\\alpha(d)=\\Bigl(1+\\frac{d^2}{\\alpha}\\Bigr)^{-\\alpha},

which is Student's for :math:`\\alpha=1` and Gaussian for :math:`\\alpha=\\infty`, normalised over each row (SNE, the post) or over
all pairs (as in t-SNE). The cost is the entropy of :mod:`kexue.mathematics.minimum_entropy`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from kexue.mathematics.minimum_entropy import entropy, without_self

__all__ = [
    "draw_map",
    "log_kernel",
    "map_entropy",
    "map_gradient",
    "neighbours",
    "principal_plane",
    "records",
    "same_class",
    "squared_distances",
]

Normaliser = Literal["row", "all"]


def squared_distances(x: Tensor) -> Tensor:
    """Squared distances between the rows of `x` (N, n), shape (N, N), exactly 0 on the diagonal."""
    square = x.square().sum(1)
    return (square[:, None] + square - 2 * x @ x.T).clamp_min(0).fill_diagonal_(0)


# --8<-- [start:records]
def neighbours(x: Tensor, perplexity: float, *, tolerance: float = 1e-12) -> Tensor:
    r"""Whom each point would visit: rows :math:`c(j\mid i)\propto e^{-\beta_i\|x_i-x_j\|^2}`, j ≠ i, all of entropy log(perplexity).

    Args:
        x: points (N, n).
        perplexity: effective number of neighbours, above 1 and below N - 1.
        tolerance: of each row's entropy in nats; single precision reaches about 1e-5.

    Returns:
        The law of the second point given the first, (N, N), rows sum to 1, diagonal 0.

    Raises:
        ValueError: a perplexity that N points cannot have.

    Source: Hinton and Roweis (2002). The widths are found by bisection in log beta.
    """
    if x.ndim != 2 or not 1 < perplexity < len(x) - 1:
        raise ValueError(f"expected points (N, n) and a perplexity between 1 and N - 1, got shape {tuple(x.shape)} and {perplexity}")
    d2 = squared_distances(x)
    nearest = without_self(-d2).max(1, keepdim=True).values
    d2 = (d2 + nearest).fill_diagonal_(0)  # the softmax does not mind, and exp never underflows for all
    centre = d2.sum(1, keepdim=True).div(len(x) - 1).clamp_min(torch.finfo(x.dtype).tiny).log()
    low, high = -centre - 30, -centre + 30  # of log beta
    for _ in range(200):
        middle = (low + high) / 2
        log_c = without_self(-middle.exp() * d2).log_softmax(1)
        row_entropy = -torch.where(log_c.isfinite(), log_c.exp() * log_c, 0).sum(1, keepdim=True)
        wide = row_entropy > math.log(perplexity)
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
        if bool((row_entropy - math.log(perplexity)).abs().max() < tolerance):
            break
    return log_c.exp()


def records(c: Tensor, normaliser: Normaliser = "row") -> Tensor:
    r"""The joint law of the invented records: :math:`c(j\mid i)/N`, every point equally popular, or its symmetric part for ``"all"``.

    Args:
        c: rows that sum to one, (N, N).
        normaliser: ``"row"`` (SNE) or ``"all"`` (t-SNE).
    """
    return c / len(c) if _known(normaliser) == "row" else (c + c.T) / (2 * len(c))


# --8<-- [end:records]


def _known(normaliser: Normaliser) -> Normaliser:
    if normaliser not in ("row", "all"):
        raise ValueError(f"normaliser must be 'row' or 'all', got {normaliser!r}")
    return normaliser


# --8<-- [start:maps]
def log_kernel(d2: Tensor, alpha: float) -> Tensor:
    r"""Logarithm of the kernel, :math:`-\alpha\log(1+d^2/\alpha)`; :math:`-d^2` for infinite alpha.

    Source: Yang et al. (2009); Kobak et al. (2020). Student's law of nu degrees of freedom has alpha = (nu + 1)/2.

    >>> log_kernel(torch.tensor([1.0]), math.inf), log_kernel(torch.tensor([1.0]), 1.0).exp()
    (tensor([-1.]), tensor([0.5000]))
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be above 0, got {alpha!r}")
    return -d2 if math.isinf(alpha) else -alpha * torch.log1p(d2 / alpha)


def map_entropy(joint: Tensor, z: Tensor, *, alpha: float = math.inf, normaliser: Normaliser = "row") -> Tensor:
    r"""The cost of a map, :math:`-\sum p_{ij}\log q`, with :math:`q(j\mid i)` over each row or :math:`q_{ij}` over all pairs.

    Args:
        joint: law of the pairs, (N, N), diagonal 0.
        z: the map, (N, m).
        alpha: of the kernel.
        normaliser: ``"row"`` or ``"all"``.
    """
    logits = without_self(log_kernel(squared_distances(z), alpha))
    if _known(normaliser) == "row":
        return entropy(joint, logits)
    log_q = logits - logits.flatten().logsumexp(0)
    return -torch.where(joint > 0, joint * log_q, 0).sum()


def map_gradient(joint: Tensor, z: Tensor, *, alpha: float = math.inf, normaliser: Normaliser = "row") -> Tensor:
    r"""Gradient of :func:`map_entropy`, :math:`2\sum_j(W_{ij}+W_{ji})\,u_{ij}\,(z_i-z_j)`, shape (N, m).

    W is the observed minus the predicted share of the pair, :math:`u_{ij}=(1+d_{ij}^2/\alpha)^{-1}` how much of a spring a heavy tail
    leaves. For alpha = 1 and all pairs it is t-SNE's :math:`4\sum_j(p_{ij}-q_{ij})(z_i-z_j)(1+d_{ij}^2)^{-1}`.
    """
    d2 = squared_distances(z)
    logits = without_self(log_kernel(d2, alpha))
    row = _known(normaliser) == "row"
    q = logits.softmax(1) * joint.sum(1, keepdim=True) if row else logits.flatten().softmax(0).view_as(logits)
    springs = (joint - q + (joint - q).T) / (1 + d2 / alpha)
    return 2 * (springs.sum(1, keepdim=True) * z - springs @ z)


# --8<-- [end:maps]


def principal_plane(x: Tensor, m: int = 2) -> Tensor:
    """Coordinates of `x` (N, n) along its m directions of largest variance, (N, m), each signed so that its largest entry is positive."""
    centred = x - x.mean(0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    z: Tensor = centred @ directions[:m].T
    return z * z.gather(0, z.abs().argmax(0, keepdim=True)).sign()


def draw_map(
    joint: Tensor,
    start: Tensor,
    *,
    alpha: float = math.inf,
    normaliser: Normaliser = "row",
    steps: int = 500,
    rate: float = 0.1,
) -> Tensor:
    """Descend :func:`map_entropy` from `start` by Adam whose rate falls along a half cosine to nothing.

    Args:
        joint: law of the pairs, (N, N).
        start: first map, (N, m); small, so that points can still pass each other.
        alpha: of the kernel.
        normaliser: ``"row"`` or ``"all"``.
        steps: of Adam.
        rate: first learning rate, in units of the map.

    Returns:
        The map, (N, m).
    """
    z = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([z], lr=rate, betas=(0.8, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda t: 0.5 * (1 + math.cos(math.pi * t / steps)))
    for _ in range(steps):
        with torch.no_grad():
            z.grad = map_gradient(joint, z, alpha=alpha, normaliser=normaliser)
        optimiser.step()
        schedule.step()
    return z.detach()


def same_class(z: Tensor, labels: Tensor) -> float:
    """Share of points whose nearest neighbour on the map has their own label (leave-one-out 1-NN accuracy)."""
    nearest = without_self(-squared_distances(z)).argmax(1)
    return float((labels[nearest] == labels).double().mean())
