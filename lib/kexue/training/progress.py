"""Progress: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import IO, Any, Self

from tqdm import tqdm


def show_metrics(metrics: Mapping[str, float]) -> str:
    """Metrics in one short line.

    >>> show_metrics({"loss": 0.123456, "elbo": -104.267})
    'loss 0.1235, elbo -104.3'
    """
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def clock(seconds: float) -> str:
    """A duration as ``m:ss`` or ``h:mm:ss``.

    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"


class Progress:
    """Shows how far a training is, how long it will still take, and its metrics.

    Args:
        total: number of steps.
        done: steps done before (a resumed training).
        label: what is trained.
        stream: where to write; the standard error output if absent.
        every: seconds between two lines where the stream is no terminal.
        quiet: show nothing.
    """

    def __init__(
        self, total: int, *, done: int = 0, label: str = "", stream: IO[str] | None = None, every: float = 30.0, quiet: bool = False
    ) -> None:
        self.total, self.done, self.label, self.every = total, done, label, every
        self.stream = stream or sys.stderr
        self.begin, self.first, self.last = time.monotonic(), done, time.monotonic()
        self.quiet = quiet
        self.bar: tqdm[Any] | None = None
        if not quiet and self.stream.isatty():
            self.bar = tqdm(total=total, initial=done, desc=label, unit="step", file=self.stream, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    @property
    def remaining(self) -> float:
        """Estimated seconds to the end, from the speed since the start of this process."""
        return (time.monotonic() - self.begin) / max(self.done - self.first, 1) * (self.total - self.done)

    def update(self, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """Say that ``step`` steps are done; show the metrics if there are any."""
        advance, self.done = step - self.done, step
        if self.bar is not None:
            self.bar.update(advance)
            if metrics:
                self.bar.set_postfix_str(show_metrics(metrics))
        elif not self.quiet and metrics and (time.monotonic() - self.last >= self.every or step >= self.total):
            self.last = time.monotonic()
            left = f"{clock(self.remaining)} left" if step < self.total else f"{clock(self.last - self.begin)} in all"
            print(f"{self.label}: step {step}/{self.total}, {left}; {show_metrics(metrics)}", file=self.stream, flush=True)
