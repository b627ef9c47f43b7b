"""Gathering: the polygons of several GeoPackages in one, a batch of rows at a time."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from pyogrio.raw import read as read_features, write as write_features

from lsafnet_cli.files.side_files import side_files
from lsafnet_cli.geometry.crs import WGS84, Way
from lsafnet_cli.geometry.degrees import in_degrees, is_straight, joined
from lsafnet_cli.polygons.table import GEOMETRY, GPKG_VERSION, LAYER_NAME, ROWS_AT_ONCE

# takes WKB geometries and their fields, and gives others
Change = Callable[[Any, dict[str, Any]], tuple[Any, dict[str, Any]]]


def append_polygons(
    target: Path, source: Path, values: Mapping[str, str | int], count: int, crs: str | None,
    change: Change | None = None,
) -> int:  # fmt: skip
    """Append the rows of one file to another, which may not be there yet; return the last id.

    `id` counts on from `count` + 1; `values` are fields with one value for all rows, new ones last.
    """
    geometry_type = str(pyogrio.read_info(source, layer=LAYER_NAME)["geometry_type"])
    for meta, geometries, columns in _batches(source):
        fields = dict(zip(map(str, meta["fields"]), columns, strict=True))
        if change is not None:
            geometries, fields = change(geometries, fields)
        rows = len(geometries)
        fields["id"] = np.arange(count + 1, count + rows + 1)
        for name, value in values.items():
            fields[name] = np.full(rows, value, object if isinstance(value, str) else np.int64)
        _append(target, geometries, fields, geometry_type, crs)
        count += rows
    return count


def write_in_degrees(source: Path, target: Path, way: Way) -> bool:
    """Write the polygons of a file in longitude and latitude; return if it was needed.

    Nothing is written where all polygons keep their shape if only their points are moved, as in most maps. What
    crosses the antimeridian ends there and is one multipolygon. way: from the file's CRS to longitude and latitude.
    """
    if all(is_straight(shapely.from_wkb(geometries), way) for _, geometries, _ in _batches(source)):
        return False
    for meta, geometries, columns in _batches(source):
        fields = dict(zip(map(str, meta["fields"]), columns, strict=True))
        whole = [
            parts[0] if len(parts) == 1 else joined(parts)
            for parts in in_degrees(shapely.from_wkb(geometries), way)
        ]
        _append(target, shapely.to_wkb(whole), fields, "Unknown", WGS84)  # some are multipolygons
    return True


def _append(
    target: Path, geometries: Any, fields: Mapping[str, Any], geometry_type: str, crs: str | None
) -> None:
    """Append rows to a GeoPackage, which may not be there yet."""
    new = not target.exists()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        write_features(
            target,
            geometries,
            list(fields.values()),
            list(fields),
            layer=LAYER_NAME,
            driver="GPKG",
            geometry_type=geometry_type,
            crs=crs,
            append=not new,
            dataset_options={"VERSION": GPKG_VERSION} if new else None,
            layer_options={"GEOMETRY_NAME": GEOMETRY} if new else {},
        )


def _batches(source: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Yield (meta, WKB geometries, columns), at least once, a batch of rows at a time."""
    skipped = 0
    while True:
        meta, _, geometries, columns = read_features(
            source, layer=LAYER_NAME, skip_features=skipped, max_features=ROWS_AT_ONCE
        )
        if skipped and not len(geometries):
            return
        yield meta, geometries, columns
        skipped += len(geometries)
        if len(geometries) < ROWS_AT_ONCE:
            return


def remove_rest(path: Path) -> None:
    """Remove a file that is on its way, and what drivers have left beside it."""
    for rest in (path, *side_files(path)):
        rest.unlink(missing_ok=True)
