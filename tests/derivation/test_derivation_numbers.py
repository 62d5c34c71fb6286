"""Evaluation, sampling, effort and special functions, each against an independent source."""

from __future__ import annotations

import random
import threading
import time

import mpmath
import numpy as np
import pytest
import scipy.special
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue.derivation import EllipticE, EllipticK, bessel_zero, cn, dn, sn
from kexue.derivation.checks import Identity, check_identity
from kexue.derivation.effort import bounded
from kexue.derivation.evaluate import Evaluator, Undefined, context_of
from kexue.derivation.premises import plan, prolong
from kexue.derivation.sampling import Sampling, admissible, draw, random_function, settle, substitute_functions
from kexue.derivation.symbolic import vanishes

x, y, s = sp.symbols("x y s", real=True)
u, k = sp.symbols("u k", positive=True)


def at(expression: sp.Basic, digits: int = 40, **values: object) -> object:
    return Evaluator(context_of(digits), {sp.Symbol(name): value for name, value in values.items()})(expression)


ORACLES = [
    (sp.sin(1) + sp.cos(2) * sp.tan(sp.Rational(1, 3)), None),
    (sp.pi * sp.E + sp.EulerGamma - sp.GoldenRatio + sp.Catalan, None),
    (sp.besselj(0, sp.Rational(7, 2)), scipy.special.j0(3.5)),
    (sp.elliptic_k(sp.Rational(1, 2)), scipy.special.ellipk(0.5)),
    (EllipticK(sp.Rational(7, 10)), scipy.special.ellipk(0.49)),
    (EllipticE(sp.Rational(7, 10)), scipy.special.ellipe(0.49)),
    (bessel_zero(0, 2), scipy.special.jn_zeros(0, 2)[1]),
    (sp.polygamma(1, 3), scipy.special.polygamma(1, 3)),
    (sp.uppergamma(2, 3) + sp.lowergamma(2, 3), 1.0),
    (sp.Si(2) + sp.Ci(2), sum(scipy.special.sici(2))),
    (sp.Ei(1), scipy.special.expi(1)),
    (sp.LambertW(1), scipy.special.lambertw(1).real),
    (sp.Heaviside(2) + sp.sign(-3) + sp.Abs(-2) + sp.floor(sp.Rational(5, 2)) + sp.ceiling(sp.Rational(5, 2)), None),
    (sp.Max(sp.sqrt(2), sp.Rational(7, 5)) - sp.Min(sp.sqrt(2), sp.Rational(3, 2)), 0.0),
    (sp.chebyshevt(3, sp.Rational(1, 3), evaluate=False), 4 / 27 - 1),
    (sp.conjugate(1 + 2 * sp.I) * (1 + 2 * sp.I), 5.0),
    (sp.Integral(sp.exp(-(x**2)), (x, -sp.oo, sp.oo)), np.sqrt(np.pi)),
    (sp.Integral(sp.log(x), (x, 0, 1)), -1.0),
    (sp.Sum(1 / sp.Symbol("i") ** 2, (sp.Symbol("i"), 1, sp.oo)), np.pi**2 / 6),
    (sp.Product(sp.Symbol("i"), (sp.Symbol("i"), 1, 5)), 120.0),
    (sp.Sum(sp.Symbol("i") * sp.Symbol("j"), (sp.Symbol("i"), 1, sp.Symbol("j")), (sp.Symbol("j"), 1, 3)), 25.0),
    (sp.Subs(sp.Derivative(sp.exp(2 * x), x, evaluate=False), x, 0), 2.0),
    (sp.Piecewise((1, sp.pi < 3), (2, sp.And(sp.pi > 3, sp.Not(sp.pi > 4))), (3, True)), 2.0),
    (sp.Float("0.5") + sp.Rational(1, 4), 0.75),
    (sp.Piecewise((1, EllipticK(sp.Rational(1, 2)) > 2), (2, sp.Or(EllipticK(sp.Rational(1, 2)) < 1, sp.true)), evaluate=False), 2.0),
    (sp.Integral(sp.sin(x) / x, (x, 0, 40)), scipy.special.sici(40)[0]),
    (sp.jacobi(2, 1, 1, sp.Rational(1, 3), evaluate=False), scipy.special.eval_jacobi(2, 1, 1, 1 / 3)),
    (sp.zeta(3), scipy.special.zeta(3)),
    (sp.KroneckerDelta(2, sp.Symbol("j")).subs(sp.Symbol("j"), 2), 1.0),
]


