"""What a step owes: limits, Monte Carlo means and refutations, beside the identities of ``checks``."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue.derivation.checks import GUARD, CounterExample, Identity, Verdict, check_identity, refute_identity
from kexue.derivation.effort import bounded
from kexue.derivation.evaluate import Evaluator, Undefined, context_of
from kexue.derivation.premises import Plan, plan
from kexue.derivation.sampling import Sampling, settle, substitute_functions
from kexue.derivation.symbolic import CALLS, SECONDS, strengthen, vanishes

__all__ = ["LimitClaim", "MeanClaim", "Obligation", "Refutation", "Sampler", "check", "refute"]

Sampler = Callable[[np.random.Generator, int, Mapping[sp.Basic, float]], Mapping[sp.Symbol, Any]]


@dataclass(frozen=True)
class LimitClaim:
    """``of`` tends to ``value`` as ``variable`` tends to ``to`` from the side ``direction`` ("+", "-" or "+-")."""

    value: sp.Expr
    of: sp.Expr
    variable: sp.Symbol
    to: sp.Expr
    direction: str


@dataclass(frozen=True)
class MeanClaim:
    """``value`` is the mean of ``of`` over the draws of ``sampler``: Monte Carlo, the weakest kind."""

    value: sp.Expr
    of: sp.Expr
    sampler: Sampler
    samples: int
    parameters: tuple[sp.Symbol, ...] = ()


@dataclass(frozen=True)
class Refutation:
    """At least one of the claims is false, and a counter-example shows it."""

    claims: tuple[Any, ...]


Obligation = Identity | LimitClaim | MeanClaim | Refutation


def check(obligation: Obligation, sampling: Sampling) -> Verdict:
    """The verdict on any obligation; the same arguments give the same verdict, from a cache the second time."""
    if isinstance(obligation, Identity):
        return check_identity(obligation, sampling)
    if isinstance(obligation, LimitClaim):
        return check_limit(obligation, sampling)
    if isinstance(obligation, MeanClaim):
        return check_mean(obligation, sampling)
    verdicts = [check(claim, sampling) for claim in obligation.claims]
    for verdict in verdicts:
        if verdict.kind == "false":
            return Verdict("refuted", how="a counter-example, confirmed at a higher precision", counterexample=verdict.counterexample)
    return Verdict("undecided", how=f"the statement called wrong has no counter-example ({', '.join(v.kind for v in verdicts)})")


def refute(obligation: Obligation, sampling: Sampling) -> CounterExample | None:
    """A counter-example to an obligation, found quickly; None where a quick look finds none."""
    if isinstance(obligation, Identity):
        return refute_identity(obligation, sampling)
    if isinstance(obligation, LimitClaim):
        return check_limit(obligation, Sampling(sampling.domain, sampling.where, 12, sampling.seeds[:1], 1)).counterexample
    return check(obligation, sampling).counterexample


@lru_cache(maxsize=1024)
def check_limit(claim: LimitClaim, sampling: Sampling) -> Verdict:
    """Verdict on a limit: SymPy's own limit, else the expression as close to the place as :math:`10^{-160}`.

    So close to the place every limit that is approached like a power shows its digits; one approached like a logarithm stays
    undecided, and is reported so.
    """
    sides = {"+": (1,), "-": (-1,), "+-": (1, -1)}[claim.direction]
    exponents = (20, 40) if claim.of.has(sp.Integral, sp.Sum) else (20, 40, 80, 160)
    least, points = float(sampling.digits + 10), 0
    undecided = False
    for seed in sampling.seeds:
        of, value, to = (settle(e) for e in substitute_functions([claim.of, claim.value, claim.to], sampling, random.Random(seed)))
        route = _Route(of, value, to, claim.variable, plan([of - claim.variable, value, to], [], [], sampling))
        rng = random.Random(f"limit {seed}")
        for _ in range(sampling.points):
            base = route.plan.point(rng, context_of(20))
            for side in sides if base is not None else ():
                assert base is not None
                digits, example = _approach(route, base, side, exponents, sampling.digits)
                if example is not None:
                    return Verdict("false", points=points + 1, counterexample=example)
                undecided = undecided or digits < sampling.digits
                least, points = min(least, digits), points + 1
    if _limit_by_sympy(claim, sampling):
        return Verdict("symbolic", how="the limit that SymPy finds; no contradiction close to the place")
    if undecided or points == 0:
        return Verdict("undecided", points=points, how="the values come too slowly, or not at all, to the limit")
    return Verdict("digits", int(least), points, how=f"the expression within 1e-{exponents[-1]} of the place, at random points")


@dataclass(frozen=True)
class _Route:
    of: sp.Expr
    value: sp.Expr
    to: sp.Expr
    variable: sp.Symbol
    plan: Plan

    def place(self, evaluator: Evaluator, side: int, exponent: int) -> Any:
        small = evaluator.context.mpf(10) ** (-exponent)
        if self.to in (sp.oo, -sp.oo):
            return (1 if self.to is sp.oo else -1) / small
        return evaluator(self.to) + side * small

    def distance(self, evaluator: Evaluator, side: int, exponent: int) -> tuple[Any, Any, Any]:
        at = evaluator.within({self.variable: self.place(evaluator, side, exponent)})
        left = at(self.of)
        if self.value in (sp.oo, -sp.oo):
            signed = left if self.value is sp.oo else -left
            return left, 1 / signed if signed > 0 else at.context.mpf(1), self.value
        right = evaluator(self.value)
        return left, at.context.fabs(left - right) / max(1, at.context.fabs(right)), right


def _approach(route: _Route, base: Any, side: int, exponents: tuple[int, ...], digits: int) -> tuple[float, CounterExample | None]:
    """Digits reached, and a counter-example where the distance from the claimed value stays."""
    distances: list[Any] = []
    for exponent in exponents:
        context = context_of(digits + GUARD + 5 * exponent)
        evaluator = route.plan.complete(base, context)
        if evaluator is None:
            return 0.0, None
        try:
            left, distance, right = route.distance(evaluator, side, exponent)
        except Undefined:
            return 0.0, None
        distances.append(distance)
    if distances[-1] < context.mpf(10) ** (-digits):
        return (float(digits + 10) if distances[-1] == 0 else min(float(-context.log10(distances[-1])), digits + 10.0)), None
    assert evaluator is not None  # the loop ran to its end
    stays = distances[-1] > 0.7 * distances[-2] and distances[-1] > 1e-6
    if not stays:
        return 0.0, None
    point = tuple(sorted((str(s), context.nstr(context.mpmathify(v), 8)) for s, v in evaluator.values.items()))
    place = f"{context.nstr(evaluator(route.to), 8)}{'+' if side > 0 else '-'}1e-{exponents[-1]}" if route.to.is_finite else str(route.to)
    shown = str(right) if isinstance(right, sp.Basic) else context.nstr(right, 12)
    example = CounterExample(
        route.of, route.value, (*point, (str(route.variable), place)), context.nstr(left, 12), shown, context.nstr(distances[-1], 6)
    )
    return 0.0, example


def _limit_by_sympy(claim: LimitClaim, sampling: Sampling) -> bool:
    if any(hasattr(node, "mp_value") for node in claim.of.atoms(sp.Function)) or claim.of.atoms(AppliedUndef):
        return False  # SymPy would take functions that it does not know for continuous ones
    swapped = strengthen([claim.of, claim.value, claim.to, claim.variable], sampling)
    found = bounded(CALLS, SECONDS, sp.limit, swapped[0], swapped[3], swapped[2], claim.direction)
    if found is None or found.has(sp.Limit):
        return False
    return bool(found == swapped[1] or (found.is_finite and vanishes(found - swapped[1])))


@lru_cache(maxsize=256)
def check_mean(claim: MeanClaim, sampling: Sampling) -> Verdict:
    """Verdict of Monte Carlo: at every seed the mean must lie within 4.5 standard errors, and these below two percent of the spread.

    The number of draws is raised until the standard error is at most one percent of the value (or of the spread where the value is
    small), so that an error of a factor does not hide in the noise.
    """
    estimate: tuple[float, float, float] | None = None
    symbols = sorted({s for e in (claim.value, claim.of, *claim.parameters) for s in e.free_symbols}, key=str)
    for seed in sampling.seeds:
        generator = np.random.default_rng(seed)
        drawn = claim.sampler(generator, 2, _Anything())
        free = [s for s in symbols if s not in drawn]
        route = plan([claim.value, *free], [], [], sampling)
        base = route.point(random.Random(f"mean {seed}"), context_of(20))
        if base is None:
            return Verdict("undecided", how="no admissible point found")
        values = {s: float(base[0][s]) for s in free}
        evaluator = Evaluator(context_of(20), base[0])
        value = float(evaluator(claim.value))
        mean, error = _mean(claim, values, generator, value)
        estimate = estimate or (value, mean, error)
        if abs(mean - value) > 4.5 * error:
            point = tuple((str(s), f"{v:.6g}") for s, v in values.items())
            example = CounterExample(claim.of, claim.value, point, f"{mean:.6g} ± {error:.2g}", f"{value:.6g}", f"{mean - value:.3g}")
            return Verdict("false", counterexample=example)
    return Verdict("monte carlo", points=len(sampling.seeds), how=f"{claim.samples:,} or more draws at each seed", estimate=estimate)


class _Anything(dict[sp.Basic, float]):
    """Stands for a parameter point when only the names of the drawn symbols are asked for."""

    def __missing__(self, key: sp.Basic) -> float:
        return 0.5


def _mean(claim: MeanClaim, values: Mapping[sp.Basic, float], generator: np.random.Generator, value: float) -> tuple[float, float]:
    total = squares = 0.0
    count = 0
    for _ in range(64):
        draws = claim.sampler(generator, claim.samples, values)
        names = [*draws, *values]
        function = sp.lambdify(names, claim.of, modules=["scipy", "numpy"])
        result = np.broadcast_to(np.asarray(function(*draws.values(), *values.values()), dtype=np.float64), (claim.samples,))
        total, squares, count = total + float(result.sum()), squares + float((result**2).sum()), count + claim.samples
        mean = total / count
        spread = max(squares / count - mean**2, 0.0) ** 0.5
        error = max(spread / count**0.5, 1e-12 * max(abs(value), 1.0))
        if error <= 0.01 * abs(value):
            break
        if count >= 4 * claim.samples and abs(value) < 0.02 * spread:
            break
    return mean, error
