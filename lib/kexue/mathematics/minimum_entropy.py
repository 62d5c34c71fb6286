"""Minimum entropy: the cost of arranging N things so that what is wanted together lies together.

The records of a library, a corpus or a table of distances are one joint law ``P`` of shape (N, N): ``P[i, j]`` is the share of visits that
took item i and then item j. Each item gets a vector, ``V`` of shape (N, n), and the vectors predict the second item from the first by
:math:`q(j\\mid i)=\\softmax_j(s_{ij})`. The mean number of nats that this prediction costs is the entropy S, and it can never fall below
:math:`H(J\\mid I)`. Shelves are arranged in :mod:`kexue.mathematics.minimum_entropy_shelves`, maps are drawn in
:mod:`kexue.mathematics.minimum_entropy_maps`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "check_joint",
    "conditional",
    "conditional_entropy",
    "distance_gradient",
    "distance_logits",
    "dot_gradient",
    "dot_logits",
    "entropy",
    "excess",
    "fit",
    "mutual_information",
    "pmi",
    "pull",
    "sgns_loss",
    "sgns_optimum",
    "without_self",
]

Model = Literal["dot", "distance"]


# --------------------------------------------------------------------------------------------------------------- checks at the door
def check_joint(joint: Tensor, *, tolerance: float = 1e-6) -> Tensor:
    """Return `joint` if it is a joint law ``(N, N)``: shares that are not negative, sum to one, and leave no item without visits.

    Raises:
        ValueError: naming what was wrong and what was expected.
    """
    if not isinstance(joint, Tensor) or not joint.is_floating_point():
        kind = str(joint.dtype) if isinstance(joint, Tensor) else type(joint).__name__
        raise ValueError(f"joint must be a floating-point tensor of shape (N, N), got {kind}")
    if joint.ndim != 2 or joint.shape[0] != joint.shape[1] or joint.shape[0] < 2:
        raise ValueError(f"joint must have shape (N, N) with at least N = 2 items, got shape {tuple(joint.shape)}")
    if not bool((joint >= 0).all()):
        raise ValueError("joint must hold shares of at least 0, got a negative number or a NaN")
    miss = abs(joint.sum().item() - 1)
    if not miss <= tolerance:
        raise ValueError(f"joint must sum to 1, its sum misses it by {miss:.4g}; divide counts by their total")
    if not bool((joint.sum(1) > 0).all()):
        raise ValueError(f"every item must be taken first at least once, item {int(joint.sum(1).argmin())} never is")
    return joint


def _check_logits(joint: Tensor, logits: Tensor) -> Tensor:
    if check_joint(joint).shape != logits.shape:
        raise ValueError(f"logits must have the shape of the joint law {tuple(joint.shape)}, got {tuple(logits.shape)}")
    return logits


def _check_vectors(vectors: Tensor) -> Tensor:
    if vectors.ndim != 2:
        raise ValueError(f"vectors must have shape (N, n), got shape {tuple(vectors.shape)}")
    return vectors


# ----------------------------------------------------------------------------------------------------------- what the records allow
# --8<-- [start:floor]
def conditional(joint: Tensor) -> Tensor:
    """The law of the second item given the first, ``c(j | i) = P[i, j] / p(i)``, shape (N, N)."""
    return check_joint(joint) / joint.sum(1, keepdim=True)


def conditional_entropy(joint: Tensor) -> Tensor:
    r"""The floor :math:`H(J\mid I)=-\sum_{ij}p(i,j)\log c(j\mid i)` in nats: no arrangement costs less.

    >>> conditional_entropy(torch.full((4, 4), 1 / 16, dtype=torch.float64)).exp()
    tensor(4., dtype=torch.float64)
    """
    surprise: Tensor = -torch.special.xlogy(joint, conditional(joint))  # (N, N)
    return surprise.sum()


# --8<-- [end:floor]


def mutual_information(joint: Tensor) -> Tensor:
    r"""What the first item tells about the second, :math:`I(I;J)=H(J)-H(J\mid I)\ge0`, in nats."""
    second = check_joint(joint).sum(0)
    surprise: Tensor = -torch.special.xlogy(second, second)  # (N,)
    return surprise.sum() - conditional_entropy(joint)


def pmi(joint: Tensor) -> Tensor:
    r"""Pointwise mutual information :math:`\log\frac{p(i,j)}{p(i)\,p(j)}`, shape (N, N); minus infinity where a pair never occurred.

    Raises:
        ValueError: if some item is never taken second, for which the ratio is 0/0.
    """
    first, second = check_joint(joint).sum(1), joint.sum(0)
    if not bool((second > 0).all()):
        raise ValueError(f"every item must be taken second at least once, item {int(second.argmin())} never is")
    return joint.log() - first.log()[:, None] - second.log()


# ------------------------------------------------------------------------------------------------------------ what vectors predict
# --8<-- [start:logits]
def dot_logits(vectors: Tensor, contexts: Tensor | None = None) -> Tensor:
    r"""Inner products :math:`s_{ij}=\langle v_i,w_j\rangle`, shape (N, N); tied, :math:`w=v`, without `contexts`."""
    return _check_vectors(vectors) @ (vectors if contexts is None else contexts).T


def distance_logits(vectors: Tensor, contexts: Tensor | None = None) -> Tensor:
    r"""Minus squared distances :math:`s_{ij}=-\|v_i-w_j\|^2`, shape (N, N); tied, :math:`w=v`, without `contexts`."""
    w = vectors if contexts is None else contexts
    return 2 * dot_logits(vectors, w) - vectors.square().sum(1)[:, None] - w.square().sum(1)


def without_self(logits: Tensor) -> Tensor:
    """The same logits with minus infinity on the diagonal: nobody borrows a book twice in one visit."""
    return logits.masked_fill(torch.eye(len(logits), dtype=torch.bool, device=logits.device), -math.inf)


# --8<-- [end:logits]


# --8<-- [start:entropy]
def entropy(joint: Tensor, logits: Tensor) -> Tensor:
    r"""The cost of an arrangement in nats a visit, :math:`S=-\sum_{ij}p(i,j)\log q(j\mid i)` with :math:`q=\softmax_j(s_{ij})`.

    Args:
        joint: the law of the pairs, (N, N).
        logits: the scores s, (N, N); minus infinity forbids a pair, whose share must then be 0.

    Returns:
        A number of at least :func:`conditional_entropy`; ``log N`` where all logits are equal.

    >>> entropy(torch.eye(4, dtype=torch.float64) / 4, torch.zeros(4, 4)).exp()
    tensor(4.0000, dtype=torch.float64)
    """
    log_q = _check_logits(joint, logits).log_softmax(1)
    return -torch.where(joint > 0, joint * log_q, 0).sum()


def excess(joint: Tensor, logits: Tensor) -> Tensor:
    r"""Where the cost above the floor comes from: :math:`p(i)\,\mathrm{KL}(c(\cdot\mid i)\,\|\,q(\cdot\mid i))` for each item, shape (N,).

    The sum is :math:`S-H(J\mid I)`.
    """
    log_q = _check_logits(joint, logits).log_softmax(1)
    return torch.where(joint > 0, joint * (conditional(joint).log() - log_q), 0).sum(1)


# --8<-- [end:entropy]


# ----------------------------------------------------------------------------------------------------------------------- gradients
# --8<-- [start:gradients]
def pull(joint: Tensor, logits: Tensor) -> Tensor:
    r"""Predicted minus observed share of each pair, :math:`M_{ij}=p(i)\,q(j\mid i)-p(i,j)=\partial S/\partial s_{ij}`, shape (N, N)."""
    return joint.sum(1, keepdim=True) * _check_logits(joint, logits).softmax(1) - joint


def dot_gradient(joint: Tensor, vectors: Tensor) -> Tensor:
    r"""Gradient of S for tied inner products, :math:`\sum_j(M_{ij}+M_{ji})\,v_j`, shape (N, n)."""
    m = pull(joint, dot_logits(vectors))
    return (m + m.T) @ vectors


def distance_gradient(joint: Tensor, vectors: Tensor) -> Tensor:
    r"""Gradient of S for distances, :math:`2\sum_j(W_{ij}+W_{ji})(v_i-v_j)` with :math:`W=-M`, shape (N, n).

    A spring a pair: it pulls where the pair is seen more often than predicted, and pushes where it is seen less often.
    """
    m = pull(joint, distance_logits(vectors))
    springs = -(m + m.T)
    return 2 * (springs.sum(1, keepdim=True) * vectors - springs @ vectors)


# --8<-- [end:gradients]


def fit(
    joint: Tensor,
    n: int,
    *,
    model: Model = "dot",
    tied: bool = True,
    self_pairs: bool = True,
    starts: int = 1,
    steps: int = 200,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor, float]:
    """Vectors of least entropy, by L-BFGS from random starts of which the best is kept.

    Args:
        joint: the law of the pairs, (N, N); its dtype is that of the vectors.
        n: dimension of the vectors.
        model: ``"dot"`` or ``"distance"``.
        tied: one vector an item; untied, a second one as context.
        self_pairs: may an item follow itself? If not, the diagonal is left out of the softmax.
        starts: number of random starts.
        steps: iterations of L-BFGS from each.
        generator: source of the starts.

    Returns:
        ``vectors`` (N, n), ``contexts`` (N, n), which are the vectors again if tied, and S in nats.

    Raises:
        ValueError: an unknown model, a dimension or number of starts below one.
    """
    if model not in ("dot", "distance"):
        raise ValueError(f"model must be 'dot' or 'distance', got {model!r}")
    if n < 1 or starts < 1:
        raise ValueError(f"n and starts must be at least 1, got n = {n}, starts = {starts}")
    score = dot_logits if model == "dot" else distance_logits
    best: tuple[Tensor, Tensor, float] | None = None
    for _ in range(starts):
        draws = torch.randn(1 if tied else 2, len(check_joint(joint)), n, dtype=joint.dtype, generator=generator)
        leaf = (0.3 * draws).requires_grad_()

        def cost(leaf: Tensor = leaf) -> Tensor:
            logits = score(leaf[0], leaf[-1])
            return entropy(joint, logits if self_pairs else without_self(logits))

        _descend(leaf, cost, steps)
        with torch.no_grad():
            value = cost().item()
        if best is None or value < best[2]:
            vectors = leaf.detach()
            best = (vectors[0], vectors[-1], value)
    assert best is not None  # at least one start
    return best


def _descend(leaf: Tensor, cost: object, steps: int) -> None:
    """L-BFGS with a strong Wolfe search from `leaf`, in place."""
    assert callable(cost)
    optimiser = torch.optim.LBFGS(
        [leaf], lr=1.0, max_iter=steps, history_size=20, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value: Tensor = cost()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]


# ------------------------------------------------------------------------------------------------------------- negative sampling
# --8<-- [start:sgns]
def sgns_loss(counts: Tensor, logits: Tensor, *, negatives: float, noise: Tensor | None = None) -> Tensor:
    r"""Skip-gram with k negative samples, all pairs at once:
    :math:`-\sum_{ij}\bigl[\#(i,j)\log\sigma(s_{ij})+k\,\#(i)\,p_n(j)\log\sigma(-s_{ij})\bigr]/\sum\#`.

    Args:
        counts: how often each pair was seen, (N, N); shares do as well.
        logits: the scores s, (N, N).
        negatives: the number k of noise pairs for each pair seen, above 0.
        noise: the law :math:`p_n(j)` of the noise, (N,); by default the share of j among the second items.

    Returns:
        The mean loss of a pair and its k negatives. Source: Mikolov et al. (2013, arXiv:1310.4546).

    Raises:
        ValueError: if `negatives` is not above 0.
    """
    weight = _noise_weight(counts, negatives, noise)
    seen = torch.where(counts > 0, counts * functional.logsigmoid(logits), 0)
    return -(seen + weight * functional.logsigmoid(-logits)).sum() / counts.sum()


def sgns_optimum(counts: Tensor, *, negatives: float, noise: Tensor | None = None) -> Tensor:
    r"""The logits at which :func:`sgns_loss` is least: :math:`\log\frac{\#(i,j)}{k\,\#(i)\,p_n(j)}`, which is PMI minus log k.

    Source: Levy and Goldberg (2014).
    """
    return counts.log() - _noise_weight(counts, negatives, noise).log()


# --8<-- [end:sgns]


def _noise_weight(counts: Tensor, negatives: float, noise: Tensor | None) -> Tensor:
    """Expected number of noise pairs ``k #(i) p_n(j)``, (N, N)."""
    if not negatives > 0:
        raise ValueError(f"negatives must be above 0, got {negatives!r}")
    law = counts.sum(0) / counts.sum() if noise is None else noise
    return negatives * counts.sum(1, keepdim=True) * law
