"""The panels that are drawings of their own: bars, simplex, matrix, image strip, read-outs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layers import MAPS, Context, Ref, colour, one_of


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What all panels have.

    Attributes:
        title: short, above the picture.
        alt: what the picture shows, for those who do not see it; by default the explorer's.
        width: the share of the row it would like, between 0.2 and 1; by default the row is shared equally.
        height: in pixels; by default 280. A plane with equal scales takes the height that they ask for up to this.
    """

    title: str = ""
    alt: str = ""
    width: float | None = None
    height: int = 280

    def head(self, kind: str) -> dict[str, Any]:
        """The entries common to all panels."""
        if self.width is not None and not 0.2 <= self.width <= 1:
            raise ValueError(f"panel {self.title!r}: width is a share of the row in [0.2, 1], got {self.width}")
        if self.height < 40:
            raise ValueError(f"panel {self.title!r}: height is in pixels, at least 40, got {self.height}")
        return {"kind": kind, "title": self.title, "alt": self.alt, "width": self.width, "height": self.height}


@dataclass(frozen=True)
class Bars(Panel):
    """Bars over named categories, side by side for several outputs.

    Attributes:
        values: one reference of shape (n,), or several.
        categories: n names under the bars.
        labels: one for each reference, for the legend.
        colours: one for each reference.
        reference: values (n,) drawn as a tick across each bar, to compare with.
        reference_label: its name in the legend.
    """

    values: Ref | Sequence[Ref]
    categories: Sequence[str] = ()
    labels: Sequence[str] = ()
    colours: Sequence[str] = ()
    reference: Ref = None
    reference_label: str = ""
    ylabel: str = ""
    y_range: tuple[float, float] | None = None

    def spec(self, c: Context) -> dict[str, Any]:
        """The panel as JSON."""
        several = isinstance(self.values, (list, tuple)) and not all(isinstance(v, (int, float)) for v in self.values)
        series = list(self.values) if several else [self.values]
        n = c.shape(series[0])
        if len(n) != 1 or any(c.shape(s) != n for s in series) or (self.categories and len(self.categories) != n[0]):
            raise ValueError(f"Bars {self.title!r}: values of shapes {[c.shape(s) for s in series]} for {len(self.categories)} categories")
        refs = [*series, *([] if self.reference is None else [self.reference])]
        low, high = self.y_range or (min(0.0, c.extent(*refs)[0]), max(0.0, c.extent(*refs)[1]) * 1.04)
        if not low < high:
            raise ValueError(f"Bars {self.title!r}: the range is ({low:g}, {high:g}), expected low < high")
        look = {"labels": list(self.labels), "colours": [colour(k) for k in self.colours], "ylabel": self.ylabel}
        reference = None if self.reference is None else c.slot(self.reference)
        categories = list(self.categories) or [str(i + 1) for i in range(n[0])]
        values = [c.slot(s) for s in series]
        return {**self.head("bars"), "values": values, "categories": categories, **look, "y": [float(low), float(high)],
                "reference": reference, "referenceLabel": self.reference_label}  # fmt: skip


def lattice(m: int) -> NDArray[np.float64]:
    """The points at which a ``Simplex`` wants its density.

    Args:
        m: the number of divisions of a side.

    Returns:
        Barycentric coordinates of shape ((m + 1)(m + 2) / 2, 3), all inside: ``(i + 1/3, j + 1/3, m − i − j + 1/3) / (m + 1)``.

    Example:
        >>> lattice(1).round(2).tolist()
        [[0.17, 0.17, 0.67], [0.17, 0.67, 0.17], [0.67, 0.17, 0.17]]
    """
    points = [(i + 1 / 3, j + 1 / 3, m - i - j + 1 / 3) for i in range(m + 1) for j in range(m + 1 - i)]
    return np.asarray(points) / (m + 1)


