"""SCDNet of the RSISCD code: LSAFNet's attention, with change features that also serve the land cover.

Released by the authors of Zhou, Zhang, Guo, Zou and Shi, "A late-stage bitemporal feature fusion network for
semantic change detection", IEEE Geoscience and Remote Sensing Letters 22 (2025), doi 10.1109/LGRS.2024.3507292.
The keys are those of the released checkpoints.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.context import LGAA, LGCE
from lsafnet.parts.decoder import classifier, to_size_of
from lsafnet.parts.layers import dilated_conv, initialise, pointwise
from lsafnet.parts.residual import residual_stage
from lsafnet.parts.rsiscd import Pyramid, lift, lift_change, resnet34_with_classifier

CONTEXT_KEYS = ("local_att", "global_att")


class DecoderBlock(nn.Module):
    """(batch, inputs, r, c) to (batch, 128, r, c): two residual blocks, a 3x3 convolution of dilation 2."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.block = nn.Sequential(*residual_stage(inputs, 128, 2), *dilated_conv(128, 128))

    def forward(self, x: Tensor) -> Tensor:
        decoded: Tensor = self.block(x)
        return decoded


class ScdBackbone(nn.Module):
    """An image to the five maps of ResNet-34."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.resnet = resnet34_with_classifier(bands)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        features: tuple[Tensor, ...] = self.resnet(image)
        return features


class Encoder(nn.Module):
    """Fuse F1 (128), F2 (256) and F3 (512) into x4 (128), all @ 1/8."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = pointwise(512, 256)
        self.block2 = pointwise(256, 128)
        self.lgaa1 = LGAA(256, CONTEXT_KEYS, gain=2)
        self.lgaa2 = LGAA(128, CONTEXT_KEYS, gain=2)

    def forward(self, f1: Tensor, f2: Tensor, f3: Tensor) -> Tensor:
        fused = self.lgaa1(self.block1(f3), f2)
        x4: Tensor = self.lgaa2(self.block2(fused), f1)
        return x4


class SemanticDecoder(nn.Module):
    """Lift x4 over F_M (64 @ 1/4) and F_L (64 @ 1/2); only what goes on to the change decoder is enhanced."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = DecoderBlock(128 + 64)
        self.block2 = DecoderBlock(128 + 64)
        self.lgae = LGCE(128, CONTEXT_KEYS)

    def forward(self, low: Tensor, mid: Tensor, x4: Tensor) -> Pyramid:
        x1 = lift(self.block1, x4, mid)
        return Pyramid(self.lgae(x4), x1, lift(self.block2, x1, low))


class TemporalAttention(nn.Module):
    """CTFA: two maps of 128 channels to 256: the dates weighted against each other, and their difference.

    The weights of a channel are a softmax over the two dates, made of the mean over rows and cols of both.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(nn.Conv2d(128, 32, 1, bias=False), nn.LeakyReLU(0.2))
        self.fcs = nn.ModuleList(nn.Conv2d(32, 128, 1, bias=False) for _ in range(2))

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        squeezed = self.conv_du(F.adaptive_avg_pool2d(before + after, 1))
        weights = torch.softmax(torch.stack([fc(squeezed) for fc in self.fcs]), dim=0)
        attended = before * weights[0] + after * weights[1]
        return torch.cat([attended, (before - after).abs()], dim=1)


class ChangeDecoder(nn.Module):
    """The pyramids of both dates to change features C (128 @ 1/2)."""

    def __init__(self) -> None:
        super().__init__()
        self.ctfa = TemporalAttention()
        self.block1 = DecoderBlock(2 * 128)
        self.block2 = DecoderBlock(2 * 128)
        self.block3 = DecoderBlock(2 * 128)

    def forward(self, before: Pyramid, after: Pyramid) -> Tensor:
        x = self.block1(self.ctfa(before.x4, after.x4))
        return lift_change((self.block2, self.block3), x, before, after)


class SCDNet(nn.Module):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size.

    Training needs a batch of two or more, for the global context is normalised over the batch.
    """

    def __init__(self, num_classes: int, *, bands: int) -> None:
        super().__init__()
        self.backbone = ScdBackbone(bands)
        self.encoder = Encoder()
        self.ss_decoder = SemanticDecoder()
        self.cr_decoder = ChangeDecoder()
        self.ss_classifier1 = nn.Sequential(DecoderBlock(2 * 128), *classifier(128, num_classes))
        self.ss_classifier2 = nn.Sequential(DecoderBlock(2 * 128), *classifier(128, num_classes))
        self.cr_classifier = classifier(128, 1)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        low, mid, f1, f2, f3 = self.backbone(torch.cat([before, after]))
        pyramids: Pyramid = self.ss_decoder(low, mid, self.encoder(f1, f2, f3))
        of_before, of_after = pyramids.dates()
        change = self.cr_decoder(of_before, of_after)
        return to_size_of(
            before,
            change=self.cr_classifier(change),
            before=lift(self.ss_classifier1, of_before.x0, change),
            after=lift(self.ss_classifier2, of_after.x0, change),
        )
