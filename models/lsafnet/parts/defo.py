"""What DEFO-MLTSCD and its baseline share: encoder, land-cover decoder, heads; keys as published.

Li et al., IEEE Transactions on Geoscience and Remote Sensing 62 (2024), doi 10.1109/TGRS.2024.3362728.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.decoder import classifier, to_size_of
from lsafnet.parts.layers import dilated_conv, initialise, pointwise
from lsafnet.parts.residual import residual_stage
from lsafnet.parts.rsiscd import Pyramid, lift, resnet34_with_classifier


class DecoderBlock(nn.Module):
    """(batch, inputs, r, c) to (batch, 128, r, c): two residual blocks, a 3x3 convolution of dilation 2."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.block = residual_stage(inputs, 128, 2)
        self.cb = nn.Sequential(OrderedDict(conv=dilated_conv(128, 128)))

    def forward(self, x: Tensor) -> Tensor:
        decoded: Tensor = self.cb(self.block(x))
        return decoded


class Encoder(nn.Module):
    """An image to F_L (64 @ 1/2), F_M (64 @ 1/4) and x4 (128 @ 1/8).

    x4 is made of F1, F2 and F3 (the feature aggregation module, FAM), or of F3 alone.
    """

    def __init__(self, bands: int, *, aggregate: bool) -> None:
        super().__init__()
        self.resnet = resnet34_with_classifier(bands)
        self.conv = pointwise(128 + 256 + 512 if aggregate else 512, 128)
        self._aggregate = aggregate

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        low, mid, *high = self.resnet(image)
        return low, mid, self.conv(torch.cat(high, dim=1) if self._aggregate else high[-1])


class LandCoverDecoder(nn.Module):
    """Lift x4 over F_M and F_L."""

    def __init__(self) -> None:
        super().__init__()
        self.db4_1 = DecoderBlock(128 + 64)
        self.db1_0 = DecoderBlock(128 + 64)

    def forward(self, low: Tensor, mid: Tensor, x4: Tensor) -> Pyramid:
        x1 = lift(self.db4_1, x4, mid)
        return Pyramid(x4, x1, lift(self.db1_0, x1, low))


class DefoNetwork(nn.Module):
    """Encoder and land-cover decoder, shared by both dates; a change branch over both pyramids; three heads."""

    def __init__(self, num_classes: int, encoder: Encoder, change_branch: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.lcm_decoder = LandCoverDecoder()
        self.cd_branch = change_branch
        self.lcm_classifier1 = classifier(128, num_classes)
        self.lcm_classifier2 = classifier(128, num_classes)
        self.cd_classifier = classifier(128, 1)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        pyramids: Pyramid = self.lcm_decoder(*self.encoder(torch.cat([before, after])))
        of_before, of_after = pyramids.dates()
        change = self.cd_classifier(self.cd_branch(of_before, of_after))
        return to_size_of(
            before,
            change=change,
            before=self.lcm_classifier1(of_before.x0),
            after=self.lcm_classifier2(of_after.x0),
        )
