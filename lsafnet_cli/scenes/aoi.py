"""Area of interest: which pixels of a grid are mapped."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.geometry.arrays import BoolArray

LOOKED_AT_ROWS = 512  # read at once when searching for the first pixel of the area


@dataclass(frozen=True, slots=True, eq=False)
class AreaOfInterest:
    """Polygons in pixels of a grid: (col, row), the first pixel's outer corner is (0, 0).

    A pixel belongs to the area if its centre is within a polygon.
    """

    parts: NDArray[Any]
    tree: shapely.STRtree

    @classmethod
    def of(cls, geometry: BaseGeometry) -> "AreaOfInterest | None":
        """Return the area of one or several polygons, None if there are none."""
        parts = shapely.get_parts(geometry)
        parts = parts[~shapely.is_empty(parts)]
        if len(parts) == 0:
            return None
        shapely.prepare(parts)
        return cls(parts, shapely.STRtree(parts))

    @property
    def window(self) -> Window:
        """The window of whole pixels whose centres are within the area's bounding box."""
        left, top, right, bottom = shapely.total_bounds(self.parts)
        col, row = (int(np.ceil(edge - 0.5)) for edge in (left, top))
        end_col, end_row = (int(np.floor(edge - 0.5)) + 1 for edge in (right, bottom))
        return Window(col, row, max(end_col - col, 0), max(end_row - row, 0))

    def within(self, window: Window) -> Window:
        """Return the bounding window of the area within a window; empty if there is none."""
        near = self.parts[self.tree.query(_box(window), predicate="intersects")]
        cut = shapely.intersection(near, _box(window))
        cut = cut[shapely.area(cut) > 0]
        if len(cut) == 0:
            return Window(window.col_off, window.row_off, 0, 0)
        left, top, right, bottom = shapely.total_bounds(cut)
        col, row = int(np.floor(left)), int(np.floor(top))
        return Window(col, row, int(np.ceil(right)) - col, int(np.ceil(bottom)) - row)

    @property
    def sha256(self) -> str:
        """A hash of the polygons, to detect changes of an area."""
        return hashlib.sha256(b"".join(shapely.to_wkb(self.parts))).hexdigest()

    def cut(self, window: Window) -> "AreaOfInterest":
        """Return the area relative to the first pixel of a window."""
        moved = np.array([translate(part, -window.col_off, -window.row_off) for part in self.parts])
        shapely.prepare(moved)
        return AreaOfInterest(moved, shapely.STRtree(moved))

    def inside(self, window: Window) -> BoolArray:
        """Return (rows, cols) of a window, True where a pixel belongs to the area."""
        rows, cols = int(window.height), int(window.width)
        box = _box(window)
        near = self.parts[self.tree.query(box, predicate="intersects")]
        if len(near) == 0:
            return np.zeros((rows, cols), bool)
        if shapely.contains(near, box).any():
            return np.ones((rows, cols), bool)
        # cut with a margin of a pixel: rasterizing takes time for every vertex, also outside the window
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


def _box(window: Window) -> BaseGeometry:
    left, top = window.col_off, window.row_off
    box: BaseGeometry = shapely.box(left, top, left + window.width, top + window.height)
    return box
