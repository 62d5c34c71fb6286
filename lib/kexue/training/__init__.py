"""The book's trainer: experiments, the loop, states that survive, and the runner that makes records.

The pieces stand alone: :mod:`~kexue.training.loop` trains, :mod:`~kexue.training.state` survives,
:mod:`~kexue.training.batches` orders the data, :mod:`~kexue.training.pictures` parts them, :mod:`~kexue.training.rates` lowers the
rate, :mod:`~kexue.training.progress` shows, :mod:`~kexue.training.registry` finds, :mod:`~kexue.training.runner` makes records.
Names are imported at first use: a chapter's page that only reads a record does not wait for Fabric.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kexue.training.averaging import Ema
    from kexue.training.batches import Batches
    from kexue.training.callbacks import Album, Moment, Patience, every
    from kexue.training.experiment import Experiment
    from kexue.training.loop import DivergedError, Interrupted, SettingsChangedError, fit
    from kexue.training.registry import experiments, find, register
    from kexue.training.run import Run
    from kexue.training.runner import Comparison, evaluate, train

_WHERE = {
    "Album": "callbacks",
    "Batches": "batches",
    "Comparison": "runner",
    "DivergedError": "loop",
    "Ema": "averaging",
    "Experiment": "experiment",
    "Interrupted": "loop",
    "Moment": "callbacks",
    "Patience": "callbacks",
    "Run": "run",
    "SettingsChangedError": "loop",
    "evaluate": "runner",
    "every": "callbacks",
    "experiments": "registry",
    "find": "registry",
    "fit": "loop",
    "register": "registry",
    "train": "runner",
}
__all__ = [
    "Album",
    "Batches",
    "Comparison",
    "DivergedError",
    "Ema",
    "Experiment",
    "Interrupted",
    "Moment",
    "Patience",
    "Run",
    "SettingsChangedError",
    "evaluate",
    "every",
    "experiments",
    "find",
    "fit",
    "register",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
