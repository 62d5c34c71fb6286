r"""Activation functions, their Gaussian moments and the gains that follow from them.

A pre-activation of a wide random network is a normal variable ``x = sqrt(q) z`` with ``z ~ N(0, 1)``. What a non-linearity ``f`` does to
signals and gradients is therefore decided by a few means over ``z``: ``E f``, ``E f^2``, ``E f'`` and ``E f'^2``. They are computed by
quadrature, on both sides of each kink separately. How they act through depth is in :mod:`kexue.mathematics.activations_depth`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Moments",
    "activation",
    "gain",
    "gaussian_mean",
    "gelu",
    "mish",
    "moments",
    "slope",
    "su",
    "su_by_relu",
    "su_moments",
    "su_naive",
    "swish",
    "tanhexp",
]

Function = Callable[[Tensor], Tensor]


# ----------------------------------------------------------------------------------------------------------------------- functions
# --8<-- [start:su]
def su(x: Tensor, beta: float = 1.0) -> Tensor:
    r"""Su's function :math:`x\min(1,e^{\beta x})` in the form that is safe backwards: :math:`\max(x, xe^{-\beta|x|})` (Su 2017).

    >>> su(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.3679,  0.0000,  2.0000])
    """
    return torch.maximum(x, x * torch.exp(-beta * x.abs()))


def su_by_relu(x: Tensor) -> Tensor:
    r"""The post's second safe form, :math:`x+\mathrm{relu}(xe^{-|x|}-x)`; equal to :func:`su` for every x."""
    return x + torch.relu(x * torch.exp(-x.abs()) - x)


def su_naive(x: Tensor) -> Tensor:
    r"""The formula as it is written: right forwards, NaN backwards where :math:`e^x` overflows (in float32 for x > 88.72)."""
    return x * torch.minimum(torch.ones_like(x), torch.exp(x))


# --8<-- [end:su]


def swish(x: Tensor, beta: float = 1.0) -> Tensor:
    r"""Swish or SiLU, :math:`x\,\sigma(\beta x)` (Elfwing et al. 2017; Ramachandran et al. 2017)."""
    return x * torch.sigmoid(beta * x)


def gelu(x: Tensor) -> Tensor:
    r"""GELU, :math:`x\,\Phi(x)` with the normal distribution function (Hendrycks, Gimpel 2016)."""
    return x * (0.5 * torch.erfc(x * -math.sqrt(0.5)))


def mish(x: Tensor) -> Tensor:
    r"""Mish, :math:`x\tanh\log(1+e^x)` (Misra 2020)."""
    return x * torch.tanh(torch.nn.functional.softplus(x))


def tanhexp(x: Tensor, beta: float = 1.0) -> Tensor:
    r"""TanhExp or TeLU, :math:`x\tanh e^{\beta x}` (Liu, Di 2020), a smooth version of Su's function.

    The exponent is cut at 5, where the tangent has long been 1 to the last bit: an overflow would make the gradient NaN.
    """
    return x * torch.tanh(torch.exp((beta * x).clamp(max=5.0)))


def leaky_relu(x: Tensor, leak: float = 0.2) -> Tensor:
    """Leaky ReLU with slope `leak` on the left."""
    return torch.where(x > 0, x, leak * x)


def elu(x: Tensor) -> Tensor:
    r"""ELU, :math:`x` on the right and :math:`e^x-1` on the left (Clevert et al. 2016)."""
    return torch.where(x > 0, x, torch.expm1(x.clamp(max=0.0)))


def relu2(x: Tensor) -> Tensor:
    """The square of ReLU (So et al. 2021)."""
    return torch.relu(x) ** 2


def centred_sigmoid(x: Tensor) -> Tensor:
    r"""The sigmoid without its mean, :math:`\sigma(x)-\tfrac12=\tfrac12\tanh\tfrac x2`."""
    return 0.5 * torch.tanh(0.5 * x)


@dataclass(frozen=True)
class Activation:
    """A non-linearity that acts on each number of a tensor by itself.

    Attributes:
        name: key of the registry.
        label: what tables and figures call it.
        function: any shape to the same shape, differentiable by autograd.
        kinks: where `function` or its first two derivatives jump.
    """

    name: str
    label: str
    function: Function
    kinks: tuple[float, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        """``f(x)``."""
        return self.function(x)


#: the functions of the chapter by name, in its order
ACTIVATIONS: dict[str, Activation] = {
    a.name: a
    for a in (
        Activation("sigmoid", "sigmoid", torch.sigmoid),
        Activation("centred-sigmoid", "sigmoid − ½", centred_sigmoid),
        Activation("tanh", "tanh", torch.tanh),
        Activation("relu", "ReLU", torch.relu, (0.0,)),
        Activation("leaky-relu", "LeakyReLU 0.2", leaky_relu, (0.0,)),
        Activation("elu", "ELU", elu, (0.0,)),
        Activation("swish", "Swish", swish),
        Activation("gelu", "GELU", gelu),
        Activation("mish", "Mish", mish),
        Activation("su", "Su", su, (0.0,)),
        Activation("tanhexp", "TanhExp", tanhexp),
        Activation("relu2", "ReLU²", relu2, (0.0,)),
    )
}
_ALIASES = {"silu": "swish", "telu": "tanhexp"}


def activation(name: str) -> Activation:
    """The activation function called `name`; ``silu`` is ``swish`` and ``telu`` is ``tanhexp``.

    Raises:
        ValueError: for a name that the registry lacks.
    """
    key = _ALIASES.get(name, name)
    if key not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}: expected one of {', '.join([*ACTIVATIONS, *_ALIASES])}")
    return ACTIVATIONS[key]


