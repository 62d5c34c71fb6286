"""The tables that a static page carries: one array per output over the grid of the controls on which it depends."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ENCODINGS = ("u1", "u2", "u2log", "f4")


@dataclass(frozen=True)
class Table:
    """An output over the grid.

    Attributes:
        name: the output.
        depends: the controls on which it depends, in the order of the leading axes.
        grid: the number of grid values of each of them.
        shape: the shape of the output itself.
        values: float64, of shape ``grid + shape``; ``None`` for a table of strings.
        strings: the flat list of strings of a table of strings.
        whole: whether the output is made of integers, truth values or strings: then nothing lies between two states.
    """

    name: str
    depends: tuple[str, ...]
    grid: tuple[int, ...]
    shape: tuple[int, ...]
    values: Array | None
    strings: tuple[str, ...] = ()
    whole: bool = False

    def encode(self, encoding: str = "u2", interpolate: bool = False) -> dict[str, Any]:
        """The table as JSON: the head, and the codes in base64 (little-endian, row-major)."""
        head: dict[str, Any] = {"deps": list(self.depends), "shape": list(self.shape)}
        if self.values is None:
            distinct = sorted(set(self.strings))
            index = {s: i for i, s in enumerate(distinct)}
            return {**head, "enc": "s", "strings": distinct, "codes": [index[s] for s in self.strings]}
        codes, low, high = quantise(self.values, encoding)
        packed = base64.b64encode(codes.tobytes()).decode()
        smooth = {"lerp": True} if interpolate and self.depends and not self.whole else {}
        return {**head, **smooth, "enc": encoding, "range": [low, high], "data": packed}


def quantise(values: Array, encoding: str) -> tuple[NDArray[Any], float, float]:
    """Quantise an array to codes.

    ``code = round((v - low) / (high - low) * top)`` with ``top`` = 254 or 65534; the code above ``top`` stands for NaN. ``u2log``
    does so with the logarithm of ``v``, which keeps the relative error constant; ``f4`` stores single precision as it is. Integers
    whose span is at most ``top`` come back exactly.

    Args:
        values: any shape; NaN allowed, infinity not.
        encoding: one of :data:`ENCODINGS`.

    Returns:
        The codes, and the values (for ``u2log`` the logarithms) that the codes 0 and ``top`` stand for.

    Raises:
        ValueError: unknown encoding, or values that the encoding cannot take.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"unknown encoding {encoding!r}: expected one of {ENCODINGS}")
    if np.isinf(values).any():
        raise ValueError("infinite values cannot be quantised")
    if encoding == "f4":
        return values.astype("<f4"), 0.0, 0.0
    if encoding == "u2log":
        if (values <= 0).any():
            raise ValueError("a logarithmic table takes positive values alone")
        values = np.log(values)
    top = 254 if encoding == "u1" else 65534
    missing = np.isnan(values)
    known = values[~missing]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if encoding != "u2log" and high - low <= top and (known == np.rint(known)).all():
        high = low + top if high > low else high  # integers in steps of one: they come back exactly, as classes and indices must
    scaled = (values - low) / (high - low) * top if high > low else np.zeros_like(values)
    codes = np.where(missing, top + 1, np.rint(np.where(missing, 0, scaled)))
    return codes.astype("<u1" if encoding == "u1" else "<u2"), low, high


def dequantise(codes: NDArray[Any], encoding: str, low: float, high: float) -> Array:
    """The inverse of :func:`quantise`, up to half a step: ``(high - low) / (2 top)``; the page does the same."""
    if encoding == "f4":
        return codes.astype(float)
    top = 254 if encoding == "u1" else 65534
    values = low + codes.astype(float) * ((high - low) / top)
    values = np.exp(values) if encoding == "u2log" else values
    return np.where(codes == top + 1, np.nan, values)


def choose(table: Table, wanted: str | None, logarithmic: bool) -> str:
    """The encoding of a table: as wanted, else single precision for a number, a logarithm where an axis is logarithmic, else uint16."""
    if table.values is None:
        return "s"
    if wanted is not None:
        return wanted
    if not table.shape:
        return "f4"
    return "u2log" if logarithmic and bool((table.values > 0).all()) else "u2"
