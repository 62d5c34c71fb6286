"""What tests of this part share: made-up pictures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

Pictures = dict[str, tuple[Tensor, Tensor]]


@pytest.fixture
def made_up_pictures(in_place_of_pictures: Callable[[Pictures], None]) -> Callable[..., Pictures]:
    """A function that puts made-up square pictures in the place of a data set's; the label is the brightest of ten pixels."""

    def put(*, train: int, test: int, side: int) -> Pictures:
        made = {}
        for split, n in (("train", train), ("test", test)):
            images = torch.randint(0, 256, (n, side, side), generator=torch.Generator().manual_seed(n), dtype=torch.uint8)
            made[split] = (images, images.flatten(1)[:, :10].long().argmax(1))
        in_place_of_pictures(made)
        return made

    return put
