"""FC-Siam-conc: a Siamese U-Net whose skips carry the features of both dates; change alone.

Daudt, Le Saux and Boulch, "Fully convolutional Siamese networks for change detection", ICIP 2018,
doi 10.1109/ICIP.2018.8451652. The keys are those of the published code.
"""

import torch
from torch import Tensor

from lsafnet.parts.siamese_unet import SiameseUNet


def side_by_side(before: Tensor, after: Tensor) -> Tensor:
    """Return both maps as channels of one."""
    return torch.cat([before, after], dim=1)


class FCSiamConc(SiameseUNet):
    """`SiameseUNet` with the skips [before, after]."""

    def __init__(self, *, bands: int) -> None:
        super().__init__(bands, side_by_side, breadth=2)
