"""Ctrl-C that waits for the end of a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class InterruptFlag:
    """While the context is open, the first Ctrl-C (or ``SIGTERM``) only raises a flag; the second acts as usual.

    A step that is cut in the middle leaves models and optimisers in a state that no unbroken training has.
    Signals can be handled in the main thread alone; in another thread the flag is never raised.
    """

    def __init__(self) -> None:
        self.raised = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.raised = True
        self._restore()
