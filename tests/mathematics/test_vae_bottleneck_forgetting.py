"""Wrong labels, the small network, its training alone and side by side, and the shipped table of all settings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional

from kexue import datasets
from kexue.mathematics import vae_bottleneck_forgetting as library
from kexue.mathematics import vae_bottleneck_forgetting_experiments as module
from kexue.mathematics.vae_bottleneck import gaussian_kl
from kexue.mathematics.vae_bottleneck_forgetting import (
    SETTINGS,
    CodeNet,
    Digits,
    Learner,
    Setting,
    digit_sets,
    dropped,
    given_labels,
    judge,
    linear,
    train_setting,
    wrong_labels,
)
from kexue.mathematics.vae_bottleneck_forgetting_experiments import EXPERIMENTS, Forgetting, best, curve, restore, rows
from kexue.records import Metric, Record, load, read_record
from kexue.training import Run, evaluate, train

NAME = "vae-bottleneck/forgetting"
SHORT: dict[str, Any] = {
    "settings_used": ("plain", "decay-0.3", "dropout-0.5", "vib-0.1", "clean-plain"),
    "epochs": 2,
    "points": 2,
    "hidden": 16,
    "code": 4,
    "examples": 100,
    "batch": 20,
    "seeds": (0, 1),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(setting: Setting, seed: int = 0) -> CodeNet:
    return CodeNet(setting, hidden=8, code=3, generator=generator(seed))


# --------------------------------------------------------------------------------------------------------------------------- data
def test_digits_are_parted_in_their_fixed_order() -> None:
    sets, whole = digit_sets(), datasets.load("digits")
    assert [len(part.labels) for part in sets.values()] == [600, 300, 897]
    assert list(sets) == ["train", "validation", "test"]
    assert torch.equal(torch.cat([part.labels for part in sets.values()]), whole.labels)
    assert torch.equal(torch.cat([part.images for part in sets.values()]) * 16, whole.images.flatten(1).float())
    assert {len(part.labels) for part in digit_sets(1, 1795).values()} == {1, 1795}


@pytest.mark.parametrize(("train_count", "validation"), [(0, 10), (10, 0), (1000, 797)])
def test_no_part_is_empty(train_count: int, validation: int) -> None:
    with pytest.raises(ValueError, match=f"must be at least 1 and leave some of 1797 digits, got {train_count} and {validation}"):
        digit_sets(train_count, validation)


# ------------------------------------------------------------------------------------------------------------------- wrong labels
def test_wrong_labels_are_wrong_and_as_many_as_asked() -> None:
    labels = torch.arange(1000) % 10
    for share, count in ((0.0, 0), (0.3, 300), (0.1234, 123), (1.0, 1000)):
        spoilt = wrong_labels(labels, share, generator=generator())
        assert int((spoilt != labels).sum()) == count
        assert int(spoilt.min()) >= 0
        assert int(spoilt.max()) <= 9
    assert torch.equal(labels, torch.arange(1000) % 10)  # the argument is left alone
    one, two, other = (wrong_labels(labels, 0.3, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_all_wrong_labels_are_as_likely() -> None:
    labels = torch.full((9000,), 7)
    found = wrong_labels(labels, 1.0, generator=generator()).bincount(minlength=10)
    assert found[7] == 0
    assert stats.chisquare(found[[0, 1, 2, 3, 4, 5, 6, 8, 9]].numpy()).pvalue > 1e-3
    spread = wrong_labels(torch.zeros(5000, dtype=torch.long), 0.5, classes=2, generator=generator()).view(10, 500).sum(1)
    assert stats.chisquare(spread.numpy()).pvalue > 1e-3  # they lie anywhere among the rows


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], got"):
        wrong_labels(torch.zeros(3, dtype=torch.long), share)


def test_the_settings_of_a_seed_share_their_wrong_labels() -> None:
    part = digit_sets()["train"]
    options: dict[str, Any] = {"share": 0.3, "rate": 1e-3, "batch": 50}
    plain, vib, other, clean = (
        Learner(SETTINGS[key], part, seed=seed, **options).labels
        for key, seed in (("plain", 0), ("vib-0.1", 0), ("plain", 1), ("clean-plain", 0))
    )
    assert torch.equal(plain, vib)
    assert torch.equal(plain, given_labels(part.labels, 0.3, 0))
    assert not torch.equal(plain, other)
    assert torch.equal(clean, part.labels)
    assert int((plain != part.labels).sum()) == 180


# ------------------------------------------------------------------------------------------------------------------------ network
def test_first_weights() -> None:
    before = torch.get_rng_state()
    layer = linear(400, 300, generator())
    assert torch.equal(torch.get_rng_state(), before)
    for weight in (parameter.detach() for parameter in layer.parameters()):
        assert float(weight.abs().max()) <= 1 / 20
        assert float(weight.square().mean()) == pytest.approx(1 / 1200, rel=0.2 if weight.ndim == 1 else 0.02)
    assert torch.equal(layer.weight, linear(400, 300, generator()).weight)
    assert not torch.equal(layer.weight, linear(400, 300, generator(1)).weight)


def test_dropout_keeps_the_mean() -> None:
    x = torch.rand(200, 100, generator=generator()) + 1
    found = dropped(x, 0.3, generator(1))
    kept = found != 0
    assert float(kept.double().mean()) == pytest.approx(0.7, abs=0.01)
    assert torch.allclose(found[kept], x[kept] / 0.7)
    assert torch.equal(found, dropped(x, 0.3, generator(1)))
    assert torch.equal(dropped(x, 0.0, generator()), x)


def by_hand(model: CodeNet, x: Tensor, *, seed: int | None = None, share: float = 0.0) -> Tensor:
    """The last hidden layer written out, dropout included."""
    g = generator(seed or 0)
    for layer in (model.first, model.second):
        x = (x @ layer.weight.T + layer.bias).clamp(min=0)
        if share:
            x = x * (torch.rand(x.shape, generator=g) >= share) / (1 - share)
    return x


def test_logits_are_those_of_the_mean() -> None:
    x = torch.rand(5, 64, generator=generator(1))
    for setting in (Setting("a"), Setting("b", weight=0.5), Setting("c", dropout=0.5)):
        model = net(setting)
        mean = by_hand(model, x) @ model.mean.weight.T + model.mean.bias
        assert torch.allclose(model(x), mean @ model.answer.weight.T + model.answer.bias, atol=1e-6)
        assert hasattr(model, "log_variance") is (setting.weight is not None)
    assert model(x).shape == (5, 10)


def test_the_first_codes_have_little_noise() -> None:
    model = CodeNet(SETTINGS["vib-0"], generator=generator())
    log_variance = model.codes(torch.rand(50, 64, generator=generator(1))).log_variance
    assert log_variance is not None
    log_variance = log_variance.detach()
    assert log_variance.shape == (50, 32)
    assert float(log_variance.mean()) == pytest.approx(-5, abs=0.1)
    assert (model.log_variance.bias == -5).all()
    assert model.first.weight.shape == (256, 64)


def test_losses_written_out() -> None:
    x, labels = torch.rand(6, 64, generator=generator(1)), torch.arange(6)
    plain, drop, vib = (net(s) for s in (Setting("a"), Setting("b", dropout=0.4), Setting("c", weight=0.3)))
    with torch.no_grad():
        assert torch.allclose(plain.loss(x, labels, generator()), functional.cross_entropy(plain(x), labels))
        hidden = by_hand(drop, x, seed=5, share=0.4)
        assert torch.allclose(drop.loss(x, labels, generator(5)), functional.cross_entropy(drop.answer(drop.mean(hidden)), labels))
        hidden = by_hand(vib, x)
        mean, log_variance = vib.mean(hidden), vib.log_variance(hidden)
        z = mean + (log_variance / 2).exp() * torch.randn(6, 3, generator=generator(5))
        want = functional.cross_entropy(vib.answer(z), labels) + 0.3 * gaussian_kl(mean, log_variance).mean()
        assert torch.allclose(vib.loss(x, labels, generator(5)), want)
        free = CodeNet(dataclasses.replace(vib.setting, weight=0.0), hidden=8, code=3, generator=generator())
        free.load_state_dict(vib.state_dict())
        assert torch.allclose(free.loss(x, labels, generator(5)), functional.cross_entropy(vib.answer(z), labels))


# ----------------------------------------------------------------------------------------------------------------------- training
def test_a_learner_takes_the_steps_of_adamw() -> None:
    part = Digits(torch.rand(40, 64, generator=generator()), torch.arange(40) % 10)
    learner = Learner(Setting("x", decay=2.0), part, share=0.5, seed=3, rate=0.01, batch=15, hidden=8, code=3)
    assert (learner.batches.count, learner.batches.size, learner.batches.seed, learner.batches.per_epoch) == (40, 15, 3, 2)
    twin = CodeNet(Setting("x"), hidden=8, code=3, generator=generator(3))
    assert all(torch.equal(a, b) for a, b in zip(twin.parameters(), learner.model.parameters(), strict=True))
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=2.0)
    for number, (epoch, place) in enumerate([(0, 0), (0, 1), (1, 0)], 1):
        taken = learner.batches.epoch(epoch)[place]
        loss = functional.cross_entropy(twin(part.images[taken]), learner.labels[taken])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert float(learner.step(number)) == pytest.approx(loss.detach().item(), rel=1e-5)
    for a, b in zip(twin.parameters(), learner.model.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_judging_written_out() -> None:
    sets = {name: Digits(torch.rand(n, 64, generator=generator(n)), torch.randint(0, 10, (n,), generator=generator(n)))
            for name, n in (("train", 50), ("validation", 20), ("test", 30))}  # fmt: skip
    model = net(Setting("x", weight=1.0))
    answers = {name: model(part.images).argmax(1) for name, part in sets.items()}
    # of the labels given, 10 are wrong; of these the network gives back those that are its own answers
    given = sets["train"].labels.clone()
    given[:10] = (given[:10] + 1) % 10
    given[0] = answers["train"][0]
    true = Digits(sets["train"].images, torch.where(given == sets["train"].labels, given, sets["train"].labels))
    found = judge(model, sets | {"train": true}, given)
    wrong = given != true.labels
    assert found["learnt"] == pytest.approx((answers["train"][wrong] == given[wrong]).double().mean().item())
    assert found["fit"] == pytest.approx((answers["train"] == given).double().mean().item())
    assert found["val"] == pytest.approx((answers["validation"] == sets["validation"].labels).double().mean().item())
    assert found["test"] == pytest.approx((answers["test"] == sets["test"].labels).double().mean().item())
    assert found["rate"] == pytest.approx(gaussian_kl(*model.codes(true.images)).mean().detach().item())
    clean = judge(net(Setting("x")), sets, sets["train"].labels)
    assert clean["learnt"] == 0.0
    assert "rate" not in clean


def test_unknown_settings() -> None:
    with pytest.raises(ValueError, match=r"unknown setting 'vib'; there are plain, decay-0\.1, "):
        train_setting("vib")
    with pytest.raises(ValueError, match="unknown setting 'x'; there are plain"):
        Forgetting("a/b", settings_used=("plain", "x"))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A real, tiny training."""
    folder = tmp_path_factory.mktemp("runs")
    train(Forgetting(NAME, **SHORT), folder, device="cpu", quiet=True)
    return read_record(folder / NAME)


