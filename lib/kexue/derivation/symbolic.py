"""Proofs by SymPy, each attempt on a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import sympy as sp
from sympy.core.function import AppliedUndef

from kexue.derivation.effort import bounded
from kexue.derivation.functions import bessel_zero
from kexue.derivation.sampling import Sampling, settle

__all__ = ["strengthen", "vanishes"]

CALLS = 250_000
SECONDS = 5.0


def strengthen(expressions: Sequence[sp.Basic], sampling: Sampling) -> list[sp.Basic]:
    """The expressions with symbols whose declared interval tells their sign replaced by symbols that SymPy knows to have it."""
    swap: dict[sp.Expr, sp.Expr] = {}
    for symbol, (low, high) in sampling.domain:
        if isinstance(symbol, sp.Symbol) and not symbol.is_integer:
            sign = {"positive": True} if low > 0 else {"nonnegative": True} if low >= 0 else {}
            sign = sign or ({"negative": True} if high < 0 else {"real": True})
            swap[symbol] = sp.Dummy(symbol.name, **sign)
    return [expression.xreplace(swap) for expression in expressions]


def vanishes(expression: sp.Expr, premises: Sequence[sp.Expr] = ()) -> bool:
    """Whether SymPy can show ``expression == 0``, wherever it is defined, given ``premises == 0``.

    False means "not shown", not "false". Tried in turn, cheapest first: expansion; the numerator of the combined fraction, both also
    after premises of the form "symbol = formula" have been put in; division of the numerator by a Gröbner basis of the premises
    left, together with the known relations of the functions and roots that occur (:math:`\\operatorname{sn}^2+\\operatorname{cn}^2=1`,
    :math:`\\sqrt u^2=u`); then SymPy's simplifiers.
    """
    if expression.is_zero:
        return True
    expression = _two_orders(_radicands(expression, premises))
    reduced = bounded(CALLS, SECONDS, _eliminated, expression, premises)
    plain = [expression] if reduced is None or reduced == expression else [expression, reduced]
    attempts: list[Callable[[], bool]] = [
        *(partial(_expands_to_zero, form) for form in plain),
        *(partial(_expands_to_zero, form, combined=True) for form in reversed(plain)),
        partial(_in_ideal, *((expression, premises) if reduced is None else (reduced, ()))),
    ]
    if any(bounded(CALLS, SECONDS, attempt) for attempt in attempts):
        return True
    return reduced is not None and any(bounded(CALLS, SECONDS, _simplifies_to_zero, reduced, way) for way in range(3))


def _expands_to_zero(expression: sp.Expr, *, combined: bool = False) -> bool:
    return bool(sp.expand(sp.together(expression).as_numer_denom()[0] if combined else expression) == 0)


def _simplifies_to_zero(expression: sp.Expr, way: int) -> bool:
    """SymPy's simplifiers: on the expression, on its functions and logarithms expanded, on its exponential form."""
    form = expression
    if way == 1:
        form = sp.expand_log(sp.expand_func(sp.expand(expression)))
    elif way == 2:
        form = expression.rewrite(sp.exp)
    return (way == 0 or form != expression) and bool(sp.simplify(form) == 0)


def _eliminated(expression: sp.Expr, premises: Sequence[sp.Expr]) -> sp.Expr | None:
    """The expression with each premise of the form "symbol = formula" substituted; None if a premise has no such form."""
    left = list(premises)
    while left:
        terms = sp.Add.make_args(sp.expand(left.pop(0)))
        for term in sorted(terms, key=str):
            factor, symbol = term.as_coeff_Mul()
            rest = [other for other in terms if other is not term]
            if symbol.is_Symbol and not any(other.has(symbol) for other in rest):
                value = -sp.Add(*rest) / factor
                expression, left = expression.subs(symbol, value), [p.subs(symbol, value) for p in left]
                break
        else:
            return None
    return expression


def _cleared(premise: sp.Expr) -> sp.Expr:
    """The numerator of a premise without factors that can't vanish."""
    numerator = sp.together(premise).as_numer_denom()[0]
    return sp.Mul(*[factor for factor in sp.Mul.make_args(numerator) if not factor.is_nonzero])


def _radicands(expression: sp.Expr, premises: Sequence[sp.Expr]) -> sp.Expr:
    """Roots whose radicand is a number under a premise (unit speed, say) replaced by their value, branch included."""
    swap: dict[sp.Expr, sp.Expr] = {}
    for power in expression.atoms(sp.Pow):
        if power.exp.is_Rational and not power.exp.is_Integer:
            values = [sp.expand(power.base + sign * premise) for premise in premises for sign in (1, -1)]
            number = next((value for value in values if value.is_Rational and value.is_positive), None)
            if number is not None:
                swap[power] = number**power.exp
    return expression.xreplace(swap)


def _two_orders(expression: sp.Expr) -> sp.Expr:
    """Bessel functions of one argument, whose orders differ by whole numbers, by the lowest two of them.

    .. math:: J_{\\nu+1}(x)=\\frac{2\\nu}{x}J_\\nu(x)-J_{\\nu-1}(x)
    """
    swap: dict[sp.Expr, sp.Expr] = {}
    for argument in {f.args[1] for f in expression.atoms(sp.besselj)}:
        orders = [f.args[0] for f in expression.atoms(sp.besselj) if f.args[1] == argument]
        steps = {order: sp.expand(order - orders[0]) for order in orders}
        if len(orders) > 2 and all(step.is_Integer for step in steps.values()):
            low = min(orders, key=lambda order: steps[order])
            values = [sp.besselj(low, argument), sp.besselj(low + 1, argument)]
            while len(values) <= max(steps.values()) - steps[low]:
                values.append(2 * (low + len(values) - 1) / argument * values[-1] - values[-2])
            swap |= {sp.besselj(order, argument): values[int(step - steps[low])] for order, step in steps.items()}
    return expression.xreplace(swap)


