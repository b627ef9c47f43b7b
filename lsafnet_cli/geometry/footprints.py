"""Where a grid lies on the globe, as GeoJSON has it (RFC 7946)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from rasterio.warp import transform
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, mapping
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.geometry.grid import Grid

POINTS_PER_SIDE = 16  # of an outline whose sides may be bent in degrees
STRAIGHT_DEGREES = 1e-6  # points that lie nearer to a straight side are left out
DECIMALS = 7  # of a degree: a centimetre


@dataclass(frozen=True, slots=True)
class Footprint:
    """The outline of a grid in degrees of WGS 84: one polygon, or two where the antimeridian cuts it."""

    polygons: tuple[Polygon, ...]

    @property
    def geometry(self) -> dict[str, Any]:
        """The outline as a GeoJSON geometry."""
        whole = self.polygons[0] if len(self.polygons) == 1 else MultiPolygon(self.polygons)
        return dict(mapping(whole))

    @property
    def bbox(self) -> list[float]:
        """West, south, east, north; west is the larger number where the antimeridian lies between."""
        west, south, _, north = self.polygons[0].bounds
        east = self.polygons[-1].bounds[2]
        return [west, min(south, self.polygons[-1].bounds[1]), east, max(north, self.polygons[-1].bounds[3])]


def footprint_of(grid: Grid) -> Footprint | None:
    """Return the footprint of a grid; None without a CRS."""
    if grid.crs is None:
        return None
    steps = np.linspace(0, 1, POINTS_PER_SIDE, endpoint=False)
    ones, zeros = np.ones_like(steps), np.zeros_like(steps)
    across = np.concatenate([zeros, steps, ones, 1 - steps]) * grid.width
    down = np.concatenate([steps, ones, 1 - steps, zeros]) * grid.height
    lon, lat = (
        np.asarray(values) for values in transform(grid.crs, "EPSG:4326", *grid.to_ground(across, down))
    )
    if np.ptp(lon) > 180:
        lon = np.where(lon < 0, lon + 360, lon)
    outline = Polygon(np.round(np.stack([lon, lat], axis=1), DECIMALS))
    return Footprint(tuple(_cut(outline.simplify(STRAIGHT_DEGREES))))


def _cut(outline: BaseGeometry) -> Iterator[Polygon]:
    """Yield the parts of an outline west and east of the antimeridian, their longitudes within -180..180."""
    for turn in (0, 360):
        part = outline.intersection(shapely.box(turn - 180, -90, turn + 180, 90))
        if isinstance(part, Polygon) and part.area > 0:
            yield shapely.orient_polygons(translate(part, -turn))
