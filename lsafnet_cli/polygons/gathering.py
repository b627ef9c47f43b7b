"""Gathering: the polygons of several GeoPackages in one, a batch of rows at a time."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
from pyogrio.raw import read as read_features, write as write_features

from lsafnet_cli.files.side_files import side_files
from lsafnet_cli.polygons.files import GPKG_VERSION, LAYER_NAME, ROWS_AT_ONCE
from lsafnet_cli.polygons.table import GEOMETRY

# takes WKB geometries and their fields, and gives others
Change = Callable[[Any, dict[str, Any]], tuple[Any, dict[str, Any]]]


def append_polygons(
    target: Path, source: Path, values: Mapping[str, str | int], count: int, crs: str | None,
    change: Change | None = None,
) -> int:  # fmt: skip
    """Append the rows of one file to another, which may not be there yet; return the last id.

    `id` counts on from `count` + 1; `values` are fields with one value for all rows, new ones last.
    """
    dissolved = pyogrio.read_info(source, layer=LAYER_NAME)["geometry_type"] == "MultiPolygon"
    for meta, geometries, columns in _batches(source):
        fields = dict(zip(map(str, meta["fields"]), columns, strict=True))
        if change is not None:
            geometries, fields = change(geometries, fields)
        rows = len(geometries)
        fields["id"] = np.arange(count + 1, count + rows + 1)
        for name, value in values.items():
            fields[name] = np.full(rows, value, object if isinstance(value, str) else np.int64)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
            write_features(
                target,
                geometries,
                list(fields.values()),
                list(fields),
                layer=LAYER_NAME,
                driver="GPKG",
                geometry_type="MultiPolygon" if dissolved else "Polygon",
                crs=crs,
                append=target.exists(),
                dataset_options=None if target.exists() else {"VERSION": GPKG_VERSION},
                layer_options={} if target.exists() else {"GEOMETRY_NAME": GEOMETRY},
            )
        count += rows
    return count


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
