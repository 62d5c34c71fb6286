"""Checks of the tables of features that scores compare."""

from __future__ import annotations

import torch
from torch import Tensor

ROWS = 1024  # rows of a block of kernel values or distances


def checked(features: Tensor, name: str, at_least: int = 2) -> Tensor:
    """A table of features in double precision.

    Args:
        features: ``(n, d)``.
        name: what to call them in errors.
        at_least: how many rows there must be.

    Raises:
        ValueError: another shape, too few rows, or numbers that are not finite.
    """
    if features.ndim != 2 or features.shape[1] == 0:
        raise ValueError(f"{name} must be a table (n, d), got shape {tuple(features.shape)}")
    if len(features) < at_least:
        raise ValueError(f"{name} must have at least {at_least} rows, got {len(features)}")
    table = features.detach().double()
    if not bool(torch.isfinite(table).all()):
        raise ValueError(f"{name} hold numbers that are not finite")
    return table


def pair(x: Tensor, y: Tensor, at_least: int) -> tuple[Tensor, Tensor]:
    """Two tables in double precision, ``(n, d)`` and ``(m, d)``; see :func:`checked` and :func:`alike`."""
    tables = checked(x, "the first features", at_least), checked(y, "the second features", at_least)
    alike(tables[0][0], tables[1][0])
    return tables


def alike(x: Tensor, y: Tensor) -> None:
    """Check that two rows of features ``(d,)`` have one width and one device.

    Raises:
        ValueError: they have not.
    """
    if x.shape != y.shape:
        raise ValueError(f"both samples must have features of one width, got {len(x)} and {len(y)}")
    if x.device != y.device:
        raise ValueError(f"both samples must be on one device, got {x.device} and {y.device}")
