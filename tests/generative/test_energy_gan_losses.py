"""Losses of the energy chapter: values by hand, slopes by formula, the single loss against two."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from kexue.generative.energy_gan_losses import LOSSES, PLACES, dig, gradient_penalty, jump, penalty_points, reconstruction_loss, single_loss

REAL = torch.tensor([-2.0, 0.5], dtype=torch.float64)
FAKE = torch.tensor([0.25, 3.0, -1.0], dtype=torch.float64)


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=source(seed), dtype=torch.float64)


def network(*sizes: int, seed: int = 0) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(sizes[0], sizes[1]), nn.Tanh(), nn.Linear(sizes[1], sizes[2])).double()
    for i, parameter in enumerate(net.parameters()):
        parameter.data = draw(*parameter.shape, seed=seed + i)
    return net


# ------------------------------------------------------------------------------------------------------------------------ the losses
def test_values_by_hand() -> None:
    # the mean of the data's energies is -0.75, of the fakes' 0.75
    assert dig(REAL, FAKE, "linear").item() == -1.5
    assert dig(REAL, FAKE, "hinge").item() == pytest.approx(1.5 / 2 + (0.75 + 2) / 3, abs=1e-15)
    assert dig(REAL, FAKE, "hinge", margin=2.0).item() == pytest.approx(2.5 / 2 + (1.75 + 3) / 3, abs=1e-15)
    assert dig(REAL, FAKE, "margin", margin=2.0).item() == pytest.approx(-0.75 + (1.75 + 3) / 3, abs=1e-15)
    assert [jump(FAKE, kind).item() for kind in ("linear", "hinge", "margin")] == [0.75] * 3


def test_softplus_is_the_cross_entropy_of_the_first_gan() -> None:
    # a discriminator -U with labels 1 for data and 0 for fakes
    entropy = binary_cross_entropy_with_logits
    expected = entropy(-REAL, torch.ones_like(REAL)) + entropy(-FAKE, torch.zeros_like(FAKE))
    assert dig(REAL, FAKE, "softplus").item() == pytest.approx(expected.item(), abs=1e-14)
    assert jump(FAKE, "softplus").item() == pytest.approx(entropy(-FAKE, torch.ones_like(FAKE)).item(), abs=1e-14)


@given(st.sampled_from(LOSSES), st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 3))
def test_lower_data_and_higher_fakes_never_cost_more(kind: str, real: float, fake: float, step: float) -> None:
    at = dig(torch.tensor(real), torch.tensor(fake), kind)
    assert dig(torch.tensor(real - step), torch.tensor(fake), kind) <= at
    assert dig(torch.tensor(real), torch.tensor(fake + step), kind) <= at
    assert jump(torch.tensor(fake - step), kind) < jump(torch.tensor(fake), kind)


def test_hinge_has_no_force_beyond_its_thresholds() -> None:
    real = torch.tensor([-1.5, -0.5], requires_grad=True)
    fake = torch.tensor([1.5, 0.5], requires_grad=True)
    dig(real, fake, "hinge").backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert real.grad.tolist() == [0.0, 0.5]
    assert fake.grad.tolist() == [0.0, -0.5]


def test_bad_losses() -> None:
    with pytest.raises(ValueError, match="one of linear, softplus, hinge, margin, got 'square'"):
        dig(REAL, FAKE, "square")
    with pytest.raises(ValueError, match="one of linear"):
        jump(FAKE, "square")
    with pytest.raises(ValueError, match="at least one energy"):
        dig(REAL, FAKE[:0])
    with pytest.raises(ValueError, match="margin must be above 0, got 0"):
        dig(REAL, FAKE, "hinge", margin=0.0)


# --------------------------------------------------------------------------------------------------------------------- the penalties
def bowl(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(1) / 2


def test_penalty_of_a_bowl_on_normal_draws_is_the_dimension() -> None:
    x = draw(200_000, 6)
    # the squared norm has variance 2d: four standard errors
    assert gradient_penalty(bowl, x).item() == pytest.approx(6, abs=4 * math.sqrt(12 / 200_000))
    assert gradient_penalty(bowl, x).item() == pytest.approx(x.square().sum(1).mean().item(), rel=1e-12)


def test_penalty_of_a_slope_by_its_centre() -> None:
    weight = torch.tensor([3.0, 4.0], dtype=torch.float64)
    for centre, expected in ((0.0, 25.0), (1.0, 16.0), (5.0, 0.0)):
        assert gradient_penalty(lambda x: x @ weight, draw(7, 2), centre=centre).item() == pytest.approx(expected, abs=1e-12)


def test_penalty_of_a_flat_energy_has_finite_gradients() -> None:
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    for centre, expected in ((0.0, 0.0), (1.0, 1.0)):
        penalty = gradient_penalty(lambda x: x @ weight, draw(3, 2), centre=centre)
        assert penalty.item() == pytest.approx(expected, abs=1e-10)
        (slope,) = torch.autograd.grad(penalty, weight)
        assert torch.isfinite(slope).all()


def test_penalty_reaches_the_parameters() -> None:
    weight = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: gradient_penalty(lambda x: torch.tanh(x @ w), draw(4, 2), centre=0.5), weight)
    (slope,) = torch.autograd.grad(gradient_penalty(lambda x: x @ weight, draw(4, 2)), weight)
    assert torch.allclose(slope, 2 * weight, atol=1e-12)


def test_bad_penalties() -> None:
    with pytest.raises(ValueError, match="centre must be at least 0, got -1"):
        gradient_penalty(bowl, draw(3, 2), centre=-1.0)
    with pytest.raises(ValueError, match=r"one number for each of 3 points, got shape \(3, 1\)"):
        gradient_penalty(lambda x: bowl(x)[:, None], draw(3, 2))
    with pytest.raises(ValueError, match="one of real, fake, mixture, interpolates, got 'nowhere'"):
        penalty_points("nowhere", draw(3, 2), draw(3, 2), generator=source())
    with pytest.raises(ValueError, match=r"one shape, got \(3, 2\) and \(2, 2\)"):
        penalty_points("real", draw(3, 2), draw(2, 2), generator=source())


@pytest.mark.parametrize("where", PLACES)
def test_points_of_the_penalty(where: str) -> None:
    real, fake = torch.zeros(20_000, 1, 2, dtype=torch.float64), torch.ones(20_000, 1, 2, dtype=torch.float64, requires_grad=True)
    points = penalty_points(where, real, fake, generator=source())
    assert not points.requires_grad
    assert torch.equal(points, penalty_points(where, real, fake, generator=source()))
    assert torch.equal(points[:, 0, 0], points[:, 0, 1])  # one draw for a whole point
    share = points[:, 0, 0]
    mean = {"real": 0.0, "fake": 1.0}.get(where, 0.5)
    variance = {"mixture": 0.25, "interpolates": 1 / 12}.get(where, 0.0)
    assert share.mean().item() == pytest.approx(mean, abs=4 * math.sqrt(variance / 20_000))
    assert share.var().item() == pytest.approx(variance, abs=0.01)
    if where in ("mixture", "interpolates"):
        assert not torch.equal(points, penalty_points(where, real, fake, generator=source(1)))


# -------------------------------------------------------------------------------------------------------------------- the entropy term
def test_a_narrow_generator_is_recovered_perfectly_without_noise() -> None:
    z = draw(1000, 3)
    for sigma in (1.0, 1e-6):
        assert reconstruction_loss(lambda x, s=sigma: x / s, z, sigma * z).item() == pytest.approx(0, abs=1e-18)


def test_with_noise_the_best_error_grows_as_the_fakes_narrow() -> None:
    z, noise = draw(400_000, 1), 0.5
    errors = []
    for sigma in (2.0, 0.5, 0.1):
        best = sigma / (sigma**2 + noise**2)  # linear recovery of least error
        error = reconstruction_loss(lambda x, b=best: b * x, z, sigma * z, noise=noise, generator=source(1)).item()
        assert error == pytest.approx(noise**2 / (sigma**2 + noise**2), rel=0.01)  # relative standard error of a squared normal: 0.0023
        errors.append(error)
    assert errors == sorted(errors)


def test_reconstruction_sums_over_the_code_and_honours_its_seed() -> None:
    z = draw(5, 3)
    assert reconstruction_loss(lambda x: x, z, z + 2).item() == pytest.approx(12, abs=1e-12)
    one, two, other = (reconstruction_loss(lambda x: x, z, z, noise=1.0, generator=source(s)) for s in (0, 0, 1))
    assert one == two
    assert one != other


def test_bad_reconstruction() -> None:
    z = draw(5, 3)
    with pytest.raises(ValueError, match="noise must be at least 0"):
        reconstruction_loss(lambda x: x, z, z, noise=-1.0)
    with pytest.raises(ValueError, match="needs a generator"):
        reconstruction_loss(lambda x: x, z, z, noise=1.0)
    with pytest.raises(ValueError, match=r"shape \(5, 3\), got \(5, 2\)"):
        reconstruction_loss(lambda x: x[:, :2], z, z)


# ---------------------------------------------------------------------------------------------------------------------- the single loss
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("ratio", [1.0, 0.3])
def test_one_loss_has_the_gradients_of_two(kind: str, ratio: float) -> None:
    energy_net, generator_net = network(4, 8, 1), network(3, 8, 4, seed=10)

    def energy(x: Tensor) -> Tensor:
        return energy_net(x).squeeze(1)

    x, z = draw(16, 4, seed=20), draw(16, 3, seed=21)
    loss, bracket = single_loss(energy, generator_net, x, z, kind, ratio=ratio)
    in_u = torch.autograd.grad(loss, list(energy_net.parameters()), retain_graph=True)
    in_g = torch.autograd.grad(loss, list(generator_net.parameters()))
    own_u = torch.autograd.grad(dig(energy(x), energy(generator_net(z).detach()), kind), list(energy_net.parameters()))
    own_g = torch.autograd.grad(jump(energy(generator_net(z)), kind), list(generator_net.parameters()))
    assert bracket.item() == 0.0
    assert loss.item() == pytest.approx(dig(energy(x), energy(generator_net(z)), kind).item(), abs=1e-14)
    assert max(float((a - b).abs().max()) for a, b in zip(in_u, own_u, strict=True)) < 1e-12
    assert max(float((a - ratio * b).abs().max()) for a, b in zip(in_g, own_g, strict=True)) < 1e-12
    assert max(float(g.abs().max()) for g in own_g) > 1e-3  # the comparison is not of zeros


def test_bad_ratio() -> None:
    with pytest.raises(ValueError, match="must be above 0, got 0"):
        single_loss(bowl, lambda z: z, draw(3, 2), draw(3, 2), ratio=0.0)
