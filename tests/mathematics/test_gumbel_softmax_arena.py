"""The arena: exact gradients against finite differences, and the laws that the estimators must obey."""

from __future__ import annotations

import itertools

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from kexue.mathematics import gumbel_softmax_arena as arena
from kexue.mathematics.gumbel_softmax import reinmax, straight_through

SAMPLES = 20_000
TARGETS = ["linear", "quadratic", "tanh network", "sharp tanh network"]
Verdicts = dict[str, dict[str, arena.Score]]
Targets = dict[str, arena.Target]
UNBIASED = ["SF", "SF, b = E f", "RLOO, K = 4"]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def logits() -> Tensor:
    return torch.randn(3, 4, generator=rng(1), dtype=torch.float64)


@pytest.fixture(scope="module")
def targets() -> dict[str, arena.Target]:
    return arena.synthetic_targets(3, 4, generator=rng(2))


@pytest.fixture(scope="module")
def verdicts(logits: Tensor, targets: Targets) -> dict[str, dict[str, arena.Score]]:
    return {name: arena.arena(logits, f, samples=SAMPLES) for name, f in targets.items()}


def test_codes_are_all_codes_once() -> None:
    codes = arena.enumerate_codes(3, 4)
    assert codes.shape == (64, 3, 4)
    assert len(codes.flatten(1).unique(dim=0)) == 64
    assert bool((codes.sum(-1) == 1).all())
    assert torch.equal(arena.enumerate_codes(1, 3), torch.eye(3, dtype=torch.float64)[:, None])


def test_exact_value_of_a_function_that_counts_gives_the_probabilities(logits: Tensor) -> None:
    assert arena.exact_value(logits, lambda y: torch.ones(y.shape[:-2], dtype=y.dtype)).item() == pytest.approx(1, abs=1e-12)
    value = arena.exact_value(logits, lambda y: y[..., 1, 2])
    assert value.item() == pytest.approx(logits.softmax(-1)[1, 2].item(), abs=1e-12)


def test_exact_gradient_by_finite_differences(logits: Tensor, targets: Targets) -> None:
    for f in targets.values():
        gradient, step = arena.exact_gradient(logits, f), 1e-5
        for place in [(0, 0), (1, 3), (2, 2)]:
            move = torch.zeros_like(logits)
            move[place] = step
            slope = (arena.exact_value(logits + move, f) - arena.exact_value(logits - move, f)) / (2 * step)
            assert gradient[place].item() == pytest.approx(slope.item(), abs=1e-8)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", UNBIASED)
def test_the_score_function_family_is_unbiased_for_every_target(verdicts: Verdicts, target: str, name: str) -> None:
    assert verdicts[target][name].p_value > 1e-3


def test_straight_through_is_exact_without_variance_for_a_linear_target(verdicts: Verdicts) -> None:
    score = verdicts["linear"]["ST"]
    assert score.bias < 1e-12
    assert score.sd < 1e-12
    assert score.p_value == 1
    assert verdicts["quadratic"]["ST"].p_value < 1e-6


def test_reinmax_is_unbiased_up_to_second_order_by_enumeration(logits: Tensor, targets: Targets) -> None:
    def bias(estimator: object, name: str) -> float:
        f = targets[name]
        return (arena.exact_mean_of(estimator, logits, f) - arena.exact_gradient(logits, f)).norm().item()  # type: ignore[arg-type]

    assert bias(reinmax, "linear") < 1e-13
    assert bias(reinmax, "quadratic") < 1e-13
    assert bias(straight_through, "quadratic") > 1e-2
    assert bias(reinmax, "tanh network") > 1e-4


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bias_of_reinmax_falls_one_order_faster_with_curvature(logits: Tensor, seed: int) -> None:
    """f(s y): the bias of straight-through is of order s^2, that of ReinMax of order s^3."""

    def biases(sharpness: float) -> Tensor:
        f = arena.synthetic_targets(3, 4, generator=rng(seed), sharpness=sharpness)["sharp tanh network"]
        exact = arena.exact_gradient(logits, f)
        return torch.stack([(arena.exact_mean_of(e, logits, f) - exact).norm() for e in (straight_through, reinmax)])

    order = (biases(0.02) / biases(0.01)).log2()
    assert order.tolist() == pytest.approx([2, 3], abs=0.1)


@pytest.mark.parametrize("target", TARGETS)
def test_rao_blackwell_has_the_mean_of_straight_through_gumbel_softmax(logits: Tensor, targets: Targets, target: str) -> None:
    plain = arena.single_sample_gradients("ST-GS, τ = 1", logits, targets[target], samples=SAMPLES, generator=rng(3))
    averaged = arena.single_sample_gradients("RB ST-GS, S = 10", logits, targets[target], samples=SAMPLES, generator=rng(4))
    error = torch.sqrt((plain.var(0) + averaged.var(0)) / SAMPLES)
    assert bool(((plain.mean(0) - averaged.mean(0)).abs() < 4.5 * error).all())
    assert averaged.var(0).sum() < plain.var(0).sum()


