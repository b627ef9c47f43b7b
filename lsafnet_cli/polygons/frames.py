"""Polygons of a map as a GeoDataFrame."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyogrio

from lsafnet_cli.errors import InputError, OptionError, reason_of

if TYPE_CHECKING:
    import geopandas


def polygons_frame(path: str | Path) -> "geopandas.GeoDataFrame":
    """Return a polygon file written by lsafnet as a GeoDataFrame with index `id`.

    Needs geopandas, the extra `lsafnet[frames]`. Raises InputError for a file that cannot be read.
    """
    try:
        import geopandas
    except ImportError:
        raise OptionError('polygons_frame needs geopandas; pip install "lsafnet[frames]"') from None
    try:
        if Path(path).suffix.lower() == ".parquet":
            frame = geopandas.read_parquet(path)
        else:  # the first layer: in a GeoPackage a table of styles may follow
            frame = geopandas.read_file(path, layer=str(pyogrio.list_layers(path)[0][0]))
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read as polygons ({reason_of(error)})") from error
    if "id" not in frame.columns:
        raise InputError(f"{path}: has no column id; name a polygon file written by lsafnet")
    return frame.set_index("id")
