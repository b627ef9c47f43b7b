"""Tiles of a grid that must be computed for an area of interest."""

from dataclasses import dataclass, replace

import numpy as np
import shapely
from rasterio.windows import Window

from lsafnet_cli.geometry.arrays import BoolArray
from lsafnet_cli.prediction.tile import TilePlan
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.aoi import AreaOfInterest


@dataclass(frozen=True, slots=True)
class Region:
    """The computed part of a scene, whole tiles, and the written part: `kept`, within `area`.

    `kept` and `area` count from the first pixel of `pair`'s grid. The tiles and their weights are those of
    the whole scene, so that a pixel has the same result with and without an area of interest.
    """

    pair: AlignedPair
    plan: TilePlan
    kept: Window
    area: AreaOfInterest | None = None

    @classmethod
    def of(cls, pair: AlignedPair, plan: TilePlan, area: AreaOfInterest | None) -> "Region":
        """Return the tiles that an area needs; all of them if there is none."""
        if area is None:
            return cls(pair, plan, Window(0, 0, pair.grid.width, pair.grid.height))
        kept = area.window
        window, plan = _tiles_over(kept, replace(plan, wanted=wanted_tiles(area, plan)))
        row, col = kept.row_off - window.row_off, kept.col_off - window.col_off
        return cls(pair.cut(window), plan, Window(col, row, kept.width, kept.height), area.cut(window))


def wanted_tiles(area: AreaOfInterest, plan: TilePlan) -> BoolArray:
    """Return (tile rows, tile cols), True where a tile overlaps the area."""
    tops, lefts = np.array(plan.row_starts)[:, None], np.array(plan.col_starts)[None, :]
    boxes = shapely.box(lefts, tops, lefts + plan.size, tops + plan.size)
    wanted = np.zeros(boxes.size, bool)
    wanted[area.tree.query(boxes.ravel(), predicate="intersects")[0]] = True
    return wanted.reshape(boxes.shape)


def _tiles_over(kept: Window, plan: TilePlan) -> tuple[Window, TilePlan]:
    """Return the tiles of a plan that overlap a window as a new plan, and the window they cover."""
    rows = _touching(plan.row_starts, plan.size, kept.row_off, kept.row_off + kept.height)
    cols = _touching(plan.col_starts, plan.size, kept.col_off, kept.col_off + kept.width)
    top, left = plan.row_starts[rows.start], plan.col_starts[cols.start]
    height, width = plan.bottom(rows.stop - 1) - top, plan.right(cols.stop - 1) - left
    cut = replace(
        plan,
        height=height,
        width=width,
        row_starts=tuple(start - top for start in plan.row_starts[rows]),
        col_starts=tuple(start - left for start in plan.col_starts[cols]),
        row_weights=plan.row_weights[rows],
        col_weights=plan.col_weights[cols],
        wanted=None if plan.wanted is None else plan.wanted[rows, cols],
    )
    return Window(left, top, width, height), cut


def _touching(starts: tuple[int, ...], size: int, first: int, end: int) -> slice:
    touching = [index for index, start in enumerate(starts) if start < end and start + size > first]
    return slice(touching[0], touching[-1] + 1)
