"""HRSCD, strategy 3: one network for the land cover of each date, another for change, apart from each other.

Daudt, Le Saux, Boulch and Gousseau, "Multitask learning for large-scale semantic change detection", Computer Vision
and Image Understanding 187 (2019), doi 10.1016/j.cviu.2019.07.003. The keys are those of the published code.
"""

import torch
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.dates import cut_back, fill_up, split_dates
from lsafnet.parts.layers import initialise
from lsafnet.parts.residual_unet import SIZE_MULTIPLE_PX, ResidualDecoder, ResidualEncoder


class HRSCD3(nn.Module):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size.

    Sizes that are no multiple of 32 are filled up by repeating the last row and col.
    """

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__()
        self.TCEncoder = ResidualEncoder(bands)
        self.TCDecoder = ResidualDecoder(num_classes)
        self.CDEncoder = ResidualEncoder(2 * bands)
        self.CDDecoder = ResidualDecoder(1)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        first, second = (fill_up(image, SIZE_MULTIPLE_PX) for image in (before, after))
        land_cover = split_dates(self.TCDecoder(self.TCEncoder(torch.cat([first, second]))))
        change = self.CDDecoder(self.CDEncoder(torch.cat([first, second], dim=1)))
        return cut_back(ChangeLogits(change, *land_cover), before)
