"""Free outputs: any tensor of a network can be watched, and any number averaged rightly.

A network need not have its outputs fixed beforehand. :func:`watch` shows what its inner layers give, :class:`Means` takes running
means that weigh each batch by its size, and :class:`Counts` keeps what a ratio such as F1 needs: ratios of batches do not average.
See the chapters on intermediate variables and on free outputs.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


@contextmanager
def watch(module: nn.Module, *patterns: str) -> Iterator[dict[str, Tensor]]:
    """Within the context, the outputs of inner modules are kept by name, detached, the last one of each.

    Training does not change: the tensors are only looked at, and the hooks are gone when the context ends.

    Args:
        module: a network.
        patterns: names of inner modules, such as ``"encoder.*"``; a name without a match is an error.

    Yields:
        A dictionary that each forward pass fills.

    Raises:
        ValueError: if a pattern matches no module.

    >>> import torch
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> with watch(net, "1") as seen:
    ...     _ = net(torch.ones(4, 2))
    >>> seen["1"].shape, seen["1"].requires_grad
    (torch.Size([4, 3]), False)
    """
    names = dict(module.named_modules())
    seen: dict[str, Tensor] = {}
    handles: list[RemovableHandle] = []

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            seen[name] = (output[0] if isinstance(output, tuple) else output).detach()

        return hook

    try:
        for pattern in patterns:
            matching = [name for name in names if name and fnmatch.fnmatchcase(name, pattern)]
            if not matching:
                raise ValueError(f"no inner module is named {pattern!r}; there are {', '.join(filter(None, names)) or 'none'}")
            handles += [names[name].register_forward_hook(keep(name)) for name in matching]
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@dataclass
class Means:
    r"""Weighted running means by name, :math:`\sum_b n_b m_b / \sum_b n_b`.

    >>> means = Means()
    >>> for batch in ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9]):
    ...     means.add({"x": sum(batch) / len(batch)}, weight=len(batch))
    >>> means.take(), means.take()
    ({'x': 4.5}, {})
    """

    sums: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)

    def add(self, values: Mapping[str, float], weight: float = 1.0) -> None:
        """Take in one batch: its means, and its size."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + weight * value
            self.weights[name] = self.weights.get(name, 0.0) + weight

    def take(self) -> dict[str, float]:
        """The means since they were last taken."""
        found = {name: total / self.weights[name] for name, total in self.sums.items()}
        self.sums, self.weights = {}, {}
        return found

    def state_dict(self) -> dict[str, Any]:
        """Sums and weights."""
        return {"sums": dict(self.sums), "weights": dict(self.weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.sums, self.weights = dict(state["sums"]), dict(state["weights"])


@dataclass
class Counts:
    """Hits and misses of a yes-or-no decision, over any number of batches.

    >>> counts = Counts()
    >>> counts.add(hits=3, false_alarms=1, misses=2)
    >>> counts.add(hits=0, false_alarms=1, misses=0)
    >>> round(counts.precision, 3), counts.recall, round(counts.f1, 3)
    (0.6, 0.6, 0.6)
    """

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0

    def add(self, *, hits: int, false_alarms: int, misses: int) -> None:
        """Take in one batch."""
        self.hits += hits
        self.false_alarms += false_alarms
        self.misses += misses

    @property
    def precision(self) -> float:
        """Share of the alarms that were right; 0 without alarms."""
        return self.hits / max(self.hits + self.false_alarms, 1)

    @property
    def recall(self) -> float:
        """Share of the true cases that were found; 0 without true cases."""
        return self.hits / max(self.hits + self.misses, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, from the counts; 0 without hits."""
        return 2 * self.hits / max(2 * self.hits + self.false_alarms + self.misses, 1)
