"""The panels of an explorer. ``Plane`` draws any layers in one pair of axes; the others are shorthand for it or drawings of their own.

To add a kind: a frozen dataclass here with ``spec(context)``, a drawing of it in ``pictures.py`` for print, and one TypeScript file in
``frontend/src/panels`` (its README says how).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .kinds import Bars, Matrix, Panel, Simplex, Strip, Text, lattice
from .layers import COLOURS, Arrows, Band, Bins, Context, Contours, Dots, Layer, Line, Mark, Note, Raster, Ref, Trail

__all__ = [
    "Arrows", "Band", "Bars", "Bins", "Contours", "Curves", "Dots", "HeatMap", "Histogram", "Line", "Mark", "Matrix", "Note", "Path",
    "Plane", "Raster", "Scatter", "Simplex", "Strip", "Text", "Trail", "lattice",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Plane(Panel):
    """A pair of axes with layers.

    Attributes:
        layers: what is drawn, the first at the bottom.
        xlabel: under the axis.
        ylabel: over the axis.
        x_range: by default all that occurs on the grid, so that the axes stand still while the controls move.
        y_range: the same.
        x_log: logarithmic axis.
        y_log: logarithmic axis.
        equal: one unit is equally long on both axes.
        axes: draw the axes and their grid; ``False`` leaves the picture bare.
        x_ticks: positions with their labels, instead of round numbers.
        y_ticks: the same.
    """

    layers: Sequence[Layer] = ()
    xlabel: str = ""
    ylabel: str = ""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    x_log: bool = False
    y_log: bool = False
    equal: bool = False
    axes: bool = True
    x_ticks: dict[float, str] = field(default_factory=dict)
    y_ticks: dict[float, str] = field(default_factory=dict)

    def spec(self, c: Context) -> dict[str, Any]:
        """The panel as JSON."""
        log = (self.x_log, self.y_log)
        x = self._range(c, 0, self.x_range, self.x_log)
        y = self._range(c, 1, self.y_range, self.y_log)
        layers = [layer.spec(c, log) for layer in self.layers]  # type: ignore[attr-defined]
        axes = {"x": x, "y": y, "xlog": self.x_log, "ylog": self.y_log, "equal": self.equal, "axes": self.axes}
        ticks = {"xticks": [[float(k), v] for k, v in self.x_ticks.items()], "yticks": [[float(k), v] for k, v in self.y_ticks.items()]}
        return {**self.head("plane"), "xlabel": self.xlabel, "ylabel": self.ylabel, **axes, **ticks, "layers": layers}

    def _range(self, c: Context, axis: int, given: tuple[float, float] | None, log: bool) -> list[float]:
        if given is not None:
            low, high = map(float, given)
        else:
            low, high = self._span(c, axis, log)
        if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
            wanted = "0 < low < high" if log else "low < high"
            raise ValueError(f"panel {self.title!r}: the range of axis {'xy'[axis]} is ({low:g}, {high:g}), expected {wanted}")
        return [low, high]

    def _span(self, c: Context, axis: int, log: bool) -> tuple[float, float]:
        # dots ride on lines: where there are lines, these set the range
        leading = [layer for layer in self.layers if not isinstance(layer, Dots)]
        framing = leading if any(layer.refs()[axis] for layer in leading) else self.layers
        refs = [r for layer in framing for r in layer.refs()[axis]]
        boxes = [c.slot(layer.xy) for layer in framing if isinstance(layer, Dots) and layer.xy is not None]
        if not refs and not boxes:
            lengths = [c.shape(layer.y)[-1] for layer in self.layers if isinstance(layer, Line)]
            return (0.0, float(max(lengths) - 1)) if lengths and axis == 0 else (0.0, 1.0)
        low, high = c.extent(*refs, *boxes)
        if log:
            return low, high if high > low else low * 10
        pad = 0.0 if axis == 0 and not boxes else 0.04 * ((high - low) or abs(high) or 1.0)
        if axis == 1 and 0 <= low < 0.3 * high:
            return 0.0, high + pad
        return low - pad, high + pad


def Curves(
    *lines: Line | str | Ref,
    x: Ref = None,
    labels: Sequence[str] = (),
    marks: Sequence[Any] = (),
    dots: Sequence[Dots] = (),
    layers: Sequence[Layer] = (),
    **axes: Any,
) -> Plane:
    """Lines over a common ``x``.

    Args:
        *lines: names of outputs, or ``Line`` where more is to be said.
        x: reference (n,); by default 0 … n − 1.
        labels: one for each line given by name; written at its end.
        marks: ``Mark``, or a number, or ``(number, label)`` for a vertical line.
        dots: moving points.
        layers: anything else, drawn under the lines.
        **axes: what ``Plane`` takes (title, xlabel, y_range, y_log, height …).

    Returns:
        The panel.
    """
    drawn: list[Layer] = []
    for i, line in enumerate(lines):
        item = line if isinstance(line, Line) else Line(line, colour=COLOURS[i % 6], label=labels[i] if i < len(labels) else "")
        drawn.append(replace(item, x=x) if item.x is None and x is not None else item)
    return Plane(layers=[*layers, *drawn, *dots, *map(mark, marks)], **axes)


def mark(value: Any) -> Mark:
    """A ``Mark`` from itself, a number, or ``(number, label)``."""
    if isinstance(value, Mark):
        return value
    at, label = value if isinstance(value, tuple) else (value, "")
    return Mark(x=at, label=label)


def Scatter(
    points: Ref = None,
    *,
    x: Ref = None,
    y: Ref = None,
    classes: Ref = None,
    names: Sequence[str] = (),
    colour: str = "one",
    size: float = 5.0,
    opacity: float = 0.75,
    label: str = "",
    layers: Sequence[Layer] = (),
    marks: Sequence[Any] = (),
    **axes: Any,
) -> Plane:
    """Points ``points`` (n, 2), or ``x`` and ``y``, over the curves in ``layers``; ``classes`` (n,) chooses the colours."""
    dots = Dots(points, x, y, classes, names, size, colour=colour, opacity=opacity, label=label)
    return Plane(layers=[*layers, dots, *map(mark, marks)], **axes)


def HeatMap(
    z: Ref,
    *,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    range: tuple[float, float] | None = None,
    colours: str = "sequential",
    smooth: bool = True,
    bar: bool = True,
    unit: str = "",
    layers: Sequence[Layer] = (),
    marks: Sequence[Any] = (),
    **axes: Any,
) -> Plane:
    """A raster ``z`` (rows, columns), row 0 at the bottom, stored in 8 bits, with anything in ``layers`` on top."""
    raster = Raster(z, x_range, y_range, range, colours, smooth, bar, unit)
    return Plane(layers=[raster, *layers, *map(mark, marks)], x_range=x_range, y_range=y_range, **axes)


def Path(
    x: Ref,
    y: Ref,
    *,
    value: Ref = None,
    range: tuple[float, float] | None = None,
    widths: tuple[float, float] = (3.5, 3.5),
    unit: str = "",
    colour: str = "one",
    layers: Sequence[Layer] = (),
    marks: Sequence[Any] = (),
    equal: bool = True,
    **axes: Any,
) -> Plane:
    """A path in the plane, coloured by ``value`` along it (with a colour bar), on equal scales."""
    path: Layer = Line(y, x, widths[1], colour=colour) if value is None else Trail(x, y, value, range, widths, unit)
    return Plane(layers=[*layers, path, *map(mark, marks)], equal=equal, **axes)


def Histogram(
    counts: Ref, edges: Ref, *, colour: str = "one", layers: Sequence[Layer] = (), marks: Sequence[Any] = (), **axes: Any
) -> Plane:
    """A histogram: ``counts`` (n,) between ``edges`` (n + 1,)."""
    return Plane(layers=[Bins(counts, edges, colour=colour), *layers, *map(mark, marks)], **axes)
