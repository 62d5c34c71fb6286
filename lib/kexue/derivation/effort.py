"""A budget for symbolic work, so that no simplification can hang a build."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any, ParamSpec, TypeVar

__all__ = ["bounded"]

P = ParamSpec("P")
T = TypeVar("T")


class _Exhausted(BaseException):
    """The budget is spent; no ``except Exception`` inside SymPy may swallow this."""


def bounded(calls: int, seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Run ``function(*args, **kwargs)`` for at most ``calls`` Python function calls and ``seconds`` seconds of the processor.

    The budget is counted in function calls, so a fast and a slow machine, an idle and a busy one come to the same answer; the
    processor's time is only the emergency brake. The counter is a profile function of the running thread: it needs no signal, so
    it works in every thread and on every system.

    Args:
        calls: number of Python function calls after which the attempt is given up.
        seconds: time of the running thread on the processor after which the attempt is given up.
        function: what to run; a symbolic routine, whose failure is no verdict.

    Returns:
        The value of the function, or None where the budget ran out or the function raised an ``Exception``.

    >>> bounded(1000, 5.0, max, 2, 3)
    3
    >>> def forever() -> int:
    ...     while True:
    ...         str(abs(-1)); (lambda: 0)()
    >>> bounded(1000, 5.0, forever) is None
    True
    """
    left = calls
    deadline = time.thread_time() + seconds

    def count(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal left
        if event != "call":
            return
        left -= 1
        if frame.f_code.co_flags & CO_GENERATOR:
            return  # it may be a generator being closed by the collector, where an exception is printed and lost: the next call stops
        if left < 0 or (left % 256 == 0 and time.thread_time() > deadline):
            raise _Exhausted

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        return function(*args, **kwargs)
    except _Exhausted:
        return None
    except Exception:  # SymPy raises almost any class on input that it does not handle: an attempt that failed, not an error
        return None
    finally:
        sys.setprofile(previous)
