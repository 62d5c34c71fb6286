"""Weight averaging: a second set of weights that follows the first one slowly, and is usually the better one.

The average does not change the optimiser's path; that is its difference from momentum. See the chapter on weight averaging.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class Ema(Generic[M]):
    r"""Exponential moving average of a module's parameters.

    .. math:: \Theta_n = \alpha_n \Theta_{n-1} + (1 - \alpha_n)\,\theta_n, \qquad \alpha_n = \min\Bigl(\alpha, \frac{n}{n + w}\Bigr)

    starting at :math:`\Theta_0 = \theta_0`. With the warm-up :math:`w = 1` the average is the plain mean of all weights so far until its
    memory of :math:`1/(1-\alpha)` steps is full; with a larger one it forgets the start sooner (its memory is :math:`n/w` steps);
    with :math:`w = 0` the decay is :math:`\alpha` from the first step.

    It has ``state_dict`` and ``load_state_dict`` and so can be one of the ``parts`` of :func:`kexue.training.fit`; a GAN's training has
    ``parts={"generator": g, "critic": c, "opt_g": opt_g, "opt_c": opt_c, "average": Ema(g, 0.999)}`` and calls ``average.update()``
    behind the generator's step.

    Args:
        module: the bare module that is trained (what went into ``run.setup``, not what came out).
        decay: :math:`\alpha`, in [0, 1).
        warm_up: :math:`w`, at least 0.
        buffers: average buffers of floating type too (running statistics); otherwise they are copied, as whole numbers always are.

    Attributes:
        module: the averaged copy, in evaluation mode, without gradients.
        updates: number n of updates so far.

    Raises:
        ValueError: if the decay is outside [0, 1), the warm-up is negative, or the parameters' type is so coarse that the average
            would stand still (:math:`1 - \alpha` below its rounding error).

    Source: Polyak & Juditsky 1992 (uniform means); Yazıcı et al. 2019, arXiv:1806.04498 (for GANs).

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> average = Ema(layer.requires_grad_(False), decay=0.75)
    >>> start = layer.weight.item()
    >>> _ = layer.weight.add_(4.0)
    >>> average.update()
    >>> round(average.module.weight.item() - start, 5)
    1.0
    """

    def __init__(self, module: M, decay: float = 0.999, *, warm_up: float = 0.0, buffers: bool = False) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"the decay must be in [0, 1), got {decay}")
        if not warm_up >= 0:
            raise ValueError(f"the warm-up must be at least 0, got {warm_up}")
        for name, parameter in module.named_parameters():
            if parameter.is_floating_point() and 1 - decay < torch.finfo(parameter.dtype).eps:
                raise ValueError(f"{name} is {parameter.dtype}, too coarse for an average with decay {decay}: keep the weights in float32")
        self.decay, self.warm_up, self.buffers = decay, warm_up, buffers
        self.updates = 0
        self.source: M = module
        self.module: M = copy.deepcopy(module).requires_grad_(False).eval()

    def decay_at(self, update: int) -> float:
        """The decay :math:`α_n` of the n-th update, n = 1, 2, …"""
        return min(self.decay, update / (update + self.warm_up))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the module's present weights: call it right after the optimiser's step."""
        self.updates += 1
        weight = 1 - self.decay_at(self.updates)
        followed, copied = self._pairs()
        for old, new in followed:
            old.lerp_(new, weight)
        for old, new in copied:
            old.copy_(new)

    def _pairs(self) -> tuple[list[tuple[Tensor, Tensor]], list[tuple[Tensor, Tensor]]]:
        """Tensors of the copy beside those of the module: the averaged ones, and the copied ones."""
        parameters = list(zip(self.module.parameters(), self.source.parameters(), strict=True))
        if parameters and parameters[0][0].device != parameters[0][1].device:  # setup moved the module after this object was made
            self.module.to(parameters[0][1].device)
            parameters = list(zip(self.module.parameters(), self.source.parameters(), strict=True))
        followed: list[tuple[Tensor, Tensor]] = [(old, new) for old, new in parameters]
        copied: list[tuple[Tensor, Tensor]] = []
        for old, new in zip(self.module.buffers(), self.source.buffers(), strict=True):
            (followed if self.buffers and old.is_floating_point() else copied).append((old, new))
        return followed, copied

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and the number of updates."""
        return {"module": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; decay and warm-up are those of this object."""
        self.module.load_state_dict(state["module"])
        self.updates = int(state["updates"])


@contextmanager
def swapped(module: nn.Module, other: nn.Module) -> Iterator[None]:
    """Within the context ``module`` has the parameters and buffers of ``other``, and ``other`` those of ``module``.

    Evaluates averaged weights in a module that others hold on to; the training then goes on as if nothing had happened.

    Raises:
        ValueError: if the two have not the same tensors.
    """
    _exchange(module, other)
    try:
        yield
    finally:
        _exchange(module, other)


@torch.no_grad()
def _exchange(one: nn.Module, two: nn.Module) -> None:
    here, there = one.state_dict(), two.state_dict()
    if {k: v.shape for k, v in here.items()} != {k: v.shape for k, v in there.items()}:
        raise ValueError(f"weights cannot be swapped: {sorted(here)} and {sorted(there)} differ in names or shapes")
    for name, tensor in here.items():
        kept = tensor.clone()
        tensor.copy_(there[name])
        there[name].copy_(kept)
