"""GeoParquet 1.1: WKB geometries with a column of their bounding boxes (https://geoparquet.org/releases/v1.1.0)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import shapely
from pyproj import CRS

from lsafnet_cli.polygons.table import FIELDS, GEOMETRY, Layer

COLUMN, COVERING = "geometry", "bbox"
SIDES = ("xmin", "ymin", "xmax", "ymax")


def write_geoparquet(reader: Any, target: Path, layer: Layer, bounds: Sequence[float] | None) -> None:
    """Write the batches of an Arrow reader, each as a row group. `bounds` are those of all polygons, if any."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    box = pa.struct([(side, pa.float64()) for side in SIDES])
    fields = [reader.schema.field(name).remove_metadata() for name in FIELDS]
    added = [pa.field(COLUMN, pa.binary()), pa.field(COVERING, box)]
    schema = pa.schema([*fields, *added], metadata={"geo": json.dumps(_geo(layer, bounds))})
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in reader:
            wkb = batch.column(GEOMETRY).cast(pa.binary())
            sides = shapely.bounds(shapely.from_wkb(wkb.to_numpy(zero_copy_only=False)))
            boxes = pa.StructArray.from_arrays([pa.array(side) for side in sides.T], fields=list(box))
            columns = [batch.column(name) for name in FIELDS]
            writer.write_batch(pa.record_batch([*columns, wkb, boxes], schema=schema))


def _geo(layer: Layer, bounds: Sequence[float] | None) -> dict[str, Any]:
    crs = layer.grid.crs
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [layer.geometry_type],
        "crs": CRS.from_user_input(crs.to_wkt()).to_json_dict() if crs is not None else None,
        "orientation": "counterclockwise",
        "covering": {"bbox": {side: [COVERING, side] for side in SIDES}},
    }
    if bounds is not None:
        column["bbox"] = [float(side) for side in bounds]
    return {"version": "1.1.0", "primary_column": COLUMN, "columns": {COLUMN: column}}


def count_rows(path: Path) -> int:
    """Return how many rows a Parquet file has."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)
