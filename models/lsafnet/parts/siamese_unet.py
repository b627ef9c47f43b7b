"""The Siamese U-Net of Daudt et al. 2018, a binary network; keys as published.

Daudt, Le Saux and Boulch, "Fully convolutional Siamese networks for change detection", ICIP 2018,
doi 10.1109/ICIP.2018.8451652.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.dates import cut_back, fill_up, split_dates
from lsafnet.parts.layers import initialise

WIDTHS = ((16, 16), (32, 32), (64, 64, 64), (128, 128, 128))
SIZE_MULTIPLE_PX = 2 ** len(WIDTHS)
DROPOUT = 0.2

Skip = Callable[[Tensor, Tensor], Tensor]


class SiameseUNet(nn.Module):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` at their size, without land cover.

    `skip` makes one map of those of both dates, `breadth` times as wide as one of them. Of the deepest maps only
    that of the after image goes up. Sizes that are no multiple of 16 are filled up by repeating the last row and col.
    """

    def __init__(self, bands: int, skip: Skip, breadth: int) -> None:
        super().__init__()
        self._skip = skip
        inputs = bands
        for stage, widths in enumerate(WIDTHS, 1):
            for step, width in enumerate(widths, 1):
                self.add_module(f"conv{stage}{step}", nn.Conv2d(inputs, width, 3, padding=1))
                self.add_module(f"bn{stage}{step}", nn.BatchNorm2d(width))
                inputs = width
        for stage in range(len(WIDTHS), 0, -1):
            self._add_decoder_stage(stage, breadth)
        self.dropout = nn.Dropout2d(DROPOUT)
        initialise(self)

    def _add_decoder_stage(self, stage: int, breadth: int) -> None:
        widths = WIDTHS[stage - 1]
        up = nn.ConvTranspose2d(widths[-1], widths[-1], 3, stride=2, padding=1, output_padding=1)
        self.add_module(f"upconv{stage}", up)
        inputs = widths[-1] * (1 + breadth)
        for step in range(len(widths), 0, -1):
            below = WIDTHS[stage - 2][-1] if stage > 1 else 2
            width = widths[step - 1] if step > 1 else below
            self.add_module(f"conv{stage}{step}d", nn.ConvTranspose2d(inputs, width, 3, padding=1))
            if (stage, step) != (1, 1):
                self.add_module(f"bn{stage}{step}d", nn.BatchNorm2d(width))
            inputs = width

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        x = torch.cat([fill_up(image, SIZE_MULTIPLE_PX) for image in (before, after)])
        skips = []
        for stage, widths in enumerate(WIDTHS, 1):
            for step in range(1, len(widths) + 1):
                x = self._layer(x, f"{stage}{step}")
            skips.append(self._skip(*split_dates(x)))
            x = F.max_pool2d(x, 2)
        _, x = split_dates(x)
        for stage in range(len(WIDTHS), 0, -1):
            x = torch.cat([self.get_submodule(f"upconv{stage}")(x), skips[stage - 1]], dim=1)
            for step in range(len(WIDTHS[stage - 1]), 0, -1):
                x = (
                    self.get_submodule("conv11d")(x)
                    if (stage, step) == (1, 1)
                    else self._layer(x, f"{stage}{step}d")
                )
        return cut_back(ChangeLogits(x[:, 1:] - x[:, :1], None, None), before)

    def _layer(self, x: Tensor, name: str) -> Tensor:
        x = F.relu(self.get_submodule(f"bn{name}")(self.get_submodule(f"conv{name}")(x)))
        dropped: Tensor = self.dropout(x)
        return dropped
