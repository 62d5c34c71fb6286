"""Random points on the solution set of premises: "this holds under that" checked where *that* holds.

A differential premise, such as the unit speed of an arc-length parametrisation, cannot be obeyed by a function drawn at random. But
an identity between derivatives looks only at finitely many of them at one point, and some smooth function (a Taylor polynomial)
takes any prescribed finite list of derivatives there. So :math:`x(s), x'(s), x''(s),\\dots` become independent numbers (the *jet* of
the function), the premise and its own derivatives become equations between these numbers, and random points are drawn on the
solution set of the equations: free numbers first, the others solved for.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue.derivation.evaluate import Evaluator, Undefined
from kexue.derivation.sampling import Sampling, admissible, draw, settle

__all__ = ["Plan", "atoms_of", "jets", "plan", "prolong"]

_TRIES = 400
_HUGE = 1e9  # a solved value beyond this comes from a nearly singular equation


def _order(expression: sp.Basic) -> int:
    orders = [d.derivative_count for d in expression.atoms(sp.Derivative) if isinstance(d.expr, AppliedUndef)]
    return max(orders, default=0)


def prolong(premises: Sequence[sp.Expr], claims: Sequence[sp.Expr]) -> list[sp.Expr]:
    """The premises with as many of their derivatives along the curve as the claims need.

    A premise that holds at every point of a curve may be differentiated: from :math:`x'^2+y'^2=1` follows :math:`x'x''+y'y''=0`.
    """
    highest = max((_order(expression) for expression in [*claims, *premises]), default=0)
    result = []
    for premise in premises:
        result.append(premise)
        variables = {node.args[0] for node in premise.atoms(AppliedUndef) if len(node.args) == 1 and node.args[0].is_Symbol}
        if len(variables) == 1:
            variable = variables.pop()
            for _ in range(_order(premise), highest):
                premise = settle(sp.Derivative(premise, variable))
                result.append(premise)
    return result


def jets(expressions: Sequence[sp.Basic], sampling: Sampling) -> tuple[list[sp.Basic], Sampling]:
    """The expressions with each function of one variable and each of its derivatives replaced by a symbol of its own.

    Returns:
        the expressions, and the sampling with the intervals of functions carried over to the new symbols.
    """
    names: dict[sp.Basic, sp.Symbol] = {}
    for expression in expressions:
        for node in expression.atoms(sp.Derivative):
            if isinstance(node.expr, AppliedUndef) and node not in names:
                real = True if node.expr.is_extended_real else None
                names[node] = sp.Symbol(_jet_name(node), real=real)
    for expression in expressions:
        for node in expression.atoms(AppliedUndef):
            facts = {key: True for key in ("positive", "negative", "nonnegative", "real") if getattr(node, f"is_{key}")}
            names[node] = sp.Symbol(f"{node}", **facts)
    replaced = [expression.xreplace(names) for expression in expressions]
    domain = tuple((names.get(key, key), interval) for key, interval in sampling.domain)
    where = tuple(relation.xreplace(names) for relation in sampling.where)
    return replaced, Sampling(domain, where, sampling.digits, sampling.seeds, sampling.points)


def atoms_of(expressions: Sequence[sp.Basic]) -> list[sp.Symbol]:
    """The free symbols of the expressions in a fixed order, without the names of indexed bases."""
    symbols = {s for expression in expressions for s in expression.free_symbols if isinstance(s, sp.Symbol)}
    labels = {base.label for expression in expressions for base in expression.atoms(sp.IndexedBase)}
    return sorted(symbols - labels, key=str)


@dataclass(frozen=True)
class Plan:
    """How to draw a point: free symbols at random, then one symbol per premise from the others.

    ``roots`` are equations with the unknown each is solved for, ``explicit`` assignments that need the roots already.
    """

    free: tuple[sp.Symbol, ...]
    roots: tuple[tuple[sp.Symbol, sp.Expr], ...]
    explicit: tuple[tuple[sp.Symbol, sp.Expr], ...]
    sampling: Sampling

    def base(self, rng: random.Random) -> tuple[dict[sp.Basic, Any], int]:
        """Values of the free symbols, and a number that picks among several roots."""
        return {symbol: draw(symbol, self.sampling.interval(symbol), rng) for symbol in self.free}, rng.randrange(1 << 16)

    def complete(self, base: tuple[dict[sp.Basic, Any], int], context: Any) -> Evaluator | None:
        """The point in the precision of ``context``, or None where assumptions or relations are broken."""
        values, pick = base
        evaluator = Evaluator(context, values, lambda entry: draw(entry, None, random.Random(f"{pick} {entry}")))
        try:
            for unknown, equation in self.roots:
                candidates = [r for r in _roots(unknown, equation, evaluator) if self._allows(unknown, r)]
                if not candidates:
                    return None
                evaluator = evaluator.within({unknown: candidates[pick % len(candidates)]})
            for unknown, value in self.explicit:
                result = evaluator(value)
                if abs(result) > _HUGE or not self._allows(unknown, result):
                    return None
                evaluator = evaluator.within({unknown: result})
            if not all(evaluator.holds(relation) for relation in self.sampling.where):
                return None
        except Undefined:
            return None
        return evaluator

    def point(self, rng: random.Random, context: Any) -> tuple[dict[sp.Basic, Any], int] | None:
        """A base that completes to an admissible point, or None after many tries."""
        for _ in range(_TRIES):
            base = self.base(rng)
            if self.complete(base, context) is not None:
                return base
        return None

    def _allows(self, symbol: sp.Symbol, value: Any) -> bool:
        return admissible(symbol, complex(value), self.sampling.interval(symbol))


def _roots(unknown: sp.Symbol, equation: sp.Expr, evaluator: Evaluator) -> list[Any]:
    context = evaluator.context
    polynomial = equation.as_poly(unknown)
    if polynomial is not None:
        coefficients = [evaluator(c) for c in polynomial.all_coeffs()]
        roots = context.polyroots(coefficients, maxsteps=200, extraprec=4 * context.prec)
        return sorted((_real(context, r) for r in roots), key=lambda r: (context.re(r), context.im(r)))

    def function(at: Any) -> Any:
        return evaluator.within({unknown: at})(equation)

    found = []
    for start in (0.3, 0.8, 1.5, 3.0, -0.5, -2.0):
        try:
            found.append(_real(context, context.findroot(function, context.mpf(start))))
        except (ValueError, ZeroDivisionError, Undefined, mpmath.libmp.NoConvergence):
            continue
    return found


def _real(context: Any, root: Any) -> Any:
    tiny = context.mpf(10) ** (-(context.dps * 3 // 4))
    return context.re(root) if abs(context.im(root)) <= tiny * max(1, abs(root)) else root


def plan(expressions: Sequence[sp.Basic], premises: Sequence[sp.Expr], solving: Sequence[sp.Basic], sampling: Sampling) -> Plan:
    """Decides which symbol each premise is solved for.

    Premises linear in a symbol (with a coefficient free of it) are solved and substituted away; the rest are solved numerically.

    Raises:
        ValueError: a premise has no symbol left to be solved for.
    """
    equalities = [relation for relation in sampling.where if isinstance(relation, sp.Equality)]
    left = [sp.expand(p) for p in [*premises, *(e.lhs - e.rhs for e in equalities)]]
    where = tuple(relation for relation in sampling.where if not isinstance(relation, sp.Equality))
    sampling = Sampling(sampling.domain, where, sampling.digits, sampling.seeds, sampling.points)
    explicit: list[tuple[sp.Symbol, sp.Expr]] = []
    progress = True
    while progress:
        progress = False
        for premise in left:
            choice = _linear(premise, solving)
            if choice is not None:
                unknown, value = choice
                left = [sp.expand(p.subs(unknown, value)) for p in left if p is not premise]
                left = [p for p in left if p != 0]
                explicit.insert(0, choice)
                progress = True
                break
    roots: list[tuple[sp.Symbol, sp.Expr]] = []
    for premise in left:
        taken = {unknown for unknown, _ in roots}
        earlier = {s for _, equation in roots for s in equation.free_symbols}
        candidates = [s for s in _ranked(premise, solving) if s not in taken and s not in earlier]
        if not candidates:
            raise ValueError(f"the premise {premise} = 0 has no symbol left to be solved for; name the unknowns with solving=")
        roots.append((candidates[0], premise))
    solved = {unknown for unknown, _ in [*roots, *explicit]}
    everything = atoms_of([*expressions, *premises, *where, *(v for _, v in explicit), *(e for e in equalities)])
    return Plan(tuple(s for s in everything if s not in solved), tuple(roots), tuple(explicit), sampling)


def _ranked(premise: sp.Expr, solving: Sequence[sp.Basic]) -> list[sp.Symbol]:
    """Symbols of a premise, those named by the author first, then those of the highest derivatives."""
    return sorted(atoms_of([premise]), key=lambda s: (s not in solving, -str(s).count("'"), str(s)))


def _jet_name(derivative: sp.Derivative) -> str:
    function = derivative.expr
    if len(function.args) == 1:
        return f"{function.func}{chr(39) * derivative.derivative_count}({function.args[0]})"
    return f"{chr(39) * derivative.derivative_count}{derivative}"


def _linear(premise: sp.Expr, solving: Sequence[sp.Basic]) -> tuple[sp.Symbol, sp.Expr] | None:
    """A symbol in which the premise is linear, with its value: one named by the author, one that stands alone as a term, or any."""
    ranked = _ranked(premise, solving)
    terms = sp.Add.make_args(premise)
    alone = {}
    for term in terms:
        coefficient, symbol = term.as_coeff_Mul()
        if symbol.is_Symbol and not any(other.has(symbol) for other in terms if other is not term):
            alone[symbol] = (symbol, -(premise - term) / coefficient)
    for symbol in ranked:
        if symbol in alone and (symbol in solving or not any(s in solving for s in ranked)):
            return alone[symbol]
    for symbol in ranked:
        slope = premise.diff(symbol)
        if slope != 0 and not slope.has(symbol):
            return symbol, -premise.subs(symbol, 0) / slope
    return None
