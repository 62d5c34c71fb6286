"""Sampling and gradient estimators: exact laws, an independent library, and what happens at the door."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from kexue.mathematics import gumbel_softmax as gs

LOGITS = torch.tensor([0.3, -1.0, 1.2, 0.0], dtype=torch.float64)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draws(name: str, logits: Tensor, generator: torch.Generator) -> Tensor:
    return {
        "gumbel_softmax": lambda: gs.gumbel_softmax(logits, 0.7, generator=generator),
        "hard": lambda: gs.gumbel_softmax(logits, 0.7, hard=True, generator=generator),
        "straight_through": lambda: gs.straight_through(logits, generator=generator),
        "rao_blackwell": lambda: gs.rao_blackwell_straight_through(logits, 0.7, samples=3, generator=generator),
        "reinmax": lambda: gs.reinmax(logits, generator=generator),
    }[name]()


NAMES = ["gumbel_softmax", "hard", "straight_through", "rao_blackwell", "reinmax"]
HARD = NAMES[1:]


def chi_square_p(counts: Tensor, expected: Tensor) -> float:
    statistic = ((counts - expected) ** 2 / expected).sum()
    return torch.special.gammaincc(torch.tensor((len(counts) - 1) / 2, dtype=torch.float64), statistic / 2).item()


# ------------------------------------------------------------------------------------------------------------------------ the noise
def test_noise_follows_the_gumbel_law() -> None:
    g = gs.gumbel_noise((200_000,), generator=rng(), dtype=torch.float64).sort().values
    cdf = torch.exp(-torch.exp(-g))
    steps = torch.arange(1, len(g) + 1, dtype=torch.float64) / len(g)
    assert (cdf - steps).abs().max() < 1.95 / math.sqrt(len(g))  # Kolmogorov-Smirnov at 0.001
    # standard errors of the mean and of the variance: 0.0029 and 0.0077 (kurtosis 5.4)
    assert g.mean().item() == pytest.approx(0.577216, abs=0.012)
    assert g.var().item() == pytest.approx(math.pi**2 / 6, abs=0.032)


def test_noise_reaches_beyond_the_truncated_range_of_the_reference_code() -> None:
    g = gs.gumbel_noise((1_000_000,), generator=rng(3), dtype=torch.float64)
    lowest = -math.log(-math.log(1e-7) + 1e-7)
    assert lowest == pytest.approx(-2.78, abs=0.005)
    assert -math.log(-math.log(1 - 1e-7 + 1e-7) + 1e-7) == pytest.approx(16.12, abs=0.005)
    # P(G < -2.78) is 1e-7, so a million draws rarely pass it; the range itself is open: its minimum lies near -log log 1e6
    assert g.min().item() == pytest.approx(-math.log(math.log(1e6)), abs=0.25)


def test_smallest_exponential_gives_a_finite_gumbel() -> None:
    assert torch.isfinite(gs.gumbel_noise((100_000,), generator=rng(), dtype=torch.float32)).all()


def test_max_stability_and_independence_of_the_winner() -> None:
    perturbed = LOGITS + gs.gumbel_noise((100_000, 4), generator=rng(1), dtype=torch.float64)
    top, winner = perturbed.max(-1)
    centred = (top - LOGITS.logsumexp(-1)).sort().values
    steps = torch.arange(1, len(top) + 1, dtype=torch.float64) / len(top)
    assert (torch.exp(-torch.exp(-centred)) - steps).abs().max() < 1.95 / math.sqrt(len(top))
    for i in range(4):  # the maximum has the same mean whoever wins
        part = top[winner == i]
        assert (part.mean() - top.mean()).abs() < 4.5 * part.std() / math.sqrt(len(part))


# ---------------------------------------------------------------------------------------------------------------------- draws
def test_gumbel_max_frequencies() -> None:
    counts = gs.gumbel_max(LOGITS.expand(200_000, 4), generator=rng()).sum(0)
    assert chi_square_p(counts, 200_000 * LOGITS.softmax(-1)) > 0.001


@pytest.mark.parametrize("name", HARD)
def test_hard_draws_are_one_hot_to_the_bit_with_the_right_frequencies(name: str) -> None:
    y = draws(name, LOGITS.clone().requires_grad_().expand(40_000, 4), rng(2))
    assert set(y.detach().unique().tolist()) == {0.0, 1.0}
    assert bool((y.sum(-1) == 1).all())
    assert chi_square_p(y.detach().sum(0), 40_000 * LOGITS.softmax(-1)) > 0.001


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("tau", [0.1, 1.0, 3.0])
def test_equals_pytorch_under_the_same_noise(hard: bool, tau: float) -> None:
    logits = torch.randn(5, 3, 4, generator=rng(1)).requires_grad_()
    weights = torch.randn(5, 3, 4, generator=rng(2))
    with torch.random.fork_rng():
        torch.manual_seed(7)
        theirs = functional.gumbel_softmax(logits, tau=tau, hard=hard)
    ours = gs.gumbel_softmax(logits, tau, hard=hard, generator=rng(7))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7)
    (one,) = torch.autograd.grad((ours * weights).sum(), logits)
    (two,) = torch.autograd.grad((theirs * weights).sum(), logits)
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-7)


def test_limits_in_temperature() -> None:
    noise = gs.gumbel_noise((2_000, 4), generator=rng(), dtype=torch.float64)
    hot = gs.gumbel_softmax(LOGITS, 1e4, noise=noise)
    torch.testing.assert_close(hot, torch.full_like(hot, 0.25), rtol=0, atol=1e-3)
    cold = gs.gumbel_softmax(LOGITS, 1e-6, noise=noise)
    torch.testing.assert_close(cold, gs.gumbel_max(LOGITS, noise=noise), rtol=0, atol=1e-3)


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0])
def test_argmax_keeps_the_law_at_every_temperature(tau: float) -> None:
    y = gs.gumbel_softmax(LOGITS.expand(100_000, 4), tau, generator=rng(4))
    assert chi_square_p(torch.bincount(y.argmax(-1), minlength=4).double(), 100_000 * LOGITS.softmax(-1)) > 0.001


@given(shift=st.floats(-50, 50), tau=st.floats(0.1, 5), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_shift_of_all_logits_changes_nothing(shift: float, tau: float, seed: int) -> None:
    noise = gs.gumbel_noise((4,), generator=rng(seed), dtype=torch.float64)
    here = gs.gumbel_softmax(LOGITS, tau, noise=noise)
    torch.testing.assert_close(gs.gumbel_softmax(LOGITS + shift, tau, noise=noise), here, rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 999), classes=st.integers(2, 7), tau=st.floats(0.2, 3))
@settings(max_examples=30, deadline=None)
def test_permuting_the_classes_permutes_the_draw(seed: int, classes: int, tau: float) -> None:
    logits = torch.randn(classes, generator=rng(seed), dtype=torch.float64)
    noise = gs.gumbel_noise((classes,), generator=rng(seed + 1), dtype=torch.float64)
    order = torch.randperm(classes, generator=rng(seed + 2))
    permuted = gs.gumbel_softmax(logits[order], tau, noise=noise[order])
    torch.testing.assert_close(permuted, gs.gumbel_softmax(logits, tau, noise=noise)[order], rtol=1e-12, atol=1e-15)


def test_gradcheck_of_the_relaxed_draw() -> None:
    noise = gs.gumbel_noise((2, 4), generator=rng(), dtype=torch.float64)
    logits = torch.randn(2, 4, generator=rng(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda o: gs.gumbel_softmax(o, 0.6, noise=noise), logits)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_and_no_call_changes_the_next(name: str) -> None:
    logits = torch.randn(3, 4, generator=rng(9))
    before = torch.random.get_rng_state()
    first, second = draws(name, logits, rng(5)), draws(name, logits, rng(5))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.random.get_rng_state())
    many = [draws(name, logits, rng(seed)) for seed in range(8)]
    assert any(not torch.equal(first, other) for other in many)


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_none_and_one_and_the_type_of_the_input(name: str) -> None:
    assert draws(name, torch.zeros(0, 3), rng()).shape == (0, 3)
    assert draws(name, torch.zeros(1, 3), rng()).sum().item() == pytest.approx(1)
    assert draws(name, torch.zeros(2, 3, dtype=torch.float64), rng()).dtype == torch.float64


# ---------------------------------------------------------------------------------------------------------------------- estimators
def jacobian(y: Tensor, logits: Tensor) -> Tensor:
    return torch.stack([torch.autograd.grad(y[i], logits, retain_graph=True)[0] for i in range(len(y))])


def softmax_jacobian(p: Tensor) -> Tensor:
    return torch.diag(p) - torch.outer(p, p)


def test_straight_through_has_the_softmax_jacobian() -> None:
    logits = LOGITS.clone().requires_grad_()
    expected = softmax_jacobian(LOGITS.softmax(-1))
    torch.testing.assert_close(jacobian(gs.straight_through(logits, generator=rng()), logits), expected, rtol=1e-12, atol=1e-15)


def test_reinmax_has_the_jacobian_of_its_definition() -> None:
    logits, p = LOGITS.clone().requires_grad_(), LOGITS.softmax(-1)
    for i in range(4):
        draw = torch.eye(4, dtype=torch.float64)[i]
        expected = 2 * softmax_jacobian((p + draw) / 2) - softmax_jacobian(p) / 2
        torch.testing.assert_close(jacobian(gs.reinmax(logits, draw=draw), logits), expected, rtol=1e-12, atol=1e-14)


def test_conditional_gumbels_have_the_law_of_the_unconditional_ones_that_won() -> None:
    perturbed = LOGITS.log_softmax(-1) + gs.gumbel_noise((400_000, 4), generator=rng(), dtype=torch.float64)
    for i in range(4):
        kept = perturbed[perturbed.argmax(-1) == i]
        draw = torch.eye(4, dtype=torch.float64)[i]
        given_draw = gs.conditional_gumbels(LOGITS, draw, samples=len(kept), generator=rng(i + 1))
        assert bool((given_draw.argmax(-1) == i).all())
        error = torch.sqrt((kept.var(0) + given_draw.var(0)) / len(kept))
        assert bool(((kept.mean(0) - given_draw.mean(0)).abs() < 4.5 * error).all())
        # standard error of a log-variance is at most sqrt(6 / n) here (kurtosis below 7)
        spread = (kept.var(0) / given_draw.var(0)).log().abs()
        assert bool((spread < 4.5 * math.sqrt(2 * 6 / len(kept))).all())


def test_rao_blackwell_keeps_the_mean_and_lowers_the_variance() -> None:
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)

    def gradients(hard: bool) -> Tensor:
        logits = LOGITS.expand(60_000, 4).clone().requires_grad_()
        y = (
            gs.gumbel_softmax(logits, 1.0, hard=True, generator=rng(1))
            if hard
            else gs.rao_blackwell_straight_through(logits, 1.0, samples=10, generator=rng(2))
        )
        return torch.autograd.grad(((y @ weights) ** 2).sum(), logits)[0]

    plain, averaged = gradients(True), gradients(False)
    error = torch.sqrt((plain.var(0) + averaged.var(0)) / len(plain))
    assert bool(((plain.mean(0) - averaged.mean(0)).abs() < 4.5 * error).all())
    assert averaged.var(0).sum() < 0.9 * plain.var(0).sum()


def test_score_function_surrogate_has_the_value_and_the_gradient_it_promises() -> None:
    f = torch.tensor([[1.0, 2.0], [4.0, 8.0]], dtype=torch.float64, requires_grad=True)
    log_prob = torch.tensor([[0.1, 0.2], [0.3, 0.4]], dtype=torch.float64, requires_grad=True)
    loss = gs.score_function_loss(f, log_prob, baseline=1.5)
    torch.testing.assert_close(loss, f.mean(0))
    to_f, to_log_prob = torch.autograd.grad(loss.sum(), [f, log_prob])
    torch.testing.assert_close(to_f, torch.full_like(f, 0.5))
    torch.testing.assert_close(to_log_prob, (f.detach() - 1.5) / 2)


@pytest.mark.parametrize("baseline", [0.0, -3.0, 10.0])
def test_score_function_is_unbiased_with_any_constant_baseline(baseline: float) -> None:
    logits = LOGITS.clone().requires_grad_()
    values = torch.tensor([2.0, -1.0, 0.5, 4.0], dtype=torch.float64)
    codes, p = torch.eye(4, dtype=torch.float64), LOGITS.softmax(-1)
    exact = torch.autograd.grad((logits.softmax(-1) * values).sum(), logits)[0]
    mean = torch.zeros(4, dtype=torch.float64)
    for i in range(4):  # the mean over the draw, by enumeration
        log_prob = gs.one_hot_log_prob(logits, codes[i])[None]
        loss = gs.score_function_loss(values[i][None], log_prob, baseline=baseline)
        mean += p[i] * torch.autograd.grad(loss, logits)[0]
    torch.testing.assert_close(mean, exact, rtol=1e-12, atol=1e-14)


def test_leave_one_out_is_unbiased_and_silent_for_a_constant() -> None:
    values, p = torch.tensor([2.0, -1.0, 0.5, 4.0], dtype=torch.float64), LOGITS.softmax(-1)
    codes = torch.eye(4, dtype=torch.float64)
    logits = LOGITS.clone().requires_grad_()
    exact = torch.autograd.grad((logits.softmax(-1) * values).sum(), logits)[0]
    mean = torch.zeros(4, dtype=torch.float64)
    for i in range(4):
        for j in range(4):  # both draws, by enumeration
            pair = torch.stack([codes[i], codes[j]])
            loss = gs.rloo(values[[i, j]], gs.one_hot_log_prob(logits, pair))
            mean += p[i] * p[j] * torch.autograd.grad(loss, logits)[0]
    torch.testing.assert_close(mean, exact, rtol=1e-12, atol=1e-14)
    draw = gs.gumbel_max(LOGITS.expand(5, 4), generator=rng())
    silent = gs.rloo(torch.full((5,), 7.0, dtype=torch.float64), gs.one_hot_log_prob(logits, draw))
    assert torch.autograd.grad(silent, logits)[0].abs().max().item() == 0


# ---------------------------------------------------------------------------------------------------------------------- the door
@pytest.mark.parametrize("tau", [0.0, -1.0, math.nan, math.inf, "1"])
def test_a_temperature_must_be_positive_and_finite(tau: float) -> None:
    with pytest.raises(ValueError, match="finite number above 0"):
        gs.gumbel_softmax(LOGITS, tau)
    with pytest.raises(ValueError, match="finite number above 0"):
        gs.rao_blackwell_straight_through(LOGITS, tau)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.tensor([0.0, math.nan]), "finite"),
        (torch.tensor([0.0, -math.inf]), "finite"),
        (torch.zeros(3, 1), "at least k = 2"),
        (torch.tensor(1.0), "at least k = 2"),
        (torch.tensor([1, 2]), "floating-point"),
    ],
)
def test_logits_must_be_finite_reals_with_a_class_axis(name: str, bad: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draws(name, bad, rng())


def test_other_inputs_that_are_refused() -> None:
    with pytest.raises(ValueError, match="got list"):
        gs.gumbel_softmax([0.0, 1.0], 1.0)  # type: ignore[arg-type]
    for shape in [(3,), (4, 2), (2, 3)]:
        with pytest.raises(ValueError, match="noise must have shape"):
            gs.gumbel_softmax(torch.zeros(2, 4), 1.0, noise=torch.zeros(shape))
    with pytest.raises(ValueError, match="shape of the logits"):
        gs.conditional_gumbels(LOGITS, torch.eye(4))
    with pytest.raises(ValueError, match="one-hot"):
        gs.reinmax(LOGITS, draw=torch.full((4,), 0.25, dtype=torch.float64))
    with pytest.raises(ValueError, match="samples must be at least 1"):
        gs.rao_blackwell_straight_through(LOGITS, 1.0, samples=0)
    with pytest.raises(ValueError, match="share a shape"):
        gs.score_function_loss(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="at least K = 2"):
        gs.rloo(torch.zeros(1, 3), torch.zeros(1, 3))


@pytest.mark.parametrize(
    ("bad", "message"),
    [([0.2, 0.9], "sum to 1"), ([1.0, 0.0], "positive"), ([1.5, -0.5], "positive"), ([math.nan, 0.5], "finite")],
)
def test_probabilities_must_lie_on_the_simplex(bad: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gs.probabilities_to_logits(torch.tensor(bad))


def test_probabilities_come_back() -> None:
    p = torch.tensor([[0.2, 0.3, 0.5], [0.9, 0.05, 0.05]], dtype=torch.float64)
    torch.testing.assert_close(gs.probabilities_to_logits(p).softmax(-1), p)
