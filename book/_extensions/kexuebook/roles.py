"""Roles of the prose: Chinese text, and links that set an explorer to a state."""

from __future__ import annotations

import html
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

logger = logging.getLogger(__name__)
_LINK = re.compile(r"(?P<text>.+?)\s*<(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)\?(?P<state>[^<>]+)>", re.S)
_SETTING = re.compile(r"[A-Za-z_]\w*=[^&=\s]+")
Result = tuple[list[nodes.Node], list[nodes.system_message]]


def chinese(text: str) -> nodes.inline:
    """An inline of Chinese text: docutils makes ``lang="zh"`` of its class ``language-zh``."""
    return nodes.inline(text, text, classes=["zh", "language-zh"])


class explore_link(nodes.Inline, nodes.TextElement):
    """A link into an explorer; its text alone where there is no HTML."""


class Zh(SphinxRole):
    """``zh``: Chinese text, told to browsers, screen readers and the search."""

    def run(self) -> Result:
        if not re.search("[\u3400-\u9fff]", self.text):
            return self.misused(f"the role zh is for Chinese text, got {self.text!r}")
        return [chinese(self.text)], []

    def misused(self, message: str) -> Result:
        note = self.inliner.reporter.error(message, line=self.lineno)
        return [self.inliner.problematic(self.rawtext, self.rawtext, note)], [note]


class Explore(Zh):
    """``explore``: a link that sets an explorer of the same page to a state."""

    def run(self) -> Result:
        match = _LINK.fullmatch(self.text)
        settings = match["state"].split("&") if match else []
        if not match or not all(_SETTING.fullmatch(s) for s in settings):
            return self.misused(f"explore wants `text <explorer-name?control=value&control=value>`, got {self.text!r}")
        node = explore_link("", match["text"], href=f"#{match['name']}:{'&'.join(settings)}", explorer=match["name"])
        self.set_source_info(node)
        return [node], []


def check(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of links to explorers that the page does not have."""
    shown = " ".join(node.astext() for node in doctree.findall(nodes.raw))
    for node in doctree.findall(explore_link):
        name = re.escape(node["explorer"])
        if not re.search(rf'(?:data-name|id)="(?:explorer-)?{name}"', shown):
            logger.warning("no explorer named %r on this page", node["explorer"], location=node)


def visit(self: object, node: explore_link) -> None:
    self.body.append(f'<a class="kexue-explore" href="{html.escape(node["href"])}">{html.escape(node.astext())}</a>')  # type: ignore[attr-defined]
    raise nodes.SkipNode


def plain(self: object, node: explore_link) -> None:
    """Nothing around the text."""


def setup(app: Sphinx) -> None:
    app.add_role("zh", Zh())
    app.add_role("explore", Explore())
    app.add_node(explore_link, html=(visit, None), text=(plain, plain), latex=(plain, plain))
    app.connect("doctree-read", check)
