"""Each derivation of the chapter holds, and what was proved is what the library computes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp

from kexue.derivation import Derivation, DerivationError
from kexue.mathematics import activations, activations_depth
from kexue.mathematics import activations_derivations as derivations


@pytest.mark.parametrize("build", derivations.DERIVATIONS, ids=lambda f: f.__name__)
def test_every_step_is_verified(build: Callable[[], Derivation]) -> None:
    report = build().verify()
    allowed = {"criticality": {"given", "symbolic"}, "forgetting": {"quoted", "symbolic", "digits"}}
    assert set(report.kinds) <= allowed.get(report.name, {"symbolic", "digits"})
    assert report.digits is None or report.digits >= 30


def test_names_are_unique() -> None:
    names = [build().name for build in derivations.DERIVATIONS]
    assert len(set(names)) == len(names) == 11


def test_the_proved_moments_are_those_of_the_library() -> None:
    steps = {step.name: step for step in derivations.su_moments().steps}
    closed = activations.su_moments()
    for name, value in (("mean", closed.mean), ("square", closed.square), ("slope", closed.slope), ("slope-square", closed.slope_square)):
        assert float(steps[name].statement.rhs) == pytest.approx(value, rel=1e-13)


def test_the_proved_critical_start_is_that_of_the_library() -> None:
    solution = next(s for s in derivations.criticality().steps if s.name == "solution").statement
    m = activations.moments("swish")
    values = {"A": m.square, "B": m.slope_square, "q": 1.0}
    weight, bias = (float(e.rhs.subs({s: values[s.name] for s in e.rhs.free_symbols})) for e in solution)
    assert (weight, bias) == pytest.approx(activations_depth.critical_init("swish"), rel=1e-13)


def test_a_wrong_depth_of_the_dip_is_caught() -> None:
    d = Derivation("wrong", "Wrong")
    x = sp.Symbol("x", real=True)
    d.equal(-sp.exp(-2), to=(x * sp.exp(x)).subs(x, -1), reason="a wrong power")
    with pytest.raises(DerivationError, match="is false"):
        d.verify()
