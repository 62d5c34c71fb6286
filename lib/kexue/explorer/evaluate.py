"""Calling the reader's function over the grid, only as often as its dependence on the controls asks for."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .controls import Control
from .quantise import Table

Value = Any  # a float64 array or a str
SMALL_PRODUCT = 600
MOST_STATES = 20_000
_CHECKS = 16


@dataclass
class Function:
    """A function of some of the controls, with the states at which it has been called.

    Attributes:
        call: the function itself, called with keywords.
        arguments: the controls that it takes.
        seen: its outputs by the tuple of grid indices of its arguments.
    """

    call: Callable[..., Mapping[str, Any]]
    arguments: tuple[str, ...]
    seen: dict[tuple[int, ...], dict[str, Value]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    def outputs(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """The outputs at the given values of the controls, as arrays or strings; further names in ``values`` are ignored."""
        state = {n: values[n] for n in self.arguments}
        raw = self.call(**state)
        if not isinstance(raw, Mapping) or not all(isinstance(k, str) for k in raw):
            raise ValueError(f"the function of an explorer returns a dict from names to numbers or arrays, got {type(raw).__name__}")
        return {name: self._plain(name, value, state) for name, value in raw.items()}

    def _plain(self, name: str, value: Any, state: Mapping[str, Any]) -> Value:
        if isinstance(value, str):
            self.whole.add(name)
            return value
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"output {name!r} at {describe(state)}: expected numbers or a string, got dtype {array.dtype}")
        if array.dtype.kind != "f":
            self.whole.add(name)
        result = array.astype(float)
        if np.isinf(result).any():
            raise ValueError(f"output {name!r} at {describe(state)} is infinite; return NaN for a gap, or a finite value")
        return result

    def at(self, index: tuple[int, ...], controls: Mapping[str, Control]) -> dict[str, Value]:
        """The outputs at grid indices, from memory where it has been there."""
        if index not in self.seen:
            self.seen[index] = self.outputs({n: controls[n].values[i] for n, i in zip(self.arguments, index, strict=True)})
        return self.seen[index]


def wrap(call: Callable[..., Mapping[str, Any]], names: Sequence[str]) -> Function:
    """Read off a function's signature which controls it takes.

    Raises:
        ValueError: an argument without default that is no control.
    """
    parameters = inspect.signature(call).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return Function(call, tuple(names))
    taken = [p.name for p in parameters if p.name in names and p.kind is not p.POSITIONAL_ONLY]
    missing = [p.name for p in parameters if p.name not in names and p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    if missing:
        raise ValueError(f"the function takes {missing}, which no control sets; the controls are {list(names)}")
    return Function(call, tuple(n for n in names if n in taken))


def describe(state: Mapping[str, Any]) -> str:
    """A state in words: ``tau = 0.1, hard = True``."""
    return ", ".join(f"{k} = {v:g}" if isinstance(v, float) else f"{k} = {v}" for k, v in state.items()) or "the only state"


def same(a: Value, b: Value) -> bool:
    """Whether two outputs are equal up to rounding."""
    if isinstance(a, str) or isinstance(b, str):
        return bool(np.array_equal(a, b))
    return bool(a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True))


def tabulate(function: Function, controls: Mapping[str, Control], depends: Mapping[str, Sequence[str]]) -> dict[str, Table]:
    """Evaluate a function on the grid.

    Args:
        function: what to call.
        controls: by name; the start of each is a point of its grid.
        depends: for some outputs, the controls on which they depend; for the others it is found out.

    Returns:
        A table for each output. An output that depends on two of three controls costs their product alone.

    Raises:
        ValueError: an output whose shape changes, a declared dependence that is wrong, a function that is not pure, a grid too large.
    """
    sizes = {n: len(controls[n].values) for n in function.arguments}
    base = tuple(controls[n].coordinates.index(nearest(controls[n], controls[n].start)) for n in function.arguments)
    first = function.at(base, controls)
    found = _dependence(function, controls, sizes, base)
    for name, given in depends.items():
        if name in first:
            unknown = sorted(set(given) - set(function.arguments))
            if unknown:
                raise ValueError(f"output {name!r} cannot depend on {unknown}: its function takes {list(function.arguments)}")
            found[name] = tuple(n for n in function.arguments if n in given)
    _confirm(function, controls, sizes, base, found, depends)
    tables = {name: _table(function, controls, sizes, base, name, found[name]) for name in first}
    again = function.outputs({n: controls[n].values[i] for n, i in zip(function.arguments, base, strict=True)})
    for name, value in again.items():
        if not same(value, first[name]):
            raise ValueError(f"output {name!r}: two calls in the same state differ; give every draw a generator with a fixed seed")
    return tables


def nearest(control: Control, at: float) -> float:
    """The grid coordinate nearest to ``at``."""
    return min(control.coordinates, key=lambda c: abs(c - at))


def _changes(states: Sequence[dict[str, Value]]) -> set[str]:
    return {name for name, value in states[0].items() if any(name not in s or not same(value, s[name]) for s in states[1:])}


def _dependence(
    function: Function, controls: Mapping[str, Control], sizes: Mapping[str, int], base: tuple[int, ...]
) -> dict[str, tuple[str, ...]]:
    """Which controls move which output: each control swept alone, from every other state if they are few, else from two of them."""
    ranges = [range(sizes[n]) for n in function.arguments]
    few = math.prod(sizes.values()) <= SMALL_PRODUCT
    other = tuple((i + s // 3 + 1) % s for i, s in zip(base, sizes.values(), strict=True))
    moved: dict[str, set[str]] = {name: set() for name in function.at(base, controls)}
    for axis, control in enumerate(function.arguments):
        rests = (
            itertools.product(*(r for i, r in enumerate(ranges) if i != axis))
            if few
            else ((*b[:axis], *b[axis + 1 :]) for b in (base, other))
        )
        for rest in rests:
            line = [function.at((*rest[:axis], i, *rest[axis:]), controls) for i in ranges[axis]]
            for name in _changes(line):
                moved.setdefault(name, set()).add(control)
    return {name: tuple(n for n in function.arguments if n in by) for name, by in moved.items()}


def _confirm(
    function: Function,
    controls: Mapping[str, Control],
    sizes: Mapping[str, int],
    base: tuple[int, ...],
    found: dict[str, tuple[str, ...]],
    declared: Mapping[str, Sequence[str]],
) -> None:
    """Compare the dependence with random states; widen a found one that proves wrong, refuse a declared one."""
    rng = np.random.default_rng(0)
    for _ in range(_CHECKS):
        index = tuple(int(rng.integers(s)) for s in sizes.values())
        actual = function.at(index, controls)
        for name, depends in found.items():
            reduced = tuple(i if n in depends else b for n, i, b in zip(function.arguments, index, base, strict=True))
            if name in actual and not same(function.at(reduced, controls)[name], actual[name]):
                if name in declared:
                    raise ValueError(
                        f"output {name!r} depends on more than {tuple(depends)}: it differs at {_words(function, controls, index)}"
                    )
                found[name] = function.arguments


def _words(function: Function, controls: Mapping[str, Control], index: tuple[int, ...]) -> str:
    return describe({n: controls[n].values[i] for n, i in zip(function.arguments, index, strict=True)})


def _table(
    function: Function,
    controls: Mapping[str, Control],
    sizes: Mapping[str, int],
    base: tuple[int, ...],
    name: str,
    depends: tuple[str, ...],
) -> Table:
    grid = tuple(sizes[n] for n in depends)
    if math.prod(grid) > MOST_STATES:
        raise ValueError(
            f"output {name!r} needs {math.prod(grid)} states ({' × '.join(map(str, grid))}); the most is {MOST_STATES}: take a coarser grid"
        )
    values = []
    for point in itertools.product(*(range(s) for s in grid)):
        place = dict(zip(depends, point, strict=True))
        index = tuple(place.get(n, b) for n, b in zip(function.arguments, base, strict=True))
        outputs = function.at(index, controls)
        if name not in outputs:
            raise ValueError(f"output {name!r} is missing at {_words(function, controls, index)}; return every output in every state")
        values.append(outputs[name])
        if np.shape(values[-1]) != np.shape(values[0]) or isinstance(values[-1], str) != isinstance(values[0], str):
            raise ValueError(
                f"output {name!r} has shape {np.shape(values[-1])} at {_words(function, controls, index)} but {np.shape(values[0])} "
                "in the first state; pad it to one length, with NaN for what is not there"
            )
    whole = name in function.whole
    if isinstance(values[0], str):
        return Table(name, depends, grid, (), None, tuple(values), True)
    return Table(name, depends, grid, np.shape(values[0]), np.asarray(values).reshape((*grid, *np.shape(values[0]))), (), whole)
