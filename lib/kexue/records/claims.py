"""Claims: what the prose says, asserted when the page is built."""

from __future__ import annotations

import html
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kexue.records.glue import check_name, glue_text
from kexue.records.numbers import format_number, plain

MIME = "application/vnd.kexue.claim+json"
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_SHOWN = {"<=": "≤", ">=": "≥", "==": "="}
RELATIONS = (*_COMPARE, "≈")


class ClaimError(AssertionError):
    """A claim of the book that does not hold."""


@dataclass(frozen=True)
class Claim:
    """A claim that held when it was made.

    It shows itself as one quiet line, and carries itself as JSON for the page that gathers all claims of the book.

    Attributes:
        name: kebab-case name, under which the prose shows the number.
        value: the number found.
        relation: one of ``RELATIONS``.
        bound: what it is compared with.
        text: what is claimed, in words.
        shown: the value as the prose shows it, with its unit.
        shown_bound: the bound, likewise.
        tolerance: in words, for the relation "≈".
    """

    name: str
    value: int | float | str
    relation: str
    bound: int | float | str
    text: str
    shown: str
    shown_bound: str
    tolerance: str = ""

    @property
    def sentence(self) -> str:
        """The claim in one line of plain text."""
        tail = f" ({self.tolerance})" if self.tolerance else ""
        return f"{self.text}: {self.shown} {_SHOWN.get(self.relation, self.relation)} {self.shown_bound}{tail}"

    def __repr__(self) -> str:
        return f"✓ {self.sentence}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        line = f'<p class="kx-claim" data-claim="{self.name}"><span aria-hidden="true">✓</span> {html.escape(self.sentence)}</p>'
        return {"text/plain": repr(self), "text/html": line, MIME: asdict(self)}


def _holds(value: Any, relation: str, bound: Any, tolerance: float) -> bool:
    if relation == "≈":
        return bool(abs(value - bound) <= tolerance)
    return bool(_COMPARE[relation](value, bound))


def _tolerance(relation: str, bound: Any, absolute: float | None, relative: float | None) -> tuple[float, str]:
    """Return the tolerance of "≈" as a number and in words."""
    given = (absolute is not None) + (relative is not None)
    if relation != "≈":
        if given:
            raise ValueError(f"only the relation ≈ takes a tolerance, not {relation}")
        return 0.0, ""
    if given != 1:
        raise ValueError("the relation ≈ needs exactly one tolerance: abs=… or rel=…")
    size = absolute if absolute is not None else relative
    if size is None or not (math.isfinite(size) and size > 0):
        raise ValueError(f"a tolerance must be a positive finite number, got {size}")
    if absolute is not None:
        return absolute, f"within {format_number(float(absolute), 2)}"
    return size * abs(bound), f"within {format_number(100 * float(size), 2)} %"


def _comparable(name: str, relation: str, value: int | float | str, bound: int | float | str) -> None:
    """Refuse what must not be compared."""
    if relation not in RELATIONS:
        raise ValueError(f"a claim's relation must be one of {', '.join(RELATIONS)}; got {relation!r}")
    for what, number in (("value", value), ("bound", bound)):
        if isinstance(number, float) and not math.isfinite(number):
            raise ClaimError(f"claim {name!r}: the {what} is not finite: {number}")
        if relation == "==" and isinstance(number, float):
            raise ValueError(f"claim {name!r}: == is for whole numbers and strings; compare floats with ≈ and a tolerance")
        if relation != "==" and isinstance(number, str):
            raise ValueError(f"claim {name!r}: {relation} compares numbers, and the {what} is the string {number!r}")
    if isinstance(value, str) != isinstance(bound, str):
        raise ValueError(f"claim {name!r}: a string and a number are compared: {value!r} == {bound!r}")


def claim(
    name: str,
    value: object,
    relation: str,
    bound: object,
    *,
    text: str,
    digits: int = 3,
    unit: str = "",
    abs: float | None = None,
    rel: float | None = None,
) -> Claim:
    """Assert what the prose says, and give the number to the prose as ``{glue:text}`name```.

    Args:
        name: kebab-case, unique in the book.
        value: the number found (also a tensor of one element), or for ``==`` a whole number or a string.
        relation: ``<``, ``<=``, ``>``, ``>=``, ``==`` (whole numbers and strings alone) or ``≈``.
        bound: what it is compared with.
        text: what is claimed, in words, to stand on the page of claims.
        digits: significant digits shown.
        unit: shown behind the number.
        abs: absolute tolerance, for ``≈``.
        rel: tolerance relative to the bound, for ``≈``.

    Returns:
        The claim, which displays as one line.

    Raises:
        ClaimError: if the claim does not hold, or a number is not finite.
        ValueError: if the claim is badly put.

    >>> claim("half", 0.5, "<", 1, text="One half is less than one")
    ✓ One half is less than one: 0.500 < 1
    """
    check_name(name)
    if not text.strip():
        raise ValueError(f"claim {name!r} needs its text: what is claimed, in words")
    found, limit = plain(value), plain(bound)
    _comparable(name, relation, found, limit)
    tolerance, words = _tolerance(relation, limit, abs, rel)
    if not _holds(found, relation, limit, tolerance):
        raise ClaimError(f"claim {name!r} does not hold: {text}: {found!r} {relation} {limit!r}{f' ({words})' if words else ''} is false")
    suffix = f" {unit}" if unit else ""
    shown, shown_bound = format_number(found, digits) + suffix, _bound_text(limit, digits) + suffix
    made = Claim(name, found, relation, limit, text.strip(), shown, shown_bound, words)
    glue_text(name, shown, {MIME: asdict(made)})
    return made


def _bound_text(bound: int | float | str, digits: int) -> str:
    """Write a bound: exactly where that takes about as much room as the value does, else rounded like it."""
    if isinstance(bound, float):
        short = format_number(bound, max(digits, 1))
        exact = repr(bound).replace("-", "\N{MINUS SIGN}")
        return exact if len(exact) <= len(short) + 3 and "e" not in exact else short
    return format_number(bound, digits)


def read_claims(outputs: Iterable[Mapping[str, Any]]) -> list[Claim]:
    """Collect the claims from the outputs of a notebook's cells, each once, in order.

    Args:
        outputs: output dictionaries of the notebook format, hidden (glued) ones included.

    Returns:
        The claims.

    Raises:
        ValueError: if two different claims bear one name.
    """
    found: dict[str, Claim] = {}
    for output in outputs:
        for mime, data in output.get("data", {}).items():
            if not mime.endswith(MIME):
                continue
            made = Claim(**data)
            if found.setdefault(made.name, made) != made:
                raise ValueError(f"two different claims are named {made.name!r}")
    return list(found.values())
