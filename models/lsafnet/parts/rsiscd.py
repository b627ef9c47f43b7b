"""What the networks of the RSISCD code and DEFO-MLTSCD share: ResNet-34 with all its keys, steps of decoding."""

from typing import NamedTuple

from torch import Tensor, nn

from lsafnet.parts.backbone import ResNet, build_backbone
from lsafnet.parts.dates import split_dates
from lsafnet.parts.decoder import join
from lsafnet.parts.layers import unused


def resnet34_with_classifier(bands: int) -> ResNet:
    """Return ResNet-34 at output stride 8 with the keys of a whole torchvision network."""
    network = build_backbone("resnet34", bands)
    assert isinstance(network, ResNet)
    network.add_module("fc", unused(nn.Linear(512, 1000)))  # ImageNet's classifier
    return network


class Pyramid(NamedTuple):
    """Maps of 128 channels of one date, or of both as one batch: x4 @ 1/8, x1 @ 1/4, x0 @ 1/2."""

    x4: Tensor
    x1: Tensor
    x0: Tensor

    def dates(self) -> tuple["Pyramid", "Pyramid"]:
        """Return the pyramids of before and after."""
        pairs = [split_dates(x) for x in self]
        return Pyramid(*(pair[0] for pair in pairs)), Pyramid(*(pair[1] for pair in pairs))


def lift(block: nn.Module, high: Tensor, low: Tensor) -> Tensor:
    """Return what `block` makes of a coarse map, brought to the size of a fine one, beside the fine one."""
    lifted: Tensor = block(join(high, low))
    return lifted


def lift_change(blocks: tuple[nn.Module, nn.Module], x: Tensor, before: Pyramid, after: Pyramid) -> Tensor:
    """Return the change features @ 1/2 that lie above `x` @ 1/8 and the dates' differences."""
    x = lift(blocks[0], x, (before.x1 - after.x1).abs())
    return lift(blocks[1], x, (before.x0 - after.x0).abs())
