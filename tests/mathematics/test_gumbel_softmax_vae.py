"""The categorical autoencoder against exact sums over all its codes, small enough to be listed."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from kexue.mathematics.gumbel_softmax_vae import (
    ESTIMATORS,
    Baseline,
    DiscreteVAE,
    kl_to_uniform,
    negative_elbo,
    pixel_log_likelihood,
    score,
)

LATENTS, CLASSES = 2, 3


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model() -> DiscreteVAE:
    return DiscreteVAE(latents=LATENTS, classes=CLASSES, hidden=(16, 8), generator=generator())


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 784, generator=generator(1))


def codes() -> Tensor:
    """All nine codes, one-hot: (9, L, k)."""
    return torch.stack([torch.eye(CLASSES)[list(c)] for c in itertools.product(range(CLASSES), repeat=LATENTS)])


def exact_bound(model: DiscreteVAE, x: Tensor) -> Tensor:
    """The discrete bound of each image by the sum over all codes: (B,)."""
    log_q = model.encode(x).log_softmax(-1)  # (B, L, k)
    log_q_code = torch.einsum("blk,clk->cb", log_q, codes())
    log_p = pixel_log_likelihood(model.decode(codes())[:, None].expand(-1, len(x), -1), x)  # (9, B)
    prior = -LATENTS * math.log(CLASSES)
    return (log_q_code.exp() * (log_p + prior - log_q_code)).sum(0)


def test_kl_is_that_of_the_distributions() -> None:
    logits = 3 * torch.randn(4, LATENTS, CLASSES, generator=generator(), dtype=torch.float64)
    q = torch.distributions.Categorical(logits=logits)
    uniform = torch.distributions.Categorical(logits=torch.zeros_like(logits))
    expected = torch.distributions.kl_divergence(q, uniform).sum(-1)
    assert torch.allclose(kl_to_uniform(logits), expected, atol=1e-13)
    sure = torch.tensor([[[500.0, 0, 0], [0, 500.0, 0]]], dtype=torch.float64)
    assert kl_to_uniform(sure).item() == pytest.approx(2 * math.log(3), abs=1e-13)


def test_likelihood_of_bits_is_bernoulli() -> None:
    bits = (torch.rand(3, 784, generator=generator(), dtype=torch.float64) < 0.3).double()
    logits = torch.randn(2, 3, 784, generator=generator(1), dtype=torch.float64)
    expected = torch.distributions.Bernoulli(logits=logits).log_prob(bits).sum(-1)
    assert torch.allclose(pixel_log_likelihood(logits, bits), expected, atol=1e-9)


def test_likelihood_of_a_grey_value_is_best_at_that_value() -> None:
    x = torch.full((1, 784), 0.3, dtype=torch.float64)
    logits = torch.logit(x).clone().requires_grad_()
    pixel_log_likelihood(logits, x).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-12


def test_score_is_the_exact_bound(model: DiscreteVAE, images: Tensor) -> None:
    exact = exact_bound(model, images)
    found = score(model, images, draws=1500, chunk=2)
    spread = 10.0  # nats: more than the likelihood differs between codes here
    assert found.elbo == pytest.approx(exact.mean().item(), abs=4 * spread / math.sqrt(1500 * 5))
    assert found.kl == pytest.approx(kl_to_uniform(model.encode(images)).mean().item(), abs=1e-5)


def test_score_repeats_itself_and_does_not_mind_the_chunks(model: DiscreteVAE, images: Tensor) -> None:
    one = score(model, images, draws=3, taus=(1.0,), seed=5)
    assert score(model, images, draws=3, taus=(1.0,), seed=5) == one
    assert score(model, images, draws=3, taus=(1.0,), seed=6).elbo != one.elbo
    single = score(model, images, draws=1, seed=5, chunk=5)
    assert single.kl == pytest.approx(one.kl, abs=1e-5)


def test_relaxed_bound_at_low_temperature_is_the_discrete_one(model: DiscreteVAE, images: Tensor) -> None:
    found = score(model, images, draws=20, taus=(1e-6, 1.0))
    assert found.relaxed[1e-6] == pytest.approx(found.elbo, abs=1e-3)
    assert found.relaxed[1.0] != pytest.approx(found.elbo, abs=1e-2)


def test_information_of_known_codes(images: Tensor) -> None:
    model = DiscreteVAE(latents=1, classes=4, hidden=(8, 4), generator=generator())
    table = torch.full((5, 1, 4), -40.0)
    table[torch.arange(5), 0, torch.tensor([0, 1, 2, 3, 3])] = 40.0  # image n has its code for sure; two share theirs
    model.encode = lambda x: table  # type: ignore[method-assign]
    found = score(model, images, draws=1)
    expected = -3 * 0.2 * math.log(0.2) - 0.4 * math.log(0.4)
    assert found.information == pytest.approx(expected, abs=1e-6)
    assert found.active == 1
    model.encode = lambda x: torch.zeros(5, 1, 4)  # type: ignore[method-assign]
    found = score(model, images, draws=1)
    assert found.information == pytest.approx(0.0, abs=1e-6)
    assert found.active == 0
    assert found.kl == pytest.approx(0.0, abs=1e-6)


def gradients(estimator: str, model: DiscreteVAE, x: Tensor, draws: int, beta: float = 1.0) -> tuple[Tensor, Tensor, float]:
    """Mean gradients in logits and in the decoder's last bias over many draws, with the mean estimate of the bound."""
    logits = model.encode(x).detach().repeat(draws, 1, 1).requires_grad_()
    many = x.repeat(draws, 1)
    model.zero_grad()
    arguments = {"tau": 0.5, "baseline": Baseline(), "generator": generator(3), "beta": beta}
    loss, bound = negative_elbo(estimator, logits, model.decode, many, **arguments)  # type: ignore[arg-type]
    loss.backward()
    bias = model.decoder[-1].bias.grad
    assert logits.grad is not None
    assert isinstance(bias, Tensor)
    return logits.grad.view(draws, *model.encode(x).shape).sum(0), bias, bound.item()


