"""A network of one 1x1 convolution: with it, what a run takes is what everything but the network takes."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from lsafnet import ChangeLogits, build_network, save_checkpoint
from lsafnet.checkpoint.files import Checkpoint
from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, ClassEntry, Normalization
from lsafnet.registry import NETWORKS, NetworkSpec, register_network

NAME = "one-conv"
COLORS = ("#ffffff", "#0000ff", "#808080", "#008000", "#00ff00", "#800000", "#ff0000")  # those of SECOND


class OneConv(nn.Module):
    """(batch, bands, rows, cols) of both dates to `ChangeLogits` by one pointwise convolution.

    Untrained it says "changed" where a pixel has brightened much.
    """

    def __init__(self, num_classes: int, bands: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.conv = nn.Conv2d(2 * bands, 1 + 2 * num_classes, 1)
        nn.init.constant_(self.conv.weight[:1, :bands], -1.0)
        nn.init.constant_(self.conv.weight[:1, bands:], 1.0)
        nn.init.constant_(self.conv.bias[:1], -6.0)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        """Return the logits."""
        logits = self.conv(torch.cat([before, after], dim=1))
        classes = self.num_classes
        return ChangeLogits(logits[:, :1], logits[:, 1 : 1 + classes], logits[:, 1 + classes :])


def register() -> None:
    """Make the network known, once."""
    if NAME not in NETWORKS:
        register_network(NetworkSpec(NAME, "none", OneConv, {"bands": 3}))


def save_untrained(path: Path, name: str, tile_px: int) -> Path:
    """Write an untrained checkpoint of any network, with seven classes."""
    torch.manual_seed(0)
    usual = BandStatistics((110.0,) * 3, (50.0,) * 3)
    info = CheckpointInfo(
        network=name,
        classes=tuple(ClassEntry(f"class {number}", color) for number, color in enumerate(COLORS)),
        bands=3,
        normalization=Normalization(usual, usual),
        value_range=(0.0, 255.0),
        tile_px=tile_px,
        trained_on="nothing",
        license="Apache-2.0",
        gsd_m=0.5,
    )
    save_checkpoint(path, build_network(name, num_classes=len(COLORS)), info)
    return path


def save_for_tiles(path: Path, checkpoint: Checkpoint, tile_px: int) -> Path:
    """Write a checkpoint that says of itself that it was trained on tiles of another size."""
    save_checkpoint(path, checkpoint.network, replace(checkpoint.info, tile_px=tile_px))
    return path
