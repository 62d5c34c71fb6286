"""The discrete rope, where planted errors showed that nothing looked."""

from __future__ import annotations

import inspect

import pytest
import torch

from kexue.mathematics import rope_curve as rc

SLOW = rc.Spin(omega=1.0, gravity=9.81)


@pytest.mark.parametrize("lean", [0.7, 1.0, 1.3])
def test_newton_comes_home_from_far_by_bounded_steps(lean: float) -> None:
    start = torch.full((12,), lean, dtype=torch.float64)
    found = rc.newton(start, SLOW)
    # the first step alone would turn a link by more than half a radian: then it is shortened, and more steps are needed
    assert found.steps > 2
    torch.testing.assert_close(torch.sin(found.theta), torch.zeros(12, dtype=torch.float64), atol=1e-10, rtol=0)
    one = rc.newton(found.theta, SLOW)
    assert one.steps == 1
    torch.testing.assert_close(one.theta, found.theta)


def test_a_straight_rope_leaning_within_reach_is_found_in_the_steps_that_its_lean_needs() -> None:
    """No link turns by more than half a radian at once, so a lean of a takes at least 2a steps before the last one."""
    for lean in (0.9, 1.4):
        found = rc.newton(torch.full((6,), lean, dtype=torch.float64), SLOW)
        turned = float((found.theta - lean).abs().max())
        assert found.steps >= turned / 0.5


def test_numbers_that_steer_a_method_are_given_by_name() -> None:
    steering = {"steps", "tolerance", "rate", "height", "lobes"}
    for function in (rc.newton, rc.descend, rc.sine_start):
        given = inspect.signature(function).parameters
        assert {given[name].kind for name in given.keys() & steering} == {inspect.Parameter.KEYWORD_ONLY}
