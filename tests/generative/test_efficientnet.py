"""The ImageNet network layer by layer, at sizes that a reader can check."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kexue import datasets
from kexue.generative import efficientnet
from kexue.generative.efficientnet import Block, EfficientNetLite0, Layer, Same

# what the release of 2020 says: (repeats, kernel, stride, expansion, channels out), B0's stages without squeezing
BLOCKS = [
    (3, 1, 1, 32, 16), (3, 2, 6, 16, 24), (3, 1, 6, 24, 24), (5, 2, 6, 24, 40), (5, 1, 6, 40, 40), (3, 2, 6, 40, 80), (3, 1, 6, 80, 80),
    (3, 1, 6, 80, 80), (5, 1, 6, 80, 112), (5, 1, 6, 112, 112), (5, 1, 6, 112, 112), (5, 2, 6, 112, 192), (5, 1, 6, 192, 192),
    (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (3, 1, 6, 192, 320),
]  # fmt: skip


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def model() -> EfficientNetLite0:
    return EfficientNetLite0()


def test_blocks_are_those_of_the_release(model: EfficientNetLite0) -> None:
    for block, (kernel, stride, expansion, inputs, outputs) in zip(model.blocks, BLOCKS, strict=True):
        deep = block.depthwise.convolution
        assert (deep.kernel_size, deep.stride) == ((kernel, kernel), (stride, stride))
        assert deep.in_channels == deep.out_channels == deep.groups == inputs * expansion
        assert isinstance(block.expand, nn.Identity if expansion == 1 else Layer)
        project = block.project.convolution
        assert (project.in_channels, project.out_channels, project.kernel_size, project.groups) == (inputs * expansion, outputs, (1, 1), 1)
        assert block.residual == (stride == 1 and inputs == outputs)
        assert (block.depthwise.linear, block.project.linear) == (False, True)


def test_ends_are_those_of_the_release(model: EfficientNetLite0) -> None:
    stem, top = model.stem.convolution, model.top.convolution
    assert (stem.in_channels, stem.out_channels, stem.kernel_size, stem.stride) == (3, 32, (3, 3), (2, 2))
    assert (top.in_channels, top.out_channels, top.kernel_size, top.stride) == (320, 1280, (1, 1), (1, 1))
    assert (model.head.in_features, model.head.out_features) == (1280, 1000)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert all(c.bias is None for c in convolutions)
    assert len(norms) == len(convolutions) == 2 + 3 * 16 - 1


@pytest.mark.parametrize(("height", "width", "kernel", "stride"), [(8, 11, 3, 2), (7, 6, 5, 2), (5, 9, 3, 1), (1, 2, 5, 2), (3, 4, 1, 2)])
def test_padding_by_hand(height: int, width: int, kernel: int, stride: int) -> None:
    layer = Same(2, 2, kernel, stride, groups=2)
    x = drawn(1, 2, height, width)
    rows, columns = -(-height // stride), -(-width // stride)
    down, across = max(0, (rows - 1) * stride + kernel - height), max(0, (columns - 1) * stride + kernel - width)
    padded = torch.zeros(1, 2, height + down, width + across)
    padded[:, :, down // 2 : down // 2 + height, across // 2 : across // 2 + width] = x
    weight = layer.weight.detach()
    found = layer(x).detach()
    assert found.shape == (1, 2, rows, columns)
    for channel in range(2):
        for i in range(rows):
            for j in range(columns):
                window = padded[0, channel, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
                assert float(found[0, channel, i, j]) == pytest.approx(float((window * weight[channel, 0]).sum()), abs=1e-5)


@pytest.mark.parametrize("linear", [False, True])
def test_a_layer_is_cut_at_0_and_6_unless_it_is_linear(linear: bool) -> None:
    layer = Layer(1, 1, linear=linear).eval()
    with torch.no_grad():
        layer.convolution.weight.fill_(1.0)
        found = layer(torch.tensor([-3.0, 0.5, 5.0, 9.0]).view(1, 1, 2, 2)) * (1 + 1e-3) ** 0.5
    want = [-3, 0.5, 5, 9] if linear else [0, 0.5, 5, 6 * (1 + 1e-3) ** 0.5]
    assert found.flatten().tolist() == pytest.approx(want, abs=1e-5)
    assert Layer(1, 1).linear is False


@pytest.mark.parametrize(("inputs", "outputs", "stride", "added"), [(4, 4, 1, True), (4, 6, 1, False), (4, 4, 2, False)])
def test_a_block_adds_its_input_where_the_shapes_agree(inputs: int, outputs: int, stride: int, added: bool) -> None:
    block = Block(inputs, outputs, 3, stride, 2).eval()
    x = drawn(2, inputs, 6, 6)
    with torch.no_grad():
        inner = block.project(block.depthwise(block.expand(x)))
        assert torch.equal(block(x), x + inner if added else inner)
    assert block.depthwise.convolution.groups == 2 * inputs


def test_features_are_averages_over_the_picture_and_logits_are_of_them(model: EfficientNetLite0) -> None:
    model = model.eval()
    x = drawn(2, 3, 64, 96)
    with torch.no_grad():
        channels = model.top(model.blocks(model.stem(x)))
        assert channels.shape == (2, 1280, 2, 3)  # a thirty-second of each side
        found = model.features(x)
        assert torch.allclose(found, channels.flatten(2).mean(2), atol=1e-6)
        assert torch.allclose(model(x), F.linear(found, model.head.weight, model.head.bias), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("_conv_stem.weight", "stem.convolution.weight"), ("_bn0.bias", "stem.norm.bias"), ("_conv_head.weight", "top.convolution.weight"),
        ("_bn1.running_mean", "top.norm.running_mean"), ("_fc.weight", "head.weight"),
        ("_blocks.0._depthwise_conv.weight", "blocks.0.depthwise.convolution.weight"),
        ("_blocks.12._expand_conv.weight", "blocks.12.expand.convolution.weight"), ("_blocks.7._bn0.weight", "blocks.7.expand.norm.weight"),
        ("_blocks.7._bn1.weight", "blocks.7.depthwise.norm.weight"), ("_blocks.7._bn2.weight", "blocks.7.project.norm.weight"),
        ("_blocks.3._project_conv.weight", "blocks.3.project.convolution.weight"),
    ],
)  # fmt: skip
def test_names_of_the_package(name: str, here: str) -> None:
    assert efficientnet._renamed(name) == here


def test_restored_weights_are_those_of_the_file() -> None:
    weights = datasets.load("efficientnet-lite0").weights
    model = efficientnet.restore(weights)
    held = model.state_dict()
    assert all(torch.equal(held[efficientnet._renamed(name)], weight) for name, weight in weights.items())
    assert not model.training
    assert not any(w.requires_grad for w in model.parameters())
    few = dict(list(weights.items())[1:])
    with pytest.raises(RuntimeError, match="Missing key"):
        efficientnet.restore(few)
    with pytest.raises(KeyError, match="_strange"):
        efficientnet.restore({**weights, "_strange.weight": torch.zeros(1)})
