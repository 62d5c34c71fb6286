"""The cost, its floor, its gradients and negative sampling, against enumeration, autograd and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kexue.mathematics import minimum_entropy as me

F64 = torch.float64


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def law(n: int = 5, seed: int = 0) -> Tensor:
    counts = torch.rand(n, n, generator=rng(seed), dtype=F64)
    return counts / counts.sum()


def vectors(n: int = 5, d: int = 2, seed: int = 1) -> Tensor:
    return torch.randn(n, d, generator=rng(seed), dtype=F64)


# ------------------------------------------------------------------------------------------------------------------- the records
def test_the_floor_of_a_table_computed_by_hand() -> None:
    joint = torch.tensor([[0.0, 0.5], [0.25, 0.25]], dtype=F64)
    assert me.conditional(joint).tolist() == [[0.0, 1.0], [0.5, 0.5]]
    assert me.conditional_entropy(joint).item() == pytest.approx(0.5 * math.log(2), abs=1e-15)
    # second items have shares 1/4 and 3/4
    entropy = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert me.mutual_information(joint).item() == pytest.approx(entropy - 0.5 * math.log(2), abs=1e-15)
    assert me.pmi(joint)[1].tolist() == pytest.approx([math.log(2), math.log(2 / 3)], abs=1e-15)
    assert me.pmi(joint)[0, 0].item() == -math.inf


def test_mutual_information_is_the_mean_pmi_and_vanishes_for_independent_items() -> None:
    joint = law()
    assert me.mutual_information(joint).item() == pytest.approx((joint * me.pmi(joint)).sum().item(), abs=1e-14)
    p = torch.tensor([0.2, 0.3, 0.5], dtype=F64)
    independent = p[:, None] * p
    assert me.mutual_information(independent).item() == pytest.approx(0, abs=1e-15)
    assert me.conditional_entropy(independent).item() == pytest.approx(-(p * p.log()).sum().item(), abs=1e-15)


@pytest.mark.parametrize(
    ("joint", "message"),
    [
        ([[0.5, 0.5]], "joint must be a floating-point tensor of shape (N, N), got list"),
        (torch.eye(2, dtype=torch.int64), "joint must be a floating-point tensor of shape (N, N), got torch.int64"),
        (torch.ones(2, 3) / 6, "joint must have shape (N, N) with at least N = 2 items, got shape (2, 3)"),
        (torch.ones(1, 1), "joint must have shape (N, N) with at least N = 2 items, got shape (1, 1)"),
        (torch.ones(4), "joint must have shape (N, N) with at least N = 2 items, got shape (4,)"),
        (torch.tensor([[0.6, 0.5], [-0.1, 0.0]]), "joint must hold shares of at least 0, got a negative number or a NaN"),
        (torch.tensor([[0.6, math.nan], [0.1, 0.0]]), "joint must hold shares of at least 0, got a negative number or a NaN"),
        (torch.tensor([[0.5, 0.5], [0.5, 0.5]]), "joint must sum to 1, its sum misses it by 1; divide counts by their total"),
        (torch.tensor([[0.5, 0.5], [0.0, 0.0]]), "every item must be taken first at least once, item 1 never is"),
    ],
)
def test_what_is_no_joint_law_is_refused_in_words(joint: Tensor, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        me.check_joint(joint)
    assert str(caught.value) == message


def test_the_sum_may_miss_one_by_the_tolerance_and_no_more() -> None:
    joint = torch.tensor([[0.5, 0.25], [0.125, 0.25]], dtype=F64)  # sum 1.125
    assert me.check_joint(joint, tolerance=0.125) is joint
    with pytest.raises(ValueError, match=r"misses it by 0\.125"):
        me.check_joint(joint, tolerance=0.12)
    me.check_joint(law() * (1 + 9e-7))
    with pytest.raises(ValueError, match=r"misses it by 1\.1e-06"):
        me.check_joint(law() * (1 + 1.1e-6))


def test_pmi_needs_every_item_second() -> None:
    with pytest.raises(ValueError, match="every item must be taken second at least once, item 1 never is"):
        me.pmi(torch.tensor([[0.5, 0.0], [0.5, 0.0]]))


# ---------------------------------------------------------------------------------------------------------------------- the cost
def test_logits_pair_by_pair() -> None:
    v, w = vectors(3), vectors(4, seed=2)
    dot, far = me.dot_logits(v, w), me.distance_logits(v, w)
    assert dot.shape == far.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            assert dot[i, j].item() == pytest.approx(float(v[i] @ w[j]), abs=1e-14)
            assert far[i, j].item() == pytest.approx(-float((v[i] - w[j]).square().sum()), abs=1e-14)
    assert torch.equal(me.dot_logits(v), me.dot_logits(v, v))
    assert torch.equal(me.distance_logits(v), me.distance_logits(v, v))
    with pytest.raises(ValueError, match=r"vectors must have shape \(N, n\), got shape \(3,\)"):
        me.dot_logits(torch.zeros(3))


def test_the_distance_softmax_is_the_dot_softmax_with_a_bias() -> None:
    v = vectors(8, 3)
    biased = 2 * me.dot_logits(v) - v.square().sum(1)
    assert torch.allclose(me.distance_logits(v).softmax(1), biased.softmax(1), atol=1e-15, rtol=0)


def test_without_self_forbids_the_diagonal_alone() -> None:
    s = law(3)
    masked = me.without_self(s)
    assert masked.diagonal().tolist() == [-math.inf] * 3
    off = ~torch.eye(3, dtype=torch.bool)
    assert torch.equal(masked[off], s[off])


def test_entropy_against_a_loop() -> None:
    joint, s = law(4), vectors(4, 4)
    value = 0.0
    for i in range(4):
        total = sum(math.exp(s[i, j]) for j in range(4))
        value -= sum(float(joint[i, j]) * math.log(math.exp(s[i, j]) / total) for j in range(4))
    assert me.entropy(joint, s).item() == pytest.approx(value, abs=1e-13)


def test_no_order_costs_log_n_and_free_scores_reach_the_floor() -> None:
    joint = law(6)
    assert me.entropy(joint, torch.zeros(6, 6, dtype=F64)).item() == pytest.approx(math.log(6), abs=1e-14)
    shifted = me.conditional(joint).log() + torch.arange(6.0, dtype=F64)[:, None]
    assert me.entropy(joint, shifted).item() == pytest.approx(me.conditional_entropy(joint).item(), abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_the_excess_is_what_lies_above_the_floor(seed: int) -> None:
    joint, s = law(5, seed), 3 * vectors(5, 5, seed + 7)
    parts = me.excess(joint, s)
    assert parts.shape == (5,)
    assert bool((parts > 0).all())
    assert parts.sum().item() == pytest.approx((me.entropy(joint, s) - me.conditional_entropy(joint)).item(), abs=1e-13)
    assert me.excess(joint, me.conditional(joint).log()).abs().max().item() == pytest.approx(0, abs=1e-15)


def test_forbidden_pairs_cost_nothing_where_they_never_happen() -> None:
    joint = law(4) * (1 - torch.eye(4, dtype=F64))
    joint = joint / joint.sum()
    s = me.without_self(torch.zeros(4, 4, dtype=F64))
    assert me.entropy(joint, s).item() == pytest.approx(math.log(3), abs=1e-14)
    assert me.excess(joint, s).sum().item() == pytest.approx(math.log(3) - me.conditional_entropy(joint).item(), abs=1e-14)


@pytest.mark.parametrize("function", [me.entropy, me.excess, me.pull])
def test_logits_of_another_shape_are_refused(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(ValueError, match=r"logits must have the shape of the joint law \(5, 5\), got \(4, 4\)"):
        function(law(), torch.zeros(4, 4))


# ------------------------------------------------------------------------------------------------------------------- the gradients
def test_pull_is_the_gradient_in_the_scores() -> None:
    joint, s = law(), vectors(5, 5).requires_grad_()
    (slope,) = torch.autograd.grad(me.entropy(joint, s), s)
    assert torch.allclose(me.pull(joint, s), slope, atol=1e-15, rtol=0)


@pytest.mark.parametrize(("score", "gradient"), [(me.dot_logits, me.dot_gradient), (me.distance_logits, me.distance_gradient)])
def test_gradients_of_the_tied_models_against_autograd(
    score: Callable[[Tensor], Tensor], gradient: Callable[[Tensor, Tensor], Tensor]
) -> None:
    joint, v = law(7, 3), vectors(7, 3, 4).requires_grad_()
    (slope,) = torch.autograd.grad(me.entropy(joint, score(v)), v)
    assert torch.allclose(gradient(joint, v.detach()), slope, atol=1e-15, rtol=0)


def test_which_motions_leave_the_cost_alone() -> None:
    joint, v = law(), vectors(5, 2)
    turn = torch.tensor([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]], dtype=F64)
    shift = torch.tensor([0.7, -0.4], dtype=F64)
    dot, far = me.entropy(joint, me.dot_logits(v)), me.entropy(joint, me.distance_logits(v))
    assert me.entropy(joint, me.dot_logits(v @ turn)).item() == pytest.approx(dot.item(), abs=1e-14)
    assert me.entropy(joint, me.distance_logits(v @ turn + shift)).item() == pytest.approx(far.item(), abs=1e-14)
    assert abs(me.entropy(joint, me.dot_logits(v + shift)) - dot) > 0.05


# ------------------------------------------------------------------------------------------------------------------------ fitting
def symmetric(n: int = 5, seed: int = 2) -> Tensor:
    joint = law(n, seed)
    joint = (joint + joint.T) * (1 - torch.eye(n, dtype=F64))
    return joint / joint.sum()


@pytest.mark.parametrize("model", ["dot", "distance"])
def test_tied_vectors_reach_the_floor_of_symmetric_records_without_self_pairs(model: me.Model) -> None:
    joint = symmetric()
    v, w, cost = me.fit(joint, 5, model=model, self_pairs=False, steps=600, generator=rng())
    assert torch.equal(w, v)
    assert cost == pytest.approx(me.conditional_entropy(joint).item(), abs=1e-6)
    score = me.dot_logits if model == "dot" else me.distance_logits
    assert me.entropy(joint, me.without_self(score(v))).item() == pytest.approx(cost, abs=1e-14)


def test_untied_vectors_reach_the_floor_of_records_with_a_direction_and_tied_ones_do_not() -> None:
    joint = torch.full((4, 4), 0.02, dtype=F64)
    for i in range(4):
        joint[i, (i + 1) % 4] = 0.19
    floor = me.conditional_entropy(joint).item()
    v, w, untied = me.fit(joint, 4, tied=False, steps=600, generator=rng())
    assert not torch.equal(v, w)
    assert untied == pytest.approx(floor, abs=1e-6)
    assert me.entropy(joint, me.dot_logits(v, w)).item() == pytest.approx(untied, abs=1e-14)
    _, _, tied = me.fit(joint, 4, steps=600, generator=rng())
    assert tied > floor + 0.1


def test_more_starts_never_cost_more_and_the_seed_is_honoured() -> None:
    joint = law(6, 5)
    one = me.fit(joint, 1, model="distance", generator=rng(3))
    again = me.fit(joint, 1, model="distance", generator=rng(3))
    assert torch.equal(one[0], again[0])
    assert one[2] == again[2]
    several = me.fit(joint, 1, model="distance", starts=6, generator=rng(3))
    assert several[2] <= one[2]
    assert me.entropy(joint, me.distance_logits(several[0])).item() == pytest.approx(several[2], abs=1e-14)


def test_the_start_is_small_and_no_step_leaves_it_there() -> None:
    joint = law()
    v, _, cost = me.fit(joint, 2, steps=0, generator=rng(9))
    assert torch.equal(v, 0.3 * torch.randn(1, 5, 2, generator=rng(9), dtype=F64)[0])
    assert cost == pytest.approx(me.entropy(joint, me.dot_logits(v)).item(), abs=1e-15)


def test_fit_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="model must be 'dot' or 'distance', got 'cosine'"):
        me.fit(law(), 2, model="cosine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n and starts must be at least 1, got n = 0, starts = 1"):
        me.fit(law(), 0)
    with pytest.raises(ValueError, match="n and starts must be at least 1, got n = 1, starts = 0"):
        me.fit(law(), 1, starts=0)


# -------------------------------------------------------------------------------------------------------------- negative sampling
def test_loss_of_negative_sampling_against_a_loop() -> None:
    counts = torch.tensor([[3.0, 0.0, 2.0], [1.0, 4.0, 0.0], [2.0, 2.0, 6.0]], dtype=F64)
    s, k = vectors(3, 3), 2.5
    value = 0.0
    for i in range(3):
        for j in range(3):
            sigma = 1 / (1 + math.exp(-s[i, j]))
            value -= float(counts[i, j]) * math.log(sigma)
            value -= k * float(counts[i].sum() * counts[:, j].sum() / 20) * math.log(1 - sigma)
    assert me.sgns_loss(counts, s, negatives=k).item() == pytest.approx(value / 20, abs=1e-13)


def test_descent_on_a_table_ends_at_pmi_minus_log_k() -> None:
    counts = torch.tensor([[9.0, 3.0, 4.0], [2.0, 7.0, 5.0], [6.0, 1.0, 8.0]], dtype=F64)
    s = torch.zeros(3, 3, dtype=F64, requires_grad=True)
    optimiser = torch.optim.LBFGS([s], max_iter=300, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = me.sgns_loss(counts, s, negatives=5)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    optimum = me.sgns_optimum(counts, negatives=5)
    assert torch.allclose(s.detach(), optimum, atol=1e-6, rtol=0)
    assert torch.allclose(optimum, me.pmi(counts / counts.sum()) - math.log(5), atol=1e-14, rtol=0)


def test_the_smoothed_noise_adds_a_bonus_for_frequent_contexts() -> None:
    counts = torch.tensor([[9.0, 3.0, 4.0], [2.0, 7.0, 5.0], [6.0, 1.0, 8.0]], dtype=F64)
    seen = counts.sum(0)
    noise = seen**0.75 / (seen**0.75).sum()
    gain = me.sgns_optimum(counts, negatives=2, noise=noise) - me.sgns_optimum(counts, negatives=2)
    bonus = 0.25 * seen.log() + math.log(float((seen**0.75).sum() / seen.sum()))
    assert torch.allclose(gain, bonus.expand(3, 3), atol=1e-14, rtol=0)
    s = me.sgns_optimum(counts, negatives=2, noise=noise).requires_grad_()
    (slope,) = torch.autograd.grad(me.sgns_loss(counts, s, negatives=2, noise=noise), s)
    assert slope.abs().max().item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("function", [me.sgns_loss, lambda c, s, negatives: me.sgns_optimum(c, negatives=negatives)])
@pytest.mark.parametrize("k", [0, -1, math.nan])
def test_no_negatives_no_loss(function: Callable[..., Tensor], k: float) -> None:
    with pytest.raises(ValueError, match=f"negatives must be above 0, got {k!r}"):
        function(torch.ones(2, 2), torch.zeros(2, 2), negatives=k)


def test_a_second_call_gives_the_same_and_single_precision_stays_single() -> None:
    joint, v = law().float(), vectors().float()
    assert me.entropy(joint, me.dot_logits(v)).dtype == torch.float32
    assert me.dot_gradient(joint, v).dtype == me.distance_gradient(joint, v).dtype == torch.float32
    assert torch.equal(me.distance_gradient(joint, v), me.distance_gradient(joint, v))


def test_defaults_of_the_fit() -> None:
    joint = law(6, 5)
    plain = me.fit(joint, 2, generator=rng(4))
    said = me.fit(joint, 2, model="dot", tied=True, self_pairs=True, starts=1, steps=200, generator=rng(4))
    assert torch.equal(plain[0], said[0])
    assert plain[2] == said[2]


def test_the_best_start_is_kept() -> None:
    joint, g = law(6, 5), rng(3)
    early = {"model": "distance", "steps": 2}  # so that the starts have not yet met
    each = [me.fit(joint, 1, generator=g, **early)[2] for _ in range(6)]  # type: ignore[arg-type]
    best = me.fit(joint, 1, starts=6, generator=rng(3), **early)  # type: ignore[arg-type]
    assert best[2] == pytest.approx(min(each), abs=1e-12)
    assert max(each) > min(each) + 1e-4
    assert each[0] != min(each) != each[-1]
    assert me.entropy(joint, me.distance_logits(best[0])).item() == pytest.approx(best[2], abs=1e-14)
