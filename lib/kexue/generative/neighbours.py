"""Scores by nearest neighbours: precision and recall, density and coverage.

They tell two faults apart that a single distance mixes: pictures unlike any real one, and real pictures unlike any that is made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kexue.generative.feature_tables import ROWS, pair


# --8<-- [start:neighbours]
def precision_recall(real: Tensor, fake: Tensor, *, k: int = 3) -> tuple[float, float]:
    """Share of the fakes that lie among the real ones, and share of the real ones that lie among the fakes.

    A sample's ground is the union of balls about its points, each reaching to the point's k-th nearest neighbour in the same
    sample. Precision is the share of fakes on the ground of the real ones, recall the share of the real ones on the ground of
    the fakes. For equal laws both are well below 1; what they are depends on the size of the samples, the dimension and k.

    Args:
        real: features ``(n, d)``, n > k.
        fake: features ``(m, d)``, m > k.
        k: which neighbour sets a ball's radius.

    Returns:
        Precision and recall, each in [0, 1].

    Raises:
        ValueError: k below 1, samples of k points or fewer, features that are not finite, or widths that differ.

    Source: Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing generative models", arXiv:1904.06991.
    """
    real, fake = pair(real, fake, at_least=_neighbours(k) + 1)
    inside_real, _ = _hits(fake, real, _radii(real, k))
    inside_fake, _ = _hits(real, fake, _radii(fake, k))
    return float((inside_real > 0).double().mean()), float((inside_fake > 0).double().mean())


def density_coverage(real: Tensor, fake: Tensor, *, k: int = 5) -> tuple[float, float]:
    """Balls of real points that a fake lies in, over k, on average; and the share of real points whose ball holds a fake.

    Both use the balls of the real sample alone, so that one far-off fake spoils neither. For equal laws the density has mean
    near 1, and the coverage is near :math:`1 - 2^{-k}` for samples of equal size.

    Args:
        real: features ``(n, d)``, n > k.
        fake: features ``(m, d)``, m > k.
        k: which neighbour sets a ball's radius.

    Returns:
        Density, at least 0, and coverage in [0, 1].

    Raises:
        ValueError: see :func:`precision_recall`.

    Source: Naeem et al. (2020), "Reliable fidelity and diversity metrics for generative models", arXiv:2002.09797.
    """
    real, fake = pair(real, fake, at_least=_neighbours(k) + 1)
    balls_of_fake, fakes_in_ball = _hits(fake, real, _radii(real, k))
    return float(balls_of_fake.double().mean()) / k, float((fakes_in_ball > 0).double().mean())


def _radii(points: Tensor, k: int) -> Tensor:
    """Distance of each point to its k-th nearest neighbour among the others."""
    radii = []
    for start in range(0, len(points), ROWS):
        distance = _distance(points[start : start + ROWS], points)
        distance.diagonal(start).fill_(torch.inf)  # a point is no neighbour of its own; its copies are
        radii.append(distance.kthvalue(k, dim=1).values)
    return torch.cat(radii)


def _hits(points: Tensor, centres: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """How many balls each point lies in, and how many points each ball holds."""
    blocks = [_distance(rows, centres) <= radii for rows in torch.split(points, ROWS)]
    return torch.cat([b.sum(1) for b in blocks]), sum((b.sum(0) for b in blocks), torch.zeros_like(radii, dtype=torch.long))


def _distance(a: Tensor, b: Tensor) -> Tensor:
    # Not by way of a matrix product, whose rounding would put copies of a point at a distance from it.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


# --8<-- [end:neighbours]


def _neighbours(k: int) -> int:
    if k < 1:
        raise ValueError(f"k must be at least 1, the nearest neighbour, got {k}")
    return k
