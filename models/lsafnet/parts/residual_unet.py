"""The residual encoder-decoder of Daudt et al. 2019, of base width 8; keys as published.

Daudt, Le Saux, Boulch and Gousseau, "Multitask learning for large-scale semantic change detection", Computer Vision
and Image Understanding 187 (2019), doi 10.1016/j.cviu.2019.07.003.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.parts.layers import conv3x3

BASE_WIDTH, STAGES = 8, 5
SIZE_MULTIPLE_PX = 2**STAGES
SLOPE = 0.01  # of the leaky ReLUs below 0


def up_conv3x3(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Return a transposed 3x3 convolution that doubles rows and cols, without bias."""
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False)


class DownBlock(nn.Module):
    """(batch, inputs, r, c) to (batch, outputs, r/pool, c/pool), beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, pool: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.couple = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
        self.bnc = nn.BatchNorm2d(outputs) if inputs != outputs else nn.Identity()
        self._pool = pool

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.bn1(self.conv1(x)), SLOPE)
        y = self.bn2(self.conv2(self._pooled(y)))
        return F.leaky_relu(y + self._pooled(self.bnc(self.couple(x))), SLOPE)

    def _pooled(self, x: Tensor) -> Tensor:
        return x if self._pool == 1 else F.max_pool2d(x, self._pool)


class UpBlock(nn.Module):
    """(batch, inputs, r, c) to (batch, inputs / 2, 2r, 2c), beside a shortcut."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        outputs = inputs // 2
        self.conv1 = up_conv3x3(inputs, outputs)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.couple = up_conv3x3(inputs, outputs)
        self.bnc = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.bn1(self.conv1(x)), SLOPE)
        y = self.bn2(self.conv2(y)) + self.bnc(self.couple(x))
        return F.leaky_relu(y, SLOPE)


class ResidualEncoder(nn.Module):
    """An image to six maps: 8 channels @ 1/1, 16 @ 1/2 ... 128 @ 1/16, and the bottom, 256 @ 1/32."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        for stage in range(1, STAGES + 1):
            width = BASE_WIDTH * 2 ** (stage - 1)
            self.add_module(f"encres{stage}_1", DownBlock(bands if stage == 1 else width, width))
            self.add_module(f"encres{stage}_2", DownBlock(width, width))
            self.add_module(f"encres{stage}_3", DownBlock(width, 2 * width, pool=2))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in range(1, STAGES + 1):
            x = self.get_submodule(f"encres{stage}_1")(x)
            x = self.get_submodule(f"encres{stage}_2")(x)
            maps.append(x)
            x = self.get_submodule(f"encres{stage}_3")(x)
        return [*maps, x]


class ResidualDecoder(nn.Module):
    """The six maps of an encoder, `breadth` times as many channels in each, to (batch, outputs, rows, cols)."""

    def __init__(self, outputs: int, breadth: int = 1) -> None:
        super().__init__()
        for stage in range(STAGES, -1, -1):
            width = BASE_WIDTH * 2**stage
            inputs = width * (breadth if stage == STAGES else breadth + 1)
            self.add_module(f"decres{stage}_1", DownBlock(inputs, width))
            self.add_module(f"decres{stage}_2", DownBlock(width, width))
            self.add_module(f"decres{stage}_3", UpBlock(width) if stage else DownBlock(width, width))
        self.coupling = nn.Conv2d(BASE_WIDTH, outputs, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        x = maps[STAGES]
        for stage in range(STAGES, -1, -1):
            x = x if stage == STAGES else torch.cat([x, maps[stage]], dim=1)
            for step in (1, 2, 3):
                x = self.get_submodule(f"decres{stage}_{step}")(x)
        logits: Tensor = self.coupling(x)
        return logits
