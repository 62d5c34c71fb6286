"""What can be drawn in a pair of axes: lines, bands, dots, value-coloured paths, arrows, rasters, histogram bins, marks, notes.

Each is a small declaration. A *reference* (``Ref``) is the name of an output, of a constant, of an expression or of a numeric
control, or else the numbers themselves. Texts may use ``*x*`` for italics, ``_{i}`` and ``^{i}`` for indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Ref = Any
COLOURS = ("one", "two", "three", "four", "five", "six", "muted", "text")
MAPS = ("sequential", "diverging", "line")


class Context(Protocol):
    """What a panel may ask of the explorer while it is compiled."""

    def slot(self, ref: Ref, *, raster: bool = False, log: bool = False) -> str:
        """The name under which the page finds a reference."""

    def extent(self, *refs: Ref) -> tuple[float, float]:
        """The least and greatest finite value of references over the grid."""

    def shape(self, ref: Ref) -> tuple[int, ...]:
        """The shape of a reference."""

    def template(self, text: str, where: str) -> str:
        """The same text, once it is certain that all of its names exist."""


def colour(name: str) -> str:
    """``name`` if the palette has it."""
    if name not in COLOURS:
        raise ValueError(f"unknown colour {name!r}: expected one of {COLOURS}")
    return name


def one_of(value: str, choices: Sequence[str], what: str) -> str:
    """``value`` if it is among the choices."""
    if value not in choices:
        raise ValueError(f"unknown {what} {value!r}: expected one of {tuple(choices)}")
    return value


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What all layers have: a colour role and a label (shown beside the line or in the legend)."""

    colour: str = "one"
    label: str = ""
    opacity: float = 1.0

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        """The references that span the horizontal and the vertical axis."""
        return (), ()

    def head(self, kind: str) -> dict[str, Any]:
        """The entries common to all layers."""
        return {"kind": kind, "colour": colour(self.colour), "label": self.label, "opacity": self.opacity}


@dataclass(frozen=True)
class Line(Layer):
    """A line, or a family of lines for ``y`` of shape (m, n).

    Attributes:
        y: reference of shape (n,) or (m, n).
        x: reference of shape (n,) or (m, n); by default 0 … n − 1 (or the panel's).
        width: in pixels.
        dashed: drawn in dashes.
        fill: shade down to zero (``True``) or to this level.
    """

    y: Ref
    x: Ref = None
    width: float = 2.0
    dashed: bool = False
    fill: bool | float = False

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        base = () if self.fill is False else (0.0 if self.fill is True else self.fill,)
        return (() if self.x is None else (self.x,)), (self.y, *base)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        fill = None if self.fill is False else float(self.fill if not isinstance(self.fill, bool) else 0)
        shape = c.shape(self.y)
        x = self.x if self.x is not None else [float(i) for i in range(shape[-1] if shape else 1)]
        slots = {"x": c.slot(x, log=log[0]), "y": c.slot(self.y, log=log[1])}
        return {**self.head("line"), **slots, "width": self.width, "dashed": self.dashed, "fill": fill}


@dataclass(frozen=True)
class Band(Layer):
    """The area between two lines."""

    low: Ref
    high: Ref
    x: Ref

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        return (self.x,), (self.low, self.high)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        return {**self.head("band"), "x": c.slot(self.x), "low": c.slot(self.low, log=log[1]), "high": c.slot(self.high, log=log[1])}


@dataclass(frozen=True)
class Dots(Layer):
    """Points that move continuously with the controls.

    Attributes:
        xy: reference of shape (n, 2) or (2,); or leave it out and give ``x`` and ``y``.
        classes: integers (n,) 0 … 5, which choose the colour.
        names: what the classes are called, for the legend.
        size: diameter in pixels.
        ring: hollow points.
    """

    xy: Ref = None
    x: Ref = None
    y: Ref = None
    classes: Ref = None
    names: Sequence[str] = ()
    size: float = 5.0
    ring: bool = False

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        return (() if self.x is None else (self.x,)), (() if self.y is None else (self.y,))

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        if (self.xy is None) == (self.x is None or self.y is None):
            raise ValueError("Dots takes either xy (points of shape (n, 2)) or both x and y")
        if self.xy is not None and c.shape(self.xy)[-1:] != (2,):
            raise ValueError(f"Dots: xy has shape {c.shape(self.xy)}, expected (n, 2)")
        place = {"xy": c.slot(self.xy)} if self.xy is not None else {"x": c.slot(self.x, log=log[0]), "y": c.slot(self.y, log=log[1])}
        classes = None if self.classes is None else c.slot(self.classes)
        return {**self.head("dots"), **place, "classes": classes, "names": list(self.names), "size": self.size, "ring": self.ring}


