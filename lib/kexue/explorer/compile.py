"""From a declaration to what the page needs: tables, constants, expressions and the JSON of the panels."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import expressions, template
from .controls import Control, fine_positions
from .evaluate import Function, Value, nearest
from .quantise import Table, choose

MAX_BYTES = 300_000


@dataclass
class Grid:
    """All that is known about an explorer's states; the context in which panels are compiled.

    Attributes:
        controls: by name.
        functions: what computes the outputs.
        tables: outputs over the grid.
        constants: arrays that no control moves.
        derived: parsed expressions, in the order of their computation.
        wanted: encodings asked for by name.
    """

    controls: Mapping[str, Control]
    functions: Sequence[Function]
    tables: dict[str, Table]
    constants: dict[str, Value]
    derived: dict[str, Any]
    wanted: Mapping[str, str]
    used: set[str] = field(default_factory=set)
    raster: set[str] = field(default_factory=set)
    log: set[str] = field(default_factory=set)
    _samples: list[dict[str, Value]] = field(default_factory=list)

    # ---- the values in a state

    def state(self, coordinates: Mapping[str, float]) -> dict[str, Value]:
        """All values in the grid state nearest to the coordinates, by the tables."""
        index = {n: c.coordinates.index(nearest(c, coordinates.get(n, c.start))) for n, c in self.controls.items()}
        values: dict[str, Value] = {}
        for name, table in self.tables.items():
            place = tuple(index[n] for n in table.depends)
            flat = int(np.ravel_multi_index(place, table.grid)) if place else 0
            values[name] = table.strings[flat] if table.values is None else table.values[place]
        return self.complete({n: c.values[index[n]] for n, c in self.controls.items()}, values)

    def live(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """All values at exact positions of the controls, by the functions themselves."""
        outputs: dict[str, Value] = {}
        for f in self.functions:
            outputs |= f.outputs(values)
        return self.complete(values, outputs)

    def complete(self, controls: Mapping[str, Any], outputs: Mapping[str, Value]) -> dict[str, Value]:
        """Outputs together with the controls, the constants and the expressions."""
        values: dict[str, Value] = {**controls, **self.constants, **outputs}
        for name, tree in self.derived.items():
            values[name] = expressions.evaluate(tree, values)
        return values

    @property
    def samples(self) -> list[dict[str, Value]]:
        """States that sweep one control at a time: they set the ranges of what is computed by expressions."""
        if not self._samples:
            start = {n: c.start for n, c in self.controls.items()}
            self._samples = [self.state({**start, n: at}) for n, c in self.controls.items() for at in c.coordinates] or [self.state({})]
        return self._samples

    # ---- the context of the panels

    @property
    def known(self) -> set[str]:
        """Every name that a panel or sentence may use."""
        return {*self.controls, *self.tables, *self.constants, *self.derived}

    def name(self, ref: Any) -> str:
        """The name of a reference; a constant gets one."""
        if isinstance(ref, str):
            if ref not in self.known:
                near = difflib.get_close_matches(ref, self.known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it returns {sorted(self.tables)}"
                raise ValueError(f"a panel asks for {ref!r}, which the function does not return; {hint}")
            return ref
        value = np.asarray(ref.detach().cpu() if hasattr(ref, "detach") else ref, dtype=float)
        if np.isinf(value).any():
            raise ValueError("a constant of a panel is infinite; use NaN for a gap")
        for name, known in self.constants.items():
            if name.startswith("#") and known.shape == value.shape and np.array_equal(known, value, equal_nan=True):
                return name
        name = f"#{len(self.constants)}"
        self.constants[name] = value
        return name

    def slot(self, ref: Any, *, raster: bool = False, log: bool = False) -> str:
        """The name under which the page finds a reference; it will be in the page."""
        name = self.name(ref)
        self.use(name)
        if raster:
            self.raster.add(name)
        if log:
            self.log.add(name)
        return name

    def use(self, name: str) -> None:
        """Note that the page needs a name, and all that it is computed from."""
        if name in self.used:
            return
        self.used.add(name)
        if name in self.derived:
            for n in expressions.names(self.derived[name]):
                self.use(n)

    def template(self, text: str, where: str) -> str:
        """A checked template whose names will be in the page."""
        for name, _ in template.fields(template.check(text, self.known, where)):
            if name not in self.controls and self.shape(name) != ():
                raise ValueError(f"{where}: {{{name}}} has shape {self.shape(name)}; only single numbers and texts can be written")
            self.use(name)
        return text

    def shape(self, ref: Any) -> tuple[int, ...]:
        """The shape of a reference."""
        name = self.name(ref)
        if name in self.tables:
            return self.tables[name].shape
        return tuple(np.shape(self.constants[name] if name in self.constants else self.samples[0][name]))

    def extent(self, *refs: Any) -> tuple[float, float]:
        """The least and greatest finite value of references over the grid; (0, 1) where there is none."""
        found = []
        for name in map(self.name, refs):
            if name in self.tables:
                values = self.tables[name].values
                found.append(np.empty(0) if values is None else values.ravel())
            else:
                found += [np.ravel(np.asarray(s[name] if name in s else self.constants[name], dtype=float)) for s in self.samples]
        every = np.concatenate(found) if found else np.empty(0)
        every = every[np.isfinite(every)]
        return (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)

    # ---- the JSON

    def tables_json(self, interpolate: Any) -> dict[str, Any]:
        """The tables of all used outputs and constants."""
        everything = dict(self.tables)
        for name, value in self.constants.items():
            everything[name] = Table(name, (), (), np.shape(value), np.asarray(value, dtype=float))
        out = {}
        for name, table in everything.items():
            if name in self.used:
                wanted = self.wanted.get(name) or ("u1" if name in self.raster else None)
                smooth = interpolate if isinstance(interpolate, bool) else name in interpolate
                out[name] = table.encode(choose(table, wanted, name in self.log), smooth)
        return out

    def control_json(self, control: Control, tables: Mapping[str, Any], marks: Mapping[float, str]) -> dict[str, Any]:
        """One control for the page."""
        spec: dict[str, Any] = {"name": control.name, "kind": control.kind, "label": control.label, "start": control.start}
        spec["marks"] = [[control.coordinate(v), text] for v, text in marks.items()]
        if not control.continuous:
            values = [
                v if isinstance(v, (bool, int, float, str)) else label for v, label in zip(control.values, control.labels, strict=True)
            ]
            return {**spec, "labels": list(control.labels), "values": values, "grid": list(control.coordinates)}
        held = [t for t in tables.values() if control.name in t["deps"]]
        fine = all(t.get("lerp") for t in held)
        spec |= {"scale": control.scale, "base": float(getattr(control.widget, "base", 10.0)), "grid": list(control.coordinates)}
        spec |= {"integer": isinstance(control.values[0], int), "format": readout(control.widget)}
        positions = fine_positions(control) if fine else control.coordinates
        return {**spec, "positions": list(positions)} if positions != control.coordinates else spec


def readout(widget: Any) -> str:
    """The widget's own number format, where the page knows it; else enough digits for its step."""
    given = str(getattr(widget, "readout_format", "d") or "")
    try:
        template.fields("{x:" + given + "}")
    except ValueError:
        return ".3g"
    return given