def test_training_side_by_side_is_training_alone(short: Record) -> None:
    """What the settings of a run do not share is neither noise nor order: each is what it is alone."""
    alone, _ = train(Forgetting(NAME, **(SHORT | {"settings_used": ("vib-0.1",)})), Path(short.folder or "") / "alone", quiet=True), None
    assert alone.metrics["test_vib-0.1"] == short.metrics["test_vib-0.1"]
    assert alone.metrics["rate_vib-0.1"] == short.metrics["rate_vib-0.1"]
    sets = digit_sets(100, 300)
    learner = Learner(SETTINGS["vib-0.1"], sets["train"], share=0.3, seed=1, rate=1e-3, batch=20, hidden=16, code=4)
    for number in range(1, 11):
        learner.step(number)
    found = judge(learner.model, sets, learner.labels)
    assert found["rate"] == short.metrics["rate_vib-0.1"].seeds[1]


def test_one_setting_trained_as_the_run_trains_it(tmp_path: Path) -> None:
    model, found = train_setting("vib-0.1", seed=1, epochs=2)
    made = train(Forgetting("a/b", settings_used=("vib-0.1",), epochs=2, points=1, seeds=(1,)), tmp_path, device="cpu", quiet=True)
    assert {f"{what}_vib-0.1": value for what, value in found.items()} == {
        name: metric.mean for name, metric in made.metrics.items() if name != "ms_per_step"
    }
    assert model.setting is SETTINGS["vib-0.1"]
    again, _ = train_setting("vib-0.1", seed=1, epochs=2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_stopped_training_goes_on_to_the_same_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = SHORT | {"settings_used": ("dropout-0.5", "vib-0.1"), "seeds": (0,)}
    want = train(Forgetting("a/b", **options), tmp_path / "whole", device="cpu", quiet=True)
    real, calls = Learner.step, []

    def stop(self: Learner, number: int) -> Tensor:
        calls.append(number)
        if len(calls) == 15:  # the eighth step of the second learner
            raise KeyboardInterrupt
        return real(self, number)

    monkeypatch.setattr(Learner, "step", stop)
    with pytest.raises(KeyboardInterrupt):
        train(Forgetting("a/b", **options), tmp_path / "parts", device="cpu", quiet=True, save_every=0.0)
    monkeypatch.setattr(Learner, "step", real)
    found = train(Forgetting("a/b", **options), tmp_path / "parts", device="cpu", quiet=True)
    assert found.weights_sha256 == want.weights_sha256
    assert found.curve == want.curve


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "world", 2)
    with pytest.raises(ValueError, match="smaller than a message between processes"):
        Forgetting(NAME, **SHORT).train(Run())


