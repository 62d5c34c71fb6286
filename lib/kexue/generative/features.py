"""Features of pictures: numbers in which alike pictures are near one another, from two trained networks.

Digits and clothes are seen by the book's own classifier (:mod:`kexue.generative.digit_classifier`), colour pictures by a network
trained on ImageNet (:mod:`kexue.generative.efficientnet`). Nothing is downloaded: the first network ships with the library, the
second is the data set ``efficientnet-lite0``. All functions take bytes, or numbers in [0, 1], and answer on the pictures' device.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from kexue import datasets
from kexue.generative import efficientnet
from kexue.generative.digit_classifier import DigitClassifier
from kexue.generative.efficientnet import EfficientNetLite0

CLASSIFIERS = {"mnist-10k": "digit-classifier/mnist", "fashion-mnist": "digit-classifier/fashion"}
BATCH = 500  # small pictures seen at once
IMAGENET_SIZE = 224
_IMAGENET_BATCH = 32


# --8<-- [start:features]
def digit_features(images: Tensor, data_set: str = "mnist-10k") -> Tensor:
    """The classifier's last hidden layer, before its rectifier.

    Args:
        images: ``(N, 28, 28)`` or ``(N, 1, 28, 28)``, bytes or numbers in [0, 1].
        data_set: ``"mnist-10k"`` or ``"fashion-mnist"``: which classifier.

    Returns:
        ``(N, 64)``; over real pictures each column has mean about 0 and variance about 1.

    Raises:
        ValueError: pictures of another shape, type or range, none at all, or no classifier of that data set.
    """
    model, grey = _ready(images, data_set)
    with torch.no_grad():
        return torch.cat([model.features(rows) for rows in torch.split(grey, BATCH)])


def digit_probabilities(images: Tensor, data_set: str = "mnist-10k") -> Tensor:
    """What the classifier holds each class for: ``(N, 10)``, rows that add up to 1. Arguments as of :func:`digit_features`."""
    model, grey = _ready(images, data_set)
    with torch.no_grad():
        return torch.cat([model(rows).softmax(1) for rows in torch.split(grey, BATCH)])


def digit_classes(images: Tensor, data_set: str = "mnist-10k") -> Tensor:
    """The class that the classifier holds most probable: ``(N,)``, int64. Arguments as of :func:`digit_features`."""
    return digit_probabilities(images, data_set).argmax(1)


def imagenet_features(images: Tensor, *, size: int = IMAGENET_SIZE) -> Tensor:
    """The ImageNet network's last layer before the classes, averaged over the picture.

    Pictures are brought to ``size`` × ``size`` pixels by bilinear interpolation (averaging where they shrink); grey ones are
    repeated in the three channels.

    Args:
        images: ``(N, 3, H, W)``, ``(N, 1, H, W)`` or ``(N, H, W)``, bytes or numbers in [0, 1].
        size: 224 as in the network's training; less is faster and coarser, at least 32.

    Returns:
        ``(N, 1280)``, not negative.

    Raises:
        ValueError: pictures of another shape, type or range, none at all, or a size below 32.
        DataError: the weights are not on the disk.
    """
    prepared, model = _prepared(images, size)
    with torch.no_grad():
        return torch.cat([model.features(_scaled(rows, size)) for rows in torch.split(prepared, _IMAGENET_BATCH)])


def imagenet_probabilities(images: Tensor, *, size: int = IMAGENET_SIZE) -> Tensor:
    """The probabilities of the 1000 ImageNet classes, in their usual order: ``(N, 1000)``. See :func:`imagenet_features`."""
    prepared, model = _prepared(images, size)
    with torch.no_grad():
        return torch.cat([model(_scaled(rows, size)).softmax(1) for rows in torch.split(prepared, _IMAGENET_BATCH)])


def image_features(images: Tensor, *, data_set: str) -> Tensor:
    """The features that suit a data set: the classifier's where there is one for it, else the ImageNet network's.

    Args:
        images: pictures of the data set, or made to be like them.
        data_set: name of the data set that the pictures are of, or are made to be like.
    """
    return digit_features(images, data_set) if data_set in CLASSIFIERS else imagenet_features(images)


# --8<-- [end:features]


@cache
def _classifier(data_set: str, device: str) -> DigitClassifier:
    from kexue.generative.digit_classifier_experiments import Classification
    from kexue.records import load
    from kexue.training.experiment import with_settings

    record = load(CLASSIFIERS[data_set])
    experiment = with_settings(Classification(record.name), record.settings)
    assert isinstance(experiment, Classification)
    return experiment.restore(record.weights()).to(device)


@cache
def _imagenet(device: str) -> EfficientNetLite0:
    return efficientnet.restore(datasets.load("efficientnet-lite0").weights).to(device)


def _ready(images: Tensor, data_set: str) -> tuple[DigitClassifier, Tensor]:
    """The classifier of a data set on the pictures' device, and the pictures as it wants them."""
    if data_set not in CLASSIFIERS:
        raise ValueError(f"there is no classifier of {data_set!r}; there is one of {', '.join(CLASSIFIERS)}")
    shape = tuple(images.shape)
    plain = images.squeeze(1) if images.ndim == 4 and images.shape[1] == 1 else images
    if plain.ndim != 3 or plain.shape[1:] != (28, 28):
        raise ValueError(f"pictures must have the shape (N, 28, 28) or (N, 1, 28, 28), got {shape}")
    return _classifier(data_set, str(images.device)), unit_range(plain)


def _prepared(images: Tensor, size: int) -> tuple[Tensor, EfficientNetLite0]:
    """Pictures with three channels, as they came otherwise, and the network on their device."""
    if size < 32:
        raise ValueError(f"the size must be at least 32 pixels, got {size}")
    plain = images.unsqueeze(1) if images.ndim == 3 else images
    if plain.ndim != 4 or plain.shape[1] not in (1, 3) or 0 in plain.shape[2:]:
        raise ValueError(f"pictures must have the shape (N, 3, H, W), (N, 1, H, W) or (N, H, W), got {tuple(images.shape)}")
    return unit_range(plain).expand(-1, 3, -1, -1), _imagenet(str(images.device))


def _scaled(images: Tensor, size: int) -> Tensor:
    """Numbers in [0, 1] at the network's size and scale: (byte − 127) / 128."""
    if images.shape[-2:] != (size, size):
        images = F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return (images * 255 - 127) / 128


def unit_range(images: Tensor) -> Tensor:
    """Pictures as single-precision numbers in [0, 1].

    Args:
        images: bytes, or floating-point numbers in [0, 1]; rounding beyond the ends by a thousandth is cut off.

    Raises:
        ValueError: no picture, another type, or numbers outside [0, 1] or not finite, as of a generator that ends in tanh.
    """
    if images.numel() == 0:
        raise ValueError(f"there must be at least one picture, got shape {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return images.float() / 255
    if not images.is_floating_point():
        raise ValueError(f"pictures must be bytes or floating-point numbers in [0, 1], got {images.dtype}")
    images = images.detach().float()
    low, high = (float(v) for v in images.aminmax())
    if not (low >= -1e-3 and high <= 1.001):
        raise ValueError(f"pictures of floating-point numbers must lie in [0, 1], got {low:g} to {high:g}; from [-1, 1] use (x + 1) / 2")
    return images.clamp(0, 1)
