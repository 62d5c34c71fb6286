"""Rounding as the only non-linearity, and the evolution strategy that can use it."""

from __future__ import annotations

import pytest
import torch

from kexue.mathematics import activations_rounding as rounding


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def identity(h: torch.Tensor) -> torch.Tensor:
    return h


def test_staircase_rounds_half_to_even_on_two_grids() -> None:
    x = torch.tensor([-3.2, -1.5, -0.5, -0.4, 0.0, 0.9, 1.0, 1.1, 2.9, 3.0, 3.1])
    assert rounding.staircase(x).tolist() == [-3, -2, 0, 0, 0, 0, 0, 2, 2, 4, 4]
    leaf = x.requires_grad_()
    (slope,) = torch.autograd.grad(rounding.staircase(leaf).sum(), leaf)
    assert slope.tolist() == [1.0] * 11  # autograd sees a straight line


def test_flush_has_a_dead_zone_only_within_its_context() -> None:
    x = torch.tensor([-1.0, -0.51, -0.49, 0.25, 0.499, 0.5, 3.0])
    assert rounding.flush(x).tolist() == x.tolist()
    with rounding.flushing() as can:
        if not can:
            pytest.skip("this processor does not flush subnormal numbers")
        inside = rounding.flush(x)
    assert inside.tolist() == [x[0].item(), x[1].item(), 0, 0, 0, 0.5, 3]
    assert rounding.flush(x).tolist() == x.tolist()
    tiny = torch.tensor([2.0**-130])
    assert (tiny * 0.5).item() == 2.0**-131