def test_record_of_a_training(short: Record) -> None:
    assert short.steps == 10  # two epochs of five batches
    assert short.curve.steps == (5, 10)
    assert set(short.curve) == {"loss", *(f"{what}_{key}" for what in ("val", "learnt") for key in SHORT["settings_used"])}
    assert short.curve["val_plain"][1][-1] == round(short.metrics["val_plain"].seeds[1], 4)
    assert {name for name in short.metrics if name.startswith("rate_")} == {"rate_vib-0.1"}
    assert short.metrics["learnt_clean-plain"].seeds == (0.0, 0.0)
    for comparison in evaluate(short, experiment=EXPERIMENTS[0]):
        assert comparison.found == comparison.recorded


# ------------------------------------------------------------------------------------------------------------------- for the page
def test_rows_and_best(short: Record) -> None:
    found = rows(short)
    assert [row.key for row in found] == list(SHORT["settings_used"])
    vib = found[3]
    assert vib.title == "VIB, λ = 0.1"
    assert vib.rate == (short.metrics["rate_vib-0.1"].mean, short.metrics["rate_vib-0.1"].std)
    assert vib.test == (short.metrics["test_vib-0.1"].mean, short.metrics["test_vib-0.1"].std)
    assert found[0].rate is None
    two = dataclasses.replace(short, settings={"settings_used": ["vib-0.1", "vib-0.2", "plain"]}, metrics={
        f"{what}_{key}": Metric((value, value)) for key, value in (("vib-0.1", 0.5), ("vib-0.2", 0.7), ("plain", 0.9))
        for what in ("val", "fit", "learnt")
    } | {"test_vib-0.1": Metric((0.9,)), "test_vib-0.2": Metric((0.1,)), "test_plain": Metric((0.1,))})  # fmt: skip
    assert best(two, "vib").key == "vib-0.2"  # chosen by validation, not by the test
    assert best(two, "plain").key == "plain"
    with pytest.raises(ValueError, match="no setting of the family 'clean'"):
        best(two, "clean")


