"""How far generated pictures are from real ones: Fréchet distance, kernel distance, precision and recall, density and coverage.

All functions but :func:`image_scores` are pure functions of two tables of features, one row a picture. They compute in double
precision on the device of their input, in blocks of rows, so that memory stays bounded.

>>> import torch
>>> draw = torch.Generator().manual_seed(0)
>>> real, fake = torch.randn(500, 8, generator=draw), 1 + torch.randn(500, 8, generator=draw)
>>> 8 < frechet_distance(real, fake) < 8.5  # eight coordinates shifted by one, and a little for the finite samples
True
>>> value, standard_error = kid(real, fake)
>>> value > 10 * standard_error
True
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kexue.generative.feature_tables import ROWS, alike, checked, pair
from kexue.generative.neighbours import density_coverage, precision_recall

__all__ = [
    "Statistics",
    "cubic_kernel",
    "density_coverage",
    "fit_statistics",
    "frechet_distance",
    "image_scores",
    "kid",
    "precision_recall",
]


# --8<-- [start:frechet]
@dataclass(frozen=True)
class Statistics:
    """What the Fréchet distance looks at.

    Attributes:
        count: number of pictures n.
        mean: their mean feature, ``(d,)``.
        covariance: with divisor n − 1, ``(d, d)``.
    """

    count: int
    mean: Tensor
    covariance: Tensor


def fit_statistics(features: Tensor) -> Statistics:
    """Mean and covariance of features.

    Args:
        features: ``(n, d)``, n at least 2.

    Raises:
        ValueError: not two-dimensional, fewer than two rows, or not finite.
    """
    x = checked(features, "features")
    mean = x.mean(0)
    scatter = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype, device=x.device)
    for rows in torch.split(x, ROWS):
        centred = rows - mean
        scatter += centred.T @ centred
    return Statistics(len(x), mean, scatter / (len(x) - 1))


def frechet_distance(x_features: Tensor | Statistics, y_features: Tensor | Statistics) -> float:
    r"""Squared 2-Wasserstein distance of the normal laws with the samples' means and covariances.

    .. math::

       \lVert \mu_x - \mu_y \rVert^2 + \operatorname{tr}\bigl(\Sigma_x + \Sigma_y - 2 (\Sigma_x \Sigma_y)^{1/2}\bigr).

    With :math:`\Sigma = A A^\top` the trace of the root is the nuclear norm of :math:`A_x^\top A_y`, which needs no root of a
    matrix that is not symmetric, and loses no digits where a covariance is singular. The estimate is biased upwards, about in
    proportion to 1/n: compare only values of samples of equal size.

    Args:
        x_features: ``(n, d)``, or statistics kept from :func:`fit_statistics`.
        y_features: ``(m, d)``, or statistics.

    Returns:
        The distance, at least 0.

    Raises:
        ValueError: see :func:`fit_statistics`; or widths or devices that differ.

    Source: Dowson and Landau (1982), "The Fréchet distance between multivariate normal distributions"; Heusel et al. (2017),
    "GANs trained by a two time-scale update rule converge to a local Nash equilibrium".
    """
    x = x_features if isinstance(x_features, Statistics) else fit_statistics(x_features)
    y = y_features if isinstance(y_features, Statistics) else fit_statistics(y_features)
    alike(x.mean, y.mean)
    root = torch.linalg.svdvals(_factor(x.covariance).T @ _factor(y.covariance)).sum()
    spread = x.covariance.trace() + y.covariance.trace() - 2 * root
    return max(0.0, float((x.mean - y.mean).square().sum() + spread))


# --8<-- [end:frechet]


def _factor(covariance: Tensor) -> Tensor:
    """A matrix A with A Aᵀ the covariance; directions that hold nothing but rounding are set to nought."""
    values, vectors = torch.linalg.eigh(covariance)
    floor = len(values) * torch.finfo(values.dtype).eps * values[-1].clamp(min=0)
    factor: Tensor = vectors * torch.where(values > floor, values, 0).sqrt()
    return factor


# --8<-- [start:kid]
def kid(
    x_features: Tensor, y_features: Tensor, *, block: int | None = None, generator: torch.Generator | None = None
) -> tuple[float, float]:
    r"""Kernel distance: the unbiased estimate of the squared maximum mean discrepancy for the cubic kernel, with standard error.

    .. math::

       \widehat{\mathrm{MMD}}{}^2 = \frac{1}{n(n-1)} \sum_{i \ne j} k(x_i, x_j) + \frac{1}{m(m-1)} \sum_{i \ne j} k(y_i, y_j)
       - \frac{2}{nm} \sum_{i, j} k(x_i, y_j), \qquad k(a, b) = \Bigl(\frac{a \cdot b}{d} + 1\Bigr)^3.

    Its mean is 0 for equal laws at every sample size, so it may well be negative. Without `block` all pairs are used and the
    standard error is the jackknife's, which is on average not too small (Efron and Stein) and for equal laws about 1.4 times too
    large. With `block` the rows are shuffled and cut into blocks of that many; the value is the mean of the blocks' estimates
    and the standard error that of a mean of independent numbers: right under every law, at the price of a larger scatter.

    Args:
        x_features: ``(n, d)``.
        y_features: ``(m, d)``.
        block: rows in a block, at least 2, at most half of each sample; None for all pairs. Rows that fill no block of both
            samples are left out.
        generator: source of the shuffle, on the CPU or the features' device; the rows are taken as they stand without one.

    Returns:
        Value and standard error.

    Raises:
        ValueError: fewer than three rows (the jackknife leaves one out), features that are not finite, widths that differ, or
            a block of the wrong size.

    Source: Gretton et al. (2012), "A kernel two-sample test"; Bińkowski et al. (2018), "Demystifying MMD GANs", arXiv:1801.01401.
    """
    x, y = pair(x_features, y_features, at_least=3 if block is None else 4)
    if block is None:
        return _all_pairs(x, y)
    least = min(len(x), len(y))
    if not 2 <= block <= least // 2:
        raise ValueError(f"a block must have between 2 and {least // 2} rows, half of the smaller sample, got {block}")
    if generator is not None:
        x, y = x[_shuffled(len(x), generator, x.device)], y[_shuffled(len(y), generator, y.device)]
    parts = [_unbiased(a, b) for a, b in zip(torch.split(x, block), torch.split(y, block), strict=False) if len(a) == len(b) == block]
    values = torch.tensor(parts, dtype=torch.float64)
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def cubic_kernel(a: Tensor, b: Tensor) -> Tensor:
    """The kernel (a·b/d + 1)³ of each row of ``(n, d)`` with each row of ``(m, d)``: ``(n, m)``."""
    return (a @ b.T / a.shape[1] + 1).pow(3)


def _unbiased(x: Tensor, y: Tensor) -> float:
    """The estimate from all pairs of two equally large blocks."""
    n = len(x)
    xx, yy = cubic_kernel(x, x), cubic_kernel(y, y)
    within = (xx.sum() - xx.diagonal().sum() + yy.sum() - yy.diagonal().sum()) / (n * (n - 1))
    return float(within - 2 * cubic_kernel(x, y).mean())


# --8<-- [end:kid]


def _all_pairs(x: Tensor, y: Tensor) -> tuple[float, float]:
    """The estimate from all pairs and its jackknife, both from the kernel's row sums."""
    n, m = len(x), len(y)
    xx, yy = _row_sums(x, x) - _own(x), _row_sums(y, y) - _own(y)
    xy, yx = _row_sums(x, y), _row_sums(y, x)
    total_x, total_y, cross = xx.sum() / (n * (n - 1)), yy.sum() / (m * (m - 1)), xy.sum() / (n * m)
    without_x = (xx.sum() - 2 * xx) / ((n - 1) * (n - 2)) + total_y - 2 * (xy.sum() - xy) / ((n - 1) * m)
    without_y = total_x + (yy.sum() - 2 * yy) / ((m - 1) * (m - 2)) - 2 * (xy.sum() - yx) / (n * (m - 1))
    variance = sum((len(w) - 1) * w.var(correction=0) for w in (without_x, without_y))
    return float(total_x + total_y - 2 * cross), math.sqrt(float(variance))


