"""A decimated change map with its legend and the exact table of the whole map."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling

from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.quicklook import paint_codes
from lsafnet_cli.maps.table import ChangeTable, change_table, read_legend


@dataclass(frozen=True, slots=True)
class SmallMap:
    """(rows, cols, 3) colours of a decimated map, each of the most frequent code, with legend and table."""

    colors: NDArray[np.uint8]
    legend: Legend
    table: ChangeTable


def read_small_map(path: Path, most_rows: int, most_cols: int) -> SmallMap:
    """Read a map into at most that many rows and cols, from its overviews if it has any.

    Raises InputError if the file is no change map.
    """
    with open_raster(path) as dataset:
        legend = read_legend(path, dataset.tags())
        scale = min(most_rows / dataset.height, most_cols / dataset.width, 1.0)
        shape = max(1, round(dataset.height * scale)), max(1, round(dataset.width * scale))
        codes = np.asarray(dataset.read(1, out_shape=shape, resampling=Resampling.mode))
    return SmallMap(paint_codes(codes, legend), legend, change_table(path, legend))
