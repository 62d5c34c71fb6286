"""A run: one training of an experiment with one seed, on one device, several GPUs or several machines.

The same code does all of them. One process: ``kexue train NAME``. Two GPUs of one machine::

    torchrun --nproc-per-node 2 -m kexue train NAME

Two machines with eight GPUs each, the same command on both (``node0`` is the first one)::

    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint node0:29500 -m kexue train NAME

``torchrun`` starts the processes and Fabric joins them: NCCL on GPUs, gloo on CPUs. A batch is always the global one: each process takes
its share of it (:meth:`Run.batches`), gradients are averaged, and so are the metrics, so that all processes stop, save and choose the best
weights at the same step. The result is that of a single process up to the order of summation, if all noise is made for the whole batch:
``run.share(torch.randn(batch, …, generator=run.shared))``. Noise from ``run.generator`` is another one in each process.
What a step changes outside the gradients must be the same in all processes (:meth:`Run.mean`). Batch normalisation takes the statistics
of a process's own share, unless the model went through ``torch.nn.SyncBatchNorm.convert_sync_batchnorm``.
Only the first process reads and writes states and records; the other machines need no copy of them.
"""

from __future__ import annotations

import importlib
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kexue.records.files import remove_leftovers
from kexue.training import processes
from kexue.training.batches import Batches
from kexue.training.progress import Progress
from kexue.training.speed import check_precision, compiled, has_images, laid_out
from kexue.training.state import StateError, read_state, write_state

if TYPE_CHECKING:
    from torch import Tensor

DEVICES = ("auto", "cpu", "cuda")


class StateNotSavedWarning(UserWarning):
    """The state of a training cannot be saved; the training goes on."""


class DeviceError(RuntimeError):
    """The device asked for is not there."""


