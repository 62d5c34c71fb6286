r"""Parameter groups: some layers learn more slowly than others, some not at all, and the schedule moves them together.

An optimiser takes a list of groups, each with a rate of its own; that is all that layer-wise learning rates need.
See the chapter on layer-wise learning rates, which also compares them with scaling the weights themselves.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

Group = dict[str, Any]
FACTOR = "factor"  # key in a group: its rate relative to the base rate


def by_name(
    module: nn.Module, rate: float, factors: Mapping[str, float], *, weight_decay: float = 0.0, decay_all: bool = False
) -> list[Group]:
    """Groups of a module's parameters by their names.

    A parameter belongs to the first pattern that matches its name, and has the factor 1 if none does. Biases and the gains of
    normalisations (all with fewer than two dimensions) have no weight decay unless ``decay_all`` is set. A factor of 0 leaves
    the parameters out: they are not trained. A parameter that is shared is there once.

    Args:
        module: whose parameters are trained; those that require no gradient are left out.
        rate: base rate.
        factors: pattern (``"embedding.*"``) to rate relative to the base rate, at least 0.
        weight_decay: for the optimiser, in each group.
        decay_all: decay biases and gains too.

    Returns:
        Groups for an optimiser, each with ``params``, ``lr``, ``weight_decay`` and ``factor``; the order is that of the parameters.

    Raises:
        ValueError: if a factor is negative, or a pattern matches no parameter.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    >>> [(g["lr"], g["weight_decay"], len(g["params"])) for g in by_name(net, 1.0, {"0.*": 0.5}, weight_decay=0.25)]
    [(0.5, 0.25, 1), (0.5, 0.0, 1), (1.0, 0.25, 1), (1.0, 0.0, 1)]
    """
    if negative := [pattern for pattern, factor in factors.items() if not factor >= 0]:
        raise ValueError(f"a rate cannot be negative: {', '.join(negative)}")
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    if strange := [pattern for pattern in factors if not fnmatch.filter([name for name, _ in named], pattern)]:
        raise ValueError(f"no trained parameter is named {', '.join(strange)}; there are {', '.join(name for name, _ in named)}")
    groups: dict[tuple[float, float], Group] = {}
    for name, parameter in named:
        factor = next((f for pattern, f in factors.items() if fnmatch.fnmatchcase(name, pattern)), 1.0)
        decay = weight_decay if decay_all or parameter.ndim > 1 else 0.0
        if factor:
            group = groups.setdefault((factor, decay), {"params": [], "lr": rate * factor, "weight_decay": decay, FACTOR: factor})
            group["params"].append(parameter)
    return list(groups.values())


def layerwise(layers: Sequence[nn.Module], rate: float, decay: float, *, weight_decay: float = 0.0) -> list[Group]:
    r"""Groups whose rate falls towards the input, :math:`\alpha_l = \alpha\,\xi^{L-l}` for the layers :math:`l = 1, \dots, L`.

    Args:
        layers: from the input to the output; all parameters that shall be trained, each once.
        rate: :math:`\alpha`, that of the last layer.
        decay: :math:`\xi`, in (0, 1] as a rule (1/2.6 in ULMFiT).
        weight_decay: of weights with two or more dimensions.

    Returns:
        Groups for an optimiser.

    Raises:
        ValueError: if the decay is not positive, or two layers share a parameter.

    Source: Howard & Ruder 2018, arXiv:1801.06146.

    >>> [g["lr"] for g in layerwise([nn.Linear(2, 2, bias=False) for _ in range(3)], 1.0, 0.5)]
    [0.25, 0.5, 1.0]
    """
    if not decay > 0:
        raise ValueError(f"the decay of the rates must be positive, got {decay}")
    seen: set[int] = set()
    groups: list[Group] = []
    for depth, layer in enumerate(layers):
        own = {id(p) for p in layer.parameters()}
        if own & seen:
            raise ValueError(f"layer {depth} shares a parameter with an earlier one: whose rate should it have?")
        seen |= own
        factor = decay ** (len(layers) - 1 - depth)
        groups += [{**g, "lr": rate * factor, FACTOR: factor} for g in by_name(layer, rate, {}, weight_decay=weight_decay)]
    return groups


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give an optimiser a new base rate; each group keeps its factor. Schedules of the book call it at each step."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(FACTOR, 1.0)
