"""The depth studies: stacked nets are the nets one would write by hand, trainings repeat themselves, records are honest."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kexue import datasets
from kexue.mathematics import activations_experiments as module
from kexue.mathematics.activations import activation, gain, moments
from kexue.mathematics.activations_depth import critical_init, trajectory
from kexue.mathematics.activations_experiments import (
    EDGES,
    EXPERIMENTS,
    SEVEN,
    TEN,
    DepthStudy,
    Row,
    across_the_edge,
    apart,
    curves,
    restore,
    rows,
)
from kexue.mathematics.activations_training import (
    Net,
    PlainNets,
    correct,
    gradient_ratio,
    losses,
    net_of,
    nets_of,
)
from kexue.records import Metric, Record, load, read_record, shipped
from kexue.training import Run, evaluate, train
from kexue.training.pictures import standardised

SHIPPED = [name for name in shipped() if name.startswith("activations/")]
TINY: dict[str, Any] = {
    "activations": ("su", "tanh"), "depths": (2, 3), "norms": ("none", "batch"), "kind": "dense", "width": 5,
    "validation": 10, "epochs": 2, "batch": 10, "ships": ("*",), "seeds": (0, 1),
}  # fmt: skip


def tiny(**changes: Any) -> DepthStudy:
    return DepthStudy("activations/digits-depth", **(TINY | changes))


@pytest.fixture
def few_pictures(made_up_pictures: Callable[..., dict[str, tuple[Tensor, Tensor]]]) -> dict[str, tuple[Tensor, Tensor]]:
    return made_up_pictures(train=50, test=30, side=6)


def stack(nets: tuple[Net, ...], *, kind: str = "dense", width: int = 4, seed: int = 0, **other: Any) -> PlainNets:
    return PlainNets(nets, inputs=36, width=width, kind=kind, generator=torch.Generator().manual_seed(seed), **other)


def pictures(n: int = 7, seed: int = 1) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, 6, generator=draw), torch.randint(0, 10, (n,), generator=draw)


# --------------------------------------------------------------------------------------------------------------------------- names
def test_a_net_and_its_name() -> None:
    net = Net("leaky-relu", "own", 8, "batch")
    assert net.name == "leaky-relu-own-8-batch"
    assert net_of(net.name) == net
    assert net.variances == (gain("leaky-relu") ** 2, 0.0)
    assert Net("su", "one", 8, "none").variances == (1.0, 0.0)
    weight, bias = critical_init("su")
    assert net_of("su-edge100-8-none").variances == (weight, bias)
    assert net_of("su-edge85-8-none").variances == (pytest.approx(0.85 * weight), bias)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("su-own-8", "activation-gain-depth-norm, got 'su-own-8'"),
        ("su-own-x-none", "activation-gain-depth-norm"),
        ("wave-own-8-none", "unknown activation 'wave'"),
        ("su-two-8-none", "a gain out of one, own, .*got 'two', 'none' and 8"),
        ("su-own-8-layer", "a norm out of none, batch"),
        ("su-edge100-8-batch", "edge100 and the like without a norm, .*got 'edge100', 'batch'"),
        ("su-edge0-8-none", "got 'edge0'"),
        ("su-edge-8-none", "got 'edge'"),
        ("su-own-0-none", "depth of at least 1.* and 0"),
    ],
)
def test_impossible_nets(name: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        net_of(name)


def test_the_grid_comes_in_stacks_of_one_depth_and_norm() -> None:
    found = nets_of(("su", "relu"), ("one", "own"), (3, 5), ("none", "batch"))
    assert [[net.name for net in one] for one in found[:2]] == [
        ["su-one-3-none", "su-own-3-none", "relu-one-3-none", "relu-own-3-none"],
        ["su-one-3-batch", "su-own-3-batch", "relu-one-3-batch", "relu-own-3-batch"],
    ]
    assert [(one[0].depth, one[0].norm) for one in found] == [(3, "none"), (3, "batch"), (5, "none"), (5, "batch")]


def test_a_stack_refuses_mixtures() -> None:
    two = (Net("su", "own", 2, "none"), Net("su", "own", 3, "none"))
    with pytest.raises(ValueError, match=r"one depth and norm .*got su-own-2-none, su-own-3-none; 'dense'"):
        stack(two)
    with pytest.raises(ValueError, match="got none"):
        stack(())
    with pytest.raises(ValueError, match="out of dense, conv, got su-own-2-none; 'round'"):
        stack(two[:1], kind="round")


# ------------------------------------------------------------------------------------------------------------ nets written by hand
def by_hand(net: Net, w: dict[str, Tensor], x: Tensor, modules: list[Any]) -> tuple[Tensor, list[Tensor]]:
    """A net of PyTorch's own layers with given weights: logits ``(B, 10)``, and the pre-activations."""
    dense = w["first"].ndim == 4
    h, kept = (x.flatten(1) if dense else x[:, None]), []
    for layer in range(net.depth):
        weight = w["first"][0, 0] if layer == 0 else w["hidden"][layer - 1, 0]
        stride = 2 if layer in (0, net.depth // 2) else 1
        z = F.linear(h, weight) if dense else F.conv2d(h, weight, stride=stride, padding=1)
        z = modules[layer](z) if modules else z + (w["shift"][layer, 0] if dense else w["shift"][layer, 0][:, None, None])
        kept.append(z)
        h = activation(net.activation)(z)
    return F.linear(h if dense else h.mean((2, 3)), w["head"][0, 0], w["bias"][0, 0]), kept


@pytest.mark.parametrize("kind", ["dense", "conv"])
@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("depth", [1, 4])
def test_stacked_nets_are_those_of_pytorchs_layers(kind: str, norm: str, depth: int) -> None:
    (nets,) = nets_of(("su", "relu", "tanh"), ("one", "own"), (depth,), (norm,))
    made = stack(nets, kind=kind)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name in ("shift", "bias", "scale"):
            if hasattr(made, name):
                getattr(made, name).add_(torch.randn(getattr(made, name).shape, generator=draw))
    x, _ = pictures()
    layer_kind = torch.nn.BatchNorm1d if kind == "dense" else torch.nn.BatchNorm2d
    modules = {net.name: [layer_kind(4) for _ in range(depth)] if norm == "batch" else [] for net in nets}
    for net, w in made.taken_apart().items():
        for layer, m in enumerate(modules[net]):
            m.load_state_dict({"weight": w["scale"][layer, 0], "bias": w["shift"][layer, 0]}, strict=False)
    for training in (True, True, False):  # twice, so that the running means have moved
        made.train(training)
        kept: list[Tensor] = []
        logits = made(x, kept)
        assert logits.shape == (6, 10, 7)
        weights = made.taken_apart()
        for i, net in enumerate(nets):
            for m in modules[net.name]:
                m.train(training)
            expected, inner = by_hand(net, weights[net.name], x, modules[net.name])
            assert torch.allclose(logits[i].T, expected, atol=1e-5)
            for z, by in zip(kept, inner, strict=True):
                mine = z[i] if kind == "dense" else z[:, 4 * i : 4 * i + 4]
                assert torch.allclose(mine.T if kind == "dense" else mine, by, atol=1e-5)
    if norm == "batch":
        assert torch.allclose(weights[nets[5].name]["var"][depth - 1, 0], modules[nets[5].name][-1].running_var, atol=1e-5)


def test_all_nets_begin_with_the_same_numbers_times_their_gain() -> None:
    (nets,) = nets_of(("relu", "su"), ("one", "own"), (40,), ("none",))
    made = stack(nets, width=30, classes=7)
    one, own, _, su = made.hidden.detach().unbind(1)
    assert torch.allclose(own, one * math.sqrt(2))
    assert torch.allclose(su, one * gain("su"))
    assert one.std().item() == pytest.approx(30**-0.5, rel=0.02)  # 35,100 numbers
    assert made.first.std().item() == pytest.approx(1 / 6, rel=0.05)  # 1 / sqrt(36)
    assert torch.equal(made.first[:, 0], made.first[:, 3])
    assert made.head.shape == (1, 4, 7, 30)
    assert not made.shift.any()
    assert not made.bias.any()
    conv = stack(nets, kind="conv", width=20)
    assert conv.first.shape == (1, 4, 20, 1, 3, 3)
    assert conv.hidden[:, 0].std().item() == pytest.approx(180**-0.5, rel=0.02)
    assert conv.first.std().item() == pytest.approx(1 / 3, rel=0.15)
    assert torch.equal(stack(nets).hidden, stack(nets).hidden)
    assert not torch.equal(stack(nets).hidden, stack(nets, seed=1).hidden)


def test_nets_at_the_edge_begin_with_biases_and_with_the_same_numbers() -> None:
    (nets,) = nets_of(("su", "tanh"), ("one", "edge100", "edge50"), (40,), ("none",))
    made = stack(nets, width=30)
    weight, bias = critical_init("su")
    one, su, half, *_ = made.hidden.detach().unbind(1)
    assert torch.allclose(su, one * math.sqrt(weight))
    assert torch.allclose(half, one * math.sqrt(weight / 2))
    assert not made.shift[0].any()  # the first pre-activations have the variance of the pictures
    assert not made.shift[:, [0, 3]].any()
    assert made.shift[1:, 1].std().item() == pytest.approx(math.sqrt(bias), rel=0.05)
    assert torch.equal(made.shift[:, 1], made.shift[:, 2])
    assert torch.allclose(made.shift[:, 4], made.shift[:, 1] * math.sqrt(critical_init("tanh")[1] / bias), atol=1e-6)
    without = stack(nets[:1], width=30)  # what is drawn for the biases comes after all else
    assert torch.equal(without.hidden[:, 0], made.hidden[:, 0])
    assert torch.equal(without.head[:, 0], made.head[:, 0])


@pytest.mark.parametrize(("kind", "norm"), [("dense", "batch"), ("conv", "none")])
def test_taken_apart_and_put_together(kind: str, norm: str) -> None:
    (nets,) = nets_of(("su", "relu"), ("own",), (3,), (norm,))
    made = stack(nets, kind=kind)
    x, _ = pictures()
    made(x)  # moves the running means
    parts = made.taken_apart()
    assert list(parts) == ["su-own-3-" + norm, "relu-own-3-" + norm]
    again = PlainNets.put_together(parts)
    assert (again.kind, again.training, again.nets) == (kind, False, nets)
    assert torch.equal(again(x), made.eval()(x))
    alone = PlainNets.put_together({nets[1].name: {k: w.half() for k, w in parts[nets[1].name].items()}})
    assert torch.allclose(alone(x)[0], made(x)[1], atol=0.02)
    parts["su-own-3-" + norm]["head"].zero_()
    assert made.head.any()  # what was taken apart is a copy


# ---------------------------------------------------------------------------------------------------------------- losses, gradients
def test_losses_and_right_answers_by_hand() -> None:
    (nets,) = nets_of(("su", "relu"), ("own",), (2,), ("batch",))
    made = stack(nets)
    x, labels = pictures(25)
    logits = made.eval()(x)
    for i in range(2):
        assert losses(logits, labels)[i].item() == pytest.approx(F.cross_entropy(logits[i].T, labels).item(), rel=1e-6)
    found = correct(made.train(), x, labels, chunk=10)
    assert made.training
    assert found.tolist() == [(logits[i].argmax(0) == labels).double().mean().item() for i in range(2)]
    assert found.dtype == torch.float64
    with torch.no_grad():
        made.head[0, 0] = math.nan
    assert correct(made, x, labels)[0] == (labels == 0).double().mean()


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_gradient_ratio_by_hand(kind: str) -> None:
    (nets,) = nets_of(("su", "tanh"), ("own",), (3,), ("batch",))
    made = stack(nets, kind=kind)
    x, labels = pictures()
    before = {k: b.clone() for k, b in made.named_buffers()}
    found = gradient_ratio(made.eval(), x, labels)
    assert not made.training
    assert all(torch.equal(b, before[k]) for k, b in made.named_buffers())
    for i, net in enumerate(nets):
        modules = [(torch.nn.BatchNorm1d if kind == "dense" else torch.nn.BatchNorm2d)(4) for _ in range(3)]
        logits, kept = by_hand(net, made.taken_apart()[net.name], x, modules)
        first, _, last = torch.autograd.grad(F.cross_entropy(logits, labels), kept)
        assert found[i].item() == pytest.approx(math.log10(first.norm() / last.norm()), abs=1e-5)


def test_gradient_ratio_of_wide_nets_is_what_the_moments_say() -> None:
    nets = tuple(Net(a, "own", 7, "none") for a in ("relu", "tanh", "su", "sigmoid"))
    made = PlainNets(nets, inputs=100, width=800, generator=torch.Generator().manual_seed(2))
    x = torch.randn(40, 10, 10, generator=torch.Generator().manual_seed(3))
    x = x / x.square().mean((1, 2), keepdim=True).sqrt()  # every picture has the size at which the gains hold
    found = gradient_ratio(made, x, torch.arange(40) % 10)
    for net, ratio in zip(nets, found.tolist(), strict=True):
        assert ratio == pytest.approx(3 * math.log10(moments(net.activation).chi), abs=0.06)


def test_gradients_that_are_no_numbers_or_nothing() -> None:
    nets = (Net("relu", "own", 2, "none"), Net("tanh", "own", 2, "none"), Net("su", "own", 2, "none"))
    made = stack(nets)
    with torch.no_grad():
        made.head[0, 0] = 0.0  # no gradient anywhere
        made.hidden[0, 1] = 0.0  # none beyond the last layer
        made.hidden[0, 2] = math.nan
    x, labels = pictures()
    assert gradient_ratio(made, x, labels).tolist()[0] == 0.0
    nothing, last = gradient_ratio(made, x, labels).tolist()[1:]
    assert -300 < nothing < -298  # nothing over about a hundredth
    assert last == 0.0
    tiny_last = stack((Net("sigmoid", "own", 60, "none"),), width=40)
    assert gradient_ratio(tiny_last, x, labels).item() == pytest.approx(59 / 2 * math.log10(moments("sigmoid").chi), rel=0.1)


# ---------------------------------------------------------------------------------------------------------------------- experiments
def test_the_studies() -> None:
    digits, fashion, edge = EXPERIMENTS
    assert isinstance(edge, DepthStudy)
    assert (len(edge.nets), edge.activations, edge.depths, edge.norms) == (18, ("su",), (20, 40), ("none",))
    assert edge.gains == ("one", "own", "edge50", "edge70", "edge85", "edge100", "edge115", "edge140", "edge200")
    same = {"width", "epochs", "batch", "rate", "end", "data_set", "kind", "validation", "pictures"}  # as the study of the gains
    assert all(getattr(edge, name) == getattr(digits, name) for name in same)
    assert edge.small() == edge
    assert isinstance(digits, DepthStudy)
    assert isinstance(fashion, DepthStudy)
    assert (len(digits.nets), digits.activations, digits.depths, digits.norms) == (28, SEVEN, (3, 20), ("none",))
    assert (digits.width, digits.epochs, digits.batch, digits.rate, digits.end) == (64, 20, 64, 1e-3, 1.0)
    assert digits.small() == digits
    assert digits.title == "28 plain dense nets on Digits 8×8, up to 20 layers deep"
    assert digits.data()["used"] == "1,257 for training, 180 for validation, 360 for the test"
    assert (len(fashion.nets), fashion.activations, fashion.depths, fashion.seeds) == (120, TEN, (8, 16, 32), (0, 1, 2))
    assert fashion.title == "120 plain convolutional nets on Fashion-MNIST, up to 32 layers deep"
    assert fashion.data()["used"] == "55,000 for training, 5,000 for validation, 10,000 for the test"
    assert fashion.data()["sha256"] == datasets.info("fashion-mnist").sha256


def test_the_small_study_is_smaller_and_has_the_same_rate() -> None:
    full, small = EXPERIMENTS[1].settings(), EXPERIMENTS[1].small().settings()
    changed = {k for k in full if full[k] != small[k]}
    assert changed == {"kind", "activations", "depths", "width", "pool", "pictures", "validation", "epochs", "batch"}
    assert set(small["activations"]) < set(full["activations"])
    assert set(small["depths"]) < set(full["depths"])
    assert EXPERIMENTS[1].small().data()["used"].startswith("10,000 for training, 1,000 for validation")


def test_impossible_settings() -> None:
    with pytest.raises(ValueError, match="one of dense, conv, got 'round'"):
        tiny(kind="round")
    with pytest.raises(ValueError, match=r"no net is called swish-.*, relu-.*; there are su-one-2-none"):
        tiny(ships=("swish-*", "su-*", "relu-*"))
    with pytest.raises(ValueError, match="a gain out of"):
        tiny(gains=("two",))


def test_the_rate_falls_along_a_line() -> None:
    e = tiny(rate=2.0, end=0.1)
    assert (e.rate_at(1, 11), e.rate_at(6, 11), e.rate_at(11, 11)) == (2.0, pytest.approx(1.1), pytest.approx(0.2))
    assert tiny(rate=2.0, end=1.0).rate_at(7, 11) == 2.0
    assert e.rate_at(1, 1) == 2.0


def test_pictures_are_split_without_overlap(few_pictures: dict[str, tuple[Tensor, Tensor]]) -> None:
    images, labels = few_pictures["train"]
    found = tiny().pictures_of()
    assert torch.equal(found["train"][0], standardised(images[:40], images[:40]))
    assert torch.equal(found["train"][1], labels[:40])
    assert torch.equal(found["validation"][0], standardised(images[40:], images[:40]))
    assert torch.equal(found["validation"][1], labels[40:])
    assert torch.equal(found["test"][0], standardised(few_pictures["test"][0], images[:40]))
    assert torch.equal(found["test"][1], few_pictures["test"][1])
    fewer = tiny(pictures=20, pool=2).pictures_of()
    assert torch.equal(fewer["train"][0], standardised(images[:20], images[:20], 2))
    assert torch.equal(fewer["validation"][0], standardised(images[40:], images[:20], 2))
    assert len(fewer["train"][1]) == 20


@pytest.mark.parametrize("changes", [{}, {"kind": "conv", "pool": 2, "ships": ("su-own-*-batch",)}])
def test_train_record_and_evaluate(few_pictures: Any, tmp_path: Path, changes: dict[str, Any]) -> None:
    e = tiny(**changes)
    made = train(e, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / e.name)
    assert record == made
    assert all(c.found == c.recorded for c in evaluate(record, experiment=e))
    names = [net.name for net in e.nets]
    assert set(record.metrics) == {f"{kind}-{name}" for kind in ("accuracy", "gradient") for name in names} | {"ms_per_step"}
    chosen = [name for name in names if "conv" not in changes.values() or (name.startswith("su-own") and name.endswith("batch"))]
    assert set(record.metrics_of_weights) == {f"{kind}-{name}" for kind in ("accuracy", "gradient") for name in chosen}
    assert len(chosen) == (2 if changes else 16)
    assert set(record.curve) == {"loss", *names}
    assert record.curve.steps == tuple(range(1, 9))
    # what is said of one net, by hand
    again = restore(record)
    assert set(again) == set(chosen)
    test = e.pictures_of()["test"]
    assert record.metrics_of_weights["accuracy-su-own-3-batch"] == correct(again["su-own-3-batch"], *test).item()
    begin = e.pictures_of()["train"]
    fresh = next(nets for nets in e.fresh(0, begin[0][0].numel()) if nets.nets[0].depth == 3 and nets.norm == "batch")
    place = [net.name for net in fresh.nets].index("su-own-3-batch")
    assert record.metrics["gradient-su-own-3-batch"].seeds[0] == pytest.approx(gradient_ratio(fresh, *begin)[place].item(), abs=1e-6)


def test_a_net_learns_in_a_stack_what_it_learns_alone(few_pictures: Any) -> None:
    together = tiny().train(Run(seed=3))
    alone = tiny(activations=("tanh",), gains=("own",), depths=(3,), norms=("batch",)).train(Run(seed=3))
    assert len(alone) == 8
    for key, w in alone.items():
        assert torch.allclose(w, together[key], atol=1e-4), key


def test_a_net_written_by_hand_learns_the_same(few_pictures: Any) -> None:
    """Two epochs with PyTorch's own layers and optimiser, one net, from the same first weights and batches."""
    e = tiny(activations=("su",), gains=("own",), depths=(2,), norms=("none",), end=0.5)
    found = e.train(Run(seed=1))
    x, y = e.pictures_of()["train"]
    (first,) = e.fresh(1, 36)
    w = {k: v.requires_grad_() for k, v in first.taken_apart()["su-own-2-none"].items()}
    optimizer = torch.optim.Adam(w.values(), lr=e.rate)
    order = [rows_ for epoch in range(2) for rows_ in Run(seed=1).batches(40, 10).epoch(epoch)]
    for number, chosen in enumerate(order):
        optimizer.param_groups[0]["lr"] = e.rate * (1 - 0.5 * number / 7)
        optimizer.zero_grad()
        logits, _ = by_hand(e.nets[0], w, x[chosen], [])
        F.cross_entropy(logits, y[chosen]).backward()
        optimizer.step()
    assert all(torch.allclose(found[f"su-own-2-none.{k}"], v, atol=1e-5) for k, v in w.items())


def test_training_repeats_itself_and_honours_the_seed(few_pictures: Any) -> None:
    one, two, other = (tiny(norms=("batch",)).train(Run(seed=s)) for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not any(torch.equal(one[k], other[k]) for k in one if k.endswith("head"))


def test_a_net_that_leaves_the_numbers_does_not_stop_the_others(few_pictures: Any) -> None:
    grid = {"gains": ("own",), "depths": (24,), "norms": ("none",), "width": 12}
    both = tiny(activations=("relu2", "tanh"), **grid)
    run = Run(seed=0)
    found = both.train(run)
    lost = apart({k: w for k, w in found.items() if k.startswith("relu2")})["relu2-own-24-none"]
    x, y = both.pictures_of()["train"]
    assert not math.isfinite(losses(lost(x), y).item())
    alone = tiny(activations=("tanh",), **grid).train(Run(seed=0))
    assert all(torch.allclose(w, found[k], atol=1e-4) for k, w in alone.items())
    assert all(math.isfinite(point["loss"]) for _, point in run.curve)
    assert all(w.isfinite().all() for w in found.values())


def test_a_training_that_was_stopped_goes_on_to_the_same_nets(few_pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny().train(Run(seed=1))
    calls: list[int] = []
    original = module.correct

    def stop(*args: Any) -> Tensor:
        calls.append(1)
        if len(calls) == 13:  # in the judgement of the fourth step
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(module, "correct", stop)
    keep = {"state_file": tmp_path / "state", "settings": tiny().settings(), "save_every": 0.0}
    with pytest.raises(KeyboardInterrupt):
        tiny().train(Run(seed=1, **keep))
    resumed = tiny().train(Run(seed=1, **keep))
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "world", 2)
    with pytest.raises(ValueError, match="train them in one process"):
        tiny().train(Run(seed=0))


def test_rows_and_curves(few_pictures: Any, tmp_path: Path) -> None:
    record = train(tiny(norms=("none",)), tmp_path, device="cpu", quiet=True)
    values = {"accuracy-su-own-3-none": Metric((0.5, 0.7)), "accuracy-tanh-one-3-none": Metric((0.9, 0.9))}
    values |= {"gradient-su-own-3-none": Metric((-1.0, -3.0))}
    record = dataclasses.replace(record, metrics=dict(record.metrics) | values)
    found = rows(record, depth=3, norm="none")
    assert [row.net.depth for row in found] == [3, 3, 3, 3]
    assert found[0].net == Net("tanh", "one", 3, "none")
    assert [row.mean for row in found] == sorted((row.mean for row in found), reverse=True)
    (row,) = rows(record, activation="su", gain="own", depth=3)
    assert row == Row(Net("su", "own", 3, "none"), (0.5, 0.7), (-1.0, -3.0))
    assert (row.mean, row.std) == (pytest.approx(0.6), pytest.approx(math.sqrt(0.02)))
    assert len(rows(record)) == 8
    assert rows(record, depth=4) == []
    lines = curves(record, [row.net])
    assert lines == {"su-own-3-none": (record.curve.steps, record.curve.mean("su-own-3-none"))}


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_every_experiment_is_shipped() -> None:
    assert sorted(e.name for e in EXPERIMENTS) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    assert honest_record(name, most_bytes=3e6, rounding=0.012).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []


def result(study: str, net: str) -> Row:
    (row,) = rows(load(f"activations/{study}"), **dataclasses.asdict(net_of(net)))
    return row


def test_on_digits_the_gain_decides_and_not_the_function() -> None:
    assert max(*result("digits-depth", "sigmoid-one-20-none").accuracy, *result("digits-depth", "sigmoid-own-20-none").accuracy) <= 0.15
    su, swish = (result("digits-depth", f"{name}-one-20-none") for name in ("su", "swish"))
    assert su.mean - swish.mean >= 0.05
    assert min(su.accuracy) > max(swish.accuracy)
    su, swish = (result("digits-depth", f"{name}-own-20-none") for name in ("su", "swish"))
    assert abs(su.mean - swish.mean) <= 0.03
    for name in ("relu", "swish", "gelu"):  # what a gain of one costs them
        assert result("digits-depth", f"{name}-own-20-none").mean - result("digits-depth", f"{name}-one-20-none").mean >= 0.02
    shallow = [row for row in rows(load("activations/digits-depth"), depth=3) if "sigmoid" not in row.net.activation]
    assert shallow[0].mean - shallow[-1].mean <= 0.015


def test_on_digits_the_sigmoids_fault_is_its_mean() -> None:
    found = rows(load("activations/digits-depth"), depth=20, gain="own")
    assert (found[0].net.activation, found[-1].net.activation) == ("centred-sigmoid", "sigmoid")
    assert min(found[0].accuracy) >= 0.94
    assert max(result("digits-depth", "centred-sigmoid-one-20-none").accuracy) <= 0.15  # a slope of 1/4 needs its gain


def test_on_digits_first_gradients_are_as_small_as_the_moments_say_where_the_signal_keeps_its_size() -> None:
    for name in ("relu", "su", "tanh", "centred-sigmoid"):
        predicted = 19 / 2 * math.log10(moments(name).chi)
        assert statistics.fmean(result("digits-depth", f"{name}-own-20-none").gradient) == pytest.approx(predicted, abs=0.1)
    assert max(result("digits-depth", "sigmoid-own-20-none").gradient) < -7
    # Swish's size-keeping gain keeps no size but 1: large pictures grow, and the gradient with them
    assert min(result("digits-depth", "swish-own-20-none").gradient) > 19 / 2 * math.log10(moments("swish").chi) + 0.5


def test_on_fashion_own_gains_save_deep_nets_without_normalisation() -> None:
    for name in ("swish", "gelu"):
        own, one = (result("fashion-depth", f"{name}-{gain_}-32-none") for gain_ in ("own", "one"))
        assert min(own.accuracy) - max(one.accuracy) >= 0.3
        assert max(one.accuracy) == 0.1
    for gain_ in ("own", "one"):
        assert max(result("fashion-depth", f"sigmoid-{gain_}-32-none").accuracy) <= 0.15
    # the functions whose gain holds its fixed point are ahead of those whose gain does not
    means = [result("fashion-depth", f"{name}-own-32-none").mean for name in ("tanhexp", "su", "gelu", "swish")]
    assert means == sorted(means, reverse=True)


def test_on_fashion_batch_normalisation_takes_the_gain_out_of_the_start_and_not_the_function() -> None:
    record = load("activations/fashion-depth")
    for row in rows(record, norm="batch", gain="one"):
        other = result("fashion-depth", f"{row.net.activation}-own-{row.net.depth}-batch")
        assert other.gradient == pytest.approx(row.gradient, abs=0.02)
    for depth, spread in ((8, 0.015), (32, 0.5)):  # "all within one per cent" is not so
        found = rows(record, norm="batch", gain="one", depth=depth)
        assert found[0].mean - found[-1].mean > spread
        assert found[-1].net.activation == "relu"
    assert found[0].net.activation == "sigmoid"
    swish, relu = (result("fashion-depth", f"{name}-one-8-batch") for name in ("swish", "relu"))
    error = math.sqrt((swish.std**2 + relu.std**2) / 3)
    assert swish.mean - relu.mean > 2 * error


def test_on_fashion_batch_normalisation_lets_the_gradients_of_relu_grow_as_its_moments_say() -> None:
    m = moments("relu")
    growth = m.slope_square / (m.square - m.mean**2)
    assert growth == pytest.approx(math.pi / (math.pi - 1))
    ratio = statistics.fmean(result("fashion-depth", "relu-one-32-batch").gradient)
    assert ratio == pytest.approx(31 / 2 * math.log10(growth), abs=0.1)


def test_across_the_edge_of_chaos() -> None:
    record = load("activations/digits-edge")
    assert [row.net.name for row in across_the_edge(record, 20).values()] == [f"su-edge{p}-20-none" for p in EDGES]
    weight, bias = critical_init("su")
    for depth in (20, 40):  # gradients before training are those of infinite width
        for per_cent, row in across_the_edge(record, depth).items():
            growth = trajectory("su", depth - 1, weight=per_cent / 100 * weight, bias=bias)[1][-1]
            assert statistics.fmean(row.gradient) == pytest.approx(0.5 * math.log10(growth), abs=0.5), (depth, per_cent)
    shallow, deep = (across_the_edge(record, depth) for depth in (20, 40))
    assert min(deep[100].accuracy) > 0.85
    for per_cent in (50, 70, 140, 200):
        assert min(deep[100].accuracy) > max(deep[per_cent].accuracy) + 0.05
    assert min(shallow[p].mean for p in (70, 85, 100, 115)) > 0.9
