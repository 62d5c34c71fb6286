from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics
from torch import Tensor

from kexue import datasets
from kexue.generative import digit_classifier_experiments
from kexue.generative.digit_classifier import DigitClassifier, moved
from kexue.generative.digit_classifier_experiments import EXPERIMENTS, Classification, judged
from kexue.records import Record, load, read_record
from kexue.training import Run, evaluate, train

NAMES = ["digit-classifier/mnist", "digit-classifier/fashion"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------------------------------------------- network
def test_logits_are_a_linear_map_of_the_rectified_features() -> None:
    model = DigitClassifier(5, (3, 4, 6), generator()).eval()
    images = torch.rand(7, 28, 28, generator=generator(1))
    with torch.no_grad():
        features, logits = model.features(images), model(images)
        assert features.shape == (7, 64)
        assert torch.allclose(logits, features.clamp(min=0) @ model.head.weight.T + model.head.bias, atol=1e-5)
        assert torch.allclose(model(images[2:3]), logits[2:3], atol=1e-5)


def test_features_are_standard_over_a_batch_of_the_training() -> None:
    model = DigitClassifier(generator=generator()).train()
    features = model.features(torch.rand(50, 28, 28, generator=generator(1)))
    assert features.mean(0).abs().max() < 1e-4
    # the normalisation adds 1e-5 to a variance that is far above it
    assert (features.var(0, correction=0) - 1).abs().max() < 0.01


def test_first_weights() -> None:
    one, two, other = (DigitClassifier(generator=generator(s)).state_dict() for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["hidden.weight"], other["hidden.weight"])
    # 36864 normal weights: their mean square is known to about 0.7 per cent
    assert float(one["hidden.weight"].square().mean()) == pytest.approx(2 / 576, rel=0.03)
    assert one["head.bias"].abs().max() == 0


# --------------------------------------------------------------------------------------------------------------------------- moves
def test_moves_are_those_of_a_larger_picture() -> None:
    images = torch.rand(40, 6, 5, generator=generator(1)) + 1
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    found = moved(images, 2, flip=False, generator=generator())
    for image, large in zip(found, padded, strict=True):
        places = [(r, c) for r in range(5) for c in range(5) if torch.equal(image, large[r : r + 6, c : c + 5])]
        assert len(places) == 1
    mirrored = moved(images, 0, flip=True, generator=generator())
    kept = [torch.equal(a, b) for a, b in zip(mirrored, images, strict=True)]
    assert all(k or torch.equal(a, b.flip(1)) for k, a, b in zip(kept, mirrored, images, strict=True))
    assert 8 < sum(kept) < 32  # a fair coin: beyond four standard deviations otherwise
    assert torch.equal(moved(images, 0, flip=False, generator=generator()), images)


def test_all_moves_are_as_likely() -> None:
    point = torch.zeros(9000, 3, 3)
    point[:, 1, 1] = 1
    places = moved(point, 1, flip=False, generator=generator()).flatten(1).argmax(1)
    assert stats.chisquare(places.bincount(minlength=9).numpy()).pvalue > 1e-3


def test_moves_honour_the_generator() -> None:
    images = torch.rand(20, 4, 4)
    one, two, other = (moved(images, 1, flip=True, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    with pytest.raises(ValueError, match="at least 0, got -1"):
        moved(images, -1, flip=False, generator=generator())


# -------------------------------------------------------------------------------------------------------------------------- judging
def test_judging_against_another_library() -> None:
    model = DigitClassifier(4, (3, 3, 3), generator()).train()
    images, labels = torch.rand(60, 28, 28, generator=generator(1)), torch.randint(0, 3, (60,), generator=generator(2))
    model(images)
    found = judged(model, images, labels)
    assert model.training  # left as it was
    model.eval()
    with torch.no_grad():
        chances = model(images).double().softmax(1).numpy()
    best = chances.argmax(1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, best), abs=1e-12)
    assert found["worst_class"] == pytest.approx(metrics.recall_score(labels, best, average=None, labels=[0, 1, 2]).min(), abs=1e-12)
    assert found["loss"] == pytest.approx(metrics.log_loss(labels, chances, labels=range(4)), rel=1e-6)
    assert judged(model, images, labels) == found


@pytest.mark.parametrize("counts", [(1, 3, 0, 2), (0, 1, 1, 0), (2, 0, 0, 1), (4, 1, 2, 3)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_worst_class_may_have_one_picture_and_one_without_any_does_not_count(counts: tuple[int, ...], seed: int) -> None:
    model = DigitClassifier(4, (2, 3, 4), generator(seed)).eval()
    images = torch.rand(sum(counts), 28, 28, generator=generator(seed))
    labels = torch.tensor([label for label, count in enumerate(counts) for _ in range(count)])
    right = (model(images).argmax(1) == labels).tolist()
    share = [sum(r for r, label in zip(right, labels.tolist(), strict=True) if label == c) / n for c, n in enumerate(counts) if n]
    assert judged(model, images, labels)["worst_class"] == pytest.approx(min(share), abs=1e-12)


def test_the_network_by_default_is_the_shipped_one() -> None:
    shipped, plain = load(NAMES[0]).weights(), DigitClassifier().state_dict()
    assert {name: weight.shape for name, weight in plain.items()} == {name: weight.shape for name, weight in shipped.items()}


# -------------------------------------------------------------------------------------------------------------------------- training
@pytest.fixture
def few_images(in_place_of_pictures: Callable[..., None]) -> dict[str, tuple[Tensor, Tensor]]:
    """A hundred and fifty bright and dark squares in place of a data set."""
    made = {}
    for split, n in (("train", 120), ("test", 30)):
        labels = torch.arange(n) % 2
        pixels = torch.rand(n, 28, 28, generator=generator(n)) * 100 + 150 * labels[:, None, None]
        made[split] = (pixels.to(torch.uint8), labels)
    in_place_of_pictures(made)
    return made


def tiny(**changes: Any) -> Classification:
    size = {"channels": (2, 3, 4), "steps": 60, "batch": 20, "validation": 20, "seeds": (0,)}
    return Classification("digit-classifier/tiny", **(size | changes))


def test_train_record_and_evaluate(few_images: dict[str, tuple[Tensor, Tensor]], tmp_path: Path) -> None:
    e = tiny()
    made = train(e, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / e.name)
    assert record == made
    assert all(c.found == c.recorded for c in evaluate(record, experiment=e))
    assert record.metrics["accuracy"].mean > 0.9  # bright and dark
    assert set(record.curve) == {"loss", "val_loss", "val_accuracy"}
    assert list(record.curve.steps) == [3 * point for point in range(1, 21)]
    assert record.metrics_of_weights["accuracy"] == pytest.approx(record.metrics["accuracy"].seeds[0], abs=0.05)


def test_training_repeats_itself_and_honours_the_seed(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    one, two, other = (tiny(flip=True).train(Run(seed=s)) for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (19, 1), (39, 1), (40, 2), (2100, 105)])
def test_what_a_training_is_given(
    few_images: dict[str, tuple[Tensor, Tensor]], monkeypatch: pytest.MonkeyPatch, steps: int, every: int
) -> None:
    """The fit is left out; a single step is made by hand, at the rate of the last one: nought."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(digit_classifier_experiments, "fit", lambda run, step, **options: given.update(step=step, **options))
    first = tiny(steps=steps, rate=0.5, decay=0.125).train(Run(seed=0))
    (group,) = given["parts"]["optimizer"].param_groups
    assert (given["steps"], given["judge_every"], given["bound"]) == (steps, every, 1e3)
    assert (group["lr"], group["weight_decay"], len(group["params"])) == (0.5, 0.125, len(list(given["parts"]["model"].parameters())))
    before = {name: value.clone() for name, value in first.items() if name.endswith("weight")}
    assert set(given["step"](steps)) == {"loss"}
    assert group["lr"] == pytest.approx(0, abs=1e-12)
    assert all(torch.allclose(value, given["parts"]["model"].state_dict()[name], atol=1e-9) for name, value in before.items())


def test_held_out_pictures_teach_nothing(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    want = tiny().train(Run(seed=0))
    few_images["train"][0][-20:] = 0
    few_images["test"][0][:] = 0
    found = tiny().train(Run(seed=0))
    assert all(torch.equal(want[k], found[k]) for k in want)


def test_rates() -> None:
    e = Classification("a/b", steps=1000, rate=1.0)
    assert [e.rate_at(s) for s in (50, 500, 1000)] == [pytest.approx(0.9938, abs=1e-4), pytest.approx(0.5), pytest.approx(0)]
    assert e.rate_at(25) == pytest.approx(0.5 * 0.5 * (1 + math.cos(math.pi / 40)))


def test_restored_weights_are_for_use(few_images: dict[str, tuple[Tensor, Tensor]]) -> None:
    weights = tiny().train(Run(seed=0))
    model = tiny().restore({k: w.half() if w.is_floating_point() else w for k, w in weights.items()})
    assert not model.training
    assert not any(w.requires_grad for w in model.parameters())
    assert model.head.weight.dtype == torch.float32
    assert int(model.standard.num_batches_tracked) == 60


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_the_two_runs() -> None:
    assert [e.name for e in EXPERIMENTS] == NAMES
    assert all(e.small() == e for e in EXPERIMENTS)  # the settings are for a CPU: none waits for a GPU
    assert "MNIST, 10,000 digits" in EXPERIMENTS[0].title
    assert EXPERIMENTS[0].data()["used"] == "7,000 for training, 1,000 for validation, 2,000 for the test"
    assert EXPERIMENTS[1].data()["used"] == "58,000 for training, 2,000 for validation, 10,000 for the test"


@pytest.mark.parametrize("name", NAMES)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    record = honest_record(name, most_bytes=300_000)
    assert not record.waiting_for_gpu
    least = {"mnist-10k": 0.97, "fashion-mnist": 0.89}[record.data["name"]]
    assert min(record.metrics["accuracy"].seeds) >= least
    assert record.metrics_of_weights["accuracy"] == pytest.approx(record.metrics["accuracy"].seeds[0], abs=2e-3)
    assert np.diff(record.curve.mean("val_loss")).mean() < 0


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []


def test_mistakes_are_few_where_it_is_sure() -> None:
    """Among the held-out digits that it gives more than 99.9 per cent, hardly any is wrong."""
    test = datasets.load("mnist-10k", split="test")
    model = EXPERIMENTS[0].restore(load(NAMES[0]).weights())  # type: ignore[attr-defined]
    with torch.no_grad():
        chances: Tensor = model(test.images.float() / 255).softmax(1)
    best, found = chances.max(1)
    sure = best > 0.999
    assert sure.double().mean() > 0.7
    assert (found != test.labels)[sure].double().mean() < 0.002
