"""What makes a build over an earlier one give the same pages as one from nothing, and no work be done twice.

Sphinx reads a page again when its file is younger than the last reading. Here it is also read again when its text is
another: a file that was restored may be old.

Pages are read by one process, since the domains of ``sphinx_proof`` and ``sphinx_exercise`` cannot be merged, and written by several.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pybtex.plugin
import sphinx.builders
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """The pages whose text is another than it was when they were read."""
    known: dict[str, str] = getattr(env, "kexue_texts", {})
    now = {name: hashlib.sha256(Path(env.doc2path(name)).read_bytes()).hexdigest() for name in sorted(env.found_docs)}
    env.kexue_texts = now  # type: ignore[attr-defined]
    return [name for name in sorted(known.keys() & now.keys()) if known[name] != now[name]]


def read_alone(app: Sphinx, env: BuildEnvironment, names: list[str]) -> None:
    """Put the number of processes aside while pages are read."""
    app.kexue_processes, app.parallel = app.parallel, 1  # type: ignore[attr-defined]


def write_together(app: Sphinx, env: BuildEnvironment) -> None:
    """Take it up again once all have been read."""
    app.parallel = app.kexue_processes  # type: ignore[attr-defined]


def pairs(names: Sequence[str], processes: int, most: int = 10) -> list[Sequence[str]]:
    """Two pages at a time for a writing process: Sphinx would give all chapters, which come last, to one of them at the end."""
    return [names[start : start + 2] for start in range(0, len(names), 2)]


def setup(app: Sphinx) -> None:
    sphinx.builders.make_chunks = pairs
    found: Any = pybtex.plugin._load_entry_point
    if not hasattr(found, "cache_info"):  # at each citation it reads the metadata of every installed package
        pybtex.plugin._load_entry_point = functools.cache(found)
    app.connect("env-get-outdated", outdated)
    app.connect("env-before-read-docs", read_alone)
    app.connect("env-updated", write_together)
