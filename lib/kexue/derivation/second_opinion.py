"""A second, independent evaluation of a claim, to tell false mutants from those that happen to be true.

It shares the statement with the checker and nothing else: SymPy's ``evalf`` and SciPy's quadrature instead of the package's evaluator,
double precision, its own points, its own functions in place of unknown ones, its own way to satisfy premises.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp
from scipy import integrate
from sympy.core.function import AppliedUndef

from kexue.derivation.checks import Identity
from kexue.derivation.obligations import LimitClaim, MeanClaim, Obligation, check
from kexue.derivation.premises import jets, prolong
from kexue.derivation.sampling import Sampling, settle

__all__ = ["holds"]

_POINTS = 3
_TOLERANCE = 1e-7


def holds(obligation: Obligation, sampling: Sampling, rng: random.Random) -> bool:
    """Whether the claim is true as far as a few double-precision evaluations can tell."""
    if isinstance(obligation, Identity):
        return all(_agrees(obligation, sampling, rng) for _ in range(_POINTS))
    if isinstance(obligation, LimitClaim):
        return all(_tends(obligation, sampling, rng) for _ in range(_POINTS))
    assert isinstance(obligation, MeanClaim)
    other = Sampling(sampling.domain, sampling.where, sampling.digits, (101, 102), 1)
    return check(obligation, other).kind == "monte carlo"


def _number(symbol: sp.Basic, sampling: Sampling, rng: random.Random) -> Any:
    interval = sampling.interval(symbol)
    if interval is not None:
        low, high = float(interval[0]), float(interval[1])
        return rng.randint(int(np.ceil(low)), int(high)) if symbol.is_integer else low + (high - low) * rng.betavariate(2, 2)
    if symbol.is_integer:
        return rng.randint(1, 4)
    size = rng.uniform(0.4, 1.9)
    if symbol.is_nonnegative:
        return size
    if symbol.is_nonpositive:
        return -size
    return size * rng.choice((-1, 1)) if symbol.is_extended_real else complex(size, rng.uniform(0.3, 1))


def _functions(expressions: Sequence[sp.Expr], sampling: Sampling, rng: random.Random) -> list[sp.Expr]:
    """Unknown functions replaced by exponentials of a polynomial, plus a polynomial where any sign will do."""
    result = [settle(e) for e in expressions]
    found = {node for e in result for node in e.atoms(AppliedUndef)}
    for node in sorted(found, key=lambda f: (-max(len(a.atoms(AppliedUndef)) for a in f.args), str(f))):
        names = [sp.Dummy() for _ in node.args]
        body = sp.exp(sum((sp.Rational(rng.randint(1, 30), 60) * name for name in names), sp.Rational(rng.randint(1, 30), 60)))
        if not node.is_nonnegative:
            body = body - sum((sp.Rational(rng.randint(20, 60), 40) * name**2 for name in names), sp.Rational(rng.randint(1, 80), 40))
        rule = sp.Lambda(tuple(names), body)
        result = [settle(e.replace(node.func, rule)) for e in result]
    return result


def _agrees(identity: Identity, sampling: Sampling, rng: random.Random) -> bool:
    premises = [settle(p) for p in identity.premises] + [e.lhs - e.rhs for e in sampling.where if isinstance(e, sp.Equality)]
    lhs, rhs = settle(identity.lhs), settle(identity.rhs)
    if premises and any(e.atoms(AppliedUndef) for e in [lhs, rhs, *premises]):
        (lhs, rhs, *premises), sampling = jets([lhs, rhs, *(full := prolong(premises, [lhs, rhs]))], sampling)
        assert len(premises) == len(full)
    elif not premises:
        lhs, rhs = _functions([lhs, rhs], sampling, rng)
    symbols = sorted({s for e in (lhs, rhs, *premises, *sampling.where) for s in e.free_symbols}, key=str)
    for _ in range(200):
        point = {symbol: _number(symbol, sampling, rng) for symbol in symbols}
        if premises and not _moved_onto(premises, point, sampling):
            continue
        if not all(bool(r.subs(point)) for r in sampling.where if not isinstance(r, sp.Equality)):
            continue
        left, right = _value(lhs, point), _value(rhs, point)
        if left is not None and right is not None:
            floor = 1e-2 if premises else 1e-4  # least squares leaves small residuals
            return bool(abs(left - right) <= _TOLERANCE * max(abs(left), abs(right), floor))
    return False


def _moved_onto(premises: Sequence[sp.Expr], point: dict[sp.Basic, Any], sampling: Sampling) -> bool:
    """Moves the point onto the premises by Newton steps of least length, in place; False where that leaves the assumptions."""
    names = [s for s in point if not s.is_integer and any(p.has(s) for p in premises)]
    fixed = [p.subs({s: v for s, v in point.items() if s.is_integer}) for p in premises]
    functions = sp.lambdify(names, fixed, "numpy")
    slopes = sp.lambdify(names, sp.Matrix(fixed).jacobian(names), "numpy")
    at = np.array([float(np.real(point[s])) for s in names])
    with np.errstate(all="ignore"):
        for _ in range(40):
            miss, jacobian = np.array(functions(*at), dtype=complex).real, np.array(slopes(*at), dtype=complex).real
            if not (np.isfinite(miss).all() and np.isfinite(jacobian).all()):
                return False
            at = at - np.linalg.lstsq(jacobian, miss, rcond=None)[0]
        left = np.array(functions(*at), dtype=complex)
    if not np.abs(left).max() < 1e-12:
        return False
    point.update(zip(names, (float(v) for v in at), strict=True))
    for name in names:
        interval = sampling.interval(name)
        low, high = (float(interval[0]), float(interval[1])) if interval is not None else (-np.inf, np.inf)
        value = point[name]
        if not low <= value <= high or (name.is_nonnegative and value <= 0) or (name.is_nonpositive and value >= 0):
            return False
    return True


def _value(expression: sp.Expr, point: dict[sp.Basic, Any]) -> complex | None:
    """The value by SymPy; one-dimensional integrals by SciPy."""
    integrals = {node: _quadrature(node, point) for node in expression.atoms(sp.Integral)}
    if any(value is None for value in integrals.values()):
        return None
    try:
        value = complex(expression.xreplace(integrals).subs(point).evalf(25))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return value if np.isfinite(value) else None


def _quadrature(node: sp.Integral, point: dict[sp.Basic, Any]) -> sp.Float | None:
    (name, low, high), *more = node.limits
    if more:
        return None
    inside = node.function.subs(point)
    ends = [float(end.subs(point).evalf()) for end in (low, high)]

    def integrand(at: float) -> float:
        return float(sp.re(inside.subs(name, at).evalf(17)))

    value, error = integrate.quad(integrand, ends[0], ends[1], epsabs=1e-10, epsrel=1e-10)
    return sp.Float(value, 25) if error < 1e-8 * max(1.0, abs(value)) else None


def _tends(claim: LimitClaim, sampling: Sampling, rng: random.Random) -> bool:
    of, value, to = _functions([claim.of, claim.value, claim.to], sampling, rng)
    symbols = {s for e in (of, value, to) for s in e.free_symbols} - {claim.variable}
    point = {symbol: _number(symbol, sampling, rng) for symbol in sorted(symbols, key=str)}
    side = -1 if claim.direction == "-" else 1
    distances = []
    for step in (sp.Rational(1, 10**4), sp.Rational(1, 10**7)):
        place = to.subs(point) + side * step if to.is_finite else side * -1 / step
        near = of.subs(point).subs(claim.variable, place).evalf(60)
        far = value.subs(point).evalf(60)
        distances.append(abs(1 / near) if value.is_infinite else abs(near - far))
    return bool(distances[1] <= max(distances[0] / 100, 1e-12))
