from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kexue.explorer.expressions import FUNCTIONS, evaluate, names, parse

A = hnp.arrays(float, (4, 3), elements=st.floats(-5, 5))


@given(A, st.floats(0.1, 5))
def test_softmax_with_noise_is_scipys(x, tau):
    got = evaluate(parse("softmax((logits + noise) / tau)"), {"logits": np.array([1.0, 0.0, -1.0]), "noise": x, "tau": tau})
    np.testing.assert_allclose(got, scipy.special.softmax((np.array([1.0, 0, -1]) + x) / tau, axis=-1), rtol=1e-12, atol=1e-300)


CASES = {
    "exp(x)": np.exp,
    "log(abs(x) + 1)": lambda x: np.log(np.abs(x) + 1),
    "sqrt(x**2)": np.abs,
    "sin(x) + cos(x) * tan(x/10)": lambda x: np.sin(x) + np.cos(x) * np.tan(x / 10),
    "tanh(x) - -x": lambda x: np.tanh(x) + x,
    "floor(x)": np.floor,
    "sigmoid(x)": scipy.special.expit,
    "minimum(x, 1) + maximum(x, -1)": lambda x: np.minimum(x, 1) + np.maximum(x, -1),
    "where(x > 0, x, 0)": lambda x: np.maximum(x, 0),
    "sum(x)": lambda x: x.sum(-1),
    "mean(flat(x))": lambda x: x.mean(),
    "max(x) - min(x)": lambda x: np.ptp(x, axis=-1),
    "argmax(x)": lambda x: x.argmax(-1),
    "cumsum(x)": lambda x: x.cumsum(-1),
    "sum(onehot(x) * x)": lambda x: x.max(-1),
    "transpose(x) * 2": lambda x: 2 * x.T,
    "take(x, 1)": lambda x: x[:, 1],
    "x / (1 + column(sum(x**2)))": lambda x: x / (1 + (x**2).sum(-1, keepdims=True)),
    "(x <= 0) + (x >= 0) + (x < 0) + (x == 0) + (x != 0)": lambda x: sum(1.0 * c for c in (x <= 0, x >= 0, x < 0, x == 0, x != 0)),
    "argsort(flat(x))": lambda x: np.argsort(x.ravel(), kind="stable"),
    "gather(x, argsort(take(transpose(x), 0)) * 0.5)": lambda x: x[:, np.rint(np.argsort(x[0], kind="stable") * 0.5).astype(int)],
    "relabelled(column(take(x, 0)) * take(x, 1), column(take(x, 2)) - take(x, 0), argsort(transpose(x)))": lambda x: [
        sum(x[i, 0] * x[j, 1] * (x[o[i], 2] - x[o[j], 0]) for i in range(4) for j in range(4))
        for o in np.argsort(x.T, axis=-1, kind="stable")
    ],
    "pi * x": lambda x: np.pi * x,
}


@given(A)
@pytest.mark.parametrize("source", CASES)
def test_every_function_is_numpys(source, x):
    np.testing.assert_allclose(evaluate(parse(source), {"x": x}), CASES[source](x), rtol=1e-9, atol=1e-9)


def test_all_functions_are_tried():
    tried = " ".join(CASES) + " softmax"
    assert [f for f in FUNCTIONS if f not in tried] == []


def test_names_are_those_that_are_read():
    assert names(parse("softmax((logits + noise) / tau) * 2 + pi")) == {"logits", "noise", "tau"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("exp(", "cannot be read"),
        ("x.shape", "outside the language"),
        ("__import__('os')", "outside the language"),
        ("exp(x, y)", r"takes 1 argument\(s\), got 2"),
        ("'text'", "outside the language"),
        ("1 < x < 2", "outside the language"),
        ("True", "outside the language"),
        ("+x", "outside the language"),
    ],
)
def test_what_is_outside_the_language_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        parse(source)
