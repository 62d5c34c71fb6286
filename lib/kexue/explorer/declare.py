"""Reading an explorer's declaration: its texts, its controls, its functions."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import expressions
from .compile import Grid
from .controls import Control, read
from .evaluate import Function, tabulate, wrap

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_BITS = {8: "u1", 16: "u2", 32: "f4"}


def check_words(**texts: str) -> None:
    """Refuse empty texts, and names that cannot stand in an address."""
    for what, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"an explorer needs {what}: a non-empty text, got {text!r}")
    if not _NAME.fullmatch(texts["name"]):
        raise ValueError(f"the name of an explorer is lower case letters, digits and single hyphens, got {texts['name']!r}")


def read_controls(
    widgets: Mapping[str, Any],
    grid: Mapping[str, Any],
    presets: Mapping[str, Mapping[str, Any]],
    marks: Mapping[str, Any],
    play: Sequence[str],
) -> dict[str, Control]:
    """The controls by name, with presets and critical values on their grids."""
    if not widgets:
        raise ValueError("an explorer needs at least one control")
    named = {"grid": grid, "marks": marks, "play": play, **{f"preset {label!r}": values for label, values in presets.items()}}
    for what, names in named.items():
        unknown = sorted(set(names) - set(widgets))
        if unknown:
            raise ValueError(f"{what} names {unknown}, which are no controls; the controls are {list(widgets)}")
    keep = {n: [*marks.get(n, {}), *(v[n] for v in presets.values() if n in v)] for n in widgets}
    controls = {n: read(n, widget, grid.get(n), keep[n] if not hasattr(widget, "options") else ()) for n, widget in widgets.items()}
    for name, values in keep.items():
        for v in values:
            controls[name].coordinate(v)
    return controls


def tabulate_all(
    f: Any,
    controls: dict[str, Control],
    depends: Mapping[str, Sequence[str]],
    derived: Mapping[str, str],
    constants: Mapping[str, Any],
    bits: Mapping[str, int],
    sentence: Any,
) -> Grid:
    """Call the functions over the grid, parse the expressions, and put all of it together."""
    functions = [wrap(g, list(controls)) for g in (f if isinstance(f, (list, tuple)) else [f])]
    tables: dict[str, Any] = {}
    for function in functions:
        new = tabulate(function, controls, depends)
        twice = sorted(set(new) & set(tables) | set(new) & set(controls))
        if twice:
            raise ValueError(f"the names {twice} are given twice, by two functions or by a function and a control")
        tables |= new
    if callable(sentence):
        functions.append(_said(sentence, tuple(functions), controls, tables))
        tables |= tabulate(functions[-1], controls, {})
    unknown = sorted((set(depends) | set(bits)) - set(tables))
    if unknown or set(bits.values()) - set(_BITS):
        raise ValueError(f"depends and bits name outputs, bits are 8, 16 or 32; unknown: {unknown or dict(bits)}")
    arrays = {n: np.asarray(v.detach().cpu() if hasattr(v, "detach") else v, dtype=float) for n, v in constants.items()}
    known = {*controls, *tables, *arrays}
    trees: dict[str, Any] = {}
    for name, source in derived.items():
        trees[name] = expressions.parse(source)
        missing = sorted(expressions.names(trees[name]) - known - set(trees)) + [name] * (name in known)
        if missing:
            raise ValueError(f"expression {name!r} = {source!r}: {missing} are unknown, come later, or are taken")
    return Grid(controls, functions, tables, arrays, trees, {n: _BITS[b] for n, b in bits.items()})


def _said(
    sentence: Callable[..., str], functions: Sequence[Function], controls: Mapping[str, Control], tables: Mapping[str, Any]
) -> Function:
    """A sentence that is a function, as one more output ``@say``."""
    parameters = inspect.signature(sentence).parameters
    everything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    wanted = [n for n in (*controls, *tables) if everything or n in parameters]
    missing = [n for n, p in parameters.items() if n not in wanted and p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    if missing:
        raise ValueError(f"the sentence asks for {missing}, which are neither controls nor outputs")
    # it moves with the controls it names and with all that its outputs take
    needs = {n for n in wanted if n in controls} | {a for f in functions for a in f.arguments if any(n in tables for n in wanted)}

    def said(**state: Any) -> dict[str, str]:
        values = dict(state)
        for function in functions:
            if set(function.arguments) <= set(state):
                places = [controls[n].values.index(state[n]) if state[n] in controls[n].values else -1 for n in function.arguments]
                values |= function.outputs(state) if -1 in places else function.at(tuple(places), controls)
        plain_values = {n: v.item() if isinstance(v, np.ndarray) and v.ndim == 0 else v for n, v in values.items()}
        return {"@say": str(sentence(**{n: plain_values[n] for n in wanted}))}

    return Function(said, tuple(n for n in controls if n in needs))
