"""HRSCD, strategy 4: strategy 3 whose change decoder also sees how the land-cover features of the dates differ.

Daudt, Le Saux, Boulch and Gousseau, "Multitask learning for large-scale semantic change detection", Computer Vision
and Image Understanding 187 (2019), doi 10.1016/j.cviu.2019.07.003. The keys are those of the published code.
"""

import torch
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.dates import cut_back, fill_up, split_dates
from lsafnet.parts.layers import initialise
from lsafnet.parts.residual_unet import SIZE_MULTIPLE_PX, ResidualDecoder, ResidualEncoder


class HRSCD4(nn.Module):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size.

    Sizes that are no multiple of 32 are filled up by repeating the last row and col.
    """

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__()
        self.TCEncoder = ResidualEncoder(bands)
        self.TCDecoder = ResidualDecoder(num_classes)
        self.CDEncoder = ResidualEncoder(2 * bands)
        self.CDDecoder = ResidualDecoder(1, breadth=2)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        first, second = (fill_up(image, SIZE_MULTIPLE_PX) for image in (before, after))
        maps = self.TCEncoder(torch.cat([first, second]))
        land_cover = split_dates(self.TCDecoder(maps))
        differences = [(x1 - x2).abs() for x1, x2 in (split_dates(x) for x in maps)]
        change = self.CDEncoder(torch.cat([first, second], dim=1))
        pairs = zip(change, differences, strict=True)
        change = self.CDDecoder([torch.cat(pair, dim=1) for pair in pairs])
        return cut_back(ChangeLogits(change, *land_cover), before)
