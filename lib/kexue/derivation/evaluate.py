"""The value of a SymPy expression at a point, in arithmetic of any precision.

``evalf`` is not used: it refuses integrals of functions it does not know, and its result would be no check independent of SymPy's own
rewriting. The tree of the expression is walked once, each node in mpmath.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import BooleanFunction
from sympy.tensor.indexed import Indexed

__all__ = ["Evaluator", "Undefined", "context_of"]

_SAME_NAME = (
    "sin cos tan cot sec csc sinh cosh tanh coth sech csch asin acos atan atan2 acot asinh acosh atanh exp log",
    "gamma loggamma erf erfc erfi erfinv zeta sinc factorial besselj bessely besseli besselk ei li polylog beta binomial re im arg digamma",
)
_RENAMED: dict[str, Callable[..., Any]] = {
    "Abs": lambda c, x: c.fabs(x),
    "sign": lambda c, x: c.sign(x),
    "conjugate": lambda c, x: c.conj(x),
    "floor": lambda c, x: c.floor(x),
    "ceiling": lambda c, x: c.ceil(x),
    "elliptic_k": lambda c, m: c.ellipk(m),
    "elliptic_e": lambda c, *a: c.ellipe(*a),
    "elliptic_f": lambda c, *a: c.ellipf(*a),
    "elliptic_pi": lambda c, *a: c.ellippi(*a),
    "Ei": lambda c, x: c.ei(x),
    "Si": lambda c, x: c.si(x),
    "Ci": lambda c, x: c.ci(x),
    "polygamma": lambda c, n, x: c.psi(n, x),
    "uppergamma": lambda c, a, x: c.gammainc(a, x),
    "lowergamma": lambda c, a, x: c.gammainc(a, 0, x),
    "LambertW": lambda c, x, *k: c.lambertw(x, *[int(c.re(i)) for i in k]),
    "Max": lambda c, *a: max(a),
    "Min": lambda c, *a: min(a),
    "KroneckerDelta": lambda c, i, j: c.mpf(i == j),
    "Heaviside": lambda c, x, *h: c.mpf(x > 0) if x != 0 else (h[0] if h else c.mpf("0.5")),
}
_CONSTANTS = {"Pi": "pi", "Exp1": "e", "EulerGamma": "euler", "Catalan": "catalan", "GoldenRatio": "phi", "ImaginaryUnit": "j"}
_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equality": lambda a, b: bool(a == b),
    "Unequality": lambda a, b: bool(a != b),
    "StrictLessThan": lambda a, b: bool(a < b),
    "LessThan": lambda a, b: bool(a <= b),
    "StrictGreaterThan": lambda a, b: bool(a > b),
    "GreaterThan": lambda a, b: bool(a >= b),
}
_NAMES = frozenset(" ".join(_SAME_NAME).split())
_BINDING = (sp.Integral, sp.Sum, sp.Product, sp.Subs, sp.Derivative, sp.Lambda)  # they give symbols a meaning of their own
_MOST_TERMS = 20_000
_MOST_EVALUATIONS = 12_000


class Undefined(ArithmeticError):
    """The expression has no (finite, resolved) value at this point."""


class _Contexts(threading.local):
    def __init__(self) -> None:
        self.by_digits: dict[int, Any] = {}
        self.depth = 0  # of integrals inside integrals
        self.left = 0  # evaluations of integrands that the outermost integral may still make


_CONTEXTS = _Contexts()  # a cache: a context keeps the nodes of its quadrature rules, which take longer than most integrals


def context_of(digits: int) -> Any:
    """The running thread's mpmath context of ``digits`` decimal digits; mpmath's global precision is never touched."""
    if digits not in _CONTEXTS.by_digits:
        _CONTEXTS.by_digits[digits] = mpmath.MPContext()
    context = _CONTEXTS.by_digits[digits]
    context.dps = digits
    return context


class Evaluator:
    """Evaluates expressions at one point.

    Args:
        context: mpmath context, which fixes the precision.
        values: value of each free symbol.
        draw: gives the value of an indexed quantity (``p[3]``, a matrix entry) that ``values`` lacks.
    """

    def __init__(self, context: Any, values: Mapping[sp.Basic, Any], draw: Callable[[sp.Basic], Any] | None = None) -> None:
        self.context = context
        self.values = dict(values)
        self.draw = draw
        self._memo: dict[sp.Basic, Any] = {}

    def __call__(self, node: sp.Basic) -> Any:
        """The value of ``node``: mpf or mpc.

        Raises:
            Undefined: a pole, an infinity, an integral that does not settle, or a node of unknown kind.
        """
        if node in self._memo:
            return self._memo[node]
        try:
            value = self._value(node)
            if not isinstance(value, bool) and (self.context.isnan(value) or self.context.isinf(value)) and not _infinite(node):
                raise Undefined(f"{node} is not finite here")
        except Undefined:
            raise
        except (ZeroDivisionError, ValueError, OverflowError, TypeError, NotImplementedError, mpmath.libmp.NoConvergence) as error:
            raise Undefined(f"{node} has no value here: {error}") from error
        self._memo[node] = value
        return value

    def magnitude(self, node: sp.Basic) -> Any:
        """A bound of the size of the terms inside ``node``: the scale against which rounding must be judged where terms cancel."""
        if isinstance(node, sp.Add):
            return sum((self.magnitude(argument) for argument in node.args), self.context.mpf(0))
        if isinstance(node, sp.Mul):
            return self.context.fprod([self.magnitude(argument) for argument in node.args])
        if isinstance(node, sp.Pow) and node.exp.is_Integer and node.exp > 0:
            return self.magnitude(node.base) ** int(node.exp)
        return self.context.fabs(self(node))

    def within(self, extra: Mapping[sp.Basic, Any]) -> Evaluator:
        """An evaluator at the same point with more (or other) values."""
        return Evaluator(self.context, {**self.values, **extra}, self.draw)

    def _value(self, node: sp.Basic) -> Any:
        context = self.context
        if node in self.values:
            value = self.values[node]
            return context.mpc(value) if isinstance(value, complex) else context.mpmathify(value)
        if isinstance(node, sp.Integer):
            return context.mpf(int(node))
        if isinstance(node, sp.Rational):
            return context.mpf(node.p) / node.q
        if isinstance(node, sp.Add):
            return sum((self(argument) for argument in node.args), context.mpf(0))
        if isinstance(node, sp.Mul):
            return context.fprod([self(argument) for argument in node.args])
        if isinstance(node, sp.Pow):
            return self._power(node)
        return self._special(node)

    def _power(self, node: sp.Pow) -> Any:
        base = self(node.base)
        if node.exp.is_Integer:
            return base ** int(node.exp)
        if node.exp == sp.S.Half:
            return self.context.sqrt(base)
        return self.context.power(base, self(node.exp))

    def _special(self, node: sp.Basic) -> Any:
        context = self.context
        kind = type(node).__name__
        if kind in _CONSTANTS:
            return +getattr(context, _CONSTANTS[kind])
        if isinstance(node, sp.Float):
            return context.mpmathify(node._to_mpmath(context.prec))
        if node in (sp.oo, -sp.oo):
            return context.inf if node is sp.oo else -context.inf
        if isinstance(node, sp.Integral):
            if node.has(Indexed, sp.matrices.expressions.matexpr.MatrixElement):
                raise Undefined("an integral over indexed quantities has no value here")
            point = tuple((symbol, self(symbol)) for symbol in sorted(node.free_symbols, key=str))
            return context.mpmathify(_quadrature(node, point, context.dps))
        if isinstance(node, (sp.Sum, sp.Product)):
            return self._total(node.function, list(node.limits), isinstance(node, sp.Sum))
        if isinstance(node, sp.Derivative):
            return self._derivative(node.expr, list(node.variable_count))
        if isinstance(node, sp.Subs):
            return self.within({v: self(p) for v, p in zip(node.variables, node.point, strict=True)})(node.expr)
        if isinstance(node, sp.Piecewise):
            return self._piecewise(node)
        if isinstance(node, (Indexed, sp.matrices.expressions.matexpr.MatrixElement)):
            return self._entry(node)
        if isinstance(node, sp.Function) and not isinstance(node, AppliedUndef):
            return self._function(node, kind)
        raise Undefined(f"no rule for the value of {node} ({kind})")

    def _function(self, node: sp.Function, kind: str) -> Any:
        context = self.context
        arguments = [self(argument) for argument in node.args]
        own = getattr(type(node), "mp_value", None)
        if own is not None:
            return context.mpmathify(own(context, *arguments))
        if kind in _RENAMED:
            return _RENAMED[kind](context, *arguments)
        if kind in _NAMES:
            return getattr(context, kind)(*arguments)
        numbers = [sp.Expr._from_mpmath(value, context.prec) for value in arguments]
        value = node.func(*numbers).evalf(context.dps)
        if not value.is_number or value.has(sp.nan, sp.zoo):
            raise Undefined(f"no rule for the value of {node}")
        return context.mpmathify(value._to_mpmath(context.prec))

    def _entry(self, node: Any) -> Any:
        indices = [sp.Integer(int(self.context.nint(self.context.re(self(index))))) for index in node.indices]
        entry = node.base[tuple(indices)] if isinstance(node, Indexed) else node.parent[tuple(indices)]
        if entry in self.values:
            return self.context.mpmathify(self.values[entry])
        if self.draw is None:
            raise Undefined(f"no value for {entry}")
        return self.context.mpmathify(self.draw(entry))

    def _piecewise(self, node: sp.Piecewise) -> Any:
        for expression, condition in node.args:
            if self.holds(condition):
                return self(expression)
        raise Undefined("no branch of the case distinction applies")

    def holds(self, condition: sp.Basic) -> bool:
        """Whether a relation or a combination of relations is true at the point."""
        if condition in (sp.true, sp.false):
            return bool(condition)
        if isinstance(condition, BooleanFunction):
            parts = [self.holds(argument) for argument in condition.args]
            rules = {"And": all, "Or": any}
            return not parts[0] if type(condition).__name__ == "Not" else rules[type(condition).__name__](parts)
        sides = [self(argument) for argument in condition.args]
        return _RELATIONS[type(condition).__name__](*sides)

    def _integral(self, function: sp.Expr, limits: list[Any]) -> Any:
        context = self.context
        *inner, (variable, *ends) = limits
        if len(ends) != 2:
            raise Undefined("an integral without limits has no value")
        low, high = (self(end) for end in ends)
        fixed = self._fixed(function, {limit[0] for limit in limits})

        def integrand(at: Any) -> Any:
            _CONTEXTS.left -= 1
            if _CONTEXTS.left < 0:
                raise Undefined("the integral is too dear; give an antiderivative, or split it into integrals over one variable")
            point = self.within({**fixed, variable: at})
            return point._integral(function, inner) if inner else point(function)

        breaks = [low, context.mpf(0), high] if context.isinf(low) and context.isinf(high) else [low, high]
        value, error = context.quad(integrand, breaks, error=True)
        tolerance = context.mpf(10) ** (-(context.dps * 3 // 4))
        if error > tolerance * max(1, context.fabs(value)):
            value, error = context.quad(integrand, breaks, error=True, maxdegree=10)
        if error > context.mpf(10) ** (-(context.dps // 2)) * max(1, context.fabs(value)):
            raise Undefined("the quadrature does not settle")
        return value

    def _fixed(self, function: sp.Basic, variables: set[sp.Basic]) -> dict[sp.Basic, Any]:
        """Values of the largest parts of an integrand that do not change with its variables: found once, not at every point."""
        if function.free_symbols & variables:
            parts = () if isinstance(function, _BINDING) else function.args
            return {node: value for part in parts for node, value in self._fixed(part, variables).items()}
        try:
            return {} if function.is_Number else {function: self(function)}
        except Undefined:  # it may stand in a branch that never applies
            return {}

    def _total(self, function: sp.Expr, limits: list[Any], is_sum: bool) -> Any:
        context = self.context
        *inner, (index, low, high) = limits

        def term(at: Any) -> Any:
            point = self.within({index: at})
            return point._total(function, inner, is_sum) if inner else point(function)

        first, last = self(low), self(high)
        if context.isinf(last):
            return (context.nsum if is_sum else context.nprod)(term, [first, last])
        if last - first > _MOST_TERMS:
            raise Undefined("too many terms")
        terms = [term(context.mpf(at)) for at in range(int(first), int(last) + 1)]
        return context.fsum(terms) if is_sum else context.fprod(terms)

    def _derivative(self, expression: sp.Expr, counts: list[Any]) -> Any:
        *rest, (variable, order) = counts

        def function(at: Any) -> Any:
            point = self.within({variable: at})
            return point._derivative(expression, rest) if rest else point(expression)

        return self.context.diff(function, self(variable), int(order))


@lru_cache(maxsize=256)
def _quadrature(node: sp.Integral, point: tuple[tuple[sp.Basic, Any], ...], digits: int) -> Any:
    """An integral at a point; kept, for the two sides of many claims hold the same one."""
    if _CONTEXTS.depth == 0:
        _CONTEXTS.left = _MOST_EVALUATIONS
    _CONTEXTS.depth += 1
    try:
        return Evaluator(context_of(digits), dict(point))._integral(node.function, list(node.limits))
    finally:
        _CONTEXTS.depth -= 1


def _infinite(node: sp.Basic) -> bool:
    return node in (sp.oo, -sp.oo)
