"""What the book counts and gathers: claims, data sets, derivations, and how the site was built."""

from __future__ import annotations

import html
import importlib.metadata
import math
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from . import chapters, mathematics, mutants, notebooks
from .assets import LIB
from .deferred import deferred, filler, raw
from .tables import table


def chapter_names(app: Sphinx) -> list[str]:
    """The pages that are chapters and stand in the book, in order."""
    return [name for name in chapters.by_docname() if name in app.env.found_docs]


# --- claims ------------------------------------------------------------------------------------------------------------


@filler("claims")
def claims(app: Sphinx, docname: str, arguments: dict[str, Any]) -> list[nodes.Node]:
    found: list[nodes.Node] = []
    names: dict[str, str] = {}
    for name in chapter_names(app):
        made = notebooks.claims(app, name)
        for claim in made:
            if names.setdefault(claim["name"], name) != name:
                raise ValueError(f"the claim {claim['name']!r} is made in {names[claim['name']]} and in {name}")
        if made:
            uri = app.builder.get_relative_uri(docname, name)
            no, title = chapters.by_docname()[name].no, html.escape(app.env.titles[name].astext())
            head = f'<p class="rubric kx-rubric"><a href="{uri}"><span class="kx-part-no">{no:02d}</span> {title}</a></p>'
            rows = (_claim(app, name, uri, c) for c in made)
            found += [raw(head), table(("Claim", "Found", "", "Bound"), rows, f"Claims of the chapter {title}")]
    return found or [nodes.paragraph("", "No chapter makes a claim yet.")]


def _claim(app: Sphinx, name: str, uri: str, claim: dict[str, Any]) -> tuple[str, ...]:
    anchor = f"claim-{claim['name']}"
    shown = anchor in anchored(app.env).get(name, ())
    text = f'<a href="{uri}{"#" + anchor if shown else ""}">{html.escape(claim["text"])}</a>'
    relation = {"<=": "≤", ">=": "≥", "==": "="}.get(claim["relation"], claim["relation"])
    tolerance = f' <span class="kx-muted">{html.escape(claim["tolerance"])}</span>' if claim.get("tolerance") else ""
    return text, f"={html.escape(claim['shown'])}", html.escape(relation), f"={html.escape(claim['shown_bound'])}{tolerance}"


def anchor_claims(app: Sphinx, doctree: nodes.document) -> None:
    """Give each claim shown on a page an anchor."""
    found = []
    for node in doctree.findall(nodes.raw):
        text = node.astext()
        if 'data-claim="' in text:
            name = text.partition('data-claim="')[2].partition('"')[0]
            if f"claim-{name}" not in found:
                node.replace_self(raw(text.replace('data-claim="', f'id="claim-{name}" data-claim="', 1), *node["classes"]))
                found.append(f"claim-{name}")
    anchored(app.env)[app.env.docname] = found


def anchored(env: BuildEnvironment) -> dict[str, list[str]]:
    """The anchors of the claims shown on each page."""
    if not hasattr(env, "kexue_claims"):
        env.kexue_claims = {}  # type: ignore[attr-defined]
    known: dict[str, list[str]] = env.kexue_claims  # type: ignore[attr-defined]
    return known


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    anchored(env).pop(docname, None)


def merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    """Take over what another process read."""
    anchored(env).update({name: anchored(other)[name] for name in docnames})


# --- data --------------------------------------------------------------------------------------------------------------


@filler("datatable")
def datatable(app: Sphinx, docname: str, arguments: dict[str, Any]) -> list[nodes.Node]:
    """Each data set by itself, what is known of it in lines: a table of nine columns would have to be scrolled on every screen."""
    from kexue import datasets

    return [raw("".join(map(_data_set, datasets.table())))]


def _data_set(row: Mapping[str, str]) -> str:
    facts = {key: html.escape(str(text)) for key, text in row.items()}
    name, (title, _, rest) = facts.pop("name"), facts.pop("contents").partition(". ")
    lines = "".join(f"<div><dt>{key.capitalize()}</dt><dd>{text}</dd></div>" for key, text in facts.items())
    return f'<section class="kx-data-set" id="data-{name}"><h2>{title} <code>{name}</code></h2><p>{rest}</p><dl>{lines}</dl></section>'


# --- counts ------------------------------------------------------------------------------------------------------------


