"""Groups, masks, callbacks and free outputs."""

from __future__ import annotations

import gc
import math
import os
import signal
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kexue.training import Album, Interrupted, Patience, Run, every, fit
from kexue.training.callbacks import Moment
from kexue.training.groups import by_name, layerwise, set_rate
from kexue.training.masks import frozen, masked_max, masked_mean, masked_softmax, reverse_valid, valid
from kexue.training.outputs import Counts, Means, watch


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)).double()
    with torch.no_grad():
        for seed, parameter in enumerate(net.parameters()):
            parameter.copy_(normal(*parameter.shape, seed=seed))
    return net


# ---------------------------------------------------------------------------------------------------------------------------- groups
def step_of(net: nn.Module, groups: Any) -> dict[str, Tensor]:
    """How each parameter moves in one step of gradient descent."""
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.SGD(groups, lr=1.0)
    optimizer.zero_grad()
    net(normal(5, 3)).square().mean().backward()
    optimizer.step()
    return {name: p.detach() - before[name] for name, p in net.named_parameters()}


def test_each_parameter_moves_by_its_factor() -> None:
    net, other = network(), network()
    alike = step_of(net, by_name(net, 0.1, {}))
    moved = step_of(other, by_name(other, 0.1, {"0.weight": 0.25, "0.*": 0.5, "1.*": 0.0}))
    for name, factor in (("0.weight", 0.25), ("0.bias", 0.5), ("1.weight", 0.0), ("1.bias", 0.0), ("2.weight", 1.0)):
        torch.testing.assert_close(moved[name], factor * alike[name], rtol=1e-12, atol=1e-15)


def test_only_matrices_decay() -> None:
    net = network()
    decays = {id(p): g["weight_decay"] for g in by_name(net, 0.1, {}, weight_decay=0.3) for p in g["params"]}
    assert [decays[id(p)] for p in net.parameters()] == [0.3, 0, 0, 0, 0.3, 0]
    assert {g["weight_decay"] for g in by_name(net, 0.1, {}, weight_decay=0.3, decay_all=True)} == {0.3}


def test_a_shared_parameter_is_there_once_and_a_frozen_one_not() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    net[1].bias.requires_grad_(False)
    found = [p for g in by_name(net, 1.0, {}) for p in g["params"]]
    assert {id(p) for p in found} == {id(net[0].weight), id(net[0].bias)}
    assert len(found) == 2


def test_rates_fall_towards_the_input_and_a_schedule_keeps_their_ratios() -> None:
    net = network()
    optimizer = torch.optim.Adam(layerwise(list(net), 0.1, 1 / 2.6))
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.1 / 2.6**2, 0.1 / 2.6, 0.1])
    set_rate(optimizer, 0.05)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.05 / 2.6**2, 0.05 / 2.6, 0.05])
    plain = torch.optim.SGD(net.parameters(), lr=1.0)
    set_rate(plain, 0.5)
    assert plain.param_groups[0]["lr"] == 0.5


def test_impossible_groups() -> None:
    net = network()
    with pytest.raises(ValueError, match=r"negative: 0\.\*"):
        by_name(net, 0.1, {"0.*": -1.0})
    with pytest.raises(ValueError, match=r"no trained parameter is named 7\.\*; there are 0\.weight"):
        by_name(net, 0.1, {"7.*": 0.5})
    with pytest.raises(ValueError, match="must be positive"):
        layerwise(list(net), 0.1, 0.0)
    with pytest.raises(ValueError, match="layer 1 shares"):
        layerwise([net[0], net[0]], 0.1, 0.5)


# ----------------------------------------------------------------------------------------------------------------------------- masks
@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    pads=st.integers(0, 5),
    junk=st.sampled_from([0.0, 1e30, math.inf, -math.inf]),
)
def test_padding_changes_nothing_whatever_is_in_it(lengths: list[int], pads: int, junk: float) -> None:
    longest = max(lengths) + pads
    mask = valid(torch.tensor(lengths), longest)
    x = normal(len(lengths), longest, 2).masked_fill(~mask[..., None], junk)
    weights = masked_softmax(x[..., 0], mask)
    for row, n in enumerate(lengths):
        data = x[row, :n]
        torch.testing.assert_close(masked_mean(x, mask)[row], data.mean(0), rtol=1e-12, atol=1e-12)
        assert torch.equal(masked_max(x, mask)[row], data.amax(0))
        torch.testing.assert_close(weights[row, :n], data[:, 0].softmax(0), rtol=1e-12, atol=1e-12)
        assert not weights[row, n:].any()


def test_by_hand() -> None:
    x = torch.tensor([[1.0, 0, 3, 4, 5, 0, 0, 0]])
    mask = valid(torch.tensor([5]), 8)
    assert masked_mean(x, mask).item() == pytest.approx(2.6)
    assert masked_max(-x - 1, mask).item() == -1


