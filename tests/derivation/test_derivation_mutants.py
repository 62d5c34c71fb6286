"""The verifier, where planted errors showed that nothing looked: mostly at what a verdict costs."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sympy as sp

from kexue.derivation import Derivation, evaluate, functions, mutate, obligations, sampling, sn
from kexue.derivation.checks import Identity, _compare, _sweep
from kexue.derivation.evaluate import Evaluator, Undefined, context_of
from kexue.derivation.obligations import MeanClaim, _approach, _mean
from kexue.derivation.premises import _jet_name
from kexue.derivation.sampling import Sampling
from kexue.derivation.symbolic import _in_ideal, vanishes

x, t = sp.symbols("x t", real=True)
a = sp.Symbol("a", positive=True)
U = sp.Function("u", real=True)


@pytest.mark.parametrize("turned", [False, True])
def test_a_side_with_an_integral_is_compared_at_one_point_for_each_seed(turned: bool) -> None:
    integral, value = sp.Integral(sp.exp(-a * x), (x, 0, 1)), (1 - sp.exp(-a)) / a
    pair = (value, integral) if turned else (integral, value)
    verdict = _sweep(Identity(*pair), Sampling(seeds=(0, 1)), 20, 4)
    assert (verdict.kind, verdict.points) == ("digits", 2)
    assert _sweep(Identity(value, value + 0), Sampling(seeds=(0, 1)), 20, 4).points == 8


def test_derivatives_have_names_of_their_own() -> None:
    y = sp.Function("y", real=True)
    names = [_jet_name(d) for d in (y(x).diff(x), y(x).diff(x, 2), U(x, t).diff(x), U(x, t).diff(x, t), U(x, t).diff(t, 2))]
    assert names[:2] == ["y'(x)", "y''(x)"]
    assert [name.count("'") for name in names] == [1, 2, 1, 2, 2]
    assert len(set(names)) == 5


def test_a_premise_may_hold_mixed_derivatives() -> None:
    d = Derivation("mixed", "A wave in characteristic coordinates")
    first = d.given(sp.Eq(U(x, t).diff(x, t), 0), "no mixed derivative")
    d.implied(sp.Eq(U(x, t).diff(x, t) * sp.exp(x) + 1, 1), by=[first], reason="the product vanishes")
    assert d.verify() is not None


class Counting:
    """A sampler that counts its calls."""

    def __init__(self, spread: float) -> None:
        self.calls, self.spread = 0, spread

    def __call__(self, generator: np.random.Generator, count: int, values: Mapping[sp.Basic, float]) -> dict[sp.Symbol, np.ndarray]:
        self.calls += 1
        return {x: generator.normal(1.0, self.spread, count)}


@pytest.mark.parametrize(("spread", "value", "calls"), [(0.5, 1.0, (1, 1)), (3.0, 1.0, (8, 11)), (100.0, 0.0, (4, 4)), (2.0, 0.0, (4, 4)),
                                                       (100.0, 3.0, (64, 64))])  # fmt: skip
def test_draws_go_on_until_the_mean_is_known_to_a_hundredth(spread: float, value: float, calls: tuple[int, int]) -> None:
    """The error of n means of m draws is spread / √(n m): a hundredth of 1 needs n m = 10⁴ spread²; a mean of nought needs four rounds."""
    sampler = Counting(spread)
    claim = MeanClaim(sp.Float(value), x, sampler, 10_000)
    mean, error = _mean(claim, {}, np.random.default_rng(0), value)
    assert calls[0] <= sampler.calls <= calls[1]
    assert error == pytest.approx(spread / (10_000 * sampler.calls) ** 0.5, rel=0.03)
    assert abs(mean - 1.0) < 4.5 * error


# --- the planting of errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("missed", "status"), [([], 0), (["small, step 2"], 1), (["a", "b"], 1)])
def test_the_status_tells_whether_an_error_was_missed(monkeypatch: pytest.MonkeyPatch, missed: list[str], status: int) -> None:
    monkeypatch.setattr(mutate, "mutation_report", lambda: {"missed": missed})
    assert mutate.main([]) == status


def test_two_dozen_errors_are_planted_in_a_step() -> None:
    d = Derivation("long")
    d.given((a + x) ** 3 + sp.sin(2 * a * x), "a long expression")
    d.equal(a**3 + 3 * a**2 * x + 3 * a * x**2 + x**3 + 2 * sp.sin(a * x) * sp.cos(a * x), "expanded")
    step = d.steps[-1]
    assert len(mutate.mutants(step, None)) > 25
    assert len(mutate.mutants(step)) == 24
    for function in (mutate.mutants, mutate.mutation_test, mutate.mutation_report):
        assert inspect.signature(function).parameters["most"].default == 24


def handed_out(counts: tuple[int, ...], most: int) -> list[int]:
    """One to each in turn who has any left."""
    given = [0] * len(counts)
    while sum(given) < most:
        for i, count in enumerate(counts):
            given[i] += given[i] < count and sum(given) < most
    return given


@pytest.mark.parametrize("most", [4, 7, 24, 30])
@pytest.mark.parametrize("counts", [(40, 40, 40, 40), (1, 30, 30, 2), (3, 50, 9, 0), (0, 0, 0, 61), (5, 17, 6, 24)])
def test_errors_are_spread_over_the_kinds_and_through_the_statement(counts: tuple[int, ...], most: int) -> None:
    step = Derivation("any").given(a, "any")
    every = [mutate.Mutant(step, kind, sp.Integer(i)) for kind, count in zip(mutate.KINDS, counts, strict=True) for i in range(count)]
    chosen = mutate._spread(every, most)
    assert len(chosen) == most == len(set(chosen))
    shares = [[int(error.statement) for error in chosen if error.error == kind] for kind in mutate.KINDS]
    assert sorted(map(len, shares)) == sorted(handed_out(counts, most))
    for places, count in zip(shares, counts, strict=True):
        gaps = np.diff([*places, count])  # evenly, from the first to the last
        assert not places or places[0] == 0
        assert not places or gaps.max() - gaps.min() <= 1
    assert mutate._spread(every, None) == mutate._spread(every, len(every)) == every


# --- relations, precision, thresholds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        (sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1, True),
        (sp.cosh(x) ** 2 - sp.sinh(x) ** 2 + 1, False),
        (sp.cosh(x) ** 4 - 2 * sp.cosh(x) ** 2 + 1 - sp.sinh(x) ** 4, True),
        (sp.cosh(x) ** 2 - sp.sinh(2 * x) ** 2 - 1, False),  # of two angles
        (sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1, True),
        (sp.sin(x) ** 2 - sp.cos(x) ** 2 + 1, False),
        (sp.sin(x) ** 2 + sp.cosh(x) ** 2 - 1, False),
    ],
)
def test_functions_obey_their_relations_and_no_others(expression: sp.Expr, holds: bool) -> None:
    assert _in_ideal(expression, []) is holds


m, n = sp.symbols("m n", real=True)


@pytest.mark.parametrize(
    ("expression", "premise", "holds"),
    [
        (2 * a ** (m - n) - a**m, a**n - 2, True),
        (a ** (m - n) - 2 * a**m, a**n - 2, False),
        (4 * a ** (m - 2 * n) - a**m, a**n - 2, True),
        (2 * a ** (m - 2 * n) - a**m, a**n - 2, False),
        (2 * a ** (m - n / 2) - a**m, a ** (n / 2) - 2, True),
        ((a ** (m - n) + 1) * a**n - a**m - a**n, None, True),
        ((a ** (m - n) + 1) * a**n - a**m + a**n, None, False),
        (a ** (m - n) - t ** (m - n), a**m - t**m, False),  # bases of their own
    ],
)
def test_open_powers_obey_the_laws_of_exponents_and_no_others(expression: sp.Expr, premise: sp.Expr | None, holds: bool) -> None:
    premises = [] if premise is None else [premise]
    assert _in_ideal(expression, premises) is holds
    assert vanishes(expression, premises) is holds


def test_an_elliptic_function_costs_eight_digits_more_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = functions._jacobi

    def noted(digits: int, u: Any, k: Any) -> Any:
        asked.append(digits)
        return real(digits, u, k)

    monkeypatch.setattr(functions, "_jacobi", noted)
    context = context_of(30)
    value = sn.mp_value(context, context.mpf("0.7"), context.mpf("0.4"))
    assert asked == [context.dps + 8]
    assert abs(value - context.ellipfun("sn", context.mpf("0.7"), k=context.mpf("0.4"))) < context.mpf(10) ** -29


class Scripted:
    """Stands for an evaluator: the left side has the values given, one for each precision; the right side is 0."""

    def __init__(self, context: Any, value: str) -> None:
        self.context, self.value, self.values = context, context.mpf(value), {}

    def __call__(self, expression: sp.Expr) -> Any:
        return self.value if expression == x else self.context.mpf(0)

    def magnitude(self, expression: sp.Expr) -> Any:
        return abs(self(expression))


@pytest.mark.parametrize(
    ("first", "second", "agree", "digits"),
    [
        ("1e5", "9e-21", True, 20.0),  # below 10^-20, and 10^20 times smaller than it was
        ("1e5", "2e-20", None, 0),  # it faded by 10^25, but not to 20 digits
        ("1e5", "1e-17", None, 0),
        ("1e-10", "1e-25", None, 0),  # small from the start: it did not fade
        ("1e-2", "1e-30", True, 30.0),
        ("1.0", "1e-5", False, 0),  # it stayed: a counter-example
        ("1.0", "9e-7", None, 0),  # it fell by 10^6: neither
        ("1.0", "0", True, 30),
    ],
)
def test_both_sides_zero_is_believed_where_the_rest_fades_with_rounding(first: str, second: str, agree: bool | None, digits: float) -> None:
    values = iter([first, second])
    plan = SimpleNamespace(complete=lambda base, context: Scripted(context, next(values)))
    found = _compare(SimpleNamespace(plan=plan, lhs=x, rhs=sp.S.Zero), ({}, 0), 20)  # type: ignore[arg-type]
    assert found.agree is agree
    assert found.digits == pytest.approx(digits, abs=0.05)
    assert (found.counterexample is None) == (agree is not False)


@pytest.mark.parametrize(
    ("distances", "digits", "stays"),
    [
        (("1", "0.71"), 0.0, True),
        (("1", "0.69"), 0.0, False),  # on its way
        (("2e-6", "2e-6"), 0.0, True),
        (("9e-7", "9e-7"), 0.0, False),  # too near to be sure
        (("1", "1e-21"), 21.0, False),
        (("1", "1e-19"), 0.0, False),
        (("1", "0"), 30.0, False),
        (("1", "1e-40"), 30.0, False),
    ],
)
def test_a_limit_is_refuted_where_the_distance_stays(distances: tuple[str, str], digits: float, stays: bool) -> None:
    context, values = context_of(20), iter(distances)

    class At:
        values = {x: context.mpf(3)}

        def __call__(self, expression: sp.Expr) -> Any:
            return context.mpf(0)

    route: Any = SimpleNamespace(
        plan=SimpleNamespace(complete=lambda base, context: At()), of=sp.sin(t), value=sp.S.One, to=sp.S.Zero, variable=t,
        distance=lambda evaluator, side, exponent: (context.mpf(7), context.mpf(next(values)), context.mpf(1)),
    )  # fmt: skip
    reached, example = _approach(route, {}, 1, (4, 8), 20)
    assert reached == pytest.approx(digits, abs=1e-9)
    assert (example is not None) == stays
    if example is not None:
        assert example.point == (("x", "3.0"), ("t", "0.0+1e-8"))
        assert (example.left, example.right) == ("7.0", "1.0")


# --- where random points come from -------------------------------------------------------------------------------------


def test_three_seeds_unless_others_are_named() -> None:
    assert Sampling().seeds == (0, 1, 2)


def test_an_error_is_planted_where_its_path_leads() -> None:
    expression = a * sp.sin(x) + sp.exp(t * sp.Symbol("y") / 3)
    new = sp.Symbol("new")
    planted = {node: mutate._planted(expression, path, new) for node, path in mutate._positions(expression)}
    assert planted.pop(expression) == new
    assert len(planted) > 8
    for node, wrong in planted.items():  # each node occurs once
        assert wrong == expression.subs(node, new)
    inner = sp.cos(sp.Add(x, sp.Mul(2, t, evaluate=False), evaluate=False))
    (place,) = [path for node, path in mutate._positions(inner) if node == t]
    assert mutate._planted(inner, place, x) == sp.cos(3 * x)


class Ends(random.Random):
    """Always draws the lower, or the upper, end of what may be drawn."""

    def __init__(self, *, upper: bool) -> None:
        super().__init__(0)
        self.upper = upper

    def uniform(self, a: float, b: float) -> float:
        return b if self.upper else a

    def choice(self, seq: Any) -> Any:
        return seq[-1 if self.upper else 0]


@pytest.mark.parametrize(
    ("assumed", "interval", "low", "high"),
    [
        ({"positive": True}, None, 2**-1.7, 2**1.7),
        ({"nonnegative": True}, None, 2**-1.7, 2**1.7),
        ({"negative": True}, None, -(2**-1.7), -(2**1.7)),
        ({"nonpositive": True}, None, -(2**-1.7), -(2**1.7)),
        ({"imaginary": True}, None, complex(0, -0.3), complex(0, 2)),
        ({"real": True}, None, -0.2, 2.2),
        ({}, None, complex(-1.5, -0.2), complex(1.5, 1.5)),
        ({"real": True}, (2, 5), 2.0, 5.0),
        ({"integer": True}, None, -5, 6),
        ({"integer": True, "positive": True}, None, 1, 6),
        ({"integer": True, "even": True}, None, -4, 6),
        ({"integer": True}, (sp.Rational(1, 2), sp.Rational(9, 2)), 1, 4),
        ({"prime": True}, (2, 12), 2, 11),
    ],
)
def test_random_numbers_lie_between_these_ends(assumed: dict[str, bool], interval: Any, low: complex, high: complex) -> None:
    symbol = sp.Symbol("s", **assumed)
    found = [sampling.draw(symbol, interval, Ends(upper=upper)) for upper in (False, True)]
    assert found == pytest.approx([low, high], abs=1e-12)
    assert all(sampling.admissible(symbol, value, interval) for value in found)


def test_coefficients_are_sixty_fourths() -> None:
    found = [sampling._coefficient(Ends(upper=upper)) for upper in (False, True)]
    assert found == [-sp.Rational(13, 64), sp.Rational(90, 64)]  # 0.2 and 1.4
    assert sampling._coefficient(Ends(upper=True), 0.1, 0.4) == sp.Rational(26, 64)


@pytest.mark.parametrize(
    ("assumption", "yes", "no"),
    [
        ("positive", [0.5, 3], [0, -0.5]), ("negative", [-0.5, -3], [0, 0.5]), ("nonnegative", [0, 0.5], [-0.5]),
        ("nonpositive", [0, -0.5], [0.5]), ("nonzero", [0.5, -2], [0]), ("integer", [0, -3, 2.0], [0.5, -2.5]),
        ("even", [0, -2, 4], [1, -3]), ("odd", [1, -3], [0, 2]), ("prime", [2, 3, 11], [1, 4, 2.5]), ("real", [0.0, -1.5], [1j, 1 + 0.1j]),
    ],
)  # fmt: skip
def test_assumptions_are_obeyed(assumption: str, yes: list[complex], no: list[complex]) -> None:
    symbol = sp.Symbol("s", **{assumption: True})
    assert [sampling.admissible(symbol, value, None) for value in yes] == [True] * len(yes)
    assert [sampling.admissible(symbol, value, None) for value in no] == [False] * len(no)


def test_intervals_hold_their_ends() -> None:
    symbol = sp.Symbol("s")
    assert [sampling.admissible(symbol, v, (1, 2)) for v in (1, 2, 1.5, 0.999, 2.001, 1.5 + 0.1j)] == [True] * 3 + [False] * 3
    assert Sampling(domain=((symbol, (1, 2)),)).interval(symbol) == (1, 2)
    assert Sampling().interval(symbol) is None
    assert (Sampling().digits, Sampling().points, Sampling().where) == (30, 4, ())


@pytest.mark.parametrize(("claimed", "of", "to", "direction", "shown"), [
    (1, sp.sin(x) / x, 0, "+", True), (2, sp.sin(x) / x, 0, "+", False), (sp.oo, 1 / x, 0, "+", True), (-sp.oo, 1 / x, 0, "-", True),
    (sp.oo, 1 / x, 0, "-", False), (U(0, t), U(x, t), 0, "+", False), (sn(0, a / (1 + a)), sn(x, a / (1 + a)), 0, "+", False),
])  # fmt: skip
def test_limits_that_sympy_finds(claimed: sp.Expr, of: sp.Expr, to: int, direction: str, shown: bool) -> None:
    """Of functions that SymPy does not know it would assume that they are continuous: it is not asked."""
    claim: Any = SimpleNamespace(of=of, value=sp.sympify(claimed), to=sp.sympify(to), variable=x, direction=direction)
    assert obligations._limit_by_sympy(claim, Sampling()) is shown


@pytest.mark.parametrize("count", [1, 2, 40])
def test_sums_and_products_of_finitely_many_terms(count: int) -> None:
    n = sp.Symbol("n", integer=True)
    evaluator = Evaluator(context_of(30), {a: context_of(30).mpf("0.5")})
    total = evaluator(sp.Sum(a**n, (n, 1, count)))
    assert abs(total - (1 - evaluator.context.mpf("0.5") ** count)) < evaluator.context.mpf(10) ** -28
    product = evaluator(sp.Product(a + n, (n, 0, count)))
    want = evaluator.context.fprod(evaluator.context.mpf("0.5") + k for k in range(count + 1))
    assert abs(product / want - 1) < evaluator.context.mpf(10) ** -28


def test_too_many_terms_are_not_begun() -> None:
    n = sp.Symbol("n", integer=True)
    evaluator = Evaluator(context_of(20), {a: context_of(20).mpf(1)})
    most = evaluate._MOST_TERMS
    assert evaluator(sp.Sum(a**n, (n, 0, most))) == most + 1
    with pytest.raises(Undefined, match="too many terms"):
        evaluator(sp.Sum(a**n, (n, 0, most + 1)))


def test_integrals_that_settle_and_one_that_does_not() -> None:
    evaluator = Evaluator(context_of(30), {})
    root = evaluator(sp.Integral(sp.exp(-(x**2)), (x, -sp.oo, sp.oo)))
    assert abs(root - evaluator.context.sqrt(evaluator.context.pi)) < evaluator.context.mpf(10) ** -25
    assert abs(Evaluator(context_of(20), {})(sp.Integral(x * t, (t, 0, x), (x, 0, 2))) - 2) < evaluator.context.mpf(10) ** -15
    with pytest.raises(Undefined, match="the quadrature does not settle"):
        evaluator(sp.Integral(sp.sign(x - sp.sqrt(2) / 3) * sp.cos(100 * x), (x, 0, 1)))
    with pytest.raises(Undefined, match="an integral without limits has no value"):
        Evaluator(context_of(20), {x: context_of(20).mpf(1)})(sp.Integral(sp.exp(-(x**2)), x))


# --- what is kept and what is shown ------------------------------------------------------------------------------------


def test_what_is_kept_cannot_be_changed(changeable: Callable[[str], set[str]]) -> None:
    """Claims and verdicts are keys and values of caches; only the counts of a mutation test grow."""
    assert changeable("derivation") == {"Counts"}


def indented(name: str, reason: str, refuted: bool) -> list[str]:
    """The lines of prose beneath a formula in plain text."""
    d = Derivation("wide")
    symbol = sp.Symbol(name, positive=True)
    d.given(symbol, "a number" if refuted else reason)
    if refuted:
        d.refutes(2 * symbol, to=symbol**2, reason="not so", source="folklore")
    return [line for line in str(d).splitlines() if line.startswith(" " * 6)]


@pytest.mark.parametrize("refuted", [False, True])
def test_prose_is_eight_columns_in_and_fills_ninety_two(refuted: bool) -> None:
    """Of a reason and of an explanation, whatever the length of their words: no line is longer, and some are as long."""
    longest = 0
    for length in range(1, 60):
        lines = indented(
            "a" * length if refuted else "a", "x" * length + " and this is the reason for that, as anyone can see by looking", refuted
        )
        assert len(lines) > refuted
        assert all(line[:8].isspace() and not line[8].isspace() for line in lines)
        longest = max(longest, *map(len, lines))
    assert longest == 92


@pytest.mark.parametrize("interval", [(2, 3), (-4, -1), (-1, 1), (0, sp.Rational(1, 10))])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_function_within_an_interval_sweeps_nine_tenths_of_it(interval: tuple[sp.Expr, sp.Expr], seed: int) -> None:
    low, high = map(sp.sympify, interval)
    body = sampling.random_function(sp.Function("f", real=True)(x), (low, high), random.Random(seed))
    values = np.vectorize(sp.lambdify(x, (body(x) - low) / (high - low)))(np.linspace(-40, 40, 4001))
    assert (values.min(), values.max()) == pytest.approx((0.05, 0.95), abs=1e-3)
