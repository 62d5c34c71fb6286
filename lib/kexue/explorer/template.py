"""The templates of sentences and read-outs: ``"At τ = {tau:.2f} the mean is {mean:.3f}"``, in a subset that Python and the page share."""

from __future__ import annotations

import difflib
import re
import string
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

_SPEC = re.compile(r"([+]?)(,?)(?:\.(\d+))?([dfgeE%s]?)")


def fields(template: str) -> list[tuple[str, str]]:
    """The names of a template with their format specifications.

    Raises:
        ValueError: a brace that is not closed, an index or attribute, a format that the page cannot produce.

    Example:
        >>> fields("{a:.2f} of {b}")
        [('a', '.2f'), ('b', '')]
    """
    found = []
    for _, name, spec, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or conversion:
            raise ValueError(f"template {template!r}: {{{name}}} is not a plain name")
        if not _SPEC.fullmatch(spec or ""):
            raise ValueError(f"template {template!r}: the format {spec!r} is outside [+][,][.digits][d f g e % s]")
        found.append((name, spec or ""))
    return found


def check(template: str, known: Collection[str], where: str) -> str:
    """The template itself, once all its names are known.

    Raises:
        ValueError: a name that is no control and no output, with the nearest known one.
    """
    for name, _ in fields(template):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {sorted(known)}"
            raise ValueError(f"{where}: {{{name}}} is neither a control nor an output{hint}")
    return template


def number(value: Any, spec: str = "") -> str:
    """One value in print: text as it is, NaN as a dash, a true minus sign.

    Example:
        >>> number(-0.5, ".2f"), number(float("nan"), ".1f"), number("hard")
        ('−0.50', '–', 'hard')
    """
    if isinstance(value, (str, bool, np.bool_)):
        return str(value)
    value = np.asarray(value).item()
    if isinstance(value, str):
        return value
    if value != value:
        return "–"
    if spec.endswith("d"):
        return format(round(value), spec).replace("-", "−")
    text = format(value, spec) if spec else f"{value:.6g}"
    return re.sub(r"e([+-])0*(\d)", r"e\1\2", text).replace("-", "−")


def fill(template: str, values: Mapping[str, Any], words: Mapping[str, str] | None = None) -> str:
    """The template with its values; ``words`` (labels of options) stand where no number format is asked for."""
    words = words or {}
    out = []
    for literal, name, spec, _ in string.Formatter().parse(template):
        out.append(literal)
        if name is not None:
            worded = name in words and (not spec or spec == "s" or isinstance(values[name], (str, bool)))
            out.append(words[name] if worded else number(values[name], spec or ""))
    return "".join(out)


def plain(text: str) -> str:
    """A text without its marks of italics and indices, for where there is no typography.

    Example:
        >>> plain("*T*_{0}/*H*")
        'T0/H'
    """
    return re.sub(r"[_^]\{([^{}]*)\}", r"\1", re.sub(r"\*([^*\s][^*]*)\*", r"\1", text))
