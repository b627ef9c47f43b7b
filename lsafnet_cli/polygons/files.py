"""Polygon files: batches go to one GeoPackage, which GDAL translates to all requested formats.

GDAL can append batches to a GeoPackage only; its translations stream, so memory stays that of a few batches.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nanoarrow as na
import pyogrio
from pyogrio._err import CPLE_BaseError
from pyogrio.errors import DataLayerError, DataSourceError
from pyogrio.raw import open_arrow

from lsafnet_cli.errors import OutputError, reason_of
from lsafnet_cli.files.layer_style import add_layer_style, transition_style
from lsafnet_cli.files.replacing import why_not_written
from lsafnet_cli.files.side_files import side_files
from lsafnet_cli.geometry.crs import WGS84, NoWayError, way_to_wgs84
from lsafnet_cli.options import PARQUET, POLYGON_FORMATS
from lsafnet_cli.polygons.gathering import write_in_degrees
from lsafnet_cli.polygons.geoparquet import count_rows, write_geoparquet
from lsafnet_cli.polygons.review_form import add_verdict_fields, review_style
from lsafnet_cli.polygons.table import (
    FIELDS,
    GEOMETRY,
    GPKG_VERSION,
    LAYER_NAME,
    ROWS_AT_ONCE,
    Layer,
    PolygonBatch,
    arrow_table,
    empty_batch,
)
from lsafnet_cli.polygons.wishes import is_geojson

OPTIONS_KEY = "LSAFNET_POLYGONS"  # in a GeoPackage's metadata: the options that shaped its polygons
POLYGON_ERRORS = (DataSourceError, DataLayerError, CPLE_BaseError, OSError, RuntimeError, NoWayError)
SHORT_NAMES = {"before_date": "before_dat"}  # a shapefile's names have up to 10 characters
GEOJSON_OPTIONS = {"RFC7946": "YES"}


def write_polygon_files(targets: list[Path], layer: Layer, batches: Iterable[PolygonBatch]) -> int:
    """Write polygons to several files and return their number. Raises OutputError."""
    # absolute, for pyogrio drops the spaces a relative name begins with
    targets = [target.absolute() for target in targets]
    gathered = targets[0].with_name("changes.gathered.gpkg")
    degrees = targets[0].with_name("changes.degrees.gpkg")
    for path in (gathered, degrees, *targets):
        _remove_leftovers(path)
    with polygon_errors(targets[0].name, folder=gathered.parent):
        count = _gather(gathered, layer, batches)
    for target in targets:
        with polygon_errors(target.name, folder=target.parent):
            if is_geojson(target) and _is_in_degrees(degrees, gathered, layer):
                _translate(degrees, target, layer, WGS84)
            else:
                _translate(gathered, target, layer, _wkt(layer))
            _check_count(target, count)
    for path in (gathered, degrees):
        path.unlink(missing_ok=True)
    return count


def _remove_leftovers(path: Path) -> None:
    """Remove what an interrupted run has left of a file, which drivers would append to or fail on."""
    with polygon_errors(path.name):
        for leftover in (path, *side_files(path)):
            leftover.unlink(missing_ok=True)


def _gather(path: Path, layer: Layer, batches: Iterable[PolygonBatch]) -> int:
    count = 0
    _append(path, layer, empty_batch(), {"SPATIAL_INDEX": "NO"})
    for batch in batches:
        _append(path, layer, batch, {})
        count += len(batch.ids)
    return count


def _append(path: Path, layer: Layer, batch: PolygonBatch, options: Mapping[str, str]) -> None:
    rows = na.c_array_stream(arrow_table(batch, layer))
    _write(rows, path, "GPKG", layer, _wkt(layer), options, append=path.exists())


def _is_in_degrees(degrees: Path, gathered: Path, layer: Layer) -> bool:
    """Return whether the polygons are in a file in degrees, which is written once, where GDAL would get them wrong.

    GDAL moves points only, and knows the poles of a few CRSs.
    """
    way = None if layer.grid.crs is None else way_to_wgs84(layer.grid.crs)
    if way is None or way.transformer is None:
        return False
    return degrees.exists() or write_in_degrees(gathered, degrees, way)


def _translate(gathered: Path, target: Path, layer: Layer, crs: str | None) -> None:
    ending = target.suffix.lower()
    names = [f"{name} AS {SHORT_NAMES.get(name, name)}" if ending == ".shp" else name for name in FIELDS]
    sql = f"SELECT {', '.join(names)}, {GEOMETRY} FROM {LAYER_NAME}"
    with open_arrow(gathered, sql=sql, use_pyarrow=ending == PARQUET, batch_size=ROWS_AT_ONCE) as (_, rows):
        if ending == PARQUET:
            info = pyogrio.read_info(gathered, layer=LAYER_NAME, force_total_bounds=True)
            write_geoparquet(rows, target, layer, info["total_bounds"] if info["features"] else None)
            return
        options = GEOJSON_OPTIONS if is_geojson(target) and crs is not None else {}
        _write(rows, target, POLYGON_FORMATS[ending], layer, crs, options)
    if ending == ".gpkg":
        if layer.review_form:
            add_verdict_fields(target, LAYER_NAME)
        style = review_style(layer.legend) if layer.review_form else transition_style(layer.legend)
        add_layer_style(target, LAYER_NAME, GEOMETRY, style)


def _wkt(layer: Layer) -> str | None:
    return layer.grid.crs.to_wkt() if layer.grid.crs is not None else None


def _write(
    rows: Any, path: Path, driver: str, layer: Layer, crs: str | None, options: Mapping[str, str],
    append: bool = False,
) -> None:  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        pyogrio.write_arrow(
            rows,
            path,
            layer=LAYER_NAME,
            driver=driver,
            geometry_name=GEOMETRY,
            geometry_type=layer.geometry_type,
            crs=crs,
            append=append,
            dataset_options={"VERSION": GPKG_VERSION} if driver == "GPKG" and not append else None,
            layer_options=dict(options),
            layer_metadata={OPTIONS_KEY: json.dumps(layer.options, ensure_ascii=False)}
            if driver == "GPKG" and not append
            else None,
        )


def _check_count(target: Path, count: int) -> None:
    """Raise OSError unless a file has `count` polygons: not every driver reports a full disk."""
    if target.suffix.lower() == PARQUET:
        found = count_rows(target)
    else:
        layer = LAYER_NAME if target.suffix.lower() == ".gpkg" else None
        found = pyogrio.read_info(target.absolute(), layer=layer, force_feature_count=True)["features"]
    if found != count:
        raise OSError(f"only {found} of {count} polygons were written")


@contextmanager
def polygon_errors(name: str, doing: str = "written", folder: Path | None = None) -> Iterator[None]:
    """Turn errors of a polygon file into an OutputError that names it; `folder` may be on a full disk."""
    try:
        yield
    except POLYGON_ERRORS as error:
        reason = reason_of(error) if folder is None else why_not_written(error, folder)
        raise OutputError(f"{name}: polygons cannot be {doing} ({reason})") from error
