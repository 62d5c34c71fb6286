"""Derivations as HTML, LaTeX and plain text. Only a verified report can be shown."""

from __future__ import annotations

import html
import re
import textwrap
from importlib import resources

import sympy as sp

from kexue.derivation.chain import Report
from kexue.derivation.checks import Verdict
from kexue.derivation.printing import latex, pieces, plain, width
from kexue.derivation.steps import Line, Step

__all__ = ["Shown", "to_html", "to_latex", "to_text"]

_FOLLOWS = {"solves": "solves", "stationary": "stationary point of", "implied": "by", "equal": "equal to", "refutes": "tried on"}
_SCROLLS = 20  # glyphs beyond which a formula may be wider than the narrowest screen: its box can then be reached by keyboard


class Shown:
    """A verified derivation for display: HTML with MathJax formulas in notebooks and pages, plain text elsewhere."""

    def __init__(self, report: Report, compact: bool = True) -> None:
        self.report = report
        self.compact = compact

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": to_html(self.report, self.compact), "text/plain": to_text(self.report, self.compact)}

    def __repr__(self) -> str:
        return to_text(self.report, self.compact)


def stylesheet() -> str:
    """The style sheet of derivations."""
    return resources.files("kexue.derivation").joinpath("derivation.css").read_text(encoding="utf-8")


def badge(verdict: Verdict) -> str:
    """The kind of check in a word or two."""
    if verdict.kind == "digits":
        return f"{verdict.digits} digits"
    return {"monte carlo": "Monte Carlo"}.get(verdict.kind, verdict.kind)


def explanation(verdict: Verdict) -> str:
    """How a step was checked, in a sentence."""
    if verdict.kind == "given":
        return "A definition or starting point: nothing to check."
    if verdict.kind == "quoted":
        return f"Quoted, not checked here. Source: {verdict.how}."
    if verdict.kind == "symbolic":
        return f"{verdict.how[0].upper()}{verdict.how[1:]}."
    if verdict.kind == "digits":
        points = f"{verdict.points} point{'s' if verdict.points != 1 else ''}"
        return f"Both sides agree to at least {verdict.digits} digits at {points}: {verdict.how}."
    if verdict.kind == "monte carlo" and verdict.estimate is not None:
        value, mean, error = verdict.estimate
        return f"Claimed {value:.6g}, sampled {mean:.6g} ± {error:.2g} (one standard error); {verdict.how}."
    return f"Shown wrong: {verdict.counterexample}." if verdict.counterexample else verdict.how


def sides(line: Line) -> tuple[sp.Basic | None, sp.Basic]:
    """What stands left and right of the relation sign.

    Nothing on the left where the line continues the one above, and where SymPy writes both sides alike: a value need not be shown twice.
    """
    left, right = line.left, line.right
    if left is None and isinstance(right, sp.Equality):
        left, right = right.lhs, right.rhs
    return (None if left == right and line.relation == "=" else left), right


def follows(step: Step) -> str:
    """The steps a step rests on, in words; empty where it continues the line before."""
    if not step.uses or (step.rule == "equal" and step.uses == (step.number - 1,)):
        return ""
    numbers = ", ".join(f"({n})" for n in step.uses)
    return f"{_FOLLOWS.get(step.rule, 'from')} {numbers}"


def to_html(report: Report, compact: bool = True) -> str:
    """An ordered list: each step a formula that wraps, its reason, and a badge that opens how it was checked."""
    title = html.escape(report.title)
    items = "\n".join(_item(report, step, verdict, compact) for step, verdict in zip(report.steps, report.verdicts, strict=True))
    css = re.sub(r"\s*\n\s*", " ", re.sub(r"/\*.*?\*/", "", stylesheet(), flags=re.S)).strip()
    return (
        f'<div class="kx-derivation tex2jax_process mathjax_process" data-derivation="{html.escape(report.name)}">\n<style>{css}</style>\n'
        f'<p class="kx-derivation-title"><strong>{_words(report.title) if "$" in title else title}</strong></p>\n'
        f'<ol class="kx-derivation-steps">\n{items}\n</ol>\n<p class="kx-derivation-summary">{html.escape(report.summary())}</p>\n</div>'
    )


