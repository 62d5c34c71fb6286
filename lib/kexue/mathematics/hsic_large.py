"""HSIC for many observations: in blocks with O(n) memory, or with features in O(n) time.

A *feature matrix* ``phi`` ``(n, r)`` stands for the Gram matrix ``phi @ phi.T``, which is never formed. The features of
:mod:`kexue.mathematics.hsic_factors` reproduce a smooth kernel in few dimensions to any accuracy; random Fourier features approximate
the Gaussian kernel in many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from kexue.mathematics.hsic import check_bandwidth, check_sample, gram, resolve_bandwidth
from kexue.mathematics.hsic_independence import permutation_p_value, random_orders

__all__ = ["FeatureOutcome", "feature_hsic", "feature_test", "fourier_features", "hsic_blocked"]


# --------------------------------------------------------------------------------------------------------------------------- blocks
# --8<-- [start:blocked]
def hsic_blocked(
    x: Tensor,
    y: Tensor,
    *,
    kernel: str = "gaussian",
    bandwidth: float | str | tuple[float | str, float | str] = "median",
    unbiased: bool = False,
    block: int = 512,
    orders: Iterable[Tensor] | None = None,
) -> Tensor:
    """HSIC of large samples: `block` rows of both Gram matrices exist at a time. O(n^2) time, O(n block) memory, on CPU or GPU.

    Args:
        x: sample ``(n,)`` or ``(n, d)``.
        y: sample ``(n,)`` or ``(n, e)``, on the same device.
        kernel: name of a kernel.
        bandwidth: of x and of y, or a pair.
        unbiased: HSIC_u instead of HSIC_b.
        block: rows at a time.
        orders: permutations of y for a null; the statistic itself if absent.

    Returns:
        A float64 number; with `orders` one for each of them, ``(B,)``.

    Raises:
        ValueError: for samples of different length, fewer than 4 observations, or a block below 1.
    """
    x, y = check_sample(x, 4), check_sample(y, 4)
    n = len(x)
    if len(y) != n:
        raise ValueError(f"x and y must hold the same n observations, got n = {n} and n = {len(y)}")
    if block < 1:
        raise ValueError(f"block must be at least 1 row, got {block}")
    wide = bandwidth if isinstance(bandwidth, tuple) else (bandwidth, bandwidth)
    a, b = resolve_bandwidth(x, wide[0]), resolve_bandwidth(y, wide[1])
    plain = [torch.arange(n, device=x.device)]
    values = [_one_pass(x, y[order], kernel, (a, b), block, unbiased) for order in (plain if orders is None else orders)]
    return values[0] if orders is None else torch.stack(values)


def _one_pass(x: Tensor, y: Tensor, kernel: str, wide: tuple[float, float], block: int, unbiased: bool) -> Tensor:
    """One pass over the rows, which sums what the estimators need: sum K L, the row sums, the diagonals.

    Both matrices are symmetric: of each row only what lies right of the block's first column is computed.
    """
    n = len(x)
    both = x.new_zeros((), dtype=torch.float64)
    rows, diagonal = x.new_zeros((2, n), dtype=torch.float64), x.new_empty((2, n), dtype=torch.float64)
    for at in range(0, n, block):
        part, rest = slice(at, min(at + block, n)), slice(min(at + block, n), n)
        size = part.stop - at
        pair = [gram(s[part], kernel, w, s[at:]) for s, w in ((x, wide[0]), (y, wide[1]))]  # 2 x (size, n - at)
        product = pair[0] * pair[1]
        both += 2 * product.sum(dtype=torch.float64) - product[:, :size].sum(dtype=torch.float64)
        for i, m in enumerate(pair):
            rows[i, part] += m.sum(1, dtype=torch.float64)
            rows[i, rest] += m[:, size:].sum(0, dtype=torch.float64)
            diagonal[i, part] = m.diagonal().double()
    return _from_sums(both, rows, diagonal, n, unbiased)


def _from_sums(both: Tensor, rows: Tensor, diagonal: Tensor, n: int, unbiased: bool) -> Tensor:
    """HSIC from ``sum K L``, the row sums ``(2, n)`` and the diagonals ``(2, n)``."""
    if not unbiased:
        return (both - 2 / n * (rows[0] * rows[1]).sum() + rows[0].sum() * rows[1].sum() / n**2) / n**2
    both, rows = both - (diagonal[0] * diagonal[1]).sum(), rows - diagonal
    means = rows[0].sum() * rows[1].sum() / ((n - 1) * (n - 2))
    return (both + means - 2 / (n - 2) * (rows[0] * rows[1]).sum()) / (n * (n - 3))


# --8<-- [end:blocked]


# ------------------------------------------------------------------------------------------------------------------------- features
# --8<-- [start:fourier]
def fourier_features(x: Tensor, bandwidth: float, count: int, *, generator: torch.Generator | None = None) -> Tensor:
    r"""Random Fourier features of the Gaussian kernel (Rahimi and Recht 2007): :math:`E[\phi(x)^\top\phi(x')]=k(x,x')`.

    Pairs of a cosine and a sine, :math:`\phi=\sqrt{2/D}\,(\cos\omega_1^\top x,\sin\omega_1^\top x,\dots)` with
    :math:`\omega\sim N(0,I/\sigma^2)`; so every point has length one exactly.

    Args:
        x: sample ``(n,)`` or ``(n, d)``.
        bandwidth: sigma.
        count: number D of features, even.
        generator: source of the frequencies.

    Returns:
        ``(n, D)``.
    """
    x = check_sample(x, 1)
    if count < 2 or count % 2:
        raise ValueError(f"count must be an even number of at least 2 features, got {count}")
    omega = torch.randn((x.shape[1], count // 2), generator=generator, dtype=torch.float64).to(x) / check_bandwidth(bandwidth)
    angle = x @ omega
    return math.sqrt(2 / count) * torch.cat([angle.cos(), angle.sin()], 1)


# --8<-- [end:fourier]


# --8<-- [start:features]
def feature_hsic(phi: Tensor, psi: Tensor, *, unbiased: bool = False) -> Tensor:
    r"""HSIC of the kernels :math:`\phi^\top\phi` and :math:`\psi^\top\psi`; the biased form is :math:`|\Phi_c^\top\Psi|^2/n^2`, O(n r s).

    Args:
        phi: features of x ``(n, r)``.
        psi: features of y ``(n, s)``.
        unbiased: HSIC_u instead of HSIC_b.
    """
    n = _same_length(phi, psi)
    if not unbiased:
        return (((phi - phi.mean(0)).T @ psi) ** 2).sum() / n**2
    rows = torch.stack([f @ f.sum(0) for f in (phi, psi)])
    diagonal = torch.stack([(f * f).sum(1) for f in (phi, psi)])
    return _from_sums(((phi.T @ psi) ** 2).sum(), rows, diagonal, n, True)


@dataclass(frozen=True)
class FeatureOutcome:
    """What :func:`feature_test` found: HSIC_b, the p-value, and the draws of the null ``(B,)``."""

    statistic: float
    p_value: float
    null: Tensor


def feature_test(
    phi: Tensor, psi: Tensor, *, permutations: int | None = None, draws: int = 1999, generator: torch.Generator | None = None
) -> FeatureOutcome:
    r"""Test independence with features, in time linear in n.

    By default the null is that of large n, :math:`n\,\mathrm{HSIC}_b\to\sum_{ij}\lambda_i\mu_jz_{ij}^2` with standard normal z and the
    eigenvalues of both feature covariances: no data are touched again. With `permutations` the rows of psi are shuffled instead.

    Args:
        phi: features of x ``(n, r)``.
        psi: features of y ``(n, s)``.
        permutations: how many; none for the limit law.
        draws: from the limit law.
        generator: source of randomness.
    """
    n = _same_length(phi, psi)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    phi, psi = phi - phi.mean(0), psi - psi.mean(0)
    statistic = float(feature_hsic(phi, psi))
    if permutations is None:
        spectra = [torch.linalg.eigvalsh(f.T @ f / n).clamp_min(0.0).cpu() for f in (phi, psi)]
        kept = [s[s > 1e-6 * s.max()] for s in spectra]
        null = torch.stack([_weighted_squares(kept[0], kept[1], generator) for _ in range(draws)]) / n
    else:
        null = torch.stack([((phi.T @ psi[o]) ** 2).sum() / n**2 for o in random_orders(n, permutations, generator).to(phi.device)])
    return FeatureOutcome(statistic, permutation_p_value(statistic, null), null)


# --8<-- [end:features]


def _weighted_squares(a: Tensor, b: Tensor, generator: torch.Generator) -> Tensor:
    """One draw of ``sum_ij a_i b_j z_ij^2``."""
    z = torch.randn((len(a), len(b)), generator=generator, dtype=a.dtype)
    return a @ (z * z) @ b


def _same_length(phi: Tensor, psi: Tensor) -> int:
    if phi.ndim != 2 or psi.ndim != 2 or len(phi) != len(psi):
        raise ValueError(f"features must have shapes (n, r) and (n, s), got {tuple(phi.shape)} and {tuple(psi.shape)}")
    return len(phi)
