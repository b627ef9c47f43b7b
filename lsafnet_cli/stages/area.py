"""Area: which pixels of a grid a map is wanted of, and which tiles must be computed for them."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.stages.align import AlignedPair
from lsafnet_cli.stages.tile import TilePlan
from lsafnet_cli.types import BoolArray

LOOKED_AT_ROWS = 512  # at once, in search of the first wanted pixel


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """Polygons in pixels of a grid: (col, row), the first pixel's outer corner is (0, 0).

    A pixel belongs to the area where its centre lies in a polygon.
    """

    parts: NDArray[Any]
    tree: shapely.STRtree

    @classmethod
    def of(cls, geometry: BaseGeometry) -> "Area | None":
        """Return the area of a polygon or several, None where there is none."""
        parts = shapely.get_parts(geometry)
        parts = parts[~shapely.is_empty(parts)]
        if len(parts) == 0:
            return None
        shapely.prepare(parts)
        return cls(parts, shapely.STRtree(parts))

    @property
    def window(self) -> Window:
        """The window of whole pixels whose centres lie within the area's bounding box."""
        left, top, right, bottom = shapely.total_bounds(self.parts)
        col, row = (int(np.ceil(edge - 0.5)) for edge in (left, top))
        end_col, end_row = (int(np.floor(edge - 0.5)) + 1 for edge in (right, bottom))
        return Window(col, row, max(end_col - col, 0), max(end_row - row, 0))

    @property
    def sha256(self) -> str:
        """A digest of the polygons, for telling whether an area is still the same."""
        return hashlib.sha256(b"".join(shapely.to_wkb(self.parts))).hexdigest()

    def cut(self, window: Window) -> "Area":
        """Return the area as seen from the first pixel of a window."""
        moved = np.array([translate(part, -window.col_off, -window.row_off) for part in self.parts])
        shapely.prepare(moved)
        return Area(moved, shapely.STRtree(moved))

    def inside(self, window: Window) -> BoolArray:
        """Return (rows, cols) of a window, True where a pixel belongs to the area."""
        rows, cols = int(window.height), int(window.width)
        box = _box(window)
        near = self.parts[self.tree.query(box, predicate="intersects")]
        if len(near) == 0:
            return np.zeros((rows, cols), bool)
        if shapely.contains(near, box).any():
            return np.ones((rows, cols), bool)
        # cut with a pixel to spare: filling takes as long as an outline has corners, wherever they lie
        cut = shapely.get_parts(shapely.intersection(near, box.buffer(1.0, join_style="mitre")))
        polygons = cut[(shapely.area(cut) > 0) & (shapely.get_type_id(cut) == shapely.GeometryType.POLYGON)]
        if len(polygons) == 0:
            return np.zeros((rows, cols), bool)
        place = Affine.translation(window.col_off, window.row_off)
        return np.asarray(rasterize(polygons, out_shape=(rows, cols), transform=place, dtype="uint8") > 0)

    def holds_a_pixel(self) -> bool:
        """Return whether any pixel belongs to the area."""
        whole = self.window
        bands = (
            Window(whole.col_off, row, whole.width, min(LOOKED_AT_ROWS, whole.row_off + whole.height - row))
            for row in range(whole.row_off, whole.row_off + whole.height, LOOKED_AT_ROWS)
        )
        return whole.width > 0 and any(self.inside(band).any() for band in bands)

    def wanted_tiles(self, plan: TilePlan) -> BoolArray:
        """Return (tile rows, tile cols), True where a tile touches the area."""
        tops, lefts = np.array(plan.row_starts)[:, None], np.array(plan.col_starts)[None, :]
        boxes = shapely.box(lefts, tops, lefts + plan.size, tops + plan.size)
        wanted = np.zeros(boxes.size, bool)
        wanted[self.tree.query(boxes.ravel(), predicate="intersects")[0]] = True
        return wanted.reshape(boxes.shape)


def _box(window: Window) -> BaseGeometry:
    left, top = window.col_off, window.row_off
    box: BaseGeometry = shapely.box(left, top, left + window.width, top + window.height)
    return box


@dataclass(frozen=True, slots=True)
class Region:
    """What is computed of a scene, whole tiles of it, and which part of that is written: `kept`, within `area`.

    `kept` and `area` count from the first pixel of `pair`'s grid. The tiles and their weights are those of
    the whole scene, so that a pixel has the same answer with an area of interest as without.
    """

    pair: AlignedPair
    plan: TilePlan
    kept: Window
    area: Area | None = None

    @classmethod
    def of(cls, pair: AlignedPair, plan: TilePlan, area: Area | None) -> "Region":
        """Return the tiles that an area needs; all of them where there is none."""
        if area is None:
            return cls(pair, plan, Window(0, 0, pair.grid.width, pair.grid.height))
        kept = area.window
        window, plan = _tiles_over(kept, replace(plan, wanted=area.wanted_tiles(plan)))
        row, col = kept.row_off - window.row_off, kept.col_off - window.col_off
        return cls(pair.cut(window), plan, Window(col, row, kept.width, kept.height), area.cut(window))


def _tiles_over(kept: Window, plan: TilePlan) -> tuple[Window, TilePlan]:
    """Return the tiles of a plan that touch a window, as a plan of their own, and the window they cover."""
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
