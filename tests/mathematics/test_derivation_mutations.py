"""The checker is checked: of the errors planted in every step of the book, all are caught."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import sympy as sp

from kexue.derivation import Derivation, bessel_zero, collect, mutate
from kexue.derivation.checks import Identity
from kexue.derivation.collecting import Collected
from kexue.derivation.mutate import KINDS, mutants, mutation_report, mutation_test
from kexue.derivation.obligations import LimitClaim
from kexue.derivation.sampling import Sampling
from kexue.derivation.second_opinion import holds

x = sp.Symbol("x", real=True)
a, b = sp.symbols("a b", positive=True)


@pytest.mark.parametrize("item", collect(), ids=lambda item: f"{item.chapter}:{item.derivation.name}")
def test_every_planted_error_is_caught(item: Collected) -> None:
    counts = mutation_test(item.derivation, most=4)
    assert counts.missed == []
    assert counts.caught + counts.equivalent == counts.planted
    checked = [s for s in item.derivation.steps if s.rule not in ("given", "quoted", "refutes")]
    assert counts.planted >= 2 * len(checked)
    assert counts.caught >= len(checked)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_all_mutants_of_the_book() -> None:
    result = mutation_report(most=None)
    assert result["missed"] == []
    assert all(result["by_error"][kind] > 100 for kind in KINDS)


def test_all_four_kinds_are_planted_and_counted() -> None:
    d = Derivation("small")
    d.given((a + b) ** 2, "a square")
    step = d.equal(a**2 + 2 * a * b + b**2, "expanded")
    statements = {m.statement for m in mutants(step, None)}
    assert {a**2 - 2 * a * b + b**2, a**2 + 4 * a * b + b**2, a**3 + 2 * a * b + b**2, a**2 + 3 * a * b + b**2} <= statements
    assert {m.error for m in mutants(step, None)} == set(KINDS)
    assert len(mutants(step, 8)) == 8
    counts = mutation_test(d, None)
    assert counts.planted == counts.caught == len(statements) == sum(counts.by_error.values())


def test_equivalent_mutants_are_recognised() -> None:
    d = Derivation("even")
    f = sp.Function("f", real=True)
    line = d.given(sp.Eq(f(x).diff(x), f(x) / x), "a linear equation")
    d.solves(sp.Eq(f(x), a * x), of=line, reason="a line, whatever its slope")
    counts = mutation_test(d, None)
    assert counts.missed == []
    assert counts.equivalent >= 2
    assert counts.caught >= 1


def test_a_blind_checker_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the checker to accept everything, the second opinion would report each mutant as missed."""
    d = Derivation("small")
    d.given((a + b) ** 2, "a square")
    d.equal(a**2 + 2 * a * b + b**2, "expanded")
    monkeypatch.setattr(mutate, "refute", lambda obligation, sampling: None)
    monkeypatch.setattr(mutate, "check", lambda obligation, sampling: type("V", (), {"kind": "symbolic"}))
    counts = mutation_test(d)
    assert counts.caught == 0
    assert len(counts.missed) == counts.planted > 10


def test_all_rules_have_mutants_that_are_caught() -> None:
    from sympy.stats import Normal

    z = Normal("z", a, b)
    d = Derivation("rules")
    d.differentiates(sp.cos(x), of=sp.sin(x), wrt=x, reason="sine")
    d.integrates(a**2 / 2, x, (x, 0, a), reason="triangle")
    d.stationary({x: a}, of=(x - a) ** 2, reason="vertex")
    d.solves({x: a, b: a + 1}, of=[sp.Eq(x, a), sp.Eq(b - x, 1)], reason="system")
    d.limit(a, of=a * sp.sin(x) / x, var=x, to=0, reason="limit")
    d.limit(sp.oo, of=a / x**2, var=x, to=0, direction="+", reason="pole")
    d.limit(a, of=a + 1 / x, var=x, to=sp.oo, reason="far")
    d.expands(a + a * x, of=a * sp.exp(x), var=x, order=2, reason="series")
    d.implied(sp.Eq(a, 2 * b), by=[sp.Eq(a / 2, b)], reason="twice")
    d.expectation(a**2 + b**2, of=z**2, over=z, reason="exact")
    d.expectation(a + 0 * b, of=z, over=z, reason="sampled", monte_carlo=True, samples=10_000)
    counts = mutation_test(d, 6)
    assert counts.missed == []
    assert counts.planted > 30


