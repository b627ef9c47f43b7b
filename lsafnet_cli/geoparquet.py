"""GeoParquet 1.1: WKB geometries with a column of their bounding boxes (https://geoparquet.org/releases/v1.1.0)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS

from lsafnet_cli.polygon_table import FIELDS, GEOMETRY, Layer

COLUMN, COVERING = "geometry", "bbox"
SIDES = ("xmin", "ymin", "xmax", "ymax")


def write_geoparquet(reader: Any, target: Path, layer: Layer) -> None:
    """Write the batches of an Arrow reader, each as a row group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    box = pa.struct([(side, pa.float64()) for side in SIDES])
    fields = [reader.schema.field(name).remove_metadata() for name in FIELDS]
    schema = pa.schema([*fields, pa.field(COLUMN, pa.binary()), pa.field(COVERING, box)])
    total = np.array([np.inf, np.inf, -np.inf, -np.inf])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in reader:
            wkb = batch.column(GEOMETRY).cast(pa.binary())
            bounds = shapely.bounds(shapely.from_wkb(wkb.to_numpy(zero_copy_only=False)))
            boxes = pa.StructArray.from_arrays([pa.array(side) for side in bounds.T], fields=list(box))
            columns = [batch.column(name) for name in FIELDS]
            writer.write_batch(pa.record_batch([*columns, wkb, boxes], schema=schema))
            total = np.concatenate(
                [np.minimum(total, bounds.min(0))[:2], np.maximum(total, bounds.max(0))[2:]]
            )
        writer.add_key_value_metadata({"geo": json.dumps(_geo(layer, total))})


def _geo(layer: Layer, bounds: np.ndarray[Any, Any]) -> dict[str, Any]:
    crs = layer.grid.crs
    column = {
        "encoding": "WKB",
        "geometry_types": [layer.geometry_type],
        "crs": CRS.from_user_input(crs.to_wkt()).to_json_dict() if crs is not None else None,
        "orientation": "counterclockwise",
        "covering": {"bbox": {side: [COVERING, side] for side in SIDES}},
    }
    if np.isfinite(bounds).all():
        column["bbox"] = bounds.tolist()
    return {"version": "1.1.0", "primary_column": COLUMN, "columns": {COLUMN: column}}


def count_rows(path: Path) -> int:
    """Return how many rows a Parquet file has."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)