def test_empty_rows_give_0_in_values_and_gradients() -> None:
    x = normal(2, 3).requires_grad_()
    mask = valid(torch.tensor([0, 2]), 3)
    total = masked_mean(x, mask).sum() + masked_max(x, mask).sum() + (masked_softmax(x, mask) * normal(2, 3, seed=1)).sum()
    total.backward()
    assert x.grad is not None
    assert not x.grad[0].any()
    assert not x.grad[1, 2]
    assert bool(x.grad.isfinite().all())
    assert masked_mean(x, mask)[0] == masked_max(x, mask)[0] == 0


def test_gradients_of_masked_operations() -> None:
    mask = valid(torch.tensor([3, 1]), 4)
    x = normal(2, 4).requires_grad_()
    for function in (masked_mean, masked_max, masked_softmax):
        assert torch.autograd.gradcheck(lambda t, f=function: f(t, mask), (x,))


def test_masked_attention_is_that_of_torch() -> None:
    query, key, value = normal(2, 3, 4), normal(2, 5, 4, seed=1), normal(2, 5, 4, seed=2)
    mask = valid(torch.tensor([2, 5]), 5)
    weights = masked_softmax(torch.einsum("bqd,bkd->bqk", query, key) / 2, mask[:, None, :])
    oracle = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, :])
    torch.testing.assert_close(weights @ value, oracle, rtol=1e-12, atol=1e-12)


