"""Numbers as the prose shows them."""

from __future__ import annotations

import math
from numbers import Integral, Real

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MINUS = "\N{MINUS SIGN}"


def plain(value: object) -> int | float | str:
    """Make a Python number of whatever holds exactly one (a 0-dimensional tensor or array, a NumPy scalar).

    Args:
        value: a number, a string, or an object with one element and a method ``item``.

    Returns:
        An ``int``, a ``float`` or a ``str``. Truth values become ``int``.

    Raises:
        ValueError: if ``value`` is not one number or string.
        TypeError: if ``value`` is of a kind that is neither.

    >>> plain(True), plain(0.5), plain("six")
    (1, 0.5, 'six')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    item = getattr(value, "item", None)
    if callable(item):
        return plain(item())  # torch and NumPy raise ValueError or RuntimeError themselves where there are several elements
    raise TypeError(f"expected one number or a string, got {type(value).__name__}")


def format_number(value: float | str, digits: int = 3) -> str:
    """Write a number with ``digits`` significant digits, as text for a sentence.

    Integers are written in full, with thin grouping left to the reader. Very small and very large numbers are written
    as a power of ten. The minus is the typographic one.

    Args:
        value: the number (or a string, returned as it is).
        digits: significant digits, at least 1.

    Returns:
        The text.

    Raises:
        ValueError: if ``digits`` is less than 1 or ``value`` is not finite.

    >>> format_number(0.5), format_number(-104.26, 4), format_number(12345.6), format_number(1.234e-6)
    ('0.500', '−104.3', '12346', '1.23 × 10⁻⁶')
    """
    if digits < 1:
        raise ValueError(f"digits must be at least 1, got {digits}")
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value).replace("-", MINUS)
    if not math.isfinite(value):
        raise ValueError(f"only finite numbers can be shown, got {value}")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")  # rounded first: 9.996 has the exponent of 10.0
    power = int(exponent)
    if float(mantissa) == 0:
        text = f"{0.0:.{digits - 1}f}"
    elif -5 < power < 7:
        text = f"{value:.{max(0, digits - 1 - power)}f}"
    else:
        text = f"{mantissa} × 10{str(power).translate(_SUPERSCRIPT)}"
    return text.replace("-", MINUS)
