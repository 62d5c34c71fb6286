"""What an explorer knows about one ipywidgets control: its kind, its own scale, the values that the static page can reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as w

DEFAULT_STATES = 16
FINE_POSITIONS = 400
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Control:
    """One control as the explorer reads it off a widget.

    Attributes:
        name: the argument of the function that this control sets.
        widget: the ipywidgets control itself.
        kind: ``"range"`` (a number on a linear or logarithmic scale), ``"slider"``, ``"select"``, ``"radio"`` (one of several
            options) or ``"check"``.
        scale: ``"linear"``, ``"log"`` or ``"index"``.
        coordinates: the grid on the control's own scale: exponents for a logarithmic slider, indices for options.
        values: what the function receives at each coordinate.
        labels: what the reader sees at each coordinate of a discrete control; empty for a range.
    """

    name: str
    widget: Any
    kind: str
    scale: str
    coordinates: tuple[float, ...]
    values: tuple[Any, ...]
    labels: tuple[str, ...] = ()

    @property
    def continuous(self) -> bool:
        """Whether values between two grid points mean something."""
        return self.kind == "range"

    def coordinate(self, value: Any) -> float:
        """The place of ``value`` on the control's own scale; ``ValueError`` where the control cannot take it."""
        if not self.continuous:
            return float(option_index(self, value))
        number = as_number(self.name, value)
        low, high = self.limits
        at = own_scale(self.widget, number, self.name)
        if not low - _TOLERANCE <= at <= high + _TOLERANCE:
            raise ValueError(f"control {self.name!r}: {number:g} lies outside {self.value(low):g} … {self.value(high):g}")
        return min(max(at, low), high)

    def value(self, at: float) -> Any:
        """The value at a coordinate, as the function receives it."""
        if not self.continuous:
            return self.values[round(at)]
        number = float(self.widget.base) ** at if self.scale == "log" else at
        return round(number) if is_integer(self.widget) else number

    @property
    def limits(self) -> tuple[float, float]:
        """The first and the last coordinate."""
        if self.continuous:
            return float(self.widget.min), float(self.widget.max)
        return 0.0, float(len(self.values) - 1)

    @property
    def start(self) -> float:
        """The coordinate at which the widget stands when the explorer is declared."""
        return self.coordinate(self.widget.value)

    @property
    def label(self) -> str:
        """What the reader calls it."""
        return str(self.widget.description or self.name)


def is_integer(widget: Any) -> bool:
    """Whether the widget counts in whole numbers."""
    return isinstance(widget, (w.IntSlider, w.Play))


def as_number(name: str, value: Any) -> float:
    """``value`` as a finite float, or a ``ValueError`` that names the control."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"control {name!r}: expected a finite number, got {value!r}")
    return float(value)


def own_scale(widget: Any, value: float, name: str = "") -> float:
    """A value on the widget's own scale: the exponent for a logarithmic slider, else itself."""
    if not isinstance(widget, w.FloatLogSlider):
        return value
    if value <= 0:
        raise ValueError(f"control {name!r}: a logarithmic slider takes positive values, got {value:g}")
    # log10 is exact at the decades, a quotient of logarithms is not
    return math.log10(value) if widget.base == 10 else math.log(value) / math.log(float(widget.base))


def option_index(control: Control, value: Any) -> int:
    """The index of an option, by value or else by label."""
    for options in (control.values, control.labels):
        for i, option in enumerate(options):
            if option is value or (type(option) is type(value) and option == value):
                return i
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        for i, option in enumerate(control.values):
            if isinstance(option, (int, float)) and math.isclose(option, value, rel_tol=1e-9, abs_tol=1e-12):
                return i
    raise ValueError(f"control {control.name!r}: {value!r} is none of its options {list(control.labels)}")


