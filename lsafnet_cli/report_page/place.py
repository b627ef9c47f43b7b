"""Longitude and latitude of a map, as a small table that a page interpolates: no projections are needed there."""

from typing import Any

import numpy as np
from pyproj import CRS, Transformer

from lsafnet_cli.geometry.grid import Grid

CELL_PX, MOST_CELLS = 256, 32
DECIMALS = 7  # of a degree: about 1 cm


def place_table(grid: Grid) -> dict[str, Any] | None:
    """Return longitude and latitude (WGS 84) of nodes spread evenly over a grid, row by row; None without a CRS.

    `rows` and `cols` count the nodes; the first and the last lie on the grid's outer corners. Longitudes do not
    jump by a turn between neighbours, so they may leave -180..180. Where there is no such place, it is None.
    """
    if grid.crs is None:
        return None
    rows, cols = (int(np.clip(-(-side // CELL_PX), 1, MOST_CELLS)) + 1 for side in grid.shape)
    across, down = np.meshgrid(np.linspace(0, grid.width, cols), np.linspace(0, grid.height, rows))
    to_degrees = Transformer.from_crs(CRS.from_wkt(grid.crs.to_wkt()), CRS.from_epsg(4326), always_xy=True)
    lon, lat = to_degrees.transform(*grid.to_ground(across, down))
    seen = np.isfinite(lon) & np.isfinite(lat)
    if not seen.any():
        return None
    centre = lon[seen][seen.sum() // 2]
    lon = np.where(seen, centre + (lon - centre + 180) % 360 - 180, np.nan)
    return {"rows": rows, "cols": cols, "lon": _numbers(lon), "lat": _numbers(np.where(seen, lat, np.nan))}


def _numbers(values: Any) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), DECIMALS) for value in values.ravel()]