@dataclass(frozen=True)
class Simplex(Panel):
    """Distributions over three outcomes as points of a triangle.

    Attributes:
        points: reference (n, 3), each row a distribution.
        corners: the names of the three outcomes.
        classes: integers (n,) that choose the colours; by default the largest component does.
        density: values at :func:`lattice` points, drawn as a heat map under the points.
        range: of the density; by default all that occurs.
        marks: ``(reference (3,), label, colour)`` of single points, drawn as crosses.
    """

    points: Ref = None
    corners: Sequence[str] = ("1", "2", "3")
    classes: Ref = None
    density: Ref = None
    range: tuple[float, float] | None = None
    marks: Sequence[tuple[Ref, str, str]] = ()
    size: float = 5.0
    opacity: float = 0.7
    colours: Sequence[str] = ("one", "two", "three")

    def spec(self, c: Context) -> dict[str, Any]:
        """The panel as JSON."""
        if self.points is not None and c.shape(self.points)[-1:] != (3,):
            raise ValueError(f"Simplex {self.title!r}: points have shape {c.shape(self.points)}, expected (n, 3)")
        spec = {
            **self.head("simplex"),
            "points": None if self.points is None else c.slot(self.points),
            "corners": list(self.corners),
            "size": self.size,
        }
        if len(self.corners) != 3:
            raise ValueError(f"Simplex {self.title!r}: expected three corners, got {list(self.corners)}")
        spec |= {"classes": None if self.classes is None else c.slot(self.classes), "opacity": self.opacity, "density": None}
        spec |= {"colours": [colour(k) for k in self.colours]}
        if self.density is not None:
            (n,) = c.shape(self.density)
            m = round((math.sqrt(8 * n + 1) - 3) / 2)
            if (m + 1) * (m + 2) // 2 != n:
                raise ValueError(f"Simplex {self.title!r}: {n} values are no triangular lattice; evaluate the density at panels.lattice(m)")
            spec |= {"density": c.slot(self.density, raster=True), "m": m, "range": list(self.range or c.extent(self.density))}
        return {**spec, "marks": [[c.slot(ref), label, colour(k)] for ref, label, k in self.marks]}


@dataclass(frozen=True)
class Matrix(Panel):
    """A table of numbers (rows, columns) as coloured cells; row 0 on top. ``digits`` writes the numbers into the cells."""

    values: Ref
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    range: tuple[float, float] | None = None
    colours: str = "sequential"
    digits: int | None = None

    def spec(self, c: Context) -> dict[str, Any]:
        """The panel as JSON."""
        shape = c.shape(self.values)
        if len(shape) != 2 or (self.rows and len(self.rows) != shape[0]) or (self.columns and len(self.columns) != shape[1]):
            raise ValueError(
                f"Matrix {self.title!r}: values of shape {shape} with {len(self.rows)} row and {len(self.columns)} column names"
            )
        look = {"map": one_of(self.colours, MAPS, "colour map"), "digits": self.digits, "range": list(self.range or c.extent(self.values))}
        return {
            **self.head("matrix"),
            "values": c.slot(self.values, raster=self.digits is None),
            "rows": list(self.rows),
            "columns": list(self.columns),
            **look,
        }


@dataclass(frozen=True)
class Strip(Panel):
    """Small grey images (n, height, width), 0 is paper and 1 is ink by default (``invert`` turns it round)."""

    images: Ref
    labels: Sequence[str] = ()
    columns: int | None = None
    range: tuple[float, float] = (0.0, 1.0)
    size: int = 56
    invert: bool = False
    height: int = field(default=80, kw_only=True)

    def spec(self, c: Context) -> dict[str, Any]:
        """The panel as JSON."""
        shape = c.shape(self.images)
        if len(shape) != 3 or (self.labels and len(self.labels) != shape[0]):
            raise ValueError(f"Strip {self.title!r}: images of shape {shape} with {len(self.labels)} labels; expected (n, height, width)")
        look = {"columns": self.columns, "range": list(self.range), "size": self.size, "invert": self.invert}
        return {**self.head("strip"), "images": c.slot(self.images, raster=True), "labels": list(self.labels), **look}


@dataclass(frozen=True)
class Text(Panel):
    """Read-outs: ``rows`` of ``(what, template)`` such as ``("mean of *y*", "{mean:.3f}")``."""

    rows: Sequence[tuple[str, str]]
    height: int = field(default=40, kw_only=True)

    def spec(self, c: Context) -> dict[str, Any]:
        """The panel as JSON."""
        return {**self.head("text"), "rows": [[what, c.template(template, "a read-out")] for what, template in self.rows]}
