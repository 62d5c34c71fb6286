"""Pictures for training: nothing is in two parts, the record says what there is, pixels are standardised with the training pictures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kexue import datasets
from kexue.training.pictures import kept, parted, standardised, told


@pytest.fixture
def ten(in_place_of_pictures: Callable[..., None]) -> dict[str, tuple[Tensor, Tensor]]:
    """Ten training pictures and four test pictures, numbered."""
    made = {split: (torch.arange(n).byte().view(n, 1, 1), 100 + torch.arange(n)) for split, n in (("train", 10), ("test", 4))}
    in_place_of_pictures(made)
    return made


def test_the_data_sets_themselves() -> None:
    for split in ("train", "test"):
        images, labels = kept("digits", split)
        there = datasets.load("digits", split=split)
        assert torch.equal(images, there.images)
        assert torch.equal(labels, there.labels)
    assert kept("digits", "test") is kept("digits", "test")


@pytest.mark.parametrize(("training", "used"), [(0, 7), (7, 7), (2, 2)])
def test_the_end_of_the_training_split_is_held_out(ten: dict[str, tuple[Tensor, Tensor]], training: int, used: int) -> None:
    found = parted("any", 3, training=training)
    assert {name: images.flatten().tolist() for name, (images, _) in found.items()} == {
        "train": list(range(used)),
        "validation": [7, 8, 9],
        "test": [0, 1, 2, 3],
    }
    assert all((labels == images.flatten() + 100).all() for images, labels in found.values())


@pytest.mark.parametrize(("validation", "training"), [(0, 0), (-1, 0), (10, 0), (3, 8), (3, -1)])
def test_what_is_not_there_cannot_be_held_out(ten: object, validation: int, training: int) -> None:
    with pytest.raises(ValueError, match=rf"^{validation} of 10 pictures cannot be held out with {training or 'any'} to train on$"):
        parted("any", validation, training=training)
    with pytest.raises(ValueError, match=r"^1437 of 1437 pictures cannot be held out with any to train on$"):
        told("digits", 1437)


def test_what_the_record_says() -> None:
    about = datasets.info("mnist-10k")
    assert told("mnist-10k", 1000, training=500) == {
        "name": "mnist-10k",
        "title": about.title,
        "version": about.version,
        "sha256": about.sha256,
        "used": "500 for training, 1,000 for validation, 2,000 for the test",
    }
    assert told("mnist-10k", 1000)["used"].startswith("7,000 for training, ")


def test_standardised_pictures() -> None:
    draw = torch.Generator().manual_seed(0)
    like = torch.randint(0, 256, (50, 4, 4), generator=draw, dtype=torch.uint8)
    found = standardised(like, like)
    assert torch.allclose(found.mean(0), torch.zeros(4, 4), atol=1e-6)
    assert found.square().mean().item() == pytest.approx(1, abs=1e-6)
    other = like[:3].float() + 7
    spread = (like.float() - like.float().mean(0)).std(correction=0)
    assert torch.allclose(standardised(other, like) - found[:3], 7.0 / spread.expand(3, 4, 4))
    pooled = like.float().view(50, 2, 2, 2, 2).mean((2, 4))
    assert torch.allclose(standardised(like, like, 2), standardised(pooled, pooled), atol=1e-6)
    with pytest.raises(RuntimeError):  # a square that is larger than the pictures
        standardised(like, like, 5)
