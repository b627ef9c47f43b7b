"""Points of a sample as a GeoPackage with a form for QGIS, and the labels of any layer of points."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import fiona
import numpy as np
import shapely
from numpy.typing import NDArray

from lsafnet_cli.accuracy.drawing import Draw
from lsafnet_cli.accuracy.strata import Stratum
from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.files.forms import CATEGORIES, FormField, add_form
from lsafnet_cli.files.layer_style import LayerStyle, add_layer_style, add_symbol, qml_text, rgba, style_root
from lsafnet_cli.files.vectors import reading_vectors, shape_of
from lsafnet_cli.geometry.arrays import FloatArray, IntArray
from lsafnet_cli.geometry.crs import horizontal
from lsafnet_cli.geometry.footprints import to_pixels
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Color, Legend

LAYER, GEOMETRY = "sample", "geom"
GPKG_VERSION = "1.3"
FROM, TO, ANY_CHANGE = "reference_from", "reference_to", "reference"
STRATUM, STRATUM_PIXELS, STRATUM_HA = "stratum", "stratum_px", "stratum_ha"
OPEN, DONE = (230, 120, 20), (40, 140, 90)  # colours of points that wait for labels, and of the others
SQUARE_METRES_PER_HECTARE = 10_000


def label_fields(legend: Legend) -> tuple[str, ...]:
    """Return the fields that take the labels: two classes, or for a map of change alone whether it changed."""
    return (FROM, TO) if legend.semantic else (ANY_CHANGE,)


def write_points(
    path: Path, draw: Draw, strata: Sequence[Stratum], grid: Grid, legend: Legend,
    pictures: Mapping[int, str] | None = None,
) -> None:  # fmt: skip
    """Write points that wait for their labels, at the centres of pixels; `pictures` are names of files by id."""
    labels = label_fields(legend)
    kinds = {
        "id": "int32", **dict.fromkeys(labels, "str"), "comment": "str",
        **({"picture": "str"} if pictures is not None else {}),
        STRATUM: "str", STRATUM_PIXELS: "int64", STRATUM_HA: "float",
    }  # fmt: skip
    x, y = grid.to_ground(draw.col + 0.5, draw.row + 0.5)
    crs = grid.crs.to_wkt() if grid.crs is not None else None
    with fiona.open(
        path, "w", driver="GPKG", layer=LAYER, crs_wkt=crs, VERSION=GPKG_VERSION, GEOMETRY_NAME=GEOMETRY,
        schema={"geometry": "Point", "properties": kinds},
    ) as sink:  # fmt: skip
        sink.writerecords(_records(zip(x.tolist(), y.tolist(), strict=True), draw, strata, kinds, pictures))
    style = LayerStyle(_qml(tuple(kinds), legend), "sample", "form for the reference classes")
    add_layer_style(path, LAYER, GEOMETRY, style)


def _records(
    places: Any, draw: Draw, strata: Sequence[Stratum], kinds: Mapping[str, str],
    pictures: Mapping[int, str] | None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    for number, (place, index) in enumerate(zip(places, draw.stratum.tolist(), strict=True), start=1):
        one = strata[index]
        ground = None if np.isnan(one.ground_m2) else one.ground_m2 / SQUARE_METRES_PER_HECTARE
        known = {"id": number, STRATUM: one.name, STRATUM_PIXELS: one.pixels, STRATUM_HA: ground}
        if pictures is not None:
            known["picture"] = pictures[number]
        yield {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": place},
            "properties": {name: known.get(name) for name in kinds},
        }


def _qml(names: Sequence[str], legend: Legend) -> str:
    root = style_root(CATEGORIES)
    root.append(_renderer(label_fields(legend)))
    choices = legend.names[1:] if legend.semantic else legend.names
    known = {
        FROM: FormField(FROM, "class before", choices),
        TO: FormField(TO, "class after", choices),
        ANY_CHANGE: FormField(ANY_CHANGE, "what happened", choices),
        "id": FormField("id", "point", kind="number", editable=False),
        "picture": FormField("picture", "before, after", kind="picture", editable=False),
        **{name: FormField(name, kind="hidden") for name in (STRATUM, STRATUM_PIXELS, STRATUM_HA)},
    }
    add_form(root, [FormField("fid", kind="hidden"), *(known.get(name, FormField(name)) for name in names)])
    return qml_text(root)


def _renderer(labels: Sequence[str]) -> ET.Element:
    """Return what tells points with labels from those without, and nothing of what the map says there."""
    missing = " OR ".join(f"coalesce(\"{name}\", '') = ''" for name in labels)
    renderer = ET.Element(
        "renderer-v2", type="categorizedSymbol", symbollevels="0", enableorderby="0",
        attr=f"CASE WHEN {missing} THEN 'to do' ELSE 'done' END",
    )  # fmt: skip
    categories, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    for number, (state, color) in enumerate({"to do": OPEN, "done": DONE}.items()):
        ET.SubElement(
            categories, "category", value=state, label=state, symbol=str(number), render="true", type="string"
        )
        add_symbol(symbols, str(number), "marker", "SimpleMarker", _marker(color))
    return renderer


def _marker(color: Color) -> dict[str, str]:
    return {
        "name": "circle", "color": rgba(color), "size": "2.6", "size_unit": "MM",
        "outline_color": rgba((255, 255, 255)), "outline_width": "0.4", "outline_width_unit": "MM",
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelledPoints:
    """Points of a layer: (n,) column and row on a grid, and the names in fields that are there, None where empty.

    stratum_weight: (n,) ground of each point's stratum, or its pixels; 0 where the layer has no strata.
    """

    cols: FloatArray
    rows: FloatArray
    labels: dict[str, list[str | None]]
    stratum: list[str | None] | None
    stratum_pixels: IntArray
    stratum_weight: FloatArray
    weight_in_m2: bool


def read_points(path: str, layer: str | None, grid: Grid) -> LabelledPoints:
    """Read a layer of points with labels, in any CRS, onto a grid.

    Raises InputError for what has no points or no labels, OptionError for a layer that is not there.
    """
    with reading_vectors(path, "points"), fiona.open(path, layer=_layer_of(path, layer)) as source:
        names = set(source.schema["properties"])
        if not ({FROM, TO} <= names or ANY_CHANGE in names):
            raise InputError(f"{path}: has no fields {FROM} and {TO} with the reference classes")
        features = [(point, f["properties"]) for f in source if (point := _point(f))]
        crs = source.crs_wkt
    if not features:
        raise InputError(f"{path}: contains no points")
    cols, rows = _on_grid(np.array([point for point, _ in features]), crs, grid, path)
    rows_of = [properties for _, properties in features]
    strata = _texts(rows_of, STRATUM) if {STRATUM, STRATUM_PIXELS} <= names else None
    labels = {name: _texts(rows_of, name) for name in (FROM, TO, ANY_CHANGE) if name in names}
    pixels = _numbers(rows_of, STRATUM_PIXELS)
    ground = _numbers(rows_of, STRATUM_HA) * SQUARE_METRES_PER_HECTARE
    in_m2 = bool((ground > 0).all())
    weight = ground if in_m2 else pixels
    return LabelledPoints(cols, rows, labels, strata, pixels.astype(np.int64), weight, in_m2)


def _layer_of(path: str, layer: str | None) -> str:
    names = fiona.listlayers(path)
    if layer is not None and layer not in names:
        raise OptionError(f"`layer` {layer}: {path} has {', '.join(names)}")
    return layer or (LAYER if LAYER in names else str(names[0]))


def _point(feature: Any) -> tuple[float, float] | None:
    found = shape_of(feature)
    return (found.x, found.y) if isinstance(found, shapely.Point) and not found.is_empty else None


def _on_grid(places: NDArray[np.float64], crs: str, grid: Grid, path: str) -> tuple[FloatArray, FloatArray]:
    x, y = places.T
    if grid.crs is not None:
        if not crs:
            raise InputError(f"{path}: has no CRS; assign one")
        return to_pixels(x, y, horizontal(crs), grid)
    return grid.to_pixels(x, y)


def _texts(rows: Sequence[Any], name: str) -> list[str | None]:
    found = (row[name] for row in rows)
    return [str(value).strip() or None if value is not None else None for value in found]


def _numbers(rows: Sequence[Any], name: str) -> FloatArray:
    return np.array([float(row.get(name) or 0) for row in rows])
