"""Proof that the checker checks: wrong statements are planted in every checked step, and all must be caught.

Four kinds of error are planted, one at a time: a *sign* (of a term or of the whole), a *factor* (of a term, or of a number), an *index*
(an integer off by one, a symbol in the place of another) and an *exponent* (one too high; a square or a root where there is none).

Not every such change makes a false statement: the planted sign may stand inside a square, and twice a solution of a linear equation is
a solution. So each mutant is first judged by a second evaluation that shares nothing with the checker but the statement: SymPy's
``evalf`` in place of the package's evaluator, other points, other functions in place of unknown ones. Mutants that it finds true are
counted as equivalent, and the checker must then accept them too; all others must be refuted.

``python -m kexue.derivation.mutate [PATH]`` runs the test on every derivation of the book and writes the counts as JSON.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import sympy as sp

from kexue.derivation.chain import Derivation
from kexue.derivation.collecting import Collected, collect
from kexue.derivation.obligations import check, refute
from kexue.derivation.second_opinion import holds
from kexue.derivation.steps import Statement, Step

__all__ = ["Counts", "Mutant", "mutants", "mutation_report", "mutation_test"]

Error = Literal["sign", "factor", "index", "exponent"]
KINDS: tuple[Error, ...] = ("sign", "factor", "index", "exponent")


@dataclass(frozen=True)
class Mutant:
    """A step with one error planted."""

    step: Step
    error: Error
    statement: Statement


@dataclass
class Counts:
    """Outcome of a mutation test: mutants planted, caught, equivalent; and those that slipped through, in words."""

    planted: int = 0
    caught: int = 0
    equivalent: int = 0
    by_error: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    missed: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Adds the counts of another test."""
        self.planted += other.planted
        self.caught += other.caught
        self.equivalent += other.equivalent
        self.missed += other.missed
        for kind, count in other.by_error.items():
            self.by_error[kind] += count


def _positions(expression: sp.Basic) -> Iterator[tuple[sp.Basic, tuple[int, ...]]]:
    """Every node outside the variables of derivatives and the limits' variables, with its path."""
    stack: list[tuple[sp.Basic, tuple[int, ...]]] = [(expression, ())]
    while stack:
        node, path = stack.pop()
        yield node, path
        if isinstance(node, (sp.Derivative, sp.Subs)):
            stack.append((node.args[0], (*path, 0)))
        elif not isinstance(node, sp.core.function.AppliedUndef):
            stack += [(argument, (*path, i)) for i, argument in enumerate(node.args) if not isinstance(argument, sp.Tuple)]


def _planted(expression: sp.Basic, path: tuple[int, ...], new: sp.Basic) -> sp.Basic:
    if not path:
        return new
    arguments = list(expression.args)
    arguments[path[0]] = _planted(arguments[path[0]], path[1:], new)
    return expression.func(*arguments)


def _changes(node: sp.Basic, others: list[sp.Symbol], is_root: bool, in_sum: bool) -> Iterator[tuple[Error, sp.Basic]]:
    """The wrong versions of one node."""
    if is_root or in_sum:
        yield "sign", -node
        yield "factor", 2 * node
    if isinstance(node, sp.Integer) and node != 0:
        yield "index", node + 1
    elif isinstance(node, sp.Rational) and node != 0:
        yield "factor", 3 * node
    if node.is_Symbol:
        for other in others:
            if other != node and other.is_integer == node.is_integer:
                yield "index", other
                break
        if not node.is_integer:
            yield "exponent", node**2
    if isinstance(node, sp.Pow):
        yield "exponent", node.base ** (node.exp + 1)
    if isinstance(node, sp.core.function.AppliedUndef):
        yield "exponent", node**2


