"""The verifier, where planted errors showed that nothing looked: mostly at what a verdict costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import sympy as sp

from kexue.derivation import Derivation
from kexue.derivation.checks import Identity, _sweep
from kexue.derivation.obligations import MeanClaim, _mean
from kexue.derivation.premises import _jet_name
from kexue.derivation.sampling import Sampling

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
