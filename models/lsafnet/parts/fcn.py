"""What the networks of Ding et al. share: encoder, change branch, and the decoder of TED and SCanNet.

Ding et al., "Bi-temporal semantic reasoning for the semantic change detection in HR remote sensing images", IEEE
TGRS 60 (2022), doi 10.1109/TGRS.2022.3154390; "Joint spatio-temporal modeling for semantic change detection in
remote sensing images", IEEE TGRS 62 (2024), doi 10.1109/TGRS.2024.3362795. Keys are as published.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.parts.backbone import ResNet, build_backbone
from lsafnet.parts.residual import residual_stage


class FCN(nn.Module):
    """An image to the maps of ResNet-34's first stage (64 @ 1/4) and of its last, reduced (128 @ 1/8)."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        resnet = build_backbone("resnet34", bands)
        assert isinstance(resnet, ResNet)
        self.layer0 = nn.Sequential(resnet.conv1, resnet.bn1, nn.ReLU(inplace=True))
        self.layer1, self.layer2 = resnet.layer1, resnet.layer2
        self.layer3, self.layer4 = resnet.layer3, resnet.layer4
        self.head = nn.Sequential(
            nn.Conv2d(512, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU(inplace=True)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        low = self.layer1(F.max_pool2d(self.layer0(image), 3, stride=2, padding=1))
        return low, self.head(self.layer4(self.layer3(self.layer2(low))))


def change_branch() -> nn.Sequential:
    """Return six residual blocks from the maps of both dates (2 * 128) to change features (128)."""
    return residual_stage(2 * 128, 128, 6)


class Decoder(nn.Module):
    """Double the size of a map of 128 channels and fuse it with a fine one of `low` channels."""

    def __init__(self, low: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(128, 128, 2, stride=2)
        self.transit = _conv(low, 64, 1)
        self.decode = _conv(128 + 64, 128, 3)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        decoded: Tensor = self.decode(torch.cat([self.up(high), self.transit(low)], dim=1))
        return decoded


def _conv(inputs: int, outputs: int, size: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
