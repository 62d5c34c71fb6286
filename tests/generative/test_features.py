from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib.cbook
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.nn import functional as F

from kexue import datasets
from kexue.generative import efficientnet, features
from kexue.generative.features import (
    digit_classes,
    digit_features,
    digit_probabilities,
    image_features,
    imagenet_features,
    imagenet_probabilities,
)
from kexue.generative.scores import kid
from kexue.records import load

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SETS = list(features.CLASSIFIERS)


# -------------------------------------------------------------------------------------------------------------------------- digits
@pytest.mark.parametrize("data_set", SETS)
def test_classes_are_right_as_often_as_the_record_says(data_set: str) -> None:
    test = datasets.load(data_set, split="test")
    images, labels = test.images[:2000], test.labels[:2000]
    right = (digit_classes(images, data_set) == labels).double().mean()
    recorded = load(features.CLASSIFIERS[data_set]).metrics_of_weights["accuracy"]
    if data_set == "mnist-10k":
        assert float(right) == pytest.approx(recorded, abs=1e-3)
        assert right >= 0.97
    else:  # a fifth of the test split: three standard errors
        assert float(right) == pytest.approx(recorded, abs=0.02)


@pytest.mark.parametrize("data_set", SETS)
def test_features_of_real_pictures_have_a_unit(data_set: str) -> None:
    found = digit_features(datasets.load(data_set, split="test").images[:2000], data_set)
    assert found.shape == (2000, 64)
    assert found.mean(0).abs().max() < 0.2
    assert 0.7 < float(found.var(0).mean()) < 1.3


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("data_set", SETS)
def test_bytes_and_numbers_with_and_without_a_channel(data_set: str, device: str) -> None:
    images = datasets.load(data_set, split="test").images[:30].to(device)
    want = digit_features(images, data_set)
    assert want.device.type == device
    assert want.dtype == torch.float32
    assert not want.requires_grad
    assert torch.equal(digit_features(images.unsqueeze(1), data_set), want)
    # single precision: a few hundred additions of numbers of size 1 in another order
    assert torch.allclose(digit_features(images / 255, data_set), want, atol=1e-4)
    assert torch.allclose(digit_features((images.double() / 255).requires_grad_(True), data_set), want, atol=1e-4)
    chances = digit_probabilities(images, data_set)
    assert torch.allclose(chances.sum(1), torch.ones(30, device=device), atol=1e-5)
    assert torch.equal(chances.argmax(1), digit_classes(images, data_set))


def test_features_do_not_depend_on_the_company(monkeypatch: pytest.MonkeyPatch) -> None:
    images = datasets.load("mnist-10k", split="test").images[:30]
    want = digit_features(images)
    monkeypatch.setattr(features, "BATCH", 7)
    assert torch.allclose(digit_features(images), want, atol=1e-4)
    assert torch.allclose(digit_features(images[4:5]), want[4:5], atol=1e-4)


def test_the_two_classifiers_are_two() -> None:
    images = datasets.load("mnist-10k", split="test").images[:30]
    assert not torch.allclose(digit_features(images), digit_features(images, "fashion-mnist"), atol=0.1)
    assert torch.equal(image_features(images, data_set="fashion-mnist"), digit_features(images, "fashion-mnist"))


PLAIN = torch.zeros(2, 28, 28)


@pytest.mark.parametrize(
    ("images", "data_set", "match"),
    [
        (torch.zeros(2, 27, 28), "mnist-10k", r"shape \(N, 28, 28\) or \(N, 1, 28, 28\), got \(2, 27, 28\)"),
        (torch.zeros(2, 3, 28, 28), "mnist-10k", r"got \(2, 3, 28, 28\)"),
        (torch.zeros(28, 28), "mnist-10k", r"got \(28, 28\)"),
        (PLAIN[:0], "mnist-10k", "at least one picture"),
        (PLAIN.long(), "mnist-10k", "bytes or floating-point numbers in .*, got torch.int64"),
        (PLAIN - 1, "mnist-10k", r"must lie in \[0, 1\], got -1 to -1; from \[-1, 1\] use \(x \+ 1\) / 2"),
        (PLAIN + 255, "mnist-10k", "got 255 to 255"),
        (PLAIN * torch.nan, "mnist-10k", "got nan to nan"),
        (PLAIN, "cifar", "no classifier of 'cifar'; there is one of mnist-10k, fashion-mnist"),
    ],
)
def test_bad_digits(images: Tensor, data_set: str, match: str) -> None:
    for function in (digit_features, digit_classes):
        with pytest.raises(ValueError, match=match):
            function(images, data_set)


