"""An experiment: its settings, how it is trained, and how its weights are judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from torch import Tensor

    from kexue.training.run import Run


@dataclass(frozen=True)
class Experiment:
    """Base of all experiments: a frozen set of plain settings and three functions.

    A subclass adds its settings as fields (numbers, strings, truth values, and tuples of these) and defines
    :meth:`train`, :meth:`evaluate` and :meth:`data`. The default values are the full settings; :meth:`small` returns those
    that two CPU cores train.

    Attributes:
        name: ``experiment/run``, such as ``"gumbel-softmax/mnist-st"``.
        seeds: one training each.
    """

    name: str
    seeds: tuple[int, ...] = (0, 1, 2)

    #: how far a fresh evaluation of the shipped weights may be from the record, by metric, absolutely; ``"*"`` for those not named
    tolerance: ClassVar[Mapping[str, float]] = {}

    @property
    def title(self) -> str:
        """One line in words."""
        return self.name

    def small(self) -> Self:
        """The same experiment with settings for two CPU cores."""
        return self

    def train(self, run: Run) -> dict[str, Tensor]:
        """Train with one seed and return the weights.

        Args:
            run: device, generator, progress and state of this seed.
        """
        raise NotImplementedError

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        """Return the final metrics of some weights, the same for the same weights on every call.

        Args:
            weights: what :meth:`train` returned, possibly rounded to half precision.
            run: device of the evaluation; its generator is fresh.
        """
        raise NotImplementedError

    def shipped(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return those of the weights that are shipped; all, unless an experiment trains more than it can ship.

        :meth:`evaluate` judges what it is given: of a seed all weights, of a shipped run these.
        """
        return weights

    def data(self) -> dict[str, Any]:
        """Return what the record says of the data: at least ``name``, ``version`` and ``sha256``."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """The settings as plain values, without name and seeds: what the record keeps and a resume compares."""
        return {key: value for key, value in plain_settings(self).items() if key not in ("name", "seeds")}


def plain_settings(experiment: Experiment) -> dict[str, Any]:
    """All fields of an experiment as values that JSON returns unchanged (tuples become lists)."""
    return {f.name: _plain(getattr(experiment, f.name), f.name) for f in dataclasses.fields(experiment)}


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(v, name) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"the setting {name!r} must be a number, a string, a truth value or a tuple of these, got {type(value).__name__}")


def with_settings(experiment: Experiment, settings: Mapping[str, Any]) -> Experiment:
    """The experiment with other settings, as read from a record.

    Raises:
        ValueError: if a setting is unknown: the record was made by another version of the experiment.
    """
    known = {f.name for f in dataclasses.fields(experiment)}
    if strange := sorted(set(settings) - known):
        raise ValueError(f"the experiment {experiment.name!r} has no setting {', '.join(strange)}; it has {', '.join(sorted(known))}")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    return dataclasses.replace(experiment, **values)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How two sets of settings differ, one line for each.

    >>> differences({"lr": 0.1, "steps": 5}, {"lr": 0.2, "steps": 5})
    ['lr: 0.1 then, 0.2 now']
    """
    keys = sorted(set(old) | set(new))
    return [f"{k}: {old.get(k, 'absent')} then, {new.get(k, 'absent')} now" for k in keys if old.get(k, KeyError) != new.get(k, KeyError)]
