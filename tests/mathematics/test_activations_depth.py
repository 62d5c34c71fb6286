"""The maps of infinite width, against closed forms (arc-cosine kernel, homogeneity, small signals) and against each other."""

from __future__ import annotations

import math
import re

import pytest
import torch

from kexue.mathematics import activations as act
from kexue.mathematics import activations_depth as deep

D = torch.float64
SMOOTH = ("centred-sigmoid", "tanh", "swish", "gelu", "mish", "tanhexp")


def arc_cosine(c: torch.Tensor) -> torch.Tensor:
    """The correlation map of ReLU (Cho and Saul 2009)."""
    return ((1 - c**2).sqrt() + (math.pi - c.arccos()) * c) / math.pi


def test_q_map_and_chi_of_homogeneous_functions() -> None:
    q = torch.tensor([1e-8, 0.5, 30.0], dtype=D)
    torch.testing.assert_close(deep.q_map("relu", q), q / 2, rtol=1e-13, atol=0)
    torch.testing.assert_close(deep.q_map("relu", q, weight=2.0, bias=0.25), q + 0.25, rtol=1e-13, atol=0)
    torch.testing.assert_close(deep.chi("relu", q, weight=3.0), torch.full((3,), 1.5, dtype=D), rtol=1e-13, atol=0)
    torch.testing.assert_close(deep.q_map("leaky-relu", q), 0.52 * q, rtol=1e-13, atol=0)
    assert float(deep.chi("relu", 1.0)) == pytest.approx(0.5, rel=1e-13)
    assert float(deep.q_map(act.activation("relu2"), 2.0)) == pytest.approx(1.5 * 4, rel=1e-12)


@pytest.mark.parametrize("name", act.ACTIVATIONS)
def test_q_slope_is_the_derivative_of_the_q_map(name: str) -> None:
    q = torch.tensor([0.3, 1.0, 7.0], dtype=D)
    h = 1e-5
    difference = (deep.q_map(name, q + h, weight=1.7) - deep.q_map(name, q - h, weight=1.7)) / (2 * h)
    torch.testing.assert_close(deep.q_slope(name, q, weight=1.7), difference, rtol=1e-8, atol=1e-10)
    assert float(deep.q_slope("relu", 0.3)) == pytest.approx(0.5, rel=1e-13)


def test_small_signals_meet_the_slope_at_zero() -> None:
    for name, ratio in (("swish", 0.25), ("gelu", 0.25), ("su", 1.0), ("tanh", 1.0), ("centred-sigmoid", 1 / 16), ("mish", 0.36)):
        assert float(deep.q_map(name, 1e-12)) / 1e-12 == pytest.approx(ratio, rel=1e-5)


def test_at_gain_one_sus_signal_fades_by_a_power_law() -> None:
    """q(l) tends to pi / (2 l^2), as derived; Swish's to a quarter per layer."""
    q, _ = deep.trajectory("su", 1000)
    assert float(q[1000]) * 1000**2 / (math.pi / 2) == pytest.approx(1, abs=0.02)
    small, growth = deep.trajectory("swish", 30)
    assert float(small[30] / small[29]) == pytest.approx(0.25, rel=1e-6)
    assert float(growth[30] / growth[29]) == pytest.approx(0.25, rel=1e-6)


def test_trajectory_is_the_iterated_map() -> None:
    q, growth = deep.trajectory("tanh", 3, q0=0.7, weight=1.5, bias=0.1)
    assert q.shape == growth.shape == (4,)
    value, product = 0.7, 1.0
    for layer in range(4):
        assert float(q[layer]) == pytest.approx(value, rel=1e-13)
        assert float(growth[layer]) == pytest.approx(product, rel=1e-13)
        product *= float(deep.chi("tanh", value, weight=1.5))
        value = float(deep.q_map("tanh", value, weight=1.5, bias=0.1))
    alone, one = deep.trajectory("tanh", 0)
    assert (alone.tolist(), one.tolist()) == ([1.0], [1.0])


