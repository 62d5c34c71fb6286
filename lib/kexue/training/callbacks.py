"""Callbacks: what else shall happen along a training.

A callback is any function of a :class:`Moment`. It is called after each step; if it returns a true value the training ends there, as
finished. One that has ``state_dict`` and ``load_state_dict`` survives a kill like models and optimisers do.
A callback that looks at a tensor on a GPU makes the CPU wait for it: look seldom (:func:`every`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moment:
    """Where a training stands.

    Attributes:
        step: steps done.
        steps: steps of the whole training.
        point: the metrics, if this step has a point of the curve.
    """

    step: int
    steps: int
    point: Mapping[str, float] | None = None

    @property
    def last(self) -> bool:
        """Whether this is the last step."""
        return self.step == self.steps


Callback = Callable[[Moment], Any]


def every(steps: int, function: Callback) -> Callback:
    """Call a function at each multiple of ``steps`` and at the last step.

    Raises:
        ValueError: if ``steps`` is less than 1.

    >>> at = []
    >>> callback = every(4, lambda moment: at.append(moment.step))
    >>> for step in range(1, 11):
    ...     callback(Moment(step, 10))
    >>> at
    [4, 8, 10]
    """
    if steps < 1:
        raise ValueError(f"a callback must wait at least one step, got {steps}")

    def callback(moment: Moment) -> Any:
        return function(moment) if moment.step % steps == 0 or moment.last else None

    return callback


@dataclass
class Patience:
    """Ends a training whose metric has not fallen for some points of the curve.

    Attributes:
        metric: a metric of the curve; smaller is better.
        points: points to wait for a better one.
        least: by how much a better one must be better.
    """

    metric: str
    points: int
    least: float = 0.0
    best: float = math.inf
    waited: int = 0

    def __call__(self, moment: Moment) -> bool:
        if moment.point is None:
            return False
        if self.metric not in moment.point:
            raise ValueError(f"patience is for {self.metric!r}, which is not among the metrics {', '.join(moment.point)}")
        value = moment.point[self.metric]
        better = value < self.best - self.least
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
        return self.waited >= self.points

    def state_dict(self) -> dict[str, Any]:
        """The best value and how long ago it was."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.best, self.waited = state["best"], state["waited"]


@dataclass
class Album:
    """Keeps tensors along a training, such as samples for a scrubber over its steps.

    Attributes:
        take: takes the number of steps done; returns tensors by name, each of the same shape every time.
        at: steps at which to take them (0 is not among them: take it yourself before the training, by :meth:`add`).
        steps: steps at which they were taken.
        pages: what was taken.

    >>> album = Album(lambda step: {"x": torch.full((2,), float(step))}, at=(1, 3))
    >>> for step in range(1, 5):
    ...     album(Moment(step, 4))
    >>> album.steps, album.stacked()["x"].tolist()
    ([1, 3], [[1.0, 1.0], [3.0, 3.0]])
    """

    take: Callable[[int], Mapping[str, Tensor]]
    at: tuple[int, ...]
    steps: list[int] = field(default_factory=list)
    pages: list[dict[str, Tensor]] = field(default_factory=list)

    def __call__(self, moment: Moment) -> None:
        if moment.step in self.at:
            self.add(moment.step)

    def add(self, step: int) -> None:
        """Take the tensors now; a step that is there already is not taken again."""
        if step not in self.steps:
            self.steps.append(step)
            self.pages.append({name: tensor.detach().cpu().clone() for name, tensor in self.take(step).items()})

    def stacked(self) -> dict[str, Tensor]:
        """By name, the tensors of all steps, shape ``(len(steps), …)``."""
        return {name: torch.stack([page[name] for page in self.pages]) for name in (self.pages[0] if self.pages else {})}

    def state_dict(self) -> dict[str, Any]:
        """The pages and their steps."""
        return {"steps": list(self.steps), "pages": list(self.pages)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.steps, self.pages = list(state["steps"]), list(state["pages"])
