"""Chapter 01, closed forms, shooting and fits: oracles of the literature, limits, and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ellipe, ellipk

from kexue.mathematics import rope_curve as rc

RATIOS = st.floats(1.001, 50.0)


# --- oracles -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "k", "apex"),
    [
        (2.0, 0.7239868281104244, 0.8114138298103436),
        (math.pi / 2, 0.614479966347031, 0.5602108228048167),
        (1.0977353051765593, 0.3, 0.20501266291598536),
        (1.880389806433234, 0.7, 0.7436492835846457),
        (4.408194447283366, 0.9, 2.0770620660860497),
    ],
)
def test_known_shapes(ratio: float, k: float, apex: float) -> None:
    rope = rc.troposkein(ratio)
    assert rope.k == pytest.approx(k, rel=2e-14)  # the numbers are given to 16 digits
    assert rope.apex == pytest.approx(apex, rel=2e-14)
    assert rc.troposkein_modulus(ratio) == rope.k


def test_known_quantities_at_twice_the_span() -> None:
    rope = rc.troposkein(2.0)
    assert rope.end_slope == pytest.approx(3.042964664665711, rel=1e-14)
    assert rope.moment == pytest.approx(0.538546, abs=5e-7)
    assert rope.end_angle == pytest.approx(math.atan(3.042964664665711), rel=1e-14)


def test_tension_ratio_at_modulus_seven_tenths() -> None:
    rope = rc.troposkein(1.880389806433234)
    assert rope.end_tension(3.0) / rope.axial_tension(3.0) == pytest.approx(2.9215686274509807, rel=1e-13)


@pytest.mark.parametrize("ratio", [1.02, 1.5, 3.0, 8.0])
def test_length_and_moment_by_quadrature(ratio: float) -> None:
    rope = rc.troposkein(ratio)
    h = rope.axial_tension()

    def stretch(y: float) -> float:  # ds/dy = T / H, from the force balance, not from the closed form of the length
        return float(rope.tension(rope.x(y))) / h

    assert quad(stretch, 0, 1, epsabs=1e-12)[0] == pytest.approx(ratio, rel=1e-11)
    assert quad(lambda y: stretch(y) * float(rope.x(y)) ** 2, 0, 1, epsabs=1e-12)[0] == pytest.approx(rope.moment, rel=1e-10)


@pytest.mark.parametrize("ratio", [1.05, 2.0, 4.0])
def test_slope_obeys_the_quartic(ratio: float) -> None:
    rope, y, h = rc.troposkein(ratio), np.linspace(0.01, 0.99, 41), 1e-5
    slope = (rope.x(y + h) - rope.x(y - h)) / (2 * h)
    quartic = (rope.apex**2 - rope.x(y) ** 2) * (rope.reach**2 - rope.x(y) ** 2) / (4 * rope.axial_tension() ** 2)
    np.testing.assert_allclose(slope**2, quartic, rtol=0, atol=1e-7 * rope.end_slope**2)  # differences: h² times the third derivative


def test_force_balance_of_the_closed_form() -> None:
    rope = rc.troposkein(2.0)
    s = np.linspace(0, 2.0, 4001)
    x, y = rope.at_arclength(s)
    left = rc.equilibrium_residual(s, x, y, rope.tension(x, 3.0), omega=3.0)
    assert np.abs(left).max() < 5e-5  # central differences with step 5e-4
    wrong = rc.equilibrium_residual(s, x, y, rope.tension(x, 3.0) - 1.0, omega=3.0)
    assert np.abs(wrong).max() > 0.5  # the residual sees a missing multiplier


@pytest.mark.parametrize("lobes", [1, 2])
@pytest.mark.parametrize("ratio", [1.05, 2.0, 6.0])
def test_shooting_equals_the_closed_form(ratio: float, lobes: int) -> None:
    curve = rc.shoot_troposkein(2 * ratio, 2.0, omega=3.0, lobes=lobes, samples=101)
    rope = rc.troposkein(2 * ratio / lobes, 2.0 / lobes)
    first = curve.s <= rope.length
    x, y = rope.at_arclength(curve.s[first])
    np.testing.assert_allclose(curve.x[first], x, atol=1e-9)
    np.testing.assert_allclose(curve.y[first], y, atol=1e-9)
    np.testing.assert_allclose(curve.tension[first], rope.tension(x, 3.0), rtol=1e-9)
    assert np.ptp(rc.bernoulli(curve.x, curve.y, curve.tension, omega=3.0)) < 1e-8 * curve.tension[0]


def test_shooting_twice_is_the_same() -> None:
    first, second = (rc.shoot_troposkein(1.7) for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)


def test_shooting_says_when_it_is_lost() -> None:
    with pytest.raises(RuntimeError, match="lost its way"):
        rc.shooting._aim(np.array([1e3, -1e3]), 2.0, 1.0, 1e-7)


# --- the catenary --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1 + 1e-9, 1.05, 2.0, 1e4])
def test_catenary_has_its_length(ratio: float) -> None:
    a = rc.catenary_parameter(3 * ratio, 3.0)
    assert 2 * a * math.sinh(1.5 / a) == pytest.approx(3 * ratio, rel=1e-12)


def test_catenary_is_the_rope_at_rest() -> None:
    a = rc.catenary_parameter(2.0, 1.0)
    # a rope through its lowest point with horizontal tension g a, followed by the general integrator with omega = 0
    half = rc.integrate_rope((0.0, a), (9.81 * a, 0.0), 1.0, omega=0.0, gravity=9.81, samples=50)
    np.testing.assert_allclose(half.y, rc.catenary(half.x, 2.0, 1.0), rtol=1e-10)
    np.testing.assert_allclose(half.tension, 9.81 * half.y, rtol=1e-9)
    assert half.x[-1] == pytest.approx(0.5, abs=1e-10)


# --- the post ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_posted_curve_is_not_in_equilibrium(constant: float) -> None:
    posted = rc.posted_curve(constant=constant)
    phi = 2 * posted.x**2 - 3 * posted.y
    left = rc.equilibrium_residual(posted.s, posted.x, posted.y, -phi, omega=2.0, gravity=3.0)
    assert np.abs(left[0]).min() > 6  # a force of the order of omega² x itself
    assert phi[0] == 2.0  # so the tension at the start is -2: compression
    mended = rc.posted_curve(constant=constant, swapped=False)
    phi = 2 * mended.x**2 - 3 * mended.y
    left = rc.equilibrium_residual(mended.s, mended.x, mended.y, -phi, omega=2.0, gravity=3.0)
    assert np.abs(left).max() < 5e-4
    np.testing.assert_allclose(np.hypot(mended.u, mended.v), phi, rtol=1e-10)


# --- fits ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "ratio", "percent"),
    [
        *[("sine", 1.05, 0.5), ("sine", 1.1, 0.9), ("sine", 1.5, 4.0), ("sine", 2, 7.0), ("sine", 3, 11)],
        *[("parabola", 1.1, 4.7), ("parabola", 1.5, 2.1), ("parabola", 2, 1.9), ("parabola", 3, 5.8)],
    ],
)
def test_errors_of_simple_curves(kind: str, ratio: float, percent: float) -> None:
    digits = 0 if percent > 10 else 1
    assert round(100 * rc.fit_error(kind, ratio) + 1e-9, digits) == pytest.approx(percent, abs=0.051)


@pytest.mark.parametrize("ratio", [1.05, 1.5, 2.0, 4.0])
def test_best_cubic_beats_the_parabola_it_contains(ratio: float) -> None:
    assert rc.fit_error("cubic", ratio) < rc.fit_error("parabola", ratio)
    assert rc.fit_error("cubic", ratio) < 0.0130


@pytest.mark.parametrize("kind", rc.FITS)
def test_stand_ins_have_height_one_and_meet_the_axis(kind: str) -> None:
    np.testing.assert_allclose(rc.stand_in(kind, [0.0, 0.5, 1.0], 2.7), [0.0, 1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(rc.stand_in(kind, [0.2, 0.3]), rc.stand_in(kind, [0.8, 0.7]), rtol=1e-13)


@pytest.mark.parametrize("kind", ["sine", "parabola"])
def test_apex_of_length_reproduces_the_length(kind: str) -> None:
    a = rc.apex_of_length(kind, 2.0)
    t = np.linspace(0, 1, 200_001)
    x = a * rc.stand_in(kind, t)
    assert np.hypot(np.diff(t), np.diff(x)).sum() == pytest.approx(2.0, abs=1e-8)


# --- properties ----------------------------------------------------------------------------------------------------------------------


@given(RATIOS)
@settings(deadline=None, max_examples=40)
def test_length_of_the_modulus_is_the_length_asked_for(ratio: float) -> None:
    k = rc.troposkein_modulus(ratio)
    m = k * k
    assert 2 * ellipe(m) / ((1 - m) * ellipk(m)) - 1 == pytest.approx(ratio, rel=1e-10)


@given(RATIOS, st.floats(0.01, 100.0), st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=40)
def test_shape_is_scale_free(ratio: float, span: float, t: float) -> None:
    large, small = rc.troposkein(ratio * span, span), rc.troposkein(ratio, 1.0)
    assert float(large.x(t * span)) == pytest.approx(span * float(small.x(t)), rel=1e-7, abs=1e-9 * span)
    assert large.moment == pytest.approx(span**3 * small.moment, rel=1e-9)


@given(RATIOS, st.floats(0.1, 20.0))
@settings(deadline=None, max_examples=25)
def test_tension_goes_with_the_square_of_the_speed(ratio: float, omega: float) -> None:
    rope = rc.troposkein(ratio)
    x = rope.x([0.0, 0.2, 0.5])
    np.testing.assert_allclose(rope.tension(x, 3 * omega), 9 * rope.tension(x, omega), rtol=1e-12)
    assert rope.tension(rope.apex, omega) == pytest.approx(rope.axial_tension(omega), rel=1e-6)  # at the apex the rope is axial


@given(st.floats(1.02, 2.0), st.floats(0.5, 5.0))
@settings(deadline=None, max_examples=5)
def test_shape_does_not_depend_on_the_speed(ratio: float, omega: float) -> None:
    slow, fast = (rc.shoot_troposkein(ratio, omega=w, samples=21) for w in (omega, 3 * omega))
    np.testing.assert_allclose(slow.x, fast.x, atol=1e-7)
    np.testing.assert_allclose(9 * slow.tension, fast.tension, rtol=1e-7)


@given(RATIOS)
@settings(deadline=None, max_examples=25)
def test_arc_length_runs_from_end_to_end(ratio: float) -> None:
    rope = rc.troposkein(ratio)
    assert float(rope.arclength(1.0)) == pytest.approx(ratio, rel=1e-11)
    s = np.linspace(0, ratio, 33)
    _, y = rope.at_arclength(s)
    np.testing.assert_allclose(rope.arclength(y), s, atol=1e-9 * ratio)


def test_small_slack_expansion() -> None:
    for slack in (1e-2, 1e-4):
        k, apex = rc.small_slack(1 + slack)
        rope = rc.troposkein(1 + slack)
        assert abs(k / rope.k - 1) < slack
        assert abs(apex / rope.apex - 1) < 2 * slack


def test_moment_of_a_nearly_taut_rope() -> None:
    rope = rc.troposkein(1 + 1e-10)  # k² below the switch to the limit
    assert rope.moment == pytest.approx(rope.apex**2 / 2, rel=1e-6)  # half a sine wave


def test_no_lighter_curve_of_the_same_length_has_more_inertia() -> None:
    rope = rc.troposkein(2.0)
    t = np.linspace(0, 1, 20_001)
    for kind in ("sine", "parabola"):
        x = rc.apex_of_length(kind, 2.0) * rc.stand_in(kind, t)
        mid, ds = 0.5 * (x[1:] + x[:-1]), np.hypot(np.diff(t), np.diff(x))
        assert (mid**2 * ds).sum() < rope.moment


# --- the door ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rc.troposkein(1.0, 1.0), "longer than its span"),
        (lambda: rc.troposkein(0.5, 1.0), "longer than its span"),
        (lambda: rc.troposkein(math.nan), "finite"),
        (lambda: rc.troposkein(1e9), "beyond 1e6"),
        (lambda: rc.troposkein(2.0, -1.0), "span must be positive"),
        (lambda: rc.catenary(0.0, 1.0, 2.0), "longer than its span"),
        (lambda: rc.troposkein(2.0).tension(0.0, -1.0), "omega must not be negative"),
        (lambda: rc.troposkein(2.0).axial_tension(math.inf), "omega must be a finite"),
        (lambda: rc.troposkein(2.0).at_arclength(3.0), "between 0 and the rope's length"),
        (lambda: rc.troposkein(2.0).at_arclength(math.nan), "between 0 and the rope's length"),
        (lambda: rc.shoot_troposkein(2.0, omega=0.0), "omega must be positive"),
        (lambda: rc.shoot_troposkein(2.0, lobes=0), "lobes must be at least 1"),
        (lambda: rc.integrate_rope((0, 0), (0.0, 0.0), 1.0), "must not be zero"),
        (lambda: rc.integrate_rope((0, 0), (0.0, 1.0), 1.0, samples=1), "samples"),
        (lambda: rc.equilibrium_residual([0, 1], [0, 1], [0, 1], [1, 1], omega=1.0), "1-d of one length"),
        (lambda: rc.equilibrium_residual([0, 1, 2, 3, 5], *[np.zeros(5)] * 3, omega=1.0), "equally spaced"),
        (lambda: rc.posted_curve(constant=math.nan), "constant must be a finite"),
        (lambda: rc.stand_in("helix", 0.5), "must be one of sine"),
        (lambda: rc.apex_of_length("cubic", 2.0), "sine or parabola"),
        (lambda: rc.fit_error("sine", 1.0), "longer than its span"),
        (lambda: rc.fit_error("sine", 2.0, points=1), "points"),
    ],
)
def test_refuses(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