def test_fixed_points() -> None:
    assert deep.fixed_point("relu", weight=1.0) == 0.0
    assert deep.fixed_point("relu", weight=2.5) == math.inf
    assert deep.fixed_point("relu", weight=1.0, bias=0.5) == pytest.approx(1, rel=1e-9)
    for name in ("tanh", "su", "elu"):
        m = act.moments(name)
        assert deep.fixed_point(name, weight=1 / m.square, start=0.5) == pytest.approx(1, rel=1e-8)
    # Swish at its own gain: one is at rest but repels
    weight = act.gain("swish") ** 2
    assert float(deep.q_slope("swish", 1.0, weight=weight)) == pytest.approx(1.1726, abs=1e-4)
    assert deep.fixed_point("swish", weight=weight, start=0.99) == 0.0
    assert deep.fixed_point("swish", weight=weight, start=1.01) == math.inf
    with pytest.raises(ValueError, match="the variance has not settled after 5 layers, it stands at "):
        deep.fixed_point("tanh", weight=1.0, steps=5)


def test_which_own_gains_attract() -> None:
    """The slope of the q-map at q = 1 under the own gain: below one the size of a signal mends itself."""
    slopes = {n: float(deep.q_slope(n, 1.0, weight=act.gain(n) ** 2)) for n in act.ACTIVATIONS}
    assert slopes["relu"] == pytest.approx(1, rel=1e-13)
    assert slopes["leaky-relu"] == pytest.approx(1, rel=1e-13)
    assert {n for n, s in slopes.items() if s > 1 + 1e-9} == {"swish", "gelu", "mish", "relu2"}
    expected = {"su": 0.9259, "tanhexp": 0.9561, "tanh": 0.4611, "elu": 0.8910, "gelu": 1.1441, "mish": 1.0763}
    assert {n: slopes[n] for n in expected} == pytest.approx(expected, abs=1e-4)


def test_correlation_map_of_relu_is_the_arc_cosine_kernel() -> None:
    c = torch.linspace(-1, 1, 21, dtype=D)
    torch.testing.assert_close(deep.correlation_map("relu", c), arc_cosine(c), rtol=0, atol=1e-13)
    torch.testing.assert_close(
        deep.correlation_map("relu", c, q=3.0, weight=2.0, bias=1.0), (3 * arc_cosine(c) + 1) / 4, rtol=0, atol=1e-13
    )
    with pytest.raises(ValueError, match="correlations lie between -1 and 1"):
        deep.correlation_map("relu", torch.tensor([0.0, 1.001]))


@pytest.mark.parametrize("name", SMOOTH)
def test_correlation_map_is_the_generating_function_of_the_degrees(name: str) -> None:
    shares = deep.hermite_shares(name, 40)
    assert shares.shape == (41,)
    assert float(shares.sum()) == pytest.approx(1, abs=1e-6)
    assert float(shares @ torch.arange(41.0, dtype=D)) == pytest.approx(act.moments(name).chi, abs=1e-5)
    c = torch.tensor([0.0, 0.4, 0.9], dtype=D)
    powers = c[:, None] ** torch.arange(41.0, dtype=D)
    torch.testing.assert_close(deep.correlation_map(name, c), powers @ shares, rtol=0, atol=1e-8)


def test_shares_of_simple_functions() -> None:
    relu = deep.hermite_shares("relu", 3)
    assert relu.tolist() == pytest.approx([1 / math.pi, 0.5, 1 / (2 * math.pi), 0], abs=1e-13)
    square = act.Activation("square", "square", lambda x: x**2)
    assert deep.hermite_shares(square, 4, q=2.0).tolist() == pytest.approx([1 / 3, 0, 2 / 3, 0, 0], abs=1e-13)
    assert deep.hermite_shares("tanh", 0).tolist() == pytest.approx([0], abs=1e-20)
    assert deep.hermite_shares("relu").shape == (17,)
    assert float(deep.hermite_shares("sigmoid", 0)) == pytest.approx(0.25 / 0.293379, abs=1e-5)


def test_correlations_merge_like_one_over_l_if_smooth_and_faster_if_not() -> None:
    c, path = torch.zeros((), dtype=D), []
    for _ in range(20_000):
        path.append(float(c))
        c = arc_cosine(c)
    assert deep.correlation_trajectory("relu", 30, weight=2.0).tolist() == pytest.approx(path[:31], abs=1e-12)
    assert float(1 - c) * 20_000**2 / (9 * math.pi**2 / 2) == pytest.approx(1, abs=0.005)
    weight, bias = deep.critical_init("tanh")
    shares = deep.hermite_shares("tanh", 40) * weight * act.moments("tanh").square
    n = torch.arange(41.0, dtype=D)
    s = float(shares @ (n * (n - 1)))
    smooth = 1 - deep.correlation_trajectory("tanh", 400, weight=weight, bias=bias)
    assert float(smooth[400]) * 400 * s / 2 == pytest.approx(1, abs=0.05)
    assert float(smooth[0]) == 1.0
    start = deep.correlation_trajectory("tanh", 1, c0=0.3, q=2.0, weight=1.5, bias=0.2)
    assert start.tolist() == pytest.approx([0.3, float(deep.correlation_map("tanh", 0.3, q=2.0, weight=1.5, bias=0.2))], rel=1e-14)


