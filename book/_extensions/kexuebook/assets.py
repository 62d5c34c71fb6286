"""The files that pages load: all local, and no more of them than the pages use."""

from __future__ import annotations

import html
import importlib.metadata
import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[3]
LIB = ROOT / "lib" / "kexue"
EXPLORER = LIB / "explorer" / "static"
DERIVATION = LIB / "derivation" / "derivation.css"
_CHINESE = r"/[\u3400-\u9fff]{2}/.test(word)"
# One entry of the theme's icon script: "name":[width,height,[aliases],"code","path"]
_ICON = re.compile(r'(?:"([^"]+)"|([A-Za-z_$][\w$]*|\d+)):\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?')


def mathjax(to: Path) -> None:
    """Copy MathJax 3 out of its package: one script with every TeX extension, and its fonts; nothing is fetched later."""
    for file in importlib.metadata.distribution("sphinx-mathjax-offline").files or []:
        name = file.as_posix().partition("/static/mathjax/")[2]
        if name == "tex-chtml-full.js" or name.startswith("output/chtml/fonts/woff-v2/"):
            target = to / name
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(str(file.locate())), target)


def copy(app: Sphinx) -> None:
    """Put the shared files into the site."""
    if app.builder.format != "html":
        return
    app.set_html_assets_policy("per_page")  # jupyter-book asks for "always": MathJax on every page
    mathematics: Any = app.env.get_domain("math")
    # Sphinx also counts the formulae of all pages below in the contents: the first page would always load MathJax
    mathematics.has_equations = lambda docname=None: bool(mathematics.data["has_equations"].get(docname))
    static = Path(app.outdir) / "_static"
    mathjax(static / "mathjax")
    for source, folder in ((EXPLORER / "explorer.static.js", "explorer"), (EXPLORER / "explorer.css", "explorer"), (DERIVATION, "kexue")):
        if source.is_file():
            (static / folder).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, static / folder / source.name)


def note_mathematics(app: Sphinx, doctree: nodes.document) -> None:
    """Mark pages whose only mathematics stands in a cell's HTML: Sphinx sees formulae of the prose alone."""
    shown = "".join(node.astext() for node in doctree.findall(nodes.raw))
    if re.search(r'class="[^"]*\b(kx-derivation|kx-math|math)\b', shown):
        app.env.get_domain("math").data["has_equations"][app.env.docname] = True


def page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give a page the scripts and styles that it uses, and no widget manager."""
    body = context.get("body") or ""
    # a name that hides the visible words "Show code cell source" from a screen reader
    body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    body = body.replace(' role="doc-biblioentry"', ' role="listitem"')  # docutils' entries, whose role is withdrawn, stand in a list
    if body:
        context["body"] = body
    if re.search(r'class="[^"]*\bkexue-explorer\b', body):
        for name in ("explorer.static.js", "explorer.css"):
            if not (EXPLORER / name).is_file():
                logger.warning("%s shows an explorer, but lib/kexue/explorer/static/%s is missing", pagename, name)
        app.add_js_file("explorer/explorer.static.js", loading_method="defer")
        app.add_css_file("explorer/explorer.css")
    if re.search(r'class="[^"]*\b(math|kx-math)\b', body):  # also formulae that a gathered page took from the chapters
        app.env.get_domain("math").data["has_equations"][pagename] = True
    if re.search(r'class="[^"]*\bkx-derivation\b', body) and DERIVATION.is_file():
        app.add_css_file("kexue/derivation.css")
    scripts = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("js_files", {})
    for key in [k for k in scripts if k.startswith("ipywidgets")]:
        del scripts[key]
    if "widget-view+json" in body:
        logger.warning("%s shows a plain widget, which does nothing without Python: use kexue.explorer", pagename)


def navigation(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Name the buttons that fold the left bar's contents: the theme shows an arrow alone, which a screen reader cannot say."""
    made = context.get("generate_toctree_html")

    def named(kind: str, **options: Any) -> Any:
        soup = made(kind, **options)  # type: ignore[misc]
        for item in getattr(soup, "select", lambda _: [])("li.has-children"):
            if (button := item.select_one(":scope > details > summary")) and (link := item.select_one(":scope > a")):
                button["aria-label"] = f"Pages of: {link.get_text(strip=True)}"
        return soup

    if made is not None:
        context["generate_toctree_html"] = named


def prune(app: Sphinx, exception: Exception | None) -> None:
    """Leave out what no reader loads: icons that no page names, source maps, translations, other fonts."""
    static = Path(app.outdir) / "_static"
    if exception or app.builder.format != "html" or not static.is_dir():
        return
    for path in [*static.rglob("*.map"), *static.glob("*.woff*"), *static.rglob("*.LICENSE.txt")]:
        path.unlink()
    for name in ("locales", "sbt-webpack-macros.html", "webpack-macros.html", "sphinx-thebe.css", "sphinx-thebe.js"):
        path = static / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    chinese_search(static / "searchtools.js")
    script = static / "scripts" / "fontawesome.js"
    if script.is_file():
        icons(script, [*Path(app.outdir).rglob("*.html"), *script.parent.glob("*theme.js")])


def chinese_search(script: Path) -> None:
    """Let the search look for two Chinese characters within longer runs: Sphinx asks for three letters, and most words are two."""
    text = script.read_text("utf8")
    if _CHINESE not in text and "word.length > 2" not in text:
        logger.warning("Sphinx's search script has changed: two Chinese characters may no longer be found")
    script.write_text(text.replace("word.length > 2", f"(word.length > 2 || {_CHINESE})") if _CHINESE not in text else text, "utf8")


def front_door(app: Sphinx, exception: Exception | None) -> None:
    """Make a whole page of the redirection to the first page, which stands in a folder."""
    door, first = Path(app.outdir) / "index.html", f"{app.config.root_doc}.html"
    if not exception and app.builder.format == "html" and first != door.name:
        title = html.escape(app.config.html_title)
        door.write_text(
            f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<title>{title}</title><meta http-equiv="refresh" content="0; url={first}"><link rel="canonical" href="{first}"></head>\n'
            f'<body><main><h1>{title}</h1><p><a href="{first}">To the first page</a></p></main></body>\n</html>\n',
            "utf8",
        )


def icons(script: Path, users: list[Path]) -> None:
    """Keep the icons that some page names: the theme ships all of them as one script of 1.5 MB."""
    used: set[str] = set()
    for path in users:
        used.update(re.findall(r"fa-([a-z0-9-]+)", path.read_text("utf8")))

    def keep(match: re.Match[str]) -> str:
        names = {match[1] or match[2], *re.findall(r'"([^"]+)"', match[3])}
        return match[0] if names & used else ""

    script.write_text(re.sub(r",\}", "}", _ICON.sub(keep, script.read_text("utf8"))), "utf8")


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", copy)
    app.connect("doctree-read", note_mathematics)
    app.connect("html-page-context", page, priority=400)  # before myst-nb adds its scripts (500)
    app.connect("html-page-context", navigation, priority=900)  # after the theme has put its function there
    app.connect("build-finished", prune)
    app.connect("build-finished", front_door, priority=900)
