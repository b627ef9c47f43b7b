"""FC-Siam-diff: a Siamese U-Net whose skips carry how the features of both dates differ; change alone.

Daudt, Le Saux and Boulch, "Fully convolutional Siamese networks for change detection", ICIP 2018,
doi 10.1109/ICIP.2018.8451652. The keys are those of the published code.
"""

from torch import Tensor

from lsafnet.parts.siamese_unet import SiameseUNet


def difference(before: Tensor, after: Tensor) -> Tensor:
    """Return |before - after|."""
    return (before - after).abs()


class FCSiamDiff(SiameseUNet):
    """`SiameseUNet` with the skips |before - after|."""

    def __init__(self, *, bands: int) -> None:
        super().__init__(bands, difference, breadth=1)
