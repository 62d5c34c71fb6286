r"""Plain deep networks that differ in activation, gain, depth and normalisation, many of them trained side by side.

A *plain* net has no shortcut: ``depth`` hidden layers of equal width, then a linear readout. Nets of the same depth and normalisation lie
in one stack of tensors, so that a layer of all of them is one batched product; their losses are added, and since no weight belongs to two
nets each is trained as if it were alone. All nets of a stack begin with the same normal numbers, times their gain, and see the same
batches: what differs between two of them is what their names say.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kexue.mathematics.activations import activation, gain
from kexue.mathematics.activations_depth import critical_init

__all__ = ["GAINS", "KINDS", "NORMS", "Net", "PlainNets", "correct", "gradient_ratio", "losses", "net_of", "nets_of"]

GAINS = ("one", "own")  # weights N(0, 1/fan-in), or times the activation's own gain
EDGE = re.compile(r"edge([1-9]\d*)")  # edge100 is the critical start, edge120 has 120 % of its variance of weights
NORMS = ("none", "batch")
KINDS = ("dense", "conv")
LARGEST = 1e300  # stands for a gradient that is no number, and its inverse for none


# --8<-- [start:net]
@dataclass(frozen=True)
class Net:
    """One plain net in words.

    Attributes:
        activation: name of the registry of :mod:`kexue.mathematics.activations`.
        gain: ``one`` or ``own``: the scale of the hidden weights, times ``fan_in ** -0.5``; or ``edge100`` for the critical start, with
            random biases; another number is the variance of its weights in per cent of the critical one.
        depth: number of hidden layers.
        norm: ``none``, or ``batch`` for batch normalisation before every activation.
    """

    activation: str
    gain: str
    depth: int
    norm: str

    def __post_init__(self) -> None:
        activation(self.activation)
        known = self.gain in GAINS or (EDGE.fullmatch(self.gain) and self.norm == "none")
        if not known or self.norm not in NORMS or self.depth < 1:
            gains = f"a gain out of {', '.join(GAINS)}, or edge100 and the like without a norm"
            expected = f"{gains}, a norm out of {', '.join(NORMS)} and a depth of at least 1"
            raise ValueError(f"expected {expected}, got {self.gain!r}, {self.norm!r} and {self.depth}")

    @property
    def name(self) -> str:
        """Such as ``swish-own-20-none``."""
        return f"{self.activation}-{self.gain}-{self.depth}-{self.norm}"

    @property
    def variances(self) -> tuple[float, float]:
        """Variance of a hidden layer's first weights times its fan-in, and of its first biases."""
        if found := EDGE.fullmatch(self.gain):
            weight, bias = critical_init(self.activation)
            return int(found[1]) / 100 * weight, bias
        return (gain(self.activation) ** 2 if self.gain == "own" else 1.0), 0.0


# --8<-- [end:net]


def net_of(name: str) -> Net:
    """The net of a name.

    Raises:
        ValueError: if it is not the name of a net.

    >>> net_of("leaky-relu-own-8-batch")
    Net(activation='leaky-relu', gain='own', depth=8, norm='batch')
    """
    parts = name.rsplit("-", 3)
    if len(parts) != 4 or not parts[2].isdecimal():
        raise ValueError(f"a net is named activation-gain-depth-norm, got {name!r}")
    return Net(parts[0], parts[1], int(parts[2]), parts[3])


def nets_of(activations: Iterable[str], gains: Iterable[str], depths: Iterable[int], norms: Iterable[str]) -> list[tuple[Net, ...]]:
    """All nets of a grid, in stacks of one depth and one normalisation."""
    pairs = list(itertools.product(activations, gains))
    return [tuple(Net(a, g, depth, norm) for a, g in pairs) for depth, norm in itertools.product(depths, norms)]


