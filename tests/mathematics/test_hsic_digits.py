"""Layer-wise learning: no gradient passes between layers, the methods differ as they say, seeds."""

from __future__ import annotations

import pytest
import torch

from kexue.mathematics import hsic_digits as learning


@pytest.fixture(scope="module")
def some() -> learning.Digits:
    data = learning.digits()
    return learning.Digits(data.train[:300], data.train_labels[:300], data.test[:200], data.test_labels[:200])


def test_digits_are_standardised_with_the_training_pictures() -> None:
    data = learning.digits()
    assert data.train.shape[1] == data.test.shape[1] == 64
    assert abs(data.train.mean()) < 1e-5
    assert abs(data.train.std() - 1) < 1e-4
    assert abs(data.test.mean()) > 1e-4  # the test pictures lend nothing
    assert len(data.train) == len(data.train_labels)


def test_held_out_digits_judge_in_the_place_of_the_test_digits() -> None:
    whole, part = learning.digits(), learning.digits(validation=100)
    assert torch.equal(torch.cat([part.train_labels, part.test_labels]), whole.train_labels)
    assert len(part.test) == len(part.test_labels) == 100
    assert abs(part.train.mean()) < 1e-5
    assert abs(part.train.std() - 1) < 1e-4
    both = torch.cat([part.train, part.test])
    again = (both - both.mean()) / both.std()
    assert torch.allclose(again, whole.train, atol=1e-4)


def test_a_layer_does_not_feel_those_above_it(some: learning.Digits) -> None:
    """With one layer or with three, the first learns the same."""
    first = learning.train_layers(some, "HSIC bottleneck", seed=0, depth=1, epochs=1)
    three = learning.train_layers(some, "HSIC bottleneck", seed=0, depth=3, epochs=1)
    assert torch.allclose(first.weights[0], three.weights[0], atol=1e-5)
    end = learning.train_layers(some, "back-propagation", seed=0, depth=3, epochs=1)
    start = learning.train_layers(some, "random layers", seed=0, depth=3)
    assert not torch.allclose(end.weights[0], start.weights[0], atol=1e-3)
    assert not torch.allclose(three.weights[2], start.weights[2], atol=1e-3)
    again = learning.train_layers(some, "HSIC bottleneck", seed=0, depth=1, epochs=1)
    assert torch.equal(first.weights[0], again.weights[0])
    other = learning.train_layers(some, "random layers", seed=1, depth=3)
    assert not torch.equal(other.weights[0], start.weights[0])


def test_settings_are_those_of_the_chapter(some: learning.Digits) -> None:
    plain = learning.train_layers(some, "HSIC bottleneck", seed=0, depth=1, epochs=1)
    same = learning.train_layers(some, "HSIC bottleneck", seed=0, beta=50.0, sigma=5.0, width=64, depth=1, epochs=1, batch=128, rate=1e-3)
    assert torch.equal(plain.weights[0], same.weights[0])
    for change in ({"beta": 1.0}, {"sigma": 2.0}, {"batch": 100}, {"rate": 1e-2}):
        other = learning.train_layers(some, "HSIC bottleneck", seed=0, depth=1, epochs=1, **change)  # type: ignore[arg-type]
        assert not torch.equal(plain.weights[0], other.weights[0])
    assert learning.train_layers(some, "random layers", seed=0).weights[2].shape == (64, 64)


def test_accuracy_is_that_of_a_readout(some: learning.Digits) -> None:
    net = learning.train_layers(some, "random layers", seed=0)
    accuracy = learning.accuracy_of(net, some)
    assert 0.5 < accuracy < 1
    assert accuracy * 200 == pytest.approx(round(accuracy * 200))


def test_an_unknown_method_is_refused(some: learning.Digits) -> None:
    with pytest.raises(
        ValueError, match=r"^unknown method 'magic': expected one of \('HSIC bottleneck', 'back-propagation', 'random layers'\)$"
    ):
        learning.train_layers(some, "magic", seed=0)


def test_compare_asks_every_method_at_every_seed(some: learning.Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        learning, "train_layers", lambda data, method, *, seed, **more: asked.append((method, seed, more)) or (method, seed)
    )
    monkeypatch.setattr(learning, "accuracy_of", lambda net, data: 0.5 + net[1] / 10)
    settings = {"HSIC bottleneck": {"epochs": 3, "batch": 5}, "back-propagation": {"epochs": 7}}
    found = learning.compare(some, (0, 1), settings)
    assert found == {method: [0.5, 0.6] for method in learning.METHODS}
    assert asked == [(method, seed, settings.get(method, {})) for method in learning.METHODS for seed in (0, 1)]
