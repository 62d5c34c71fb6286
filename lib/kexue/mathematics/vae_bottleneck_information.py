r"""The information bottleneck where it can be solved: joint normals and finite tables.

For an input ``X`` and a target ``Y`` the bottleneck asks for the code ``T`` of ``X`` that keeps most information about ``Y`` for a given
information about ``X``. Its Lagrangian is :math:`I(X;T)-b\,I(T;Y)` with the *multiplier* ``b``. All information is in nats.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kexue.mathematics.vae_bottleneck_linear import level_for_rate

__all__ = [
    "FiniteCode",
    "binary_curve",
    "critical_multipliers",
    "discrete_bottleneck",
    "entropy",
    "gaussian_curve",
    "gaussian_information",
    "mutual_information",
    "squared_correlations",
    "vector_gaussian_bottleneck",
    "vector_gaussian_curve",
]


def check_table(joint: Tensor) -> Tensor:
    """The joint distribution ``(x, y)`` if it is one; ``ValueError`` if not."""
    if joint.ndim != 2 or not joint.is_floating_point() or bool((joint < 0).any()) or abs(float(joint.sum()) - 1) > 1e-6:
        raise ValueError("joint must be a table (x, y) of numbers that are not negative and sum to 1")
    return joint


def entropy(p: Tensor) -> Tensor:
    """Entropy along the last axis, in nats; empty cells count nothing."""
    total: Tensor = torch.special.entr(p).sum(-1)
    return total


def mutual_information(joint: Tensor) -> Tensor:
    """Information between row and column of a joint distribution.

    >>> mutual_information(torch.tensor([[0.5, 0.0], [0.0, 0.5]]))
    tensor(0.6931)
    """
    check_table(joint)
    return entropy(joint.sum(1)) + entropy(joint.sum(0)) - entropy(joint.flatten())


# ---------------------------------------------------------------------------------------------------------------------- joint normals
# --8<-- [start:gaussian]
def gaussian_curve(kept: Tensor, rho: float) -> Tensor:
    r"""The best :math:`I(T;Y)=-\tfrac12\log(1-\rho^2+\rho^2e^{-2I(X;T)})` for a pair with correlation :math:`\rho`.

    Args:
        kept: information about the input, ``(...)`` nats.
        rho: correlation, strictly between −1 and 1.

    Raises:
        ValueError: for a correlation outside (−1, 1) or a negative information.
    """
    if not -1 < rho < 1:
        raise ValueError(f"rho must lie strictly between -1 and 1, got {rho!r}")
    if bool((kept < 0).any()):
        raise ValueError("kept information must not be negative")
    return -0.5 * torch.log1p(rho * rho * torch.expm1(-2 * kept))


def vector_gaussian_bottleneck(squared: Tensor, multiplier: float) -> tuple[Tensor, Tensor]:
    r"""Information of the best code of a normal vector, direction by direction (Chechik et al. 2005).

    With the squared canonical correlation :math:`\rho_i^2` a direction is kept once :math:`b>1/\rho_i^2`; then
    :math:`I(X;T)_i=\tfrac12\log\frac{(b-1)\rho_i^2}{1-\rho_i^2}` and :math:`I(T;Y)_i=I(X;T)_i-\tfrac12\log(b\rho_i^2)`.

    Args:
        squared: squared canonical correlations ``(n,)``, in [0, 1).
        multiplier: ``b >= 1``.

    Returns:
        Information about the input and about the target, ``(n,)`` each.

    Raises:
        ValueError: for a correlation outside [0, 1) or a multiplier below 1.
    """
    if bool(((squared < 0) | (squared >= 1)).any()):
        raise ValueError("squared correlations must lie in [0, 1)")
    if not multiplier >= 1:
        raise ValueError(f"multiplier must be at least 1 (nothing else is ever kept), got {multiplier!r}")
    awake = multiplier * squared > 1
    safe = torch.where(awake, squared, 0.5)
    kept = 0.5 * torch.log((multiplier - 1) * safe / (1 - safe))
    told = kept - 0.5 * torch.log(multiplier * safe)
    return torch.where(awake, kept, 0.0), torch.where(awake, told, 0.0)


def vector_gaussian_curve(squared: Tensor, kept: float) -> Tensor:
    r"""The best :math:`I(T;Y)` of a normal vector for `kept` nats about the input: once more a filling.

    The heights are the signal-to-noise ratios :math:`\rho_i^2/(1-\rho_i^2)`, the level is :math:`1/(b-1)`.

    Args:
        squared: squared canonical correlations ``(n,)``, in [0, 1), not all zero.
        kept: nats, above 0.
    """
    level = level_for_rate(squared / (1 - squared), kept)
    return vector_gaussian_bottleneck(squared, 1 + 1 / level)[1].sum()


# --8<-- [end:gaussian]


def squared_correlations(xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    r"""Squared canonical correlations, the eigenvalues of :math:`\Sigma_x^{-1}\Sigma_{xy}\Sigma_y^{-1}\Sigma_{yx}`, in falling order.

    Args:
        xx: covariance ``(n, n)`` of the input, positive definite.
        xy: cross-covariance ``(n, m)``.
        yy: covariance ``(m, m)`` of the target, positive definite.

    Returns:
        ``(min(n, m),)``.

    Raises:
        ValueError: for shapes that do not fit.
    """
    if xx.shape != (len(xx), len(xx)) or yy.shape != (len(yy), len(yy)) or xy.shape != (len(xx), len(yy)):
        raise ValueError(f"expected (n, n), (n, m) and (m, m), got {tuple(xx.shape)}, {tuple(xy.shape)} and {tuple(yy.shape)}")
    left = torch.linalg.solve_triangular(torch.linalg.cholesky(xx), xy, upper=False)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(yy), left.T, upper=False)
    squared: Tensor = torch.linalg.svdvals(whitened).square()
    return squared


def critical_multipliers(squared: Tensor) -> Tensor:
    r"""The multipliers :math:`1/\rho_i^2` at which direction after direction begins to be kept."""
    return 1 / squared


def gaussian_information(joint: Tensor, size: int) -> Tensor:
    r"""Information between the first `size` and the other coordinates of a normal vector: :math:`\tfrac12\log\frac{|A||B|}{|AB|}`.

    Args:
        joint: covariance ``(n, n)``, positive definite.
        size: of the first block, from 1 to n − 1.

    Raises:
        ValueError: for another shape or size.
    """
    if joint.ndim != 2 or joint.shape[0] != joint.shape[1] or not 0 < size < len(joint):
        raise ValueError(f"joint must be (n, n) with 0 < size < n, got {tuple(joint.shape)} and size={size}")
    return 0.5 * (joint[:size, :size].logdet() + joint[size:, size:].logdet() - joint.logdet())


# ---------------------------------------------------------------------------------------------------------------------- finite tables
class FiniteCode(NamedTuple):
    """A code of a finite input: ``p(t|x)`` of shape (x, t), its information about the input and about the target in nats.

    ``objective`` is ``kept - multiplier * told`` before each sweep and at the end; it never rises.
    """

    encoder: Tensor
    kept: Tensor
    told: Tensor
    objective: Tensor


# --8<-- [start:discrete]
def discrete_bottleneck(joint: Tensor, multiplier: float, encoder: Tensor, *, sweeps: int = 500) -> FiniteCode:
    r"""Iterate :math:`p(t|x)\propto p(t)\,e^{-b\,KL(p(y|x)\|p(y|t))}` (Tishby et al. 1999).

    ``p(t)`` and ``p(y|t)`` are made anew from the encoder in every sweep.

    Args:
        joint: distribution ``(x, y)``; every x must occur.
        multiplier: ``b > 0``.
        encoder: start ``p(t|x)`` of shape (x, t), positive.
        sweeps: how many times.

    Returns:
        The code reached, a local minimum of the Lagrangian.

    Raises:
        ValueError: for a table that is no distribution, an x that never occurs, or an encoder of another shape.
    """
    p_x = check_table(joint).sum(1)  # (x,)
    if encoder.ndim != 2 or len(encoder) != len(joint) or bool((encoder <= 0).any()) or bool((p_x <= 0).any()):
        raise ValueError("encoder must be (x, t) with positive entries, and every x must occur in the joint")
    encoder = encoder / encoder.sum(1, keepdim=True)
    p_y = joint / p_x[:, None]  # p(y|x), (x, y)
    trace = [_objective(joint, p_x, encoder, multiplier)]
    for _ in range(sweeps):
        p_t = p_x @ encoder  # (t,)
        p_yt = (encoder * p_x[:, None] / p_t).T @ p_y  # p(y|t), (t, y)
        divergence = torch.special.xlogy(p_y[:, None], p_y[:, None] / p_yt).nan_to_num(0.0, posinf=math.inf).sum(-1)  # (x, t)
        encoder = (p_t.log() - multiplier * divergence).softmax(1).clamp_min(1e-300)
        trace.append(_objective(joint, p_x, encoder, multiplier))
    return FiniteCode(encoder, mutual_information(encoder * p_x[:, None]), mutual_information(encoder.T @ joint), torch.stack(trace))


# --8<-- [end:discrete]


def _objective(joint: Tensor, p_x: Tensor, encoder: Tensor, multiplier: float) -> Tensor:
    return mutual_information(encoder * p_x[:, None]) - multiplier * mutual_information(encoder.T @ joint)


def binary_curve(kept: Tensor, flip: float) -> Tensor:
    r"""The exact curve of a fair bit and its copy that is wrong with probability `flip`: :math:`\log2-h(\varepsilon*h^{-1}(\log2-I(X;T)))`.

    Here h is the binary entropy and :math:`a*b=a(1-b)+b(1-a)` (Witsenhausen and Wyner 1975, by Mrs Gerber's lemma).

    Args:
        kept: ``(...)``, from 0 to log 2.
        flip: strictly between 0 and 1.

    Raises:
        ValueError: for numbers outside these ranges.
    """
    if not 0 < flip < 1 or bool(((kept < 0) | (kept > math.log(2) + 1e-12)).any()):
        raise ValueError("flip must lie in (0, 1) and kept information between 0 and log 2")
    target = math.log(2) - kept
    low, high = torch.zeros_like(kept), torch.full_like(kept, 0.5)
    for _ in range(60):  # the inverse of the binary entropy on [0, 1/2], by bisection
        middle = (low + high) / 2
        small = _binary_entropy(middle) < target
        low, high = torch.where(small, middle, low), torch.where(small, high, middle)
    return math.log(2) - _binary_entropy(low * (1 - flip) + flip * (1 - low))


def _binary_entropy(p: Tensor) -> Tensor:
    return entropy(torch.stack([p, 1 - p], -1))
