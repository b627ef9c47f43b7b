"""SCDNet: a Siamese U-Net that tells each date's change by itself, "unchanged" being one of its classes.

Peng, Bruzzone, Zhang, Guan and He, "SCDNET: a novel convolutional network for semantic change detection in high
resolution optical remote sensing imagery", International Journal of Applied Earth Observation and Geoinformation 103
(2021), doi 10.1016/j.jag.2021.102465. The keys are those of the published code; what it carries along and never uses
is kept as buffers. It has no change branch: `change_of` makes that map.

Shapes below are written channels @ size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsafnet.logits import ChangeLogits, SupervisedLogits
from lsafnet.parts.dates import fill_up, split_dates
from lsafnet.parts.drop_block import DropBlock
from lsafnet.parts.layers import initialise, unused
from lsafnet.parts.residual import residual_stage

SIZE_MULTIPLE_PX = 32
WIDTHS = (64, 64, 128, 256, 512)
"""Channels of e0 @ 1/2, e1 @ 1/4, e2 @ 1/8, e3 @ 1/16 and e4 @ 1/32."""
AUXILIARY_STRIDES = (16, 8, 4)


class AtrousConv(nn.Module):
    """A 3x3 convolution (512) of some dilation, BN, ReLU."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.conv_s1 = nn.Conv2d(512, 512, 3, padding=dilation, dilation=dilation)
        self.bn_s1 = nn.BatchNorm2d(512)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn_s1(self.conv_s1(x)), inplace=True)


class MultiscaleAtrousConv(nn.Module):
    """MAC: a map (512) and what three dilated convolutions in a row make of it, added up."""

    def __init__(self) -> None:
        super().__init__()
        self.dilate1, self.dilate2, self.dilate3 = (AtrousConv(dilation) for dilation in (1, 2, 4))
        self.dilate4 = unused(AtrousConv(6))

    def forward(self, x: Tensor) -> Tensor:
        first = self.dilate1(x)
        second = self.dilate2(first)
        total: Tensor = x + first + second + self.dilate3(second)
        return total


class FeatureExtractor(nn.Module):
    """An image to e0, e1, e2, e3 and e4: ResNet-34 at its own strides, then MAC."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.dblock = MultiscaleAtrousConv()
        self.firstconv = nn.Conv2d(bands, 64, 7, stride=2, padding=3, bias=False)
        self.firstbn = nn.BatchNorm2d(64)
        self.encoder1 = residual_stage(64, 64, 3)
        self.encoder2 = residual_stage(64, 128, 4, stride=2)
        self.encoder3 = residual_stage(128, 256, 6, stride=2)
        self.encoder4 = residual_stage(256, 512, 3, stride=2)

    def forward(self, image: Tensor) -> list[Tensor]:
        e0 = F.relu(self.firstbn(self.firstconv(image)), inplace=True)
        e1 = self.encoder1(F.max_pool2d(e0, 3, stride=2, padding=1))
        e2 = self.encoder2(e1)
        e3 = self.encoder3(e2)
        return [e0, e1, e2, e3, self.dblock(self.encoder4(e3))]


class SqueezeAndExcite(nn.Module):
    """The keys of a module (scSE) that the published code builds and never calls."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // 16
        self.channel_excitation = nn.Sequential(
            nn.Linear(width, narrow), nn.ReLU(), nn.Linear(narrow, width), nn.Sigmoid()
        )
        self.spatial_se = nn.Sequential(nn.Conv2d(width, 1, 1, bias=False), nn.Sigmoid())


