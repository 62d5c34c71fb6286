"""A process that trains a tiny experiment and is killed: at a moment its parent chooses, or inside the writing of a file.

The parent starts it from a server that has imported everything, so that a start takes milliseconds and many kills fit into a test.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tiny import Tiny
from tiny_gan import TinyGan, bits
from torch import Tensor

from kexue.training import Run, runner


def digest(weights: Mapping[str, Tensor]) -> float:
    """48 bits of a hash over every bit of the weights, as a metric of the record."""
    text = repr(sorted(bits(dict(weights)).items())).encode()
    return float(int(hashlib.sha256(text).hexdigest()[:12], 16))


@dataclass(frozen=True)
class Line(Tiny):
    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        return super().evaluate(weights, run) | {"bits": digest(weights)}


@dataclass(frozen=True)
class Gan(TinyGan):
    name: str = "tiny/gan"
    seeds: tuple[int, ...] = (3,)

    def data(self) -> dict[str, Any]:
        return {"name": "points", "title": "Points", "version": "1", "sha256": "11" * 32}

    def evaluate(self, weights: Mapping[str, Tensor], run: Run) -> dict[str, float]:
        return {"bits": digest(weights)}


KINDS = {"line": Line(), "gan": Gan()}
# Whatever PyTorch and Fabric import at their first use is imported here once, before the forks.
for experiment in KINDS.values():
    dataclasses.replace(experiment, steps=1).train(Run(seed=0))
#: what a write does: a kill comes before, in the middle of, or behind the n-th of these calls
CALLS = ("mkstemp", "write", "fsync", "replace")


class Bomb:
    """Kills this process at the n-th call to one of the functions that write a file."""

    def __init__(self, call: str, number: int, where: str) -> None:
        self.call, self.left, self.where = call, number, where

    def wrap(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            self.left -= call == self.call
            if call != self.call or self.left:
                return function(*arguments, **named)
            if self.where == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if call == "write":  # half of the bytes reach the disk
                stream, data = arguments
                function(stream, data[: len(data) // 2])
                stream.flush()
            else:
                function(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        return wrapped

    def plant(self) -> None:
        """Replace the functions in this process."""
        import tempfile

        tempfile.mkstemp = self.wrap("mkstemp", tempfile.mkstemp)
        os.fsync = self.wrap("fsync", os.fsync)
        os.replace = self.wrap("replace", os.replace)
        write = self.wrap("write", lambda stream, data: stream.write(data))
        real = os.fdopen

        class Stream:
            def __init__(self, stream: Any) -> None:
                self.stream = stream

            def __enter__(self) -> Stream:
                return self

            def __exit__(self, *_: object) -> None:
                self.stream.close()

            def __getattr__(self, name: str) -> Any:
                return getattr(self.stream, name)

            def write(self, data: bytes) -> int:
                return int(write(self.stream, data))

        os.fdopen = lambda *arguments, **named: Stream(real(*arguments, **named))  # type: ignore[assignment]


def run(kind: str, out: str, bomb: tuple[str, int, str] | None) -> None:
    """Train to the end, or to the bomb."""
    torch.set_num_threads(1)
    if bomb:
        Bomb(*bomb).plant()
    runner.train(KINDS[kind], Path(out), device="cpu", quiet=True, save_every=0.0)


def random_bomb(source: random.Random, writes: int) -> tuple[str, int, str]:
    """One of the calls of a training that writes ``writes`` files."""
    return source.choice(CALLS), source.randint(1, writes), source.choice(("before", "behind"))
