"""From an experiment to a record: all seeds trained, judged, written; and a record judged again."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import torch
from safetensors.torch import save as save_tensors

import kexue
from kexue.records.files import exclusive, remove_leftovers
from kexue.records.record import RECORD_FILE, WEIGHTS_FILE, Curve, Metric, Record, save
from kexue.training.experiment import Experiment, differences, with_settings
from kexue.training.loop import SettingsChangedError
from kexue.training.registry import find, module_of
from kexue.training.run import Run, StateNotSavedWarning, choose_device

if TYPE_CHECKING:
    from torch import Tensor

STATE_FOLDER, LOCK_FILE = ".state", ".lock"


@dataclass(frozen=True)
class SeedResult:
    """What one seed's training gave."""

    seed: int
    weights: Mapping[str, Tensor]
    metrics: Mapping[str, float]
    curve: tuple[tuple[int, Mapping[str, float]], ...]
    steps: int
    wall_time: float
    step_time: float


def train(
    experiment: Experiment,
    out: Path,
    *,
    device: str = "auto",
    small: bool = False,
    quiet: bool = False,
    save_every: float = 30.0,
    compile: str = "off",
    channels_last: bool = False,
) -> Record:
    """Train an experiment with all its seeds and write its record.

    A training that was stopped, or killed, goes on where its last state was; seeds that were finished are not trained again.
    If the disk is full or the folder read-only the training goes on with a warning, and in the end the record goes to a folder
    for temporary files, which a second warning names.

    Args:
        experiment: with its full settings; a setting ``precision`` is the precision of the training.
        out: folder of the runs; the record goes to ``out/NAME/``.
        device: ``auto``, ``cpu`` or ``cuda``.
        small: train :meth:`Experiment.small` instead.
        quiet: no progress.
        save_every: seconds between two saves of the state.
        compile: ``off``, ``default`` or ``graphs``; see :attr:`Run.compile`.
        channels_last: see :attr:`Run.channels_last`.

    Returns:
        The record as written; its ``folder`` says where.

    Raises:
        DivergedError, SettingsChangedError, Interrupted: see :func:`kexue.training.fit`.
        BusyError: if another process is training the same run in the same folder.
    """
    chosen = experiment.small() if small else experiment
    folder = out / experiment.name
    kind = choose_device(device)
    precision = str(chosen.settings().get("precision", "32-true"))
    first_process = int(os.environ.get("RANK", "0")) == 0  # the others of several that train together write nothing
    with exclusive(folder / LOCK_FILE, held=first_process):
        results = []
        for seed in chosen.seeds:
            run = Run(seed=seed, device=kind, precision=precision, compile=compile, channels_last=channels_last)
            run.state_file, run.settings = folder / STATE_FOLDER / f"seed{seed}.state", chosen.settings()
            run.label, run.quiet, run.save_every = f"{experiment.name} seed {seed}", quiet, save_every
            results.append(_train_seed(chosen, run))
        stored = half_precision(chosen.shipped(results[0].weights))
        rounded = chosen.evaluate(_single(stored), Run(seed=results[0].seed, device=kind))
        # What was trained with smaller settings than meant waits for a machine that can train the full ones.
        note = full_settings_note(chosen.settings(), experiment.settings())
        facts = device_facts(kind) | ({"compile": compile} if compile != "off" else {})
        record = _record(chosen, results, rounded, facts, note=note)
        return _deliver(record, save_tensors(stored), folder) if first_process else record


def _train_seed(experiment: Experiment, run: Run) -> SeedResult:
    """Train one seed, or read what an earlier process found."""
    assert run.state_file is not None
    done_file = run.state_file.with_suffix(".done")
    if (done := run.read_state(done_file)) is not None:
        if changed := differences(done["settings"], run.conditions):
            lines = "\n  ".join(changed)
            raise SettingsChangedError(f"{done_file} was made with other settings:\n  {lines}\nDelete it to begin anew.")
        return SeedResult(**done["result"])
    weights = {name: tensor.detach().cpu() for name, tensor in experiment.train(run).items()}
    wall_time, step_time = run.wall_time, run.step_time
    metrics = experiment.evaluate(weights, Run(seed=run.seed, device=run.device))
    result = SeedResult(run.seed, weights, dict(metrics), tuple(run.curve), run.steps, wall_time, step_time)
    fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    run.save_state({"settings": run.conditions, "result": fields}, done_file)
    return result


def _deliver(record: Record, weights: bytes, folder: Path) -> Record:
    """Write the record where it was wanted or, if that cannot be, where it can; then forget the states."""
    try:
        for name in (WEIGHTS_FILE, RECORD_FILE):
            remove_leftovers(folder / name)
        record = save(record, weights, folder)
    except OSError as error:
        elsewhere = Path(tempfile.mkdtemp(prefix="kexue-")) / record.name
        record = save(record, weights, elsewhere)
        reason = error.strerror or str(error)
        warnings.warn(f"{folder} cannot be written ({reason}); the trained weights are in {elsewhere}", StateNotSavedWarning, stacklevel=3)
        return record
    # One step makes the states forgotten: a kill while they are deleted leaves no half of them to resume from.
    states, forgotten = folder / STATE_FOLDER, folder / f"{STATE_FOLDER}-forgotten"
    with contextlib.suppress(OSError):
        shutil.rmtree(forgotten, ignore_errors=True)
        states.rename(forgotten)
    shutil.rmtree(forgotten, ignore_errors=True)
    return record