def mutants(step: Step, most: int | None = 24) -> list[Mutant]:
    """The mutants of a checked step; at most ``most``, spread evenly over its statement and the kinds of error.

    Definitions, quotations and refutations have none: they claim nothing that a checker could confirm.
    """
    if step.rule in ("given", "quoted", "refutes"):
        return []
    statements: tuple[sp.Basic, ...] = step.statement if isinstance(step.statement, tuple) else (step.statement,)
    solution = step.rule in ("solves", "stationary")
    found: dict[Statement, Mutant] = {}
    for number, statement in enumerate(statements):
        for side, expression in _sides(statement, solution):
            names = sorted((s for s in expression.free_symbols if isinstance(s, sp.Symbol)), key=str)
            for node, path in _positions(expression):
                parent = _at(expression, path[:-1]) if path else None
                for error, new in _changes(node, names, not path, isinstance(parent, sp.Add)):
                    wrong = _planted(expression, path, new)
                    whole = _replaced(statement, side, wrong)
                    if whole is None or wrong.has(sp.zoo, sp.nan):
                        continue
                    together = (*statements[:number], whole, *statements[number + 1 :])
                    claim: Statement = together if isinstance(step.statement, tuple) else whole
                    found.setdefault(claim, Mutant(step, error, claim))
    return _spread(list(found.values()), most)


def _sides(statement: sp.Basic, solution: bool) -> list[tuple[int | None, sp.Basic]]:
    if not isinstance(statement, sp.Equality):
        return [(None, entry) for entry in [statement] if isinstance(entry, sp.Expr)]
    return [(1, statement.rhs)] if solution else [(0, statement.lhs), (1, statement.rhs)]


def _at(expression: sp.Basic, path: tuple[int, ...]) -> sp.Basic:
    for index in path:
        expression = expression.args[index]
    return expression


def _replaced(statement: sp.Basic, side: int | None, wrong: sp.Basic) -> sp.Basic | None:
    if side is None:
        return wrong if wrong != statement else None
    sides = list(statement.args)
    if sides[side] == wrong:
        return None
    sides[side] = wrong
    return sp.Eq(*sides, evaluate=False)


def _spread(every: list[Mutant], most: int | None) -> list[Mutant]:
    """Evenly many of each kind of error, evenly spaced through the statement."""
    if most is None or len(every) <= most:
        return every
    chosen: list[Mutant] = []
    left, kinds = most, len(KINDS)
    for error in sorted(KINDS, key=lambda kind: sum(m.error == kind for m in every)):
        group = [m for m in every if m.error == error]
        share = min(len(group), left // kinds)
        chosen += [group[i * len(group) // share] for i in range(share)]
        left, kinds = left - share, kinds - 1
    return chosen


def mutation_test(derivation: Derivation, most: int | None = 24) -> Counts:
    """Plants errors in every checked step of one derivation, each tried on its own."""
    counts = Counts()
    for step in derivation.steps:
        for mutant in mutants(step, most):
            wrong = step.with_statement(mutant.statement)
            counts.planted += 1
            counts.by_error[mutant.error] += 1
            if any(refute(obligation, derivation.sampling) is not None for obligation in wrong.obligations):
                counts.caught += 1
            elif all(holds(obligation, derivation.sampling, random.Random(17)) for obligation in wrong.obligations):
                counts.equivalent += 1
            elif any(check(obligation, derivation.sampling).kind in ("false", "undecided") for obligation in wrong.obligations):
                counts.caught += 1  # no value where the claim would need one: it stops the build like a false step
            else:
                counts.missed.append(f"{derivation.name}, step {step.number} ({step.name}), {mutant.error}: {mutant.statement}")
    return counts


def mutation_report(collected: Iterable[Collected] | None = None, most: int | None = 24) -> dict[str, Any]:
    """The mutation test of all derivations of the book.

    Returns:
        ``planted``, ``caught``, ``equivalent``, ``by_error``, ``missed`` over all, and the same for each chapter under ``chapters``.
    """
    total = Counts()
    chapters: dict[str, Counts] = {}
    for item in collect() if collected is None else collected:
        counts = mutation_test(item.derivation, most)
        total.add(counts)
        chapters.setdefault(item.chapter, Counts()).add(counts)
    return {**asdict(total), "chapters": {name: asdict(counts) for name, counts in chapters.items()}}


def main(arguments: list[str]) -> int:
    """Writes the report to the path given, or to standard output; 1 where a mutant was missed."""
    result = mutation_report()
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
