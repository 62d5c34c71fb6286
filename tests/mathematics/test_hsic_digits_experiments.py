"""The choice of epochs and batches: held-out training digits alone judge, and the cheapest of the best is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kexue.mathematics import hsic_digits as learning
from kexue.mathematics import hsic_digits_experiments as module
from kexue.mathematics.hsic_digits_experiments import EXPERIMENTS, DigitSettings, accuracies, chosen
from kexue.records import Metric, Record, load, read_record
from kexue.training import evaluate, train
from kexue.training.pictures import kept

NAME = "hsic/digits"


@pytest.fixture
def tiny(in_place_of_pictures: Callable[..., None]) -> DigitSettings:
    """Two settings on fifty digits, and no test digit anywhere."""
    images, labels = (part[:50] for part in kept("digits", "train"))
    in_place_of_pictures({"train": (images, labels), "test": (images[:0], labels[:0])})
    return DigitSettings("hsic/digits", seeds=(0, 1), epochs=(1, 2), batches=(10,), validation=20)


def test_train_record_and_evaluate(tiny: DigitSettings, tmp_path: Path) -> None:
    record = train(tiny, tmp_path, device="cpu", quiet=True)
    assert record == read_record(tmp_path / tiny.name)
    assert all(c.found == c.recorded for c in evaluate(record, experiment=tiny))
    assert set(record.metrics) == {"hsic-1-10", "hsic-2-10", "backprop-1-10", "backprop-2-10", "ms_per_step"}
    assert record.steps == 2 * (3 + 6)
    data = learning.digits(validation=20)
    net = learning.train_layers(data, "back-propagation", seed=1, epochs=2, batch=10)
    assert record.metrics["backprop-2-10"].seeds[1] == pytest.approx(learning.accuracy_of(net, data), abs=1e-9)
    net = learning.train_layers(data, "HSIC bottleneck", seed=0, epochs=1, batch=10)
    state = {key: w.half().float() for key, w in net.state_dict().items()}
    restored = tiny.restore(record.weights())["hsic-1-10"]
    assert all(torch.equal(w, restored.state_dict()[key]) for key, w in state.items())


def test_the_grid_begins_with_the_cheapest() -> None:
    assert DigitSettings("a/b").grid[:4] == [(10, 256), (10, 128), (10, 64), (20, 256)]
    assert EXPERIMENTS[0].data()["used"] == "1,077 for training, 360 for validation, 360 for the test"


def test_the_best_is_chosen_and_of_equals_the_cheapest() -> None:
    record = load(NAME)
    values: dict[str, Any] = {key: Metric((0.5,)) for key in record.metrics}
    values |= {"hsic-20-128": Metric((0.5, 0.9)), "hsic-40-64": Metric((0.7, 0.7)), "backprop-40-256": Metric((0.6,))}
    made = dataclasses.replace(record, metrics=values)
    assert chosen(made) == {"HSIC bottleneck": {"epochs": 20, "batch": 128}, "back-propagation": {"epochs": 40, "batch": 256}}
    assert accuracies(made)["HSIC bottleneck"][20, 128] == 0.7
    assert list(accuracies(made)) == list(learning.LEARNING)


def test_shipped_record_is_honest(honest_record: Callable[..., Record]) -> None:
    record = honest_record(NAME, most_bytes=6e5, rounding=0.006)
    assert not record.waiting_for_gpu


def test_shipped_weights_give_the_recorded_metrics(disagreeing: Callable[[str], list[Any]]) -> None:
    assert disagreeing(NAME) == []


def test_shipped_nets_are_those_that_training_gives() -> None:
    """One setting of each way again: the record is of this code."""
    record, data = load(NAME), learning.digits(validation=360)
    for short, method in module.SHORT.items():
        net = learning.train_layers(data, method, seed=1, epochs=10, batch=256)
        assert learning.accuracy_of(net, data) == pytest.approx(record.metrics[f"{short}-10-256"].seeds[1], abs=0.006)
