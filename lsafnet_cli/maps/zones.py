"""Zones: polygons of any vector file, laid on a map's grid; a zone's pixels are those whose centres it holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fiona
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.features import rasterize
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.errors import InputError, NoOverlapError, OptionError
from lsafnet_cli.files.vectors import reading_vectors
from lsafnet_cli.geometry.grid import Grid

POLYGONS = ("Polygon", "MultiPolygon", "3D Polygon", "3D MultiPolygon", "GeometryCollection", "Unknown")
CORNERS = 256  # points put on the longest side of a zone before it is bent into another CRS
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ZoneRequest:
    """Which zones: a vector file, the field that names them, the layer that holds them."""

    path: str
    field: str | None = None
    layer: str | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """A named part of the ground; its outlines are in pixels of the map, x = column, y = row."""

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
    """Zones that touch a map, by name; `field` is what names them, None where it is the feature's id."""

    field: str | None
    zones: tuple[Zone, ...]


def read_zones(request: ZoneRequest, grid: Grid) -> ZoneSet:
    """Return the zones that touch a grid; features of one name are one zone.

    Raises InputError where the file cannot serve, OptionError for a field or layer that it lacks,
    NoOverlapError where no zone touches the grid.
    """
    path = request.path
    if grid.crs is None:
        raise InputError(f"{path}: zones cannot be laid on a map without a CRS")
    with reading_vectors(path, "zones"):
        layer = request.layer or _polygon_layer(path)
        _check_layer(request)
        with fiona.open(path, layer=layer) as source:
            field = _name_field(request, source.schema["properties"])
            if not source.crs_wkt:
                raise InputError(f"{path}: has no CRS; say where its zones lie")
            way = _Way(CRS.from_wkt(source.crs_wkt), grid)
            pieces: dict[str, list[BaseGeometry]] = {}
            for feature in source.filter(bbox=way.bounds):
                outline = way.to_pixels(feature["geometry"])
                if outline is not None:
                    pieces.setdefault(_name(feature, field), []).append(outline)
    if not pieces:
        raise NoOverlapError(f"{path}: no zone touches the map; check both files' CRS")
    return ZoneSet(field, tuple(Zone(name, tuple(outlines)) for name, outlines in pieces.items()))


def _polygon_layer(path: str) -> str:
    names = fiona.listlayers(path)
    holding = [name for name in names if _geometry_of(path, name) in POLYGONS]
    if not holding:
        raise InputError(f"{path}: holds no polygons")
    if len(holding) > 1:
        raise OptionError(f"{path}: has the layers {', '.join(holding)}; choose one with --zone-layer")
    return str(holding[0])


def _geometry_of(path: str, layer: str) -> str:
    with fiona.open(path, layer=layer) as source:
        return str(source.schema["geometry"])


def _check_layer(request: ZoneRequest) -> None:
    if request.layer is not None and request.layer not in (names := fiona.listlayers(request.path)):
        raise OptionError(f"--zone-layer {request.layer}: {request.path} has {', '.join(names)}")


def _name_field(request: ZoneRequest, properties: dict[str, str]) -> str | None:
    if request.field is None:
        texts = (name for name, kind in properties.items() if kind.split(":")[0] == "str")
        return next(texts, None)
    if request.field not in properties:
        raise OptionError(
            f"--zone-field {request.field}: {request.path} has the fields {', '.join(properties) or '(none)'}"
        )
    return request.field


def _name(feature: Any, field: str | None) -> str:
    value = feature["properties"][field] if field is not None else None
    return str(value) if value is not None else f"feature {feature['id']}"


class _Way:
    """The way of polygons from their own CRS to pixels of a grid."""

    def __init__(self, crs: CRS, grid: Grid) -> None:
        self._grid = grid
        target = CRS.from_user_input(grid.crs.to_wkt() if grid.crs is not None else None)
        self._transformer = (
            None
            if crs.equals(target, ignore_axis_order=True)
            else Transformer.from_crs(crs, target, always_xy=True)
        )
        self.bounds = self._bounds(crs)

    def _bounds(self, crs: CRS) -> Bounds | None:
        """Return what of the zones' CRS lies near the grid; None where that is no plain rectangle."""
        grid = self._grid
        x, y = grid.to_ground([0, grid.width, 0, grid.width], [0, 0, grid.height, grid.height])
        bounds: Bounds = (min(x), min(y), max(x), max(y))
        if self._transformer is not None:
            bounds = transform_bounds(grid.crs, crs.to_wkt(), *bounds, densify_pts=21)
        left, bottom, right, top = bounds
        if not np.isfinite(bounds).all() or left > right:
            return None
        return left, bottom, right, top

    def to_pixels(self, geometry: Any) -> BaseGeometry | None:
        """Return a polygon in pixels of the grid; None for what is no polygon or lies elsewhere."""
        outline = _polygons(shape(geometry)) if geometry is not None else shapely.MultiPolygon()
        if self._transformer is not None:
            outline = self._bent(outline, self._transformer)
        grid = self._grid
        pixels = shapely.transform(outline, lambda xy: np.stack(grid.to_pixels(xy[:, 0], xy[:, 1]), axis=1))
        touches = pixels.intersects(shapely.box(0, 0, grid.width, grid.height))
        return shapely.orient_polygons(pixels) if touches else None

    def _bent(self, outline: BaseGeometry, transformer: Transformer) -> BaseGeometry:
        """Return an outline in the grid's CRS, its far parts cut off: they may lie where that CRS has no place."""
        if self.bounds is not None:
            left, bottom, right, top = self.bounds
            around = max(right - left, top - bottom)
            near = shapely.box(left - around, bottom - around, right + around, top + around)
            outline = _polygons(outline.intersection(near))
        if outline.is_empty:
            return outline
        left, bottom, right, top = outline.bounds
        outline = shapely.segmentize(outline, max(right - left, top - bottom) / CORNERS)
        moved = shapely.transform(outline, lambda xy: np.stack(transformer.transform(*xy.T), axis=1))
        return moved if np.isfinite(shapely.get_coordinates(moved)).all() else shapely.MultiPolygon()


def _polygons(geometry: BaseGeometry) -> BaseGeometry:
    """Return the polygons of any geometry as one valid one without heights, empty where there are none."""
    geometry = shapely.force_2d(geometry if geometry.is_valid else shapely.make_valid(geometry))
    return shapely.MultiPolygon([part for part in _flat(geometry) if isinstance(part, Polygon)])


def _flat(geometry: BaseGeometry) -> Iterator[BaseGeometry]:
    for part in shapely.get_parts(geometry):
        if isinstance(part, shapely.MultiPolygon | shapely.GeometryCollection):
            yield from _flat(part)
        else:
            yield part
