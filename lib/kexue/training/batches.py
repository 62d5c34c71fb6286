"""Batches in an order that is a function of seed and step alone, so that a resumed training sees what an unbroken one sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batches:
    """Indices of the batches of a training, without replacement within an epoch.

    The last rows of an epoch's order that do not fill a batch are left out of it; the next epoch's order is another one.

    Attributes:
        count: number of examples.
        size: examples in a batch, over all processes.
        seed: seed of the orders.
        rank: number of this process.
        world: number of processes; each takes its share of each batch.
    """

    count: int
    size: int
    seed: int
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.count:
            raise ValueError(f"a batch must have between 1 and {self.count} examples, got {self.size}")
        if self.size % self.world:
            raise ValueError(f"a batch of {self.size} cannot be shared equally by {self.world} processes")
        if not 0 <= self.rank < self.world:
            raise ValueError(f"the rank must be in 0 … {self.world - 1}, got {self.rank}")

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.count // self.size

    def order(self, epoch: int) -> Tensor:
        """The order of the examples in an epoch, shape ``(count,)``."""
        # One seed from two numbers; epochs of one seed and the same epoch of two seeds get unrelated orders.
        mixed = (self.seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
        return torch.randperm(self.count, generator=torch.Generator().manual_seed(mixed))

    def epoch(self, epoch: int) -> Tensor:
        """The batches of an epoch for this process, shape ``(per_epoch, size // world)``."""
        whole = self.order(epoch)[: self.per_epoch * self.size].view(self.per_epoch, self.size)
        share = self.size // self.world
        return whole[:, self.rank * share : (self.rank + 1) * share]

    def by_step(self, device: torch.device | str = "cpu", *, arranged: Callable[[Tensor], Tensor] | None = None) -> Callable[[int], Tensor]:
        """A function that gives the rows of a step; it keeps the order of one epoch, the last that was asked for.

        Args:
            device: where the rows are wanted.
            arranged: what is to be done to the batches of an epoch, on that device: takes and returns ``(per_epoch, size // world)``.

        Returns:
            A function of the number of the step, from 1 on, with values ``(size // world,)``.

        >>> batches = Batches(count=6, size=2, seed=0)
        >>> rows = batches.by_step()
        >>> [rows(step).tolist() for step in (4, 5, 6)] == batches.epoch(1).tolist()
        True
        """

        @lru_cache(maxsize=1)
        def kept(epoch: int) -> Tensor:
            found = self.epoch(epoch).to(device)
            return found if arranged is None else arranged(found)

        def rows(step: int) -> Tensor:
            if step < 1:
                raise ValueError(f"the first step is 1, got {step}")
            epoch, place = divmod(step - 1, self.per_epoch)
            return kept(epoch)[place]

        return rows
