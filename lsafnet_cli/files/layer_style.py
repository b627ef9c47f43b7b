"""The default style within a GeoPackage: QGIS reads it from the table layer_styles on opening."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from lsafnet_cli.legend.classes import Color, Legend

ATTRIBUTE = "transition"
OUTLINE: Color = (35, 35, 35)
OUTLINE_MM = 0.26  # as QGIS draws outlines by itself
HALO: Color = (255, 255, 255)
HALO_MM = 0.8  # half of it lies outside the polygon
_CREATE = """CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"""
_REGISTER = """INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change)
    VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)"""
_INSERT = """INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column,
    styleName, styleQML, styleSLD, useAsDefault, description, owner)
    VALUES ('', '', ?, ?, ?, ?, '', 1, ?, '')"""


@dataclass(frozen=True, slots=True)
class LayerStyle:
    """A QGIS style with its name and description."""

    qml: str
    name: str = "transitions"
    description: str = "colours of the change map"


def add_layer_style(path: Path, table: str, geometry: str, style: LayerStyle) -> None:
    """Make a style the default one of a layer in a GeoPackage. Raises OSError."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    try:
        with closing(sqlite3.connect(path)) as base, base:
            base.execute(_CREATE)
            base.execute(_REGISTER, (now,))
            base.execute(_INSERT, (table, geometry, style.name, style.qml, style.description))
    except sqlite3.Error as error:
        raise OSError(str(error)) from error


def transition_style(legend: Legend) -> LayerStyle:
    """Return the style that fills polygons by their transition."""
    return categorized_style(ATTRIBUTE, {one.name: one.color for one in legend.transitions})


def style_root(categories: str) -> ET.Element:
    """Return the root element of a QGIS style."""
    return ET.Element("qgis", version="3.22", styleCategories=categories)


def qml_text(root: ET.Element) -> str:
    """Return a QGIS style as the text of a file."""
    ET.indent(root)
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{ET.tostring(root, 'unicode')}\n"


def polygon_renderer(legend: Legend) -> ET.Element:
    """Return the renderer of a QGIS style that fills polygons by their transition."""
    return categorized_renderer(ATTRIBUTE, {one.name: one.color for one in legend.transitions})


def categorized_style(attribute: str, colors: Mapping[str, Color], *words: str) -> LayerStyle:
    """Return a style that fills polygons by a text field; `words` are its name and what it shows."""
    root = style_root("Symbology")
    root.append(categorized_renderer(attribute, colors))
    return LayerStyle(qml_text(root), *words)


def categorized_renderer(attribute: str, colors: Mapping[str, Color]) -> ET.Element:
    """Return the renderer of a QGIS style that fills polygons by the value of a text field."""
    renderer = ET.Element(
        "renderer-v2", type="categorizedSymbol", attr=attribute, symbollevels="1", enableorderby="0"
    )
    categories, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    for number, (value, color) in enumerate(colors.items()):
        ET.SubElement(
            categories, "category", value=value, label=value, symbol=str(number), render="true", type="string"
        )
        _fill(symbols, str(number), color)
    return renderer


def _fill(symbols: ET.Element, name: str, color: Color) -> None:
    """Add a fill with a dark outline in a bright halo: one of the two stands out from any image.

    All halos are drawn below all fills, and are locked: another colour of the symbol leaves them as they are.
    """
    halo = {
        "line_color": rgba(HALO),
        "line_style": "solid",
        "line_width": str(HALO_MM),
        "line_width_unit": "MM",
        "joinstyle": "round",
    }
    properties = {
        "color": rgba(color),
        "style": "solid",
        "outline_color": rgba(OUTLINE),
        "outline_style": "solid",
        "outline_width": str(OUTLINE_MM),
        "outline_width_unit": "MM",
    }
    symbol = add_symbol(symbols, name, "fill", "SimpleLine", halo, locked=True)
    add_symbol_layer(symbol, "SimpleFill", properties, level=1)


def rgba(color: Color) -> str:
    """Return an opaque colour as QGIS writes it."""
    return ",".join(map(str, (*color, 255)))


def add_symbol(
    symbols: ET.Element,
    name: str,
    kind: str,
    layer_class: str,
    properties: Mapping[str, str],
    locked: bool = False,
) -> ET.Element:
    """Add a symbol of one layer: "fill" of class SimpleFill, "marker" of class SimpleMarker."""
    symbol = ET.SubElement(
        symbols, "symbol", name=name, type=kind, alpha="1", clip_to_extent="1", force_rhr="0"
    )
    add_symbol_layer(symbol, layer_class, properties, locked=locked)
    return symbol


def add_symbol_layer(
    symbol: ET.Element, layer_class: str, properties: Mapping[str, str], level: int = 0, locked: bool = False
) -> None:
    """Add a layer to a symbol, above those that it has; where symbols have levels, lower ones are drawn first."""
    settings = {"class": layer_class, "enabled": "1", "locked": str(int(locked)), "pass": str(level)}
    layer = ET.SubElement(symbol, "layer", settings)
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in properties.items():
        ET.SubElement(options, "Option", name=key, type="QString", value=value)
        ET.SubElement(layer, "prop", k=key, v=value)  # what QGIS before 3.26 reads
