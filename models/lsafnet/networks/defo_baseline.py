"""The baseline of DEFO-MLTSCD (SSCD-2d): its change branch takes neither aggregated features nor differences.

Li et al., IEEE Transactions on Geoscience and Remote Sensing 62 (2024), doi 10.1109/TGRS.2024.3362728.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.parts.defo import DecoderBlock, DefoNetwork, Encoder
from lsafnet.parts.rsiscd import Pyramid


class ChangeBranch(nn.Module):
    """x4 of both dates to change features (128 @ 1/2), which see nothing of the finer maps."""

    def __init__(self) -> None:
        super().__init__()
        self.db4 = DecoderBlock(2 * 128)
        self.db1 = DecoderBlock(128)
        self.db0 = DecoderBlock(128)

    def forward(self, before: Pyramid, after: Pyramid) -> Tensor:
        x = self.db4(torch.cat([before.x4, after.x4], dim=1))  # 1/8
        x = self.db1(_corner_resized(x, before.x1))  # 1/4
        features: Tensor = self.db0(_corner_resized(x, before.x0))  # 1/2
        return features


def _corner_resized(x: Tensor, other: Tensor) -> Tensor:
    """Return `x` at the rows and cols of `other`, corner pixels on corner pixels, unlike everywhere else here."""
    return F.interpolate(x, other.shape[-2:], mode="bilinear", align_corners=True)


class DefoBaseline(DefoNetwork):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size."""

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__(num_classes, Encoder(bands, aggregate=False), ChangeBranch())