def slope(f: Function, x: Tensor) -> Tensor:
    """The derivative ``f'(x)`` by automatic differentiation, detached; `f` acts on each number by itself.

    >>> slope(torch.tanh, torch.zeros(1))
    tensor([1.])
    """
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        (derivative,) = torch.autograd.grad(f(leaf).sum(), leaf)
    return derivative


# ------------------------------------------------------------------------------------------------------------------------- moments
# --8<-- [start:quadrature]
_EDGE = 13.0  # the normal density at 13 is 8e-38
_BREAKS = (0.0625, 0.125, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0, _EDGE)
_NODES, _WEIGHTS = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(16))


def gaussian_mean(h: Function, *, scale: Tensor | float = 1.0, mean: Tensor | float = 0.0, kinks: tuple[float, ...] = ()) -> Tensor:
    r"""The mean :math:`\mathbb E\,h(\text{mean}+\text{scale}\cdot z)` over :math:`z\sim N(0,1)`, to about 14 digits.

    Gauss-Legendre rules of 16 points on intervals that end at zero and at every kink, so that each piece is smooth.

    Args:
        h: a function of a float64 tensor, number by number.
        scale: standard deviations (...) of the argument; not negative.
        mean: means (...) of the argument, broadcast against `scale`.
        kinks: where `h` or one of its derivatives jumps.

    Returns:
        float64 tensor (...).

    Raises:
        ValueError: for a negative scale.
    """
    deviation, centre = (torch.as_tensor(a, dtype=torch.float64) for a in (scale, mean))
    deviation, centre = deviation + 0 * centre, centre + 0 * deviation  # both (...)
    if bool((deviation < 0).any()):
        raise ValueError(f"scale is a standard deviation and can't be negative, the least is {deviation.min().item():.4g}")
    half = torch.tensor(_BREAKS, dtype=torch.float64)
    fixed = torch.cat([-half.flip(0), torch.zeros(1, dtype=torch.float64), half])
    moving = [(kink - centre) / deviation.clamp_min(1e-300) for kink in kinks]  # (...) each, in units of z
    ends = torch.stack([*fixed.expand(*deviation.shape, -1).unbind(-1), *(m.clamp(-_EDGE, _EDGE) for m in moving)], -1).sort(-1).values
    low, high = ends[..., :-1, None], ends[..., 1:, None]  # (..., intervals, 1)
    z = (low + high) / 2 + (high - low) / 2 * _NODES  # (..., intervals, nodes)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    value = h(centre[..., None, None] + deviation[..., None, None] * z)
    return (value * density * (high - low) / 2 * _WEIGHTS).sum((-2, -1))


# --8<-- [end:quadrature]


@dataclass(frozen=True)
class Moments:
    """Means over ``z ~ N(0, 1)`` that decide how a random network treats signals and gradients.

    Attributes:
        mean: ``E f(z)``.
        square: ``E f(z)^2``.
        slope: ``E f'(z)``.
        slope_square: ``E f'(z)^2``.
    """

    mean: float
    square: float
    slope: float
    slope_square: float

    @property
    def gain(self) -> float:
        """``1 / sqrt(E f^2)``: the weights' scale that keeps the size of a signal of size one."""
        return 1 / math.sqrt(self.square)

    @property
    def chi(self) -> float:
        """``E f'^2 / E f^2``: what a squared gradient is multiplied by in each layer when the weights have that gain."""
        return self.slope_square / self.square


# --8<-- [start:moments]
def moments(f: Function | Activation | str, *, q: float = 1.0, kinks: tuple[float, ...] = ()) -> Moments:
    r"""The four means of ``f`` and ``f'`` at :math:`x=\sqrt q\,z`.

    Args:
        f: a function, an :class:`Activation` or its name.
        q: variance of the pre-activation, above 0.
        kinks: of a bare function; an activation knows its own.

    Raises:
        ValueError: for a ``q`` that is not positive, or an unknown name.

    >>> round(moments("relu").chi, 12)
    1.0
    """
    if not q > 0:
        raise ValueError(f"q is a variance and must be positive, got {q}")
    g = activation(f) if isinstance(f, str) else f
    where = g.kinks if isinstance(g, Activation) else kinks

    def mean(h: Function) -> float:
        return float(gaussian_mean(h, scale=math.sqrt(q), kinks=where))

    return Moments(mean(g), mean(lambda x: g(x) ** 2), mean(lambda x: slope(g, x)), mean(lambda x: slope(g, x) ** 2))


@functools.cache
def gain(name: str) -> float:
    """The gain ``1 / sqrt(E f(z)^2)`` of an activation: He's sqrt(2) for ReLU, and its counterpart for every other function.

    >>> round(gain("relu") ** 2, 12)
    2.0
    """
    return moments(name).gain


# --8<-- [end:moments]


def su_moments() -> Moments:
    r"""The moments of Su's function in closed form, from :math:`\int_{-\infty}^0e^{az}\varphi=\frac12e^{a^2/2}\mathrm{erfc}(a/\sqrt2)`."""
    one, two = math.exp(0.5) * math.erfc(math.sqrt(0.5)), math.exp(2.0) * math.erfc(math.sqrt(2.0))
    root = math.sqrt(2 / math.pi)
    return Moments(one / 2, 0.5 - root + 2.5 * two, 0.5 - root / 2 + one, 0.5 - 2 * root + 5 * two)
