"""The HSIC bottleneck: its losses and readout against plain formulas, layers that do not hear of one another, honest records."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from kexue import datasets
from kexue.mathematics import hsic_experiments as module
from kexue.mathematics.hsic import delta_gram, normalised_hsic
from kexue.mathematics.hsic_experiments import EXPERIMENTS, Bottleneck, accuracies, dependences, restore
from kexue.mathematics.hsic_training import Readout, ReluNet, bottleneck_losses, dependence, dim_gram, fit_readout, shares
from kexue.records import Record, load, read_record, shipped
from kexue.training import Run, evaluate, train
from kexue.training.pictures import standardised

SHIPPED = [name for name in shipped() if name.startswith("hsic/bottleneck-")]
TINY: dict[str, Any] = {"depths": (1, 3), "width": 6, "validation": 20, "epochs": 2, "batch": 20, "seeds": (0, 1)}


def tiny(**changes: Any) -> Bottleneck:
    return Bottleneck("hsic/bottleneck-mnist", **(TINY | changes))


@pytest.fixture
def few_pictures(made_up_pictures: Callable[..., dict[str, tuple[Tensor, Tensor]]]) -> dict[str, tuple[Tensor, Tensor]]:
    return made_up_pictures(train=80, test=50, side=4)


def sample(n: int = 12, d: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=draw, dtype=torch.float64), torch.randint(0, 3, (n,), generator=draw)


def double_net(depth: int = 3, seed: int = 1) -> ReluNet:
    return ReluNet(5, 4, depth, torch.Generator().manual_seed(seed)).double()


# ------------------------------------------------------------------------------------------------------------------------- the net
def test_relu_net_is_the_plain_formula() -> None:
    net = double_net()
    for b in net.biases:
        b.data.add_(torch.randn(4, generator=torch.Generator().manual_seed(3)))
    x, _ = sample()
    h, found = x, net(x)
    assert len(found) == 3
    for w, b, z in zip(net.weights, net.biases, found, strict=True):
        h = (h @ w.T + b).clamp_min(0)
        assert torch.allclose(z, h)
    assert all(torch.equal(a, b) for a, b in zip(found, net(x, apart=True), strict=True))


def test_weights_are_hes_and_shallow_nets_begin_like_deep_ones() -> None:
    net = ReluNet(200, 100, 3, torch.Generator().manual_seed(0))
    assert [tuple(w.shape) for w in net.weights] == [(100, 200), (100, 100), (100, 100)]
    assert net.weights[0].std().item() == pytest.approx(math.sqrt(2 / 200), rel=0.02)
    assert net.weights[2].std().item() == pytest.approx(math.sqrt(2 / 100), rel=0.03)
    assert not any(b.any() for b in net.biases)
    shallow = ReluNet(200, 100, 2, torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(shallow.weights, net.weights, strict=False))
    assert not torch.equal(ReluNet(200, 100, 1, torch.Generator().manual_seed(1)).weights[0], net.weights[0])


def test_apart_no_gradient_passes_from_a_layer_to_the_one_below() -> None:
    net = double_net()
    x, labels = sample()
    for layer in range(3):
        own = bottleneck_losses(net(x, apart=True), x, labels, beta=2.0, sigma=1.0)[layer]
        gradients = torch.autograd.grad(own, list(net.weights), allow_unused=True)
        assert [g is not None and bool(g.any()) for g in gradients] == [i == layer for i in range(3)]
    through = torch.autograd.grad(net(x)[2].sum(), list(net.weights))
    assert all(g.any() for g in through)


# ---------------------------------------------------------------------------------------------------------------------- the losses
def plain_nhsic(k: np.ndarray[Any, Any], goal: np.ndarray[Any, Any], eps: float) -> float:
    n = len(k)
    j = np.eye(n) - 1 / n
    a, b = ((j @ m @ j) @ np.linalg.inv(j @ m @ j + eps * n * np.eye(n)) for m in (k, goal))
    return float(np.trace(a @ b))


def plain_gram(x: Tensor, sigma: float) -> np.ndarray[Any, Any]:
    rows = x.detach().numpy()
    return np.array([[np.exp(-((a - b) ** 2).sum() / (2 * sigma**2 * len(a))) for b in rows] for a in rows])


def test_the_kernels_bandwidth_grows_with_the_dimension() -> None:
    x, _ = sample()
    assert dim_gram(x, 0.7).numpy() == pytest.approx(plain_gram(x, 0.7), abs=1e-12)
    assert torch.allclose(dim_gram(x.repeat(1, 3), 0.7), dim_gram(x, 0.7))  # every number told three times changes nothing


@pytest.mark.parametrize("eps", [1e-5, 0.01])
def test_dependence_by_hand(eps: float) -> None:
    x, labels = sample()
    layers = double_net()(x)
    found = dependence(layers, x, labels, sigma=1.3, eps=eps)
    assert found.shape == (3, 2)
    same = (labels[:, None] == labels).double().numpy()
    for z, (on_x, on_y) in zip(layers, found.tolist(), strict=True):
        assert on_x == pytest.approx(plain_nhsic(plain_gram(z, 1.3), plain_gram(x, 1.3), eps), abs=1e-6)
        assert on_y == pytest.approx(plain_nhsic(plain_gram(z, 1.3), same, eps), abs=1e-6)
    losses = bottleneck_losses(layers, x, labels, beta=7.0, sigma=1.3, eps=eps)
    assert torch.allclose(losses, found[:, 0] - 7 * found[:, 1])
    assert torch.allclose(dependence(layers, x, labels, sigma=1.3), dependence(layers, x, labels, sigma=1.3, eps=1e-5))
    usual = dependence(layers, x, labels, sigma=1.3)
    assert torch.allclose(bottleneck_losses(layers, x, labels, beta=1.0, sigma=1.3), usual[:, 0] - usual[:, 1])


def test_gradient_of_the_losses() -> None:
    x, labels = sample(6, 3)
    z = (x + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: bottleneck_losses([t], x, labels, beta=3.0, sigma=1.0, eps=0.05), (z,))


def test_dependences_are_one_for_the_inputs_and_for_what_tells_the_class() -> None:
    x, labels = sample(20)
    draw = torch.randn(20, 5, generator=torch.Generator().manual_seed(9))
    found = shares([x.float(), draw, F.one_hot(labels).float()], x.float(), labels, sigma=1.0)
    assert found.dtype == torch.float64
    assert found[0, 0].item() == pytest.approx(1, abs=1e-12)
    assert found[2, 1].item() == pytest.approx(1, abs=0.01)  # the same classes by another kernel
    assert bool((found[1] < found[0, 0]).all())
    goal = delta_gram(labels.double())
    k = dim_gram(draw.double(), 1.0)
    assert found[1, 1].item() == pytest.approx((normalised_hsic(k, goal) / normalised_hsic(goal, goal)).item(), abs=1e-9)
    shuffled = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    layers = [z[shuffled] for z in (x.float(), draw, F.one_hot(labels).float())]
    again = shares(layers, x.float()[shuffled], labels[shuffled], sigma=1.0)
    assert torch.allclose(found, again)
    wider = shares([draw], x.float(), labels, sigma=1.0, eps=0.1)
    assert not torch.allclose(wider[0], found[1], atol=1e-3)


# --------------------------------------------------------------------------------------------------------------------- the readout
def test_readout_is_scikit_learns_logistic_regression() -> None:
    draw = torch.Generator().manual_seed(4)
    z = torch.randn(300, 4, generator=draw, dtype=torch.float64) * torch.tensor([1.0, 20.0, 0.1, 3.0]) + 5
    labels = (z[:, 0] + z[:, 1] / 20 + torch.randn(300, generator=draw) > 5.25).long() + (z[:, 3] > 6).long()
    made = fit_readout(z, labels, 3, ridge=0.01)
    scaled = (z - z.mean(0)) / z.std(0, correction=0)
    other = LogisticRegression(C=1 / (300 * 0.01), tol=1e-10, max_iter=2000).fit(scaled.numpy(), labels.numpy())
    assert torch.softmax(made(z), 1).numpy() == pytest.approx(other.predict_proba(scaled.numpy()), abs=1e-4)
    assert made.weight.numpy() == pytest.approx(other.coef_, abs=1e-3)
    assert not made.weight.requires_grad
    small = fit_readout(z, labels, 3)  # ridge 1e-3 if none is named
    assert torch.allclose(small.weight, fit_readout(z, labels, 3, ridge=1e-3).weight)
    assert small.weight.norm() > made.weight.norm()
    assert not torch.allclose(fit_readout(z, labels, 3, steps=1).weight, small.weight, atol=1e-2)


def test_a_feature_that_does_not_vary_stays_out() -> None:
    z, labels = sample(40)
    z[:, 2] = 3.0
    z[:, 4] = 3.0 + 1e-5 * z[:, 4]
    made = fit_readout(z, labels, 3)
    assert made.get_buffer("inverse")[[2, 4]].tolist() == [0.0, 0.0]
    assert made.get_buffer("inverse")[0].item() == pytest.approx(1 / z[:, 0].std(correction=0).item())
    moved = z.clone()
    moved[:, [2, 4]] += 100
    assert torch.equal(made(moved), made(z))
    fresh = Readout(5, 3).double()
    assert not fresh(z).any()
    assert fresh(z).shape == (40, 3)


# ------------------------------------------------------------------------------------------------------------------- experiments
def test_two_data_sets_and_the_small_settings() -> None:
    mnist, fashion = EXPERIMENTS
    assert isinstance(mnist, Bottleneck)
    assert (mnist.depths, mnist.beta, mnist.sigma, mnist.seeds) == ((1, 2, 5, 10, 20), 50.0, 5.0, (0, 1, 2))
    assert {k for k, v in fashion.settings().items() if v != mnist.settings()[k]} == {"data_set", "validation", "epochs"}
    for e in EXPERIMENTS:
        small = e.small().settings()
        assert {k for k, v in e.settings().items() if v != small[k]} == {"depths", "width", "pictures", "epochs"}
        assert (small["depths"], small["pictures"]) == ([1, 2, 5, 10], 7000)
    assert mnist.title == "HSIC bottleneck of 20 layers on MNIST, 10,000 digits"
    assert mnist.classes == 10
    assert mnist.data()["used"] == "7,000 for training, 1,000 for validation, 2,000 for the test"
    assert fashion.small().data()["used"] == "7,000 for training, 5,000 for validation, 10,000 for the test"
    assert fashion.data()["used"].startswith("55,000 for training")
    assert fashion.data()["sha256"] == datasets.info("fashion-mnist").sha256


@pytest.mark.parametrize("depths", [(), (0, 1), (2, 2), (3, 1)])
def test_impossible_depths(depths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"at least 1 and rising, got \("):
        tiny(depths=depths)


def test_the_rate_falls_along_a_line() -> None:
    e = tiny(rate=2.0, end=0.1)
    assert (e.rate_at(1, 11), e.rate_at(6, 11), e.rate_at(11, 11)) == (2.0, pytest.approx(1.1), pytest.approx(0.2))
    assert e.rate_at(1, 1) == 2.0


def test_pictures_are_split_without_overlap(few_pictures: dict[str, tuple[Tensor, Tensor]]) -> None:
    images, labels = few_pictures["train"]
    found = tiny().pictures_of()
    assert torch.equal(found["train"][0], standardised(images[:60], images[:60]).flatten(1))
    assert torch.equal(found["validation"][0], standardised(images[60:], images[:60]).flatten(1))
    assert torch.equal(found["test"][0], standardised(few_pictures["test"][0], images[:60]).flatten(1))
    assert [len(y) for _, y in found.values()] == [60, 20, 50]
    assert torch.equal(found["validation"][1], labels[60:])
    fewer = tiny(pictures=40).pictures_of()
    assert torch.equal(fewer["test"][0], standardised(few_pictures["test"][0], images[:40]).flatten(1))
    assert torch.equal(fewer["train"][1], labels[:40])
    assert torch.equal(fewer["validation"][1], labels[60:])


def test_train_record_and_evaluate(few_pictures: Any, tmp_path: Path) -> None:
    e = tiny()
    made = train(e, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / e.name)
    assert record == made
    assert all(c.found == c.recorded for c in evaluate(record, experiment=e))
    places = ["pixels-0", *(f"{method}-{d}" for method in ("hsic", "backprop", "random") for d in (1, 3))]
    assert set(record.metrics) == {f"{kind}-{place}" for kind in ("accuracy", "x", "y") for place in places} | {"ms_per_step"}
    assert record.metrics["x-pixels-0"].mean == pytest.approx(1, abs=1e-9)
    watched = [place for place in places if not place.startswith("random")]
    assert set(record.curve) == {"hsic", "backprop-1", "backprop-3", *(f"{on}-{place}" for on in "xy" for place in watched)}
    assert record.curve.steps == (1, 2, 3, 4, 5, 6)
    # one number of each kind by hand
    nets, readouts = restore(record)
    assert set(nets) == {"hsic", "backprop-1", "backprop-3"}
    assert set(readouts) == set(places)
    data = e.pictures_of()
    layer = nets["hsic"](data["test"][0])[2]
    right = (readouts["hsic-3"](layer).argmax(1) == data["test"][1]).double().mean().item()
    assert record.metrics_of_weights["accuracy-hsic-3"] == right
    untrained = e.fresh(0, 16, 3)(data["test"][0])[0]
    right = (readouts["random-1"](untrained).argmax(1) == data["test"][1]).double().mean().item()
    assert record.metrics["accuracy-random-1"].seeds[0] == pytest.approx(right, abs=0.021)
    x, y = (rows[:256] for rows in data["validation"])
    on_x, on_y = shares([nets["backprop-3"](x)[2]], x, y, sigma=e.sigma)[0].tolist()
    assert record.metrics["x-backprop-3"].seeds[0] == pytest.approx(on_x, abs=1e-3)
    assert record.metrics["y-backprop-3"].seeds[0] == pytest.approx(on_y, abs=1e-3)
    # the page's tables
    assert accuracies(record)["hsic"] == {d: record.metrics[f"accuracy-hsic-{d}"] for d in (1, 3)}
    assert list(accuracies(record)) == ["pixels", "hsic", "backprop", "random"]
    assert accuracies(record)["pixels"] == {0: record.metrics["accuracy-pixels-0"]}
    assert dependences(record, "y")["random"] == {d: record.metrics[f"y-random-{d}"] for d in (1, 3)}
    with pytest.raises(ValueError, match="x or y, got 'z'"):
        dependences(record, "z")


def test_shipped_weights_are_exactly_those_the_readouts_were_fitted_to(few_pictures: Any) -> None:
    e = tiny()
    found = e.train(Run(seed=0))
    for key, w in found.items():
        if not key.startswith("readout"):
            assert torch.equal(w, w.half().float()), key
    nets, readouts = e.restore(found)
    x, y = e.pictures_of()["train"]
    again = fit_readout(nets["hsic"](x)[2], y, 10, ridge=e.ridge)
    assert torch.equal(again.weight, readouts["hsic-3"].weight)


def test_a_deep_net_holds_the_shallow_ones_for_no_layer_hears_of_those_above(few_pictures: Any) -> None:
    deep, shallow = tiny(depths=(1, 3)).train(Run(seed=2)), tiny(depths=(2,)).train(Run(seed=2))
    for layer in range(2):
        assert torch.allclose(deep[f"hsic.weights.{layer}"], shallow[f"hsic.weights.{layer}"], atol=1e-3)
    fresh = tiny().fresh(2, 16, 3)
    assert (deep["hsic.weights.2"] - fresh.weights[2]).abs().max() > 2e-3


def test_both_ways_of_training_by_hand(few_pictures: Any) -> None:
    """Two epochs of one layer with a loop of its own, from the same first weights and batches."""
    e = tiny(depths=(1,), end=0.5)
    found = e.train(Run(seed=1))
    x, y = e.pictures_of()["train"]
    order = [chosen for epoch in range(2) for chosen in Run(seed=1).batches(60, 20).epoch(epoch)]
    for way in ("hsic", "backprop-1"):
        w, b = e.fresh(1, 16, 1).weights[0], torch.zeros(6, requires_grad=True)
        head, bias = torch.zeros(10, 6, requires_grad=True), torch.zeros(10, requires_grad=True)
        optimizer = torch.optim.Adam([w, b, head, bias], lr=e.rate)
        for number, chosen in enumerate(order):
            optimizer.param_groups[0]["lr"] = e.rate * (1 - 0.5 * number / 5)
            optimizer.zero_grad()
            z = torch.relu(x[chosen] @ w.T + b)
            if way == "hsic":
                loss = bottleneck_losses([z], x[chosen], y[chosen], beta=50.0, sigma=5.0)[0]
            else:
                loss = F.cross_entropy(z @ head.T + bias, y[chosen])
            loss.backward()
            optimizer.step()
        assert torch.allclose(found[f"{way}.weights.0"], w, atol=1e-3)
        assert torch.allclose(found[f"{way}.biases.0"], b, atol=1e-4)


def test_training_repeats_itself_and_honours_the_seed(few_pictures: Any) -> None:
    one, two, other = (tiny().train(Run(seed=s)) for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not any(torch.equal(one[k], other[k]) for k in one if ".weights." in k)


def test_a_training_that_was_stopped_goes_on_to_the_same_nets(few_pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny().train(Run(seed=1))
    calls: list[int] = []
    original = module.bottleneck_losses

    def stop(*args: Any, **named: Any) -> Tensor:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return original(*args, **named)

    monkeypatch.setattr(module, "bottleneck_losses", stop)
    keep = {"state_file": tmp_path / "state", "settings": tiny().settings(), "save_every": 0.0}
    with pytest.raises(KeyboardInterrupt):
        tiny().train(Run(seed=1, **keep))
    resumed = tiny().train(Run(seed=1, **keep))
    assert len(calls) == 7  # the fifth and sixth step again, from the state after the fourth
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "world", 2)
    with pytest.raises(ValueError, match="train in one process"):
        tiny().train(Run(seed=0))


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_every_experiment_is_shipped() -> None:
    assert sorted(e.name for e in EXPERIMENTS) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    assert honest_record(name, most_bytes=4e6, rounding=0.004).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []


@pytest.mark.parametrize(("name", "behind"), [("mnist", 0.011), ("fashion", 0.008)])
def test_layers_without_back_propagation_know_nearly_as_much(name: str, behind: float) -> None:
    found = accuracies(load(f"hsic/bottleneck-{name}"))
    pixels = found["pixels"][0].mean
    for depth, lead in ((1, 0.03), (2, 0.06), (5, 0.12), (10, 0.2)):
        hsic, end_to_end, random = (found[method][depth] for method in ("hsic", "backprop", "random"))
        assert min(hsic.seeds) - max(random.seeds) > lead
        assert 0 < end_to_end.mean - hsic.mean < behind
        assert min(hsic.seeds) > pixels + 0.01 > max(random.seeds)


def test_the_97_per_cent_of_the_paper_are_not_reached_on_7000_digits_by_anyone() -> None:
    found = accuracies(load("hsic/bottleneck-mnist"))
    assert max(max(metric.seeds) for metric in found["hsic"].values()) < 0.96
    assert max(max(metric.seeds) for metric in found["backprop"].values()) < 0.97


def test_the_bottleneck_forgets_the_picture_and_keeps_the_class() -> None:
    record = load("hsic/bottleneck-mnist")
    on_x, on_y = dependences(record, "x"), dependences(record, "y")
    depths = list(on_x["hsic"])
    falling = [on_x["hsic"][d].mean for d in depths]
    assert falling == sorted(falling, reverse=True)
    assert max(on_x["hsic"][10].seeds) < min(on_x["random"][10].seeds)
    assert min(on_y["hsic"][10].seeds) > 0.9 > 0.4 > max(on_y["random"][10].seeds)
    assert min(on_x["backprop"][10].seeds) > 1  # back-propagation spreads its outputs and forgets nothing
