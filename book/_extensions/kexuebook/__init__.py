"""The book's own Sphinx extension: what stands on the pages beside the chapters' text, gathered when the book is built.

Each module is one idea and has its own ``setup(app)``:

``again``      builds over an earlier one: what is read again, what is kept.
``assets``     MathJax and the explorers' front end from local files; nothing is fetched from outside.
``cache``      the execution cache of the build, read.
``chapters``   ``book/chapters.yml``; the map of the chapters; the lines under a chapter's title and at its end.
``deferred``   places filled once every page has been read: counts and tables.
``errata``     the ``erratum`` directive and the page that gathers them.
``figures``    the cells' figures and tables as numbered ones of the book.
``gathered``   claims, data sets, counts and the colophon.
``mathematics``  the report of the derivations.
``mutants``    how many planted errors the library's tests find.
``tables``     tables that the build fills.
``library``    the library's reference, with the chapter that teaches each module.
``notebooks``  the executed notebooks: read for the tables, cleaned for the reader's download.
``numbering``  chapters keep the numbers of ``chapters.yml``, also while others are missing.
``roles``      ``zh`` and ``explore``.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from . import again, assets, chapters, deferred, errata, figures, gathered, library, notebooks, numbering, roles

VERSION = "1"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register every part of the extension."""
    app.add_config_value("comments_config", {}, "html")  # jupyter-book sets it even when sphinx_comments is left out
    for module in (deferred, again, assets, chapters, errata, figures, gathered, library, notebooks, numbering, roles):
        module.setup(app)
    return {"version": VERSION, "parallel_read_safe": True, "parallel_write_safe": True}