# --8<-- [start:stack]
class PlainNets(nn.Module):
    """A stack of plain nets of one depth and one normalisation.

    Every parameter has the layers first and the nets second: ``(layers, nets, …)``. Dense signals are ``(nets, units, examples)``,
    those of convolutions ``(examples, nets × channels, height, width)``. Convolutions are 3×3; the first and the middle one halve the
    picture, and the readout sees the mean over what is left.

    Args:
        nets: of the same depth and normalisation.
        inputs: pixels of a picture; not used by convolutions.
        width: units or channels of a hidden layer.
        classes: number of classes.
        kind: ``dense`` or ``conv``.
        generator: draws the weights, and biases where a net wants some, the same for every net up to its variances; the first layer and
            the readout have gain 1 and no biases.

    Raises:
        ValueError: for nets of several depths or normalisations, none, or an unknown kind.
    """

    def __init__(
        self,
        nets: Sequence[Net],
        *,
        inputs: int,
        width: int,
        classes: int = 10,
        kind: str = "dense",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if len({(net.depth, net.norm) for net in nets}) != 1 or kind not in KINDS:
            found = ", ".join(net.name for net in nets) or "none"
            raise ValueError(f"a stack is of nets of one depth and norm and of a kind out of {', '.join(KINDS)}, got {found}; {kind!r}")
        self.nets, self.kind, self.depth, self.norm = tuple(nets), kind, nets[0].depth, nets[0].norm
        self.groups = [(activation(a), len(list(same))) for a, same in itertools.groupby(net.activation for net in nets)]
        count, window = len(nets), () if kind == "dense" else (3, 3)
        scales, spreads = torch.tensor([[math.sqrt(v) for v in net.variances] for net in nets]).T

        def draw(layers: int, rows: int, columns: int, *window: int) -> Tensor:
            drawn = torch.randn(layers, 1, rows, columns, *window, generator=generator)
            return (drawn / math.sqrt(columns * math.prod(window))).repeat(1, count, *[1] * (drawn.ndim - 2))

        self.first = nn.Parameter(draw(1, width, inputs if kind == "dense" else 1, *window))
        hidden = draw(self.depth - 1, width, width, *window)
        self.hidden = nn.Parameter(hidden * scales.view(-1, *[1] * (hidden.ndim - 2)))
        self.shift = nn.Parameter(torch.zeros(self.depth, count, width))
        self.head = nn.Parameter(draw(1, classes, width))
        self.bias = nn.Parameter(torch.zeros(1, count, classes))
        if spreads.any():
            drawn = torch.randn(self.depth - 1, 1, width, generator=generator)
            self.shift.data[1:] = spreads[:, None] * drawn
        if self.norm == "batch":
            self.scale = nn.Parameter(torch.ones(self.depth, count, width))
            self.register_buffer("mean", torch.zeros(self.depth, count, width))
            self.register_buffer("var", torch.ones(self.depth, count, width))

    def forward(self, x: Tensor, keep: list[Tensor] | None = None) -> Tensor:
        """Logits ``(nets, classes, examples)`` of pictures ``(examples, height, width)``; the pre-activations are added to `keep`."""
        h = x.flatten(1).T if self.kind == "dense" else x[:, None]
        weights = (*self.first, *self.hidden.unbind(0)) if self.depth > 1 else tuple(self.first)
        shifts = self.shift.unbind(0)
        scales = self.scale.unbind(0) if self.norm == "batch" else shifts
        for layer, (w, shift, scale) in enumerate(zip(weights, shifts, scales, strict=True)):
            z = self._product(w, h, layer)
            z = self._normalised(z, scale, shift, layer) if self.norm == "batch" else z + self._per_unit(shift)
            if keep is not None:
                keep.append(z)
            h = self._activated(z)
        if self.kind == "conv":
            h = h.mean((2, 3)).view(len(x), len(self.nets), -1).permute(1, 2, 0)
        return torch.baddbmm(self.bias[0][:, :, None], self.head[0], h)

    def _product(self, w: Tensor, h: Tensor, layer: int) -> Tensor:
        """One layer's linear map of all nets; the first layer's input is one for all."""
        if self.kind == "dense":
            return (w.flatten(0, 1) @ h).view(*w.shape[:2], -1) if layer == 0 else w @ h
        groups = 1 if layer == 0 else len(self.nets)
        return F.conv2d(h, w.flatten(0, 1), stride=2 if layer in (0, self.depth // 2) else 1, padding=1, groups=groups)

    def _per_unit(self, values: Tensor) -> Tensor:
        return values[:, :, None] if self.kind == "dense" else values.view(1, -1, 1, 1)

    def _normalised(self, z: Tensor, scale: Tensor, shift: Tensor, layer: int) -> Tensor:
        """Batch normalisation of every unit of every net; dense signals are one example with a row of values for each channel."""
        rows = z.view(1, -1, z.shape[-1]) if self.kind == "dense" else z
        mean, var = self.get_buffer("mean")[layer].view(-1), self.get_buffer("var")[layer].view(-1)
        return F.batch_norm(rows, mean, var, scale.reshape(-1), shift.reshape(-1), self.training).view(z.shape)

    def _activated(self, z: Tensor) -> Tensor:
        axis = 0 if self.kind == "dense" else 1
        each = z.shape[axis] // len(self.nets)
        parts = torch.split(z, [count * each for _, count in self.groups], axis)
        return torch.cat([f.function(part) for (f, _), part in zip(self.groups, parts, strict=True)], axis)

    def taken_apart(self) -> dict[str, dict[str, Tensor]]:
        """The weights of each net by the net's name; each tensor has one net."""
        state = self.state_dict()
        return {net.name: {key: w[:, i : i + 1].clone() for key, w in state.items()} for i, net in enumerate(self.nets)}

    @classmethod
    def put_together(cls, weights: Mapping[str, Mapping[str, Tensor]]) -> PlainNets:
        """The stack of nets by their names, the inverse of :meth:`taken_apart`, ready for use."""
        names = list(weights)
        first, head = weights[names[0]]["first"], weights[names[0]]["head"]
        kind = "dense" if first.ndim == 4 else "conv"
        made = cls([net_of(name) for name in names], inputs=first.shape[3], width=first.shape[2], classes=head.shape[2], kind=kind)
        made.load_state_dict({key: torch.cat([weights[name][key].float() for name in names], 1) for key in weights[names[0]]})
        return made.eval().requires_grad_(False)


# --8<-- [end:stack]


def losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each net in nats, ``(nets,)``, from logits ``(nets, classes, examples)`` and labels ``(examples,)``."""
    return F.cross_entropy(logits, labels.expand(len(logits), -1), reduction="none").mean(1)


@torch.no_grad()
def correct(nets: PlainNets, images: Tensor, labels: Tensor, *, chunk: int = 1000) -> Tensor:
    """Share of right answers of each net, float64 ``(nets,)``; the nets are left in the mode they were in.

    Where the answers of a net are no numbers it is taken to name the first class.
    """
    training = nets.training
    nets.eval()
    answers = torch.cat([nets(rows).nan_to_num(0.0, 0.0, 0.0).argmax(1) for rows in torch.split(images, chunk)], 1)
    nets.train(training)
    return (answers == labels).double().mean(1)


# --8<-- [start:gradient]
def gradient_ratio(nets: PlainNets, images: Tensor, labels: Tensor) -> Tensor:
    r"""How much smaller a net's gradient is at the beginning than at the end of the net.

    :math:`\log_{10}\|\partial\mathcal L/\partial z_1\|/\|\partial\mathcal L/\partial z_L\|` with the pre-activations :math:`z_l` of all
    examples. For wide nets whose gain keeps the signal's size it is :math:`\frac{L-1}2\log_{10}\chi`.

    Args:
        nets: normalised by these very images, and left as they were.
        images: ``(examples, height, width)``.
        labels: ``(examples,)``.

    Returns:
        float64 ``(nets,)``.
    """
    kept: list[Tensor] = []
    training, before = nets.training, {name: buffer.clone() for name, buffer in nets.named_buffers()}
    total = losses(nets.train()(images, kept), labels).sum()
    gradients = torch.autograd.grad(total, [kept[0], kept[-1]])
    nets.train(training)
    for name, buffer in nets.named_buffers():
        buffer.copy_(before[name])
    norms = []
    for gradient in gradients:
        apart = gradient if nets.kind == "dense" else gradient.view(len(images), len(nets.nets), -1).transpose(0, 1)
        # squares of 1e-30 are below what single precision holds
        norms.append(apart.flatten(1).double().norm(dim=1).nan_to_num(LARGEST).clamp(1 / LARGEST, LARGEST))
    return torch.log10(norms[0]) - torch.log10(norms[1])


# --8<-- [end:gradient]
