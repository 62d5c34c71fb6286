"""The rules by which a step may follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import sympy as sp

from kexue.derivation.checks import Identity
from kexue.derivation.obligations import LimitClaim, MeanClaim, Obligation, Refutation
from kexue.derivation.randomness import Mean, as_integral, parameters_of, sampler_of
from kexue.derivation.steps import (
    Line,
    Rebuild,
    Statement,
    Step,
    identities,
    insert,
    nothing,
    pairs_of,
    residual,
    side,
    solution_of,
)

__all__ = ["Rules"]

Source: TypeAlias = Step | sp.Basic
_SHORT = 90  # characters of LaTeX up to which an expression is repeated; a longer one is shown by its step number


class Reference(sp.Function):  # type: ignore[misc]
    """Stands for "the expression of step n" where repeating it would be too long; for display alone."""

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"\text{{({self.args[0]})}}" + (f"^{{{exp}}}" if exp else "")

    def _sympystr(self, printer: Any) -> str:
        return f"({self.args[0]})"


class Rules:
    """Collects steps. One method per rule; each returns the step, for later steps to refer to."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def given(self, statement: sp.Basic, reason: str, *, name: str = "") -> Step:
        """A definition or starting point: nothing to check, and shown as such."""
        return self._add("given", statement, reason, nothing, name=name)

    def quoted(self, statement: sp.Basic, reason: str, *, source: str, name: str = "") -> Step:
        """A result taken from elsewhere, not checked here, shown with its source."""
        if not source:
            raise ValueError("a quoted statement needs its source")
        return self._add("quoted", statement, reason, nothing, name=name, source=source)

    def equal(self, statement: sp.Basic, reason: str, *, to: Source | None = None, name: str = "") -> Step:
        """``statement`` equals the step before, or ``to``. An equation is compared side by side with an equation."""
        target = self._last() if to is None else to
        against = self._expression(target, whole=isinstance(statement, sp.Equality))
        pairs_of(statement, against)
        continues = isinstance(target, Step) and target.number == len(self.steps)
        left = None if continues or isinstance(statement, sp.Equality) else self._shown(target)
        line = Line(statement, left)
        return self._add("equal", statement, reason, lambda s: identities(pairs_of(s, against)), [target], [line], name=name)

    def differentiates(
        self,
        statement: sp.Basic,
        *,
        of: Source,
        wrt: sp.Basic,
        n: int = 1,
        reason: str,
        name: str = "",
    ) -> Step:
        """``statement`` is the ``n``-th derivative of ``of`` in ``wrt``; of both sides, where both are equations."""
        original = self._expression(of, whole=isinstance(statement, sp.Equality))
        derived = side(original, lambda e: e.diff(wrt, n))
        left = None if isinstance(statement, sp.Equality) else sp.Derivative(self._shown(of, wrt), (wrt, n), evaluate=False)
        return self._add(
            "differentiates", statement, reason, lambda s: identities(pairs_of(s, derived)), [of], [Line(statement, left)], name=name
        )

    def integrates(
        self,
        statement: sp.Expr,
        integrand: Source,
        *limits: tuple[Any, Any, Any],
        reason: str,
        antiderivative: sp.Expr | None = None,
        name: str = "",
    ) -> Step:
        """``statement`` is the definite integral of ``integrand`` over ``limits``.

        An ``antiderivative``, for a single finite range, lets SymPy prove by differentiation what it can't integrate.
        """
        function = self._expression(integrand)
        integral = sp.Integral(function, *limits)

        def rebuild(value: Statement) -> tuple[Obligation, ...]:
            via: tuple[Identity, ...] = ()
            if antiderivative is not None:
                ((x, low, high),) = limits
                span = antiderivative.subs(x, high) - antiderivative.subs(x, low)
                via = (Identity(antiderivative.diff(x), function), Identity(span, sp.sympify(value)))
            return (Identity(integral, sp.sympify(value), via=via),)

        return self._add("integrates", statement, reason, rebuild, [integrand], [Line(statement, integral)], name=name)

    def solves(
        self,
        solution: sp.Equality | Mapping[sp.Basic, Any],
        *,
        of: Source | Sequence[Source],
        reason: str,
        name: str = "",
        conditions: Sequence[sp.Basic] = (),
    ) -> Step:
        """``solution`` satisfies the equation, differential equation or system ``of``, and the ``conditions`` beside it."""
        sources = [of] if isinstance(of, (Step, sp.Basic)) else list(of)
        equations = [r for s in sources for r in residual(self._expression(s, whole=True))]
        equations += [r for condition in conditions for r in residual(condition)]

        def rebuild(statement: Statement) -> tuple[Obligation, ...]:
            return identities([(left, sp.S.Zero) for left in insert(solution_of(statement), equations)])

        statement = _equations(solution)
        return self._add("solves", statement, reason, rebuild, sources, _lines(statement), name=name)

    def stationary(
        self,
        point: sp.Equality | Mapping[sp.Basic, Any],
        *,
        of: Source,
        wrt: Sequence[sp.Symbol] | None = None,
        reason: str,
        name: str = "",
    ) -> Step:
        """``point`` is a stationary point of ``of``: every derivative in ``wrt`` vanishes there."""
        function = self._expression(of)
        statement = _equations(point)
        variables = list(wrt) if wrt is not None else list(solution_of(statement))
        slopes = [function.diff(variable) for variable in variables]

        def rebuild(claim: Statement) -> tuple[Obligation, ...]:
            return identities([(left, sp.S.Zero) for left in insert(solution_of(claim), slopes)])

        return self._add("stationary", statement, reason, rebuild, [of], _lines(statement), name=name)

    def limit(
        self,
        statement: Any,
        *,
        of: Source,
        var: sp.Symbol,
        to: Any,
        direction: str = "+-",
        reason: str,
        name: str = "",
    ) -> Step:
        """``statement`` is the limit of ``of`` as ``var`` tends ``to``, from the side ``direction``: "+", "-" or "+-"."""
        if direction not in ("+", "-", "+-"):
            raise ValueError(f'direction must be "+", "-" or "+-", got {direction!r}')
        function, place = self._expression(of), sp.sympify(to)
        if place in (sp.oo, -sp.oo):
            direction = "-" if place is sp.oo else "+"
        line = Line(sp.sympify(statement), sp.Limit(self._shown(of, var), var, place, direction))
        return self._add(
            "limit",
            sp.sympify(statement),
            reason,
            lambda s: (LimitClaim(sp.sympify(s), function, var, place, direction),),
            [of],
            [line],
            name=name,
        )

    def expands(
        self,
        statement: sp.Expr,
        *,
        of: Source,
        var: sp.Symbol,
        to: Any = 0,
        order: int,
        direction: str = "+",
        reason: str,
        name: str = "",
    ) -> Step:
        """``of`` equals ``statement`` up to ``O((var - to)**order)``.

        Checked as the limit of ``(of - statement)/(var - to)**(order - 1)`` being zero.
        """
        function, place = self._expression(of), sp.sympify(to)

        def rebuild(claim: Statement) -> tuple[Obligation, ...]:
            quotient = (function - sp.sympify(claim)) / (var - place) ** (order - 1)
            return (LimitClaim(sp.S.Zero, quotient, var, place, direction),)

        line = Line(statement, self._shown(of), tail=sp.Order(var**order) if place == 0 else sp.Order((var - place) ** order, (var, place)))
        return self._add("expands", statement, reason, rebuild, [of], [line], name=name)

    def implied(
        self,
        statement: sp.Basic,
        *,
        by: Iterable[Source] = (),
        reason: str,
        solving: Sequence[sp.Basic] = (),
        name: str = "",
    ) -> Step:
        """The equation ``statement`` holds wherever the equations ``by`` hold; with none, it is an identity.

        Premises on functions may be differentiated along the curve. ``solving`` names symbols for which the premises can be solved
        when random points on their solution set are drawn; mostly it is found without.
        """
        sources = list(by)
        premises = tuple(r for s in sources for r in residual(self._expression(s, whole=True)))

        def rebuild(claim: Statement) -> tuple[Obligation, ...]:
            pairs = pairs_of(claim.rhs, claim.lhs) if isinstance(claim, sp.Equality) else [(r, sp.S.Zero) for r in residual(claim)]
            return identities(pairs, premises=premises, solving=tuple(solving))

        line = Line(statement) if isinstance(statement, sp.Equality) else Line(sp.S.Zero, statement)
        return self._add("implied", statement, reason, rebuild, sources, [line], name=name)

    def identity(self, statement: sp.Equality, reason: str, *, name: str = "") -> Step:
        """An equation that holds without premises."""
        return self.implied(statement, reason=reason, name=name)

    def expectation(
        self,
        statement: Any,
        *,
        of: Source,
        over: Any,
        reason: str,
        monte_carlo: bool = False,
        samples: int = 100_000,
        name: str = "",
    ) -> Step:
        """``statement`` is the mean of ``of``.

        Args:
            over: a SymPy random variable or several independent ones; with ``monte_carlo`` also ``{symbol: sampler}`` or one sampler
                ``(generator, count, values) -> {symbol: array}``, where ``values`` are those of the free symbols.
            monte_carlo: check by sampling, the weaker kind, shown with its standard error.
            samples: draws at first; raised until the standard error is small.
        """
        function, value = self._expression(of), sp.sympify(statement)
        line = Line(value, Mean(self._shown(of)))
        if monte_carlo:
            sampler, parameters = sampler_of(over), parameters_of(over)
            return self._add(
                "expectation",
                value,
                reason,
                lambda s: (MeanClaim(sp.sympify(s), function, sampler, samples, parameters),),
                [of],
                [line],
                name=name,
            )
        integral = as_integral(function, list(over) if isinstance(over, (list, tuple)) else [over])
        return self._add("expectation", value, reason, lambda s: identities([(integral, sp.sympify(s))]), [of], [line], name=name)

    def refutes(
        self,
        wrong: sp.Basic | Mapping[sp.Basic, Any],
        *,
        reason: str,
        source: str,
        to: Source | None = None,
        of: Source | Sequence[Source] | None = None,
        by: Iterable[Source] = (),
        name: str = "",
    ) -> Step:
        """A published statement is wrong, proved by a counter-example.

        Args:
            wrong: an equation said to hold (under ``by``); or an expression said to equal ``to``; or a solution said to satisfy ``of``.
            source: who stated it.
        """
        if not source:
            raise ValueError("a refuted statement needs its source")
        scratch = Rules()
        scratch.steps = list(self.steps)
        if of is not None:
            step = scratch.solves(wrong, of=of, reason=reason)
        elif to is not None:
            step = scratch.equal(wrong, reason, to=to)
        else:
            step = scratch.implied(wrong, by=by, reason=reason)
        obligations = step.obligations

        def rebuild(_: Statement) -> tuple[Obligation, ...]:
            return (Refutation(obligations),)

        lines = [Line(line.right, line.left, r"\ne") for line in step.lines]
        return self._add(
            "refutes", step.statement, reason, rebuild, [self.steps[n - 1] for n in step.uses], lines, name=name, source=source
        )

    def _add(
        self,
        rule: str,
        statement: Any,
        reason: str,
        rebuild: Rebuild,
        uses: Sequence[Source] = (),
        lines: Sequence[Line] = (),
        *,
        name: str = "",
        source: str = "",
    ) -> Step:
        for part in statement if isinstance(statement, tuple) else (statement,):
            if not isinstance(part, (sp.Basic, sp.MatrixBase)):
                raise ValueError(f"a statement is a SymPy expression or equation, not {type(part).__name__}: {part!r}")
            if part in (sp.true, sp.false):
                raise ValueError(f"SymPy evaluated the statement to {part}: nothing is left to check; build it with Eq(…, evaluate=False)")
        if not reason.strip():
            raise ValueError("every step needs its reason in words")
        number = len(self.steps) + 1
        name = name or f"step-{number}"
        if name in {step.name for step in self.steps}:
            raise ValueError(f"two steps are named {name!r}")
        numbers = tuple(dict.fromkeys(use.number for use in uses if isinstance(use, Step)))
        step = Step(number, name, rule, statement, reason, rebuild, tuple(lines) or (Line(statement),), numbers, source)
        if rule not in ("given", "quoted", "refutes") and not step.obligations:
            raise ValueError(f"step {number} ({name}) claims nothing that could be checked")
        self.steps.append(step)
        return step

    def _last(self) -> Step:
        if not self.steps:
            raise ValueError("the first step has nothing to equal: begin with given(), or name the expression with to=")
        return self.steps[-1]

    def _expression(self, source: Source, whole: bool = False) -> Any:
        if isinstance(source, Step):
            if not any(source is step for step in self.steps):
                raise ValueError(f"step {source.name!r} belongs to another derivation")
            return source.statement if whole and isinstance(source.statement, sp.Equality) else source.value
        expression = sp.sympify(source)
        return expression.rhs if isinstance(expression, sp.Equality) and not whole else expression

    def _shown(self, source: Source, variable: sp.Basic | None = None) -> Any:
        expression = self._expression(source)
        if isinstance(source, Step) and len(sp.latex(expression)) > _SHORT:
            return Reference(sp.Integer(source.number), variable) if variable is not None else Reference(sp.Integer(source.number))
        return expression


def _equations(solution: sp.Equality | Mapping[sp.Basic, Any]) -> Statement:
    if isinstance(solution, Mapping):
        equations = tuple(sp.Eq(key, sp.sympify(value), evaluate=False) for key, value in solution.items())
        return equations[0] if len(equations) == 1 else equations
    if not isinstance(solution, sp.Equality):
        raise ValueError(f"a solution is an equation 'unknown = value' or a mapping, not {solution!r}")
    return solution


def _lines(statement: Statement) -> list[Line]:
    return [Line(part) for part in (statement if isinstance(statement, tuple) else (statement,))]
