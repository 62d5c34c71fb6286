"""Features of pictures, where planted errors showed that nothing looked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from kexue import datasets
from kexue.generative import features
from kexue.generative.features import digit_classes, digit_features, digit_probabilities, imagenet_features, imagenet_probabilities

PICTURES = torch.arange(1001 * 784, dtype=torch.float32).view(1001, 28, 28) / (1001 * 784)


class Noted:
    """Stands for a network: remembers how many pictures it saw at once, and answers with their means."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def features(self, images: Tensor) -> Tensor:
        self.seen.append(tuple(images.shape))
        return images.flatten(1).mean(1, keepdim=True).expand(-1, 3)

    def __call__(self, images: Tensor) -> Tensor:
        return self.features(images) * torch.tensor([0.0, 10.0, -10.0])


@pytest.mark.parametrize("function", [digit_features, digit_probabilities])
def test_small_pictures_are_seen_five_hundred_at_once(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    model = Noted()
    monkeypatch.setattr(features, "_classifier", lambda data_set, device: model)
    found = function(PICTURES)
    assert [shape[0] for shape in model.seen] == [500, 500, 1]
    assert len(found) == 1001
    if function is digit_features:
        assert torch.allclose(found[:, 0], PICTURES.flatten(1).mean(1), atol=1e-6)
    else:
        assert torch.allclose(found.sum(1), torch.ones(1001), atol=1e-6)
        assert digit_classes(PICTURES).tolist() == [1] * 1001


@pytest.mark.parametrize("function", [imagenet_features, imagenet_probabilities])
def test_large_pictures_are_brought_to_size_thirty_two_at_once(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    model = Noted()
    monkeypatch.setattr(features, "_imagenet", lambda device: model)
    assert len(function(PICTURES[:65], size=40)) == 65
    assert model.seen == [(32, 3, 40, 40), (32, 3, 40, 40), (1, 3, 40, 40)]
    model.seen.clear()
    function(PICTURES[:1])
    assert model.seen == [(1, 3, 224, 224)]  # as in the network's training
    model.seen.clear()
    function(PICTURES[:1], size=32)  # the least
    assert model.seen == [(1, 3, 32, 32)]


def test_networks_are_made_once_for_each_data_set() -> None:
    one, other = (features._classifier(name, "cpu") for name in features.CLASSIFIERS)
    assert features._classifier("mnist-10k", "cpu") is one is not other
    assert features._classifier("fashion-mnist", "cpu") is other
    assert features._imagenet("cpu") is features._imagenet("cpu")
    assert not one.training
    assert not any(w.requires_grad for w in one.parameters())


@pytest.mark.parametrize("size", [(16, 32), (32, 16), (40, 40), (31, 32)])
def test_a_picture_with_one_side_right_is_scaled_too(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert features._scaled(images, 32).shape == (2, 3, 32, 32)
    flat = features._scaled(torch.full((1, 3, *size), 127 / 255), 32)
    assert flat.abs().max() < 1e-5


def test_a_picture_of_the_right_size_keeps_every_byte() -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(features._scaled(images, 32), (images * 255 - 127) / 128)


@pytest.mark.parametrize(
    ("values", "low", "high", "fine"),
    [
        ([-9.9e-4, 0.5], "", "", True), ([0.0, 1.00099], "", "", True), ([-1.1e-3, 0.5], "-0.0011", "0.5", False),
        ([0.25, 1.0011], "0.25", "1.0011", False), ([0.0, float("inf")], "0", "inf", False),
    ],
)  # fmt: skip
def test_a_thousandth_beyond_the_ends_is_rounding_and_more_is_not(values: list[float], low: str, high: str, fine: bool) -> None:
    given = torch.tensor(values, dtype=torch.float64)
    if fine:
        assert features.unit_range(given).tolist() == [min(max(v, 0.0), 1.0) for v in given.float().tolist()]
    else:
        with pytest.raises(ValueError, match=rf"must lie in \[0, 1\], got {low} to {high}; from"):
            features.unit_range(given)


def test_bytes_become_shares_of_255() -> None:
    found = features.unit_range(torch.tensor([0, 51, 127, 255], dtype=torch.uint8))
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx([0, 0.2, 127 / 255, 1], abs=1e-7)
    half = features.unit_range(torch.tensor([0.25, 1.0], dtype=torch.float16, requires_grad=True))
    assert (half.dtype, half.requires_grad, half.tolist()) == (torch.float32, False, [0.25, 1.0])


def test_the_emoji_go_to_the_large_network_and_digits_to_the_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "digit_features", lambda images, data_set: ("small", data_set))
    monkeypatch.setattr(features, "imagenet_features", lambda images: ("large", len(images)))
    found = [features.image_features(PICTURES[:3], data_set=name) for name in ("mnist-10k", "fashion-mnist", "emoji")]
    assert found == [("small", "mnist-10k"), ("small", "fashion-mnist"), ("large", 3)]
    assert set(features.CLASSIFIERS) <= set(datasets.names())
