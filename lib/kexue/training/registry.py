"""Experiments by name: each chapter declares its own in ``PART/NAME_experiments.py``."""

from __future__ import annotations

import importlib
from pathlib import Path

from kexue.records.glue import check_name
from kexue.records.names import unknown
from kexue.training.experiment import Experiment

PACKAGE = Path(__file__).resolve().parents[1]
SUFFIX = "_experiments"


def register(*experiments: Experiment) -> tuple[Experiment, ...]:
    """Check the experiments of a chapter and return them: ``EXPERIMENTS = register(…)``.

    Raises:
        ValueError: if a name is not ``experiment/run`` in kebab-case, or is there twice.
    """
    seen: set[str] = set()
    for experiment in experiments:
        parts = experiment.name.split("/")
        if len(parts) != 2:
            raise ValueError(f"an experiment is named experiment/run, got {experiment.name!r}")
        for part in parts:
            check_name(part)
        if experiment.name in seen:
            raise ValueError(f"two experiments are named {experiment.name!r}")
        seen.add(experiment.name)
    return experiments


def experiments() -> dict[str, Experiment]:
    """All experiments of the library by name, in order of the names.

    Every module ``kexue.PART.NAME_experiments`` is imported; its tuple ``EXPERIMENTS`` holds its experiments.

    Raises:
        ValueError: if two modules declare the same name, or one declares none.
    """
    found: list[Experiment] = []
    for path in sorted(PACKAGE.glob(f"*/*{SUFFIX}.py")):
        module = importlib.import_module(f"{PACKAGE.name}.{path.parent.name}.{path.stem}")
        if not hasattr(module, "EXPERIMENTS"):
            raise ValueError(f"{module.__name__} declares no experiments: EXPERIMENTS = register(…) is missing")
        found += module.EXPERIMENTS
    register(*found)
    return {e.name: e for e in sorted(found, key=lambda e: e.name)}


def find(name: str) -> Experiment:
    """The experiment of a name.

    Raises:
        KeyError: if there is none; near names are suggested.
    """
    known = experiments()
    if name not in known:
        raise KeyError(unknown("experiment", name, known))
    return known[name]


def module_of(experiment: Experiment) -> str:
    """``module:class`` of an experiment, for the record."""
    return f"{type(experiment).__module__}:{type(experiment).__qualname__}"


def folder_of(experiment: Experiment) -> Path:
    """The folder in which the library ships the run of an experiment."""
    part = type(experiment).__module__.split(".")[1]
    return PACKAGE / part / "runs" / experiment.name