def _item(report: Report, step: Step, verdict: Verdict, compact: bool) -> str:
    kind = verdict.kind.replace(" ", "-")
    first = step.rule == "equal" and step.lines[0].left is None
    formulas = "".join(_formula(step.number, line, compact, first) for line in step.lines)
    where = follows(step)
    tail = f' <span class="kx-derivation-from">({html.escape(where)})</span>' if where else ""
    source = f". Source: {_words(step.source)}." if step.source and step.rule == "refutes" else ""
    anchor = re.sub(r"[^A-Za-z0-9_-]", "-", f"derivation-{report.name}-{step.number}")
    return (
        f'<li class="kx-derivation-step" id="{anchor}" value="{step.number}">{formulas}'
        f'<p class="kx-derivation-reason">{_words(step.reason)}{tail}{source}</p>'
        f'<details class="kx-derivation-check"><summary>'
        f'<span class="kx-derivation-badge kx-derivation-{kind}">{badge(verdict)}</span></summary>'
        f"<p>{html.escape(explanation(verdict))}</p></details></li>"
    )


def _formula(number: int, line: Line, compact: bool, continues: bool) -> str:
    parts = []
    left, right = sides(line)
    relation = line.relation
    if left is not None:
        parts += pieces(left, compact)
    after = pieces(right, compact) + ([f"+ {latex(line.tail, compact)}"] if line.tail is not None else [])
    after[0] = f"{relation} {after[0]}" if left is not None or continues else after[0]
    boxes = " ".join(_box(number, part) for part in [*parts, *after])
    return f'<div class="kx-derivation-formula">{boxes}</div>'


def _box(number: int, part: str) -> str:
    reach = f' tabindex="0" role="group" aria-label="Part of formula {number}, scrolls sideways"' if width(part) > _SCROLLS else ""
    return f'<span class="kx-derivation-math"{reach}>\\(\\displaystyle {html.escape(part, quote=False)}\\)</span>'


def _words(text: str) -> str:
    """Prose with mathematics between dollar signs as HTML."""
    parts = html.escape(text, quote=False).split("$")
    return "".join(rf"\({part}\)" if i % 2 else part for i, part in enumerate(parts))


def to_latex(report: Report, compact: bool = True) -> str:
    """An ``align`` environment with a number at each step and the reason under it."""
    rows = []
    for step in report.steps:
        for line in step.lines:
            left, right = sides(line)
            head = latex(left, compact) if left is not None else ""
            relation = f"{line.relation} " if left is not None or step.rule == "equal" else ""
            tail = f" + {latex(line.tail, compact)}" if line.tail is not None else ""
            rows.append(f"{head} &{relation}{latex(right, compact)}{tail}")
        rows[-1] += rf" \tag{{{step.number}}}"
        rows.append(rf"&\quad \text{{{step.reason}}}")
    body = " \\\\\n".join(rows)
    return f"\\begin{{align}}\n{body}\n\\end{{align}}"


def to_text(report: Report, compact: bool = True) -> str:
    """Plain text for terminals, at most 100 columns where the formulas allow it."""
    out = [report.title, ""]
    for step, verdict in zip(report.steps, report.verdicts, strict=True):
        for i, line in enumerate(step.lines):
            mark = f"({step.number})" if i == 0 else ""
            relation = {r"\ne": "!="}.get(line.relation, line.relation)
            left, right = sides(line)
            head = f"{plain(left, compact)} {relation} " if left is not None else "= " if step.rule == "equal" else ""
            tail = f" + {plain(line.tail, compact)}" if line.tail is not None else ""
            out.append(f"{mark:>5} {head}{plain(right, compact)}{tail}")
        where = follows(step)
        reason = step.reason.replace("$", "") + (f" ({where})" if where else "")
        out += textwrap.wrap(f"{reason}  [{badge(verdict)}]", 92, initial_indent=" " * 8, subsequent_indent=" " * 8)
        if verdict.kind in ("refuted", "monte carlo"):
            out += textwrap.wrap(explanation(verdict), 92, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return "\n".join([*out, "", report.summary()])
