"""Generator, energy and recovering network of the energy chapter's runs: small convolutions for images of 28 × 28 points.

Grey values lie in [-1, 1]. All three see an image as 7 × 7 overlapping patches: in short trainings on one CPU core this gave better
digits for the same time than stages of 14 × 14 points, on which most of the work goes into a few channels. No network has a layer that
mixes the images of a batch, so each image has an energy of its own and each code a picture of its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Energy", "Generator", "Recovery", "initialise"]

SIDE = 28
SLOPE = 0.2  # of the leaky ReLU below 0


class PixelNorm(nn.Module):
    """Scale the channels at each place to mean square 1, and give each channel a learnt gain and offset."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w) -> (B, C, h, w)``."""
        scaled: Tensor = x * (x.square().mean(1, keepdim=True) + 1e-6).rsqrt() * self.gain + self.offset
        return scaled


def initialise(network: nn.Module, generator: torch.Generator | None) -> None:
    """Draw the weights normal with variance 2 / (inputs of a unit), offsets 0; the same seed gives the same weights."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            inputs = layer.weight[0].numel()
            if isinstance(layer, nn.ConvTranspose2d):  # each point is reached by a part of the kernel
                inputs = layer.weight.shape[0] * layer.weight[0, 0].numel() // (layer.stride[0] * layer.stride[1])
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / inputs), generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


# --8<-- [start:generator]
class Generator(nn.Module):
    """Codes to images: a linear layer, a convolution on 7 × 7 places, and an overlapping patch of 8 × 8 points from each place.

    Args:
        code: size k of the code.
        width: half the channels at each place.
        colours: channels of the image.
        generator: source of the initial weights.
    """

    def __init__(self, *, code: int = 64, width: int = 32, colours: int = 1, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.code = code
        self.layers = nn.Sequential(
            nn.Linear(code, 2 * width * 49),
            nn.Unflatten(1, (2 * width, 7, 7)),
            PixelNorm(2 * width),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            PixelNorm(2 * width),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose2d(2 * width, colours, 8, stride=4, padding=2),
            nn.Tanh(),
        )
        initialise(self, generator)

    def forward(self, z: Tensor) -> Tensor:
        """Images ``(B, colours, 28, 28)`` in [-1, 1] of codes ``(B, k)``."""
        images: Tensor = self.layers(z)
        return images


# --8<-- [end:generator]


def _trunk(colours: int, width: int) -> list[nn.Module]:
    """Overlapping patches of 8 × 8 points to 7 × 7 places, those to 4 × 4, and all in a row of 64 · width numbers."""
    return [
        nn.Conv2d(colours, 2 * width, 8, stride=4, padding=2),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Flatten(),
    ]


# --8<-- [start:energy]
class Energy(nn.Module):
    """Images to energies: two convolutions with leaky rectifiers, then one number without bound.

    Args:
        width: half the channels at each of 7 × 7 places, a quarter of those at 4 × 4.
        colours: channels of the image.
        generator: source of the initial weights.
    """

    def __init__(self, *, width: int = 32, colours: int = 1, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_trunk(colours, width), nn.Linear(64 * width, 1))
        initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Energies ``(B,)`` of images ``(B, colours, 28, 28)``."""
        energies: Tensor = self.layers(x)
        return energies.squeeze(1)


# --8<-- [end:energy]


class Recovery(nn.Module):
    """Images back to codes, for the entropy term: the trunk of the energy, then k numbers.

    Args:
        code: size k of the code.
        width: as of the energy.
        colours: channels of the image.
        generator: source of the initial weights.
    """

    def __init__(self, *, code: int = 64, width: int = 16, colours: int = 1, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_trunk(colours, width), nn.Linear(64 * width, code))
        initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Recovered codes ``(B, k)`` of images ``(B, colours, 28, 28)``."""
        codes: Tensor = self.layers(x)
        return codes