def choose_device(device: str) -> str:
    """Return ``"cpu"`` or ``"cuda"``.

    Raises:
        ValueError: for another word.
        DeviceError: if ``cuda`` is asked for and PyTorch sees no GPU.
    """
    if device not in DEVICES:
        raise ValueError(f"the device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("PyTorch sees no GPU here: use --device cpu, or install a CUDA build of PyTorch")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def make_fabric(device: str, precision: str = "32-true", devices: int | str = "auto") -> Any:
    """Lightning Fabric for a device: the same training code for a CPU, a GPU, several GPUs and several machines.

    Under ``torchrun`` Fabric takes the number of processes from it; otherwise one process is used, so that a bare command
    never takes all GPUs of a shared machine.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: one of ``kexue.training.speed.PRECISIONS``.
        devices: number of devices, or ``auto``.
    """
    check_precision(precision, choose_device(device))
    fabric_class = _fabric_class()
    count = (int(os.environ.get("LOCAL_WORLD_SIZE", "1"))) if devices == "auto" else devices
    fabric = fabric_class(accelerator=choose_device(device), devices=count, precision=precision)
    fabric.launch()
    return fabric


def _fabric_class() -> Any:
    """Fabric, from its own package or from the whole of Lightning."""
    try:
        return importlib.import_module("lightning_fabric").Fabric
    except ImportError:
        return importlib.import_module("lightning.fabric").Fabric


@dataclass(kw_only=True)
class Run:
    """What an experiment is given to train, or to evaluate, with one seed.

    Attributes:
        seed: the seed.
        device: ``cpu`` or ``cuda`` (``auto`` chooses).
        precision: of the training.
        compile: ``off``, ``default``, or ``graphs`` for CUDA graphs: whether :meth:`setup` compiles the model.
        channels_last: whether :meth:`setup` and :meth:`to_device` lay out images with their channels last in memory.
        state_file: where the state is kept; none keeps none.
        settings: settings of the experiment; a state of others is refused.
        label: shown with the progress.
        quiet: no progress.
        save_every: seconds between two saves of the state.
        started: seconds trained before this process.
        judging: seconds of them spent on validation.
        steps: steps trained so far.
        best_step: the step whose weights were kept.
        curve: metrics taken along the training, ``(step, metrics)``.
    """

    seed: int = 0
    device: str = "cpu"
    precision: str = "32-true"
    compile: str = "off"
    channels_last: bool = False
    state_file: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    quiet: bool = True
    save_every: float = 30.0
    started: float = 0.0
    judging: float = 0.0
    steps: int = 0
    best_step: int = 0
    curve: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    _begin: float = field(default_factory=time.monotonic)
    _unsaved: str = ""

    @cached_property
    def fabric(self) -> Any:
        """Lightning Fabric on the run's device, made at first use."""
        return make_fabric(self.device, self.precision)

    @cached_property
    def generator(self) -> torch.Generator:
        """Source of all noise of the run, on its device, seeded with its seed and process."""
        # A process among several must not draw what all of them draw.
        return self._generator(self.rank + 1 if self.world > 1 else 0)

    @cached_property
    def shared(self) -> torch.Generator:
        """Source of noise that is the same in all processes; in a single process it is :attr:`generator` itself."""
        return self._generator(0) if self.world > 1 else self.generator

    def _generator(self, stream: int) -> torch.Generator:
        seed = (self.seed * 1_000_003 + stream) % 2**63
        return torch.Generator(device=self.fabric.device).manual_seed(seed)

    @property
    def rank(self) -> int:
        """Number of this process among those that train together."""
        return int(self.fabric.global_rank)

    @property
    def world(self) -> int:
        """Number of processes that train together."""
        return int(self.fabric.world_size)

    @property
    def wall_time(self) -> float:
        """Seconds trained, over all processes that resumed one another."""
        return self.started + time.monotonic() - self._begin

    @property
    def step_time(self) -> float:
        """Seconds for one step, without the validation."""
        return (self.wall_time - self.judging) / max(self.steps, 1)

    def start_clock(self) -> None:
        """Count the training time from here on."""
        self._begin = time.monotonic()

    def to_device(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Tensors on the run's device."""
        moved = (t.to(self.fabric.device) for t in tensors)
        return tuple(laid_out(t) if self.channels_last else t for t in moved)

    def share(self, rows: Tensor) -> Tensor:
        """This process's rows of something made for the whole batch, shape ``(batch // world, …)``.

        Raises:
            ValueError: if the processes cannot share the rows equally.
        """
        if len(rows) % self.world:
            raise ValueError(f"{len(rows)} rows cannot be shared equally by {self.world} processes")
        return rows.chunk(self.world)[self.rank] if self.world > 1 else rows

    def mean(self, values: Tensor) -> Tensor:
        """Mean of a detached tensor over all processes; a single process's own values."""
        return processes.mean(values.detach())

    def batches(self, count: int, size: int) -> Batches:
        """Order of the examples for this seed; each process takes its share."""
        return Batches(count, size, self.seed, self.rank, self.world)

    def setup(self, model: torch.nn.Module, *optimizers: torch.optim.Optimizer) -> tuple[Any, ...]:
        """Model and optimisers, ready for the device, the precision, the compiler and the number of processes.

        The bare model keeps its parameters' names, uncompiled: it is the one to be judged and to be among the ``parts`` of a training.
        """
        if self.channels_last and has_images(model):
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        made = self.fabric.setup(compiled(model, self.compile, self.fabric.device), *optimizers)
        return tuple(made) if isinstance(made, Sequence) else (made,)

    def progress(self, total: int, done: int = 0) -> Progress:
        """A progress display for this run; only the first process shows one."""
        return Progress(total, done=done, label=self.label, quiet=self.quiet or self.rank != 0)

    @property
    def conditions(self) -> dict[str, Any]:
        """All that a resumed training must have in common with the one before: settings, seed, and what changes the last bits."""
        found: dict[str, Any] = {**self.settings, "seed": self.seed}
        if "precision" not in found and self.precision != "32-true":
            found["precision"] = self.precision
        if self.compile != "off":
            found["compile"] = self.compile
        if self.channels_last:
            found["channels_last"] = True
        if self.world > 1:
            found["processes"] = self.world
        return found

    def read_state(self, path: Path | None = None) -> Any | None:
        """The state to resume from (or that of another file), or nothing; what the first process reads, all get."""
        file = path or self.state_file
        if file is None:
            return None
        found: Any = None
        if self.rank == 0:
            remove_leftovers(file)
            try:
                found = read_state(file)
            except StateError as error:  # the others wait for an answer
                found = error
        found = processes.from_first(found)
        if isinstance(found, StateError):
            raise found
        return found

    def save_state(self, state: Any, path: Path | None = None) -> bool:
        """Write the state (or another file), in the first process only; without a state file nothing is written.

        A full disk or a read-only folder does not end a training that may have run for days: it goes on, and a warning says, once,
        what would be lost. Each later save tries again.

        Returns:
            Whether the state is safe (or need not be).

        Raises:
            TypeError: if a part's state is not made of tensors and plain values.
        """
        file = path or self.state_file
        if file is None or self.rank != 0:
            return True
        try:
            write_state(file, state)
        except OSError as error:
            reason = error.strerror or str(error)
            if not self._unsaved:
                kept = "the state before it is kept" if file.exists() else "there is none yet"
                text = f"{file} cannot be written ({reason}); the training goes on, but a stop would lose what follows: {kept}"
                warnings.warn(text, StateNotSavedWarning, stacklevel=2)
            self._unsaved = reason
            return False
        self._unsaved = ""
        return True
