"""Every rule accepts what is true and refuses what is false, and the error says where and why."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from sympy.stats import Bernoulli, Die, Exponential, Normal, Poisson

from kexue.derivation import Derivation, DerivationError, EllipticK, cn, sn
from kexue.derivation.chain import Report

a, b, t = sp.symbols("a b t", positive=True)
x, y, s = sp.symbols("x y s", real=True)
k = sp.Symbol("k", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
X, Y = (sp.Function(name, real=True) for name in ("x", "y"))


def build(**options: object) -> Derivation:
    return Derivation("trial", domain={k: (0.1, 0.9)}, **options)  # type: ignore[arg-type]


def kinds(d: Derivation) -> list[str]:
    return [verdict.kind for verdict in d.verify().verdicts]


def refused(d: Derivation) -> DerivationError:
    with pytest.raises(DerivationError) as caught:
        d.verify()
    return caught.value


def test_equal_follows_the_step_before_or_another() -> None:
    d = build()
    first = d.given((x + y) ** 2, "a square")
    d.equal(x**2 + 2 * x * y + y**2, "expand")
    d.equal((-x - y) ** 2, "the same with both signs changed", to=first)
    assert kinds(d) == ["given", "symbolic", "symbolic"]


def test_error_names_step_sides_and_point() -> None:
    d = build()
    d.given((x + y) ** 2, "a square")
    d.equal(x**2 + x * y + y**2, "a factor is lost", name="expanded")
    error = refused(d)
    text = str(error)
    assert error.step.number == 2
    assert error.counterexample is not None
    for part in ("trial", "step 2", "expanded", "x**2 + x*y + y**2", "(x + y)**2", "x = ", "y = ", "difference"):
        assert part in text
    point = {name: float(value) for name, value in error.counterexample.point}
    assert float(error.counterexample.difference) == pytest.approx(point["x"] * point["y"], rel=1e-4)


def test_equations_and_matrices_are_compared_part_by_part() -> None:
    d = build()
    d.given(sp.Eq(x + x * y, y - 1), "an equation")
    d.equal(sp.Eq(x * (1 + y), y - 1), "factor")
    d.given(sp.ImmutableMatrix([[1, x], [0, 1]]) ** 2, "a matrix")
    d.equal(sp.ImmutableMatrix([[1, 2 * x], [0, 1]]), "its square")
    assert kinds(d) == ["given", "symbolic", "given", "symbolic"]
    d.equal(sp.ImmutableMatrix([[1, 2 * x], [x, 1]]), "an entry is wrong")
    assert refused(d).step.number == 5
    with pytest.raises(ValueError, match="cannot equal"):
        d.equal(sp.ImmutableMatrix([[1, 2 * x]]), "wrong shape")
    with pytest.raises(ValueError, match="equation"):
        d.equal(sp.Eq(x, y), "an equation against a matrix")


@pytest.mark.parametrize(("claim", "true"), [(sp.cos(x) * sp.exp(sp.sin(x)), True), (sp.sin(x) * sp.exp(sp.cos(x)), False)])
def test_differentiates(claim: sp.Expr, true: bool) -> None:
    d = build()
    f = d.given(sp.exp(sp.sin(x)), "a function")
    d.differentiates(claim, of=f, wrt=x, reason="chain rule")
    assert kinds(d) == ["given", "symbolic"] if true else refused(d).step.number == 2


def test_second_derivative_of_an_equation() -> None:
    d = build()
    f = d.given(sp.Eq(X(s), a * s**3), "a motion")
    d.differentiates(sp.Eq(X(s).diff(s, 2), 6 * a * s), of=f, wrt=s, n=2, reason="twice")
    assert kinds(d)[-1] == "symbolic"


def test_integrates_symbolically_numerically_and_by_antiderivative() -> None:
    d = build()
    d.integrates(a**2 / 2, t, (t, 0, a), reason="a triangle")
    d.integrates(2 * EllipticK(k), 1 / sp.sqrt(1 - k**2 * sp.sin(t) ** 2), (t, 0, sp.pi), reason="the period of a pendulum")
    d.integrates(sn(a, k), cn(t, k) * sp.sqrt(1 - k**2 * sn(t, k) ** 2), (t, 0, a), reason="sn", antiderivative=sn(t, k) + 0 * t)
    found = kinds(d)
    assert found[0] == "symbolic"
    assert found[1] == "digits"
    assert d.verify().digits is not None
    assert d.verify().digits >= 30
    d.integrates(a**2 / 3, t, (t, 0, a), reason="wrong")
    assert "Integral" in str(refused(d))


def test_solves_algebra_systems_and_differential_equations() -> None:
    d = build()
    quadratic = d.given(sp.Eq(x**2, a), "a quadratic")
    d.solves({x: -sp.sqrt(a)}, of=quadratic, reason="the negative root")
    d.solves({x: (a + b) / 2, y: (a - b) / 2}, of=[sp.Eq(x + y, a), sp.Eq(x - y, b)], reason="a system")
    motion = d.given(sp.Eq(X(s).diff(s, 2), -(a**2) * X(s)), "an oscillator")
    d.solves(sp.Eq(X(s), b * sp.sin(a * s)), of=motion, conditions=[sp.Eq(X(0), 0)], reason="a sine")
    assert kinds(d) == ["given", "symbolic", "symbolic", "given", "symbolic"]
    d.solves(sp.Eq(X(s), b * sp.cos(a * s)), of=motion, conditions=[sp.Eq(X(0), 0)], reason="solves the equation, breaks the condition")
    assert refused(d).step.number == 6


def test_partial_differential_equation() -> None:
    u = sp.Function("u", real=True)
    d = build()
    heat = d.given(sp.Eq(u(x, t).diff(t), u(x, t).diff(x, 2)), "heat")
    d.solves(sp.Eq(u(x, t), sp.exp(-(x**2) / (4 * t)) / sp.sqrt(t)), of=heat, reason="a spreading bell")
    assert kinds(d)[-1] == "symbolic"
    d.solves(sp.Eq(u(x, t), sp.exp(-(x**2) / (2 * t)) / sp.sqrt(t)), of=heat, reason="a wrong width")
    assert refused(d).step.number == 3


def test_stationary() -> None:
    d = build()
    f = d.given((x - a) ** 2 + (y + b) ** 2 * (1 + x**2), "a valley")
    d.stationary({x: a, y: -b}, of=f, reason="both slopes vanish")
    assert kinds(d)[-1] == "symbolic"
    d.stationary({x: a, y: b}, of=f, wrt=[x, y], reason="a sign is wrong")
    assert refused(d).step.number == 3


@pytest.mark.parametrize(
    ("value", "of", "to", "direction", "true"),
    [
        (1, sp.sin(x) / x, 0, "+-", True),
        (2, sp.sin(x) / x, 0, "+-", False),
        (sp.pi / 2, sp.atan(1 / x), 0, "+", True),
        (sp.pi / 2, sp.atan(1 / x), 0, "+-", False),
        (sp.E, (1 + 1 / x) ** x, sp.oo, "+", True),
        (sp.oo, 1 / x**2, 0, "+-", True),
        (sp.oo, 1 / x, 0, "-", False),
        (sp.pi / 2, EllipticK(sp.sqrt(x)), 0, "+", True),
        (sp.pi, EllipticK(sp.sqrt(x)), 0, "+", False),
    ],
)
def test_limit(value: object, of: sp.Expr, to: object, direction: str, true: bool) -> None:
    d = build()
    d.limit(value, of=of, var=x, to=to, direction=direction, reason="come close")
    if true:
        assert kinds(d)[0] in ("symbolic", "digits")
    else:
        assert refused(d).counterexample is not None


def test_a_limit_that_comes_like_a_logarithm_is_left_undecided() -> None:
    d = build()
    d.limit(0, of=1 / EllipticK(k), var=k, to=1, direction="-", reason="true, but too slow to be seen")
    error = refused(d)
    assert error.counterexample is None
    assert "could not be verified" in str(error)


def test_limit_of_unknown_functions() -> None:
    d = build()
    d.limit(X(s).diff(s), of=(X(s + t) - X(s)) / t, var=t, to=0, reason="the derivative")
    assert kinds(d) == ["digits"]
    d.limit(2 * X(s).diff(s), of=(X(s + t) - X(s)) / t, var=t, to=0, reason="twice too much")
    assert refused(d).step.number == 2


def test_expands() -> None:
    d = build()
    f = d.given(sp.exp(x), "a function")
    d.expands(1 + x + x**2 / 2, of=f, var=x, order=3, reason="Taylor")
    assert kinds(d)[-1] in ("symbolic", "digits")
    d.expands(1 + x + x**2, of=f, var=x, order=3, reason="a factor is lost")
    assert refused(d).step.number == 3


def test_implied_under_algebraic_and_differential_premises() -> None:
    d = build()
    unit = d.given(sp.Eq(X(s).diff(s) ** 2 + Y(s).diff(s) ** 2, 1), "unit speed")
    d.implied(sp.Eq(X(s).diff(s) * X(s).diff(s, 2) + Y(s).diff(s) * Y(s).diff(s, 2), 0), by=[unit], reason="differentiate")
    total = d.given(sp.Eq(a + b, 1), "they sum to one")
    d.implied(sp.Eq(a**2 + b**2, 1 - 2 * a * b), by=[total], reason="square")
    d.implied(sp.Eq(sp.log(a * b), sp.log(a) + sp.log(1 - a)), by=[total], reason="logarithms")
    assert kinds(d) == ["given", "symbolic", "given", "symbolic", "symbolic"]
    d.implied(sp.Eq(X(s).diff(s) * X(s).diff(s, 2), Y(s).diff(s) * Y(s).diff(s, 2)), by=[unit], reason="a sign is wrong")
    assert refused(d).step.number == 6


def test_identity_for_every_function() -> None:
    phi = sp.Function("phi", real=True)
    curve = phi(X(s), Y(s))
    d = build()
    d.identity(sp.Eq(sp.Derivative(curve, s), curve.diff(X(s)) * X(s).diff(s) + curve.diff(Y(s)) * Y(s).diff(s)), "chain rule")
    assert kinds(d)[0] in ("symbolic", "digits")
    d.identity(sp.Eq(sp.Derivative(curve, s), curve.diff(X(s)) * X(s).diff(s)), "half of it")
    assert refused(d).step.number == 2


def test_expectations_exact_and_sampled() -> None:
    z, w, p = Normal("z", a, 1), Exponential("w", a), Poisson("p", a)
    coin, die = Bernoulli("c", k), Die("d", 6)
    d = build()
    d.expectation(a**2 + 1, of=z**2, over=z, reason="second moment")
    d.expectation(1 / a, of=z * w / a, over=[z, w], reason="independent")
    d.expectation(a**2 + a, of=p**2, over=p, reason="Poisson")
    d.expectation(k * (1 - k), of=(coin - k) ** 2, over=coin, reason="a coin")
    d.expectation(sp.Rational(7, 2), of=die, over=die, reason="a die")
    d.expectation(a**2 + 1, of=z**2, over=z, reason="sampled", monte_carlo=True, samples=20_000)
    found = d.verify().verdicts
    assert found[-1].kind == "monte carlo"
    assert found[-1].estimate is not None
    value, mean, error = found[-1].estimate
    assert abs(mean - value) <= 4.5 * error
    assert {v.kind for v in found[:-1]} <= {"symbolic", "digits"}


@pytest.mark.parametrize("sampled", [False, True])
def test_wrong_expectation(sampled: bool) -> None:
    z = Normal("z", a, b)
    d = build()
    d.expectation(a**2 + b, of=z**2, over=z, reason="a standard deviation for a variance", monte_carlo=sampled, samples=20_000)
    assert refused(d).counterexample is not None


def test_expectation_over_a_sampler() -> None:
    g = sp.Symbol("g", real=True)

    def gumbel(generator: np.random.Generator, count: int, values: object) -> np.ndarray:
        return generator.gumbel(size=count)

    d = build()
    d.expectation(sp.EulerGamma + a, of=g + a, over={g: gumbel}, reason="mean of a Gumbel", monte_carlo=True)
    d.expectation(sp.EulerGamma, of=g, over=lambda r, c, v: {g: r.gumbel(size=c)}, reason="one sampler for all", monte_carlo=True)
    assert kinds(d) == ["monte carlo", "monte carlo"]
    with pytest.raises(ValueError, match="random variable"):
        d.expectation(0, of=g, over=g, reason="no random variable")


def test_refutes_needs_a_false_statement() -> None:
    d = build()
    f = d.given((a + b) ** 2, "a square")
    d.refutes(a**2 + b**2, to=f, reason="the freshman's dream", source="folklore")
    d.refutes(sp.Eq(X(s), a * s), of=sp.Eq(X(s).diff(s), b), reason="not a solution", source="folklore")
    d.refutes(sp.Eq(a, b), by=[sp.Eq(a**2, b)], reason="not implied", source="folklore")
    report = d.verify()
    assert [v.kind for v in report.verdicts] == ["given", "refuted", "refuted", "refuted"]
    assert report.verdicts[1].counterexample is not None
    d.refutes(a**2 + 2 * a * b + b**2, to=f, reason="this one is true", source="folklore")
    assert "no counter-example" in str(refused(d))


def test_quoted_is_shown_as_quoted() -> None:
    d = build()
    d.quoted(sp.Eq(a, b), "false on purpose: nothing is checked", source="somewhere")
    assert d.summary() == "1 step: 1 quoted"
    with pytest.raises(ValueError, match="source"):
        d.quoted(a, "no source", source="")
    with pytest.raises(ValueError, match="source"):
        d.refutes(a, to=b, reason="no source", source="")


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="30"):
        Derivation("few", digits=20)
    with pytest.raises(ValueError, match="seed"):
        Derivation("none", seeds=())
    with pytest.raises(ValueError, match="empty"):
        Derivation("empty", domain={a: (2, 1)})
    d = build()
    with pytest.raises(ValueError, match="first step"):
        d.equal(a, "nothing before")
    first = d.given(a, "a start", name="start")
    with pytest.raises(ValueError, match="reason"):
        d.equal(a, " ")
    with pytest.raises(ValueError, match="two steps"):
        d.equal(a, "same name", name="start")
    with pytest.raises(ValueError, match="another derivation"):
        build().equal(a, "foreign", to=first)
    with pytest.raises(ValueError, match="evaluated"):
        d.given(sp.Eq(a, a), "trivial")
    with pytest.raises(ValueError, match="SymPy"):
        d.given(3.0, "a float")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="direction"):
        d.limit(0, of=x, var=x, to=0, direction="left", reason="no such side")
    with pytest.raises(ValueError, match="unknown = value"):
        d.solves(a, of=sp.Eq(a, b), reason="no equation")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a single equation"):
        _ = first.eq
    pair = d.solves({x: a, y: b}, of=[sp.Eq(x, a), sp.Eq(y, b)], reason="two at once")
    with pytest.raises(ValueError, match="several"):
        d.equal(a, "of what?", to=pair)
    assert len(d.steps) == 2


def test_verification_is_kept_and_repeats() -> None:
    def make() -> Derivation:
        d = build()
        d.given(sp.cos(2 * x), "start")
        d.equal(1 - 2 * sp.sin(x) ** 2, "double angle")
        d.integrates(2 * EllipticK(k), 1 / sp.sqrt(1 - k**2 * sp.sin(t) ** 2), (t, 0, sp.pi), reason="a quadrature")
        return d

    first = make()
    report = first.verify()
    assert first.verify() is report
    assert make().verify().verdicts == report.verdicts
    first.equal(2 * EllipticK(k), "one more")
    assert isinstance(first.verify(), Report)
    assert len(first.verify().verdicts) == 4


def test_premises_in_where() -> None:
    d = Derivation("simplex", where=[sp.Eq(a + b, 1), a < b])
    d.identity(sp.Eq(a**2 - b**2, a - b), "as they sum to one")
    d.identity(sp.Eq(sp.Abs(a - b), b - a), "as a is the smaller")
    assert kinds(d)[0] == "symbolic"
    assert kinds(d)[1] == "digits"


def test_integer_symbols_and_sums() -> None:
    i = sp.Symbol("i", integer=True)
    p = sp.IndexedBase("p", real=True)
    d = Derivation("sums", domain={n: (2, 8)})
    d.identity(sp.Eq(sp.Sum(i**3, (i, 1, n)), (n * (n + 1) / 2) ** 2), "cubes")
    d.identity(sp.Eq(sp.Sum((p[i] + 1) ** 2, (i, 1, n)), sp.Sum(p[i] ** 2, (i, 1, n)) + 2 * sp.Sum(p[i], (i, 1, n)) + n), "any numbers")
    assert all(kind in ("symbolic", "digits") for kind in kinds(d))
    d.identity(sp.Eq(sp.Sum((p[i] + 1) ** 2, (i, 1, n)), sp.Sum(p[i] ** 2, (i, 1, n)) + n), "a term is lost")
    assert refused(d).step.number == 3


def test_undeclared_symbols_are_complex() -> None:
    z = sp.Symbol("z")
    d = build()
    d.given(sp.sqrt(z**2), "a root")
    d.equal(z, "wrong for half of the plane")
    assert refused(d).counterexample is not None
