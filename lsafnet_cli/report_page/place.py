"""Longitude and latitude of a map, as a small table that a page interpolates: no projections are needed there."""

from typing import Any

import numpy as np

from lsafnet_cli.geometry.crs import WGS84, horizontal, way_to_wgs84
from lsafnet_cli.geometry.footprints import spread_points
from lsafnet_cli.geometry.grid import Grid

CELL_PX, MOST_CELLS = 256, 32
DECIMALS = 7  # of a degree: about 1 cm


def place_table(grid: Grid) -> dict[str, Any] | None:
    """Return longitude and latitude (WGS 84) of nodes spread evenly over a grid, row by row; None without a CRS.

    `rows` and `cols` count the nodes; the first and the last lie on the grid's outer corners. Longitudes are
    unwrapped, so they may exceed -180..180. Points outside the domain are None.
    """
    if grid.crs is None or way_to_wgs84(grid.crs) is None:
        return None
    rows, cols = (int(np.clip(-(-side // CELL_PX), 1, MOST_CELLS)) + 1 for side in grid.shape)
    lon, lat = spread_points(grid, horizontal(WGS84), rows, cols)
    if not np.isfinite(lon).any():
        return None
    return {"rows": rows, "cols": cols, "lon": _numbers(lon), "lat": _numbers(lat)}


def _numbers(values: Any) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), DECIMALS) for value in values.ravel()]


def place_text(grid: Grid) -> str:
    """Return latitude and longitude of a grid's centre, as 48.1607° N 10.3440° E; "" if unknown."""
    if grid.crs is None or way_to_wgs84(grid.crs) is None:
        return ""
    lon, lat = (float(np.ravel(found)[4]) for found in spread_points(grid, horizontal(WGS84), 3, 3))
    if not (np.isfinite(lon) and np.isfinite(lat)):
        return ""
    east = (lon + 180) % 360 - 180
    return f"{abs(lat):.4f}° {'N' if lat >= 0 else 'S'} {abs(east):.4f}° {'E' if east >= 0 else 'W'}"