def test_reverse_is_an_involution_and_makes_the_backward_half_of_a_packed_rnn() -> None:
    lengths = torch.tensor([5, 2, 4])
    x = normal(3, 5, 2)
    assert torch.equal(reverse_valid(reverse_valid(x, lengths), lengths), x)
    assert torch.equal(reverse_valid(x, torch.tensor([5, 5, 5])), x.flip(1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        both = nn.GRU(2, 3, batch_first=True, bidirectional=True).double()
    backward = nn.GRU(2, 3, batch_first=True).double()
    backward.load_state_dict({k.removesuffix("_reverse"): v for k, v in both.state_dict().items() if k.endswith("_reverse")})
    packed, _ = both(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    oracle, _ = pad_packed_sequence(packed, batch_first=True)
    mine = reverse_valid(backward(reverse_valid(x, lengths))[0], lengths)
    mask = valid(lengths)
    torch.testing.assert_close(mine[mask], oracle[..., 3:][mask], rtol=1e-10, atol=1e-10)


def test_wrong_masks() -> None:
    with pytest.raises(ValueError, match=r"lengths must be in 0 … 2, got \[3\]"):
        valid(torch.tensor([3]), 2)
    with pytest.raises(ValueError, match=r"truth values, got torch\.int64"):
        masked_mean(normal(1, 2), torch.ones(1, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="truth values"):
        masked_softmax(normal(1, 2), torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"shape \(2, 3\) does not fit \(3, 2\)"):
        masked_max(normal(3, 2), torch.ones(2, 3, dtype=torch.bool))


def test_frozen_parts_get_no_gradient_and_are_thawed_again() -> None:
    net = network()
    net[0].bias.requires_grad_(False)
    with frozen(net):
        net(normal(2, 3).requires_grad_()).sum().backward()
    with pytest.raises(ZeroDivisionError), frozen(net):
        _ = 1 / 0
    assert all(p.grad is None for p in net.parameters())
    assert [p.requires_grad for p in net.parameters()] == [True, False, True, True, True, True]


# ------------------------------------------------------------------------------------------------------------------------- callbacks
def losing(values: list[float]) -> Any:
    return lambda number: {"score": values[number - 1]}


def quiet_step(number: int) -> dict[str, Tensor]:
    return {"loss": torch.tensor(float(number))}


def test_patience_ends_a_training_as_finished(tmp_path: Path) -> None:
    scores = [5.0, 4.0, 4.5, 3.95, 4.2, 3.99, 1.0, 0.5]
    for _ in range(2):  # the second finds the state of the first, which had ended
        run, patience = Run(state_file=tmp_path / "state", save_every=0), Patience("score", points=3, least=0.1)
        fit(run, quiet_step, steps=8, parts={}, judge=losing(scores), judge_every=1, callbacks=[patience])
        assert [step for step, _ in run.curve] == [1, 2, 3, 4, 5]
        assert run.steps == 5
        assert patience.best == 4.0
    with pytest.raises(ValueError, match="'gain', which is not among the metrics loss"):
        fit(Run(), quiet_step, steps=2, parts={}, callbacks=[Patience("gain", points=1)])


def test_callbacks_survive_a_stop(tmp_path: Path) -> None:
    def training(path: Path, stop_at: int = 0) -> tuple[Album, list[int]]:
        model, seen = nn.Linear(1, 1, bias=False).requires_grad_(False), []
        model.weight.fill_(1.0)

        def step(number: int) -> dict[str, Tensor]:
            model.weight.mul_(1.1)
            return {"loss": torch.tensor(0.0)}

        def look(moment: Moment) -> None:
            seen.append(moment.step)
            if moment.step == stop_at:
                os.kill(os.getpid(), signal.SIGINT)

        album = Album(lambda number: {"w": model.weight[0]}, at=(2, 5, 9))
        album.add(0)
        fit(Run(state_file=path), step, steps=10, parts={"model": model}, callbacks=[album, every(3, look)])
        return album, seen

    whole, seen = training(tmp_path / "whole")
    assert seen == [3, 6, 9, 10]
    assert whole.steps == [0, 2, 5, 9]
    assert whole.stacked()["w"].flatten().tolist() == pytest.approx([1.1**k for k in whole.steps], rel=1e-6)
    with pytest.raises(Interrupted):
        training(tmp_path / "broken", stop_at=6)
    broken, seen = training(tmp_path / "broken")
    assert seen == [9, 10]
    assert broken.steps == whole.steps
    assert torch.equal(broken.stacked()["w"], whole.stacked()["w"])
    assert Album(lambda step: {}, at=()).stacked() == {}


def test_a_callback_cannot_wait_for_nothing() -> None:
    with pytest.raises(ValueError, match="at least one step, got 0"):
        every(0, lambda moment: None)


# --------------------------------------------------------------------------------------------------------------------------- outputs
def test_watching_sees_what_is_there_changes_nothing_and_leaves_nothing_behind() -> None:
    net = network()
    x = normal(5, 3)
    plain = net(x)
    with watch(net, "0", "[12]") as seen:
        assert torch.equal(net(x), plain)
    assert torch.equal(seen["0"], net[0](x))
    assert torch.equal(seen["1"], net[1](net[0](x)))
    assert torch.equal(seen["2"], plain)
    assert not any(t.requires_grad for t in seen.values())
    kept = dict(seen)
    net(2 * x)
    assert all(torch.equal(seen[name], kept[name]) for name in kept)
    gone = weakref.ref(seen["0"])
    del seen, kept
    gc.collect()
    assert gone() is None
    with pytest.raises(ValueError, match="no inner module is named 'x'; there are 0, 1, 2"), watch(net, "0", "x"):
        pass
    assert not any(m._forward_hooks for m in net.modules())
    with pytest.raises(ValueError, match="there are none"), watch(nn.ReLU(), "0"):
        pass


def test_watching_a_module_with_several_outputs() -> None:
    net = nn.ModuleDict({"rnn": nn.GRU(2, 3, batch_first=True)}).double()
    x = normal(1, 4, 2)
    with watch(net, "rnn") as seen:
        outputs, _ = net["rnn"](x)
    assert torch.equal(seen["rnn"], outputs)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.floats(-10, 10), min_size=1, max_size=5), min_size=1, max_size=6))
def test_means_weigh_batches_by_their_size(batches: list[list[float]]) -> None:
    means = Means()
    for batch in batches:
        means.add({"x": float(np.mean(batch))}, weight=len(batch))
    assert means.take()["x"] == pytest.approx(float(np.mean(np.concatenate(batches))), abs=1e-12)
    assert means.take() == {}


def test_metrics_that_are_not_there_at_each_step_have_their_own_mean() -> None:
    def step(number: int) -> dict[str, Tensor]:
        found = {"loss": torch.tensor(float(number))}
        return found | ({"penalty": torch.tensor([10.0 * number])} if number % 2 else {})

    run = Run()
    fit(run, step, steps=4, parts={}, judge_every=4)
    assert run.curve == [(4, {"loss": 2.5, "penalty": 20.0})]


def test_f1_from_counts_is_that_of_all_and_the_mean_over_batches_is_not() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random(512) < 0.05
    guess = (generator.random(512) < 0.02) | (truth & (generator.random(512) < 0.6))
    counts, by_batch = Counts(), []
    for t, g in zip(truth.reshape(16, 32), guess.reshape(16, 32), strict=True):
        part = {"hits": int((t & g).sum()), "false_alarms": int((~t & g).sum()), "misses": int((t & ~g).sum())}
        counts.add(**part)
        by_batch.append(Counts(**part).f1)
    assert counts.f1 == pytest.approx(f1_score(truth, guess), abs=1e-12)
    assert abs(np.mean(by_batch) - counts.f1) > 0.1
    assert counts.f1 == pytest.approx(2 / (1 / counts.precision + 1 / counts.recall))
    assert (Counts().precision, Counts().recall, Counts().f1) == (0, 0, 0)
