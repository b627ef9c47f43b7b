"""Bi-SRNet: SSCD-l whose dates attend to themselves and to each other.

Ding, Guo, Liu, Mou, Zhang and Bruzzone, "Bi-temporal semantic reasoning for the semantic change detection in HR
remote sensing images", IEEE TGRS 60 (2022), doi 10.1109/TGRS.2022.3154390. The keys are those of the published code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.dates import split_dates
from lsafnet.parts.decoder import classifier, to_size_of
from lsafnet.parts.fcn import FCN, change_branch
from lsafnet.parts.layers import initialise

QUERY_CHANNELS = 16


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return `value` (batch, channels, rows, cols) averaged over all positions, weighted by softmax(query key)."""
    q, k, v = (x.flatten(2).transpose(1, 2) for x in (query, key, value))  # (batch, positions, channels)
    attended = F.scaled_dot_product_attention(q, k, v, scale=1.0)
    return attended.transpose(1, 2).reshape(value.shape)


class SiameseReasoning(nn.Module):
    """SR: each position of one date looks at all others (128 @ 1/8); at the start, with gamma 0, for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.query_conv = nn.Conv2d(128, QUERY_CHANNELS, 1)
        self.key_conv = nn.Conv2d(128, QUERY_CHANNELS, 1)
        self.value_conv = nn.Conv2d(128, 128, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * attend(self.query_conv(x), self.key_conv(x), self.value_conv(x))


class CrossTemporalReasoning(nn.Module):
    """CotSR: each position of one date looks at all positions of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.query_conv1, self.query_conv2 = (nn.Conv2d(128, QUERY_CHANNELS, 1) for _ in range(2))
        self.key_conv1, self.key_conv2 = (nn.Conv2d(128, QUERY_CHANNELS, 1) for _ in range(2))
        self.value_conv1, self.value_conv2 = (nn.Conv2d(128, 128, 1) for _ in range(2))
        self.gamma1 = nn.Parameter(torch.zeros(1))
        self.gamma2 = nn.Parameter(torch.zeros(1))

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        seen_by_1 = attend(self.query_conv1(x1), self.key_conv2(x2), self.value_conv2(x2))
        seen_by_2 = attend(self.query_conv2(x2), self.key_conv1(x1), self.value_conv1(x1))
        return x1 + self.gamma1 * seen_by_1, x2 + self.gamma2 * seen_by_2


class BiSRNet(nn.Module):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size."""

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__()
        self.FCN = FCN(bands)
        self.SR1 = SiameseReasoning()
        self.SR2 = SiameseReasoning()
        self.CotSR = CrossTemporalReasoning()
        self.resCD = change_branch()
        self.classifier1 = nn.Conv2d(128, num_classes, 1)
        self.classifier2 = nn.Conv2d(128, num_classes, 1)
        self.classifierCD = classifier(128, 1)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        _, high = self.FCN(torch.cat([before, after]))  # 128 @ 1/8
        x1, x2 = split_dates(high)
        x1, x2 = self.SR1(x1), self.SR2(x2)
        change = self.classifierCD(self.resCD(torch.cat([x1, x2], dim=1)))
        x1, x2 = self.CotSR(x1, x2)
        return to_size_of(
            before,
            change=change,
            before=self.classifier1(x1),
            after=self.classifier2(x2),
        )