@pytest.mark.parametrize("target", TARGETS)
def test_gumbel_softmax_trades_bias_for_variance(verdicts: Verdicts, target: str) -> None:
    rows = [verdicts[target][f"GS, τ = {tau}"] for tau in ("2", "1", "0.5", "0.1")]
    for hot, cold in itertools.pairwise(rows):
        assert cold.sd > hot.sd
    assert rows[-1].bias < rows[0].bias


def test_judge_knows_a_biased_sample_from_an_unbiased_one() -> None:
    exact = torch.zeros(2, 3, dtype=torch.float64)
    noise = torch.randn(5_000, 2, 3, generator=rng(), dtype=torch.float64)
    noise = noise - noise.mean(-1, keepdim=True)
    assert arena.judge(noise, exact).p_value > 1e-3
    shift = torch.tensor([0.1, -0.1, 0.0], dtype=torch.float64)
    assert arena.judge(noise + shift, exact).p_value < 1e-4
    off = arena.judge(noise + 1.0, exact)  # along the direction in which no gradient moves
    assert off.p_value == 0
    assert off.sd == pytest.approx(2.0, abs=0.05)
    assert arena.judge(torch.zeros(5, 2, 3, dtype=torch.float64), exact).p_value == 1


def test_the_second_call_gives_the_first_answer(logits: Tensor, targets: Targets) -> None:
    for name in arena.ESTIMATORS:
        one, two = (arena.single_sample_gradients(name, logits, targets["tanh network"], samples=50, generator=rng(6)) for _ in range(2))
        assert torch.equal(one, two)


def test_digits_decoder_explains_real_digits_better_than_one_mean_image() -> None:
    images = torch.tensor(load_digits().data[:300] / 16)
    net = arena.fit_digit_decoder(images, steps=80)
    codes = arena.enumerate_codes(3, 4)
    likelihood = torch.stack([f(codes) for f in arena.digit_targets(net, images)])  # (N, 64)
    mean_image = images.mean(0).clamp(1e-3, 1 - 1e-3)
    flat = (images * mean_image.log() + (1 - images) * (1 - mean_image).log()).sum(-1)
    assert likelihood.max(1).values.mean() > flat.mean() + 3
    by_hand = torch.distributions.Bernoulli(logits=net(codes[5].flatten()), validate_args=False).log_prob(images[0]).sum()
    assert likelihood[0, 5].item() == pytest.approx(by_hand.item(), abs=1e-9)
    again = arena.fit_digit_decoder(images, steps=80)
    assert all(torch.equal(one, two) for one, two in zip(net.parameters(), again.parameters(), strict=True))


def test_what_is_refused(logits: Tensor, targets: Targets) -> None:
    with pytest.raises(ValueError, match="unknown estimator 'SG'"):
        arena.single_sample_gradients("SG", logits, targets["linear"], samples=2)
    with pytest.raises(ValueError, match=r"shape \(L, k\)"):
        arena.single_sample_gradients("SF", logits[None], targets["linear"], samples=2)
    with pytest.raises(ValueError, match="gradients must have shape"):
        arena.judge(torch.zeros(5, 2, 2), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="values in"):
        arena.fit_digit_decoder(torch.full((3, 4), 2.0))


def test_race_with_the_exact_gradient_reaches_the_posterior_of_a_factorised_target() -> None:
    """If log p(x | c) is a sum over latents, the posterior is a product and q can match it."""
    weights = torch.randn(3, 4, generator=rng(8), dtype=torch.float64)

    def f(code: Tensor) -> Tensor:
        return (code * weights).sum((-1, -2))

    gaps = arena.race("exact", f, steps=300, rate=0.5, runs=2)
    assert gaps.shape == (300, 2)
    codes = arena.enumerate_codes(3, 4)
    start = f(codes).logsumexp(0) - f(codes).mean() - torch.log(torch.tensor(64.0, dtype=torch.float64))
    torch.testing.assert_close(gaps[0], start.expand(2))
    assert bool((gaps >= -1e-12).all())
    assert gaps[-1].max() < 1e-3
    noisy = arena.race("RLOO, K = 4", f, steps=100, rate=0.1, runs=8, seed=1)
    assert noisy[-1].mean() < noisy[0].mean() / 3
    assert torch.equal(noisy, arena.race("RLOO, K = 4", f, steps=100, rate=0.1, runs=8, seed=1))


def test_order_of_bias_is_one_for_straight_through_and_two_for_reinmax() -> None:
    bias = arena.order_of_bias([0.01, 0.02], seeds=5)
    order = {name: torch.log2(values[1] / values[0]).item() for name, values in bias.items()}
    assert order == pytest.approx({"ST": 1, "ReinMax": 2}, abs=0.1)
