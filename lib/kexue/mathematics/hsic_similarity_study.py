"""Two cautions about CKA, measured: what too few pictures add to it, and what a few moved points take from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kexue.mathematics.hsic import check_sample, median_bandwidth
from kexue.mathematics.hsic_similarity import cka_by_chance, cka_map, layer_grams, moved_far

__all__ = ["ChanceRow", "Moved", "chance_study", "move", "moved_study", "unseen"]


@dataclass(frozen=True)
class ChanceRow:
    """CKA of a layer and its twin on n pictures, in the mean over several draws of the pictures.

    Attributes:
        n: number of pictures.
        paired_biased: both layers see the same pictures.
        paired_unbiased: the same with unbiased estimates.
        unpaired_biased: each layer sees the pictures in an order of its own, so that they share nothing.
        unpaired_unbiased: the same with unbiased estimates.
        chance: the expected value of ``unpaired_biased``.
    """

    n: int
    paired_biased: float
    paired_unbiased: float
    unpaired_biased: float
    unpaired_unbiased: float
    chance: float


# --8<-- [start:chance]
def chance_study(first: Tensor, second: Tensor, counts: Sequence[int], *, repeats: int, generator: torch.Generator) -> list[ChanceRow]:
    """CKA of two layers ``(N, …)`` on the same N pictures, on n of them at a time, paired and unpaired; linear kernels.

    Args:
        first: a layer.
        second: a layer of another net.
        counts: numbers of pictures, 4 … N.
        repeats: draws for each.
        generator: of the draws.
    """
    k, l = layer_grams([first, second])  # noqa: E741
    return [_chance_row(k, l, n, repeats, generator) for n in counts]


# --8<-- [end:chance]


def _chance_row(k: Tensor, l: Tensor, n: int, repeats: int, generator: torch.Generator) -> ChanceRow:  # noqa: E741
    found = []
    for _ in range(repeats):
        rows, others = torch.randperm(len(k), generator=generator)[:n], torch.randperm(n, generator=generator)
        a, b = k[rows][:, rows], l[rows][:, rows]
        pairs = torch.stack([b, b[others][:, others]])
        values = [cka_map(a[None], pairs, unbiased=unbiased)[0] for unbiased in (False, True)]
        found.append(torch.cat([torch.stack(values, 1).flatten(), cka_by_chance(a, b)[None]]))
    return ChanceRow(n, *torch.stack(found).mean(0).tolist())


@dataclass(frozen=True)
class Moved:
    """CKA of features with the same features after some points were moved.

    Attributes:
        kernel: ``linear`` or ``gaussian``.
        count: how many points were moved.
        distance: how far, in median distances between points.
        cka: at each distance.
        limit: at infinity, where it is known.
    """

    kernel: str
    count: int
    distance: tuple[float, ...]
    cka: tuple[float, ...]
    limit: float | None


# --8<-- [start:moved]
def unseen(readout: Tensor) -> Tensor:
    """A direction of unit length ``(d,)`` in feature space that a linear readout ``(classes, d)`` with more features than classes ignores.

    Raises:
        ValueError: if the readout sees every direction.
    """
    classes, d = readout.shape
    if d <= classes:
        raise ValueError(f"a readout of {d} features for {classes} classes need not ignore any direction")
    directions: Tensor = torch.linalg.svd(readout.double()).Vh
    return directions[-1]


def move(features: Tensor, chosen: Tensor, along: Tensor, distance: float) -> Tensor:
    """The features ``(n, d)`` with the chosen points ``(n,)`` moved along a direction of unit length ``(d,)`` by a distance."""
    return features + distance * chosen.to(features.dtype)[:, None] * along


# --8<-- [end:moved]


def moved_study(features: Tensor, readout: Tensor, counts: Sequence[int], distances: Sequence[float]) -> list[Moved]:
    """CKA between features and themselves after the first few points were moved where the readout does not look.

    Args:
        features: ``(n, d)``.
        readout: ``(classes, d)``.
        counts: numbers of points that are moved.
        distances: in medians of the distances between two points.

    Returns:
        For each kernel, linear and Gaussian, and each count, the biased CKA by distance.
    """
    x, along = check_sample(features).double(), unseen(readout)
    unit, found = median_bandwidth(x), []
    for kernel in ("linear", "gaussian"):
        for count in counts:
            chosen = torch.arange(len(x)) < count
            grams = layer_grams([x, *(move(x, chosen, along, d * unit) for d in distances)], kernel)
            cka = cka_map(grams[:1], grams[1:], unbiased=False)[0]
            limit = moved_far(x, chosen).item() if kernel == "linear" else None
            found.append(Moved(kernel, count, tuple(distances), tuple(cka.tolist()), limit))
    return found
