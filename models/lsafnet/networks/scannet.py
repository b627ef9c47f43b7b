"""SCanNet: TED whose three maps look at each other through a transformer along rows and columns.

Ding, Zhang, Zhang, Guo, Liu and Bruzzone, "Joint spatio-temporal modeling for semantic change detection in remote
sensing images", IEEE TGRS 62 (2024), doi 10.1109/TGRS.2024.3362795, with the attention of Dong et al., "CSWin
Transformer", CVPR 2022, in windows one pixel wide. The keys are those of the published code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.networks.ted import SIZE_MULTIPLE_PX, TripleEncoderDecoder
from lsafnet.parts.dates import cut_back, fill_up
from lsafnet.parts.decoder import classifier, to_size_of
from lsafnet.parts.layers import initialise

CHANNELS, HEADS, MLP_RATIO = 3 * 128, 4, 4


class StripeAttention(nn.Module):
    """Attention of 2 heads among the positions of one column, or of one row, of (batch, rows, cols, channels).

    What it attends to is followed by a depthwise 3x3 convolution of the values inside each window, which is one
    pixel wide: of the kernel only its middle column (row) ever meets anything but the padding.
    """

    def __init__(self, channels: int, along_rows: bool) -> None:
        super().__init__()
        self._heads, self._along_rows = HEADS // 2, along_rows
        self.get_v = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        q, k, v = (self._windows(x) for x in (query, key, value))
        attended = (
            F.scaled_dot_product_attention(q, k, v).transpose(-2, -3).flatten(-2)
        )  # (batch, windows, positions, channels)
        return (attended if self._along_rows else attended.transpose(1, 2)) + self._local(value)

    def _windows(self, x: Tensor) -> Tensor:
        """Return (batch, windows, heads, positions, channels of a head)."""
        lines = x if self._along_rows else x.transpose(1, 2)
        batch, windows, positions, _ = lines.shape
        return lines.reshape(batch, windows, positions, self._heads, -1).transpose(-2, -3)

    def _local(self, value: Tensor) -> Tensor:
        kernel, bias = self.get_v.weight, self.get_v.bias
        middle, padding = (kernel[:, :, 1:2], (0, 1)) if self._along_rows else (kernel[:, :, :, 1:2], (1, 0))
        image = value.permute(0, 3, 1, 2)
        return F.conv2d(image, middle, bias, padding=padding, groups=self.get_v.groups).permute(0, 2, 3, 1)


class Mlp(nn.Module):
    """Two linear layers with a GELU between them, position by position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, MLP_RATIO * channels)
        self.fc2 = nn.Linear(MLP_RATIO * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return mixed


class CrossWindowBlock(nn.Module):
    """One half of the channels attends along columns, the other along rows: (batch, rows, cols, channels)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.attns = nn.ModuleList(StripeAttention(channels // 2, along_rows=way) for way in (False, True))
        self.proj = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        halves = [part.chunk(2, dim=-1) for part in (query, key, value)]
        along_cols = self.attns[0](*(half[0] for half in halves))
        along_rows = self.attns[1](*(half[1] for half in halves))
        x = x + self.proj(torch.cat([along_cols, along_rows], dim=-1))
        mixed: Tensor = x + self.mlp(self.norm2(x))
        return mixed


class ToTokens(nn.Module):
    """(batch, channels, rows, cols) to (batch, rows, cols, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class SCanFormer(nn.Module):
    """The transformer: (batch, 384, rows, cols) to the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1_conv_embed = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS, 1), ToTokens(), nn.LayerNorm(CHANNELS)
        )
        self.stage = nn.Sequential(*(CrossWindowBlock(CHANNELS) for _ in range(2)))
        self.norm = nn.LayerNorm(CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.norm(self.stage(self.stage1_conv_embed(x)))
        return tokens.permute(0, 3, 1, 2)


class SCanNet(TripleEncoderDecoder):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size.

    Sizes that are no multiple of 8 are filled up by repeating the last row and col.
    """

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__(bands)
        self.transformer = SCanFormer()
        self.classifierA = nn.Conv2d(128, num_classes, 1)
        self.classifierB = nn.Conv2d(128, num_classes, 1)
        self.classifierCD = classifier(128, 1)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        full = fill_up(before, SIZE_MULTIPLE_PX)
        maps = torch.cat(self.decode(full, fill_up(after, SIZE_MULTIPLE_PX)), dim=1)
        x1, x2, change = self.transformer(maps).chunk(3, dim=1)
        logits = to_size_of(
            full,
            change=self.classifierCD(change),
            before=self.classifierA(x1),
            after=self.classifierB(x2),
        )
        return cut_back(logits, before)