@pytest.mark.parametrize(("expression", "value"), ORACLES)
def test_values(expression: sp.Expr, value: float | None) -> None:
    expected = float(sp.re(expression.evalf(20))) if value is None else value
    # double precision of the oracle
    assert complex(at(expression)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_forty_digits() -> None:
    with mpmath.workdps(60):
        expected = mpmath.quad(lambda v: mpmath.ellipfun("cn", v, k=mpmath.mpf(3) / 5) ** 2, [0, 1])
    found = at(sp.Integral(cn(x, sp.Rational(3, 5)) ** 2, (x, 0, 1)), digits=50)
    assert abs(mpmath.mpf(str(found)) - expected) < 1e-14
    assert mpmath.nstr(found, 40) == mpmath.nstr(expected, 40)


@pytest.mark.parametrize(
    "expression",
    [
        1 / (x - x.func("x", real=True)),
        sp.log(0, evaluate=False),
        sp.Integral(x, x),
        sp.Function("f")(1),
        sp.Sum(1, (x, 1, 10**6)),
        sp.Symbol("q"),
    ],
)
def test_what_has_no_value_says_so(expression: sp.Basic) -> None:
    with pytest.raises(Undefined):
        Evaluator(context_of(20), {})(expression)


def test_cases_entries_and_mixed_derivatives() -> None:
    context = context_of(30)
    here = Evaluator(context, {x: 0.5, y: 0.25})
    assert here(sp.Piecewise((1, x < y), (2, sp.And(x > y, sp.Not(x > 1))), (3, True))) == 2
    assert here(sp.Piecewise((1, sp.Or(x >= 1, sp.Ne(y, sp.Rational(1, 4)))), (4, x <= 1))) == 4
    with pytest.raises(Undefined, match="case"):
        here(sp.Piecewise((1, x < y)))
    mixed = here(sp.Derivative(sp.exp(x * y), x, y, evaluate=False))
    assert abs(mixed - mpmath.exp(0.125) * 1.125) < 1e-14
    matrix = sp.MatrixSymbol("M", 2, 2)
    entries = Evaluator(context, {matrix[0, 1]: 3}, lambda entry: 5)
    assert entries(matrix[0, 1] + matrix[1, 0]) == 8
    with pytest.raises(Undefined, match="no value for"):
        Evaluator(context, {})(matrix[0, 0])
    indexed = sp.IndexedBase("p")
    with pytest.raises(Undefined, match="indexed"):
        entries(sp.Integral(x * indexed[0], (x, 0, 1)))
    with pytest.raises(Undefined, match="finite"):
        Evaluator(context, {x: context.inf})(x + 1)


def test_a_dear_integral_is_given_up() -> None:
    f = sp.Integral(sp.exp(-((x + y) ** 2) - sp.cos(x * y) ** 2), (x, -sp.oo, sp.oo), (y, -sp.oo, sp.oo))
    with pytest.raises(Undefined, match="dear"):
        at(f, digits=50)


@settings(max_examples=40, deadline=None)
@given(v=st.floats(-8, 8), m=st.floats(0.01, 0.98))
def test_jacobi_functions_against_scipy(v: float, m: float) -> None:
    expected = scipy.special.ellipj(v, m**2)
    for function, value in zip((sn, cn, dn), expected, strict=False):
        # SciPy's own accuracy
        assert float(function(sp.Float(v, 20), sp.Float(m, 20)).evalf(18)) == pytest.approx(value, abs=2e-9)


@pytest.mark.parametrize("digits", [15, 40, 90])
@pytest.mark.parametrize("modulus", ["1e-7", "0.3", "0.97", "0.99999999"])
def test_jacobi_functions_against_mpmath(digits: int, modulus: str) -> None:
    context, more = context_of(digits), context_of(digits + 25)
    for place in ("-7.3", "-0.01", "0.6", "5"):
        v, m = context.mpf(place), context.mpf(modulus)
        for function in (sn, cn, dn):
            expected = more.ellipfun(function.__name__, more.mpf(v), k=more.mpf(m))
            assert abs(more.mpf(function.mp_value(context, v, m)) - expected) < 10 * more.mpf(10) ** -digits


def test_jacobi_functions_beyond_the_real_moduli() -> None:
    context = context_of(30)
    for v, m in ((0.7, 0), (0.7, 1), (0.7, 1.5), (0.7 + 0.2j, 0.5)):
        place, modulus = context.mpmathify(v), context.mpmathify(m)
        assert sn.mp_value(context, place, modulus) == context.ellipfun("sn", place, k=modulus)


class counted(sp.Function):  # type: ignore[misc]
    """Its argument; it counts how often it was asked."""

    asked = 0

    @staticmethod
    def mp_value(context: mpmath.MPContext, value: object) -> object:
        counted.asked += 1
        return context.mpf(value)


def test_what_stays_the_same_in_an_integrand_is_found_once() -> None:
    counted.asked = 0
    point = Evaluator(context_of(40), {u: 3.0, k: 0.5})
    assert abs(point(sp.Integral(counted(u) * sp.exp(x), (x, 0, 1))) - 3 * (point(sp.E) - 1)) < 1e-38
    assert counted.asked == 1
    inner = sp.Sum(x**y * u**y, (y, 0, 1))  # the bound y is no part that stays the same
    assert abs(point(sp.Integral(inner, (x, 0, 2))) - (2 + 3 * 2)) < 1e-38
    never = sp.Piecewise((1 / (u - 3), x > 5), (x, True))  # a part without a value in a branch that does not apply
    assert abs(point(sp.Integral(never, (x, 0, 1))) - 0.5) < 1e-38


def test_derivatives_of_special_functions() -> None:
    for function in (sn(u, k), cn(u, k), dn(u, k)):
        slope = function.diff(u)
        found = at(slope.subs({u: sp.Rational(4, 5), k: sp.Rational(3, 5)}))
        step = at(sp.Subs(sp.Derivative(function.subs(k, sp.Rational(3, 5)), u, evaluate=False), u, sp.Rational(4, 5)))
        assert abs(found - step) < 1e-30
        assert function.diff(k).has(sp.Derivative) or function.diff(k).has(sp.Subs)
    for integral in (EllipticK(k), EllipticE(k)):
        step = Evaluator(context_of(40), {k: 0.3})(sp.Derivative(integral, k, evaluate=False))
        assert abs(Evaluator(context_of(40), {k: 0.3})(integral.diff(k)) - step) < 1e-30


def test_special_values() -> None:
    assert (sn(0, k), cn(0, k), dn(0, k), sn(u, 0), cn(u, 0), dn(u, 0)) == (0, 1, 1, sp.sin(u), sp.cos(u), 1)
    assert (sn(EllipticK(k), k), cn(EllipticK(k), k), EllipticK(0), EllipticE(0)) == (1, 0, sp.pi / 2, sp.pi / 2)
    assert EllipticK(k).rewrite(sp.elliptic_k) == sp.elliptic_k(k**2)
    assert sn(x, y).is_real
    assert EllipticK(sp.Rational(1, 2)).is_positive
    assert bessel_zero(0, 1).is_positive
    assert sn(u, k).evalf() == sn(u, k)
    assert str(EllipticK(k)) == "K(k)"
    assert sp.latex(bessel_zero(0, 1) ** 2) == "j_{0, 1}^{2}"


@pytest.mark.parametrize(
    "facts",
    [{name: True} for name in ("positive", "negative", "nonnegative", "nonpositive", "real", "imaginary", "integer", "even", "prime")]
    + [{"integer": True, "positive": True}, {"odd": True, "negative": True}, {}],
)  # fmt: skip
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_points_obey_assumptions(facts: dict[str, bool], seed: int) -> None:
    symbol = sp.Symbol("q", **facts)
    value = draw(symbol, None, random.Random(seed))
    assert admissible(symbol, value, None)
    number = sp.sympify(value)
    for fact in facts:
        assert getattr(number, f"is_{fact}")


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), low=st.integers(-20, 20), width=st.integers(1, 9))
def test_points_obey_intervals_and_relations(seed: int, low: int, width: int) -> None:
    interval = (sp.Integer(low), sp.Integer(low + width))
    integer = sp.Symbol("m", integer=True)
    assert low <= draw(x, interval, random.Random(seed)) <= low + width
    assert draw(integer, interval, random.Random(seed)) in range(low, low + width + 1)
    sampling = Sampling(domain=((x, interval), (y, interval)), where=(x < y,))
    scheme = plan([x + y], [], [], sampling)
    base = scheme.point(random.Random(seed), context_of(20))
    assert base is not None
    assert low <= base[0][x] < base[0][y] <= low + width


