from __future__ import annotations

import itertools

import ipywidgets as w
import numpy as np
import pytest
import torch

from kexue.explorer.controls import read
from kexue.explorer.evaluate import tabulate, wrap


def controls(**sizes):
    return {n: read(n, w.IntSlider(value=0, min=0, max=s - 1)) for n, s in sizes.items()}


def table(f, sizes, depends=None):
    c = controls(**sizes)
    function = wrap(f, list(c))
    return tabulate(function, c, depends or {}), function


def test_independent_controls_cost_a_sum_not_a_product():
    calls = []

    def f(a, b, c):
        calls.append((a, b, c))
        return {"x": a * 1.0, "y": b * 1.0, "z": c * 1.0}

    tables, function = table(f, {"a": 30, "b": 30, "c": 30})
    assert {n: t.depends for n, t in tables.items()} == {"x": ("a",), "y": ("b",), "z": ("c",)}
    assert len(function.seen) <= 2 * 90 + 2 * 16 * 2  # two sweeps and the random checks, not 27 000
    assert tables["y"].values.tolist() == list(range(30))


def test_every_state_of_a_table_is_the_functions():
    def f(a, b):
        return {"x": np.array([a + 10 * b, a]), "y": b**2 / 3, "w": f"b{b}"}

    tables, _ = table(f, {"a": 3, "b": 4})
    for a, b in itertools.product(range(3), range(4)):
        assert tables["x"].values[a, b].tolist() == [a + 10 * b, a]
        assert tables["y"].values[b] == b**2 / 3
        assert tables["w"].strings[b] == f"b{b}"
    assert (tables["x"].whole, tables["y"].whole, tables["w"].whole) == (True, False, True)


def test_a_hidden_dependence_is_found_by_the_random_checks():
    # x moves with b only where a is far from its start and c is not where the sweeps look
    def f(a, b, c):
        return {"x": float(b if a not in (0, 11) and c not in (0, 11) else 0)}

    tables, _ = table(f, {"a": 30, "b": 30, "c": 3})
    assert "b" in tables["x"].depends


def test_only_the_arguments_of_a_function_are_given_to_it():
    tables, function = table(lambda b, scale=2.0: {"x": b * scale}, {"a": 5, "b": 4})
    assert function.arguments == ("b",)
    assert tables["x"].values.tolist() == [0, 2, 4, 6]
    assert wrap(lambda **state: {}, ["a", "b"]).arguments == ("a", "b")


def test_tensors_and_truth_values_are_taken():
    tables, _ = table(lambda a: {"t": torch.tensor([a, 1.0], requires_grad=True), "b": a > 1}, {"a": 3})
    assert tables["t"].values.tolist() == [[0, 1], [1, 1], [2, 1]]
    assert tables["b"].whole


def test_a_declared_dependence_is_used():
    tables, _ = table(lambda a, b: {"x": float(a)}, {"a": 3, "b": 3}, {"x": ("a", "b")})
    assert tables["x"].values.shape == (3, 3)


def impure():
    rng = np.random.default_rng(0)

    def f(a):
        return {"x": rng.normal()}

    return f


@pytest.mark.parametrize(
    ("f", "depends", "message"),
    [
        (lambda a, q: {}, {}, r"\['q'\], which no control sets"),
        (lambda a: [1.0], {}, "returns a dict"),
        (lambda a: {"x": np.zeros(2 + a)}, {}, r"shape \(3,\) at a = 1 but \(2,\)"),
        (lambda a: {"x": "word" if a else 1.0}, {}, "shape"),
        (lambda a: {"x": 1.0, **({} if a else {"y": a})}, {}, "'y' is missing at a = 1"),
        (lambda a: {"x": np.inf if a == 2 else 0.0}, {}, "'x' at a = 2 is infinite"),
        (lambda a: {"x": 1j}, {}, "expected numbers or a string"),
        (lambda a: {"x": a}, {"x": ("z",)}, r"cannot depend on \['z'\]"),
        (lambda a: {"x": a}, {"x": ()}, "depends on more than"),
        (impure(), {}, "two calls in the same state differ"),
    ],
)
def test_what_is_wrong_with_a_function_is_said(f, depends, message):
    with pytest.raises(ValueError, match=message):
        table(f, {"a": 3}, depends)


def test_a_grid_too_large_is_refused():
    c = {n: read(n, w.FloatSlider(value=0, min=0, max=1, step=0.001), grid=60) for n in "abc"}
    with pytest.raises(ValueError, match=r"61 × 61 × 61|60 × 60 × 60"):
        tabulate(wrap(lambda a, b, c: {"x": a * b + c + a * b * c + b * c}, list(c)), c, {})
