"""Pictures as the experiments take them: the last of the training split held out, what a record says of it, standardised pixels."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from kexue import datasets

__all__ = ["kept", "parted", "standardised", "told"]


@cache
def kept(data_set: str, split: str) -> tuple[Tensor, Tensor]:
    """Pictures and labels of a split as the data set has them; kept, for the runs of one process share them and none writes to them."""
    found = datasets.load(data_set, split=split)
    return found.images, found.labels


def parted(data_set: str, validation: int, *, training: int = 0) -> dict[str, tuple[Tensor, Tensor]]:
    """Pictures and labels to train on, held out, and to test on.

    Args:
        data_set: name of a data set with the splits ``train`` and ``test``.
        validation: pictures at the end of the training split that are held out.
        training: pictures at its beginning that are trained on; 0 takes all that are not held out.

    Returns:
        ``train``, ``validation``, ``test``: bytes ``(N, height, width)`` and classes ``(N,)`` each.

    Raises:
        ValueError: if nothing is held out, or the training split has not that many pictures.

    >>> {part: len(labels) for part, (_, labels) in parted("digits", 180, training=1000).items()}
    {'train': 1000, 'validation': 180, 'test': 360}
    """
    images, labels = kept(data_set, "train")
    used = _trained_on(len(labels), validation, training)
    rest = len(labels) - validation
    return {"train": (images[:used], labels[:used]), "validation": (images[rest:], labels[rest:]), "test": kept(data_set, "test")}


def told(data_set: str, validation: int, *, training: int = 0) -> dict[str, Any]:
    """What a record says of the data that :func:`parted` gives, with the same arguments; nothing is loaded.

    >>> told("digits", 180)["used"]
    '1,257 for training, 180 for validation, 360 for the test'
    """
    about = datasets.info(data_set)
    used = _trained_on(about.splits["train"], validation, training)
    return about.in_a_record(f"{used:,} for training, {validation:,} for validation, {about.splits['test']:,} for the test")


def _trained_on(there: int, validation: int, training: int) -> int:
    used = training or there - validation
    if validation < 1 or not 1 <= used <= there - validation:
        raise ValueError(f"{validation} of {there} pictures cannot be held out with {training or 'any'} to train on")
    return used


def standardised(images: Tensor, like: Tensor, pool: int = 1) -> Tensor:
    r"""Pictures as numbers of mean 0 at each pixel and of variance 1 over all pixels, both measured on the pictures `like`.

    With the mean picture :math:`m` of `like`: :math:`(x-m)\big/\sqrt{\langle(x'-m)^2\rangle}`, the average over pictures and pixels.

    Args:
        images: ``(N, height, width)``, bytes or numbers.
        like: training pictures ``(M, height, width)``.
        pool: side of the squares that are averaged first.

    Returns:
        ``(N, height // pool, width // pool)``, float32.

    >>> import torch
    >>> standardised(torch.tensor([[[4.0]]]), like=torch.tensor([[[1.0]], [[3.0]]]))
    tensor([[[2.]]])
    """

    def small(pictures: Tensor) -> Tensor:
        return F.avg_pool2d(pictures.float()[:, None], pool)[:, 0] if pool > 1 else pictures.float()

    seen = small(like)
    mean = seen.mean(0)
    return (small(images) - mean) / (seen - mean).square().mean().sqrt()