def test_same_seed_same_point() -> None:
    assert draw(x, None, random.Random(5)) == draw(x, None, random.Random(5)) != draw(x, None, random.Random(6))


def test_no_integer_in_the_interval() -> None:
    with pytest.raises(ValueError, match="no integer"):
        draw(sp.Symbol("m", integer=True, positive=True), (sp.Integer(-3), sp.Integer(-1)), random.Random(0))


@pytest.mark.parametrize("facts", [{"positive": True}, {"negative": True}, {"real": True}, {}])
def test_random_functions_obey_assumptions(facts: dict[str, bool]) -> None:
    f = sp.Function("f", **facts)(x, y)
    body = random_function(f, None, random.Random(3))
    for point in ((0.3, -2.0), (1.7, 2.2), (-1.1, 0.4)):
        value = complex(body(*[sp.Float(p) for p in point]))
        assert facts != {"positive": True} or value.real > 0
        assert facts != {"negative": True} or value.real < 0
        assert bool(facts) == (value.imag == 0)
    inside = random_function(f, (sp.Integer(2), sp.Integer(3)), random.Random(3))
    assert all(2 <= float(inside(sp.Float(p), sp.Float(-p))) <= 3 for p in (-3, 0, 1, 8))


def test_functions_are_the_same_on_both_sides() -> None:
    f = sp.Function("f", real=True)
    left, right = substitute_functions([f(x).diff(x), f(x)], Sampling(domain=((f(x), (sp.Integer(0), sp.Integer(1))),)), random.Random(1))
    assert sp.simplify(right.diff(x) - left) == 0


