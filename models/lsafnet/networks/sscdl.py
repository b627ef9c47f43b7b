"""SSCD-l: one encoder for both dates, land cover from each, change from both, fused late.

Ding, Guo, Liu, Mou, Zhang and Bruzzone, "Bi-temporal semantic reasoning for the semantic change detection in HR
remote sensing images", IEEE TGRS 60 (2022), doi 10.1109/TGRS.2022.3154390. The keys are those of the published code.
"""

import torch
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.dates import split_dates
from lsafnet.parts.decoder import classifier, to_size_of
from lsafnet.parts.fcn import FCN, change_branch
from lsafnet.parts.layers import initialise


class SSCDL(nn.Module):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size."""

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__()
        self.FCN = FCN(bands)
        self.resCD = change_branch()
        self.classifier1 = nn.Conv2d(128, num_classes, 1)
        self.classifier2 = nn.Conv2d(128, num_classes, 1)
        self.classifierCD = classifier(128, 1)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        _, high = self.FCN(torch.cat([before, after]))  # 128 @ 1/8
        x1, x2 = split_dates(high)
        change = self.classifierCD(self.resCD(torch.cat([x1, x2], dim=1)))
        return to_size_of(
            before,
            change=change,
            before=self.classifier1(x1),
            after=self.classifier2(x2),
        )
