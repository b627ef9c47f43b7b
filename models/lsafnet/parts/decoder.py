"""The decoder block and the classifier head of LSAFNet and its relatives."""

import torch
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.layers import dilated_conv, pointwise, resize_like
from lsafnet.parts.residual import ResidualBlock


def join(high: Tensor, low: Tensor) -> Tensor:
    """Return a coarse map brought to the size of a fine one, and the fine one, as channels of one map."""
    return torch.cat([resize_like(high, low), low], dim=1)


class ConvBlock(nn.Module):
    """Bring a coarse map to the size of a fine one and fuse both.

    (batch, hi, r, c) and (batch, lo, R, C) to (batch, outputs, R, C), where `inputs` = hi + lo: upsample,
    concatenate, two residual blocks, depthwise 3x3 convolution of dilation 2.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.res1 = ResidualBlock(inputs, outputs)
        self.res2 = ResidualBlock(outputs, outputs)
        self.spatial = dilated_conv(outputs, outputs, groups=outputs)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        fused: Tensor = self.spatial(self.res2(self.res1(join(high, low))))
        return fused


def classifier(inputs: int, classes: int) -> nn.Sequential:
    """Return the head that turns (batch, inputs, rows, cols) into (batch, classes, rows, cols) logits."""
    return nn.Sequential(*pointwise(inputs, inputs // 2), nn.Conv2d(inputs // 2, classes, 1))


def to_size_of(image: Tensor, change: Tensor, before: Tensor, after: Tensor) -> ChangeLogits:
    """Return logits of any size brought to the rows and cols of `image`."""
    return ChangeLogits(*(resize_like(logits, image) for logits in (change, before, after)))
