"""The verdict on one obligation: spot check, proof, then numbers to many digits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import sympy as sp

from kexue.derivation.evaluate import Evaluator, Undefined, context_of
from kexue.derivation.premises import Plan, jets, plan, prolong
from kexue.derivation.sampling import Sampling, settle, substitute_functions
from kexue.derivation.symbolic import carried_out, has_functions, strengthen, vanishes

__all__ = ["CounterExample", "Identity", "Verdict", "check_identity", "refute_identity"]

Kind = Literal["given", "quoted", "symbolic", "digits", "monte carlo", "refuted", "false", "undecided"]
GUARD = 20
SPOT_DIGITS = 12


@dataclass(frozen=True)
class Identity:
    """``lhs == rhs`` wherever the assumptions and ``premises == 0`` hold.

    Args:
        premises: expressions that vanish.
        solving: symbols for which the premises may be solved when points are drawn.
        via: identities whose proofs together prove this one (an antiderivative, say).
    """

    lhs: sp.Expr
    rhs: sp.Expr
    premises: tuple[sp.Expr, ...] = ()
    solving: tuple[sp.Basic, ...] = ()
    via: tuple[Identity, ...] = ()


@dataclass(frozen=True)
class CounterExample:
    """A point at which the two sides differ."""

    lhs: sp.Basic
    rhs: sp.Basic
    point: tuple[tuple[str, str], ...]
    left: str
    right: str
    difference: str

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value}" for name, value in self.point) or "no free symbols"
        return f"at {at}: left {self.left}, right {self.right}, difference {self.difference}"


@dataclass(frozen=True)
class Verdict:
    """What a check found: the kind, the digits and points behind it, how, and the counter-example if there is one."""

    kind: Kind
    digits: int = 0
    points: int = 0
    how: str = ""
    counterexample: CounterExample | None = None
    estimate: tuple[float, float, float] | None = None  # value, Monte Carlo mean, standard error


@dataclass(frozen=True)
class _Prepared:
    """An identity without unknown functions, ready for numbers."""

    lhs: sp.Expr
    rhs: sp.Expr
    plan: Plan
    functions: tuple[tuple[str, str], ...] = ()


def _prepare(identity: Identity, sampling: Sampling, seed: int) -> _Prepared:
    """The identity with functions made concrete; only those drawn at random depend on the seed."""
    drawn = not identity.premises and (has_functions(identity.lhs) or has_functions(identity.rhs))
    return _concrete(identity, Sampling(sampling.domain, sampling.where), seed if drawn else 0)


@lru_cache(maxsize=512)
def _concrete(identity: Identity, sampling: Sampling, seed: int) -> _Prepared:
    lhs, rhs = settle(identity.lhs), settle(identity.rhs)
    premises = [settle(p) for p in identity.premises]
    everything: list[sp.Basic] = [lhs, rhs, *premises]
    if any(has_functions(e) for e in everything):
        if premises:
            premises = prolong(premises, [lhs, rhs])
            everything, sampling = jets([lhs, rhs, *premises, *identity.solving], sampling)
            lhs, rhs = everything[0], everything[1]
            solving = tuple(everything[2 + len(premises) :])
            premises = everything[2 : 2 + len(premises)]
            return _Prepared(lhs, rhs, plan([lhs, rhs], premises, solving, sampling))
        lhs, rhs = substitute_functions([lhs, rhs], sampling, random.Random(f"functions {seed}"))
    return _Prepared(lhs, rhs, plan([lhs, rhs], premises, identity.solving, sampling))


def _points(prepared: _Prepared, sampling: Sampling, seed: int, count: int) -> Iterator[tuple[dict[sp.Basic, Any], int]]:
    rng = random.Random(f"points {seed}")
    needed = prepared.plan.free or prepared.plan.roots
    for _ in range(count if needed else 1):
        base = prepared.plan.point(rng, context_of(20))
        if base is None:
            return
        yield base


@dataclass(frozen=True)
class _Comparison:
    agree: bool | None  # None: could not be told
    digits: float
    counterexample: CounterExample | None = None


def _compare(prepared: _Prepared, base: tuple[dict[sp.Basic, Any], int], digits: int) -> _Comparison:
    """Both sides at one point; a difference must survive twice the precision before it counts."""
    previous: Any = None
    for precision in (digits + GUARD, 2 * digits + 3 * GUARD):
        context = context_of(precision)
        evaluator = prepared.plan.complete(base, context)
        if evaluator is None:
            return _Comparison(None, 0)
        try:
            left, right = evaluator(prepared.lhs), evaluator(prepared.rhs)
            difference = context.fabs(left - right)
            scale = max(context.fabs(left), context.fabs(right))
            if difference > context.mpf(10) ** (-digits) * scale:
                scale = max(evaluator.magnitude(prepared.lhs), evaluator.magnitude(prepared.rhs))
        except Undefined:
            return _Comparison(None, 0)
        if difference == 0:
            return _Comparison(True, digits + 10)
        if difference <= context.mpf(10) ** (-digits) * scale:
            return _Comparison(True, min(float(-context.log10(difference / scale)), digits + 10.0))
        if previous is not None and difference <= min(context.mpf(10) ** (-digits), previous * context.mpf("1e-20")):
            return _Comparison(True, min(float(-context.log10(difference)), digits + 10.0))  # both sides zero: it fades with rounding
        if previous is not None and difference > previous * context.mpf("1e-6"):
            return _Comparison(False, 0, _counterexample(prepared, evaluator, left, right))
        previous = difference
    return _Comparison(None, 0)


def _counterexample(prepared: _Prepared, evaluator: Evaluator, left: Any, right: Any) -> CounterExample:
    nstr = evaluator.context.nstr
    point = tuple(sorted((str(name), nstr(evaluator.context.mpmathify(value), 8)) for name, value in evaluator.values.items()))
    return CounterExample(prepared.lhs, prepared.rhs, point, nstr(left, 12), nstr(right, 12), nstr(left - right, 6))


def _sweep(identity: Identity, sampling: Sampling, digits: int, count: int) -> Verdict:
    """The comparison at ``count`` points for every seed."""
    if identity.lhs.has(sp.Integral, sp.Sum) or identity.rhs.has(sp.Integral, sp.Sum):
        count = 1  # each point costs a quadrature
    tried = agreed = 0
    least = float(digits + 10)
    for seed in sampling.seeds:
        prepared = _prepare(identity, sampling, seed)
        for base in _points(prepared, sampling, seed, count):
            tried += 1
            outcome = _compare(prepared, base, digits)
            if outcome.agree is False:
                example = outcome.counterexample
                assert example is not None
                return Verdict("false", points=tried, counterexample=replace(example, lhs=identity.lhs, rhs=identity.rhs))
            if outcome.agree:
                agreed += 1
                least = min(least, outcome.digits)
    if agreed == 0 or 2 * agreed < tried:
        return Verdict("undecided", points=agreed, how=f"a value could be found at {agreed} of {tried} random points")
    return Verdict("digits", int(least), agreed, how=_how(identity, sampling))


def _how(identity: Identity, sampling: Sampling) -> str:
    seeds = len(sampling.seeds)
    if has_functions(identity.lhs) or has_functions(identity.rhs):
        if identity.premises:
            return f"values of the functions and their derivatives drawn at random where the premises hold, {seeds} seeds"
        return f"random smooth functions in place of the unknown ones, {seeds} seeds"
    if identity.premises:
        return f"random points at which the premises hold, {seeds} seeds"
    return f"random points that obey the assumptions, {seeds} seeds"


def refute_identity(identity: Identity, sampling: Sampling) -> CounterExample | None:
    """A counter-example found with few points and modest precision, confirmed at a higher one; None if there is none among them."""
    return _spot(identity, sampling).counterexample


def _spot(identity: Identity, sampling: Sampling) -> Verdict:
    return _sweep(identity, replace(sampling, seeds=sampling.seeds[:2]), SPOT_DIGITS, 1)


@lru_cache(maxsize=4096)
def check_identity(identity: Identity, sampling: Sampling) -> Verdict:
    """The verdict on an identity.

    A quick numerical spot check comes first: it ends false claims at once, and no symbolic proof is believed against it. Then SymPy
    may prove the identity; where it can't, both sides are compared to ``sampling.digits`` digits.
    """
    spot = _spot(identity, sampling)
    if spot.kind == "false":
        return spot
    if spot.points == 0 and identity.premises:  # from premises that nothing obeys anything would follow
        return Verdict("undecided", how="no point was found that obeys the assumptions and all premises")
    if _proved(identity, sampling):
        return Verdict("symbolic", how="proved by SymPy; no counter-example at the points of the spot check")
    return _sweep(identity, sampling, sampling.digits, sampling.points)


def _proved(identity: Identity, sampling: Sampling) -> bool:
    lhs, rhs, *premises = strengthen([settle(e) for e in (identity.lhs, identity.rhs, *identity.premises)], sampling)
    equalities = [e.lhs - e.rhs for e in strengthen([r for r in sampling.where if isinstance(r, sp.Equality)], sampling)]
    if identity.via and all(_proved(part, sampling) for part in identity.via):
        return True
    sides: list[Callable[[], sp.Expr | None]] = [lambda: carried_out(lhs), lambda: carried_out(rhs)]
    values = [side() for side in sides]
    if values[0] is None or values[1] is None:
        return False
    difference = values[0] - values[1]
    if premises and any(has_functions(e) for e in (difference, *premises)):
        (difference, *premises), _ = jets([difference, *prolong(premises, [difference])], sampling)
    return vanishes(difference, [*premises, *equalities])
