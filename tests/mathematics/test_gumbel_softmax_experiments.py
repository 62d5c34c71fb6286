from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kexue import datasets
from kexue.mathematics.gumbel_softmax_experiments import EXPERIMENTS, CategoricalVAE, code_flip, code_of, comparison, curves, restore
from kexue.mathematics.gumbel_softmax_vae import ESTIMATORS
from kexue.records import Metric, Record, read_record, shipped
from kexue.training import Run, evaluate, train

SIZE = {"latents": 3, "classes": 4, "hidden": (16, 8)}
TINY = SIZE | {"steps": 12, "batch": 10, "validation": 20, "draws": 2, "warm_up": 6, "seeds": (0, 1)}
SHIPPED = [name for name in shipped() if name.startswith("gumbel-softmax/")]


def tiny(estimator: str = "st", **changes: Any) -> CategoricalVAE:
    return CategoricalVAE(f"gumbel-softmax/mnist-{estimator}", estimator=estimator, **(TINY | changes))


@pytest.fixture
def few_images(in_place_of_pictures: Callable[..., None]) -> dict[str, Tensor]:
    """A hundred made-up images of black and white in place of a data set; their rows of grey values."""
    made = {split: torch.rand(n, 784, generator=torch.Generator().manual_seed(n)).round() for split, n in (("train", 80), ("test", 20))}
    in_place_of_pictures({split: ((255 * rows).byte().view(-1, 28, 28), torch.zeros(len(rows))) for split, rows in made.items()})
    return made


def test_ten_runs_that_differ_in_nothing_but_estimator_and_rate() -> None:
    assert len(EXPERIMENTS) == 10
    for group in (EXPERIMENTS[:5], EXPERIMENTS[5:]):
        assert [e.estimator for e in group] == list(ESTIMATORS)  # type: ignore[attr-defined]
        rest = [{k: v for k, v in e.settings().items() if k not in ("estimator", "rate")} for e in group]
        assert all(r == rest[0] for r in rest)
        assert all(e.seeds == (0, 1, 2) for e in group)


def test_small_differs_in_size_alone() -> None:
    full = EXPERIMENTS[0].settings()
    small = EXPERIMENTS[0].small().settings()
    assert {k for k in full if full[k] != small[k]} == {"steps", "batch"}
    assert small["steps"] * small["batch"] < full["steps"] * full["batch"] / 10


