"""The derivations of the skipping rope: all hold, and their formulae give the chapter's oracles."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp

from kexue.derivation import Derivation
from kexue.mathematics.rope_curve_derivations import DERIVATIONS

K_OF_TWO = sp.Float("0.7239868281104244", 20)


def value(d: Derivation, name: str) -> sp.Expr:
    return next(step for step in d.steps if step.name == name).value


def maker(name: str) -> Derivation:
    return next(make for make in DERIVATIONS if make.__name__ == name)()


@pytest.mark.parametrize("make", DERIVATIONS, ids=lambda make: make.__name__)
def test_every_step_holds(make: Callable[[], Derivation]) -> None:
    d = make()
    report = d.verify()
    assert d.name == make.__name__
    assert len(report.verdicts) == len(d.steps)
    assert report.digits is None or report.digits >= 30
    assert make().verify().verdicts == report.verdicts
    assert all(verdict.kind in ("given", "symbolic", "digits", "refuted") for verdict in report.verdicts)


def test_numbers_of_the_troposkein() -> None:
    d = maker("troposkein")
    k = sp.Symbol("k", positive=True)

    def at(name: str, modulus: object) -> float:
        return float(value(d, name).subs(k, modulus).evalf(20))

    # oracles to the digits that were given
    assert at("length-ratio", K_OF_TWO) == pytest.approx(2, abs=1e-14)
    assert at("radius", K_OF_TWO) == pytest.approx(0.8114138298103436, abs=1e-14)
    assert at("end-slope", K_OF_TWO) == pytest.approx(3.042964664665711, abs=1e-13)
    assert at("inertia-ratio", K_OF_TWO) == pytest.approx(0.538546, abs=5e-7)
    assert at("end-tension", sp.Rational(7, 10)) == pytest.approx(2.9215686274509807, abs=1e-14)
    oracles = {
        3: (0.20501266291598536, 1.0977353051765593),
        7: (0.7436492835846457, 1.880389806433234),
        9: (2.0770620660860497, 4.408194447283366),
    }
    for tenths, (radius, length) in oracles.items():
        assert at("radius", sp.Rational(tenths, 10)) == pytest.approx(radius, rel=1e-14)
        assert at("length-ratio", sp.Rational(tenths, 10)) == pytest.approx(length, rel=1e-14)


@pytest.mark.parametrize(("n", "speed"), [(1, 1.2024), (2, 2.7600), (3, 4.3269)])
def test_thresholds(n: int, speed: float) -> None:
    formula = value(maker("pole_rope"), "thresholds")
    point = {s: 1 for s in formula.free_symbols if s.name in ("g", "L")} | {s: n for s in formula.free_symbols if s.name == "n"}
    assert float(formula.subs(point).evalf(15)) == pytest.approx(speed, abs=5e-5)


def test_what_the_post_got_wrong_is_refuted() -> None:
    refuted = {d.name: [s for s in d.steps if s.rule == "refutes"] for d in (make() for make in DERIVATIONS)}
    assert {name: len(steps) for name, steps in refuted.items() if steps} == {"catenary": 2, "quartic": 2, "posted_code": 1}
    assert all("6784" in step.source for steps in refuted.values() for step in steps)


def test_residual_of_the_posted_picture() -> None:
    """At (1, 0) with omega = 2 and g = 3 the program's curve misses the equation across by -7."""
    residual = value(maker("posted_code"), "residual")
    point = {f: 1 for f in residual.atoms(sp.core.function.AppliedUndef)}
    point |= {symbol: {"omega": 2, "g": 3}.get(symbol.name, 0) for symbol in residual.free_symbols}
    assert residual.subs(point) == -7
