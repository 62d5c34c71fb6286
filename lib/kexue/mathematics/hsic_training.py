r"""Layers trained by the HSIC bottleneck, without back-propagation, beside layers trained end to end and random ones.

Each layer ``z`` of a dense net with ReLU lowers its own loss :math:`\mathrm{nHSIC}(Z,X)-\beta\,\mathrm{nHSIC}(Z,Y)` on a batch, and sees
of the layer below nothing but its output: no gradient passes from one layer to another (Ma, Lewis, Kleijn 2020). So a net of twenty layers
holds those of one to nineteen layers, trained the same way. What a layer knows is then asked by a linear readout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kexue.mathematics.hsic import delta_gram, gaussian_gram, normalised_hsic

__all__ = ["Readout", "ReluNet", "bottleneck_losses", "dependence", "dim_gram", "fit_readout", "shares"]


# --8<-- [start:net]
class ReluNet(nn.Module):
    """A dense net of ReLU layers of equal width, without a readout.

    Args:
        inputs: numbers in an input.
        width: units of each layer.
        depth: number of layers.
        generator: draws the weights, He's normal ones; the first layers of a deep net are those of a shallow one.
    """

    def __init__(self, inputs: int, width: int, depth: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        sizes = [inputs, *[width] * (depth - 1)]
        self.weights = nn.ParameterList(torch.randn(width, n, generator=generator) * math.sqrt(2 / n) for n in sizes)
        self.biases = nn.ParameterList(torch.zeros(width) for _ in sizes)

    def forward(self, x: Tensor, *, apart: bool = False) -> list[Tensor]:
        """The outputs ``(B, width)`` of all layers.

        Args:
            x: inputs ``(B, inputs)``.
            apart: let no gradient pass from a layer to the one below.
        """
        found = []
        for w, b in zip(self.weights, self.biases, strict=True):
            x = torch.relu(F.linear(x.detach() if apart else x, w, b))
            found.append(x)
        return found


# --8<-- [end:net]


# --8<-- [start:bottleneck]
def dim_gram(x: Tensor, sigma: float) -> Tensor:
    r"""The kernel of the HSIC bottleneck, :math:`\exp(-|x-x'|^2/2\sigma^2d)` for samples ``(n, d)``: the bandwidth grows with the width."""
    return gaussian_gram(x, sigma * math.sqrt(x.shape[1]))


def dependence(layers: Sequence[Tensor], x: Tensor, labels: Tensor, *, sigma: float, eps: float = 1e-5) -> Tensor:
    r"""How much every layer depends on the inputs and on the labels.

    Args:
        layers: outputs ``(n, width)`` of L layers.
        x: inputs ``(n, d)``.
        labels: classes ``(n,)``; two labels are similar if they are equal.
        sigma: bandwidth of layers and inputs, in units of :math:`\sqrt d`.
        eps: regularisation of the normalised HSIC.

    Returns:
        ``(L, 2)``: :math:`\mathrm{nHSIC}(Z_l,X)` and :math:`\mathrm{nHSIC}(Z_l,Y)`.
    """
    k = torch.stack([dim_gram(z, sigma) for z in layers])[:, None]  # (L, 1, n, n)
    goals = torch.stack([dim_gram(x, sigma), delta_gram(labels.to(x.dtype))])  # (2, n, n)
    return normalised_hsic(k, goals, eps=eps)


def bottleneck_losses(layers: Sequence[Tensor], x: Tensor, labels: Tensor, *, beta: float, sigma: float, eps: float = 1e-5) -> Tensor:
    r"""The loss :math:`\mathrm{nHSIC}(Z_l,X)-\beta\,\mathrm{nHSIC}(Z_l,Y)` of each layer, ``(L,)``; arguments as in :func:`dependence`."""
    on_x, on_y = dependence(layers, x, labels, sigma=sigma, eps=eps).unbind(1)
    return on_x - beta * on_y


# --8<-- [end:bottleneck]


@torch.no_grad()
def shares(layers: Sequence[Tensor], x: Tensor, labels: Tensor, *, sigma: float, eps: float = 1e-5) -> Tensor:
    r"""The dependences relative to those of inputs and labels on themselves, ``(L, 2)``, in double precision.

    :math:`\mathrm{nHSIC}(Z_l,X)/\mathrm{nHSIC}(X,X)` and :math:`\mathrm{nHSIC}(Z_l,Y)/\mathrm{nHSIC}(Y,Y)`; arguments as in
    :func:`dependence`. The second hardly exceeds 1. The first may: a layer whose outputs lie far apart, in units of the bandwidth, has a
    Gram matrix with more large directions than the inputs' own.
    """
    found = dependence([z.double() for z in layers], x.double(), labels, sigma=sigma, eps=eps)
    k, goal = dim_gram(x.double(), sigma), delta_gram(labels.double())
    return found / torch.stack([normalised_hsic(k, k, eps=eps), normalised_hsic(goal, goal, eps=eps)])


# --8<-- [start:readout]
class Readout(nn.Module):
    """A linear classifier of features, which it brings to mean 0 and variance 1 first.

    Args:
        width: number of features.
        classes: number of classes.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("inverse", torch.ones(width))
        self.weight = nn.Parameter(torch.zeros(classes, width))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, z: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of features ``(B, width)``."""
        return F.linear((z - self.get_buffer("mean")) * self.get_buffer("inverse"), self.weight, self.bias)


def fit_readout(features: Tensor, labels: Tensor, classes: int, *, ridge: float = 1e-3, steps: int = 100) -> Readout:
    """Logistic regression on features: the readout of least mean cross-entropy plus ``ridge / 2`` times the squared weights.

    Args:
        features: ``(N, width)``.
        labels: ``(N,)``.
        classes: number of classes.
        ridge: above 0; makes the solution unique.
        steps: of L-BFGS, at most.
    """
    made = Readout(features.shape[1], classes).to(features)
    spread, mean = torch.std_mean(features, 0, correction=0)
    made.get_buffer("mean").copy_(mean)
    # a feature that does not vary says nothing, and stays out
    made.get_buffer("inverse").copy_(torch.where(spread > 1e-4 * features.abs().amax(), 1 / spread, 0.0))
    optimizer = torch.optim.LBFGS(made.parameters(), max_iter=steps, history_size=20, line_search_fn="strong_wolfe", tolerance_grad=1e-6)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(made(features), labels) + ridge / 2 * made.weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return made.requires_grad_(False)


# --8<-- [end:readout]
