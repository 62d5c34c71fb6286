"""Twins: the net against plain formulas, two nets that never meet, maps and metrics by hand, an honest record."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from kexue.mathematics import hsic_similarity as similarity
from kexue.mathematics import hsic_similarity_experiments as module
from kexue.mathematics.hsic_similarity_experiments import (
    MEASURES,
    PlainCnn,
    Twins,
    answers_of,
    found_again,
    layers_of,
    restore,
    similarity_maps,
)
from kexue.records import Record, load, read_record
from kexue.training import Run, evaluate, train
from kexue.training.batches import Batches

TINY: dict[str, Any] = {"channels": (3, 3, 4), "validation": 20, "epochs": 2, "batch": 20, "judged": 30, "seeds": (0, 1)}


def tiny(**changes: Any) -> Twins:
    return Twins("hsic/cka-fashion", **(TINY | changes))


@pytest.fixture
def few_pictures(made_up_pictures: Callable[..., object]) -> None:
    """Some made-up 8×8 pictures in place of a data set."""
    made_up_pictures(train=80, test=50, side=8)


# ------------------------------------------------------------------------------------------------------------------------- the net
def test_the_net_is_the_plain_formula() -> None:
    net = PlainCnn((3, 3, 5), 4, torch.Generator().manual_seed(0))
    for b in (*net.biases, net.shift):
        b.data.add_(torch.randn(b.shape, generator=torch.Generator().manual_seed(len(b))))
    x = torch.randn(6, 8, 8, generator=torch.Generator().manual_seed(1))
    assert net.strides == [2, 1, 2]
    h = x[:, None]
    found = net.layers(x)
    assert [tuple(z.shape) for z in found] == [(6, 3, 4, 4), (6, 3, 4, 4), (6, 5, 2, 2)]
    for w, b, stride, z in zip(net.weights, net.biases, net.strides, found, strict=True):
        patches = F.unfold(h, 3, padding=1, stride=stride)
        h = (w.flatten(1) @ patches + b[:, None]).clamp_min(0).view_as(z)
        assert torch.allclose(h, z, atol=1e-5)
    logits = torch.stack([picture.flatten(1).mean(1) @ net.readout.T + net.shift for picture in h])
    assert torch.allclose(net(x), logits, atol=1e-5)
    assert torch.equal(answers_of(net, x), logits.argmax(1))


def test_the_weights_are_hes() -> None:
    net = PlainCnn((64, 128), 10, torch.Generator().manual_seed(0))
    assert net.weights[0].std().item() == pytest.approx(math.sqrt(2 / 9), rel=0.06)
    assert net.weights[1].std().item() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.02)
    assert net.readout.std().item() == pytest.approx(128**-0.5, rel=0.06)
    assert not any(b.any() for b in (*net.biases, net.shift))


def test_no_two_twins_begin_alike() -> None:
    nets = [net for seed in range(3) for net in tiny().fresh(seed)]
    assert not any(torch.equal(a.weights[0], b.weights[0]) for a, b in itertools.combinations(nets, 2))
    again = tiny().fresh(1)[1]
    assert all(torch.equal(a, b) for a, b in zip(nets[3].parameters(), again.parameters(), strict=True))


def test_many_pictures_go_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    net = PlainCnn((3, 4), 10, torch.Generator().manual_seed(0))
    x = torch.randn(23, 8, 8, generator=torch.Generator().manual_seed(1))
    whole, answers = layers_of(net, x), answers_of(net, x)
    monkeypatch.setattr(module, "CHUNK", 5)
    for a, b in zip(whole, layers_of(net, x), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert torch.equal(answers, answers_of(net, x))


# ------------------------------------------------------------------------------------------------------------------------ measures
def test_every_measure_has_its_own_map() -> None:
    outputs = [layers_of(net, torch.randn(40, 8, 8, generator=torch.Generator().manual_seed(1))) for net in tiny().fresh(0)]
    maps = similarity_maps(*outputs, share=0.9)
    assert tuple(maps) == MEASURES
    k, l = (similarity.layer_grams(layers) for layers in outputs)  # noqa: E741
    assert torch.equal(maps["cka"], similarity.cka_map(k, l))
    assert torch.equal(maps["biased"], similarity.cka_map(k, l, unbiased=False))
    wide = [similarity.layer_grams(layers, "gaussian") for layers in outputs]
    assert torch.equal(maps["gaussian"], similarity.cka_map(*wide))
    u, v = similarity.bases(k, 0.9), similarity.bases(l, 0.9)
    assert torch.equal(maps["svcca"], similarity.canonical_map(u, v))
    both = [similarity.regression_map(k, v), similarity.regression_map(l, u)]
    assert torch.allclose(maps["regression"], torch.stack([both[0], both[1].T]).mean(0))
    assert all(value.min() < 0.98 for value in maps.values())


# ---------------------------------------------------------------------------------------------------------------------- experiment
def test_training_to_a_record_and_back(few_pictures: None, tmp_path: Path) -> None:
    record = train(tiny(), tmp_path, device="cpu", quiet=True)
    assert record.steps == 6
    assert {"loss", "accuracy-0", "accuracy-1"} == set(record.curve.values)
    for comparison in evaluate(read_record(tmp_path / "hsic/cka-fashion")):
        assert comparison.agrees, comparison
    assert record.metrics["accuracy-0"].seeds != record.metrics["accuracy-1"].seeds
    # the page's pair
    read = read_record(tmp_path / "hsic/cka-fashion")
    pair = restore(read)
    assert [tuple(z.shape) for z in pair.trained[1]] == [(30, 3, 4, 4), (30, 3, 4, 4), (30, 4, 2, 2)]
    for which, outputs in (("trained", pair.trained), ("random", pair.untrained)):
        cka = similarity_maps(*outputs)["cka"]
        assert cka.trace().item() / 3 == pytest.approx(read.metrics_of_weights[f"same-{which}"], abs=1e-6)
    x, _ = tiny().pictures_of()["test"]
    net = tiny().restore(read.weights())[0]
    assert torch.allclose(pair.features @ pair.readout.T + net.shift, net(x[:30]), atol=1e-5)
    assert found_again(read)["svcca"] == (read.metrics["found-trained-svcca"], read.metrics["found-random-svcca"])
    assert tuple(found_again(read)) == MEASURES


def test_metrics_by_hand(few_pictures: None) -> None:
    e = tiny(epochs=1)
    weights = e.train(Run(seed=1))
    found = e.evaluate(weights, Run(seed=1))
    x, labels = e.pictures_of()["test"]
    for which, nets in (("trained", e.restore(weights)), ("random", e.fresh(1))):
        maps = similarity_maps(*(layers_of(net, x[:30]) for net in nets), share=e.share)
        for measure in MEASURES:
            assert found[f"found-{which}-{measure}"] == similarity.identified(maps[measure])
        rows = maps["cka"].tolist()
        assert found[f"same-{which}"] == pytest.approx(sum(rows[i][i] for i in range(3)) / 3)
        assert found[f"other-{which}"] == pytest.approx(sum(rows[i][j] for i in range(3) for j in range(3) if i != j) / 6)
    answers = [net(x).argmax(1) for net in e.restore(weights)]
    assert found["accuracy-1"] == pytest.approx((answers[1] == labels).double().mean().item())
    assert found["agreement"] == pytest.approx((answers[0] == answers[1]).double().mean().item())
    assert len(found) == 17


def test_twins_never_meet(few_pictures: None) -> None:
    """The second twin of a pair by a loop of its own: other first weights, an order of its own, and nothing of the first."""
    e = tiny(end=0.5)
    found = e.train(Run(seed=1))
    x, y = e.pictures_of()["train"]
    net = e.fresh(1)[1]
    optimizer = torch.optim.Adam(net.parameters(), lr=e.rate)
    order = [rows for epoch in range(2) for rows in Batches(60, 20, seed=3).epoch(epoch)]
    for number, rows in enumerate(order):
        optimizer.param_groups[0]["lr"] = e.rate * (1 - 0.5 * number / 5)
        optimizer.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    for key, w in net.state_dict().items():
        assert torch.allclose(found[f"1.{key}"], w, atol=1e-6), key
        assert not torch.equal(found[f"0.{key}"], w)


def test_training_repeats_itself_and_honours_the_seed(few_pictures: None) -> None:
    one, two, other = (tiny(epochs=1).train(Run(seed=s)) for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not any(torch.equal(one[k], other[k]) for k in one)


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "world", 2)
    with pytest.raises(ValueError, match="train them in one process"):
        tiny().train(Run(seed=0))


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_the_shipped_record_is_honest(honest_record: Callable[..., Record]) -> None:
    assert honest_record("hsic/cka-fashion", most_bytes=4e6, rounding=0.01).name == "hsic/cka-fashion"


def test_the_shipped_weights_give_the_recorded_metrics(disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing("hsic/cka-fashion") == []


def test_trained_twins_know_each_others_layers_best_by_cka() -> None:
    record = load("hsic/cka-fashion")
    found = found_again(record)
    for rival in ("svcca", "regression"):
        assert all(a > b for a, b in zip(found["cka"][0].seeds, found[rival][0].seeds, strict=True))
    trained, untrained = found["cka"]
    assert min(trained.seeds) > 2 * max(untrained.seeds) - 1e-9
    assert max(untrained.seeds) <= 0.25
    same, other = record.metrics["same-trained"], record.metrics["other-trained"]
    assert min(a - b for a, b in zip(same.seeds, other.seeds, strict=True)) > 0.05
    layers = [similarity.layer_grams(outputs) for outputs in restore(record).trained]
    assert similarity.identified(similarity.cka_map(*layers)[4:, 4:]) >= 0.75
    assert similarity.cka_map(layers[0], layers[0])[:4, :4].min() > 0.96  # the first four are not told apart, in one twin alone
