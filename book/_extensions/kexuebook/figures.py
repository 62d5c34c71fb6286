"""The figures and tables that cells show become numbered ones of the book.

``kexue.figures.show`` and ``kexue.figures.table`` write ``<figure class="kx-figure" id="fig-…">`` and
``<div class="kx-table" id="tab-…">``. Before Sphinx numbers figures, a transform makes docutils figures and tables of
them, so that ``{numref}`fig-…` `` works and captions are text of the page: mathematics, search, print.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)
_FIGURE = re.compile(
    r'<figure class="kx-figure[^"]*" id="(?P<id>[^"]+)"[^>]*>(?P<body>.*)<figcaption[^>]*>(?P<caption>.*?)</figcaption>\s*</figure>', re.S
)
_TABLE = re.compile(r'<div class="kx-table"[^>]* id="(?P<id>[^"]+)"[^>]*>(?P<body>.*)</div>', re.S)
_INLINE = re.compile(r"\$(?P<math>[^$]+)\$|\*\*(?P<strong>[^*]+)\*\*|\*(?P<emphasis>[^*]+)\*|`(?P<code>[^`]+)`")


def inline(text: str) -> list[nodes.Node]:
    """Parse the small Markdown of captions: ``$mathematics$``, ``**strong**``, ``*emphasis*`` and code."""
    found: list[nodes.Node] = []
    place = 0
    for match in _INLINE.finditer(text):
        if match.start() > place:
            found.append(nodes.Text(text[place : match.start()]))
        kinds = {"math": nodes.math, "strong": nodes.strong, "emphasis": nodes.emphasis, "code": nodes.literal}
        kind, inner = next((k, v) for k, v in match.groupdict().items() if v is not None)
        found.append(kinds[kind](inner, inner))
        place = match.end()
    if place < len(text):
        found.append(nodes.Text(text[place:]))
    return found


class _Cells(HTMLParser):
    """Rows of a table: a list of (is heading, is number, text) for each row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[bool, bool, str]]] = []
        self.caption = ""
        self._text: list[str] = []
        self._number = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th", "caption"):
            self._text, self._number = [], "kx-number" in (dict(attrs).get("class") or "")

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = "".join(self._text).strip()
        if tag == "caption":
            self.caption = text
        elif tag in ("td", "th"):
            self.rows[-1].append((tag == "th", self._number, text))


class NumberFigures(SphinxTransform):
    """Replace what ``kexue.figures`` wrote by docutils figures and tables."""

    default_priority = 10

    def apply(self, **_: object) -> None:
        for node in list(self.document.findall(nodes.raw)):
            if node.get("format") != "html":
                continue
            text = node.astext().strip()
            made = self.figure(text) or self.table(text)
            if made is None:
                continue
            place = self.bundle(node)
            made.source, made.line = place.source, place.line
            self.name(made)
            place.replace_self(made)

    def bundle(self, node: nodes.Element) -> nodes.Element:
        """The output of the cell that the node is one rendering of, else the node."""
        outer = node.parent.parent if node.parent is not None else None
        if isinstance(outer, nodes.container) and outer.get("nb_element") == "mime_bundle":
            return outer
        return node

    def figure(self, text: str) -> nodes.figure | None:
        match = _FIGURE.fullmatch(text)
        if not match:
            return None
        caption = nodes.caption("", "", *inline(html.unescape(match["caption"])))
        picture = re.sub(r"<style>.*?</style>", "", match["body"], count=1, flags=re.S)  # the page has the book's style sheet
        body = nodes.raw("", f'<div class="kx-figure-body">{picture}</div>', format="html")
        return nodes.figure("", body, caption, classes=["kx-figure"], names=[match["id"]])

    def table(self, text: str) -> nodes.table | None:
        match = _TABLE.fullmatch(text)
        if not match:
            return None
        cells = _Cells(match["body"])
        head, *body = cells.rows
        columns = [nodes.colspec(colwidth=1, stub=int(i == 0)) for i in range(len(head))]
        rows = [nodes.row("", *(_entry(c) for c in row)) for row in body]
        if body:  # the heading of a column of numbers stands over them
            head = [(heading, number, text) for (heading, _, text), (_, number, _) in zip(head, body[0], strict=True)]
        header = nodes.thead("", nodes.row("", *(_entry(c) for c in head)))
        group = nodes.tgroup("", *columns, header, nodes.tbody("", *rows), cols=len(head))
        title = nodes.title("", "", *inline(cells.caption))
        return nodes.table("", title, group, classes=["kx-table"], names=[match["id"]])

    def name(self, node: nodes.Element) -> None:
        """Make the node a target, and refuse a second one of the same name."""
        name = node["names"][0]
        if name in self.document.nameids:
            logger.warning("two figures or tables of this page are named %r", name, location=node)
        node["ids"].append(name)
        self.document.note_explicit_target(node)


def _entry(cell: tuple[bool, bool, str]) -> nodes.entry:
    _, number, text = cell
    return nodes.entry("", nodes.paragraph("", "", *inline(text)), classes=["kx-number"] if number else [])


def setup(app: Sphinx) -> None:
    app.add_transform(NumberFigures)