def test_settle_leaves_integrals_alone() -> None:
    integral = sp.Integral(sp.exp(-(x**2) * y), (x, 0, sp.oo))
    assert settle(integral + sp.Derivative(x**2, x, evaluate=False)) == integral + 2 * x


def test_prolongation_adds_derivatives_of_premises() -> None:
    f = sp.Function("f", real=True)(s)
    grown = prolong([f.diff(s) ** 2 - 1], [f.diff(s, 3)])
    assert len(grown) == 3
    assert grown[1] == 2 * f.diff(s) * f.diff(s, 2)


def test_premises_solved_as_polynomials_and_by_search() -> None:
    a, b = sp.symbols("a b", positive=True)
    sampling = Sampling()
    assert check_identity(Identity(a**4, (1 - b**2) ** 2, premises=(a**2 + b**2 - 1,)), sampling).kind == "symbolic"
    assert check_identity(Identity(sp.log(a), -a * b, premises=(sp.log(a) + a * b,), solving=(b,)), sampling).kind == "symbolic"
    wave = Identity(sp.cos(a) ** 2, a**2 * b**2, premises=(sp.cos(a) - a * b * (1 + 0 * b),), solving=(a,))
    assert check_identity(wave, sampling).kind in ("symbolic", "digits")
    search = Identity(sp.exp(-a), a, premises=(a * sp.exp(a) - 1,))
    assert check_identity(search, sampling).kind in ("symbolic", "digits")
    assert check_identity(Identity(sp.exp(-a), a / 2, premises=(a * sp.exp(a) - 1,)), sampling).kind == "false"
    with pytest.raises(ValueError, match="solving"):
        plan([a], [sp.Integer(1) + 0 * a], [], sampling)


