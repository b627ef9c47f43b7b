"""DEFO-MLTSCD: two land-cover branches and a change branch that takes the dates' differences at each scale.

Li et al., IEEE Transactions on Geoscience and Remote Sensing 62 (2024), doi 10.1109/TGRS.2024.3362728. The keys are
those of the released model. The code released with LSAFNet holds the same network under the name TBFFNet
(`rsiscd-tbff` here), so that its checkpoints load too.
"""

import torch
from torch import Tensor, nn

from lsafnet.parts.defo import DecoderBlock, DefoNetwork, Encoder
from lsafnet.parts.rsiscd import Pyramid, lift_change


class ChangeBranch(nn.Module):
    """The pyramids of both dates to change features (128 @ 1/2): decoder features interact across tasks (DFIT)."""

    def __init__(self) -> None:
        super().__init__()
        self.db4 = DecoderBlock(3 * 128)
        self.db1 = DecoderBlock(2 * 128)
        self.db0 = DecoderBlock(2 * 128)

    def forward(self, before: Pyramid, after: Pyramid) -> Tensor:
        x = self.db4(torch.cat([before.x4, after.x4, (before.x4 - after.x4).abs()], dim=1))
        return lift_change((self.db1, self.db0), x, before, after)


class DefoMltscd(DefoNetwork):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size."""

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__(num_classes, Encoder(bands, aggregate=True), ChangeBranch())
