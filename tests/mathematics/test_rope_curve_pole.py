"""Chapter 01, the rope on a spinning pole: Bessel thresholds, Kolodner's count, and the invariant along the rope."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import jn_zeros

from kexue.mathematics import rope_curve as rc


@pytest.mark.parametrize(("omega", "tips"), [(3.0, ()), (5.0, (0.82998,)), (9.0, (0.98521, 0.10737)), (12.0, (0.99535, 0.25729))])
def test_kolodners_count_and_free_ends(omega: float, tips: tuple[float, ...]) -> None:
    ropes = rc.pole_ropes(omega)
    assert len(ropes) == len(tips) == int(np.sum(rc.critical_speeds(5) < omega))
    np.testing.assert_allclose([rope.tip for rope in ropes], tips, atol=5e-6)  # the oracle has five digits
    assert [rope.nodes for rope in ropes] == list(range(len(tips)))


@pytest.mark.parametrize("omega", [5.0, 12.0, 25.0])
def test_force_balance_and_invariant(omega: float) -> None:
    for rope in rc.pole_ropes(omega, samples=101):
        invariant = rc.bernoulli(rope.x, rope.y, rope.tension, omega=omega, gravity=9.81)
        assert np.ptp(invariant) < 1e-9 * max(1.0, omega**2 / 100)
        assert rope.x[-1] == pytest.approx(0.0, abs=1e-11)
        assert rope.y[-1] == 0.0
        np.testing.assert_allclose(np.hypot(np.diff(rope.x), np.diff(rope.y)).sum(), 1.0, atol=2e-3)  # chords under arcs


def test_residual_of_a_pole_rope_on_an_even_grid() -> None:
    rope = rc.pole_ropes(9.0, samples=20_001)[1]
    s = np.linspace(0.05, 1.0, 1001)
    x, y, tension = (np.interp(s, rope.s, values) for values in (rope.x, rope.y, rope.tension))
    # the free end is where s = 0, so s runs upward and the horizontal pull of the lower part is -u
    left = rc.equilibrium_residual(s, x, y, tension, omega=9.0, gravity=9.81)
    assert np.abs(left).max() < 0.1  # second differences of interpolated values; the forces are of the order of 80


def test_rest_of_the_rope_carries_the_weight_below() -> None:
    rope = rc.pole_ropes(9.0)[0]
    vertical = np.sqrt(rope.tension**2 - rope.u**2)
    np.testing.assert_allclose(vertical, 9.81 * rope.s, atol=1e-5)
    moment = np.concatenate([[0], np.cumsum(0.5 * (rope.x[1:] + rope.x[:-1]) * np.diff(rope.s))])
    np.testing.assert_allclose(rope.u, 81 * moment, atol=2e-3)  # u is omega² times the first moment below, by trapezia


def test_free_end_points_along_effective_gravity() -> None:
    rope = rc.pole_ropes(5.0, samples=4001)[0]
    slope = abs((rope.x[1] - rope.x[0]) / (rope.y[1] - rope.y[0]))
    assert math.tan(rope.tip_angle) == pytest.approx(25 * rope.tip / 9.81, rel=1e-12)
    assert slope == pytest.approx(math.tan(rope.tip_angle), rel=1e-4)


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_branch_leaves_the_axis_at_the_bessel_zero(mode: int) -> None:
    assert rc.onset(mode) == pytest.approx(jn_zeros(0, mode)[-1] / 2, rel=1e-6)
    speed, tip = rc.pole_branch(mode, np.geomspace(1e-3, 20, 12))
    assert np.all(np.diff(speed) > 0)
    assert np.all(np.diff(tip) > 0)


def test_branch_and_scan_are_the_same_ropes() -> None:
    speed, tip = rc.pole_branch(2, [1.7])
    found = rc.pole_ropes(float(speed[0]), gravity=1.0)
    assert found[1].tip == pytest.approx(float(tip[0]), rel=1e-9)


def test_small_rope_is_a_bessel_function() -> None:
    rope = rc.shoot_pole(1e-6, 5.0)
    np.testing.assert_allclose(rope.x / 1e-6, rc.linear_shape(rope.s, 5.0), atol=1e-7)


@given(st.floats(3.2, 14.0), st.floats(0.0, 0.4), st.floats(0.2, 5.0))
@settings(deadline=None, max_examples=6)
def test_only_two_numbers_matter(omega: float, attach: float, length: float) -> None:
    one = rc.pole_ropes(omega, attach=attach, samples=21)
    gravity = 3.0
    other = rc.pole_ropes(omega * math.sqrt(gravity / 9.81 / length), attach=attach * length, length=length, gravity=gravity, samples=21)
    np.testing.assert_allclose([rope.tip * length for rope in one], [rope.tip for rope in other], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("omega", [1.0, 5.0, 9.0])
def test_attachment_off_the_axis(omega: float) -> None:
    ropes = rc.pole_ropes(omega, attach=0.2)
    assert len(ropes) % 2 == 1  # solutions appear in pairs
    assert all(rope.x[-1] == pytest.approx(0.2, abs=1e-11) for rope in ropes)


def test_second_call_equals_first() -> None:
    first, second = rc.pole_ropes(9.0), rc.pole_ropes(9.0)
    np.testing.assert_array_equal(first[1].x, second[1].x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rc.pole_ropes(-1.0), "omega must be positive"),
        (lambda: rc.pole_ropes(5.0, attach=1.0), "point of attachment"),
        (lambda: rc.pole_ropes(5.0, attach=-0.1), "attach must not be negative"),
        (lambda: rc.pole_ropes(5.0, gravity=0.0), "gravity must be positive"),
        (lambda: rc.pole_ropes(5.0, trials=2), "trials"),
        (lambda: rc.shoot_pole(math.inf, 5.0), "tip must be a finite"),
        (lambda: rc.shoot_pole(0.1, 1e-3), "too small to tell"),
        (lambda: rc.critical_speeds(0), "count must be at least 1"),
        (lambda: rc.linear_shape(0.5, -1.0), "omega must not be negative"),
        (lambda: rc.pole_branch(0, [0.1]), "mode must be at least 1"),
        (lambda: rc.pole_branch(1, [0.0]), "positive and finite"),
    ],
)
def test_refuses(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_vectorised_scan_agrees_with_the_accurate_integrator() -> None:
    p = np.array([0.3, 2.0, 9.0])
    sigma = 8.0
    end = rc.scan_pole(p, sigma)
    x, y = rc.trace_pole(p, np.full(3, sigma), 11, every=40)
    for i, q in enumerate(p):
        rope = rc.shoot_pole(q / sigma, 1.0, gravity=1 / sigma, samples=11)  # unit length, so that g/omega² is 1/sigma
        assert end[i] / sigma == pytest.approx(rope.x[-1], abs=1e-8)
        np.testing.assert_allclose(x[i] / sigma, rope.x, atol=1e-6)
        np.testing.assert_allclose(y[i] / sigma, rope.y, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rc.scan_pole([0.1], 0.0), "positive and finite"),
        (lambda: rc.scan_pole([math.nan], 1.0), "must be finite"),
        (lambda: rc.scan_pole([0.1, 0.2], [1.0, 2.0, 3.0]), r"got \(2,\) and \(3,\)"),
        (lambda: rc.scan_pole([0.1], 1.0, steps=0), "steps must be at least 1"),
        (lambda: rc.trace_pole([0.1], 1.0, 1), "points must be at least 2"),
        (lambda: rc.trace_pole([0.1], 1.0, 3, every=0), "every must be at least 1"),
    ],
)
def test_scan_refuses(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
