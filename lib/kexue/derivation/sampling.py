"""Random points that obey the declared assumptions, and random functions for identities that must hold for every function."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

__all__ = ["Sampling", "admissible", "draw", "random_function", "substitute_functions", "undefined_functions"]

Interval = tuple[sp.Expr, sp.Expr]


@dataclass(frozen=True)
class Sampling:
    """Where the random points of a derivation may lie.

    Args:
        domain: interval of a symbol or an applied function, beside SymPy's own assumptions.
        where: relations that every point obeys.
        digits: decimal digits that a numerical check demands.
        seeds: one independent batch of points each.
        points: points per seed.
    """

    domain: tuple[tuple[sp.Basic, Interval], ...] = ()
    where: tuple[sp.Basic, ...] = ()
    digits: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)
    points: int = 4

    def interval(self, symbol: sp.Basic) -> Interval | None:
        """The declared interval of ``symbol``, or None."""
        return dict(self.domain).get(symbol)


def draw(symbol: sp.Basic, interval: Interval | None, rng: random.Random) -> int | float | complex:
    """A random value of ``symbol`` that obeys its SymPy assumptions and lies inside ``interval``.

    The values are integers or double-precision numbers, hence exact in any higher precision. A symbol without any assumption is
    complex, as it is to SymPy.
    """
    low, high = (float(end) for end in interval) if interval is not None else (None, None)
    if symbol.is_integer:
        return _integer(symbol, low, high, rng)
    if low is not None and high is not None:
        return rng.uniform(low, high)
    if symbol.is_positive or symbol.is_nonnegative:
        return float(2 ** rng.uniform(-1.7, 1.7))
    if symbol.is_negative or symbol.is_nonpositive:
        return -float(2 ** rng.uniform(-1.7, 1.7))
    if symbol.is_imaginary:
        return complex(0, rng.choice((-1, 1)) * rng.uniform(0.3, 2))
    if symbol.is_extended_real:
        return rng.choice((-1, 1)) * rng.uniform(0.2, 2.2)
    return complex(rng.uniform(-1.5, 1.5), rng.choice((-1, 1)) * rng.uniform(0.2, 1.5))


def _integer(symbol: sp.Basic, low: float | None, high: float | None, rng: random.Random) -> int:
    first = -5 if low is None else int(sp.ceiling(low))
    last = 6 if high is None else int(sp.floor(high))
    choices = [n for n in range(first, last + 1) if admissible(symbol, n, None)]
    if not choices:
        raise ValueError(f"no integer in [{first}, {last}] obeys the assumptions of {symbol}; widen its domain")
    return rng.choice(choices)


def admissible(symbol: sp.Basic, value: complex, interval: Interval | None) -> bool:
    """Whether ``value`` obeys the assumptions of ``symbol`` and lies in ``interval``."""
    real = abs(complex(value).imag) <= 1e-20 * max(1.0, abs(value))
    size = float(complex(value).real)
    if (symbol.is_extended_real or interval is not None) and not real:
        return False
    if interval is not None and not float(interval[0]) <= size <= float(interval[1]):
        return False
    tests = {
        "is_positive": size > 0,
        "is_negative": size < 0,
        "is_nonnegative": size >= 0,
        "is_nonpositive": size <= 0,
        "is_nonzero": value != 0,
        "is_integer": real and size == round(size),
        "is_even": size % 2 == 0,
        "is_odd": size % 2 == 1,
        "is_prime": real and size == round(size) and sp.isprime(round(size)),
    }
    return all(passed for name, passed in tests.items() if getattr(symbol, name))


def undefined_functions(expressions: Iterable[sp.Basic]) -> list[AppliedUndef]:
    """All applied unknown functions, those whose arguments hold other unknown functions first, in a fixed order."""
    found = {node for expression in expressions for node in expression.atoms(AppliedUndef)}
    return sorted(found, key=lambda node: (-max((len(a.atoms(AppliedUndef)) for a in node.args), default=0), str(node)))


def _coefficient(rng: random.Random, low: float = 0.2, high: float = 1.4) -> sp.Rational:
    return sp.Rational(round(rng.uniform(low, high) * 64) * rng.choice((-1, 1)), 64)


def random_function(applied: AppliedUndef, interval: Interval | None, rng: random.Random) -> sp.Lambda:
    """A smooth function with random rational coefficients that stands for an unknown one.

    It obeys the assumptions of the unknown function (positive, negative, real; complex where nothing is declared) and stays inside
    ``interval`` where one is given. A claim about every function must hold for this one; that it holds for several of them at
    random is the numerical evidence, as random numbers are for a claim about every number.
    """
    arguments = [sp.Dummy(f"u{i}", real=True) for i in range(len(applied.args))]
    wave = sp.sin(sum((_coefficient(rng) * u for u in arguments), _coefficient(rng)))
    if interval is not None:
        low, high = interval
        body = low + (high - low) * (1 + sp.Rational(9, 10) * wave) / 2
    elif applied.is_positive or applied.is_nonnegative:
        body = sp.exp(wave / 2 + sum((_coefficient(rng, 0.1, 0.4) * u for u in arguments), sp.S.Zero))
    elif applied.is_negative or applied.is_nonpositive:
        body = -sp.exp(wave / 2 + sum((_coefficient(rng, 0.1, 0.4) * u for u in arguments), sp.S.Zero))
    else:
        body = wave + _polynomial(arguments, rng)
        if not applied.is_extended_real:
            body += sp.I * _polynomial(arguments, rng)
    return sp.Lambda(tuple(arguments), body)


def _polynomial(arguments: Sequence[sp.Symbol], rng: random.Random) -> sp.Expr:
    total: sp.Expr = _coefficient(rng)
    for i, u in enumerate(arguments):
        total += _coefficient(rng) * u
        for v in arguments[i:]:
            total += _coefficient(rng, 0.1, 0.5) * u * v
    return total


def substitute_functions(expressions: Sequence[sp.Basic], sampling: Sampling, rng: random.Random) -> list[sp.Basic]:
    """Every unknown function of the expressions replaced by one random test function, the same in all expressions."""
    chosen: dict[UndefinedFunction, sp.Lambda] = {}
    domain = dict(sampling.domain)
    for applied in undefined_functions(expressions):
        if applied.func not in chosen:
            interval = next((domain[key] for key in domain if getattr(key, "func", None) == applied.func), None)
            chosen[applied.func] = random_function(applied, interval, rng)
    result = [settle(expression) for expression in expressions]
    for function, body in chosen.items():
        result = [settle(expression.replace(function, body)) for expression in result]
    return result


def settle(expression: sp.Basic) -> sp.Basic:
    """Carries out derivatives and substitutions, but no integral, sum or limit (which might not come back)."""
    if not expression.has(sp.Derivative, sp.Subs):
        return expression
    done = expression.replace(
        lambda node: isinstance(node, sp.Derivative),
        lambda node: sp.Derivative(node.expr, *node.variable_count, evaluate=True),
    )
    return done.replace(
        lambda node: isinstance(node, sp.Subs) and not node.expr.has(AppliedUndef),
        lambda node: node.expr.subs(dict(zip(node.variables, node.point, strict=True))),
    )
