"""EfficientNet-Lite0, the network whose ImageNet weights a package ships: the book's features of colour pictures.

The network is that of MobileNet's inverted residual blocks in the sizes of EfficientNet-B0, without squeeze-and-excitation and with
ReLU6, so that small devices run it (Tan and Le 2019, "EfficientNet", arXiv:1905.11946, and the Lite release of 2020). It was trained
elsewhere in another framework, whose convolutions of stride 2 pad one more pixel at the end than at the beginning; so do these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

FEATURES = 1280
# of each stage: blocks, kernel, stride of the first block, expansion, channels
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))


class Same(nn.Conv2d):
    """A convolution without bias whose output has ⌈size / stride⌉ pixels; an odd pixel of padding goes to the end."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (max(0, (-(-size // stride) - 1) * stride + kernel - size) for size in x.shape[-2:])
        return super().forward(F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2)))


class Layer(nn.Module):
    """A convolution, batch normalisation, and ReLU6 unless the layer is linear."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, linear: bool = False) -> None:
        super().__init__()
        self.convolution = Same(inputs, outputs, kernel, stride, groups)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.convolution(x))
        return y if self.linear else F.relu6(y)


class Block(nn.Module):
    """An inverted residual block: widen, convolve each channel by itself, narrow; add the input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = Layer(inputs, wide) if expansion > 1 else nn.Identity()
        self.depthwise = Layer(wide, wide, kernel, stride, groups=wide)
        self.project = Layer(wide, outputs, linear=True)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """The network; its input has three channels, red, green, blue, scaled as (byte − 127) / 128."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Layer(3, 32, 3, 2)
        blocks: list[Block] = []
        inputs = 32
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for index in range(repeats):
                blocks.append(Block(inputs, outputs, kernel, stride if index == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.top = Layer(inputs, FEATURES)
        self.head = nn.Linear(FEATURES, 1000)

    def features(self, images: Tensor) -> Tensor:
        """Features ``(N, 1280)`` of scaled pictures ``(N, 3, H, W)``: the last convolution's channels, averaged over the picture."""
        channels: Tensor = self.top(self.blocks(self.stem(images)))
        return channels.mean((-2, -1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, 1000)`` of the ImageNet classes, in their usual order."""
        logits: Tensor = self.head(self.features(images))
        return logits


def restore(weights: Mapping[str, Tensor]) -> EfficientNetLite0:
    """The network with the weights of the data set ``efficientnet-lite0``, for use.

    Raises:
        RuntimeError: a weight is missing or of another shape.
        KeyError: a name that the package does not have.
    """
    model = EfficientNetLite0()
    counters = {name: buffer for name, buffer in model.state_dict().items() if name.endswith("num_batches_tracked")}
    model.load_state_dict({_renamed(name): weight for name, weight in weights.items()} | counters)
    return model.eval().requires_grad_(False)


# The norms of a block are numbered in the package, the second place being the depthwise one.
_PLACES = {
    "_expand_conv": "expand.convolution",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.convolution",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.convolution",
    "_bn2": "project.norm",
}
_ENDS = {"_conv_stem": "stem.convolution", "_bn0": "stem.norm", "_conv_head": "top.convolution", "_bn1": "top.norm", "_fc": "head"}


def _renamed(name: str) -> str:
    """The name here of a weight of the package.

    >>> _renamed("_blocks.3._bn1.running_var"), _renamed("_fc.bias")
    ('blocks.3.depthwise.norm.running_var', 'head.bias')
    """
    if found := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name):
        return f"blocks.{found[1]}.{_PLACES[found[2]]}.{found[3]}"
    place, _, last = name.partition(".")
    return f"{_ENDS[place]}.{last}"