def test_critical_init_keeps_signal_and_gradient() -> None:
    for name in ("centred-sigmoid", "tanh", "relu", "elu", "swish", "gelu", "mish", "su", "tanhexp"):
        for q in (1.0, 2.0):
            weight, bias = deep.critical_init(name, q=q)
            assert float(deep.q_map(name, q, weight=weight, bias=bias)) == pytest.approx(q, rel=1e-12)
            assert float(deep.chi(name, q, weight=weight)) == pytest.approx(1, rel=1e-12)
            assert bias >= 0
    assert deep.critical_init("relu") == pytest.approx((2.0, 0.0), abs=1e-13)
    assert deep.critical_init("su") == pytest.approx((1.708669, 0.072833), abs=1e-5)
    message = "no biases make sigmoid critical at q = 1: its chi there is 0.1528, below 1"
    with pytest.raises(ValueError, match=re.escape(message)):
        deep.critical_init("sigmoid")


def test_half_stable_points_of_swish_and_gelu() -> None:
    q, weight, bias = deep.half_stable_point("swish", low=5, high=30)
    assert (q, weight, bias) == pytest.approx((14.32017, 1.98800, 0.55514), abs=1e-5)
    assert float(deep.q_slope("swish", q, weight=weight)) == pytest.approx(1, abs=1e-9)
    assert float(deep.chi("swish", q, weight=weight)) == pytest.approx(1, rel=1e-12)
    assert deep.half_stable_point("gelu", low=1.5, high=8)[1:] == pytest.approx((1.98306, 0.17292), abs=1e-5)
    with pytest.raises(ValueError, match=re.escape("does not cross 1 between q = 0.05 and q = 30")):
        deep.half_stable_point("su", low=0.05, high=30)


def test_batch_normalisation_takes_the_constant_part_out() -> None:
    assert deep.chi_normalised("relu") == pytest.approx(math.pi / (math.pi - 1), rel=1e-13)
    expected = {"gelu": 1.319, "su": 1.234, "tanhexp": 1.219, "swish": 1.212, "sigmoid": 1.034, "tanh": 1.178}
    for name, value in expected.items():
        assert deep.chi_normalised(name) == pytest.approx(value, abs=5e-4)
        share = float(deep.hermite_shares(name, 0))
        assert deep.chi_normalised(name) == pytest.approx(act.moments(name).chi / (1 - share), rel=1e-12)
    assert deep.chi_normalised("sigmoid") == pytest.approx(deep.chi_normalised("centred-sigmoid"), rel=1e-12)
    assert all(deep.chi_normalised(f) > 1 for f in act.ACTIVATIONS.values())


def test_depth_scale() -> None:
    assert deep.depth_scale(math.e) == pytest.approx(1)
    assert deep.depth_scale(math.exp(-0.1)) == pytest.approx(10)
    assert deep.depth_scale(1.0) == math.inf
    with pytest.raises(ValueError, match="growth is a factor per layer and must be positive, got 0"):
        deep.depth_scale(0)


def test_errors_at_the_door() -> None:
    with pytest.raises(ValueError, match="depth counts layers and can't be negative, got -1"):
        deep.trajectory("relu", -1)
    with pytest.raises(ValueError, match="q0 is a variance: a finite number above 0 was expected, got 0"):
        deep.trajectory("relu", 1, q0=0)
    with pytest.raises(ValueError, match="start is a variance: a finite number above 0 was expected, got inf"):
        deep.fixed_point("relu", start=math.inf)
    with pytest.raises(ValueError, match="q is a variance"):
        deep.hermite_shares("relu", q=-1.0)
    with pytest.raises(ValueError, match="q is a variance"):
        deep.critical_init("relu", q=math.nan)
    with pytest.raises(ValueError, match="depth counts layers"):
        deep.hermite_shares("relu", -1)
    with pytest.raises(ValueError, match="unknown activation"):
        deep.q_map("nothing", 1.0)
