"""LSAFNet: two semantic branches that share their weights, fused late by a change decoder.

Zhou, Zhang, Guo, Zou and Shi, "A late-stage bitemporal feature fusion network for semantic change detection",
IEEE Geoscience and Remote Sensing Letters 22 (2025), doi 10.1109/LGRS.2024.3507292, arXiv 2406.10678.

Shapes below are written channels @ size, where c is the decoder's width, 128 in the paper.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits
from lsafnet.parts.backbone import FeatureAdapter, build_backbone
from lsafnet.parts.context import LGAA, LGCE, ConcatFusion
from lsafnet.parts.decoder import ConvBlock, classifier, to_size_of
from lsafnet.parts.features import Features, Widths
from lsafnet.parts.layers import initialise, pointwise


class Decoded(NamedTuple):
    """The semantic decoder's maps of c channels: F_H' @ 1/8, F_M' @ 1/4, F_L' @ 1/2."""

    high: Tensor
    mid: Tensor
    low: Tensor


class SemanticFusion(nn.Module):
    """Fuse the three maps at 1/8 into one: F1 (c), F2 (2c), F3 (4c) to F_H (c) (eq. 1-2)."""

    def __init__(self, width: int, lgaa: bool) -> None:
        super().__init__()
        fusion = LGAA if lgaa else ConcatFusion
        self.reduce_f3 = pointwise(4 * width, 2 * width)
        self.fuse_f2 = fusion(2 * width)
        self.reduce_f2 = pointwise(2 * width, width)
        self.fuse_f1 = fusion(width)

    def forward(self, f1: Tensor, f2: Tensor, f3: Tensor) -> Tensor:
        f2 = self.fuse_f2(f2, self.reduce_f3(f3))  # eq. 1
        fused: Tensor = self.fuse_f1(f1, self.reduce_f2(f2))  # eq. 2
        return fused


class SemanticDecoder(nn.Module):
    """Enhance F_H (c @ 1/8) and lift it over F_M (c/2 @ 1/4) to F_L (c/2 @ 1/2) (eq. 8)."""

    def __init__(self, width: int, lgce: bool) -> None:
        super().__init__()
        self.enhance = LGCE(width) if lgce else nn.Identity()
        self.block_m = ConvBlock(width + width // 2, width)
        self.block_l = ConvBlock(width + width // 2, width)

    def forward(self, high: Tensor, mid: Tensor, low: Tensor) -> Decoded:
        high = self.enhance(high)
        mid = self.block_m(high, mid)
        return Decoded(high, mid, self.block_l(mid, low))


class ChangeDecoder(nn.Module):
    """Fuse the decoded maps of both dates into the change features F_C (c @ 1/2) (eq. 9-14)."""

    def __init__(self, width: int, lgaa: bool) -> None:
        super().__init__()
        self.fuse_h = LGAA(width) if lgaa else ConcatFusion(width)
        self.reduce_h = pointwise(width, width)
        self.block_m = ConvBlock(2 * width, width)
        self.block_l = ConvBlock(2 * width, width)

    def forward(self, before: Decoded, after: Decoded) -> Tensor:
        high = self.reduce_h(self.fuse_h(before.high, after.high))
        mid = self.block_m(high, (before.mid - after.mid).abs())
        change: Tensor = self.block_l(mid, (before.low - after.low).abs())
        return change


class LSAFNet(nn.Module):
    """Two images (batch, bands, rows, cols), normalised, to `ChangeLogits` of `num_classes` at their size.

    `width` is c; a backbone whose channels are not c/2, c/2, c, 2c, 4c is adapted by pointwise layers.
    `lgaa` and `lgce` switch the two modules of the paper's ablation (Table III). Any rows and cols will do.
    Training needs a batch of two or more, for the global context is normalised over the batch.
    """

    def __init__(
        self, num_classes: int, *, bands: int, backbone: str, width: int, lgaa: bool, lgce: bool
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(backbone, bands)
        self.adapter = FeatureAdapter(self.backbone.widths, Widths.of_decoder(width))
        self.semantic_fusion = SemanticFusion(width, lgaa)
        self.semantic_decoder = SemanticDecoder(width, lgce)
        self.change_decoder = ChangeDecoder(width, lgaa)
        self.semantic_classifier_before = classifier(width, num_classes)
        self.semantic_classifier_after = classifier(width, num_classes)
        self.change_classifier = classifier(width, 1)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        decoded_before, decoded_after = self._decode_dates(before, after)
        change = self.change_classifier(self.change_decoder(decoded_before, decoded_after))
        return to_size_of(
            before,
            change=change,
            before=self.semantic_classifier_before(decoded_before.low),
            after=self.semantic_classifier_after(decoded_after.low),
        )

    def _decode_dates(self, before: Tensor, after: Tensor) -> tuple[Decoded, Decoded]:
        """Run encoder and semantic decoder, which both dates share, on both dates as one batch."""
        features: Features = self.adapter(self.backbone(torch.cat([before, after])))
        high = self.semantic_fusion(features.high1, features.high2, features.high3)
        decoded: Decoded = self.semantic_decoder(high, features.mid, features.low)
        halves = [x.tensor_split(2) for x in decoded]
        return Decoded(*(half[0] for half in halves)), Decoded(*(half[1] for half in halves))
