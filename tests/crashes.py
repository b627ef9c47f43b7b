"""Inputs that once ended in a traceback, each made anew in a folder, with the command that reads it.

Each is a file of a few bytes beside whole ones. Whoever wrote it, the command ends as it says here, and in one line.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from rasterio.crs import CRS

from lsafnet_cli.files.provenance import LEGEND

from .bad_inputs import vrt
from .change_maps import LAND

DEEP = "[" * 100_000
RING = [[600010, 5334990], [600020, 5334990], [600020, 5334980], [600010, 5334990]]


@dataclass(frozen=True, slots=True)
class Crash:
    """A file that is written by a recipe, the whole files that it needs, a command, and its exit code."""

    path: str
    write: Callable[[Path], None]
    needs: tuple[str, ...]
    command: tuple[str, ...]
    code: int


def placed_at_nan(path: Path) -> None:
    """Write an image whose transform holds no number."""
    place = "<GeoTransform>600000, 0.5, 0, nan, 0, -0.5</GeoTransform><VRTR"
    path.write_text(vrt(80, 70, source="a.tif").replace("<VRTR", place, 1), encoding="utf-8")


def named_in_no_letters(path: Path) -> None:
    """Write an image that names a source in bytes that are no UTF-8."""
    path.write_bytes(vrt(80, 70, source="NAME").encode().replace(b"NAME", b"\xff\xfe\x80gone.tif"))


def placed_as_nobody_knows(path: Path) -> None:
    """Write an image whose projection PROJ has never heard of."""
    place = "<GeoTransform>600000, 0.5, 0, 5335000, 0, -0.5</GeoTransform><VRTR"
    wkt = (
        CRS.from_epsg(32632).to_wkt(version="WKT1_GDAL").replace("Transverse_Mercator", "Transverse_Merctor")
    )
    whole = vrt(80, 70, source="a.tif").replace("<VRTR", f"<SRS>{escape(wkt)}</SRS>{place}", 1)
    path.write_text(whole, encoding="utf-8")


def described_in_no_letters(path: Path) -> None:
    """Write an image whose description GDAL quotes in bytes that are no UTF-8."""
    path.write_bytes(vrt(80, 70, source="a.tif").encode().replace(b"rasterYSize", b"\xbe rasterYSize"))


def in_no_letters(old: bytes, new: bytes) -> Callable[[Path], None]:
    """Return what writes a GeoPackage some of whose statements hold bytes that are no UTF-8."""
    return lambda path: path.write_bytes(path.with_name("aoi.gpkg").read_bytes().replace(old, new)) and None


def of_another_application(path: Path) -> None:
    """Write a GeoPackage whose header names another application, of which GDAL warns."""
    content = path.with_name("aoi.gpkg").read_bytes()
    path.write_bytes(content[:68] + bytes(4) + content[72:])


def map_with(legend: str) -> Callable[[Path], None]:
    """Return what writes a map that has this text as its legend."""
    entry = f'<Metadata><MDI key="{LEGEND}">{escape(legend)}</MDI></Metadata>'

    def write(path: Path) -> None:
        whole = vrt(80, 70, bands=1, source="map.tif").replace("<VRTR", f"{entry}<VRTR", 1)
        path.write_text(whole, encoding="utf-8")

    return write


def legend_of(name: object, color: str = "#ffffff") -> str:
    """Return a legend whose first class is odd."""
    classes = [{"name": name, "color": color}, {"name": "b", "color": "#000000"}]
    return json.dumps({"semantic": True, "classes": classes})


def checkpoint_with(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    """Return what changes the description in a checkpoint."""

    def write(path: Path) -> None:
        content = path.with_name("tiny.safetensors").read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        info = json.loads(header["__metadata__"]["lsafnet"])
        change(info)
        header["__metadata__"]["lsafnet"] = json.dumps(info)
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])

    return write


def numbers_too_large(info: dict[str, object]) -> None:
    """Let a score be larger than any real number."""
    info["metrics"] = {"oa": 10**400}


def class_called(name: str) -> Callable[[dict[str, object]], None]:
    """Return what renames a class."""

    def change(info: dict[str, object]) -> None:
        info["classes"][3]["name"] = name

    return change


def text(content: str) -> Callable[[Path], None]:
    """Return what writes a text."""
    return lambda path: (
        path.parent.mkdir(exist_ok=True, parents=True),
        path.write_text(content, encoding="utf-8"),
    )[0]


EMPTY_PART = json.dumps({
    "type": "FeatureCollection",
    "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}},
    "features": [{"type": "Feature", "properties": {"name": "a"},
                  "geometry": {"type": "MultiPolygon", "coordinates": [[RING], []]}}],
})  # fmt: skip
RECORDS = json.dumps({"scenes": [{"name": "x", "status": "weird", "output": 1.0, "changed_ha": "x"}]})
SET = ("set/train/*/*", "set/val/*/*")
PREDICT = ("predict", "a.tif", "b.tif", "-o", "out.tif")
CRASHES = {
    "a transform of nan": Crash("odd.vrt", placed_at_nan, ("a.tif", "b.tif"), ("check", "odd.vrt", "b.tif"), 3),
    "a broken projection of zones": Crash(
        "zones.prj", text('PROJCS["x'), ("map.tif", "zones.shp", "zones.shx", "zones.dbf"),
        ("summarize", "map.tif", "--zones", "zones.shp"), 3,
    ),
    "an empty part of a polygon": Crash(
        "parts.geojson", text(EMPTY_PART), ("map.tif",), ("summarize", "map.tif", "--zones", "parts.geojson"), 0
    ),
    "a file of another application": Crash(
        "other.gpkg", of_another_application, ("map.tif", "aoi.gpkg"),
        ("summarize", "map.tif", "--zones", "other.gpkg"), 0,
    ),
    "a number as a class": Crash("odd.vrt", map_with(legend_of(7)), ("map.tif",), ("summarize", "odd.vrt"), 3),
    "a colour that is none": Crash(
        "odd.vrt", map_with(legend_of("a", "#-1-1-1")), ("map.tif",), ("vectorize", "odd.vrt", "-o", "out.gpkg"), 3
    ),
    "a legend without end": Crash("odd.vrt", map_with(DEEP), ("map.tif",), ("show", "--force", "odd.vrt"), 3),
    "classes without names": Crash(
        "odd.vrt", map_with(LAND.to_json().replace("water", "  ")), ("map.tif", "zeros.tif", "ones.tif"),
        ("evaluate", "odd.vrt", "zeros.tif", "ones.tif", "--bootstrap", "0"), 3,
    ),
    "a score beyond all numbers": Crash(
        "odd.safetensors", checkpoint_with(numbers_too_large), ("tiny.safetensors",),
        ("checkpoint", "show", "odd.safetensors"), 5,
    ),
    "half a letter in a class": Crash(
        "odd.safetensors", checkpoint_with(class_called("a\ud800")), ("tiny.safetensors", "a.tif", "b.tif"),
        (*PREDICT, "--checkpoint", "odd.safetensors"), 5,
    ),
    "a class with a million letters": Crash(
        "odd.safetensors", checkpoint_with(class_called("x" * 1_000_000)), ("tiny.safetensors", "a.tif", "b.tif"),
        (*PREDICT, "--also", "quicklook", "--checkpoint", "odd.safetensors"), 5,
    ),
    "a range that is none": Crash(
        "set/classes.json", text(json.dumps({"classes": json.loads(LAND.to_json())["classes"],
                                             "value_range": [{}, 255]})),
        SET, ("dataset", "check", "set"), 3,
    ),
    "records of odd types": Crash("out/batch.1-of-1.json", text(RECORDS), (), ("batch", "--collect", "out"), 3),
    "a state without end": Crash(
        ".out.tif.partial/state.json", text(DEEP * 2), ("a.tif", "b.tif", ".out.tif.partial/made-by-lsafnet"),
        PREDICT, 0,
    ),
    "a name that is no text": Crash(
        "odd.vrt", named_in_no_letters, ("a.tif", "b.tif"), ("predict", "odd.vrt", "b.tif", "-o", "out.tif"), 3
    ),
    "a projection that nobody knows": Crash(
        "odd.vrt", placed_as_nobody_knows, ("a.tif",), ("check", "odd.vrt", "odd.vrt"), 0
    ),
    "a description that is no text": Crash(
        "odd.vrt", described_in_no_letters, ("a.tif", "b.tif"), ("check", "odd.vrt", "b.tif"), 3
    ),
    "a name that no file can have": Crash(
        "pairs.csv", text("before,after\na.tif,b\0.tif\n"), ("a.tif", "b.tif"),
        ("batch", "--pairs", "pairs.csv", "-o", "out", "--dry-run"), 2,
    ),
    "a statement that is no text": Crash(
        "parts.gpkg", in_no_letters(b"CREATE TRIGGER", b"CREATE TRI\xff\xfeER"), ("map.tif", "aoi.gpkg"),
        ("summarize", "map.tif", "--zones", "parts.gpkg"), 3,
    ),
}  # fmt: skip
