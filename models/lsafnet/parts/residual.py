"""The basic residual block of He et al., "Deep residual learning for image recognition", CVPR 2016."""

import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.parts.layers import conv3x3


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: (batch, inputs, r, c) to (batch, outputs, r/stride, c/stride).

    The shortcut is a 1x1 convolution with BN where channels or size change. Keys are torchvision's.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y)) + self.downsample(x)
        return F.relu(y, inplace=True)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; a quarter of `outputs` channels in between."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        narrow = outputs // 4
        self.conv1 = nn.Conv2d(inputs, narrow, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.conv2 = conv3x3(narrow, narrow, stride)
        self.bn2 = nn.BatchNorm2d(narrow)
        self.conv3 = nn.Conv2d(narrow, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y)) + self.downsample(x)
        return F.relu(y, inplace=True)


Block = type[ResidualBlock] | type[Bottleneck]


def residual_stage(
    inputs: int, outputs: int, depth: int, stride: int = 1, block: Block = ResidualBlock
) -> nn.Sequential:
    """Return `depth` residual blocks in a row, of which the first changes channels and size."""
    first = block(inputs, outputs, stride)
    return nn.Sequential(first, *(block(outputs, outputs) for _ in range(depth - 1)))
