"""Numbers for the prose: ``{glue:text}`name``` in a chapter shows what a cell computed.

The book's builder finds them in the outputs of the cells: an output whose metadata hold ``scrapbook`` with a name, and
whose MIME types carry a prefix that keeps the front ends from showing it. IPython alone is enough to write such an
output, so that the library does not depend on the builder.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from kexue.records.numbers import format_number, plain

PREFIX = "application/papermill.record/"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def check_name(name: str) -> str:
    """Return ``name`` if it is in kebab-case.

    Raises:
        ValueError: if it is not.

    >>> check_name("elbo-best")
    'elbo-best'
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"a name must be in kebab-case (lower-case letters, digits, single hyphens), got {name!r}")
    return name


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel, where a displayed object reaches a page."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it; elsewhere it need not even be installed
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


def glue_bundle(name: str, text: str, extra: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the MIME bundle and the metadata that make ``text`` pasteable under ``name``.

    The text is written as a quoted string: a bare ``0.500`` would be read as a number by the builder and lose its zeros.

    >>> glue_bundle("half", "0.500")[0]
    {'application/papermill.record/text/plain': "'0.500'"}
    """
    bundle: dict[str, Any] = {PREFIX + "text/plain": repr(text)}
    bundle |= {PREFIX + mime: data for mime, data in (extra or {}).items()}
    return bundle, {"scrapbook": {"name": check_name(name), "mime_prefix": PREFIX}}


def glue_text(name: str, text: str, extra: dict[str, Any] | None = None) -> None:
    """Make ``text`` pasteable in the prose under ``name``; outside a Jupyter kernel, only check the name."""
    bundle, metadata = glue_bundle(name, text, extra)
    if in_notebook():
        from IPython.display import display

        display(bundle, raw=True, metadata=metadata)  # type: ignore[no-untyped-call]


def glue_value(name: str, value: object, fmt: str = "") -> str:
    """Give a number or a text to the prose, with no bound to hold: ``{glue:text}`name```.

    Args:
        name: kebab-case, unique in the page.
        value: one number (also a tensor of one element) or a string.
        fmt: a format such as ``"{:.3f}"``; without it, three significant digits.

    Returns:
        The text that the prose shows.

    Raises:
        ValueError: if the name is not in kebab-case, or the number is not finite.

    >>> glue_value("half", 0.5), glue_value("loss", -0.25, "{:.1f} nats")
    ('0.500', '−0.2 nats')
    """
    number = plain(value)
    text = format_number(number)  # also refuses what is not finite
    if fmt:
        text = fmt.format(number)
        if not isinstance(number, str) and number < 0:
            text = text.replace("-", "\N{MINUS SIGN}", 1)
    glue_text(name, text)
    return text