def test_rounding_beyond_the_ends_is_cut_off() -> None:
    found = features.unit_range(torch.tensor([-5e-4, 0.25, 1.0005]))
    assert found.tolist() == [0, 0.25, 1]


# ------------------------------------------------------------------------------------------------------------------------ ImageNet
def photograph(name: str) -> Tensor:
    """The middle square of a photograph that comes with scikit-learn or matplotlib, as bytes ``(1, 3, S, S)``."""
    if name == "grace_hopper.jpg":
        pixels = np.array(imread(matplotlib.cbook.get_sample_data(name, asfileobj=False)))[:512]  # the upper part, where she is
    else:
        pixels = load_sample_image(name)
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return torch.from_numpy(pixels[top : top + side, left : left + side].copy()).permute(2, 0, 1).unsqueeze(0)


# the classes' numbers are their places in the alphabet of WordNet's names, the order that all ImageNet networks share
@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("china.jpg", [698, 442]),  # a palace tower: "palace", then "bell cote"
        ("flower.jpg", [985]),  # a dahlia, which is none of the thousand: "daisy"
        ("grace_hopper.jpg", [652]),  # an officer: "military uniform"
    ],
)
def test_known_photographs(name: str, classes: list[int]) -> None:
    chances = imagenet_probabilities(photograph(name))[0]
    assert chances.topk(len(classes)).indices.tolist() == classes
    assert chances[classes].sum() > 0.2
    assert float(chances.sum()) == pytest.approx(1, abs=1e-4)


def test_logits_are_those_of_the_package_that_ships_the_weights() -> None:
    """Made once with the network of efficientnet-lite-pytorch 0.1.0, on waves."""
    t = torch.arange(224) / 224
    waves = [torch.outer((7 * t).sin(), (5 * t).cos()), torch.outer((3 * t).cos(), (11 * t).sin()), torch.outer(t, 1 - t)]
    with torch.no_grad():
        logits = features._imagenet("cpu")(torch.stack(waves)[None])[0]
    want = [0.1986732, 1.2764953, 0.0696433, -1.0477055, -0.2447162, 0.6744933]
    assert logits[:6].tolist() == pytest.approx(want, abs=2e-4)  # single precision through 50 layers
    assert logits.topk(3).indices.tolist() == [885, 782, 530]
    assert float(logits.norm()) == pytest.approx(47.2122, abs=2e-3)