def test_premises_that_no_point_obeys_are_undecided() -> None:
    a = sp.Symbol("a", positive=True)
    verdict = check_identity(Identity(a, 2 * a, premises=(a + 1,)), Sampling())
    assert verdict.kind == "undecided"


def test_a_small_error_beyond_the_spot_check_is_found() -> None:
    """Sixteen digits agree; double precision would have let it pass."""
    near = Identity(sp.sin(x) ** 2, 1 - sp.cos(x) ** 2 + sp.Rational(1, 10**16))
    assert check_identity(near, Sampling()).kind == "false"


def test_budget_ends_endless_work_in_any_thread() -> None:
    def endless() -> int:
        total = 0
        while True:
            total = max(total, sum(divmod(total, 7)), (lambda: total)())

    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(bounded(5_000, 30.0, endless))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert results == [None, None, None]
    assert bounded(10**9, 0.2, endless) is None
    assert bounded(100, 1.0, int, "no number") is None
    assert bounded(100, 1.0, int, "7") == 7


def test_hard_claims_do_not_hang() -> None:
    hard = sp.sqrt(sum(sp.sqrt(x**2 + sp.Rational(i, 7)) for i in range(1, 9))) - sp.log(2 + sp.cos(x)) ** sp.Rational(1, 3)
    start = time.monotonic()
    assert check_identity(Identity(hard, hard + x * sp.Rational(1, 10**6)), Sampling()).kind == "false"
    assert not vanishes(hard)
    assert time.monotonic() - start < 120  # far above the budget: only a hang fails here


def test_symbolic_proofs_need_their_assumptions() -> None:
    positive, any_sign = sp.Symbol("p", positive=True), sp.Symbol("r", real=True)
    assert vanishes(sp.sqrt(positive**2) - positive)
    assert not vanishes(sp.sqrt(any_sign**2) - any_sign)
    inside = Sampling(domain=((any_sign, (sp.Integer(1), sp.Integer(2))),))
    assert check_identity(Identity(sp.sqrt(any_sign**2), any_sign), inside).kind == "symbolic"
    assert check_identity(Identity(sp.sqrt(any_sign**2), any_sign), Sampling()).kind == "false"
    below = Sampling(domain=((any_sign, (sp.Integer(-2), sp.Integer(-1))),))
    assert check_identity(Identity(sp.sqrt(any_sign**2), -any_sign), below).kind == "symbolic"


def test_relations_of_special_functions() -> None:
    assert vanishes(sn(u, k) ** 4 - (1 - cn(u, k) ** 2) ** 2)
    assert vanishes(dn(u, k) ** 2 - cn(u, k) ** 2 - (1 - k**2) * sn(u, k) ** 2)
    assert vanishes(sp.besselj(0, u) + sp.besselj(2, u) - 2 * sp.besselj(1, u) / u)
    order = sp.Symbol("nu", positive=True)
    ode = u**2 * sp.besselj(order, u).diff(u, 2) + u * sp.besselj(order, u).diff(u) + (u**2 - order**2) * sp.besselj(order, u)
    assert vanishes(ode)
    assert not vanishes(ode + sp.besselj(order + 1, u))
    assert vanishes(k**u * sp.sqrt(k) * k ** (u / 2) - k ** (3 * u / 2 + sp.S.Half))
    assert vanishes((1 - k ** (-u / 2)) * (1 + k ** (-u / 2)) * k**u - k**u + 1)
    assert not vanishes(k**u * k ** (u / 2) - k ** (5 * u / 2))
    assert vanishes(sp.sin(u) ** 4 - sp.cos(u) ** 4 - sp.sin(u) ** 2 + sp.cos(u) ** 2)
    assert vanishes(sp.cosh(u) ** 2 - sp.sinh(u) ** 2 - 1)
    assert vanishes(sp.besselj(0, bessel_zero(0, 3)) * u)
    assert not vanishes(sn(u, k) ** 2 + cn(u, k) ** 2 - 2)
    assert not vanishes(sp.besselj(1, bessel_zero(0, 3)))
