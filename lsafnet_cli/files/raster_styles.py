"""Names and colours of class rasters for GIS: GDAL's .aux.xml and QGIS's .qml.

rasterio writes neither category names nor attribute tables, so GDAL's "persistent auxiliary metadata" file is
written here; its element names are those of GDAL's gdal_pam schema.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from lsafnet_cli.files.layer_style import polygon_renderer
from lsafnet_cli.files.layers import CODES, TRANSITION
from lsafnet_cli.legend.classes import Legend, hex_color
from lsafnet_cli.legend.palettes import Color

_INTEGER, _STRING = 0, 2  # GDALRATFieldType
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
# viridis (Smith and van der Walt, 2015), even in lightness and safe for colour-blind readers
PERCENT_COLORS = {0: "#440154", 25: "#3b528b", 50: "#21918c", 75: "#5ec962", 100: "#fde725"}
_GENERIC, _NAME, _MIN_MAX, _RED, _GREEN, _BLUE = 0, 2, 5, 6, 7, 8  # GDALRATFieldUsage


@dataclass(frozen=True, slots=True)
class Category:
    """One entry of a class raster: value, label, colour, and the classes before and after."""

    value: int
    label: str
    color: Color
    from_class: str = ""
    to_class: str = ""


def transition_categories(legend: Legend) -> list[Category]:
    """Return the categories of a map of transition codes."""
    unchanged = Category(0, legend.names[0], legend.palette[0])
    changed = [
        Category(t.code, t.name, t.color, legend.names[t.from_class], legend.names[t.to_class])
        if legend.semantic
        else Category(t.code, t.name, t.color)
        for t in legend.transitions
    ]
    return [unchanged, *changed]


def class_categories(legend: Legend) -> list[Category]:
    """Return the categories of a map of land-cover classes."""
    return [
        Category(value, name, color)
        for value, (name, color) in enumerate(zip(legend.names, legend.colors, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class RasterStyle:
    """Metadata of a layer's file: description, categories, resampling of its overviews."""

    description: str
    categories: tuple[Category, ...]
    overviews: str = "MODE"
    compression: str = "LZW"  # smaller than deflate on maps of classes, and faster
    unit: str = ""
    polygons: ET.Element | None = None

    def side_files(self, raster: Path) -> dict[Path, str]:
        """Return the side files of a raster with names and colours for GDAL programs and QGIS, and their text."""
        style = raster.with_suffix(".qml")
        if not self.categories:
            return {style: percent_qml()}
        names = raster.with_name(f"{raster.name}.aux.xml")
        return {names: pam_xml(self.categories), style: qml(self.categories, self.polygons)}


def layer_style(layer: str, legend: Legend) -> RasterStyle:
    """Return how a layer of the map is described and coloured."""
    if layer == CODES:
        categories = tuple(transition_categories(legend))
        return RasterStyle("transition", categories, polygons=polygon_renderer(legend))
    if layer == TRANSITION:
        categories = tuple(one for one in transition_categories(legend) if one.value > 0)
        return RasterStyle("transition if changed", categories)
    if layer == "probability":
        return RasterStyle("probability of change, percent", (), "AVERAGE", "DEFLATE", unit="%")
    return RasterStyle(f"land cover, {layer}", tuple(class_categories(legend)))


def pam_xml(categories: Iterable[Category]) -> str:
    """Return the text of `<raster>.aux.xml`: category names and an attribute table."""
    categories = list(categories)
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    names = ET.SubElement(band, "CategoryNames")
    by_value = {category.value: category.label for category in categories}
    for value in range(max(by_value) + 1):
        ET.SubElement(names, "Category").text = by_value.get(value, "")
    _attribute_table(band, categories)
    return _document(root)


def srs_in(pam: Path) -> str | None:
    """Return the CRS that GDAL has stored in a `.aux.xml`, as it does if GeoTIFF keys cannot express it."""
    element = ET.parse(pam).getroot().find("SRS") if pam.exists() else None
    return None if element is None else ET.tostring(element, encoding="unicode")


def with_srs(pam: str | None, srs: str) -> str:
    """Return the text of a `.aux.xml`, which may not exist yet, with a CRS added."""
    root = ET.Element("PAMDataset") if pam is None else ET.fromstring(pam)
    root.insert(0, ET.fromstring(srs))
    return _document(root)


def _attribute_table(band: ET.Element, categories: list[Category]) -> None:
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    fields = [
        ("Value", _INTEGER, _MIN_MAX),
        ("Name", _STRING, _NAME),
        ("From", _STRING, _GENERIC),
        ("To", _STRING, _GENERIC),
        ("Red", _INTEGER, _RED),
        ("Green", _INTEGER, _GREEN),
        ("Blue", _INTEGER, _BLUE),
    ]
    for index, (name, kind, usage) in enumerate(fields):
        definition = ET.SubElement(table, "FieldDefn", index=str(index))
        for tag, text in (("Name", name), ("Type", str(kind)), ("Usage", str(usage))):
            ET.SubElement(definition, tag).text = text
    for index, entry in enumerate(categories):
        row = ET.SubElement(table, "Row", index=str(index))
        for value in (entry.value, entry.label, entry.from_class, entry.to_class, *entry.color):
            ET.SubElement(row, "F").text = str(value)


def qml(categories: Iterable[Category], polygons: ET.Element | None = None) -> str:
    """Return a QGIS layer style that draws each category in its colour; "unchanged" (0) is transparent.

    With a renderer of `polygons` the same file styles polygons that lie beside the raster under its name:
    QGIS looks for `changes.qml` on opening changes.tif and changes.geojson alike, and reads its own part.
    """
    root, renderer = _raster_style("paletted")
    palette = ET.SubElement(renderer, "colorPalette")
    for entry in categories:
        ET.SubElement(
            palette,
            "paletteEntry",
            value=str(entry.value),
            label=entry.label,
            color=hex_color(entry.color),
            alpha="0" if entry.value == 0 else "255",
        )
    if polygons is not None:
        root.append(polygons)
    return _DOCTYPE + _document(root)


def percent_qml() -> str:
    """Return a QGIS layer style for percent, 0 to 100: from transparent violet over green to yellow."""
    root, renderer = _raster_style("singlebandpseudocolor")
    renderer.attrib |= {"classificationMin": "0", "classificationMax": "100"}
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue="0",
        maximumValue="100",
    )
    for percent, color in PERCENT_COLORS.items():
        ET.SubElement(
            shader,
            "item",
            value=str(percent),
            label=f"{percent} %",
            color=color,
            alpha="0" if percent == 0 else "255",
        )
    return _DOCTYPE + _document(root)


def _raster_style(kind: str) -> tuple[ET.Element, ET.Element]:
    """Return an empty layer style and its raster renderer."""
    root = ET.Element("qgis", version="3.22", styleCategories="AllStyleCategories")
    renderer = ET.SubElement(
        ET.SubElement(root, "pipe"),
        "rasterrenderer",
        type=kind,
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
    )
    return root, renderer


def _document(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
