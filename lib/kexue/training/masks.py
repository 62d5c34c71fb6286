"""Masks: over the padding of sequences, and over the parameters that a step may change.

Padding makes a ragged batch rectangular; an operation is right if the padding, whatever is written in it, does not change its result.
A mask is a tensor of truth values, true where the data are. Positions without any data give 0, never NaN: not in the result,
and not in the gradient. See the chapter on layers and masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def valid(lengths: Tensor, longest: int | None = None) -> Tensor:
    """The mask of sequences of given lengths, shape ``(B, T)``.

    Args:
        lengths: whole numbers ``(B,)``.
        longest: T; the largest length if absent.

    Raises:
        ValueError: if a length is negative or beyond T.

    >>> valid(torch.tensor([2, 0, 3])).int().tolist()
    [[1, 1, 0], [0, 0, 0], [1, 1, 1]]
    """
    size = int(lengths.max()) if longest is None else longest
    if bool((lengths < 0).any()) or bool((lengths > size).any()):
        raise ValueError(f"lengths must be in 0 … {size}, got {lengths.tolist()}")
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def _fits(x: Tensor, mask: Tensor) -> Tensor:
    """The mask with as many dimensions as ``x``."""
    if mask.dtype != torch.bool:
        raise ValueError(f"a mask must hold truth values, got {mask.dtype}")
    if mask.shape != x.shape[: mask.ndim]:
        raise ValueError(f"a mask of shape {tuple(mask.shape)} does not fit {tuple(x.shape)}: its dimensions must be the first ones")
    return mask.reshape(*mask.shape, *([1] * (x.ndim - mask.ndim)))


def masked_mean(x: Tensor, mask: Tensor, dim: int = 1) -> Tensor:
    """Mean over the valid positions of ``dim``; 0 where there are none.

    Args:
        x: values ``(B, T, …)``.
        mask: ``(B, T)``.
        dim: the dimension to take the mean over.
    """
    fits = _fits(x, mask)
    total = x.masked_fill(~fits, 0).sum(dim)  # not x * mask: what is in the padding may be infinite
    return total / fits.sum(dim).clamp_min(1)


def masked_max(x: Tensor, mask: Tensor, dim: int = 1) -> Tensor:
    """Maximum over the valid positions of ``dim``; 0 where there are none. Shapes as for :func:`masked_mean`."""
    fits = _fits(x, mask)
    largest = x.masked_fill(~fits, torch.finfo(x.dtype).min).amax(dim)
    return largest.masked_fill(~fits.any(dim), 0)


def masked_softmax(logits: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the valid positions of ``dim``: exactly 0 at the others, and everywhere where there are no valid ones.

    Args:
        logits: any shape.
        mask: of the same shape, or broadcast to it from its last dimensions.
        dim: the dimension that adds up to 1.
    """
    if mask.dtype != torch.bool:
        raise ValueError(f"a mask must hold truth values, got {mask.dtype}")
    some = mask.any(dim, keepdim=True)
    safe = logits.masked_fill(~mask, float("-inf")).masked_fill(~some, 0)  # a row of −∞ would be NaN
    return torch.softmax(safe, dim).masked_fill(~mask, 0)


def reverse_valid(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the valid part of each sequence and leave the padding where it is: what the backward half of an RNN reads.

    Args:
        x: ``(B, T, …)``.
        lengths: ``(B,)``.

    >>> reverse_valid(torch.tensor([[1, 0, 3, 4, 5, 0, 0, 0]]), torch.tensor([5])).tolist()
    [[5, 4, 3, 0, 1, 0, 0, 0]]
    """
    mask = valid(lengths, x.shape[1])
    places = torch.arange(x.shape[1], device=x.device).expand(mask.shape)  # (B, T)
    places = torch.where(mask, lengths[:, None] - 1 - places, places)
    index = places.reshape(*places.shape, *([1] * (x.ndim - 2))).expand(x.shape)
    return x.gather(1, index)


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Within the context the parameters of some modules get no gradient; gradients still pass through to their inputs.

    For the generator's step of a GAN, in which the critic's gradients would be computed for nothing.

    >>> critic = nn.Linear(2, 1)
    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> with frozen(critic):
    ...     critic(x).sum().backward()
    >>> critic.weight.grad is None, x.grad is None, critic.weight.requires_grad
    (True, False, True)
    """
    free = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in free:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in free:
            parameter.requires_grad_(True)
