"""One declaration, two homes: live in JupyterLab (Python answers) and in the static page (the precomputed grid answers)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as w
import numpy as np
import traitlets as t

from . import page, pictures
from .compile import MAX_BYTES
from .controls import Control, option_index
from .declare import check_words, read_controls, tabulate_all
from .template import fill, plain

STATIC = Path(__file__).parent / "static"


class FigureWidget(anywidget.AnyWidget):
    """The drawn part of a live explorer: Python writes ``frame``, the front end writes ``request`` (a preset, a mark, reset)."""

    _esm = STATIC / "explorer.js"
    _css = STATIC / "explorer.css"
    spec = t.Dict().tag(sync=True)
    frame = t.Dict().tag(sync=True)
    request = t.Dict().tag(sync=True)


class Explorer(w.VBox):  # type: ignore[misc]
    """A figure that answers to controls.

    Args:
        f: a function from controls (keywords) to a dict of named numbers, arrays or strings; or several functions, each of which takes
            only the controls that it needs. They must be pure.
        controls: by name, real ipywidgets: FloatSlider, FloatLogSlider, IntSlider, Play, SelectionSlider, Dropdown,
            ToggleButtons, Checkbox.
        panels: what is drawn; see :mod:`kexue.explorer.panels`.
        sentence: the state in words, a template over controls and single numbers, or a function of any of them that returns a string.
        title: above the figure.
        name: lower case and hyphens; states of the figure have the address ``#name:control=value``.
        alt: what the figure shows, for those who do not see it.
        grid: for each slider how many values, or which, the static page knows; default all if at most 64, else 16.
        presets: label → values of some controls; the others go back to their start.
        marks: control → {value: label} of critical values, written at the slider.
        interpolate: between grid states: for all outputs made of real numbers, or for those named.
        depends: output → the controls on which it depends; found out by itself where it is not declared.
        derived: name → expression that the page computes itself, see :mod:`kexue.explorer.expressions`.
        constants: name → array, for expressions and panels.
        bits: output → 8, 16 or 32 bits a number (default 16; 8 for rasters, 32 for single numbers).
        play: sliders that get buttons to play and step (``Play`` controls have them anyway).
        limit: the most bytes of data.

    Raises:
        ValueError: whatever is wrong with the declaration, in one line.

    Example:
        >>> import numpy as np
        >>> from kexue.explorer import panels as p
        >>> x = np.linspace(0, 1, 50)
        >>> ex = Explorer(lambda k: {"wave": np.sin(k * x)}, controls={"k": w.IntSlider(1, 1, 5)}, panels=[p.Curves("wave", x=x)],
        ...               sentence="{k} half waves", title="Waves", name="waves", alt="A sine wave whose frequency grows with k")
        >>> ex.grid_states
        5
    """

    def __init__(
        self,
        f: Callable[..., Mapping[str, Any]] | Sequence[Callable[..., Mapping[str, Any]]],
        *,
        controls: Mapping[str, Any],
        panels: Sequence[Any],
        sentence: str | Callable[..., str],
        title: str,
        name: str,
        alt: str,
        grid: Mapping[str, int | Sequence[Any]] | None = None,
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        marks: Mapping[str, Mapping[Any, str]] | None = None,
        interpolate: bool | Collection[str] = False,
        depends: Mapping[str, Sequence[str]] | None = None,
        derived: Mapping[str, str] | None = None,
        constants: Mapping[str, Any] | None = None,
        bits: Mapping[str, int] | None = None,
        play: Sequence[str] = (),
        limit: int = MAX_BYTES,
    ) -> None:
        check_words(name=name, title=title, alt=alt)
        marks, presets = marks or {}, presets or {}
        self._controls = read_controls(controls, grid or {}, presets, marks, play)
        self._grid = tabulate_all(f, self._controls, depends or {}, derived or {}, constants or {}, bits or {}, sentence)
        self._title, self._alt, self._name, self._sentence = title, alt, name, sentence
        self._say = "{@say}" if callable(sentence) else self._grid.template(sentence, "the sentence")
        self._payload = self._compile(panels, presets, marks, interpolate, play)
        self._data = page.data(self._payload)
        if self.data_bytes > limit:
            raise ValueError(f"explorer {name!r} holds {self.data_bytes:,} bytes, the most is {limit:,}: {self.report()}")
        self._pictures: list[tuple[str, str]] = []
        self._quiet = False
        steady = {k: v for k, v in self._payload["tables"].items() if not v["deps"]}
        self.figure = FigureWidget(spec={**self._payload, "tables": steady}, frame=self._frame())
        self.figure.observe(self._obey, "request")
        for control in self._controls.values():
            control.widget.observe(self._answer, "value")
        super().__init__(children=[self.figure, *_live_rows(self._controls, play)])

    # ---- what can be asked of it

    @property
    def controls(self) -> dict[str, Any]:
        """The widgets themselves: set them, observe them, link them, show them in a layout of your own."""
        return {name: c.widget for name, c in self._controls.items()}

    @property
    def grid_states(self) -> int:
        """In how many states the functions have been evaluated for the static page."""
        return sum(len(f.seen) for f in self._grid.functions if f.call.__name__ != "said")

    @property
    def data_bytes(self) -> int:
        """The size of the data in the static page."""
        return len(self._data.encode())

    def values(self) -> dict[str, Any]:
        """All values in the present state of the controls, computed by the functions themselves."""
        return self._grid.live({n: c.widget.value for n, c in self._controls.items()})

    def say(self) -> str:
        """The sentence in the present state."""
        return self._spoken(self.values())

    def report(self) -> str:
        """The bytes of each table, the largest first, with the controls on which it depends."""
        sizes = sorted(((len(str(v)), k, v["deps"]) for k, v in self._payload["tables"].items()), key=lambda s: -s[0])
        return "; ".join(f"{k} ({' × '.join(d) or 'constant'}): {n:,}" for n, k, d in sizes)

    def html(self) -> str:
        """The element for the static page."""
        if not self._pictures:
            states = [self._grid.state(at) for at in self._three()]
            self._pictures = pictures.strip(self._payload["panels"], states, [plain(self._spoken(s)) for s in states])
        size = page.heights(self._payload["panels"], self._payload["controls"], len(self._payload["presets"]))
        return page.element(self._name, plain(self._title), self._data, self._pictures, size, self._alt)

    def __repr__(self) -> str:
        return f"Explorer {self._name!r}: {self.grid_states} states, {self.data_bytes:,} bytes"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": self.html(), "text/plain": repr(self)}

    # ---- the declaration as JSON

    def _compile(
        self, panels: Sequence[Any], presets: Mapping[str, Any], marks: Mapping[str, Any], smooth: Any, play: Sequence[str]
    ) -> dict[str, Any]:
        if not panels:
            raise ValueError("an explorer needs at least one panel")
        drawn = [p.spec(self._grid) for p in panels]
        if callable(self._sentence):
            self._grid.use("@say")
        if not isinstance(smooth, bool):
            unknown = sorted(set(smooth) - set(self._grid.tables))
            if unknown:
                raise ValueError(f"interpolate names {unknown}, which the function does not return")
        tables = self._grid.tables_json(smooth)
        specs = [self._grid.control_json(c, tables, marks.get(n, {})) for n, c in self._controls.items()]
        for spec in specs:
            widget = self._controls[spec["name"]].widget
            if spec["name"] in play or isinstance(widget, w.Play):
                spec["play"] = int(getattr(widget, "interval", 0)) or 200
        settings = [[label, {n: self._controls[n].coordinate(v) for n, v in values.items()}] for label, values in presets.items()]
        head = {"v": 1, "name": self._name, "title": self._title, "alt": self._alt, "say": self._say}
        derived = [[n, tree] for n, tree in self._grid.derived.items() if n in self._grid.used]
        return {**head, "controls": specs, "panels": drawn, "presets": settings, "derived": derived, "tables": tables}

    def _spoken(self, values: Mapping[str, Any]) -> str:
        if callable(self._sentence):
            return str(values["@say"])
        words = {n: c.labels[option_index(c, values[n])] for n, c in self._controls.items() if not c.continuous}
        return fill(self._say, values, words)

    def _three(self) -> list[dict[str, float]]:
        """The first, the middle and the last state: the first control swept, the others at their start."""
        start = {n: c.start for n, c in self._controls.items()}
        first = next(iter(self._controls.values()))
        places = first.coordinates
        chosen = dict.fromkeys((places[0], places[len(places) // 2], places[-1]))
        return [{**start, first.name: at} for at in chosen]

    # ---- live

    def _frame(self) -> dict[str, Any]:
        at = {n: c.coordinate(c.widget.value) for n, c in self._controls.items()}
        try:
            values = self.values()
        except Exception as e:  # whatever the reader's function raises is shown in the figure, which keeps its last picture
            return {"at": at, "error": f"{type(e).__name__}: {e}".splitlines()[0]}
        moving = {k: values[k] for k, table in self._payload["tables"].items() if table["deps"] and k in values}
        packed = {
            k: v if isinstance(v, str) else {"shape": list(v.shape), "data": np.ascontiguousarray(v, "<f8").tobytes()}
            for k, v in moving.items()
        }
        return {"at": at, "values": packed, "error": ""}

    def _answer(self, _: Any = None) -> None:
        if not self._quiet:
            self.figure.frame = self._frame()

    def _obey(self, change: Any) -> None:
        """Set the widgets as the front end asks, then answer once."""
        self._quiet = True
        try:
            for name, at in change.new.get("at", {}).items():
                control = self._controls[name]
                control.widget.value = control.value(float(at))
        finally:
            self._quiet = False
        self._answer()


def _live_rows(controls: Mapping[str, Control], play: Sequence[str]) -> list[Any]:
    """The widgets as they are shown in JupyterLab; what plays gets its buttons beside it."""
    rows = []
    for name, control in controls.items():
        widget = control.widget
        if isinstance(widget, w.Play):
            slider = w.IntSlider(widget.value, widget.min, widget.max, widget.step, description=control.label)
            w.jslink((widget, "value"), (slider, "value"))
            rows.append(w.HBox([widget, slider]))
        elif name in play:
            rows.append(w.HBox([_player(control), widget]))
        else:
            rows.append(widget)
    return rows


def _player(control: Control) -> Any:
    player = w.Play(min=0, max=len(control.coordinates) - 1, value=0, interval=200)

    def move(change: Any) -> None:
        control.widget.value = control.value(control.coordinates[change.new])

    player.observe(move, "value")
    return player