@dataclass(frozen=True)
class Trail(Layer):
    """A path whose colour (and width) follows a value along it, with a colour bar.

    Attributes:
        x: reference (n,).
        y: reference (n,).
        value: reference (n,).
        range: of the values; by default all that occur on the grid.
        widths: least and greatest line width in pixels.
        unit: written at the colour bar.
    """

    x: Ref
    y: Ref
    value: Ref
    range: tuple[float, float] | None = None
    widths: tuple[float, float] = (3.5, 3.5)
    unit: str = ""

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        return (self.x,), (self.y,)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        slots = {"x": c.slot(self.x, log=log[0]), "y": c.slot(self.y, log=log[1]), "value": c.slot(self.value)}
        return {
            **self.head("trail"),
            **slots,
            "range": list(self.range or c.extent(self.value)),
            "widths": list(self.widths),
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Arrows(Layer):
    """Arrows from (x, y) along (u, v), in the units of the axes times ``scale``."""

    x: Ref
    y: Ref
    u: Ref
    v: Ref
    scale: float = 1.0
    width: float = 1.5

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        return (self.x,), (self.y,)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        slots = {k: c.slot(getattr(self, k)) for k in "xyuv"}
        return {**self.head("arrows"), **slots, "scale": self.scale, "width": self.width}


@dataclass(frozen=True)
class Raster(Layer):
    """A picture of numbers (rows, columns); row 0 lies at the bottom.

    Attributes:
        z: reference (rows, columns).
        x_range: the outer edges.
        y_range: the outer edges.
        range: of the values; by default all that occur.
        colours: ``"sequential"``, ``"diverging"`` (centre it on zero by a symmetric ``range``) or ``"line"``.
        smooth: blend neighbouring cells.
        bar: draw a colour bar.
        unit: written at the colour bar.
    """

    z: Ref
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    range: tuple[float, float] | None = None
    colours: str = "sequential"
    smooth: bool = False
    bar: bool = True
    unit: str = ""

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        return (list(self.x_range),), (list(self.y_range),)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        if len(c.shape(self.z)) != 2:
            raise ValueError(f"Raster: z has shape {c.shape(self.z)}, expected (rows, columns)")
        if any(log):
            raise ValueError("Raster: a logarithmic axis would bend its cells; plot the logarithm instead")
        box = {"xRange": list(self.x_range), "yRange": list(self.y_range), "range": list(self.range or c.extent(self.z))}
        look = {"map": one_of(self.colours, MAPS, "colour map"), "smooth": self.smooth, "bar": self.bar, "unit": self.unit}
        return {**self.head("raster"), "z": c.slot(self.z, raster=True), **box, **look}


@dataclass(frozen=True)
class Contours(Layer):
    """The level lines of a raster, found in the page: they cost no data.

    Attributes:
        z: reference (rows, columns), values at the centres of the cells; row 0 lies at the bottom.
        levels: reference (n,).
        x_range: the outer edges.
        y_range: the outer edges.
        width: in pixels.
    """

    z: Ref
    levels: Ref
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    width: float = 1.0
    colour: str = field(default="text", kw_only=True)

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        return (list(self.x_range),), (list(self.y_range),)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        if len(c.shape(self.z)) != 2 or min(c.shape(self.z)) < 2 or len(c.shape(self.levels)) != 1:
            raise ValueError(f"Contours: z has shape {c.shape(self.z)}, levels {c.shape(self.levels)}; expected (rows, columns) and (n,)")
        if any(log):
            raise ValueError("Contours: the lines are straight between the cells, a logarithmic axis would bend them")
        slots = {"z": c.slot(self.z, raster=True), "levels": c.slot(self.levels)}
        return {**self.head("contours"), **slots, "xRange": list(self.x_range), "yRange": list(self.y_range), "width": self.width}


@dataclass(frozen=True)
class Bins(Layer):
    """A histogram: ``counts`` (n,) between ``edges`` (n + 1,)."""

    counts: Ref
    edges: Ref
    outline: bool = False

    def refs(self) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
        return (self.edges,), (self.counts, 0.0)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        n, edges = c.shape(self.counts), c.shape(self.edges)
        if len(n) != 1 or edges != (n[0] + 1,):
            raise ValueError(f"Bins: counts have shape {n}, edges {edges}; expected (n,) and (n + 1,)")
        return {**self.head("bins"), "counts": c.slot(self.counts, log=log[1]), "edges": c.slot(self.edges), "outline": self.outline}


@dataclass(frozen=True)
class Mark(Layer):
    """A vertical line at ``x`` or a horizontal one at ``y``, with its label; a number, or a scalar output that moves it."""

    x: Ref = None
    y: Ref = None
    dashed: bool = True
    colour: str = field(default="muted", kw_only=True)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        if (self.x is None) == (self.y is None):
            raise ValueError("Mark takes either x (a vertical line) or y (a horizontal one)")
        ref, along = (self.x, "x") if self.x is not None else (self.y, "y")
        if c.shape(ref) not in ((), (1,)):
            raise ValueError(f"Mark stands at one number, got shape {c.shape(ref)}")
        return {**self.head("mark"), "along": along, "at": c.slot(ref), "dashed": self.dashed}


@dataclass(frozen=True)
class Note(Layer):
    """Words at a point of the plane; ``anchor`` is ``"start"``, ``"middle"`` or ``"end"``."""

    text: str
    x: Ref = 0.0
    y: Ref = 0.0
    anchor: str = "start"
    colour: str = field(default="muted", kw_only=True)

    def spec(self, c: Context, log: tuple[bool, bool]) -> dict[str, Any]:
        anchor = one_of(self.anchor, ("start", "middle", "end"), "anchor")
        return {**self.head("note"), "text": c.template(self.text, "a note"), "x": c.slot(self.x), "y": c.slot(self.y), "anchor": anchor}
