"""The trainings of the bottleneck chapter: they repeat themselves, survive, and the shipped ones are what their records say."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kexue import datasets
from kexue.mathematics import vae_bottleneck_experiments as module
from kexue.mathematics.vae_bottleneck_experiments import (
    ABOVE,
    EXPERIMENTS,
    Digits,
    RateDistortion,
    Vib,
    by_price,
    experiment_of,
    linear_codes,
    restore,
)
from kexue.mathematics.vae_bottleneck_linear import water_filling
from kexue.mathematics.vae_bottleneck_training import (
    Autoencoder,
    BottleneckClassifier,
    LinearCodes,
    fgsm,
    judge_autoencoder,
    least_lead,
    relabelled,
)
from kexue.records import Record, load, read_record, shipped
from kexue.training import Run, evaluate, train

BOTH = {"epochs": 3, "batch": 20, "validation": 20, "draws": 2, "seeds": (0, 1), "hidden": (8, 6)}
NAMES = [e.name for e in EXPERIMENTS]
SHIPPED = [name for name in shipped() if name in NAMES]


def tiny_curve(**changes: Any) -> RateDistortion:
    size = {"prices": (0.02, 0.5, 50.0), "latents": 12, "channels": ()}
    return RateDistortion("vae-bottleneck/rate-distortion", **(BOTH | size | changes))


def tiny_vib(**changes: Any) -> Vib:
    return Vib("vae-bottleneck/vib", **(BOTH | {"prices": (0.0, 0.01), "code": 3} | changes))


@pytest.fixture
def few_images(in_place_of_pictures: Callable[..., None]) -> Iterator[dict[str, tuple[Tensor, Tensor]]]:
    """A hundred and twenty made-up images of ten kinds in place of a data set; their rows of grey values, and labels."""
    draw = torch.Generator().manual_seed(1)
    kinds = torch.rand(10, 28, 28, generator=draw)
    made = {}
    for split, count in (("train", 80), ("test", 40)):
        labels = torch.arange(count) % 10
        made[split] = ((255 * (kinds[labels] + 0.3 * torch.rand(count, 28, 28, generator=draw)) / 1.3).round().byte(), labels)
    in_place_of_pictures(made)
    module._linear.cache_clear()
    yield {split: (images.flatten(1).float() / 255, labels) for split, (images, labels) in made.items()}
    module._linear.cache_clear()


# -------------------------------------------------------------------------------------------------------------------------- settings
def test_the_four_runs() -> None:
    curve, vib, plane, random = EXPERIMENTS
    assert [e.name.split("/")[1] for e in EXPERIMENTS] == ["rate-distortion", "vib", "vib-plane", "vib-random"]
    assert isinstance(curve, RateDistortion)
    assert len(curve.prices) == 8
    assert curve.level(3.0) == pytest.approx(0.3)
    full = vib.settings()
    assert {k for k, v in plane.settings().items() if v != full[k]} == {"prices", "code"}
    assert {k for k, v in random.settings().items() if v != full[k]} == {"prices", "random"}
    assert (plane.settings()["code"], random.settings()["random"]) == (2, 1.0)
    assert all(e.seeds == (0, 1, 2) and e.settings()["data_set"] == "mnist-10k" for e in EXPERIMENTS)


def test_small_settings_are_smaller_networks_and_fewer_epochs_alone() -> None:
    changed = []
    for e in EXPERIMENTS:
        full, small = e.settings(), e.small().settings()
        changed.append({k for k in full if full[k] != small[k]})
        assert small["epochs"] <= full["epochs"] / 3
    assert changed == [{"channels", "hidden", "epochs"}, {"hidden", "epochs", "code"}, {"hidden", "epochs"}, {"hidden", "epochs", "code"}]
    assert [e.small().settings()["epochs"] for e in EXPERIMENTS] == [20, 20, 20, 30]


@pytest.mark.parametrize("prices", [(), (-0.1, 1.0), (1.0, 1.0)])
def test_impossible_prices(prices: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="prices must be different numbers of at least 0, at least one, got"):
        tiny_vib(prices=prices)


def test_learning_rate() -> None:
    e = tiny_vib(rate=2.0)
    assert e.rate_at(1000, 1000) == pytest.approx(0.04)
    assert e.rate_at(50, 1000) == pytest.approx(2 * (0.02 + 0.49 * (1 + math.cos(math.pi / 20))))
    assert e.rate_at(25, 1000) == pytest.approx(0.5 * 2 * (0.02 + 0.49 * (1 + math.cos(math.pi / 40))))
    assert e.rate_at(500, 1000) == pytest.approx(1.02)


def test_titles_and_data() -> None:
    assert tiny_curve().title == "β-VAEs of 3 prices on MNIST, 10,000 digits"
    assert tiny_vib().title == "bottleneck classifiers of MNIST, 10,000 digits with 3 numbers in the code"
    assert tiny_vib(random=0.5).title.endswith("in the code, 50% of the labels random")
    about = Vib("a/b").data()
    assert about["sha256"] == datasets.info("mnist-10k").sha256
    assert about["used"] == "7,000 for training, 1,000 for validation, 2,000 for the test"
    with pytest.raises(NotImplementedError):
        Digits("a/b", prices=(1.0,)).members()


def test_splits_do_not_overlap(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    images = tiny_vib().images()
    assert torch.equal(torch.cat([images["train"][0], images["validation"][0]]), few_images["train"][0])
    assert torch.equal(torch.cat([images["train"][1], images["validation"][1]]), few_images["train"][1])
    assert len(images["validation"][0]) == 20
    assert torch.equal(images["test"][0], few_images["test"][0])


def test_pixels_are_grey_values_of_the_data_set() -> None:
    x, y = Vib("a/b").images()["test"]
    found = datasets.load("mnist-10k", split="test")
    assert torch.equal((255 * x).round().to(torch.uint8).view(-1, 28, 28), found.images)
    assert torch.equal(y, found.labels)


# -------------------------------------------------------------------------------------------------------------------------- training
@pytest.mark.parametrize("e", [tiny_curve(), tiny_curve(channels=(2, 3)), tiny_vib(), tiny_vib(random=1.0)])
def test_train_record_and_evaluate(few_images: dict[str, tuple[Tensor, Tensor]], tmp_path: Path, e: Digits) -> None:
    made = train(e, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / e.name)
    assert record == made
    assert all(c.found == c.recorded for c in evaluate(record, experiment=e))
    assert record.steps == 3 * (60 // 20)
    assert list(restore(record)) == list(e.prices)
    assert experiment_of(record).settings() == e.settings()
    key = "rate" if isinstance(e, RateDistortion) else "error_one"
    for price in e.prices:
        assert f"val_rate_{price:g}" in record.curve
        metric = record.metrics[f"{key}_{price:g}"]
        assert by_price(record, key)[price] == (metric.mean, metric.std)


def test_training_repeats_itself_and_honours_the_seed(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    for e in (tiny_curve(), tiny_vib()):
        one, two, other = (e.train(Run(seed=s)) for s in (3, 3, 4))
        assert all(torch.equal(one[k], two[k]) for k in one)
        assert not all(torch.equal(one[k], other[k]) for k in one)


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    few_images: dict[str, tuple[Tensor, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for e in (tiny_curve(), tiny_vib()):
        whole = e.train(Run(seed=1))
        rate_at = Digits.rate_at

        def stop(self: Digits, step: int, steps: int, through: Any = rate_at) -> float:
            if step == 5:
                raise KeyboardInterrupt
            return float(through(self, step, steps))

        settings = {"settings": e.settings(), "save_every": 0.0, "state_file": tmp_path / e.name}
        monkeypatch.setattr("kexue.training.loop.CHECK_EVERY", 1)
        monkeypatch.setattr(Digits, "rate_at", stop)
        with pytest.raises(KeyboardInterrupt):
            e.train(Run(seed=1, **settings))
        monkeypatch.setattr(Digits, "rate_at", rate_at)
        again = e.train(Run(seed=1, **settings))
        assert all(torch.equal(whole[k], again[k]) for k in whole)


def test_the_training_of_a_curve_begins_at_the_linear_codes_and_leaves_them(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    e = tiny_curve(epochs=30)
    still = dataclasses.replace(e, rate=0.0).train(Run(seed=0))
    held_out, train_x = e.images()["validation"][0], e.images()["train"][0]
    linear = LinearCodes.fitted(train_x, held_out)
    losses = []
    for weights in (still, e.train(Run(seed=0))):
        models = [m for m in e.restore(weights).members if isinstance(m, Autoencoder)]
        points = [judge_autoencoder(m, train_x, draws=20) for m in models]
        losses.append([error / (2 * e.noise) + price * rate for price, (rate, error) in zip(e.prices, points, strict=True)])
    for k, price in enumerate(e.prices):
        filling = water_filling(linear.heights[:12], e.level(price))
        rest = linear.heights[12:].sum()
        expected = (filling.distortion + rest) / (2 * e.noise) + price * filling.rate
        assert losses[0][k] == pytest.approx(float(expected), rel=0.01)
    assert losses[1][0] < 0.98 * losses[0][0]


def test_evaluation_of_a_curve_by_hand(few_images: dict[str, tuple[Tensor, Tensor]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ABOVE", 3.0)
    e = tiny_curve()
    weights = e.train(Run(seed=0))
    found = e.evaluate(weights, Run(seed=0))
    test, train_x = e.images()["test"][0], e.images()["train"][0]
    linear = LinearCodes.fitted(train_x, test)
    models = [m for m in e.restore(weights).members if isinstance(m, Autoencoder)]
    points = [judge_autoencoder(m, test, draws=2, seed=module.JUDGE_SEED) for m in models]
    for price, (rate, error) in zip(e.prices, points, strict=True):
        assert (found[f"rate_{price:g}"], found[f"error_{price:g}"]) == (rate, error)
        assert found[f"linear_{price:g}"] == linear.error_at(rate)
    assert found["lead"] == least_lead(points, linear.error_at, above=3.0)
    assert found["lead_fitted"] == least_lead(points, linear.least_error, above=3.0)


def test_evaluation_of_a_bottleneck_by_hand(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    e = tiny_vib(random=0.5, epochs=40, rate=1e-2, hidden=(64, 32), code=8)
    weights = e.train(Run(seed=0))
    found = e.evaluate(weights, Run(seed=0))
    (x, y), (train_x, truth) = e.images()["test"], e.images()["train"]
    given = relabelled(truth, 10, 0.5, seed=module.JUDGE_SEED)
    assert torch.equal(e.given(), given)
    assert not torch.equal(given, truth)
    first, second = (m for m in e.restore(weights).members if isinstance(m, BottleneckClassifier))
    own, foreign = fgsm(second.surely, x, y, 0.1), fgsm(first.surely, x, y, 0.1)
    assert found["fit_0.01"] == float((second.surely(train_x).argmax(1) == given).double().mean())
    assert found["error_attacked_0.01"] == float((second.surely(own).argmax(1) != y).double().mean())
    assert found["error_transferred_0.01"] == float((second.surely(foreign).argmax(1) != y).double().mean())
    assert found["error_attacked_0"] == found["error_transferred_0"]
    assert found["fit_0"] > 0.6  # much of the random labels is learnt by heart
    plain = dataclasses.replace(e, random=0.0)
    assert torch.equal(plain.given(), truth)  # true labels where none are random
    assert plain.evaluate(plain.train(Run(seed=0)), Run(seed=0))["error_mean_0"] < 0.1


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_every_experiment_is_shipped() -> None:
    assert sorted(NAMES) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    assert honest_record(name, most_bytes=6e6).waiting_for_gpu


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []


def seeds(name: str, metric: str) -> tuple[float, ...]:
    return load(f"vae-bottleneck/{name}").metrics[metric].seeds


def test_no_linear_code_of_the_same_rate_comes_near_beyond_five_nats() -> None:
    record = load("vae-bottleneck/rate-distortion")
    assert min(record.metrics["lead"].seeds) > 0
    assert min(record.metrics["lead_fitted"].seeds) > 0
    rates, errors, linear = (by_price(record, key) for key in ("rate", "error", "linear"))
    assert sorted(rates.values(), reverse=True) == list(rates.values())  # a dearer nat buys fewer
    assert sum(rate > ABOVE for rate, _ in rates.values()) >= 5
    codes = linear_codes(record)
    for price, (rate, _) in rates.items():
        assert codes.error_at(rate) == pytest.approx(linear[price][0], rel=1e-3)
        assert errors[price][0] < linear[price][0]


def test_a_price_of_a_nat_teaches_and_too_high_a_price_forgets() -> None:
    record = load("vae-bottleneck/vib")
    rates = [mean for mean, _ in by_price(record, "rate").values()]
    assert sorted(rates, reverse=True) == rates
    assert max(seeds("vib", "error_averaged_0.01")) < min(seeds("vib", "error_averaged_0"))
    assert min(seeds("vib", "error_averaged_1")) > 0.7
    # where codes are noisy, many codes know more than one
    assert max(seeds("vib", "error_averaged_0.1")) < 0.5 * min(seeds("vib", "error_one_0.1"))
    # pictures that fool the first network fool the others the less, the dearer the nat
    foreign = [mean for mean, _ in by_price(record, "error_transferred").values()][:-1]
    assert sorted(foreign, reverse=True) == foreign


def test_two_numbers_hold_most_of_ten_classes() -> None:
    assert max(seeds("vib-plane", "error_averaged_0.001")) < 0.11


def test_a_dearer_nat_learns_less_of_random_labels() -> None:
    fit = [mean for mean, _ in by_price(load("vae-bottleneck/vib-random"), "fit").values()]
    assert sorted(fit, reverse=True) == fit
    assert fit[0] > 1.8 * fit[-1]
    assert max(seeds("vib-random", "fit_0.1")) < 0.12  # a tenth is right by chance
    assert all(0.85 < error < 0.95 for price in ("0", "0.1") for error in seeds("vib-random", f"error_averaged_{price}"))
