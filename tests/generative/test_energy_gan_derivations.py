"""Each derivation of the chapter holds, and its formulae are those of the code."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp

from kexue.derivation import Derivation
from kexue.generative import energy_gan_derivations as derivations
from kexue.generative.energy_gan_entropy import best_width, overshoot_threshold


def value(d: Derivation, name: str, **numbers: float) -> float:
    found = next(step for step in d.steps if step.name == name).value
    return float(found.subs({symbol: numbers[symbol.name] for symbol in found.free_symbols}))


@pytest.mark.parametrize("build", derivations.DERIVATIONS, ids=lambda f: f.__name__)
def test_every_step_is_verified(build: Callable[[], Derivation]) -> None:
    report = build().verify()
    assert set(report.kinds) <= {"given", "symbolic", "digits", "refuted"}
    assert report.kinds["symbolic"] >= 2


def test_names_are_unique() -> None:
    names = [build().name for build in derivations.DERIVATIONS]
    assert len(set(names)) == len(names) == 12


def test_code_and_proofs_agree() -> None:
    v = value(derivations.noise_and_width(), "optimum", nu=0.5, s=1.3, w=2.0)
    assert best_width("substitute", 1.3, weight=2.0, noise=0.5) ** 2 == pytest.approx(v - 0.25)
    assert overshoot_threshold(0.3) == pytest.approx(value(derivations.heavy_ball(), "threshold", c=0.3))
    assert value(derivations.mala_ratio(), "law-printed", epsilon=0.5) == pytest.approx(3 / 8)
    assert value(derivations.langevin_bias(), "fixed-point", epsilon=0.5) == pytest.approx(8 / 7)


def test_what_the_sources_got_wrong_is_refuted() -> None:
    refuted = {d.name: [s for s in d.steps if s.rule == "refutes"] for d in (build() for build in derivations.DERIVATIONS)}
    assert {name: len(steps) for name, steps in refuted.items() if steps} == {"noise-and-width": 1, "mala-ratio": 1}
    assert all("6331" in step.source for steps in refuted.values() for step in steps)


def test_interpolates_of_two_atoms() -> None:
    d = derivations.two_atoms()
    assert value(d, "value", a=3.0, **{"lambda": 0.5}) == pytest.approx(-4.5)
    assert next(step for step in d.steps if step.name == "unbounded").value == -sp.oo
