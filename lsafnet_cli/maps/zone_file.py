"""Zones as a GeoPackage: one table with columns for transitions and for gain, loss and net by class."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import fiona
import numpy as np

from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.files.layer_style import LayerStyle, add_layer_style, add_symbol, qml_text, rgba, style_root
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.publishing import WorkFolder, finish_naming, publish
from lsafnet_cli.files.vectors import writing_vectors
from lsafnet_cli.maps.summarize import AreaSummary, MapSummary
from lsafnet_cli.maps.zone_features import features_by_zone
from lsafnet_cli.maps.zones import ZoneRequest

LAYER, GEOMETRY, GPKG_VERSION = "zones", "geom", "1.3"
SHADES = ((255, 255, 212), (254, 217, 142), (254, 153, 41), (217, 95, 14), (153, 52, 4))
"""From little to much change (ColorBrewer's YlOrBr)."""
LEAD = ("zone", "valid", "nodata", "changed", "changed_percent")


def check_zone_file(target: Path, inputs: Sequence[str], overwrite: bool) -> None:
    """Raise OptionError or OutputError, before anything is counted, if the file cannot be written."""
    if target.suffix.lower() != ".gpkg":
        raise OptionError(
            f"`outputs` {target}: zones are written as a GeoPackage; its name must end in .gpkg"
        )
    finish_naming(target)
    check_path(target, inputs, overwrite)


def write_zone_file(summary: MapSummary, request: ZoneRequest, target: Path, overwrite: bool = False) -> None:
    """Write the zones of a summary with their numbers, styled by the share that changed.

    Hectares, or pixels where the map has no CRS; zones without a pixel of the map have no numbers. Raises InputError
    where the zones cannot be read, OutputError where the file cannot be written.
    """
    table = zone_table(summary)
    columns = list(next(iter(table.values())))
    store = WorkFolder(target)
    with store.used():
        crs, features = features_by_zone(request)
        with writing_vectors(target):
            _write(store.path(target.name), crs, features, table, columns)
            shares = [row["changed_percent"] for row in table.values() if row["changed_percent"] is not None]
            style = LayerStyle(_qml(shares), "zones", "share of area changed")
            add_layer_style(store.path(target.name), LAYER, GEOMETRY, style)
        publish(store, [target], overwrite)


def _write(path: Path, crs: str, features: Any, table: Any, columns: Sequence[str]) -> None:
    kinds = {name: "str" if name == "zone" else "float" for name in columns}
    schema = {"geometry": "MultiPolygon", "properties": kinds}
    with fiona.open(
        path, "w", driver="GPKG", layer=LAYER, crs_wkt=crs, schema=schema, VERSION=GPKG_VERSION,
        GEOMETRY_NAME=GEOMETRY,
    ) as sink:  # fmt: skip
        for name, geometry in features:
            values = table.get(name) or {**dict.fromkeys(columns), "zone": name}
            sink.write({"type": "Feature", "geometry": geometry, "properties": values})


def zone_table(summary: MapSummary) -> dict[str, dict[str, Any]]:
    """Return one row for each zone, by its name, all with the same columns."""
    if not summary.zones:
        raise InputError(f"{summary.map}: no zones were requested")
    codes = sorted({row.code for zone in summary.zones for row in zone.table.transitions})
    names = {row.code: row.name for zone in summary.zones for row in zone.table.transitions}
    columns = dict(zip(codes, _column_names([names[code] for code in codes]), strict=True))
    classes = dict(zip(summary.classes, _column_names(list(summary.classes)), strict=True))
    return {str(zone.zone): dict(_row(zone, columns, classes)) for zone in summary.zones}


def _row(
    zone: AreaSummary, columns: Mapping[int, str], classes: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    table, in_ha = zone.table, zone.table.valid_ha is not None
    amounts = (
        (table.valid_ha, table.nodata_ha, table.changed_ha)
        if in_ha
        else (table.valid_pixels, table.nodata_pixels, table.changed_pixels)
    )
    yield from zip(LEAD, (zone.zone, *amounts, zone.changed_percent), strict=True)
    found = {row.code: row.area_ha if in_ha else row.pixels for row in table.transitions}
    for code, column in columns.items():
        yield column, found.get(code, 0)
    for change in zone.classes:
        column = classes[change.name]
        yield f"gain_{column}", change.gain_ha if in_ha else change.gain_pixels
        yield f"loss_{column}", change.loss_ha if in_ha else change.loss_pixels
        yield f"net_{column}", change.net_ha if in_ha else change.gain_pixels - change.loss_pixels


def _column_names(texts: Sequence[str]) -> list[str]:
    """Return unique column names that every program accepts."""
    found: list[str] = []
    for text in texts:
        name = re.sub(r"\W+", "_", text).strip("_").lower() or "class"
        taken = sum(other.split("__")[0] == name for other in found)
        found.append(f"{name}__{taken + 1}" if taken else name)
    return found


def _qml(shares: Sequence[float]) -> str:
    """Return a QGIS style of five shades, an equal number of zones in each."""
    edges = np.unique(np.quantile(shares or [0.0], np.linspace(0, 1, len(SHADES) + 1)).round(4))
    edges = edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])
    root = style_root("Symbology")
    renderer = ET.SubElement(
        root, "renderer-v2", type="graduatedSymbol", attr="changed_percent", graduatedMethod="GraduatedColor",
        symbollevels="0", enableorderby="0",
    )  # fmt: skip
    ranges, symbols = ET.SubElement(renderer, "ranges"), ET.SubElement(renderer, "symbols")
    for number, (low, high) in enumerate(pairwise(edges)):
        ET.SubElement(
            ranges, "range", symbol=str(number), lower=str(low), upper=str(high), render="true",
            label=f"{low:.2f} to {high:.2f} % changed",
        )  # fmt: skip
        shade = SHADES[round(number * (len(SHADES) - 1) / max(len(edges) - 2, 1))]
        properties = {
            "color": rgba(shade), "style": "solid", "outline_color": rgba((80, 80, 80)), "outline_width": "0.2",
        }  # fmt: skip
        add_symbol(symbols, str(number), "fill", "SimpleFill", properties)
    return qml_text(root)
