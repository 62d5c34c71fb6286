r"""Random networks of finite width, in which the predictions for infinite width are measured.

``h^0`` is given, ``h^{l+1} = W^l f(h^l) + b^l`` with weights ``N(0, weight / width)`` and biases ``N(0, bias)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kexue.mathematics.activations import Activation, activation

__all__ = ["Profile", "correlations", "growth_per_layer", "profile"]


@dataclass(frozen=True)
class Profile:
    """What was measured in a stack of random networks.

    Attributes:
        q: mean square of the pre-activations ``h^l``, ``(networks, depth + 1)``.
        gradient: squared norm of the gradient at ``h^l`` over that at the top layer, ``(networks, depth + 1)``.
    """

    q: Tensor
    gradient: Tensor


def _layer(networks: int, width: int, weight: float, bias: float, like: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weights ``(networks, width, width)`` and biases ``(networks, 1, width)`` of one layer."""
    w = torch.randn(networks, width, width, generator=generator, dtype=like.dtype) * math.sqrt(weight / width)
    return w, torch.randn(networks, 1, width, generator=generator, dtype=like.dtype) * math.sqrt(bias)


# --8<-- [start:profile]
def profile(
    f: Activation | str,
    depth: int,
    *,
    generator: torch.Generator,
    width: int = 256,
    networks: int = 8,
    inputs: int = 4,
    weight: float = 1.0,
    bias: float = 0.0,
    q0: float = 1.0,
) -> Profile:
    """Send signals up and gradients down through random networks of `depth` layers.

    The signals are normal with variance `q0`; the gradients at the top are normal and know nothing of the network, as the theory assumes.

    Args:
        f: an activation or its name.
        depth: number of layers.
        generator: of weights, signals and gradients.
        width: units per layer.
        networks: how many networks.
        inputs: signals per network, over which the squares are averaged.
        weight: variance of the weights times `width`.
        bias: variance of the biases.
        q0: mean square of the first pre-activations, set exactly.
    """
    g = activation(f) if isinstance(f, str) else f
    first = torch.randn(networks, inputs, width, generator=generator)
    first = first * (q0 / first.pow(2).mean(-1, keepdim=True)).sqrt()
    signals = [first.requires_grad_()]
    for _ in range(depth):
        w, b = _layer(networks, width, weight, bias, first, generator)
        signals.append(g(signals[-1]) @ w + b)
    top = torch.randn(signals[-1].shape, generator=generator)
    gradients = torch.autograd.grad(signals[-1], signals, top)
    squares = torch.stack([d.pow(2).sum((1, 2)) for d in gradients], 1)  # (networks, depth + 1)
    q = torch.stack([h.detach().pow(2).mean((1, 2)) for h in signals], 1)
    return Profile(q, squares / squares[:, -1:])


# --8<-- [end:profile]


def growth_per_layer(squares: Tensor) -> float:
    """The factor per layer from the top down of squares ``(networks, depth + 1)``: a straight line through the mean logarithms.

    >>> round(growth_per_layer(torch.tensor([[8.0, 4.0, 2.0, 1.0]])), 6)
    2.0
    """
    logs = squares.double().log().mean(0)
    layers = torch.arange(len(logs), dtype=torch.float64)
    centred = layers - layers.mean()
    return math.exp(-float(centred @ logs / (centred @ centred)))


def correlations(
    f: Activation | str,
    depth: int,
    *,
    generator: torch.Generator,
    width: int = 256,
    networks: int = 8,
    weight: float = 1.0,
    bias: float = 0.0,
) -> Tensor:
    """Cosines of the pre-activations of two inputs, orthogonal at first, in layers 0 … `depth`: ``(networks, depth + 1)``."""
    g = activation(f) if isinstance(f, str) else f
    pair = torch.randn(networks, 2, width, generator=generator)
    along = (pair[:, 0] * pair[:, 1]).sum(-1, keepdim=True) / pair[:, 0].pow(2).sum(-1, keepdim=True)
    pair[:, 1] -= along * pair[:, 0]
    h = pair / pair.pow(2).mean(-1, keepdim=True).sqrt()
    cosines = [torch.nn.functional.cosine_similarity(h[:, 0], h[:, 1], dim=-1)]
    for _ in range(depth):
        w, b = _layer(networks, width, weight, bias, h, generator)
        h = g(h) @ w + b
        cosines.append(torch.nn.functional.cosine_similarity(h[:, 0], h[:, 1], dim=-1))
    return torch.stack(cosines, 1)