class ChannelAttention(nn.Module):
    """A coarse map (high) to one weight 0..1 for each of `low` channels, from its mean and maximum over the tile."""

    def __init__(self, high: int, low: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(high, low, 1, bias=False)

    def forward(self, high: Tensor) -> Tensor:
        mean, most = F.adaptive_avg_pool2d(high, 1), F.adaptive_max_pool2d(high, 1)
        return torch.sigmoid(self.fc(mean) + self.fc(most))


class DoubleConv(nn.Module):
    """Two 3x3 convolutions beside one: (batch, inputs, r, c) to (batch, outputs, r, c). No ReLU after the sum."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_main = nn.Sequential(
            *(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)),
            *(nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)),
        )
        self.conv_short = nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.conv_main(x) + self.conv_short(x)
        return total


class Up(nn.Module):
    """Double the size of a coarse map; fuse it with the dates' difference and one date's own map, both weighted."""

    def __init__(self, high: int, low: int) -> None:
        super().__init__()
        self.SEBlock = unused(SqueezeAndExcite(low))
        self.conv_cat = DoubleConv(3 * low, low)
        self.up = nn.ConvTranspose2d(high, low, 4, stride=2, padding=1)
        self.att = ChannelAttention(high, low)

    def forward(self, high: Tensor, difference: Tensor, own: Tensor) -> Tensor:
        weights = self.att(high)
        fused: Tensor = self.conv_cat(torch.cat([self.up(high), weights * difference, weights * own], dim=1))
        return fused


def head(inputs: int, classes: int, *, enlarge: bool = False) -> nn.Sequential:
    """Return the layers from a map of `inputs` channels to logits, at twice its size or at its own."""
    first = nn.ConvTranspose2d(inputs, 32, 4, stride=2, padding=1) if enlarge else _conv(inputs, 32)
    return nn.Sequential(first, nn.ReLU(), _conv(32, 32), nn.ReLU(), DropBlock(), _conv(32, classes))


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def change_of(before: Tensor, after: Tensor) -> Tensor:
    """Return the change logits (batch, 1, rows, cols) of both dates' logits (batch, K, rows, cols).

    They are the mean over the dates of the log-odds of any class against index 0: cross entropy over all K classes is
    the binary cross entropy of these plus the cross entropy among the changed classes.
    """
    odds = [date[:, 1:].logsumexp(dim=1, keepdim=True) - date[:, :1] for date in (before, after)]
    return (odds[0] + odds[1]) / 2


class SCDNet(nn.Module):
    """Two images (batch, bands, rows, cols) to `ChangeLogits` of `num_classes` at their size.

    In training it returns `SupervisedLogits`, for index 0, "unchanged", is a class to be learnt; with `auxiliary`
    they hold the maps of three more heads. Sizes that are no multiple of 32 are filled up by repeating the last row
    and col.
    """

    def __init__(self, num_classes: int, *, bands: int, auxiliary: bool) -> None:
        super().__init__()
        self.feat_Extactor = FeatureExtractor(bands)  # spelt as in the published code
        self.decoder4 = Up(512, 256)
        self.decoder3 = Up(256, 128)
        self.decoder2 = Up(128, 64)
        self.decoder1 = Up(64, 64)
        self.class_conv = head(64, num_classes, enlarge=True)
        self._auxiliary = auxiliary
        if auxiliary:
            self.class_conv1 = head(256, num_classes)
            self.class_conv2 = head(128, num_classes)
            self.class_conv3 = head(64, num_classes)
        initialise(self)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits | SupervisedLogits:
        decoded = self._decode(*(fill_up(image, SIZE_MULTIPLE_PX) for image in (before, after)))
        fine: Tensor = self.class_conv(decoded[-1])[..., : before.shape[-2], : before.shape[-1]]
        first, second = split_dates(fine)
        logits = ChangeLogits(change_of(first, second), first, second)
        if not self.training:
            return logits
        auxiliary = self._coarse_logits(decoded, before) if self._auxiliary else ()
        return SupervisedLogits(logits.change, first, second, auxiliary)

    def _decode(self, before: Tensor, after: Tensor) -> list[Tensor]:
        """Return the decoder's maps of both dates as one batch: 256 @ 1/16, 128 @ 1/8, 64 @ 1/4, 64 @ 1/2."""
        maps = self.feat_Extactor(torch.cat([before, after]))
        *differences, x = (_difference_twice(one) for one in maps)
        decoded = []
        for number in (3, 2, 1, 0):
            up = getattr(self, f"decoder{number + 1}")
            x = up(x, differences[number], maps[number])
            decoded.append(x)
        return decoded

    def _coarse_logits(self, decoded: list[Tensor], image: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
        """Return both dates' logits of each auxiliary head, each of its pixels repeated to the size of `image`."""
        heads = (self.class_conv1, self.class_conv2, self.class_conv3)
        rows, cols = image.shape[-2:]
        repeated = (
            F.interpolate(coarse(x), scale_factor=float(stride))[..., :rows, :cols]
            for coarse, x, stride in zip(heads, decoded, AUXILIARY_STRIDES, strict=False)
        )
        return tuple(split_dates(x) for x in repeated)


def _difference_twice(maps: Tensor) -> Tensor:
    """Return |before - after| of a batch of both dates, once for each of them."""
    before, after = split_dates(maps)
    difference = (before - after).abs()
    return torch.cat([difference, difference])
