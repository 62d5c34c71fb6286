from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue.explorer.template import check, fields, fill, number, plain


def test_a_template_is_filled_like_a_format_string():
    assert fill("{{{a:.2f}}} of {b:,d}, {c:+.1%}, {w}", {"a": 0.126, "b": 12345, "c": 0.5, "w": "all"}) == "{0.13} of 12,345, +50.0%, all"


@given(st.floats(-1e6, 1e6), st.sampled_from([".2f", ".3g", ".1e", "+.2f"]))
def test_numbers_are_pythons_with_a_true_minus_sign(x, spec):
    assert float(number(x, spec).replace("−", "-")) == float(format(x, spec))
    assert "-" not in number(x, spec)


def test_odd_values():
    assert [number(True), number(np.array(3.0), "d"), number(np.array("word")), number(1e-7, ".1e")] == ["True", "3", "word", "1.0e−7"]


def test_words_stand_where_no_number_is_asked_for():
    assert fill("{m} is {m:.1f}", {"m": 2.0}, {"m": "hard"}) == "hard is 2.0"


@pytest.mark.parametrize(
    ("template", "message"),
    [("{a.b}", "not a plain name"), ("{a!r}", "not a plain name"), ("{a:>10}", "outside"), ("{}", "not a plain name")],
)
def test_what_the_page_cannot_fill_is_refused(template, message):
    with pytest.raises(ValueError, match=message):
        fields(template)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'mean'"):
        check("{maen}", ["mean", "tau"], "the sentence")
    with pytest.raises(ValueError, match=r"known are \['mean', 'tau'\]"):
        check("{xyz}", ["mean", "tau"], "the sentence")


def test_marks_of_typography_can_be_taken_away():
    assert plain("*T*_{0} = 2^{k} * 3 * 4") == "T0 = 2k * 3 * 4"
