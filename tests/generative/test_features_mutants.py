"""Features of pictures, where planted errors showed that nothing looked."""

from __future__ import annotations

import inspect
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


@pytest.mark.parametrize("size", [32, 40])
def test_a_picture_of_the_right_size_keeps_every_byte_and_costs_no_time(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with monkeypatch.context() as patch:
        patch.setattr(features.F, "interpolate", lambda *given, **options: pytest.fail("it was scaled"))
        found = features._scaled(images, size)
    assert torch.equal(found, (images * 255 - 127) / 128)


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


@pytest.mark.parametrize(("size", "wide"), [(8, 32), (20, 50), (64, 32)])
def test_a_slope_stays_a_slope_with_pixels_at_their_centres(size: int, wide: int) -> None:
    """Linear interpolation keeps x ↦ x where it is not near the rim; the centre of pixel i of n lies at (i + ½) / n."""
    slope = (torch.arange(size) + 0.5) / size
    found = (features._scaled(slope.expand(size, size)[None, None], wide)[0, 0] * 128 + 127) / 255
    want = ((torch.arange(wide) + 0.5) / wide).expand(wide, wide)
    rim = -(-wide // size) + 1 if wide > size else 2
    assert torch.allclose(found[:, rim:-rim], want[:, rim:-rim], atol=1e-5)
    turned = (features._scaled(slope[:, None].expand(size, size)[None, None], wide)[0, 0] * 128 + 127) / 255
    assert torch.allclose(turned, found.T, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 1, 1, 5), (2, 3, 4, 1), (1, 1, 1)])
def test_pictures_one_pixel_wide_are_pictures(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]) -> None:
    model = Noted()
    monkeypatch.setattr(features, "_imagenet", lambda device: model)
    assert len(imagenet_features(torch.rand(*shape), size=32)) == shape[0]
    assert model.seen == [(shape[0], 3, 32, 32)]


def test_the_size_is_given_by_name() -> None:
    for function in (imagenet_features, imagenet_probabilities):
        size = inspect.signature(function).parameters["size"]
        assert (size.kind, size.default) == (inspect.Parameter.KEYWORD_ONLY, 224)
    with pytest.raises(ValueError, match="the size must be at least 32 pixels, got 31"):
        imagenet_features(PICTURES[:1], size=31)


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