def half_precision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in half precision, for shipping.

    Raises:
        ValueError: if a number is too large for half precision or not finite.
    """
    stored = {k: w.half().contiguous() if w.is_floating_point() else w.contiguous() for k, w in weights.items()}
    for name, tensor in stored.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"the weights {name!r} do not fit half precision: the largest is {weights[name].abs().max().item():g}")
    return stored


def _single(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k: w.float() if w.is_floating_point() else w for k, w in weights.items()}


def _record(
    experiment: Experiment, results: list[SeedResult], rounded: Mapping[str, float], device: Mapping[str, Any], *, note: str
) -> Record:
    first = results[0]
    per_step = float(experiment.settings().get("batch", 1))
    return Record(
        name=experiment.name,
        title=experiment.title,
        experiment=module_of(experiment),
        settings=experiment.settings(),
        data=experiment.data(),
        seeds=tuple(r.seed for r in results),
        device=device,
        versions=version_facts(),
        steps=first.steps,
        wall_time_s=tuple(round(r.wall_time, 2) for r in results),
        throughput=round(per_step * len(results) / sum(r.step_time for r in results), 1),
        metrics=_metrics(results),
        curve=_curve(results),
        weights_seed=first.seed,
        weights_sha256="",
        weights_bytes=0,
        metrics_of_weights=dict(rounded),
        tolerance={name: experiment.tolerance.get(name, experiment.tolerance.get("*", 1e-3)) for name in rounded},
        made=datetime.datetime.now(datetime.UTC).date().isoformat(),
        waiting_for_gpu=bool(note),
        note=note,
    )


def full_settings_note(trained: Mapping[str, Any], full: Mapping[str, Any]) -> str:
    """What a reader must know of a run with smaller settings than meant; nothing if they are the same.

    >>> full_settings_note({"steps": 100, "rate": 0.1}, {"steps": 900, "rate": 0.1})
    'The full settings have steps 900.'
    """
    other = [f"{key} {value}" for key, value in full.items() if trained.get(key) != value]
    return f"The full settings have {', '.join(other)}." if other else ""


def _metrics(results: list[SeedResult]) -> dict[str, Metric]:
    found = {name: Metric(tuple(r.metrics[name] for r in results)) for name in results[0].metrics}
    return found | {"ms_per_step": Metric(tuple(round(1e3 * r.step_time, 3) for r in results))}


def _curve(results: list[SeedResult]) -> Curve:
    """The curves of all seeds, with six digits: the picture needs no more."""
    points = results[0].curve
    steps = tuple(step for step, _ in points)
    names = points[0][1] if points else {}
    return Curve(steps, {n: tuple(tuple(float(f"{m[n]:.6g}") for _, m in r.curve) for r in results) for n in names})


def device_facts(kind: str) -> dict[str, Any]:
    """Kind, name and number of the devices."""
    if kind == "cuda":
        return {"kind": kind, "name": torch.cuda.get_device_name(), "count": int(os.environ.get("WORLD_SIZE", "1"))}
    threads = torch.get_num_threads()
    return {"kind": kind, "name": f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}", "count": 1}


def _processor() -> str:
    """Name of the processor where the system tells it, else its architecture."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return f"CPU {platform.machine()}"


def version_facts() -> dict[str, str]:
    """Versions of the language and the libraries that a result depends on."""
    return {
        "kexue": kexue.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
    }


@dataclass(frozen=True)
class Comparison:
    """A metric of the record beside a fresh evaluation.

    Attributes:
        metric: its name.
        recorded: the record's value for the shipped weights.
        found: the fresh one.
        tolerance: how far they may be apart.
    """

    metric: str
    recorded: float
    found: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether they are within the tolerance."""
        return abs(self.found - self.recorded) <= self.tolerance


def evaluate(record: Record, *, device: str = "cpu", experiment: Experiment | None = None) -> list[Comparison]:
    """Judge the shipped weights of a record again.

    Args:
        record: read from a folder.
        device: where to evaluate.
        experiment: the experiment that the record is of; found by its name if absent.

    Returns:
        One comparison for each metric of the record.

    Raises:
        RecordError: if the weights are damaged or missing.
        ValueError: if the record was made by another version of the experiment.
    """
    remade = with_settings(experiment or find(record.name), record.settings)
    found = remade.evaluate(_single(record.weights()), Run(seed=record.weights_seed, device=choose_device(device)))
    return [Comparison(m, v, found[m], record.tolerance[m]) for m, v in record.metrics_of_weights.items()]
