"""A run: one training of an experiment with one seed, on one device."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kexue.training.batches import Batches
from kexue.training.progress import Progress
from kexue.training.state import read_state, write_state

if TYPE_CHECKING:
    from torch import Tensor

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")


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
        precision: one of ``PRECISIONS``.
        devices: number of devices, or ``auto``.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"the precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
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

    @cached_property
    def fabric(self) -> Any:
        """Lightning Fabric on the run's device, made at first use."""
        return make_fabric(self.device, self.precision)

    @cached_property
    def generator(self) -> torch.Generator:
        """Source of all noise of the run, on its device, seeded with its seed and process."""
        seed = (self.seed * 1_000_003 + self.rank) % 2**63
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
        return tuple(t.to(self.fabric.device) for t in tensors)

    def batches(self, count: int, size: int) -> Batches:
        """Order of the examples for this seed; each process takes its share."""
        return Batches(count, size, self.seed, self.rank, self.world)

    def setup(self, model: torch.nn.Module, *optimizers: torch.optim.Optimizer) -> tuple[Any, ...]:
        """Model and optimisers, ready for the device, the precision and the number of processes."""
        made = self.fabric.setup(model, *optimizers)
        return tuple(made) if isinstance(made, Sequence) else (made,)

    def progress(self, total: int, done: int = 0) -> Progress:
        """A progress display for this run; only the first process shows one."""
        return Progress(total, done=done, label=self.label, quiet=self.quiet or self.rank != 0)

    def read_state(self) -> Any | None:
        """The state to resume from, or nothing."""
        return None if self.state_file is None else read_state(self.state_file)

    def save_state(self, state: Any) -> None:
        """Write the state, in the first process only; without a state file nothing is written."""
        if self.state_file is not None and self.rank == 0:
            write_state(self.state_file, state)