@pytest.mark.parametrize(
    ("changes", "match"), [({"estimator": "magic"}, "one of sf, rloo"), ({"tau_end": 2.0}, "must fall"), ({"tau_end": 0.0}, "above 0")]
)
def test_impossible_settings(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        CategoricalVAE("gumbel-softmax/x", **changes)


def test_schedules() -> None:
    e = CategoricalVAE("a/b", steps=1000, rate=1.0, warm_up=500)
    assert (e.tau(0), e.tau(1000)) == (1.0, 0.5)
    assert e.tau(500) == pytest.approx(math.sqrt(0.5))
    assert (e.beta(0), e.beta(250), e.beta(500), e.beta(999)) == (0.1, 0.55, 1.0, 1.0)
    assert dataclasses.replace(e, warm_up=0).beta(1) == 1.0
    assert (e.rate_at(0), e.rate_at(500), e.rate_at(1000)) == (1.0, pytest.approx(0.51), pytest.approx(0.02))


def test_splits_do_not_overlap(few_images: dict[str, Tensor]) -> None:
    images = tiny().images()
    assert torch.equal(torch.cat([images["train"], images["validation"]]), few_images["train"])
    assert len(images["validation"]) == 20
    assert torch.equal(images["test"], few_images["test"])


def test_what_the_record_says_of_the_data() -> None:
    about = CategoricalVAE("a/b").data()
    assert about["sha256"] == datasets.info("mnist-10k").sha256
    assert about["used"] == "7,000 for training, 1,000 for validation, 2,000 for the test"
    assert "straight-through" in CategoricalVAE("a/b").title


@pytest.mark.parametrize("estimator", list(ESTIMATORS))
def test_train_record_and_evaluate(few_images: dict[str, Tensor], tmp_path: Path, estimator: str) -> None:
    e = tiny(estimator)
    made = train(e, tmp_path, device="cpu", quiet=True)
    record = read_record(tmp_path / e.name)
    assert record == made
    comparisons = evaluate(record, experiment=e)
    assert all(c.found == c.recorded for c in comparisons)
    metrics = {name: metric.mean for name, metric in record.metrics.items()}
    # the same bound by hand
    assert metrics["seen_elbo"] - metrics["elbo"] == pytest.approx(metrics["gap"], abs=1e-9)
    assert (metrics["gap"] == 0) == (estimator != "gs")
    if estimator == "gs":
        assert metrics["gap"] == pytest.approx(metrics["gap_tau_0.5"], abs=1e-9)
    assert set(record.curve) == {"loss", "val_loss", "val_relaxed", "val_kl", "active", "tau", "beta"}
    assert record.curve["tau"][0][-1] == 0.5


def test_training_repeats_itself_and_honours_the_seed(few_images: dict[str, Tensor]) -> None:
    one, two, other = (tiny().train(Run(seed=s)) for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_rounding_the_weights_changes_little(few_images: dict[str, Tensor], tmp_path: Path) -> None:
    made = train(tiny(), tmp_path, device="cpu", quiet=True)
    assert made.metrics_of_weights["elbo"] == pytest.approx(made.metrics["elbo"].seeds[0], abs=0.2)


def records_for(tmp_path: Path, *, data: str = "mnist-10k") -> list[Record]:
    made = []
    for index, estimator in enumerate(("gs", "st")):
        record = train(tiny(estimator), tmp_path, device="cpu", quiet=True)
        values = {"elbo": Metric((-120.0 + index, -122.0 + index)), "seen_elbo": Metric((-110.0, -112.0))}
        made.append(dataclasses.replace(record, metrics=dict(record.metrics) | values, data=dict(record.data) | {"name": data}))
    return made


def test_comparison(few_images: dict[str, Tensor], tmp_path: Path) -> None:
    records = records_for(tmp_path)
    rows = comparison(records)
    assert [row.estimator for row in rows] == ["st", "gs"]  # the best first
    assert rows[0].elbo == (-120.0, pytest.approx(math.sqrt(2)))
    assert rows[1].seen_elbo == (-111.0, pytest.approx(math.sqrt(2)))
    assert rows[0].title == ESTIMATORS["st"].title
    with pytest.raises(ValueError, match="one data set, got fashion-mnist, mnist-10k"):
        comparison([records[0], dataclasses.replace(records[1], data={"name": "fashion-mnist"})])
    lines = curves(records)
    assert lines["gs"][0] == records[0].curve.steps
    assert lines["gs"][1] == records[0].curve.mean("val_loss")


def test_code_flip(few_images: dict[str, Tensor], tmp_path: Path) -> None:
    train(tiny(), tmp_path, device="cpu", quiet=True)
    model = restore(read_record(tmp_path / "gumbel-softmax/mnist-st"))
    image = (255 * few_images["test"][0]).to(torch.uint8).view(28, 28)
    code = code_of(model, image)
    assert torch.equal(code, code_of(model, few_images["test"][0]))  # bytes or grey values
    strip = code_flip(model, image, 1)
    assert strip.shape == (4, 28, 28)
    assert strip.dtype == "uint8"
    # the class that the image has in this latent gives the reconstruction, and every latent's strip holds it
    for latent in range(3):
        own = code_flip(model, image, latent)[int(code[latent])]
        assert (own == strip[int(code[1])]).all()
    with pytest.raises(ValueError, match=r"in 0 … 2, got 3"):
        code_flip(model, image, 3)
    with pytest.raises(ValueError, match=r"28 × 28 pixels, got shape \(27, 28\)"):
        code_flip(model, image[1:], 0)


# ------------------------------------------------------------------------------------------------------------------ what is shipped
def test_every_experiment_is_shipped() -> None:
    assert sorted(e.name for e in EXPERIMENTS) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_records_are_honest(name: str, honest_record: Callable[..., Record]) -> None:
    record = honest_record(name, most_bytes=3e6)
    # rounding to half precision costs less than the spread over seeds is worth looking at
    assert record.metrics_of_weights["elbo"] == pytest.approx(record.metrics["elbo"].seeds[0], abs=0.1)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_give_the_recorded_metrics(name: str, disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(name) == []