def test_flushing_reaches_the_whole_of_a_large_tensor() -> None:
    """The processor's switch belongs to a thread: a second one would leave its half as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with rounding.flushing() as can:
            if not can:
                pytest.skip("this processor does not flush subnormal numbers")
            assert torch.get_num_threads() == 1
            assert not rounding.flush(torch.full((1_000_000,), 0.3)).any()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_flushing_is_switched_off_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="inside"), rounding.flushing():
        raise RuntimeError("inside")
    assert (torch.tensor([2.0**-130]) * 0.5).item() == 2.0**-131


def test_forward_is_the_network_written_out() -> None:
    parameters = torch.arange(1.0, 19.0).reshape(2, 9) / 10  # two networks of width 2
    x = torch.tensor([[1.0, -2.0], [0.5, 3.0], [0.0, 0.0]])
    out = rounding.forward(parameters, x, torch.tanh)
    for row, p in zip(out, parameters, strict=True):
        w1, b1, w2, b2 = p[:4].reshape(2, 2), p[4:6], p[6:8], p[8]
        torch.testing.assert_close(row, torch.tanh(x @ w1 + b1) @ w2 + b2)
    with pytest.raises(ValueError, match=r"parameters must have shape \(networks, 4 \* width \+ 1\), got \(2, 8\)"):
        rounding.forward(parameters[:, :8], x, torch.tanh)
    with pytest.raises(ValueError, match=r"got \(9,\)"):
        rounding.forward(parameters[0], x, torch.tanh)


def test_loss_and_accuracy_are_those_of_the_logits() -> None:
    parameters = torch.tensor([[1.0, 0.0, 0.0, 2.0, 0.5]])  # width 1: logit = 2 x + 0.5
    x, y = torch.tensor([[1.0, 9.0], [-1.0, 9.0], [0.0, 9.0]]), torch.tensor([1.0, 1.0, 0.0])
    logits = torch.tensor([2.5, -1.5, 0.5])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
    torch.testing.assert_close(rounding.loss(parameters, x, y, identity), expected[None])
    assert rounding.accuracy(parameters[0], x, y, identity) == pytest.approx(1 / 3)


def test_start_scales_the_first_layer() -> None:
    theta = rounding.start(4000, generator=rng())
    first, bias, second, last = theta.split([8000, 4000, 4000, 1])
    assert first.std().item() == pytest.approx(4 / 2**0.5, rel=0.03)
    assert second.std().item() * 4000**0.5 == pytest.approx(1, rel=0.05)
    assert not bias.any()
    assert not last.any()
    assert len(rounding.start(generator=rng())) == 65
    assert torch.equal(rounding.start(generator=rng()), rounding.start(generator=rng()))


def test_evolution_estimates_the_gradient_of_a_smooth_loss() -> None:
    """One step of plain arithmetic: the antithetic estimate agrees with autograd where there is a slope."""
    x, y = rounding.moons(50)
    theta = rounding.start(3, scale=1.0, generator=rng())
    leaf = theta.clone().requires_grad_()
    rounding.loss(leaf[None], x, y, torch.tanh).sum().backward()
    epsilon, sigma = torch.randn(10_000, 13, generator=rng(1)), 0.02
    values = rounding.loss(theta + sigma * torch.cat([epsilon, -epsilon]), x, y, torch.tanh)
    estimate = rounding.blurred_gradient(values, epsilon, sigma)
    assert leaf.grad is not None
    assert (estimate - leaf.grad).norm() < 0.1 * leaf.grad.norm()  # sqrt(13 / 10,000) is expected


def test_moons() -> None:
    x, y = rounding.moons(200, seed=3)
    assert x.shape == (200, 2)
    assert x.dtype == y.dtype == torch.float32
    assert y.sum() == 100
    assert torch.equal(x, rounding.moons(200, noise=0.15, seed=3)[0])
    assert not torch.equal(x, rounding.moons(200)[0])
    clean, _ = rounding.moons(200, noise=0.0)
    upper = clean[rounding.moons(200, noise=0.0)[1] == 0]
    assert upper.norm(dim=1).tolist() == pytest.approx([1.0] * 100, abs=1e-5)


def test_settings() -> None:
    assert rounding.Evolution() == rounding.Evolution(steps=400, pairs=64, sigma=0.1, rate=0.05, width=16)


def test_rounding_learns_what_exact_arithmetic_cannot() -> None:
    """Acceptance of experiment E4 on a short run: exact arithmetic at most 0.89, the staircase at least 0.93."""
    x, y = rounding.moons(1000)
    test = x[600:], y[600:]
    x, y = x[:600], y[:600]
    settings = rounding.Evolution(steps=150, pairs=32)
    linear = rounding.evolve(x, y, identity, settings=settings, generator=rng())
    stairs = rounding.evolve(x, y, rounding.staircase, settings=settings, generator=rng())
    assert torch.equal(stairs, rounding.evolve(x, y, rounding.staircase, settings=settings, generator=rng()))
    assert rounding.accuracy(linear, *test, identity) <= 0.89
    assert rounding.accuracy(stairs, *test, rounding.staircase) >= 0.93
    assert rounding.accuracy(stairs, *test, identity) <= 0.89


def test_evolution_learns_xor() -> None:
    """Exercise 5."""
    x = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    y = torch.tensor([0.0, 1.0, 1.0, 0.0])
    theta = rounding.evolve(x, y, rounding.staircase, settings=rounding.Evolution(steps=100, pairs=16, width=8), generator=rng())
    assert rounding.accuracy(theta, x, y, rounding.staircase) == 1.0
    assert rounding.accuracy(theta, x, y, identity) <= 0.75


def test_back_propagation_through_rounding_uses_a_slope_of_one() -> None:
    x, y = rounding.moons(300)
    theta = rounding.descend(x, y, identity, steps=150, generator=rng())
    assert rounding.accuracy(theta, x, y, identity) <= 0.89
    once = rounding.descend(x, y, rounding.staircase, steps=1, rate=0.5, generator=rng())
    moved = (once - rounding.start(generator=rng())).abs()
    assert moved.max().item() == pytest.approx(0.5, rel=1e-3)  # Adam's first step
