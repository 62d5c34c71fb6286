"""HSIC: how far a joint law is from the product of its margins, measured on Gram matrices and without a density.

A *sample* ``x`` holds n observations, ``(n,)`` or ``(n, d)``. A *Gram matrix* ``K`` ``(..., n, n)`` holds the similarities
``k(x_i, x_j)``; leading axes are a batch. Every function is differentiable, follows the type and device of its input and draws
nothing. Tests with p-values are in :mod:`kexue.mathematics.hsic_independence`, versions for large n in
:mod:`kexue.mathematics.hsic_large`, closed forms in :mod:`kexue.mathematics.hsic_laws`.
"""

# ruff: noqa: E741  (K and L are the chapter's names of the two Gram matrices)
from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = [
    "KERNELS",
    "centre",
    "cka",
    "delta_gram",
    "distance_gram",
    "gaussian_gram",
    "gram",
    "hsic_biased",
    "hsic_unbiased",
    "laplace_gram",
    "linear_cka",
    "linear_gram",
    "median_bandwidth",
    "normalised_hsic",
    "squared_distances",
]


# --------------------------------------------------------------------------------------------------------------- checks at the door
def check_sample(x: Tensor, least: int = 2) -> Tensor:
    """Return a sample as ``(n, d)`` if it is a finite floating tensor ``(n,)`` or ``(n, d)`` with ``n >= least``.

    Raises:
        ValueError: naming what was wrong and what was expected.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"a sample must be a floating-point tensor of shape (n,) or (n, d), got {kind}")
    if x.ndim not in (1, 2) or x.shape[0] < least or x.numel() == 0:
        raise ValueError(f"a sample must have shape (n,) or (n, d) with n >= {least}, got shape {tuple(x.shape)}")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("a sample must be finite, got a NaN or an infinity")
    return x.unsqueeze(1) if x.ndim == 1 else x


def check_grams(k: Tensor, l: Tensor, least: int = 2) -> int:
    """Return n if both are Gram matrices ``(..., n, n)`` of the same n samples; raise ``ValueError`` if they are not."""
    for name, matrix in (("K", k), ("L", l)):
        if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
            raise ValueError(f"{name} must be a Gram matrix of shape (..., n, n), got shape {tuple(matrix.shape)}")
    n = k.shape[-1]
    if l.shape[-1] != n:
        raise ValueError(f"K and L must belong to the same n samples, got n = {n} and n = {l.shape[-1]}")
    if n < least:
        raise ValueError(f"this estimator needs n >= {least} samples, got n = {n}")
    return n


def check_bandwidth(bandwidth: float) -> float:
    """Return the bandwidth if it is a finite number above zero; raise ``ValueError`` if it is not."""
    value = float(bandwidth)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"the bandwidth must be a finite number above 0, got {bandwidth!r}")
    return value


# ------------------------------------------------------------------------------------------------------------------------- kernels
# --8<-- [start:kernels]
def squared_distances(x: Tensor, z: Tensor | None = None) -> Tensor:
    """Squared Euclidean distances ``|x_i - z_j|^2``, shape ``(n, m)``; of a sample to itself if `z` is absent."""
    own = z is None
    x = check_sample(x, 1)
    z = x if z is None else check_sample(z, 1)
    if x.shape[1] != z.shape[1]:
        raise ValueError(f"both samples must have the same dimension, got {x.shape[1]} and {z.shape[1]}")
    if x.shape[1] == 1:
        return (x - z.T) ** 2
    middle = z.mean(0).detach()  # distances do not feel a shift, but rounding does
    x, z = x - middle, z - middle
    square = (x * x).sum(1, keepdim=True) + (z * z).sum(1) - 2 * x @ z.T  # (n, m)
    square = square.clamp_min(0.0)
    return _hollow(square) if own else square


def gaussian_gram(x: Tensor, bandwidth: float, z: Tensor | None = None) -> Tensor:
    r"""The Gaussian kernel :math:`k(x,x')=\exp(-|x-x'|^2/2\sigma^2)` on all pairs, ``(n, m)``.

    Args:
        x: sample ``(n,)`` or ``(n, d)``.
        bandwidth: the standard deviation sigma, in the units of `x`.
        z: second sample ``(m,)`` or ``(m, d)``; `x` itself if absent.

    Raises:
        ValueError: for a bandwidth that is not above zero, or samples that are not finite or do not fit.

    >>> gaussian_gram(torch.tensor([0.0, 1.0]), 1.0)[0, 1]
    tensor(0.6065)
    """
    return torch.exp(squared_distances(x, z) / (-2 * check_bandwidth(bandwidth) ** 2))


def laplace_gram(x: Tensor, bandwidth: float, z: Tensor | None = None) -> Tensor:
    r"""The Laplace kernel :math:`k(x,x')=\exp(-|x-x'|/\sigma)`, also characteristic; arguments as in :func:`gaussian_gram`."""
    return torch.exp(_distances(x, z) / -check_bandwidth(bandwidth))


def linear_gram(x: Tensor, z: Tensor | None = None) -> Tensor:
    r"""The linear kernel :math:`k(x,x')=x^\top x'`: with it HSIC is the sum of all squared covariances, and no more."""
    x = check_sample(x, 1)
    return x @ (x if z is None else check_sample(z, 1)).T


def delta_gram(x: Tensor, z: Tensor | None = None) -> Tensor:
    r"""The kernel of categories, :math:`k(x,x')=[x=x']`, of labels coded as numbers."""
    x = check_sample(x, 1)
    z = x if z is None else check_sample(z, 1)
    same = torch.stack([a.unsqueeze(1) == b for a, b in zip(x.T, z.T, strict=True)])  # (d, n, m)
    return same.all(0).to(x.dtype)


def distance_gram(x: Tensor, z: Tensor | None = None) -> Tensor:
    r"""The kernel of Brownian motion, :math:`k(x,x')=\tfrac12(|x|+|x'|-|x-x'|)`: with it 4 HSIC is the squared distance covariance."""
    norms = torch.linalg.vector_norm(check_sample(x, 1), dim=1)
    others = norms if z is None else torch.linalg.vector_norm(check_sample(z, 1), dim=1)
    kernel: Tensor = 0.5 * (norms.unsqueeze(1) + others - _distances(x, z))
    return kernel


# --8<-- [end:kernels]


def _distances(x: Tensor, z: Tensor | None) -> Tensor:
    """Euclidean distances with derivative zero, not NaN, where two points coincide."""
    square = squared_distances(x, z)
    far = square > 0
    return torch.where(far, torch.where(far, square, 1.0).sqrt(), 0.0)


#: kernel by name; those in BANDWIDTH take one
KERNELS: dict[str, Callable[..., Tensor]] = {
    "gaussian": gaussian_gram,
    "laplace": laplace_gram,
    "linear": linear_gram,
    "distance": distance_gram,
    "delta": delta_gram,
}
BANDWIDTH = ("gaussian", "laplace")


def gram(x: Tensor, kernel: str = "gaussian", bandwidth: float | str = "median", z: Tensor | None = None) -> Tensor:
    """The Gram matrix of a kernel by name.

    Args:
        x: sample ``(n,)`` or ``(n, d)``.
        kernel: one of :data:`KERNELS`.
        bandwidth: a number, or ``"median"``; ignored by kernels that have none.
        z: second sample; `x` itself if absent.

    Raises:
        ValueError: for an unknown kernel or bandwidth.
    """
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}: expected one of {sorted(KERNELS)}")
    if kernel not in BANDWIDTH:
        return KERNELS[kernel](x, z=z)
    return KERNELS[kernel](x, resolve_bandwidth(x, bandwidth), z)


def resolve_bandwidth(x: Tensor, bandwidth: float | str) -> float:
    """The bandwidth as a number: the median heuristic on `x` where the word ``"median"`` stands."""
    if isinstance(bandwidth, str):
        if bandwidth != "median":
            raise ValueError(f"the bandwidth must be a number above 0 or 'median', got {bandwidth!r}")
        return median_bandwidth(x)
    return check_bandwidth(bandwidth)


def median_bandwidth(x: Tensor, *, most: int = 2000) -> float:
    """The median of the distances between different points of a sample, the usual first guess at a bandwidth.

    Args:
        x: sample ``(n,)`` or ``(n, d)``.
        most: of a larger sample only this many rows, evenly spaced, are compared, so that the cost stays bounded.

    Returns:
        The median over pairs i < j of the distances that are not zero; 1 if all points coincide.
    """
    x = check_sample(x).detach()
    n = x.shape[0]
    if n > most:
        x = x[torch.linspace(0, n - 1, most, device=x.device, dtype=torch.float64).round().long()]
    distances = torch.pdist(x)  # of every pair once
    distances = distances[distances > 0]
    if distances.numel() == 0:
        return 1.0
    low = distances.kthvalue((distances.numel() + 1) // 2).values
    above = distances[distances > low]
    # of an even number the two middle ones count, and they may be equal
    single = distances.numel() % 2 == 1 or 2 * above.numel() < distances.numel()
    return float(low) if single else (float(low) + float(above.min())) / 2


# ---------------------------------------------------------------------------------------------------------------------- estimators
# --8<-- [start:estimators]
def centre(k: Tensor) -> Tensor:
    r"""The doubly centred matrix :math:`JKJ`, :math:`J=I-\tfrac1n11^\top`: subtract row means and column means, add the mean.

    >>> centre(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[ 0.5000, -0.5000],
            [-0.5000,  0.5000]])
    """
    rows = k.mean(-1, keepdim=True)
    return k - rows - k.mean(-2, keepdim=True) + rows.mean(-2, keepdim=True)


def hsic_biased(k: Tensor, l: Tensor, *, ddof: int = 0) -> Tensor:
    r"""The V-statistic :math:`\mathrm{tr}(KJLJ)/(n-\mathrm{ddof})^2` (Gretton et al. 2005). Never negative for true kernels.

    Args:
        k: Gram matrix of x ``(..., n, n)``.
        l: Gram matrix of y ``(..., n, n)``.
        ddof: 0 for the plain mean; 1 for the normalisation of the 2005 paper. Neither is unbiased.

    Returns:
        Shape ``(...)``. One matrix is centred, none is multiplied: O(n^2).
    """
    n = check_grams(k, l)
    return (centre(k) * l).sum((-2, -1)) / (n - ddof) ** 2


def hsic_unbiased(k: Tensor, l: Tensor) -> Tensor:
    r"""The U-statistic of HSIC (Song et al. 2012): its mean is HSIC exactly, for every n >= 4; hence it may be negative.

    .. math:: \frac1{n(n-3)}\Bigl[\mathrm{tr}(\tilde K\tilde L)+\frac{1^\top\tilde K1\;1^\top\tilde L1}{(n-1)(n-2)}
              -\frac{2}{n-2}\,1^\top\tilde K\tilde L1\Bigr]

    with the diagonals of K and L set to zero. Arguments and result as in :func:`hsic_biased`.
    """
    n = check_grams(k, l, 4)
    k, l = _hollow(k), _hollow(l)
    k_rows, l_rows = k.sum(-1), l.sum(-1)  # (..., n)
    means = k_rows.sum(-1) * l_rows.sum(-1) / ((n - 1) * (n - 2))
    return ((k * l).sum((-2, -1)) + means - 2 / (n - 2) * (k_rows * l_rows).sum(-1)) / (n * (n - 3))


# --8<-- [end:estimators]


def _hollow(k: Tensor) -> Tensor:
    """The matrix with a diagonal of zeros."""
    return k.masked_fill(torch.eye(k.shape[-1], dtype=torch.bool, device=k.device), 0.0)


# --8<-- [start:cka]
def cka(k: Tensor, l: Tensor, *, unbiased: bool = False) -> Tensor:
    r"""Centred kernel alignment :math:`\mathrm{HSIC}(K,L)/\sqrt{\mathrm{HSIC}(K,K)\,\mathrm{HSIC}(L,L)}` (Kornblith et al. 2019).

    Args:
        k: Gram matrix ``(..., n, n)``.
        l: Gram matrix ``(..., n, n)``.
        unbiased: put unbiased estimates above and below the line.

    Returns:
        Shape ``(...)``: between 0 and 1 for the biased form; NaN if one of the samples is constant.
    """
    h = hsic_unbiased if unbiased else hsic_biased
    return h(k, l) / (h(k, k) * h(l, l)).sqrt()


def linear_cka(x: Tensor, y: Tensor) -> Tensor:
    r"""CKA with linear kernels on features ``(n, d)`` and ``(n, e)``: :math:`|X_c^\top Y_c|^2/(|X_c^\top X_c|\,|Y_c^\top Y_c|)`.

    The same number as ``cka(linear_gram(x), linear_gram(y))``; the cost is O(n d e), without an n by n matrix.
    """
    x, y = check_sample(x), check_sample(y)
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"x and y must hold the same n observations, got n = {x.shape[0]} and n = {y.shape[0]}")
    x, y = x - x.mean(0), y - y.mean(0)
    norm = torch.linalg.matrix_norm
    ratio: Tensor = norm(x.T @ y) ** 2 / (norm(x.T @ x) * norm(y.T @ y))
    return ratio


# --8<-- [end:cka]


# --8<-- [start:normalised]
def normalised_hsic(k: Tensor, l: Tensor, *, eps: float = 1e-5) -> Tensor:
    r"""The normalised HSIC :math:`\mathrm{tr}(R_KR_L)`, :math:`R_K=JKJ\,(JKJ+\epsilon nI)^{-1}` (Fukumizu et al. 2008; Ma et al. 2020).

    Dividing each direction by its own size leaves a sum of squared canonical correlations of the kernel features, each shrunk a
    little by `eps`; the choice of the kernel matters less.

    Args:
        k: Gram matrix ``(..., n, n)``, positive semi-definite.
        l: Gram matrix ``(..., n, n)``, positive semi-definite.
        eps: regularisation above zero; directions with less than eps of the variance are ignored.

    Returns:
        Shape ``(...)``, between 0 and n - 1.
    """
    n = check_grams(k, l)
    if not (math.isfinite(eps) and eps > 0):
        raise ValueError(f"eps must be a finite number above 0, got {eps!r}")
    return (_shrunk(k, eps * n) * _shrunk(l, eps * n)).sum((-2, -1))


def _shrunk(k: Tensor, ridge: float) -> Tensor:
    """``R = C (C + ridge I)^-1 = I - ridge (C + ridge I)^-1`` of the centred matrix C: the derivative of an inverse is two products."""
    c = centre(k)
    eye = torch.eye(c.shape[-1], dtype=c.dtype, device=c.device)
    shrunk: Tensor = eye - ridge * torch.linalg.inv(c + ridge * eye)
    return shrunk


# --8<-- [end:normalised]