def count_claims(app: Sphinx) -> int:
    return sum(len(notebooks.claims(app, name)) for name in chapter_names(app))


def count_explorers(app: Sphinx) -> int:
    """Explorers on the chapters' pages: those of the landing page are guests."""
    total = 0
    for name in chapter_names(app):
        for cell in (notebooks.executed(app, name) or {"cells": []})["cells"]:
            outputs = ("".join(o.get("data", {}).get("text/html", "")) for o in cell.get("outputs", []))
            total += sum('class="kexue-explorer' in text for text in outputs)
    return total


def count_runs(app: Sphinx) -> int:
    """Shipped training runs: each is a record with its weights."""
    return sum(1 for p in LIB.glob("*/runs/**/record.json") if p.is_file())


def count_longest_run(app: Sphinx) -> int:
    """Seconds that the slowest chapter's cells took."""
    runs = notebooks.runs(app)
    return max((math.ceil(runs[name].seconds) for name in chapter_names(app) if name in runs), default=0)


COUNTS: dict[str, Callable[[Sphinx], int]] = {
    "chapters": lambda app: len(chapters.chapters()),
    "chapters-ready": lambda app: len(chapter_names(app)),
    "claims": count_claims,
    "derivations": lambda app: len(mathematics.derivations()),
    "errata": lambda app: len(getattr(app.env, "kexue_errata", {})),
    "explorers": count_explorers,
    "longest-run": count_longest_run,
    "runs": count_runs,
    "steps": lambda app: mathematics.verified(),
}


class Count(SphinxRole):
    """``count``: a number that the build counts, one of ``COUNTS``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        if self.text not in COUNTS:
            message = self.inliner.reporter.error(f"nothing is counted as {self.text!r}; one of {', '.join(COUNTS)}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [deferred(filler="count", arguments={"what": self.text})], []


@filler("count")
def count(app: Sphinx, docname: str, arguments: dict[str, Any]) -> list[nodes.Node]:
    number = str(COUNTS[arguments["what"]](app))
    return [nodes.inline(number, number, classes=["kx-count"])]


# --- colophon ----------------------------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """The processor, its cores and the system."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text("utf8").splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    system = f"{platform.system()} {platform.machine()}"
    return {"Processor": model, "Cores": str(cores), "System": system, "Python": platform.python_version()}


SHOWN = ("jupyter-book", "sphinx", "myst-nb", "sphinx-book-theme", "torch", "numpy", "scipy", "sympy", "mpmath", "matplotlib",
         "scikit-learn", "lightning-fabric", "anywidget", "ipywidgets", "jupyterlab", "safetensors")  # fmt: skip


@filler("colophon")
def colophon(app: Sphinx, docname: str, arguments: dict[str, Any]) -> list[nodes.Node]:
    rows = [(html.escape(k), html.escape(v)) for k, v in machine().items()]
    libraries = [(name, f"={importlib.metadata.version(name)}") for name in SHOWN]
    runs = notebooks.runs(app)
    times = [
        (f'<a href="{app.builder.get_relative_uri(docname, n)}">{html.escape(app.env.titles[n].astext())}</a>', f"={runs[n].seconds:.1f} s",
         f"={runs[n].processor_seconds:.1f} s", f"={runs[n].peak_bytes / 1e9:.2f} GB", f"{runs[n].when:%Y-%m-%d}")
        for n in chapter_names(app) if n in runs
    ]  # fmt: skip
    return [
        nodes.rubric("", "The machine of this build"), table(("What", "Found"), rows, "The machine of this build"),
        nodes.rubric("", "Libraries"), table(("Package", "Version"), libraries, "Versions of the libraries"),
        nodes.rubric("", "Run time and memory of each chapter"),
        table(("Chapter", "Time", "Of the processor", "Greatest memory", "Last run"), times, "Run time and memory of each chapter"),
        *mutants.section(),
    ]  # fmt: skip


# --- registration ------------------------------------------------------------------------------------------------------


def directive(name: str) -> type[SphinxDirective]:
    """A directive without arguments that leaves a place for the filler of the same name."""

    class Place(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            node = deferred(filler=name, arguments={})
            self.set_source_info(node)
            return [node]

    return Place


def setup(app: Sphinx) -> None:
    for name in ("claims", "datatable", "mathematics-report", "colophon"):
        app.add_directive(name, directive(name))
    app.add_role("count", Count())
    app.connect("doctree-read", anchor_claims)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