def carried_out(expression: sp.Expr) -> sp.Expr | None:
    """The expression with its integrals, sums and limits carried out by SymPy; None where it can't within the budget."""
    if not expression.has(sp.Integral, sp.Sum, sp.Limit, sp.Product):
        return settle(expression)
    if any(hasattr(node, "mp_value") for node in expression.atoms(sp.Function)):
        return None  # SymPy knows no integrals of the functions that the package adds
    done = bounded(2 * CALLS, SECONDS, expression.doit)
    return None if done is None or done.has(sp.Integral, sp.Sum, sp.Limit, sp.Product, sp.nan) else done


def _in_ideal(expression: sp.Expr, premises: Sequence[sp.Expr]) -> bool:
    """Whether the numerator lies in the ideal of the premises and of the relations among the functions that occur."""
    translator = _Translator()
    numerator = translator(sp.together(expression).as_numer_denom()[0])
    relations = [translator(_cleared(premise)) for premise in premises]
    relations += translator.close()
    relations = [r for r in dict.fromkeys(sp.expand(r) for r in relations) if r != 0]
    if not relations:
        return bool(sp.expand(numerator) == 0)
    numerator = sp.expand(numerator)
    generators = sorted(set().union(numerator.free_symbols, *(r.free_symbols for r in relations)), key=_weight)
    basis = sp.groebner(relations, *generators, order="grevlex")
    return bool(basis.reduce(numerator)[1] == 0)


def _weight(symbol: sp.Symbol) -> tuple[bool, str]:
    return (not isinstance(symbol, sp.Dummy), str(symbol))


class _Translator:
    """Rewrites an expression as a polynomial: every function, derivative and root becomes a symbol, with the relations it obeys."""

    def __init__(self) -> None:
        self.names: dict[sp.Expr, sp.Dummy] = {}
        self.known: list[sp.Expr] = []

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        if expression.is_Add or expression.is_Mul:
            return expression.func(*[self(argument) for argument in expression.args])
        if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
            return self(expression.base) ** expression.exp
        if expression.is_Pow and expression.exp.is_Rational:
            return self._root(expression)
        if expression.is_Rational or expression.is_Symbol:
            return expression
        return self._open_power(expression) if expression.is_Pow else self._name(expression)

    def _root(self, power: sp.Pow) -> sp.Expr:
        degree = power.exp.q
        name = self._name(sp.Pow(power.base, sp.Rational(1, degree), evaluate=False)) if degree > 1 else self(power.base)
        if degree > 1:
            numerator, denominator = (self(part) for part in sp.together(power.base).as_numer_denom())
            self.known.append(denominator * name**degree - numerator)
        return self._raised(name, power.exp.p)

    def _open_power(self, power: sp.Pow) -> sp.Expr:
        """A power with symbols in its exponent, as whole powers of its halves: :math:`b^{3n/2+1}=b(b^{n/2})^3` on every branch."""
        number, rest = sp.expand(power.exp).as_coeff_Add()
        result = self(sp.Pow(power.base, number))
        for term in sp.Add.make_args(rest):
            factor, symbols = term.as_coeff_Mul()
            half, whole = symbols / 2, 2 * factor
            if not whole.is_Integer:
                half, whole = term, sp.S.One
            result *= self._raised(self._name(sp.Pow(power.base, half, evaluate=False)), int(whole))
        return result

    def _raised(self, name: sp.Expr, exponent: int) -> sp.Expr:
        if exponent > 0:
            return name**exponent
        inverse = self._name(1 / name)
        self.known.append(inverse * name - 1)
        return inverse ** (-exponent)

    def _name(self, expression: sp.Expr) -> sp.Dummy:
        if expression not in self.names:
            self.names[expression] = sp.Dummy(f"f{len(self.names)}")
        return self.names[expression]

    def close(self) -> list[sp.Expr]:
        """The relations of all functions met so far."""
        for first in [f for f in list(self.names) if isinstance(f, sp.besselj)]:
            order, argument = first.args
            if isinstance(argument, bessel_zero) and argument.args[0] == order:
                self.known.append(self(first))
        for expression in list(self.names):
            if hasattr(expression, "relations"):
                self.known += [self(relation) for relation in expression.relations()]
            elif isinstance(expression, (sp.sin, sp.cos)):
                angle = expression.args[0]
                self.known.append(self._name(sp.sin(angle)) ** 2 + self._name(sp.cos(angle)) ** 2 - 1)
            elif isinstance(expression, (sp.sinh, sp.cosh)):
                angle = expression.args[0]
                self.known.append(self._name(sp.cosh(angle)) ** 2 - self._name(sp.sinh(angle)) ** 2 - 1)
        return self.known


def has_functions(expression: sp.Basic) -> bool:
    """Whether an unknown function occurs."""
    return bool(expression.atoms(AppliedUndef))
