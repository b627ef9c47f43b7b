"""Polygons with their attributes as Arrow tables, which vector drivers take many rows at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import nanoarrow as na
import numpy as np
import shapely
from numpy.typing import NDArray

from lsafnet_cli.geometry.arrays import FloatArray, IntArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend

LAYER_NAME = "changes"
GEOMETRY = "geom"
GPKG_VERSION = "1.3"  # what QGIS 3.22 and GDAL 3.6 still read without a warning
ROWS_AT_ONCE = 20_000
SQUARE_METRES_PER_HECTARE = 10_000
FIELDS = (
    "id", "from_class", "to_class", "transition", "area_m2", "area_ha", "confidence", "pixels",
    "before_date", "after_date", "scene",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer:
    """Attributes common to all polygons of a map, and the options that shaped them.

    `review_form`: whether a GeoPackage gets a form for verdicts.
    """

    grid: Grid
    legend: Legend
    before_date: date | None
    after_date: date | None
    scene: str
    dissolved: bool
    review_form: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def geometry_type(self) -> str:
        """Name of the type of every geometry."""
        return "MultiPolygon" if self.dissolved else "Polygon"


@dataclass(frozen=True, slots=True)
class PolygonBatch:
    """Polygons with their attributes; unknown areas and confidences are NaN."""

    polygons: NDArray[np.object_]
    ids: IntArray
    codes: IntArray
    pixels: IntArray
    area_m2: FloatArray
    confidence: FloatArray

    def dissolved(self) -> "PolygonBatch":
        """Return one multipolygon for each transition; polygons of one transition touch in points at most."""
        codes, group = np.unique(self.codes, return_inverse=True)
        order = np.argsort(group, kind="stable")
        pixels = np.bincount(group, self.pixels, len(codes))
        return PolygonBatch(
            polygons=np.asarray(shapely.multipolygons(self.polygons[order], indices=group[order])),
            ids=np.arange(1, len(codes) + 1),
            codes=codes,
            pixels=pixels.astype(np.int64),
            area_m2=np.bincount(group, self.area_m2, len(codes)).astype(np.float64),
            confidence=np.bincount(group, self.confidence * self.pixels, len(codes)) / pixels,
        )


def empty_batch() -> PolygonBatch:
    """Return an empty batch."""
    whole, real = np.empty(0, np.int64), np.empty(0)
    return PolygonBatch(np.empty(0, object), whole, whole, whole, real, real)


def arrow_table(batch: PolygonBatch, layer: Layer) -> Any:
    """Return a batch as an Arrow struct array: FIELDS and the geometry as WKB."""
    columns = {**_attributes(batch, layer), GEOMETRY: _binary(shapely.to_wkb(batch.polygons).tolist())}
    schema = na.struct({name: na.Schema(column.schema) for name, column in columns.items()})
    return na.c_array_from_buffers(schema, len(batch.ids), [None], null_count=0, children=columns.values())


def _attributes(batch: PolygonBatch, layer: Layer) -> dict[str, Any]:
    legend, count = layer.legend, len(batch.ids)
    transitions = {transition.code: transition for transition in legend.transitions}
    codes, index = np.unique(batch.codes, return_inverse=True)
    named = [transitions[code] for code in codes.tolist()]
    known = legend.semantic
    return {
        "id": _numbers(batch.ids, na.int64()),
        "from_class": _texts([legend.names[t.from_class] if known else None for t in named], index),
        "to_class": _texts([legend.names[t.to_class] if known else None for t in named], index),
        "transition": _texts([t.name for t in named], index),
        "area_m2": _numbers(batch.area_m2.round(3), na.float64()),
        "area_ha": _numbers((batch.area_m2 / SQUARE_METRES_PER_HECTARE).round(7), na.float64()),
        "confidence": _numbers(batch.confidence.round(4), na.float64()),
        "pixels": _numbers(batch.pixels, na.int64()),
        "before_date": _dates(layer.before_date, count),
        "after_date": _dates(layer.after_date, count),
        "scene": _texts([layer.scene], np.zeros(count, np.int64)),
    }


def _numbers(values: NDArray[Any], kind: Any) -> Any:
    known = ~np.isnan(values)
    return na.c_array_from_buffers(
        kind, len(values), [*_known(known), values], null_count=int((~known).sum())
    )


def _dates(day: date | None, count: int) -> Any:
    days = (day - date(1970, 1, 1)).days if day is not None else 0
    known = np.full(count, day is not None)
    buffers = [*_known(known), np.full(count, days, np.int32)]
    return na.c_array_from_buffers(na.date32(), count, buffers, null_count=int((~known).sum()))


def _texts(words: Sequence[str | None], index: IntArray) -> Any:
    encoded = [(word or "").encode() for word in words]
    known = np.array([word is not None for word in words], bool)[index]
    parts = [encoded[number] for number in index.tolist()]
    buffers = [*_known(known), *_ragged(parts)]
    return na.c_array_from_buffers(na.string(), len(parts), buffers, null_count=int((~known).sum()))


def _binary(parts: list[bytes]) -> Any:
    return na.c_array_from_buffers(na.binary(), len(parts), [None, *_ragged(parts)], null_count=0)


def _ragged(parts: list[bytes]) -> tuple[NDArray[np.int32], bytes]:
    ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)))
    return np.concatenate([[0], ends]).astype(np.int32), b"".join(parts)


def _known(known: NDArray[np.bool_]) -> list[NDArray[np.uint8] | None]:
    """Return Arrow's validity bitmap, or None if all values are known."""
    return [None] if known.all() else [np.packbits(known, bitorder="little")]
