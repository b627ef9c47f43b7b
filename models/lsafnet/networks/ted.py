"""TED: three encoder-decoder branches, one for each date and one for change; SCanNet's baseline.

Ding, Zhang, Zhang, Guo, Liu and Bruzzone, "Joint spatio-temporal modeling for semantic change detection in remote
sensing images", IEEE TGRS 62 (2024), doi 10.1109/TGRS.2024.3362795. The keys are those of the published code.
"""

import torch
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.dates import cut_back, fill_up, split_dates
from lsafnet.parts.decoder import classifier, to_size_of
from lsafnet.parts.fcn import FCN, Decoder, change_branch
from lsafnet.parts.layers import initialise

SIZE_MULTIPLE_PX = 8  # so that doubling the maps @ 1/8 gives those @ 1/4


class TripleEncoderDecoder(nn.Module):
    """Two images to three maps of 128 channels @ 1/4: before, after, change."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.FCN = FCN(bands)
        self.Dec1 = Decoder(64)
        self.Dec2 = Decoder(64)
        self.resCD = change_branch()
        self.DecCD = Decoder(2 * 64)

    def decode(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        low, high = self.FCN(torch.cat([before, after]))
        low1, low2 = split_dates(low)
        x1, x2 = split_dates(high)
        change = self.DecCD(self.resCD(torch.cat([x1, x2], dim=1)), torch.cat([low1, low2], dim=1))
        return self.Dec1(x1, low1), self.Dec2(x2, low2), change


class TED(TripleEncoderDecoder):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size.

    Sizes that are no multiple of 8 are filled up by repeating the last row and col.
    """

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__(bands)
        self.classifier1 = nn.Conv2d(128, num_classes, 1)
        self.classifier2 = nn.Conv2d(128, num_classes, 1)
        self.classifierCD = classifier(128, 1)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        full = fill_up(before, SIZE_MULTIPLE_PX)
        x1, x2, change = self.decode(full, fill_up(after, SIZE_MULTIPLE_PX))
        logits = to_size_of(
            full,
            change=self.classifierCD(change),
            before=self.classifier1(x1),
            after=self.classifier2(x2),
        )
        return cut_back(logits, before)
