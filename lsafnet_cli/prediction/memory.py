"""Memory budget of the host: queue lengths, swath width, GDAL's cache."""

from dataclasses import dataclass

import numpy as np

from lsafnet_cli.prediction.decide import Decision
from lsafnet_cli.prediction.tile import TilePlan
from lsafnet_cli.scenes.align import AlignedImage, AlignedPair

ROWS_SHARE = 0.25  # of the budget, for rows of the scene; the rest is for batches, parts and polygons
DEVICE_SHARE = 0.25  # of a device's free memory, for unfinished probabilities; the rest is for batches
CACHE_SHARE = 1 / 32
MOST_ROWS_AHEAD = 8
SMALLEST_CACHE, LARGEST_CACHE = 32 << 20, 128 << 20


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Number of tile rows to read ahead, maximum width of a swath, size of GDAL's cache."""

    rows_ahead: int
    widest_px: int
    cache_bytes: int


def plan_memory(
    pair: AlignedPair, plan: TilePlan, decision: Decision, budget_bytes: int, device_bytes: int | None = None
) -> MemoryPlan:
    """Divide a memory budget. Narrow scenes read further ahead, wide ones are cut into swaths.

    `device_bytes` is the free memory of a GPU, which holds probabilities that wait for the next tile row. A file
    stored in full-width strips is never cut to save host memory, since each strip would be decoded for each swath.
    """
    row_bytes = tile_row_bytes(pair, plan.size)
    fixed = row_bytes + waiting_bytes(plan, decision)
    allowed = int(budget_bytes * ROWS_SHARE)
    striped = any(_is_striped(image) for image in (pair.before, pair.after))
    widest = plan.width if striped else max(1, allowed // (fixed + row_bytes))
    if device_bytes is not None:
        widest = min(widest, max(1, int(device_bytes * DEVICE_SHARE) // below_bytes(plan, decision)))
    width = min(widest, plan.width)
    ahead = (allowed - fixed * width) // (row_bytes * width)
    cache = int(np.clip(budget_bytes * CACHE_SHARE, SMALLEST_CACHE, LARGEST_CACHE))
    return MemoryPlan(int(np.clip(ahead, 1, MOST_ROWS_AHEAD)), widest, cache)


def tile_row_bytes(pair: AlignedPair, size_px: int) -> int:
    """Return the bytes of one tile row of both dates, for each column of the scene."""
    total = 0
    for image in (pair.before, pair.after):
        rows = size_px + image.block_shape[0] - 1
        numbers = len(image.scene.bands) * np.dtype(image.scene.dtype).itemsize
        total += rows * (numbers + (0 if image.all_valid else 2))
    return total


def waiting_bytes(plan: TilePlan, decision: Decision) -> int:
    """Return the bytes that wait for the next tile row and in open parts, for each column of the scene."""
    layers = np.dtype(decision.dtype("codes")).itemsize + len(decision.layers)
    return below_bytes(plan, decision) + 3 * plan.size * layers


def below_bytes(plan: TilePlan, decision: Decision) -> int:
    """Return the bytes of probabilities that wait for the next tile row, for each column of the scene."""
    return max(1, plan.rows_below * decision.score_count * 4)


def _is_striped(image: AlignedImage) -> bool:
    return image.offset is not None and image.scene.block_shape[1] >= image.scene.grid.width