def test_curve_in_epochs(short: Record) -> None:
    epochs, values = curve(short, "val", "vib-0.1")
    assert epochs == (1.0, 2.0)
    assert values == short.curve.mean("val_vib-0.1")


def test_restored_network_is_for_use(short: Record) -> None:
    model = restore(short, "vib-0.1")
    assert not model.training
    assert not any(w.requires_grad for w in model.parameters())
    stored = short.weights()["vib-0.1/mean.weight"]
    assert stored.dtype == torch.float16
    assert torch.equal(model.mean.weight, stored.float())
    assert model.mean.weight.shape == (4, 16)


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_the_run_as_declared() -> None:
    (experiment,) = EXPERIMENTS
    assert experiment.name == NAME
    assert experiment.small() == experiment  # the settings are for a CPU: none waits for a GPU
    assert experiment.title == "forgetting wrong labels: 23 settings on digits, 30% of the labels wrong"
    assert experiment.data()["used"] == "600 for training, 300 for validation, 897 for the test"
    assert [setting.weight for setting in SETTINGS.values()].count(None) == 12
    assert {key: (s.decay, s.dropout) for key, s in SETTINGS.items() if s.decay or s.dropout}["decay-3"] == (3.0, 0.0)
    assert library.FIRST_LOG_VARIANCE == -5
    assert module.MEASURES == ("val", "test", "fit", "learnt", "rate")


def test_shipped_record_is_honest(honest_record: Callable[..., Record]) -> None:
    assert not honest_record(NAME, most_bytes=6e6).waiting_for_gpu


def test_shipped_findings() -> None:
    """What the chapter says of forgetting, held to the numbers that the fact sheet asks for."""
    record = load(NAME)
    table = {row.key: row for row in rows(record)}
    chosen = best(record, "vib")
    assert chosen.test[0] >= table["plain"].test[0] + 0.10
    assert table["vib-1"].test[0] <= 0.2  # too dear: everything is forgotten
    assert abs(chosen.fit[0] - 0.7) <= 0.05  # it learns the right labels and hardly any other
    assert chosen.rate is not None
    assert math.log(10) < chosen.rate[0] < 5  # a little above what a label needs
    # its rivals do as well or better, each at a strength that the validation digits choose inside its grid
    assert (chosen.key, best(record, "decay").key, best(record, "dropout").key) == ("vib-0.1", "decay-3", "dropout-0.7")
    assert 0.01 < best(record, "dropout").test[0] - chosen.test[0] < 0.03
    assert abs(best(record, "decay").test[0] - chosen.test[0]) < 0.01
    assert table["clean-plain"].test[0] < table["clean-dropout-0.5"].test[0] < table["clean-vib-0.01"].test[0]
    rates = [row.rate[0] for row in table.values() if row.rate is not None and not row.key.startswith("clean")]
    assert rates == sorted(rates, reverse=True)
    assert table["plain"].learnt[0] > 3 * chosen.learnt[0]


def test_shipped_weights_give_the_recorded_metrics(disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(NAME) == []
