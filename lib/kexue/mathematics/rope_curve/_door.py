"""The checks at the door that the modules of chapter 01 share."""

from __future__ import annotations

import math


def finite(**values: float) -> None:
    """Refuse anything that is not a finite number.

    Raises:
        ValueError: names the argument.
    """
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value!r}")


def positive(**values: float) -> None:
    """Refuse anything that is not a finite number above zero.

    Raises:
        ValueError: names the argument.
    """
    finite(**values)
    for name, value in values.items():
        if value <= 0:
            raise ValueError(f"{name} must be positive, got {value!r}")


def not_negative(**values: float) -> None:
    """Refuse anything that is not a finite number at or above zero.

    Raises:
        ValueError: names the argument.
    """
    finite(**values)
    for name, value in values.items():
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value!r}")


def slack(length: float, span: float) -> float:
    """Return L/D, refusing a rope that is not longer than its span.

    Raises:
        ValueError: says both lengths and what was expected.
    """
    positive(length=length, span=span)
    if length <= span:
        raise ValueError(f"the rope (length {length:g}) must be longer than its span ({span:g}): a taut rope has no such curve")
    if length > 1e6 * span:
        raise ValueError(f"length / span = {length / span:g} is beyond 1e6, where the modulus k cannot be told from 1 in double precision")
    return length / span


def count(name: str, value: int, least: int) -> None:
    """Refuse a whole number below its least sensible value.

    Raises:
        ValueError: names the argument.
    """
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
