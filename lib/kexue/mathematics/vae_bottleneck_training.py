r"""The networks of the bottleneck chapter's trained runs, and how they are judged: on held-out pictures, in nats and squared error.

Pictures are rows of 784 grey values in [0, 1]. An :class:`Autoencoder` is the best *linear* code plus networks that correct it, so
that its training begins on the water-filling curve and whatever it gains is gained by being non-linear. A
:class:`BottleneckClassifier` is the classifier of Alemi et al. (2017): a normal code and a linear answer. Of both there are several
at once, one for each price of a nat, in a :class:`Bank`, which is trained as one module; its members share nothing but pictures and noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kexue.mathematics.vae_bottleneck import gaussian_kl, relevance_bound
from kexue.mathematics.vae_bottleneck_linear import level_for_rate, linear_optimum, pca, water_filling

__all__ = [
    "Autoencoder",
    "Bank",
    "BottleneckClassifier",
    "LinearCodes",
    "fgsm",
    "judge_autoencoder",
    "judge_bottleneck",
    "least_lead",
    "noise_for",
    "relabelled",
]

PIXELS, SIDE = 784, 28
GAIN = 2.0  # on the centred grey values that the networks see
START = -5.0  # log-variance of a fresh bottleneck's codes: they are nearly certain at first


# ------------------------------------------------------------------------------------------------------------------------- networks
def _mlp(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size_in, size_out in pairwise(sizes):
        layers += [nn.Linear(size_in, size_out), activation()]
    return nn.Sequential(*layers[:-1])


def _convolutions(channels: Sequence[int], latents: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder to mean and log-variance and decoder to pixels, of two strided convolutions each."""
    first, second = channels
    flat = second * (SIDE // 4) ** 2
    encoder = nn.Sequential(
        nn.Unflatten(1, (1, SIDE, SIDE)),
        nn.Conv2d(1, first, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Conv2d(first, second, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(flat, 2 * latents),
    )
    decoder = nn.Sequential(
        nn.Linear(latents, flat),
        nn.SiLU(),
        nn.Unflatten(1, (second, SIDE // 4, SIDE // 4)),
        nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.ConvTranspose2d(first, 1, 4, stride=2, padding=1),
        nn.Flatten(),
    )
    return encoder, decoder


@torch.no_grad()
def _initialise(network: nn.Module, generator: torch.Generator | None) -> None:
    """Uniform weights within one over the root of a unit's inputs, biases of nought."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            assert layer.bias is not None
            inputs = layer.weight[0].numel()
            if isinstance(layer, nn.ConvTranspose2d):  # (in, out, k, k); with stride s a pixel gets k²/s² values of each input
                inputs = layer.weight[:, 0].numel() // (layer.stride[0] * layer.stride[1])
            bound = 1 / math.sqrt(inputs)
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def _silence(network: nn.Sequential) -> None:
    """Set the weights of the last layer that has any to nought: the network then answers nought, and still learns."""
    last = [m for m in network if isinstance(m, (nn.Linear, nn.ConvTranspose2d))][-1]
    nn.init.zeros_(last.weight)


# --8<-- [start:autoencoder]
class Autoencoder(nn.Module):
    r"""A code of L normal latents: :math:`z=A(x-m)+f(x-m)+\sigma\varepsilon` and :math:`\hat x=m+Wz+g(z)`.

    Args:
        latents: number L of latents.
        hidden: widths of the layers of f; those of g are the same in reverse.
        channels: of two convolutions each in place of the hidden layers; empty for none.
        generator: source of the initial weights of f and g.
    """

    pixel_mean: Tensor

    def __init__(
        self, latents: int, *, hidden: Sequence[int] = (), channels: Sequence[int] = (), generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("pixel_mean", torch.zeros(PIXELS))
        self.encode_linear = nn.Parameter(torch.zeros(latents, PIXELS))  # A
        self.decode_linear = nn.Parameter(torch.zeros(PIXELS, latents))  # W
        self.log_variance = nn.Parameter(torch.zeros(latents))
        if channels:
            self.encoder, self.decoder = _convolutions(channels, latents)
        else:
            self.encoder = _mlp((PIXELS, *hidden, 2 * latents), nn.SiLU)
            self.decoder = _mlp((latents, *reversed(hidden), PIXELS), nn.SiLU)
        for network in (self.encoder, self.decoder):
            _initialise(network, generator)
            _silence(network)

    @torch.no_grad()
    def begin(self, mean: Tensor, heights: Tensor, directions: Tensor, level: float) -> None:
        """Become the best linear code at a water level, for data of that mean, those eigenvalues and those directions (columns)."""
        latents = len(self.log_variance)
        code = linear_optimum(heights[:latents], level)
        self.pixel_mean.copy_(mean)
        self.encode_linear.copy_(code.a[:, None] * directions[:, :latents].T)
        self.decode_linear.copy_(directions[:, :latents] * code.w)
        self.log_variance.copy_(2 * code.s.log())

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the code, ``(B, L)`` each, of pictures ``(B, 784)``."""
        centred = x - self.pixel_mean
        mean, log_variance = self.encoder(GAIN * centred).chunk(2, -1)
        return centred @ self.encode_linear.T + mean, self.log_variance + log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Pictures ``(B, 784)`` of codes ``(B, L)``; not clipped to [0, 1]."""
        pictures: Tensor = self.pixel_mean + z @ self.decode_linear.T + self.decoder(z)
        return pictures

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """Rate and squared error, summed over pixels, of each picture: ``(B, 784), (B, L) -> (2, B)``."""
        mean, log_variance = self.encode(x)
        again = self.decode(mean + (0.5 * log_variance).exp() * noise)
        return torch.stack([gaussian_kl(mean, log_variance), (x - again).square().sum(-1)])


# --8<-- [end:autoencoder]


# --8<-- [start:bottleneck]
class BottleneckClassifier(nn.Module):
    """A normal code of ``code`` numbers and a linear classifier that sees nothing else (Alemi et al. 2017).

    Args:
        code: size of the code.
        classes: number of classes.
        hidden: widths of the encoder's layers.
        generator: source of the initial weights.
    """

    def __init__(self, code: int, classes: int, *, hidden: Sequence[int], generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.encoder = _mlp((PIXELS, *hidden, 2 * code), nn.ReLU)
        self.answer = nn.Linear(code, classes)
        _initialise(self, generator)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the code, ``(B, code)`` each, of pictures ``(B, 784)``."""
        mean, log_variance = self.encoder(GAIN * (x - 0.5)).chunk(2, -1)
        return mean, log_variance + START

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Answer (logits) to a sampled code, and the code's mean and log-variance."""
        mean, log_variance = self.encode(x)
        return self.answer(mean + (0.5 * log_variance).exp() * noise), mean, log_variance

    def surely(self, x: Tensor) -> Tensor:
        """Logits of the classes for the mean of the code, ``(B, classes)``."""
        logits: Tensor = self.answer(self.encode(x)[0])
        return logits


# --8<-- [end:bottleneck]


class Bank(nn.Module):
    """Several networks that are trained side by side on the same pictures with the same noise; each has weights of its own."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, *inputs: Tensor) -> list[Tensor | tuple[Tensor, ...]]:
        """What each member makes of the same inputs."""
        return [member(*inputs) for member in self.members]


def noise_for(images: Tensor, size: int, seed: int) -> Tensor:
    """Standard normal noise ``(N, size)`` to judge N pictures with: drawn on the CPU, so that every device judges with the same."""
    return torch.randn(len(images), size, generator=torch.Generator().manual_seed(seed)).to(images)


# ----------------------------------------------------------------------------------------------------------- rate against distortion
@torch.no_grad()
def judge_autoencoder(model: Autoencoder, images: Tensor, *, draws: int = 1, seed: int = 0) -> tuple[float, float]:
    """Mean rate in nats and mean squared error a picture, summed over its pixels, with `draws` codes for each picture."""
    found = [model(images, noise_for(images, len(model.log_variance), seed + k)).double().mean(1) for k in range(draws)]
    rate, error = torch.stack(found).mean(0).tolist()
    return rate, error


# --8<-- [start:linear]
@dataclass(frozen=True)
class LinearCodes:
    """All linear codes of the water-filling curve, made on training pictures and judged on held-out ones, in closed form.

    Attributes:
        heights: eigenvalues ``(n,)`` of the training pictures' covariance.
        held: mean squares ``(n,)`` of the held-out pictures along the same directions, about the training mean.
        own: eigenvalues ``(n,)`` of the held-out pictures' own covariance: the best that a linear code could be fitted to them.
    """

    heights: Tensor
    held: Tensor
    own: Tensor

    @classmethod
    def fitted(cls, train: Tensor, held_out: Tensor) -> LinearCodes:
        """The codes of training pictures ``(N, n)``, to be judged on held-out pictures ``(M, n)``."""
        mean, heights, directions = pca(train.double())
        held = ((held_out.double() - mean) @ directions).square().mean(0)
        return cls(heights, held, pca(held_out.double())[1])

    def point(self, level: float) -> tuple[float, float]:
        """Rate and squared error on held-out pictures of the linear optimum at a water level."""
        a, w, s = linear_optimum(self.heights, level)
        rate = 0.5 * (a.square() * self.held + s.square() - 1 - 2 * s.log()).sum()
        error = ((1 - w * a).square() * self.held + (w * s).square()).sum()
        return float(rate), float(error)

    def error_at(self, rate: float) -> float:
        """Squared error of the linear code that spends `rate` nats a held-out picture.

        The rate falls all along as the water rises (each direction's derivative is at most ``1 / height - 1 / level``), so that
        halving an interval of levels finds it.

        Raises:
            ValueError: for a rate that is not positive or beyond what the lowest level looked at, a billionth of the largest, spends.
        """
        high = math.log(float(self.heights.max()))
        low = high - math.log(1e9)
        if not 0 < rate <= self.point(math.exp(low))[0]:
            raise ValueError(f"rate must be above 0 and at most {self.point(math.exp(low))[0]:.6g} nats, got {rate!r}")
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.point(math.exp(middle))[0] > rate else (low, middle)
        return self.point(math.exp((low + high) / 2))[1]

    def least_error(self, rate: float) -> float:
        """Squared error that no linear code of that rate can beat on the held-out pictures, even if it were fitted to them."""
        return float(water_filling(self.own, level_for_rate(self.own, rate)).distortion)


# --8<-- [end:linear]


def least_lead(points: Sequence[tuple[float, float]], bound: Callable[[float], float], *, above: float, count: int = 50) -> float:
    """The smallest distance, in squared error, by which a broken line of (rate, error) points stays below a curve.

    The points of the line between two codes are reached by using one code for some pictures and the other for the rest.

    Args:
        points: rates and errors, in any order.
        bound: the curve: error at a rate.
        above: only rates above this one are looked at, up to the largest of the points.
        count: rates looked at, equally far apart; the points themselves are looked at too.

    Raises:
        ValueError: if the points do not reach from `above` upwards on both sides.
    """
    line = sorted(points)
    if len(line) < 2 or not line[0][0] <= above < line[-1][0]:
        raise ValueError(f"the points must have rates on both sides of {above:g}, got {', '.join(f'{r:g}' for r, _ in line)}")
    looked = [above + (line[-1][0] - above) * k / (count - 1) for k in range(count)] + [r for r, _ in line if r > above]
    rates, errors = zip(*line, strict=True)
    return min(bound(rate) - float(np.interp(rate, rates, errors)) for rate in looked)


# ----------------------------------------------------------------------------------------------------------------------- bottleneck
# --8<-- [start:judge]
@torch.no_grad()
def judge_bottleneck(model: BottleneckClassifier, images: Tensor, labels: Tensor, *, draws: int = 12, seed: int = 0) -> dict[str, float]:
    """Judge a bottleneck on pictures ``(N, 784)`` with labels ``(N,)``.

    Returns:
        ``rate`` and the lower bound on the ``relevance`` in nats; shares of wrong answers: ``error_one`` with one code for each picture
        (mean over the draws), ``error_averaged`` with the probabilities averaged over the draws, ``error_mean`` with the mean code.
    """
    mean, log_variance = model.encode(images)
    log_q = []
    for k in range(draws):
        noise = noise_for(images, mean.shape[1], seed + k)
        log_q.append(model.answer(mean + (0.5 * log_variance).exp() * noise).log_softmax(-1))
    each = torch.stack(log_q)  # (draws, N, classes)
    return {
        "rate": float(gaussian_kl(mean, log_variance).double().mean()),
        "relevance": float(torch.stack([relevance_bound(answer.double(), labels) for answer in each]).mean()),
        "error_one": float((each.argmax(-1) != labels).double().mean()),
        "error_averaged": float((each.exp().mean(0).argmax(-1) != labels).double().mean()),
        "error_mean": float((model.surely(images).argmax(-1) != labels).double().mean()),
    }


# --8<-- [end:judge]


def fgsm(answer: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, step: float) -> Tensor:
    """Pictures moved by `step` in each pixel, up the gradient of the cross-entropy, and kept in [0, 1] (Goodfellow et al. 2015).

    Args:
        answer: pictures ``(N, n)`` to logits ``(N, c)``.
        images: ``(N, n)``.
        labels: ``(N,)``.
        step: grey values, at least 0.
    """
    if step < 0:
        raise ValueError(f"step must be at least 0, got {step!r}")
    moved = images.detach().clone().requires_grad_()
    functional.cross_entropy(answer(moved), labels, reduction="sum").backward()  # type: ignore[no-untyped-call]
    assert moved.grad is not None
    return (images + step * moved.grad.sign()).clamp(0, 1).detach()


def relabelled(labels: Tensor, classes: int, share: float, *, seed: int) -> Tensor:
    """Labels ``(N,)`` of which about a `share`, each by itself, is replaced by a class drawn from all.

    >>> relabelled(torch.arange(4), 10, 0.0, seed=1)
    tensor([0, 1, 2, 3])
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, got {share!r}")
    generator = torch.Generator().manual_seed(seed)
    hit = torch.rand(len(labels), generator=generator) < share
    return torch.where(hit, torch.randint(classes, labels.shape, generator=generator), labels)
