"""The small networks of the energy chapter: ranges, independence of a batch's images, scale of the first outputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kexue.generative.energy_gan_networks import Energy, Generator, PixelNorm, Recovery


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(kind: str, seed: int = 0, colours: int = 1) -> nn.Module:
    if kind == "generator":
        return Generator(code=8, width=4, colours=colours, generator=source(seed))
    if kind == "energy":
        return Energy(width=4, colours=colours, generator=source(seed))
    return Recovery(code=8, width=4, colours=colours, generator=source(seed))


def entry(kind: str, count: int = 6, colours: int = 1, seed: int = 1) -> Tensor:
    if kind == "generator":
        return torch.randn(count, 8, generator=source(seed))
    return torch.rand(count, colours, 28, 28, generator=source(seed)) * 2 - 1


KINDS = ("generator", "energy", "recovery")


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(("kind", "shape"), [("generator", (28, 28)), ("energy", ()), ("recovery", (8,))])
def test_each_image_is_treated_by_itself(kind: str, shape: tuple[int, ...], colours: int) -> None:
    net, x = made(kind, colours=colours), entry(kind, colours=colours)
    whole = net(x)
    assert whole.shape == (6, *((colours,) if kind == "generator" else ()), *shape)
    # a batch's other images leave no trace: the slope penalty needs this
    assert torch.allclose(net(x[2:3])[0], whole[2], atol=1e-5)
    assert not torch.allclose(whole[0], whole[1], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_settles_the_weights(kind: str) -> None:
    x = entry(kind)
    assert torch.equal(made(kind)(x), made(kind)(x))
    assert not torch.equal(made(kind)(x), made(kind, seed=1)(x))


def test_images_are_grey_values() -> None:
    images = made("generator")(100 * entry("generator"))
    assert images.min() >= -1
    assert images.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_takes_part(kind: str) -> None:
    net = made(kind)
    net(entry(kind)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0, name


def test_first_activations_keep_their_scale() -> None:
    # variance 2 / inputs keeps the mean square through leaky rectifiers, up to the factor (1 + 0.2²) a layer and the images' edges
    net = Energy(width=32, generator=source())
    x = torch.randn(200, 1, 28, 28, generator=source(2))
    generator = Generator(code=64, width=32, generator=source())
    with torch.no_grad():
        assert 0.3 < float(net.layers[:-1](x).square().mean() / x.square().mean()) < 2
        assert 0.2 < float(generator.layers[:-1](torch.randn(200, 64, generator=source(3))).square().mean()) < 3


def test_pixel_norm_brings_each_place_to_mean_square_one() -> None:
    x = 7 * torch.randn(3, 5, 2, 2, generator=source())
    assert torch.allclose(PixelNorm(5)(x).square().mean(1), torch.ones(3, 2, 2), atol=1e-5)
