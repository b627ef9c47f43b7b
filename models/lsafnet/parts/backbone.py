"""Backbones: image in, five feature maps out, the last three at one eighth of the image's size."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.parts.layers import pointwise
from lsafnet.parts.residual import residual_stage


class Features(NamedTuple):
    """F_L at 1/2 of the image's rows and cols, F_M at 1/4; F1, F2, F3 at 1/8; channels as in `Widths`."""

    low: Tensor
    mid: Tensor
    high1: Tensor
    high2: Tensor
    high3: Tensor


class Widths(NamedTuple):
    """The number of channels of each map of `Features`."""

    low: int
    mid: int
    high1: int
    high2: int
    high3: int

    @classmethod
    def of_decoder(cls, width: int) -> "Widths":
        """Return what decoders of `width` channels take; 128, as in the paper, gives ResNet-34's own."""
        if width < 2:
            raise ValueError(f"a decoder needs a width of 2 or more, not {width}")
        return cls(width // 2, width // 2, width, 2 * width, 4 * width)


class Backbone(nn.Module):
    """A module that turns (batch, bands, rows, cols) into `Features` of `widths` channels."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.widths = widths


class ResNet(Backbone):
    """A residual network of basic blocks at output stride 8 (He et al., CVPR 2016).

    The last two stages keep their size by stride 1, without dilation. Keys are torchvision's, so that
    ImageNet weights load (without `fc`).
    """

    def __init__(self, depths: tuple[int, int, int, int], widths: Widths, bands: int) -> None:
        super().__init__(widths)
        self.conv1 = nn.Conv2d(bands, widths.low, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths.low)
        self.layer1 = residual_stage(widths.low, widths.mid, depths[0])
        self.layer2 = residual_stage(widths.mid, widths.high1, depths[1], stride=2)
        self.layer3 = residual_stage(widths.high1, widths.high2, depths[2])
        self.layer4 = residual_stage(widths.high2, widths.high3, depths[3])

    def forward(self, x: Tensor) -> Features:
        low = F.relu(self.bn1(self.conv1(x)), inplace=True)  # 1/2
        mid = self.layer1(F.max_pool2d(low, 3, stride=2, padding=1))  # 1/4
        high1 = self.layer2(mid)  # 1/8, as the next two
        high2 = self.layer3(high1)
        return Features(low, mid, high1, high2, self.layer4(high2))


class FeatureAdapter(nn.Module):
    """Pointwise layers from a backbone's channels to a decoder's; nothing, and no keys, where they agree."""

    def __init__(self, have: Widths, want: Widths) -> None:
        super().__init__()
        for name, inputs, outputs in zip(Widths._fields, have, want, strict=True):
            self.add_module(name, nn.Identity() if inputs == outputs else pointwise(inputs, outputs))

    def forward(self, features: Features) -> Features:
        return Features(*(layer(x) for layer, x in zip(self.children(), features, strict=True)))


def _resnet(depths: tuple[int, int, int, int], widths: Widths) -> Callable[[int], Backbone]:
    return lambda bands: ResNet(depths, widths, bands)


RESNET_WIDTHS = Widths(64, 64, 128, 256, 512)

BACKBONES: Mapping[str, Callable[[int], Backbone]] = {
    "resnet18": _resnet((2, 2, 2, 2), RESNET_WIDTHS),
    "resnet34": _resnet((3, 4, 6, 3), RESNET_WIDTHS),
    "resnet10-narrow": _resnet((1, 1, 1, 1), Widths(28, 28, 56, 112, 224)),
}
"""What `build_backbone` knows: name to a function of the number of bands."""


def build_backbone(name: str, bands: int) -> Backbone:
    """Return the backbone called `name` for images of `bands` bands; ValueError names those that exist."""
    if name not in BACKBONES:
        raise ValueError(f"no backbone is called {name!r}; there are {', '.join(BACKBONES)}")
    return BACKBONES[name](bands)
