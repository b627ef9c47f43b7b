"""Input scale: by how much images are enlarged, or reduced, before they enter a network.

A network knows objects at the size in pixels that they had in training. Where they are smaller, it finds more once
the images are enlarged, though this adds no detail (docs/checkpoints.md has figures).
"""

import math
from collections.abc import Sequence

from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet_cli.checkpoints.choose import NamedCheckpoint
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.options import TILE_MULTIPLE_PX, TileOptions

MOST = 4.0  # times that images of known pixel size are enlarged; the time it takes grows with the square
FARTHEST = 6.0  # times `input_gsd_m`: beyond it maps of enlarged images were not seen to be better
MOST_UNPLACED = 2.0  # times that images of unknown pixel size are
LEAST = 1.25  # below it, images stay as they are
NETWORK_MULTIPLE = 8  # pixels to which the side of an enlarged tile is rounded


def tiles_seen(
    grid: Grid, checkpoint: NamedCheckpoint, options: TileOptions
) -> tuple[int, tuple[float, ...]]:
    """Return the tile size in pixels of the images, and the scale at which each network sees them."""
    scales = input_scales(grid, checkpoint, options.scale)
    return options.size_px or scaled_tile_px(checkpoint, scales), scales


def input_scales(grid: Grid, checkpoint: NamedCheckpoint, given: float | None) -> tuple[float, ...]:
    """Return the scale for each member of an ensemble: the one given, or that which its metadata asks for."""
    return tuple(scale_for(grid, member.info) if given is None else given for member in checkpoint.members)


def scale_for(grid: Grid, info: CheckpointInfo) -> float:
    """Return the scale for images of a grid by a checkpoint's `input_gsd_m`; 1 if it has none.

    Pixels larger than that are brought to it as far as `MOST` allows. If their size is unknown, images
    smaller than a tile are enlarged to fill it.
    """
    if info.input_gsd_m is None:
        return 1.0
    size = pixel_size_m(grid)
    if size is None:
        scale = min(info.tile_px / max(grid.shape), MOST_UNPLACED)
    else:
        scale = size / info.input_gsd_m
        within = round(scale, 1) <= FARTHEST  # pixels of 3 m, said in degrees, measure 3.01 m
        scale = min(scale, MOST) if within else 1.0
    return round(scale, 3) if scale >= LEAST else 1.0


def scaled_tile_px(checkpoint: NamedCheckpoint, scales: Sequence[float]) -> int:
    """Return the default tile size in pixels of the images: no network sees less context than in training."""
    if all(scale == 1 for scale in scales):
        return checkpoint.tile_px
    least = max(member.info.tile_px / scale for member, scale in zip(checkpoint.members, scales, strict=True))
    return math.ceil(least / TILE_MULTIPLE_PX) * TILE_MULTIPLE_PX


def network_px(tile_px: int, scale: float) -> int:
    """Return the side of a tile in pixels as a network sees it."""
    if scale == 1:
        return tile_px
    return max(NETWORK_MULTIPLE, round(tile_px * scale / NETWORK_MULTIPLE) * NETWORK_MULTIPLE)


def scale_notice(grid: Grid, scales: Sequence[float]) -> str | None:
    """Say by how much images are enlarged by default, None where they are not."""
    if all(scale == 1 for scale in scales):
        return None
    times = " and ".join(dict.fromkeys(f"{scale:.3g}" for scale in scales))
    size = pixel_size_m(grid)
    why = (
        "they are smaller than a tile, and their pixel size is unknown"
        if size is None
        else f"it works best on smaller pixels than theirs of {size:.3g} m"
    )
    return f"the images are enlarged {times} times for the network: {why}; `scale` 1 leaves them as they are"
