r"""How alike are the layers of two networks? Centred kernel alignment of all pairs, what it is worth, and what it is measured against.

The Gram matrices of L layers on the same n pictures are one tensor ``(L, n, n)``. A *map* ``(L, M)`` holds the similarity of every layer
of one net to every layer of another. Both estimates of CKA are cosines between centred Gram matrices: of the doubly centred ones, or of
those centred so that the diagonal stays out of it, which makes numerator and denominator unbiased.
"""

# ruff: noqa: E741  (K and L are the chapter's names of the two Gram matrices)
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kexue.mathematics.hsic import centre, check_grams, check_sample, gram

__all__ = [
    "bases",
    "canonical_map",
    "cka_by_chance",
    "cka_map",
    "effective_dimension",
    "identified",
    "layer_grams",
    "moved_far",
    "regression_map",
    "u_centre",
]


def layer_grams(layers: Sequence[Tensor], kernel: str = "linear") -> Tensor:
    """Gram matrices ``(L, n, n)`` of layers ``(n, …)`` on the same n pictures, in double precision; a Gaussian takes the median bandwidth.

    Each is divided by its mean diagonal: a layer's scale says nothing about whom it resembles.
    """
    found = torch.stack([gram(z.flatten(1), kernel).double() for z in layers])
    return found / found.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]


# --8<-- [start:map]
def u_centre(k: Tensor) -> Tensor:
    r"""A Gram matrix ``(..., n, n)`` with a diagonal of zeros and rows that sum to zero (Székely, Rizzo 2014).

    Inner products of such matrices, over :math:`n(n-3)`, are the unbiased HSIC.
    """
    n = check_grams(k, k, 4)
    apart = ~torch.eye(n, dtype=torch.bool, device=k.device)
    hollow = k * apart
    rows = hollow.sum(-1, keepdim=True) / (n - 2)
    mean = hollow.sum((-2, -1), keepdim=True) / ((n - 1) * (n - 2))
    return (hollow - rows - rows.mT + mean) * apart


def cka_map(first: Tensor, second: Tensor, *, unbiased: bool = True) -> Tensor:
    r"""CKA of every layer of one net with every layer of another, ``(L, M)``: cosines of centred Gram matrices.

    Args:
        first: Gram matrices ``(L, n, n)`` of the first net's layers.
        second: those of the second, ``(M, n, n)``, on the same pictures in the same order.
        unbiased: put unbiased estimates above and below the line.
    """
    check_grams(first, second, 4)
    k, l = (torch.nn.functional.normalize((u_centre if unbiased else centre)(g).flatten(1), dim=1) for g in (first, second))
    return k @ l.T


# --8<-- [end:map]


# --8<-- [start:chance]
def effective_dimension(k: Tensor) -> Tensor:
    r"""How many directions carry a sample's variance, :math:`(\mathrm{tr}\,JKJ)^2/|JKJ|^2`, between 1 and n - 1; shape ``(...)``.

    It is d for d equal directions, and less if some are larger than others.

    >>> round(float(effective_dimension(torch.eye(5))), 4)
    4.0
    """
    c = centre(k)
    return c.diagonal(dim1=-2, dim2=-1).sum(-1) ** 2 / c.square().sum((-2, -1))


def cka_by_chance(k: Tensor, l: Tensor) -> Tensor:
    r"""The mean of the biased CKA over all n! ways to pair the two samples, exactly: :math:`\sqrt{d_Kd_L}/(n-1)`.

    So it is what two layers seem to share that have nothing to do with one another. `d` is the :func:`effective_dimension`.
    """
    return (effective_dimension(k) * effective_dimension(l)).sqrt() / (check_grams(k, l) - 1)


# --8<-- [end:chance]


# --8<-- [start:rivals]
def bases(grams: Tensor, share: float = 0.99) -> list[Tensor]:
    """For each of L layers an orthonormal basis ``(n, m)`` of its principal components, as many as carry this share of its variance.

    Args:
        grams: linear Gram matrices ``(L, n, n)``.
        share: 1 keeps all directions in which the layer varies at all.
    """
    found = []
    for matrix in centre(grams):
        values, vectors = torch.linalg.eigh(matrix)
        values, vectors = values.flip(0).clamp_min(0.0), vectors.flip(1)
        kept = values > 1e-10 * values[0]
        if share < 1:
            kept &= values.cumsum(0) - values < share * values.sum()
        found.append(vectors[:, kept])
    return found


def canonical_map(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Mean canonical correlation of all pairs of layers, ``(L, M)``, from their bases: SVCCA (Raghu et al. 2017)."""
    return torch.stack([torch.stack([torch.linalg.svdvals(u.T @ v).mean() for v in second]) for u in first])


def regression_map(grams: Tensor, others: Sequence[Tensor]) -> Tensor:
    """Share of a layer's variance that a linear regression on a layer of the other net explains, ``(L, M)``.

    Args:
        grams: linear Gram matrices ``(L, n, n)`` of the layers that are explained.
        others: bases of the layers that explain.
    """
    c = centre(grams)
    explained = torch.stack([torch.einsum("ia,lij,ja->l", v, c, v) for v in others], 1)  # (L, M)
    return explained / c.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None]


# --8<-- [end:rivals]


def identified(similarity: Tensor) -> float:
    """Share of layers whose most similar layer in the other net, of equal design, is the same layer; both ways, from a map ``(L, L)``.

    >>> identified(torch.tensor([[0.9, 0.1], [0.8, 0.5]]))
    0.75
    """
    if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
        raise ValueError(f"nets of equal design have a square map of similarities, got shape {tuple(similarity.shape)}")
    same = torch.arange(len(similarity), device=similarity.device)
    return float(torch.cat([similarity.argmax(0) == same, similarity.argmax(1) == same]).double().mean())


# --8<-- [start:moved]
def moved_far(x: Tensor, chosen: Tensor) -> Tensor:
    r"""The limit of linear CKA between a sample and the same sample with some of its points moved away, together and ever farther.

    Where the points go to does not matter: :math:`K` of the moved sample tends to a multiple of :math:`ss^\top`, where :math:`s` is the
    centred indicator of the points, so the limit is :math:`s^\top Ks/(|JKJ|\,|s|^2)` (Davari et al. 2023 have the same in other words).

    Args:
        x: sample ``(n, d)``.
        chosen: booleans ``(n,)``; some, not all.
    """
    x = check_sample(x)
    s = chosen.to(x.dtype) - chosen.to(x.dtype).mean()
    x = x - x.mean(0)
    limit: Tensor = (s @ x).square().sum() / (torch.linalg.matrix_norm(x.T @ x) * s.square().sum())
    return limit


# --8<-- [end:moved]
