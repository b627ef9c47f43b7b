"""Backbones of the timm library: any model that gives a pyramid of features."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from lsafnet.parts.features import Backbone, Features, Widths
from lsafnet.parts.layers import resize, resize_like

PREFIX = "timm:"


def _timm() -> Any:
    try:
        import timm
    except (
        ImportError,
        RuntimeError,
        OSError,
    ) as error:  # timm imports torchvision, which fails in many ways
        raise ValueError(
            f"backbones called {PREFIX}NAME need timm and a torchvision that fits torch; pip install 'lsafnet[timm]' "
            f"({error})"
        ) from error
    return timm


class TimmBackbone(Backbone):
    """`timm:NAME`: five maps at 1/2, 1/4 and 1/8 made of the model's own, which may lie at 1/4, 1/8, 1/16 and 1/32.

    F_L is the model's map at 1/2, or what it has at 1/4, enlarged; F_M is that at 1/4; F1, F2 and F3 are those at
    1/8, 1/16 and 1/32, enlarged to 1/8. Rows and cols are filled up to a multiple of 32 with zeros. `pretrained`
    fetches timm's weights, whose first layer timm spreads over the bands.
    """

    def __init__(self, name: str, bands: int, pretrained: bool = False) -> None:
        model = _features_of(name, bands, pretrained)
        channels: dict[int, int] = dict(
            zip(model.feature_info.reduction(), model.feature_info.channels(), strict=True)
        )
        if not {4, 8, 16, 32} <= channels.keys():
            raise ValueError(
                f"{PREFIX}{name} gives maps at 1/{sorted(channels)}, not at 1/4, 1/8, 1/16 and 1/32"
            )
        super().__init__(Widths(channels.get(2, channels[4]), *(channels[step] for step in (4, 8, 16, 32))))
        self.model = model
        self._reductions = tuple(model.feature_info.reduction())
        self._channels_last = getattr(model, "output_fmt", None) is not None and "NHWC" in str(
            model.output_fmt
        )

    def forward(self, x: Tensor) -> Features:
        rows, cols = x.shape[-2], x.shape[-1]
        maps = self.model(F.pad(x, (0, -cols % 32, 0, -rows % 32)))
        if self._channels_last:
            maps = [one.permute(0, 3, 1, 2) for one in maps]
        at = dict(zip(self._reductions, maps, strict=True))
        low = at[2] if 2 in at else resize(at[4], (2 * at[4].shape[-2], 2 * at[4].shape[-1]))
        high = [_cut(resize_like(at[step], at[8]), rows, cols, 8) for step in (8, 16, 32)]
        return Features(_cut(low, rows, cols, 2), _cut(at[4], rows, cols, 4), *high)


def _cut(x: Tensor, rows: int, cols: int, step: int) -> Tensor:
    """Return the part of a map at 1/step that lies over the image itself."""
    return x[..., : -(-rows // step), : -(-cols // step)]


def _features_of(name: str, bands: int, pretrained: bool) -> Any:
    timm = _timm()
    options = {"features_only": True, "pretrained": pretrained, "in_chans": bands}
    try:
        try:
            return timm.create_model(name, strict_img_size=False, **options)
        except TypeError:  # most models take images of any size anyway, and not this word
            return timm.create_model(name, **options)
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"timm cannot make a pyramid of {name!r}: {error}") from error