@pytest.mark.parametrize("estimator", ["sf", "rloo"])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_score_function_gradients_are_those_of_the_exact_bound(model: DiscreteVAE, images: Tensor, estimator: str, beta: float) -> None:
    x = images[:1]
    logits = model.encode(x).detach().requires_grad_()
    q_code = torch.einsum("lk,clk->cl", logits[0].softmax(-1), codes()).prod(-1)  # (9,)
    cost = -pixel_log_likelihood(model.decode(codes()), x)
    model.zero_grad()
    ((q_code * cost).sum() + beta * kl_to_uniform(logits).sum()).backward()
    exact_bias = model.decoder[-1].bias.grad.clone()  # type: ignore[union-attr, operator]
    draws = 8_000
    found, bias, bound = gradients(estimator, model, x, draws, beta)
    assert logits.grad is not None
    sd = cost.std().item()  # each draw's noise is at most about the spread of the cost
    assert torch.allclose(found, logits.grad, atol=5 * sd / math.sqrt(draws))
    assert torch.allclose(bias, exact_bias, atol=0.02)
    assert bound == pytest.approx(-exact_bound(model, x).item(), abs=5 * sd / math.sqrt(draws))


@pytest.mark.parametrize("estimator", list(ESTIMATORS))
def test_every_estimator_trains(estimator: str) -> None:
    x = torch.rand(16, 784, generator=generator()).round()
    model = DiscreteVAE(latents=4, classes=4, hidden=(32, 16), pixel_mean=x.mean(0), generator=generator(1))
    optimizer, baseline, noise = torch.optim.Adam(model.parameters(), lr=3e-3), Baseline(), generator(2)
    before = score(model, x).elbo
    for _ in range(60):
        loss, _ = negative_elbo(estimator, model.encode(x), model.decode, x, tau=0.7, baseline=baseline, generator=noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert score(model, x).elbo > before + 10


@pytest.mark.parametrize("estimator", ["st", "reinmax", "sf"])
def test_hard_estimators_see_the_bound_itself(estimator: str, model: DiscreteVAE, images: Tensor) -> None:
    bound = gradients(estimator, model, images, 4000)[2]
    assert bound == pytest.approx(-exact_bound(model, images).mean().item(), abs=0.4)


def test_gumbel_softmax_sees_another_number(model: DiscreteVAE, images: Tensor) -> None:
    relaxed = score(model, images, draws=2000, taus=(0.5,)).relaxed[0.5]
    assert gradients("gs", model, images, 2000)[2] == pytest.approx(-relaxed, abs=0.3)


def test_unknown_estimator(model: DiscreteVAE, images: Tensor) -> None:
    with pytest.raises(ValueError, match=r"one of sf, rloo, gs, st, reinmax, got 'magic'"):
        negative_elbo("magic", model.encode(images), model.decode, images, tau=1.0, baseline=Baseline(), generator=generator())


def test_baseline_is_the_running_mean() -> None:
    baseline = Baseline(decay=0.5)
    assert [baseline.update(torch.full((3,), v)).item() for v in (4.0, 8.0, 0.0)] == [4.0, 4.0, 6.0]
    other = Baseline()
    other.load_state_dict(baseline.state_dict())
    assert other.mean.item() == 3.0


def test_initial_weights_honour_the_generator_and_the_mean() -> None:
    def made(seed: int) -> DiscreteVAE:
        return DiscreteVAE(latents=2, classes=3, hidden=(4, 4), pixel_mean=torch.full((784,), 0.2), generator=generator(seed))

    assert all(torch.equal(a, b) for a, b in zip(made(0).parameters(), made(0).parameters(), strict=True))
    assert not torch.equal(made(0).encoder[0].weight, made(1).encoder[0].weight)  # type: ignore[arg-type]
    assert torch.allclose(made(0).decoder[-1].bias.sigmoid(), torch.tensor(0.2))  # type: ignore[operator, union-attr]