def test_report_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    d = Derivation("small")
    d.given((a + b) ** 2, "a square")
    d.equal(a**2 + 2 * a * b + b**2, "expanded")
    monkeypatch.setattr(mutate, "collect", lambda: (Collected("part.chapter", d),))
    assert mutate.main([str(tmp_path / "counts.json")]) == 0
    written = json.loads((tmp_path / "counts.json").read_text(encoding="utf-8"))
    assert written["planted"] == written["caught"] == written["chapters"]["part.chapter"]["planted"]
    assert mutate.main([]) == 0
    assert json.loads(capsys.readouterr().out) == written


X = sp.Function("x", real=True)
PHI = sp.Function("phi", positive=True)
s = sp.Symbol("s", real=True)
z = sp.Symbol("z")
n = sp.Symbol("n", integer=True, positive=True)
m = sp.Symbol("m", negative=True)

OPINIONS = [
    (Identity((a + b) ** 2, a**2 + 2 * a * b + b**2), True),
    (Identity((a + b) ** 2, a**2 + b**2), False),
    (Identity(sp.Abs(m), -m), True),
    (Identity(z * (z + n), z**2 + n * z), True),
    (Identity(sp.sqrt(z**2), z + 1), False),
    (Identity(sp.Derivative(PHI(X(s)), s), PHI(X(s)).diff(X(s)) * X(s).diff(s)), True),
    (Identity(sp.Derivative(PHI(X(s)), s), X(s).diff(s)), False),
    (Identity(X(s).diff(s, 2), -X(s), premises=(X(s).diff(s) + X(s) - X(s) + X(s).diff(s, 2) + X(s) - X(s).diff(s),)), True),
    (Identity(a**2 + b**2, 1 - 2 * a * b, premises=(a + b - 1,)), True),
    (Identity(a**2 + b**2, 1 + 2 * a * b, premises=(a + b - 1,)), False),
    (Identity(a, 2 * a, premises=(a + 1,)), False),  # no point at all: not to be called true
    (Identity(sp.Integral(x**2, (x, 0, a)), a**3 / 3), True),
    (Identity(sp.Integral(x**2, (x, 0, a)), a**2 / 3), False),
    (Identity(sp.Integral(x * s, (x, 0, 1), (s, 0, 1)), sp.Rational(1, 4)), False),  # two dimensions: no opinion
    (LimitClaim(sp.Integer(1), sp.sin(x) / x, x, sp.S.Zero, "+"), True),
    (LimitClaim(sp.Integer(2), sp.sin(x) / x, x, sp.S.Zero, "-"), False),
    (LimitClaim(sp.S.Zero, a / x, x, sp.oo, "-"), True),
    (LimitClaim(sp.oo, a / x**2, x, sp.S.Zero, "+"), True),
]


@pytest.mark.parametrize(("claim", "true"), OPINIONS)
def test_second_opinion(claim: Identity | LimitClaim, true: bool) -> None:
    sampling = Sampling(domain=((n, (sp.Integer(2), sp.Integer(5))),), where=(a < 3 * b,))
    assert holds(claim, sampling, random.Random(4)) is true


def test_second_opinion_obeys_equations_between_symbols() -> None:
    sampling = Sampling(domain=((a, (sp.Rational(1, 10), sp.Rational(1, 2))),), where=(sp.Eq(a + b, 1),))
    assert holds(Identity(a**2 - b**2, a - b), sampling, random.Random(4))
    assert not holds(Identity(a**2 - b**2, a + b), sampling, random.Random(4))


def test_a_claim_without_value_counts_as_caught() -> None:
    """A Bessel zero of negative order does not exist: such a step would stop the build as undecided."""
    d = Derivation("order", domain={a: (2, 3)})
    d.identity(sp.Eq(sp.besselj(a, bessel_zero(a, 1)), 0), "a zero")
    counts = mutation_test(d, None)
    assert counts.missed == []
    assert counts.caught >= 2
