"""Loading batches in worker processes, with an error that says why when a worker dies.

:func:`loaded` is a thin shell around :class:`torch.utils.data.DataLoader`: the order of the batches is that of
:class:`~kexue.training.batches.Batches` (a function of seed and step alone, so that a resumed training reads on where it was), each
example is read by its index (never by a random state that a worker keeps: two workers would repeat each other's), and a worker's death
becomes one :class:`LoaderError`. See the chapter on safe generators.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from kexue.training.batches import Batches

Read = Callable[[int, torch.Generator], Any]


class LoaderError(RuntimeError):
    """A worker that loads data has died; the message says of what."""


class _Examples(Dataset[Any]):
    """Examples by index, each with a generator of its own."""

    def __init__(self, read: Read, seed: int) -> None:
        self.read, self.seed = read, seed

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        # One number from three; the same example gets other noise in the next epoch, whichever worker reads it.
        mixed = (self.seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9 + index * 0x94D049BB133111EB + 1) % 2**63
        return self.read(index, torch.Generator().manual_seed(mixed))


class _Keys:
    """For each step from ``first``, the epoch and the indices of its batch."""

    def __init__(self, batches: Batches, first: int, last: int) -> None:
        self.batches, self.first, self.last = batches, first, last

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        rows = self.batches.by_step()
        for step in range(self.first, self.last + 1):
            epoch = (step - 1) // self.batches.per_epoch
            yield [(epoch, index) for index in rows(step).tolist()]

    def __len__(self) -> int:
        return self.last - self.first + 1


def loaded(read: Read, batches: Batches, *, steps: int, first: int = 1, workers: int = 2, timeout: float = 0.0) -> Iterator[Any]:
    """The batches of the steps ``first … steps``, read ahead by worker processes.

    Args:
        read: takes the index of an example and a generator for its noise; returns tensors, numbers, or dictionaries and tuples of them.
        batches: the order.
        steps: the last step.
        first: the first step: one more than the steps done.
        workers: number of processes; 0 reads in this one.
        timeout: seconds to wait for a batch; 0 waits for ever.

    Yields:
        One collated batch for each step.

    Raises:
        LoaderError: if a worker dies. It says by which signal it was killed (and what that hints at), that shared memory ran out, that it
            took too long, or which exception was raised while reading, with its traceback.
        ValueError: if the number of workers is negative, or the first step is less than 1.

    >>> batches = Batches(count=6, size=2, seed=0)
    >>> [batch.tolist() for batch in loaded(lambda index, noise: index, batches, steps=3, workers=0)] == batches.epoch(0).tolist()
    True
    """
    if workers < 0 or first < 1:
        raise ValueError(f"the workers must be at least 0 and the first step at least 1, got {workers} and {first}")
    keys: Any = _Keys(batches, first, steps)
    examples = _Examples(read, batches.seed)
    loader = DataLoader(examples, batch_sampler=keys, num_workers=workers, timeout=timeout, worker_init_fn=_ignore_interrupts)
    return _explained(loader, first, timeout)


def _explained(loader: DataLoader[Any], first: int, timeout: float) -> Iterator[Any]:
    step = first
    try:
        for batch in loader:
            yield batch
            step += 1
    except Exception as error:
        raise LoaderError(f"the data of step {step} could not be loaded: {cause(error, timeout)}") from error


def _ignore_interrupts(_worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal; the training ends its step and saves, and for that its workers must live."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def explained() -> Iterator[None]:
    """Within the context the death of a worker is a :class:`LoaderError`, wherever in the training PyTorch reports it.

    Raises:
        LoaderError: in place of PyTorch's error about a worker; other errors pass.
    """
    try:
        yield
    except LoaderError:
        raise
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise LoaderError(f"the training's data could not be loaded: {cause(error)}") from error


def cause(error: BaseException, timeout: float = 0.0) -> str:
    """Why a loader failed, in words, from the error that PyTorch raised.

    >>> cause(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "))
    'worker 7 was killed by SIGKILL; as a rule the system has run out of memory: use fewer workers or smaller examples'
    """
    text = f"{error}\n{error.__cause__ or error.__context__ or ''}"
    if "Original Traceback" in str(error):
        trace = str(error).split("Original Traceback", 1)[1].strip()
        return f"{trace.splitlines()[-1]}\nTraceback in the worker {trace}"
    if "shared memory" in text or "shm" in text or "Bus error" in text:
        return "the shared memory in which workers pass their batches is full: enlarge it (docker: --shm-size), or use workers=0"
    if match := re.search(r"worker \(pid (\d+)\) is killed by signal: ([^.]*)", text):
        name = _signal_name(match[2].strip())
        hint = "; as a rule the system has run out of memory: use fewer workers or smaller examples" if name == "SIGKILL" else ""
        return f"worker {match[1]} was killed by {name}{hint}"
    if match := re.search(r"worker \(pid (\d+)\) exited unexpectedly with exit code (\d+)", text):
        return f"worker {match[1]} ended by itself with exit status {match[2]}"
    if "timed out" in text:
        return f"no batch came within {timeout:g} s"
    return f"{type(error).__name__}: {error}"


def _signal_name(words: str) -> str:
    """``SIGKILL`` for ``Killed``, as the C library calls it."""
    return next((s.name for s in signal.Signals if signal.strsignal(s) == words), words)