def read(name: str, widget: Any, grid: int | Sequence[Any] | None = None, keep: Sequence[Any] = ()) -> Control:
    """Read one widget.

    Args:
        name: the argument that the control sets.
        widget: FloatSlider, FloatLogSlider, IntSlider, Play, SelectionSlider, Dropdown, ToggleButtons or Checkbox.
        grid: how many values (spread over the widget's own scale) or which ones; by default all of them where they are few.
        keep: values that must be reachable exactly (presets, critical values).

    Returns:
        The control.

    Raises:
        ValueError: an unknown kind of widget, or a grid that it cannot take.
    """
    if isinstance(widget, (w.FloatSlider, w.FloatLogSlider, w.IntSlider, w.Play)):
        return _range(name, widget, grid, keep)
    if isinstance(widget, w.Checkbox):
        _no_grid(name, grid)
        return Control(name, widget, "check", "index", (0.0, 1.0), (False, True), ("off", "on"))
    kinds = {w.SelectionSlider: "slider", w.Dropdown: "select", w.ToggleButtons: "radio"}
    for cls, kind in kinds.items():
        if isinstance(widget, cls):
            _no_grid(name, grid)
            return _options(name, widget, kind)
    known = "FloatSlider, FloatLogSlider, IntSlider, Play, SelectionSlider, Dropdown, ToggleButtons, Checkbox"
    raise ValueError(f"control {name!r}: {type(widget).__name__} is not a control an explorer can draw; it takes {known}")


def _no_grid(name: str, grid: object) -> None:
    if grid is not None:
        raise ValueError(f"control {name!r} has options of its own: it takes no grid")


def _options(name: str, widget: Any, kind: str) -> Control:
    raw = widget.options
    pairs = list(raw.items()) if isinstance(raw, Mapping) else [o if isinstance(o, tuple) else (str(o), o) for o in raw]
    if not pairs or widget.value is None:
        raise ValueError(f"control {name!r}: needs at least one option and one chosen")
    labels, values = zip(*[(str(label), value) for label, value in pairs], strict=True)
    return Control(name, widget, kind, "index", tuple(map(float, range(len(values)))), values, labels)


def _range(name: str, widget: Any, grid: int | Sequence[Any] | None, keep: Sequence[Any]) -> Control:
    scale = "log" if isinstance(widget, w.FloatLogSlider) else "linear"
    plain = Control(name, widget, "range", scale, (), ())
    low, high = plain.limits
    if not low < high:
        raise ValueError(f"control {name!r}: needs min < max, got {widget.min} and {widget.max}")
    step = float(widget.step) if not isinstance(widget, w.Play) else float(widget.step or 1)
    count = max(2, math.floor((high - low) / step + 1.5)) if step > 0 else DEFAULT_STATES
    at = _spread(low, high, count, step) if grid is None and count <= 64 else _requested(plain, grid)
    extra = [plain.coordinate(v) for v in (widget.value, *keep)]
    if is_integer(widget):
        at = [float(round(a)) for a in at]
    coordinates = distinct([*at, *extra])
    return Control(name, widget, "range", scale, coordinates, tuple(plain.value(c) for c in coordinates))


def _spread(low: float, high: float, count: int, step: float | None = None) -> list[float]:
    width = step if step is not None else (high - low) / (count - 1)
    return [min(low + i * width, high) for i in range(count - 1)] + [high]


def _requested(plain: Control, grid: int | Sequence[Any] | None) -> list[float]:
    low, high = plain.limits
    if grid is None:
        return _spread(low, high, DEFAULT_STATES)
    if isinstance(grid, int) and not isinstance(grid, bool):
        if grid < 2:
            raise ValueError(f"control {plain.name!r}: a grid needs at least 2 values, got {grid}")
        return _spread(low, high, grid)
    if isinstance(grid, (str, bool)) or len(grid) < 2:
        raise ValueError(f"control {plain.name!r}: the grid is a count or a list of at least 2 values, got {grid!r}")
    return [plain.coordinate(float(v)) for v in grid]


def distinct(values: Sequence[float]) -> tuple[float, ...]:
    """Sorted, with near duplicates dropped: two values closer than a billionth of the span are one."""
    ordered = sorted(values)
    span = (ordered[-1] - ordered[0]) or 1.0
    kept = [ordered[0]]
    for v in ordered[1:]:
        if v - kept[-1] > _TOLERANCE * span:
            kept.append(v)
    return tuple(float(f"{v:.12g}") for v in kept)


def fine_positions(control: Control) -> tuple[float, ...]:
    """Where the static slider may stand when the page interpolates: every step of the widget, and every grid point."""
    low, high = control.limits
    step = float(control.widget.step or 1)
    if is_integer(control.widget):
        step = max(1.0, step)
    count = math.floor((high - low) / step + 1.5) if step > 0 else FINE_POSITIONS
    if count > FINE_POSITIONS and not is_integer(control.widget):
        step, count = (high - low) / (FINE_POSITIONS - 1), FINE_POSITIONS
    return distinct([*_spread(low, high, count, step), *control.coordinates])
