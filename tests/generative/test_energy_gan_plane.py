"""Laws, networks, losses and judges of the plane, against closed forms, other libraries and automatic derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import energy_distance as scipy_energy_distance
from torch import Tensor
from torch.nn import functional as F

from kexue.generative import energy_gan_plane as plane
from kexue.generative.energy_gan_plane import LAWS


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(*widths: int, seed: int = 0, double: bool = False) -> dict[str, Tensor]:
    made = plane.new_mlp(*widths, generator=rng(seed))
    made = {n: w + 0.1 * torch.randn(w.shape, generator=rng(seed + 1)) for n, w in made.items()}  # biases too
    return {n: w.double() for n, w in made.items()} if double else made


# ------------------------------------------------------------------------------------------------------------------ laws
@pytest.mark.parametrize("name", LAWS)
def test_laws_have_the_mean_and_covariance_of_their_centres_and_noise(name: str) -> None:
    law = LAWS[name]
    count = 200_000
    x = law.sample(count, generator=rng(1)).double()
    centres = law.centres.double()
    cov = (centres - centres.mean(0)).T @ (centres - centres.mean(0)) / len(centres) + law.spread**2 * torch.eye(2)
    error = cov.diagonal().sqrt() / math.sqrt(count)
    assert bool(((x.mean(0) - centres.mean(0)).abs() < 4.5 * error).all())
    # the entries of a sample covariance of a bounded law scatter by less than twice the largest variance over √n
    assert bool(((x.T.cov() - cov).abs() < 9 * float(cov.max()) / math.sqrt(count)).all())
    assert bool((x.abs() < plane.HALF_SIDE).double().mean() > 0.999)  # they fit the picture
    assert len(centres) % law.pits == 0
    assert torch.equal(law.sample(5, generator=rng(2)), law.sample(5, generator=rng(2)))
    assert not torch.equal(law.sample(5, generator=rng(2)), law.sample(5, generator=rng(3)))


def test_centres_of_a_curve_are_equally_far_apart() -> None:
    gaps = LAWS["roll"].centres.diff(dim=0).norm(dim=1)
    assert float(gaps.max() / gaps.min()) == pytest.approx(1, abs=0.01)
    ring = LAWS["ring"].centres
    assert ring.norm(dim=1).numpy() == pytest.approx([2.0] * 8, rel=1e-6)
    assert ring.diff(dim=0).norm(dim=1).numpy() == pytest.approx([4 * math.sin(math.pi / 8)] * 7, rel=1e-5)


def test_the_two_moons_are_one_turned_by_half_a_turn() -> None:
    upper, lower = LAWS["moons"].centres.chunk(2)
    torch.testing.assert_close(lower, -upper)


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="count = 0"):
        LAWS["ring"].sample(0, generator=rng())


# ------------------------------------------------------------------------------------------------------------------ networks
def test_networks_are_what_torch_makes_of_the_same_weights() -> None:
    parameters = net(2, 5, 4, 3)
    layers = [torch.nn.Linear(2, 5), torch.nn.SiLU(), torch.nn.Linear(5, 4), torch.nn.SiLU(), torch.nn.Linear(4, 3)]
    model = torch.nn.Sequential(*layers)
    model.load_state_dict({f"{2 * k}.{'weight' if n == 'w' else 'bias'}": parameters[f"{n}{k}"] for k in range(3) for n in "wb"})
    x = torch.randn(7, 2, generator=rng(9))
    torch.testing.assert_close(plane.mlp(parameters, x), model(x))


def test_a_stack_of_networks_is_evaluated_as_one_by_one() -> None:
    members = [net(2, 6, 1, seed=s) for s in range(3)]
    stack = {n: torch.stack([m[n] for m in members]) for n in members[0]}
    x = torch.randn(5, 2, generator=rng(9))
    torch.testing.assert_close(plane.energy(stack, x), torch.stack([plane.energy(m, x) for m in members]))
    fakes = plane.generate({n: torch.stack([m[n] for m in [net(2, 6, 2), net(2, 6, 2, seed=4)]]) for n in net(2, 6, 2)}, x)
    torch.testing.assert_close(fakes[1], plane.generate(net(2, 6, 2, seed=4), x))


def test_fresh_weights_have_the_spread_of_he_and_honour_the_seed() -> None:
    made = plane.new_mlp(400, 300, 200, generator=rng(3))
    assert float(made["w0"].std()) == pytest.approx(math.sqrt(2 / 400), rel=0.02)  # 120,000 draws: 0.2 % error
    assert float(made["w1"].std()) == pytest.approx(math.sqrt(1 / 300), rel=0.02)
    assert not made["b0"].any()
    assert torch.equal(made["w1"], plane.new_mlp(400, 300, 200, generator=rng(3))["w1"])
    with pytest.raises(ValueError, match="two positive widths"):
        plane.new_mlp(2, generator=rng())
    with pytest.raises(ValueError, match="two positive widths"):
        plane.new_mlp(2, 0, generator=rng())


def test_the_force_is_downhill() -> None:
    parameters = net(2, 8, 1, double=True)
    x = torch.randn(4, 2, generator=rng(5), dtype=torch.float64)
    found = plane.force(parameters, x)
    h = 1e-6
    for axis in range(2):
        e = torch.zeros(2, dtype=torch.float64).index_fill(0, torch.tensor(axis), h)
        slope = (plane.energy(parameters, x + e) - plane.energy(parameters, x - e)) / (2 * h)
        torch.testing.assert_close(found[:, axis], -slope, atol=1e-8, rtol=0)  # central differences: h² and rounding 1e-16 / h
    with torch.no_grad():
        assert torch.equal(plane.force(parameters, x), found)


# ------------------------------------------------------------------------------------------------------------------ losses
def test_the_penalty_of_a_linear_energy_is_its_squared_slope_and_differentiable() -> None:
    w = torch.tensor([[3.0, -4.0]], requires_grad=True)
    parameters = {"w0": w, "b0": torch.zeros(1)}
    found = plane.gradient_penalty(parameters, torch.randn(6, 2, generator=rng()))
    assert found.item() == pytest.approx(25)
    torch.testing.assert_close(torch.autograd.grad(found, w)[0], 2 * w.detach())


def test_the_penalty_passes_gradcheck() -> None:
    parameters = net(2, 4, 1, double=True)
    names = list(parameters)
    x = torch.randn(3, 2, generator=rng(1), dtype=torch.float64)

    def f(*tensors: Tensor) -> Tensor:
        return plane.gradient_penalty(dict(zip(names, tensors, strict=True)), x)

    assert torch.autograd.gradcheck(f, [parameters[n].clone().requires_grad_() for n in names])


@pytest.mark.parametrize("loss", plane.LOSSES)
def test_losses_by_hand(loss: str) -> None:
    parameters, real, fake = net(2, 6, 1), torch.randn(5, 2, generator=rng(1)), torch.randn(7, 2, generator=rng(2))
    u, v = plane.energy(parameters, real), plane.energy(parameters, fake)
    if loss == "linear":
        dig, jump = u.mean() - v.mean(), v.mean()
    else:  # the logistic loss of the discriminator D = −U
        dig = F.binary_cross_entropy_with_logits(-u, torch.ones(5)) + F.binary_cross_entropy_with_logits(-v, torch.zeros(7))
        jump = F.binary_cross_entropy_with_logits(-v, torch.ones(7))
    torch.testing.assert_close(plane.critic_loss(loss, parameters, real, fake, 0.0), dig)
    torch.testing.assert_close(plane.generator_loss(loss, parameters, fake), jump)
    price = plane.critic_loss(loss, parameters, real, fake, 0.3) - dig
    torch.testing.assert_close(price, 0.3 * plane.force(parameters, real).square().sum(1).mean(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("loss", plane.LOSSES)
def test_digging_leaves_the_fakes_and_jumping_leaves_the_energy(loss: str) -> None:
    u = {n: w.requires_grad_() for n, w in net(2, 6, 1).items()}
    fake = torch.randn(7, 2, generator=rng(2), requires_grad=True)
    plane.critic_loss(loss, u, torch.randn(5, 2, generator=rng(1)), fake, 0.1).backward()
    assert fake.grad is None
    before = {n: w.grad.clone() for n, w in u.items() if w.grad is not None}
    assert len(before) == len(u)
    plane.generator_loss(loss, u, fake).backward()
    assert all(torch.equal(u[n].grad, g) for n, g in before.items())  # type: ignore[arg-type]
    assert fake.grad is not None
    # a fake is pushed along the force
    assert bool(((-fake.grad * plane.force(u, fake)).sum(1) > 0).all())


@pytest.mark.parametrize(("loss", "penalty"), [("hinge", 0.1), ("linear", -1.0)])
def test_impossible_losses_are_refused(loss: str, penalty: float) -> None:
    with pytest.raises(ValueError, match="expected a loss out of softplus, linear and a penalty >= 0"):
        plane.critic_loss(loss, net(2, 3, 1), torch.zeros(1, 2), torch.zeros(1, 2), penalty)


# ------------------------------------------------------------------------------------------------------------------ judges
def test_the_lattice_cuts_the_normal_law_into_equal_parts() -> None:
    z = plane.latent_lattice(40)
    assert z.shape == (1600, 2)
    assert float(z.mean()) == pytest.approx(0, abs=1e-6)
    assert float(z.var(0)[0]) == pytest.approx(1, abs=0.04)  # the outer cells' centres lie a little inside
    u = torch.special.ndtr(z[:, 1].view(40, 40)[0])
    assert u.numpy() == pytest.approx([(k + 0.5) / 40 for k in range(40)], abs=1e-6)
    with pytest.raises(ValueError, match="at least two"):
        plane.latent_lattice(1)


@pytest.mark.parametrize("name", LAWS)
def test_a_law_covers_itself(name: str) -> None:
    held, good = plane.coverage(LAWS[name], LAWS[name].sample(4000, generator=rng(7)))
    assert int(held) == LAWS[name].pits
    assert float(good) > 0.985  # within three σ of its own centre: 1 − e^{−9/2} = 0.989 at least


def test_coverage_counts_modes_and_wants_a_quarter_of_the_fair_share() -> None:
    ring = LAWS["ring"]
    far = torch.zeros(1, 2)
    some = torch.cat([ring.centres[:3].repeat(40, 1), far.repeat(200, 1)])  # 320 fakes: fair share 40, a quarter 10
    held, good = plane.coverage(ring, some)
    assert (int(held), float(good)) == (3, pytest.approx(120 / 320))
    few = torch.cat([ring.centres[:1].repeat(9, 1), ring.centres[1:2].repeat(10, 1), far.repeat(301, 1)])
    assert int(plane.coverage(ring, few)[0]) == 1
    stacked = plane.coverage(ring, torch.stack([some, few]))
    assert stacked[0].tolist() == [3, 1]
    edge = ring.centres[:1] + torch.tensor([[0.299, 0.0], [0.301, 0.0]]).unsqueeze(1)  # three σ are 0.3
    assert plane.coverage(ring, edge)[1].tolist() == [1.0, 0.0]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 100))
def test_the_energy_distance_is_scipy_s_with_the_diagonals_taken_out(n: int, m: int, seed: int) -> None:
    x, y = torch.randn(n, 1, generator=rng(seed)), 0.5 + torch.randn(m, 1, generator=rng(seed + 1))
    # scipy's is the root of the form with the diagonals, in which the means within a sample are too small by (n − 1)/n
    within = [float(torch.pdist(s.double()).mean()) for s in (x, y)]
    biased = scipy_energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2
    assert plane.energy_distance(x, y) == pytest.approx(biased - within[0] / n - within[1] / m, abs=1e-9)


def test_the_energy_distance_of_equal_laws_is_about_zero_and_grows_with_the_shift() -> None:
    x, y = (torch.randn(1500, 2, generator=rng(s)) for s in (0, 1))
    assert abs(plane.energy_distance(x, y)) < 0.01
    assert plane.energy_distance(x, y + 0.5) < plane.energy_distance(x, y + 1.0)
    with pytest.raises(ValueError, match="two points a side, got 1 and 3"):
        plane.energy_distance(x[:1], y[:3])
