"""Tables that the build fills: HTML in a box that scrolls by itself."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from docutils import nodes

from .deferred import raw

KIND = ' class="kx-number"'


def table(header: Sequence[str], rows: Iterable[Sequence[str]], name: str) -> nodes.raw:
    """A table; cells are HTML, and a cell that begins with ``=`` is a number.

    Args:
        header: one heading for each column.
        rows: the first cell of each is its heading.
        name: what screen readers call the table.

    Raises:
        ValueError: a row has more or fewer cells than the header.
    """
    lines = [tuple(row) for row in rows]
    for line in lines:
        if len(line) != len(header):
            raise ValueError(f"a row of the table {name!r} has {len(line)} cells, {len(header)} are expected")
    numeric = [bool(lines) and all(line[i].startswith("=") for line in lines) for i in range(len(header))]
    head = "".join(_heading(h, n) for h, n in zip(header, numeric, strict=True))
    body = "".join("<tr>" + "".join(_cell(i, c) for i, c in enumerate(line)) + "</tr>" for line in lines)
    return raw(
        f'<div class="kx-scroll" role="region" tabindex="0" aria-label="{html.escape(name)}"><table class="table kx-gathered">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _heading(text: str, number: bool) -> str:
    """The heading of a column; an empty one is no heading."""
    return f'<th scope="col"{KIND * number}>{text}</th>' if text else "<td></td>"


def _cell(column: int, text: str) -> str:
    if column == 0:
        return f'<th scope="row">{text}</th>'
    return f'<td class="kx-number">{text[1:]}</td>' if text.startswith("=") else f"<td>{text}</td>"
