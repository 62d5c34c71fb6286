from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kexue.explorer.quantise import Table, choose, dequantise, quantise

FINITE = st.floats(-1e6, 1e6, allow_nan=False)
TOP = {"u1": 254, "u2": 65534, "u2log": 65534}


@given(hnp.arrays(float, st.integers(1, 50), elements=FINITE), st.sampled_from(["u1", "u2"]))
def test_the_error_is_at_most_half_a_step(values, encoding):
    codes, low, high = quantise(values, encoding)
    back = dequantise(codes, encoding, low, high)
    # half a step, and a few units in the last place for the arithmetic itself
    bound = (high - low) / (2 * TOP[encoding]) + 4 * np.finfo(float).eps * np.abs(values).max()
    assert np.abs(back - values).max() <= bound


@given(hnp.arrays(float, st.integers(1, 50), elements=st.floats(1e-9, 1e9)))
def test_a_logarithmic_table_bounds_the_relative_error(values):
    codes, low, high = quantise(values, "u2log")
    back = dequantise(codes, "u2log", low, high)
    assert np.abs(np.log(back / values)).max() <= (high - low) / (2 * 65534) + 1e-13


@given(hnp.arrays(float, st.integers(1, 30), elements=st.one_of(FINITE, st.just(np.nan))), st.sampled_from(["u1", "u2", "f4"]))
def test_gaps_stay_gaps_and_nothing_else_becomes_one(values, encoding):
    codes, low, high = quantise(values, encoding)
    assert np.array_equal(np.isnan(dequantise(codes, encoding, low, high)), np.isnan(values))


def test_the_ends_of_the_range_are_exact():
    codes, low, high = quantise(np.array([-2.0, 3.5]), "u2")
    assert dequantise(codes, "u2", low, high).tolist() == [-2.0, 3.5]
    assert codes.tolist() == [0, 65534]


def test_a_constant_table_is_exact():
    codes, low, high = quantise(np.full(3, 0.7), "u1")
    assert dequantise(codes, "u1", low, high).tolist() == [0.7, 0.7, 0.7]


@pytest.mark.parametrize(
    ("values", "encoding", "message"),
    [([1.0], "u3", "unknown encoding"), ([np.inf], "u2", "infinite"), ([1.0, 0.0], "u2log", "positive")],
)
def test_what_cannot_be_quantised_is_refused(values, encoding, message):
    with pytest.raises(ValueError, match=message):
        quantise(np.array(values), encoding)


def test_a_table_of_words_lists_each_word_once():
    table = Table("w", ("a",), (3,), (), None, ("no", "yes", "no"), True)
    assert table.encode() == {"deps": ["a"], "shape": [], "enc": "s", "strings": ["no", "yes"], "codes": [0, 1, 0]}
    assert choose(table, None, False) == "s"


def test_encodings_are_chosen_by_use():
    many = Table("v", ("a",), (2,), (2,), np.array([[1.0, 2.0], [3.0, 4.0]]))
    one = Table("s", ("a",), (2,), (), np.array([1.0, 2.0]))
    assert [choose(many, None, False), choose(many, None, True), choose(many, "u1", True), choose(one, None, True)] == [
        "u2",
        "u2log",
        "u1",
        "f4",
    ]


@pytest.mark.parametrize(("encoding", "top"), [("u1", 254), ("u2", 65534)])
def test_integers_come_back_exactly(encoding: str, top: int) -> None:
    values = np.array([4.0, 0.0, 3.0, np.nan, 1.0, -2.0])
    codes, low, high = quantise(values, encoding)
    assert (low, high) == (-2.0, -2.0 + top)
    assert codes.tolist() == [6, 2, 5, top + 1, 3, 0]
    back = dequantise(codes, encoding, low, high)
    assert back[[0, 1, 2, 4, 5]].tolist() == [4.0, 0.0, 3.0, 1.0, -2.0]
    widest = quantise(np.array([0.0, top]), encoding)
    assert widest[1:] == (0.0, float(top))
    wider = quantise(np.array([0.0, 2.0 * top]), encoding)
    assert wider[1:] == (0.0, 2.0 * top)
    halves = quantise(np.array([0.0, 0.5, 4.0]), encoding)
    assert halves[1:] == (0.0, 4.0)
    constant = quantise(np.array([3.0, 3.0]), encoding)
    assert constant[1:] == (3.0, 3.0)
