"""What HSIC is for laws that can be integrated: the normal law with Gaussian kernels, a table with delta kernels; and the exact bias."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["bias_under_independence", "gaussian_mean_kernel", "normal_hsic", "normal_mutual_information", "table_hsic"]


# --8<-- [start:normal]
def normal_hsic(covariance: Tensor, *, var_x: float = 1.0, var_y: float = 1.0, bandwidth: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    r"""HSIC of a normal pair with Gaussian kernels :math:`\exp(-d^2/2\sigma^2)`.

    With :math:`a=1+2s_x/\sigma_x^2`, :math:`b=1+2s_y/\sigma_y^2` and :math:`q=r^2/\sigma_x^2\sigma_y^2`

    .. math:: \mathrm{HSIC}=(ab-4q)^{-1/2}+(ab)^{-1/2}-2\,(ab-q)^{-1/2}

    Args:
        covariance: r, any shape.
        var_x: variance of x.
        var_y: variance of y.
        bandwidth: of the two kernels.

    Raises:
        ValueError: for variances that are not positive, or a covariance that no pair with these variances has.
    """
    if var_x <= 0 or var_y <= 0:
        raise ValueError(f"variances must be above 0, got {var_x} and {var_y}")
    r = torch.as_tensor(covariance)
    if bool((r**2 > var_x * var_y * (1 + 1e-12)).any()):
        raise ValueError(
            f"a covariance is at most sqrt(var_x var_y) = {(var_x * var_y) ** 0.5:.4g} in size, got {float(r.abs().max()):.4g}"
        )
    ab = (1 + 2 * var_x / bandwidth[0] ** 2) * (1 + 2 * var_y / bandwidth[1] ** 2)
    q = r**2 / (bandwidth[0] * bandwidth[1]) ** 2
    value: Tensor = (ab - 4 * q) ** -0.5 + ab**-0.5 - 2 * (ab - q) ** -0.5
    return value


# --8<-- [end:normal]


def gaussian_mean_kernel(variance: float, bandwidth: float) -> float:
    r"""The mean similarity :math:`E\,k(x,x')=(1+2s/\sigma^2)^{-1/2}` of two independent normal draws of variance s.

    >>> round(gaussian_mean_kernel(1.0, 2**-0.5), 6)  # the kernel exp(-d^2) on standard normal draws: 1 / sqrt(5)
    0.447214
    """
    return float((1 + 2 * variance / bandwidth**2) ** -0.5)


def bias_under_independence(mean_k: float, mean_l: float, n: int, *, ddof: int = 0) -> float:
    r"""The exact mean of ``hsic_biased`` under independence, for kernels with k(x, x) = 1.

    .. math:: E\,\frac{\mathrm{tr}(KJLJ)}{(n-\mathrm{ddof})^2}=\frac{(n-1)(1-E\,k(x,x'))(1-E\,l(y,y'))}{(n-\mathrm{ddof})^2}

    Args:
        mean_k: mean similarity of two independent x.
        mean_l: mean similarity of two independent y.
        n: observations, at least 2.
        ddof: as in :func:`kexue.mathematics.hsic.hsic_biased`.

    >>> round(bias_under_independence(5**-0.5, 5**-0.5, 1000, ddof=1), 7)
    0.0003059
    """
    if n < 2:
        raise ValueError(f"the bias needs n >= 2 observations, got {n}")
    return (n - 1) * (1 - mean_k) * (1 - mean_l) / (n - ddof) ** 2


def normal_mutual_information(correlation: Tensor) -> Tensor:
    r"""Mutual information of a normal pair in nats, :math:`-\tfrac12\log(1-r^2)`."""
    return -0.5 * torch.log1p(-(correlation**2))


def table_hsic(table: Tensor) -> Tensor:
    r"""HSIC of a contingency table of probabilities with delta kernels: :math:`\sum_{ij}(p_{ij}-p_{i\cdot}p_{\cdot j})^2`.

    >>> table_hsic(torch.tensor([[0.5, 0.0], [0.0, 0.5]]))
    tensor(0.2500)
    """
    product = table.sum(1, keepdim=True) * table.sum(0, keepdim=True)
    return ((table - product) ** 2).sum()
