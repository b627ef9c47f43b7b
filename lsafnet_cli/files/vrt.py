"""A mosaic as virtual raster (GDAL's VRT format) of files that each hold a part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from affine import Affine

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.palettes import Color

GDAL_TYPES = {
    "uint8": "Byte", "int8": "Int8", "uint16": "UInt16", "int16": "Int16",
    "uint32": "UInt32", "int32": "Int32", "float32": "Float32", "float64": "Float64",
}  # fmt: skip
BLOCK_PX = 512


@dataclass(frozen=True, slots=True)
class Part:
    """A file that holds rows [first, end) and columns [left, right) of a raster."""

    path: Path
    first: int
    end: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class RasterMeta:
    """Metadata of a one-band raster. If parts are `overlapping`, the last one with data counts.

    Parts are in the folder of the virtual raster or, with `relative_paths`, at their paths from there.
    """

    grid: Grid
    dtype: str
    nodata: int
    description: str
    unit: str = ""
    palette: Mapping[int, Color] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    overlapping: bool = False
    relative_paths: bool = False


def vrt_xml(meta: RasterMeta, parts: Sequence[Part]) -> str:
    """Return the text of a VRT of `parts`; pixels outside all parts have no data."""
    grid = meta.grid
    root = ET.Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    if grid.crs is not None:
        ET.SubElement(root, "SRS").text = grid.crs.to_wkt()
    if not grid.transform.is_identity:
        add_transform(root, grid.transform)
    metadata = ET.SubElement(root, "Metadata")
    for key, value in meta.tags.items():
        ET.SubElement(metadata, "MDI", key=key).text = value
    _band(root, meta, parts)
    return ET.tostring(root, encoding="unicode")


def add_transform(root: ET.Element, transform: Affine) -> None:
    """Write the georeferencing of a virtual raster."""
    ET.SubElement(root, "GeoTransform").text = ", ".join(repr(float(v)) for v in transform.to_gdal())


def _band(root: ET.Element, meta: RasterMeta, parts: Sequence[Part]) -> None:
    band = ET.SubElement(
        root,
        "VRTRasterBand",
        dataType=GDAL_TYPES[meta.dtype],
        band="1",
        blockXSize=str(BLOCK_PX),
        blockYSize=str(BLOCK_PX),
    )
    ET.SubElement(band, "Description").text = meta.description
    ET.SubElement(band, "NoDataValue").text = str(meta.nodata)
    if meta.unit:
        ET.SubElement(band, "UnitType").text = meta.unit
    if meta.palette:
        ET.SubElement(band, "ColorInterp").text = "Palette"
        _color_table(band, meta.palette)
    for part in parts:
        _source(band, meta, part)


def _color_table(band: ET.Element, palette: Mapping[int, Color]) -> None:
    table = ET.SubElement(band, "ColorTable")
    for value in range(max(palette) + 1):
        red, green, blue = palette.get(value, (0, 0, 0))
        ET.SubElement(table, "Entry", c1=str(red), c2=str(green), c3=str(blue), c4="255")


def _source(band: ET.Element, meta: RasterMeta, part: Part) -> None:
    width, rows = str(part.right - part.left), str(part.end - part.first)
    source = ET.SubElement(band, "ComplexSource" if meta.overlapping else "SimpleSource")
    name = str(part.path) if meta.relative_paths else part.path.name
    ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = name
    ET.SubElement(source, "SourceBand").text = "1"
    ET.SubElement(
        source,
        "SourceProperties",
        RasterXSize=width,
        RasterYSize=rows,
        DataType=GDAL_TYPES[meta.dtype],
        BlockXSize=str(BLOCK_PX),
        BlockYSize=str(BLOCK_PX),
    )
    ET.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=width, ySize=rows)
    ET.SubElement(source, "DstRect", xOff=str(part.left), yOff=str(part.first), xSize=width, ySize=rows)
    if meta.overlapping:
        ET.SubElement(source, "NODATA").text = str(meta.nodata)
