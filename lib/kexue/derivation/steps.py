"""A step of a derivation, and how each rule turns a statement into obligations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import sympy as sp
from sympy.core.function import AppliedUndef

from kexue.derivation.checks import Identity
from kexue.derivation.obligations import Obligation
from kexue.derivation.sampling import settle

__all__ = ["Line", "Step", "pairs_of", "residual"]

Statement: TypeAlias = sp.Basic | tuple[sp.Basic, ...]
Rebuild: TypeAlias = Callable[[Statement], tuple[Obligation, ...]]


@dataclass(frozen=True)
class Line:
    """One line as it is shown: ``left relation right``; without ``left`` it continues the line above."""

    right: sp.Basic
    left: sp.Basic | None = None
    relation: str = "="
    tail: sp.Basic | None = None  # an order term behind a series


@dataclass(frozen=True)
class Step:
    """One step: what it claims, why, and what must be checked for it.

    Args:
        number: counted from 1.
        name: short name, unique in the derivation.
        rule: given, quoted, equal, differentiates, …
        statement: the SymPy expression or equation (or several) that the step claims.
        reason: the reason in words; mathematics between dollar signs.
        rebuild: the obligations of any statement in the place of this one; the mutation test feeds it wrong ones.
        lines: what is shown.
        uses: numbers of the steps it rests on.
        source: where a quoted or refuted statement stands.
    """

    number: int
    name: str
    rule: str
    statement: Statement
    reason: str
    rebuild: Rebuild
    lines: tuple[Line, ...]
    uses: tuple[int, ...] = ()
    source: str = ""

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """What must be verified for the step to hold."""
        return self.rebuild(self.statement)

    @property
    def eq(self) -> sp.Equality:
        """The step as an equation.

        Raises:
            ValueError: it is none.
        """
        if isinstance(self.statement, sp.Equality):
            return self.statement
        raise ValueError(f"step {self.number} ({self.name}) is not a single equation")

    @property
    def value(self) -> sp.Expr:
        """What a later step may equal: the expression, or the right side of the equation."""
        if isinstance(self.statement, tuple):
            raise ValueError(f"step {self.number} ({self.name}) holds several statements; name the expression that is meant")
        return self.statement.rhs if isinstance(self.statement, sp.Equality) else self.statement

    expr = value

    @property
    def lhs(self) -> sp.Expr:
        """Left side of the equation."""
        return self.eq.lhs

    @property
    def rhs(self) -> sp.Expr:
        """Right side of the equation."""
        return self.eq.rhs

    def with_statement(self, statement: Statement) -> Step:
        """The same step claiming something else."""
        return replace(self, statement=statement)


def nothing(_: Statement) -> tuple[Obligation, ...]:
    """A definition or a quotation owes nothing."""
    return ()


def entries(expression: Any) -> list[sp.Expr]:
    """The scalars of an expression: itself, or the entries of a matrix."""
    if isinstance(expression, sp.MatrixBase):
        return list(expression)
    return [expression]


def pairs_of(statement: Statement, against: sp.Basic) -> list[tuple[sp.Expr, sp.Expr]]:
    """Pairs that must be equal for ``statement`` to equal ``against``: side by side for two equations, entry by entry for matrices."""
    if isinstance(statement, sp.Equality) and isinstance(against, sp.Equality):
        return [*pairs_of(statement.lhs, against.lhs), *pairs_of(statement.rhs, against.rhs)]
    if isinstance(statement, sp.Equality) or isinstance(against, sp.Equality):
        raise ValueError("an equation can only equal an equation; give the expression alone, or state the equation with implied()")
    mine, theirs = entries(statement), entries(against)
    if len(mine) != len(theirs):
        raise ValueError(f"{len(mine)} entries cannot equal {len(theirs)}")
    return list(zip(theirs, mine, strict=True))


def residual(equation: sp.Basic) -> list[sp.Expr]:
    """Expressions that vanish when the equation (or "expression = 0") holds."""
    if isinstance(equation, sp.Equality):
        return [left - right for left, right in zip(entries(equation.lhs), entries(equation.rhs), strict=True)]
    return entries(equation)


def side(expression: sp.Basic, rule: Callable[[sp.Expr], sp.Expr]) -> sp.Basic:
    """The rule applied to an expression or to both sides of an equation, unevaluated equations kept."""
    if isinstance(expression, sp.Equality):
        return sp.Eq(rule(expression.lhs), rule(expression.rhs), evaluate=False)
    return rule(expression)


def insert(solution: Mapping[sp.Basic, sp.Basic], expressions: Sequence[sp.Expr]) -> list[sp.Expr]:
    """A solution put into expressions: functions with all their derivatives, then symbols."""
    functions = {key: value for key, value in solution.items() if isinstance(key, AppliedUndef)}
    rest = {key: value for key, value in solution.items() if key not in functions}
    result = [settle(expression) for expression in expressions]
    for key, value in functions.items():
        if not all(argument.is_Symbol for argument in key.args):
            rest[key] = value
            continue
        body = sp.Lambda(key.args, value)
        result = [settle(expression.replace(key.func, body)) for expression in result]
    return [settle(expression.subs(rest, simultaneous=True)) if rest else expression for expression in result]


def identities(pairs: Sequence[tuple[sp.Expr, sp.Expr]], **options: Any) -> tuple[Obligation, ...]:
    """An identity per pair."""
    return tuple(Identity(sp.sympify(left), sp.sympify(right), **options) for left, right in pairs)


def solution_of(statement: Statement) -> dict[sp.Basic, sp.Basic]:
    """``{unknown: value}`` from one equation or several."""
    equations = statement if isinstance(statement, tuple) else (statement,)
    for equation in equations:
        if not isinstance(equation, sp.Equality):
            raise ValueError(f"a solution is given as equations 'unknown = value', not {equation}")
    return {equation.lhs: equation.rhs for equation in equations}
