"""What a backbone gives to a decoder, and what all backbones share."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lsafnet.texts import one_line


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

    def fine_layers(self) -> tuple[str, ...]:
        """Return the names of the submodules that make the maps at 1/2 and 1/4, and others that bfloat16 spoils.

        A backbone may name none.
        """
        return ()

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Start from published weights, spread over the bands; ValueError where none are known or these misfit."""
        raise ValueError(f"{len(state)} weights given, but none are known for {type(self).__name__}")


def spread_first_layer(weight: Tensor, bands: int) -> Tensor:
    """Return the first layer's weights (outputs, 3, rows, cols) for images of `bands` bands.

    The bands take the three colours' weights in turn and share them, so that an image of the same grey in every
    band gives the same maps.
    """
    colors = weight.shape[1]
    if bands < colors:
        return (weight.sum(1, keepdim=True) / bands).repeat(1, bands, 1, 1)
    turns = torch.arange(bands) % colors
    return weight[:, turns] / torch.bincount(turns)[turns].reshape(1, -1, 1, 1)


def fit_weights(backbone: Backbone, weights: Mapping[str, Tensor]) -> None:
    """Give a backbone all its weights; ValueError, in one line, where any are missing, surplus or misshapen."""
    try:
        backbone.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"the weights do not fit the backbone: {one_line(error)}") from error
