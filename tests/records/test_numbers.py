from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue.records.numbers import format_number, plain


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 3, "0.00"),
        (0.5, 3, "0.500"),
        (9.996, 3, "10.0"),
        (99.95, 2, "100"),
        (-104.26, 4, "−104.3"),
        (1234567.0, 3, "1234567"),
        (1e7, 3, "1.00 × 10⁷"),
        (-2.5e-8, 2, "−2.5 × 10⁻⁸"),
        (0.0001234, 2, "0.00012"),
        (7, 1, "7"),
        (-12, 3, "−12"),
        ("six", 3, "six"),
    ],
)
def test_format(value: float, digits: int, text: str) -> None:
    assert format_number(value, digits) == text


@settings(deadline=None)
@given(st.floats(min_value=-1e6, max_value=1e6).filter(lambda v: v == 0 or abs(v) > 1e-4), st.integers(1, 8))
def test_format_keeps_the_value_to_its_digits(value: float, digits: int) -> None:
    read = float(format_number(value, digits).replace("−", "-"))
    assert abs(read - value) <= 0.5 * 10.0 ** (1 - digits) * abs(value) * (1 + 1e-9)  # half a unit of the last digit shown


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_format_refuses_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        format_number(value)


def test_format_refuses_no_digits() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        format_number(1.0, 0)


@pytest.mark.parametrize("value", [torch.tensor([2.5]), torch.tensor(2.5), np.float32(2.5), np.array([[2.5]]), 2.5])
def test_plain_takes_one_number_of_any_kind(value: object) -> None:
    assert plain(value) == 2.5
    assert type(plain(value)) is float


def test_plain_keeps_whole_numbers_whole() -> None:
    assert type(plain(torch.tensor(3))) is int
    assert type(plain(np.int64(3))) is int


def test_plain_refuses_what_is_no_number() -> None:
    with pytest.raises(TypeError, match="list"):
        plain([1.0])
    with pytest.raises((ValueError, RuntimeError)):
        plain(torch.zeros(2))
