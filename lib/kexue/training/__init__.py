"""The book's trainer: experiments, the loop, states that survive, and the runner that makes records.

The pieces stand alone: :mod:`~kexue.training.loop` trains, :mod:`~kexue.training.state` survives,
:mod:`~kexue.training.batches` orders the data, :mod:`~kexue.training.progress` shows, :mod:`~kexue.training.registry` finds,
:mod:`~kexue.training.runner` makes records. Names are imported at first use: a chapter's page that only reads a record
does not wait for Fabric.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kexue.training.batches import Batches
    from kexue.training.experiment import Experiment
    from kexue.training.loop import DivergedError, Interrupted, SettingsChangedError, fit
    from kexue.training.registry import experiments, find, register
    from kexue.training.run import Run
    from kexue.training.runner import Comparison, evaluate, train

_WHERE = {
    "Batches": "batches",
    "Comparison": "runner",
    "DivergedError": "loop",
    "Experiment": "experiment",
    "Interrupted": "loop",
    "Run": "run",
    "SettingsChangedError": "loop",
    "evaluate": "runner",
    "experiments": "registry",
    "find": "registry",
    "fit": "loop",
    "register": "registry",
    "train": "runner",
}
__all__ = [
    "Batches",
    "Comparison",
    "DivergedError",
    "Experiment",
    "Interrupted",
    "Run",
    "SettingsChangedError",
    "evaluate",
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
