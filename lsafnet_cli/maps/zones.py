"""Zones: polygons of any vector file on a map's grid; a zone has the pixels whose centres it contains."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.errors import InputError, NoOverlapError, OptionError, PairError, reason_of
from lsafnet_cli.files.vectors import ids_without_place, reading_vectors
from lsafnet_cli.geometry.crs import NoWayError
from lsafnet_cli.geometry.footprints import Extent
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.scenes.polygon_files import PolygonPlacing, crs_of_layer, polygons_of

POLYGONS = ("Polygon", "MultiPolygon", "3D Polygon", "3D MultiPolygon", "GeometryCollection", "Unknown")


@dataclass(frozen=True, slots=True)
class ZoneRequest:
    """Which zones: a vector file, the field with their names, and the layer."""

    path: str | Path
    field: str | None = None
    layer: str | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """A named area; its outlines are in pixels of the map, x = column, y = row."""

    name: str
    outlines: tuple[BaseGeometry, ...]

    def pixels_in(self, window: Window) -> tuple[int, int, NDArray[np.bool_]] | None:
        """Return (top, left) and (rows, cols) of the zone's part of a window: True for its pixels.

        Windows begin at whole pixels, so that moving outlines into them rounds nothing, and neighbours
        with a common edge never share or lose a pixel.
        """
        left, top, right, bottom = shapely.total_bounds(self.outlines)
        first_row, end_row = _overlap(top, bottom, window.row_off, window.height)
        first_col, end_col = _overlap(left, right, window.col_off, window.width)
        if first_row >= end_row or first_col >= end_col:
            return None
        mask = rasterize(
            self.outlines,
            (end_row - first_row, end_col - first_col),
            transform=Affine.translation(first_col, first_row),
            dtype="uint8",
        )
        return first_row, first_col, mask.astype(bool)


def _overlap(low: float, high: float, first: int, length: int) -> tuple[int, int]:
    return max(int(np.floor(low)), first), min(int(np.ceil(high)) + 1, first + length)


@dataclass(frozen=True, slots=True)
class ZoneSet:
    """Zones that overlap a map, by name; `zone_field` holds the names, None stands for feature ids."""

    field: str | None
    zones: tuple[Zone, ...]


def read_zones(request: ZoneRequest, grid: Grid) -> ZoneSet:
    """Return the zones that touch a grid; features of one name are one zone.

    Raises InputError where the file cannot serve, OptionError for a field or layer that it lacks, PairError where
    its zones cannot be placed on the grid, and NoOverlapError where none touches it.
    """
    path = str(request.path)
    if grid.crs is None:
        raise PairError(f"{path}: zones cannot be placed on a map without a CRS")
    with reading_vectors(path, "zones"), fiona.open(path, layer=layer_of_zones(request)) as source:
        field = name_field_of(request, source.schema["properties"])
        crs = crs_of_layer(source)
        if crs is None:
            raise InputError(f"{path}: has no CRS; assign one")
        try:
            placing = PolygonPlacing(crs, grid)
        except NoWayError as error:
            raise PairError(
                f"{path}: cannot be transformed to the CRS of the map ({reason_of(error)})"
            ) from error
        pieces: dict[str, list[BaseGeometry]] = {}
        for feature in _features_about(source, placing.extent):
            outline = placing.place(shapely.union_all(polygons_of(feature)))
            if not np.isfinite(shapely.get_coordinates(outline)).all():
                raise PairError(
                    f"{path}: {name_of_zone(feature, field)} is beyond the domain of the map's CRS; clip it first"
                )
            if outline.intersects(shapely.box(0, 0, grid.width, grid.height)):
                pieces.setdefault(name_of_zone(feature, field), []).append(outline)
    if not pieces:
        raise NoOverlapError(f"{path}: no zone overlaps the map; check the CRS of both files")
    return ZoneSet(field, tuple(Zone(name, tuple(outlines)) for name, outlines in pieces.items()))


def _features_about(source: Any, extent: Extent | None) -> Iterator[Any]:
    """Yield the features of a layer that may be within an extent, at any multiple of 360 degrees."""
    if extent is None:
        return
    bounds = source.bounds if len(source) else (0, 0, 0, 0)
    if not np.isfinite(bounds).all():  # some feature is at no place, and reading it says which
        yield from source
        return
    whole = shapely.box(*bounds)
    for number in ids_without_place(source.path, source.name):  # a spatial index leaves them out
        yield source[number]
    boxes = [box for shift in extent.shifts if whole.intersects(box := extent.box(shift))]
    if boxes:  # with several, each feature once
        yield from source.filter(bbox=tuple(shapely.total_bounds(boxes)))


def layer_of_zones(request: ZoneRequest) -> str:
    """Return the layer that holds the zones. Raises InputError and OptionError."""
    _check_layer(request)
    return request.layer or _polygon_layer(str(request.path))


def _polygon_layer(path: str) -> str:
    names = fiona.listlayers(path)
    holding = [name for name in names if _geometry_of(path, name) in POLYGONS]
    if not holding:
        raise InputError(f"{path}: contains no polygons")
    if len(holding) > 1:
        raise OptionError(f"{path}: has the layers {', '.join(holding)}; choose one with `zone_layer`")
    return str(holding[0])


def _geometry_of(path: str, layer: str) -> str:
    with fiona.open(path, layer=layer) as source:
        return str(source.schema["geometry"])


def _check_layer(request: ZoneRequest) -> None:
    if request.layer is not None and request.layer not in (names := fiona.listlayers(request.path)):
        raise OptionError(f"`zone_layer` {request.layer}: {request.path} has {', '.join(names)}")


def name_field_of(request: ZoneRequest, properties: dict[str, str]) -> str | None:
    """Return the field that names zones, None where it is the feature's id. Raises OptionError."""
    if request.field is None:
        texts = (name for name, kind in properties.items() if kind.split(":")[0] == "str")
        return next(texts, None)
    if request.field not in properties:
        raise OptionError(
            f"`zone_field` {request.field}: {request.path} has the fields {', '.join(properties) or '(none)'}"
        )
    return request.field


def name_of_zone(feature: Any, field: str | None) -> str:
    """Return the name of a zone."""
    value = feature["properties"][field] if field is not None else None
    return str(value) if value is not None else f"feature {feature['id']}"
