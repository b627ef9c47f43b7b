"""A STAC item for catalogues: footprint, time, files and classes of a map.

Follows STAC 1.1 with the extensions projection, raster and classification.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pystac
from pystac.extensions.classification import Classification, ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, RasterBand, RasterExtension, Sampling, Statistics

from lsafnet_cli.files.layers import CODES, PERCENT_NODATA, is_of_codes
from lsafnet_cli.files.outputs import OutputPaths
from lsafnet_cli.files.provenance import Provenance
from lsafnet_cli.files.raster_styles import RasterStyle, layer_style
from lsafnet_cli.geometry.footprints import footprint_of
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.legend.classes import hex_color
from lsafnet_cli.maps.table import ChangeTable
from lsafnet_cli.options import POLYGON_FORMATS

POLYGON_TYPES = {
    "GPKG": pystac.MediaType.GEOPACKAGE,
    "GeoJSON": pystac.MediaType.GEOJSON,
    "FlatGeobuf": pystac.MediaType.FLATGEOBUF,
    "Parquet": "application/vnd.apache.parquet",
    "ESRI Shapefile": "application/vnd.shp",
}


def stac_text(paths: OutputPaths, grid: Grid, provenance: Provenance, table: ChangeTable) -> str:
    """Return the text of the item that describes a run's files; links are relative to the item."""
    item = make_item(paths, grid, provenance, table, datetime.now(UTC))
    return json.dumps(item.to_dict(include_self_link=False), indent=2, ensure_ascii=False) + "\n"


def make_item(
    paths: OutputPaths, grid: Grid, provenance: Provenance, table: ChangeTable, created: datetime
) -> pystac.Item:
    """Return the item. Without a CRS it has no geometry; without dates its time is that of its creation."""
    footprint, times = footprint_of(grid), _times(provenance, created)
    item = pystac.Item(
        id=paths.map.stem,
        geometry=footprint.geometry if footprint is not None else None,
        bbox=footprint.bbox if footprint is not None else None,
        datetime=times[0] if len(times) == 1 else None,
        start_datetime=times[0] if len(times) == 2 else None,
        end_datetime=times[1] if len(times) == 2 else None,
        properties=_properties(grid, provenance, table, created),
    )
    _describe_grid(item, grid)
    for name, path in {CODES: paths.map, **paths.layers}.items():
        style = layer_style(name, provenance.legend)
        asset = _asset(item, paths, "map" if name == CODES else name, path, pystac.MediaType.COG, ["data"])
        asset.title = style.description
        _describe_band(asset, name, grid, provenance, table)
        _describe_classes(asset, style, dict(_counts(table)) if name == CODES else {})
        for side in style.side_files(path):
            kind = "style" if side.suffix == ".qml" else "metadata"
            key = f"{'map' if name == CODES else name}_{kind}"
            _asset(item, paths, key, side, pystac.MediaType.XML, [kind])
    for path in paths.polygons:
        ending = path.suffix.lower()
        _asset(item, paths, f"polygons_{ending[1:]}", path, POLYGON_TYPES[POLYGON_FORMATS[ending]], ["data"])
    if paths.quicklook is not None:
        _asset(item, paths, "quicklook", paths.quicklook, pystac.MediaType.PNG, ["overview"])
    return item


def _times(provenance: Provenance, created: datetime) -> list[datetime]:
    """Return start and end if both dates are known; else the known one, or the time of creation."""
    days = [day for day in (provenance.before_date, provenance.after_date) if day is not None]
    return sorted(map(_midnight, days)) or [created]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _properties(grid: Grid, provenance: Provenance, table: ChangeTable, created: datetime) -> dict[str, Any]:
    known = {
        "created": pystac.utils.datetime_to_str(created),
        "gsd": pixel_size_m(grid),
        "lsafnet:version": provenance.version,
        "lsafnet:checkpoint": provenance.checkpoint,
        "lsafnet:checkpoint_sha256": provenance.checkpoint_sha256,
        "lsafnet:before": provenance.before,
        "lsafnet:after": provenance.after,
        "lsafnet:changed_ha": table.changed_ha,
        "lsafnet:valid_ha": table.valid_ha,
    }
    return {
        "title": "Change map: what changed from what into what",
        **{name: value for name, value in known.items() if value is not None},
    }


def _describe_grid(item: pystac.Item, grid: Grid) -> None:
    authority = grid.crs.to_authority() if grid.crs is not None else None
    x, y = grid.to_ground([0, grid.width, 0, grid.width], [0, 0, grid.height, grid.height])
    projection = ProjectionExtension.ext(item, add_if_missing=True)
    projection.apply(
        code=":".join(authority) if authority else None,
        wkt2=grid.crs.to_wkt(version="WKT2_2019") if grid.crs is not None and not authority else None,
        bbox=[float(value) for value in (x.min(), y.min(), x.max(), y.max())]
        if grid.crs is not None
        else None,
        shape=[grid.height, grid.width],
        transform=[float(value) for value in grid.transform[:6]],
    )


def _asset(
    item: pystac.Item, paths: OutputPaths, key: str, path: Path, media_type: str | None, roles: list[str]
) -> pystac.Asset:
    """Add a file to an item and return its entry."""
    href = Path(os.path.relpath(path, paths.map.parent)).as_posix()
    asset = pystac.Asset(href if href.startswith("..") else f"./{href}", media_type=media_type, roles=roles)
    item.add_asset(key, asset)
    return asset


def _describe_band(
    asset: pystac.Asset, layer: str, grid: Grid, provenance: Provenance, table: ChangeTable
) -> None:
    legend, style = provenance.legend, layer_style(layer, provenance.legend)
    band = RasterBand.create(
        nodata=legend.nodata if is_of_codes(layer) else PERCENT_NODATA,
        sampling=Sampling.AREA,
        data_type=DataType(legend.dtype if is_of_codes(layer) else "uint8"),
        spatial_resolution=pixel_size_m(grid),
        unit=style.unit or None,
        statistics=Statistics.create(valid_percent=100 * table.valid_pixels / grid.pixel_count),
    )
    RasterExtension.ext(asset, add_if_missing=True).bands = [band]


def _describe_classes(asset: pystac.Asset, style: RasterStyle, pixels: Mapping[int, int]) -> None:
    """Describe the values of a raster, with counts if `pixels` is known."""
    total = sum(pixels.values())
    classes = []
    for entry in style.categories:
        count = pixels.get(entry.value, 0)
        described = Classification.create(
            value=entry.value,
            name=class_name(entry.label, entry.value),
            title=entry.label,
            description=entry.label,
            color_hint=hex_color(entry.color)[1:].upper(),
            count=count if pixels else None,
            percentage=round(100 * count / total, 6) if total else None,
        )
        classes.append(described)
    if classes:
        ClassificationExtension.ext(asset, add_if_missing=True).apply(classes)


def _counts(table: ChangeTable) -> Iterator[tuple[int, int]]:
    yield 0, table.valid_pixels - table.changed_pixels
    yield from ((row.code, row.pixels) for row in table.transitions)


def class_name(label: str, value: int) -> str:
    """Return a class name of ASCII letters, digits and hyphens, as the extension requires."""
    plain = re.sub(r"[^0-9A-Za-z]+", "-", label).strip("-").lower()
    return plain if label.isascii() and plain else f"class-{value}"
