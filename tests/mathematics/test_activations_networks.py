"""Random networks of width 256 against the theory of infinite width."""

from __future__ import annotations

import math

import pytest
import torch

from kexue.mathematics import activations as act
from kexue.mathematics import activations_depth as deep
from kexue.mathematics import activations_networks as nets


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "elu", "su"])
def test_gradients_grow_by_chi_a_layer(name: str) -> None:
    """Acceptance of experiment E3: the slope of the logarithm within 15 % at width 256, where the own gain attracts."""
    measured = nets.profile(name, 20, generator=rng(), weight=act.gain(name) ** 2)
    rate = nets.growth_per_layer(measured.gradient)
    assert math.log(rate) / math.log(act.moments(name).chi) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("name", ["swish", "gelu", "su", "tanh", "relu"])
def test_at_gain_one_signal_and_gradient_fall_as_predicted(name: str) -> None:
    measured = nets.profile(name, 20, generator=rng(2))
    q, growth = deep.trajectory(name, 20)
    assert float(measured.q[:, -1].mean().log() / q[-1].log()) == pytest.approx(1, abs=0.05)
    line = nets.growth_per_layer((growth[-1] / growth)[None])  # fitted alike: chi moves while the signal fades
    assert math.log(nets.growth_per_layer(measured.gradient)) / math.log(line) == pytest.approx(1, abs=0.15)


def test_swish_at_its_own_gain_leaves_the_fixed_point_and_su_returns_to_it() -> None:
    def spread(name: str) -> float:
        q = nets.profile(name, 30, generator=rng(3), networks=24, weight=act.gain(name) ** 2).q[:, -1]
        return float(q.log().std())

    assert spread("swish") > 3 * spread("su")


def test_a_critical_start_keeps_the_gradient() -> None:
    for name in ("tanh", "su", "elu", "tanhexp", "centred-sigmoid"):
        weight, bias = deep.critical_init(name)
        measured = nets.profile(name, 20, generator=rng(1), weight=weight, bias=bias)
        assert nets.growth_per_layer(measured.gradient) == pytest.approx(1, abs=0.03)
        assert float(measured.q[:, -1].mean()) == pytest.approx(1, abs=0.35)


def test_profile_counts_layers_and_repeats() -> None:
    p = nets.profile("relu", 3, generator=rng(), width=32, networks=5, inputs=2, weight=2.0, q0=4.0)
    assert p.q.shape == p.gradient.shape == (5, 4)
    assert p.q[:, 0].tolist() == pytest.approx([4.0] * 5, rel=1e-5)
    assert p.gradient[:, -1].tolist() == [1.0] * 5
    again = nets.profile(act.activation("relu"), 3, generator=rng(), width=32, networks=5, inputs=2, weight=2.0, q0=4.0)
    assert torch.equal(p.gradient, again.gradient)
    other = nets.profile("relu", 3, generator=rng(1), width=32, networks=5, inputs=2, weight=2.0, q0=4.0)
    assert not torch.equal(p.gradient, other.gradient)


def test_biases_and_weights_have_the_variances_asked_for() -> None:
    zero = act.Activation("zero", "zero", lambda x: 0 * x)
    p = nets.profile(zero, 1, generator=rng(), width=2000, networks=1, inputs=1, bias=0.49)
    assert float(p.q[0, 1]) == pytest.approx(0.49, rel=0.15)
    line = act.Activation("line", "line", lambda x: x)
    p = nets.profile(line, 1, generator=rng(), width=1000, networks=4, inputs=4, weight=3.0)
    assert float(p.q[:, 1].mean()) == pytest.approx(3, rel=0.1)
    assert float(p.gradient[:, 0].mean()) == pytest.approx(3, rel=0.1)


def test_growth_per_layer_of_a_line() -> None:
    squares = torch.tensor([[27.0, 9.0, 3.0, 1.0], [3.0, 1.0, 1 / 3, 1 / 9]])
    assert nets.growth_per_layer(squares) == pytest.approx(3, rel=1e-7)


def test_correlations_follow_the_map() -> None:
    weight, bias = deep.critical_init("su")
    predicted = deep.correlation_trajectory("su", 8, weight=weight, bias=bias)
    measured = nets.correlations("su", 8, generator=rng(), width=512, networks=24, weight=weight, bias=bias)
    assert measured.shape == (24, 9)
    assert measured[:, 0].abs().max() < 1e-5
    error = measured.std(0) / 24**0.5
    assert ((measured.mean(0).double() - predicted)[1:].abs() < 4 * error[1:].double() + 0.01).all()
