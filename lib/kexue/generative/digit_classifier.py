"""The book's own classifier of 28×28 pictures, whose last hidden layer gives the features that generated digits are judged in."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 64  # of the features


# --8<-- [start:network]
class DigitClassifier(nn.Module):
    """Three convolutions, a layer of features, and a linear map to the classes.

    The features are normalised over the batches of the training without scale or shift of their own: on real pictures each has
    mean about 0 and variance about 1. That gives distances in them a unit.

    Args:
        classes: number of classes.
        channels: of the three convolutions.
        generator: source of the first weights.
    """

    def __init__(self, classes: int = 10, channels: tuple[int, int, int] = (16, 32, 64), generator: torch.Generator | None = None) -> None:
        super().__init__()
        pairs = zip((1, *channels[:-1]), channels, strict=True)
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels)
        self.hidden = nn.Linear(9 * channels[-1], WIDTH, bias=False)
        self.standard = nn.BatchNorm1d(WIDTH, affine=False)
        self.head = nn.Linear(WIDTH, classes)
        self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator | None) -> None:
        """Weights of variance 2 / fan-in: half of the inputs are cut off by the rectifier."""
        for layer in (*self.convolutions, self.hidden, self.head):
            weight = layer.weight
            assert isinstance(weight, Tensor)
            weight.normal_(0, math.sqrt(2 / weight[0].numel()), generator=generator)
        self.head.bias.zero_()

    def features(self, images: Tensor) -> Tensor:
        """The features of pictures ``(N, 28, 28)`` with grey values in [0, 1]: ``(N, 64)``."""
        x = images.unsqueeze(1)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(norm(F.max_pool2d(convolution(x), 2)))  # 28 → 14 → 7 → 3; the largest first, so that less is left to norm
        standard: Tensor = self.standard(self.hidden(x.flatten(1)))
        return standard

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of pictures ``(N, 28, 28)`` with grey values in [0, 1]."""
        logits: Tensor = self.head(F.relu(self.features(images)))
        return logits


# --8<-- [end:network]


# --8<-- [start:moved]
def moved(images: Tensor, reach: int, *, flip: bool, generator: torch.Generator) -> Tensor:
    """Move each picture by up to ``reach`` pixels along both axes, each move as likely as another; fill with black.

    Args:
        images: ``(N, H, W)``.
        reach: largest move.
        flip: also mirror each picture left to right, or not, by a fair coin.
        generator: source of the moves and mirrorings, on the pictures' device.

    Raises:
        ValueError: a reach below 0.
    """
    if reach < 0:
        raise ValueError(f"the reach must be at least 0, got {reach}")
    n, height, width = images.shape
    device = images.device
    shift = torch.randint(0, 2 * reach + 1, (2, n, 1), generator=generator, device=device)
    rows = shift[0] + torch.arange(height, device=device)  # (N, H)
    columns = shift[1] + torch.arange(width, device=device)  # (N, W)
    if flip:
        mirrored = torch.rand(n, 1, generator=generator, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(images, (reach,) * 4)
    return padded[torch.arange(n, device=device)[:, None, None], rows[:, :, None], columns[:, None, :]]


# --8<-- [end:moved]