@pytest.mark.parametrize(("size", "kernel", "stride"), [(224, 3, 2), (7, 3, 2), (9, 5, 2), (8, 5, 1), (6, 1, 1)])
def test_padding_gives_a_pixel_for_each_stride_and_the_odd_one_to_the_end(size: int, kernel: int, stride: int) -> None:
    layer = efficientnet.Same(1, 1, kernel, stride)
    torch.nn.init.ones_(layer.weight)
    with torch.no_grad():
        found = layer(torch.ones(1, 1, size, size))[0, 0]
    assert found.shape == (-(-size // stride),) * 2
    total = (len(found) - 1) * stride + kernel - size
    rows = [sum(0 <= i * stride - total // 2 + j < size for j in range(kernel)) for i in range(len(found))]
    assert found.tolist() == np.outer(rows, rows).tolist()


def test_sizes_of_the_network() -> None:
    model = features._imagenet("cpu")
    numbers = sum(w.numel() for name, w in model.state_dict().items() if not name.endswith("num_batches_tracked"))
    assert numbers == datasets.info("efficientnet-lite0").count
    assert not model.training
    assert not any(w.requires_grad for w in model.parameters())
    assert [block.residual for block in model.blocks] == [i not in (0, 1, 3, 5, 8, 11, 15) for i in range(16)]


@pytest.mark.parametrize("device", DEVICES)
def test_grey_pictures_are_repeated(device: str) -> None:
    grey = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(0)).to(device)
    want = imagenet_features(grey[:, None].expand(-1, 3, -1, -1), size=64)
    assert want.shape == (3, 1280)
    assert want.device.type == device
    assert want.min() >= 0
    for same in (grey, grey[:, None]):
        assert torch.allclose(imagenet_features(same, size=64), want, atol=1e-4)
    assert torch.equal(image_features(grey, data_set="emoji"), imagenet_features(grey))


def test_pictures_are_scaled_as_the_network_was_trained() -> None:
    """(byte − 127) / 128, after the picture was brought to size; one of the right size is left as it is."""
    bytes_ = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.allclose(features._scaled(features.unit_range(bytes_), 16), (bytes_.float() - 127) / 128, atol=1e-6)
    halves = features._scaled(torch.tensor([0.0, 1.0]).repeat(32).expand(64, 64)[None, None], 32)
    assert float(halves.mean()) == pytest.approx(0.5 / 128, abs=1e-3)  # averaged, not picked
    assert halves[..., 4:-4].abs().max() < 0.2


def test_a_picture_does_not_depend_on_the_company(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    want = imagenet_features(images, size=32)
    monkeypatch.setattr(features, "_IMAGENET_BATCH", 2)
    assert torch.allclose(imagenet_features(images, size=32), want, atol=1e-4)


def patches(side: int = 64, step: int = 48) -> Tensor:
    """Squares cut from the two photographs of scikit-learn, in random order."""
    both = torch.cat([photograph("china.jpg"), photograph("flower.jpg")]).float() / 255
    cut = both.unfold(2, side, step).unfold(3, side, step).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    return cut[torch.randperm(len(cut), generator=torch.Generator().manual_seed(0))]


@pytest.mark.slow
def test_damage_raises_the_kernel_distance() -> None:
    def blurred(images: Tensor, level: int) -> Tensor:
        return F.interpolate(F.avg_pool2d(images, 2**level), images.shape[-1], mode="bilinear")

    def noisy(images: Tensor, level: int) -> Tensor:
        return (images + 0.1 * level * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)

    cut = patches()
    real, other = cut[: len(cut) // 2], cut[len(cut) // 2 :]
    seen, equal = imagenet_features(real, size=64), imagenet_features(other, size=64)
    start, error = kid(seen, equal)
    assert abs(start) < 3 * error
    for damage in (blurred, noisy):
        found = [kid(seen, imagenet_features(damage(other, level), size=64)) for level in (1, 2)]
        assert start < found[0][0] < found[1][0]
        assert found[1][0] > 3 * found[1][1]


@pytest.mark.parametrize("function", [imagenet_features, imagenet_probabilities])
@pytest.mark.parametrize(
    ("images", "size", "match"),
    [
        (torch.zeros(3, 8), 64, r"shape \(N, 3, H, W\), \(N, 1, H, W\) or \(N, H, W\), got \(3, 8\)"),
        (torch.zeros(3, 2, 8, 8), 64, r"got \(3, 2, 8, 8\)"),
        (torch.zeros(3, 3, 0, 8), 64, r"got \(3, 3, 0, 8\)"),
        (torch.zeros(0, 8, 8), 64, "at least one picture"),
        (torch.full((1, 8, 8), 2.0), 64, "got 2 to 2"),
        (torch.zeros(1, 8, 8), 31, "at least 32 pixels, got 31"),
    ],
)
def test_bad_pictures(function: Callable[..., Tensor], images: Tensor, size: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        function(images, size=size)


def test_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEXUE_DATA", str(tmp_path))
    features._imagenet.cache_clear()
    with pytest.raises(datasets.DataError, match=r"python3 make\.py data efficientnet-lite0"):
        imagenet_features(torch.zeros(1, 8, 8))


def test_weights_of_another_network() -> None:
    weights = datasets.load("efficientnet-lite0").weights
    weights.pop("_fc.bias")
    with pytest.raises(RuntimeError, match=r"head\.bias"):
        efficientnet.restore(weights)
    with pytest.raises(KeyError):
        efficientnet.restore({"_strange.weight": torch.zeros(1)})
