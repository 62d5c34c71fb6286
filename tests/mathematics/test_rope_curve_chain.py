"""Chapter 01, the chain of links: energy and gradient, descent to the closed form, saddles and their index."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue.mathematics import rope_curve as rc

HUNG = rc.Spin(omega=9.0, gravity=9.81)
HELD = rc.Spin(length=2.0, span=1.0)


def noise(links: int, seed: int) -> torch.Tensor:
    return torch.randn(links, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def as_chain(rope: rc.PoleRope, links: int) -> torch.Tensor:
    """Link angles through points of a continuous rope, counted from the pole down."""
    s = np.linspace(rope.s[-1], 0.0, links + 1)
    x, y = np.interp(s, rope.s, rope.x), -np.interp(s, rope.s, rope.y)
    return torch.from_numpy(np.arctan2(np.diff(x), np.diff(y)))


@pytest.mark.parametrize("spin", [HUNG, HELD, rc.Spin(length=0.7, omega=0.0, gravity=2.0, start=0.3)])
def test_gradient_of_the_energy(spin: rc.Spin) -> None:
    theta = noise(7, 0).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda t: rc.chain_energy(t, spin), (theta,))
    assert torch.autograd.gradcheck(lambda t: rc.gap(t, spin), (theta,))


def test_energy_against_a_fine_sum() -> None:
    theta = noise(5, 1)
    x, y = (v.numpy() for v in rc.chain_nodes(theta, HUNG))
    t = (np.arange(20_000) + 0.5) / 20_000
    fine_x = x[:-1, None] + np.diff(x)[:, None] * t
    fine_y = y[:-1, None] + np.diff(y)[:, None] * t
    energy = (-0.5 * 81 * fine_x**2 - 9.81 * fine_y).mean(-1).sum() * 0.2
    assert rc.chain_energy(theta, HUNG).item() == pytest.approx(energy, rel=1e-8)


def test_descent_finds_the_troposkein_at_second_order() -> None:
    errors, rope = [], rc.troposkein(2.0)
    for links, moment in ((20, 0.537373), (40, 0.538252), (80, 0.538472)):
        rest = rc.descend(rc.sine_start(links, HELD), HELD)
        assert rest.gradient < 1e-7
        assert rest.miss < 1e-9
        x, y = (v.numpy() for v in rc.chain_nodes(rest.theta, HELD))
        errors.append(np.abs(x - rope.x(y)).max())
        assert -2 * rc.chain_energy(rest.theta, HELD).item() == pytest.approx(moment, abs=1e-6)
    assert errors[-1] < 2e-4
    assert np.polyfit(np.log([20, 40, 80]), np.log(errors), 1)[0] == pytest.approx(-2, abs=0.1)
    # the multipliers are the force at the support: the tension vector of the rope's end
    assert rest.force[1].item() == pytest.approx(rope.axial_tension(), rel=1e-3)
    assert -rest.force[0].item() == pytest.approx(rope.axial_tension() * rope.end_slope, rel=1e-3)


def test_two_lobes_are_a_saddle_that_descent_leaves() -> None:
    two = rc.newton(rc.sine_start(30, HELD, lobes=2, height=1.4), HELD)
    assert int((rc.lagrangian_spectrum(two, HELD) < 0).sum()) == 1
    x, _ = rc.chain_nodes(two.theta, HELD)
    assert x[15].item() == pytest.approx(0.0, abs=1e-9)
    left = rc.descend(two.theta + 1e-3 * noise(30, 0), HELD, tolerance=1e-6)
    assert int((rc.lagrangian_spectrum(left, HELD) < 0).sum()) == 0
    assert rc.chain_energy(left.theta, HELD) < 3 * rc.chain_energy(two.theta, HELD)


def test_index_of_each_rope_on_the_pole() -> None:
    straight = rc.newton(torch.zeros(48, dtype=torch.float64), HUNG)
    assert int((rc.lagrangian_spectrum(straight, HUNG) < 0).sum()) == 2  # omega lies between the second and third threshold
    for index, rope in enumerate(rc.pole_ropes(9.0)):
        chain = rc.newton(as_chain(rope, 48), HUNG)
        x, _ = rc.chain_nodes(chain.theta, HUNG)
        assert x[-1].item() == pytest.approx(rope.tip, abs=1e-3)
        assert int((rc.lagrangian_spectrum(chain, HUNG) < 0).sum()) == index


def test_descent_on_the_pole_always_ends_in_the_first_mode() -> None:
    start = torch.randn(12, 32, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    rest = rc.descend(start, HUNG, steps=4000, tolerance=1e-6)
    x, _ = rc.chain_nodes(rest.theta, HUNG)
    np.testing.assert_allclose(x[:, -1].abs().numpy(), 0.98521, atol=1e-4)


@pytest.mark.parametrize("omega", [2.0, 3.0])
def test_slow_rope_hangs_straight(omega: float) -> None:
    spin = rc.Spin(omega=omega, gravity=9.81)
    straight = rc.newton(torch.zeros(40, dtype=torch.float64), spin)
    assert rc.lagrangian_spectrum(straight, spin).min().item() > 0


def test_batch_descends_as_each_alone() -> None:
    batch = torch.stack([rc.sine_start(16, HELD), rc.sine_start(16, HELD, height=0.5)])
    together = rc.descend(batch, HELD, steps=300)
    alone = rc.descend(batch[1], HELD, steps=300)
    torch.testing.assert_close(together.theta[1], alone.theta, rtol=1e-12, atol=1e-12)
    assert together.steps == 300


def test_second_call_equals_first_and_start_is_left_alone() -> None:
    start = rc.sine_start(16, HELD)
    copy = start.clone()
    first, second = rc.descend(start, HELD, steps=50), rc.descend(start, HELD, steps=50)
    assert torch.equal(first.theta, second.theta)
    assert torch.equal(start, copy)


@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0))
@settings(deadline=None, max_examples=20)
def test_energy_scales(length: float, omega: float) -> None:
    theta = noise(9, 5)
    one = rc.chain_energy(theta, rc.Spin())
    torch.testing.assert_close(rc.chain_energy(theta, rc.Spin(length=length, omega=omega)), omega**2 * length**3 * one, rtol=1e-11, atol=0)


@given(st.integers(2, 20), st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_length_is_exact_whatever_the_angles(links: int, seed: int) -> None:
    x, y = rc.chain_nodes(noise(links, seed), HUNG)
    torch.testing.assert_close(torch.hypot(x.diff(), y.diff()).sum().item(), 1.0, rtol=1e-12, atol=0)


def test_half_precision_of_the_input_is_kept() -> None:
    assert rc.chain_energy(torch.zeros(4, dtype=torch.float32), HUNG).dtype == torch.float32
    assert rc.chain_energy(torch.zeros(4), HUNG).item() == pytest.approx(-9.81 / 2, rel=1e-6)


def test_newton_says_when_it_fails() -> None:
    with pytest.raises(RuntimeError, match="did not converge in 1 steps"):
        rc.newton(rc.sine_start(10, HELD, lobes=2), HELD, steps=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rc.Spin(length=1.0, span=1.0), "longer than its span"),
        (lambda: rc.Spin(omega=-1.0), "omega must not be negative"),
        (lambda: rc.Spin(start=math.nan), "start must be a finite"),
        (lambda: rc.chain_energy(torch.zeros(1), HUNG), r"got \(1,\)"),
        (lambda: rc.chain_energy(torch.zeros(4, dtype=torch.int64), HUNG), "int64"),
        (lambda: rc.descend(torch.zeros(4), HUNG, rate=2.0), r"rate must lie in \(0, 2\)"),
        (lambda: rc.descend(torch.zeros(4), HUNG, steps=0), "steps must be at least 1"),
        (lambda: rc.descend(torch.zeros(4), HUNG, tolerance=0.0), "tolerance must be positive"),
        (lambda: rc.sine_start(1, HUNG), "links must be at least 2"),
        (lambda: rc.sine_start(8, HUNG, lobes=0), "lobes must be at least 1"),
    ],
)
def test_refuses(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
