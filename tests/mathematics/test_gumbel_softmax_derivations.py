"""Each derivation of the chapter holds, and the equations of the text are the ones that were proved."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp

from kexue.derivation import Derivation, DerivationError
from kexue.mathematics import gumbel_softmax_derivations as derivations


@pytest.mark.parametrize("build", derivations.DERIVATIONS, ids=lambda f: f.__name__)
def test_every_step_is_verified(build: Callable[[], Derivation]) -> None:
    report = build().verify()
    assert set(report.kinds) <= {"symbolic", "digits"}
    assert report.digits is None or report.digits >= 30


def test_names_are_unique() -> None:
    names = [build().name for build in derivations.DERIVATIONS]
    assert len(set(names)) == len(names) == 12


def test_a_wrong_constant_in_the_temperature_law_is_caught() -> None:
    good = derivations.temperature_law().steps[-1]
    d = Derivation("wrong", "Wrong")
    v = next(s for s in good.statement.free_symbols | {sp.Symbol("v", positive=True)} if s.name == "v")
    a = sp.Symbol("a", real=True)
    exact = sp.exp(a) / (1 + sp.exp(a)) ** 2
    d.integrates(exact / 5, v * (1 - v) * exact, (v, 0, 1), reason="a fifth for a sixth")
    with pytest.raises(DerivationError, match="is false"):
        d.verify()


def test_the_proved_variances_are_those_of_the_library() -> None:
    from kexue.mathematics.gumbel_softmax_laws import score_function_variance, square_best_baseline

    steps = {step.name: step for step in derivations.square_variances().steps}
    values = {"mu": 0.7, "s": 1.3}

    def number(name: str) -> float:
        value = steps[name].value
        return float(value.subs({symbol: values[symbol.name] for symbol in value.free_symbols}))

    assert number("plain") == pytest.approx(score_function_variance(0.7, 1.3), rel=1e-12)
    assert number("with-best") == pytest.approx(score_function_variance(0.7, 1.3, square_best_baseline(0.7, 1.3)), rel=1e-12)
    assert number("best-baseline") == pytest.approx(square_best_baseline(0.7, 1.3), rel=1e-12)
