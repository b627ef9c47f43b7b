"""Scale bar and north arrow."""

import math
from dataclasses import dataclass

import numpy as np

from lsafnet_cli.geometry.crs import WGS84, Way, horizontal, way_to_wgs84
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_sides_m

ROUND_LENGTHS = (5, 2, 1)
STEP_DEGREES = 1e-5  # about a metre northwards


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A round ground length, and its length in a picture."""

    length_m: float
    length_px: float

    @property
    def label(self) -> str:
        """The length with its unit."""
        if self.length_m >= 1000:
            return f"{self.length_m / 1000:g} km"
        return f"{self.length_m:g} m" if self.length_m >= 1 else f"{self.length_m * 100:g} cm"


def scale_bar(grid: Grid, cols: int, longest_px: float) -> ScaleBar | None:
    """Return the longest bar of 1, 2 or 5 times a power of ten metres below `longest_px`.

    It holds at the centre of a picture of the grid that is `cols` wide. None without a CRS.
    """
    sides = pixel_sides_m(grid)
    if sides is None or not 0 < sides[0] < math.inf:
        return None
    metres_per_px = sides[0] * grid.width / cols
    longest_m = longest_px * metres_per_px
    power = 10.0 ** math.floor(math.log10(longest_m))
    length = next((factor * power for factor in ROUND_LENGTHS if factor * power <= longest_m), power)
    return ScaleBar(length, length / metres_per_px)


def centre_degrees(grid: Grid) -> tuple[float, float] | None:
    """Return (latitude, longitude) of the grid's centre, in WGS 84; None if it has none."""
    way = None if grid.crs is None else way_to_wgs84(grid.crs)
    if way is None:
        return None
    lon, lat = map(float, way(*grid.to_ground(grid.width / 2, grid.height / 2)))
    return (lat, lon) if math.isfinite(lat) and math.isfinite(lon) else None


def north(grid: Grid) -> tuple[float, float] | None:
    """Return the direction of true north at the grid's centre, (right, down) of length 1 in a picture of it.

    None without a CRS, or if north is not one direction, as at a pole.
    """
    centre = centre_degrees(grid)
    if grid.crs is None or centre is None:
        return None
    lat, lon = centre
    if abs(lat) > 90 - 2 * STEP_DEGREES:
        return None
    from_degrees = Way.between(horizontal(WGS84), horizontal(grid.crs))
    ends = from_degrees([lon, lon], [lat - STEP_DEGREES, lat + STEP_DEGREES])
    cols, rows = grid.to_pixels(*ends)
    right, down = float(np.diff(cols)[0]), float(np.diff(rows)[0])
    length = math.hypot(right, down)
    return (right / length, down / length) if 0 < length < math.inf else None
