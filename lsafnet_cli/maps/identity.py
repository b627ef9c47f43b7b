"""Which map it is: the same for copies with other compression, overviews or tags, another one for any other pixel."""

import hashlib

import numpy as np

from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.legend.classes import Legend


def map_sha256(path: str, legend: Legend) -> str:
    """Return the SHA-256 of a map's legend, place and codes, in hexadecimal digits. Raises InputError."""
    with open_raster(path) as dataset:
        grid = grid_of(dataset)
        place = [*grid.shape, *tuple(grid.transform)[:6], grid.crs.to_wkt() if grid.crs is not None else ""]
        digest = hashlib.sha256(f"{legend.to_json()}\n{place}\n".encode())
        for window in row_windows(grid):
            codes = dataset.read(1, window=window)
            digest.update(np.ascontiguousarray(codes, codes.dtype.newbyteorder("<")).data)
    return digest.hexdigest()