def _row_sums(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([cubic_kernel(rows, y).sum(1) for rows in torch.split(x, ROWS)])


def _own(x: Tensor) -> Tensor:
    return (x.square().sum(1) / x.shape[1] + 1).pow(3)


def image_scores(real_images: Tensor, fake_images: Tensor, *, data_set: str, generator: torch.Generator) -> dict[str, float]:
    """All scores of generated pictures, in the features that suit the data set.

    The larger sample is cut down to the size of the smaller one by a random choice: the Fréchet distance, precision and recall
    depend on the sizes. Precision, recall, density and coverage compare within at most 5000 rows.

    Args:
        real_images: bytes, or numbers in [0, 1]; ``(n, 28, 28)`` or ``(n, 3, H, W)``.
        fake_images: the same, ``(m, …)``.
        data_set: the data set that the real ones are of; see :func:`kexue.generative.features.image_features`.
        generator: source of the choice.

    Returns:
        ``kid``, ``kid_se``, ``frechet``, ``precision``, ``recall``, ``density``, ``coverage``, and ``count``, the size of both samples.

    Raises:
        ValueError: fewer than six pictures, or pictures of the wrong shape, type or range.
    """
    from kexue.generative.features import image_features

    count = min(len(real_images), len(fake_images))
    if count < 6:
        raise ValueError(f"scores need at least six pictures of each kind, got {len(real_images)} real and {len(fake_images)} generated")
    real, fake = (
        image_features(images[_shuffled(len(images), generator, images.device)[:count]], data_set=data_set)
        for images in (real_images, fake_images)
    )
    fake = fake.to(real.device)
    value, error = kid(real, fake)
    precision, recall = precision_recall(real[:5000], fake[:5000])
    density, coverage = density_coverage(real[:5000], fake[:5000])
    found = {"kid": value, "kid_se": error, "frechet": frechet_distance(real, fake), "precision": precision, "recall": recall}
    return found | {"density": density, "coverage": coverage, "count": float(count)}


def _shuffled(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    return torch.randperm(count, generator=generator, device=generator.device).to(device)
