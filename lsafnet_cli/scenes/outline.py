"""Outline: a vector file's polygons become an area of interest in pixels of the common grid."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import fiona
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from shapely.affinity import translate
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.errors import InputError, NoOverlapError, PairError, reason_of
from lsafnet_cli.files.rasters import RASTER_ERRORS
from lsafnet_cli.files.vectors import reading_vectors
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.scenes.aoi import AreaOfInterest

Points = NDArray[np.float64]

FOOTPRINT_POINTS = 33  # along each axis of a grid, to find its extent in another CRS
SPARE = 0.05  # of that extent, kept around it, since it may bulge between the points
EDGE_SHARE = 1 / 512  # of that extent: the longest edge that is brought into another CRS as a straight one
WHOLE_TURN = 360.0
FARTHEST = 1e12  # of any coordinate; squares of larger ones overflow where polygons are mended
NEARLY_ROUND = 300.0  # degrees of longitude; a footprint this wide has a pole in it or goes around the earth


@dataclass(frozen=True, slots=True)
class Outline:
    """The polygons of a vector file, united; without a CRS they are taken to be in the grid's."""

    path: str
    geometry: BaseGeometry
    crs: CRS | None


def read_outline(path: str, option: str = "--aoi") -> Outline:
    """Read the polygons of the first layer that has some.

    Raises InputError where the file cannot be read or holds none.
    """
    with reading_vectors(path, "a vector file"):
        outline = _first_polygons(path)
    if outline is None:
        raise InputError(f"{path}: holds no polygon; {option} takes the area within polygons")
    return outline


def _first_polygons(path: str) -> Outline | None:
    for layer in fiona.listlayers(path):
        with fiona.open(path, layer=layer) as collection:
            polygons = [part for feature in collection for part in _polygons_of(feature)]
            crs = CRS.from_wkt(collection.crs_wkt) if collection.crs_wkt else None
        if polygons:
            return Outline(path, shapely.union_all(polygons), crs)
    return None


def _polygons_of(feature: Any) -> list[BaseGeometry]:
    """Return the polygons of a feature, mended where their rings cross. Raises ValueError for absurd places."""
    if feature.geometry is None:
        return []
    flat = shapely.force_2d(shape(feature.geometry))
    if not (np.abs(shapely.get_coordinates(flat)) < FARTHEST).all():  # those that are no numbers, too
        raise ValueError(f"feature {feature.id} has coordinates that are no place in any CRS")
    found = shapely.make_valid(flat)
    return [part for part in _parts(found) if part.geom_type == "Polygon" and not part.is_empty]


def _parts(geometry: BaseGeometry) -> list[BaseGeometry]:
    """Return the simple parts of a geometry, those of collections in collections too."""
    parts = getattr(geometry, "geoms", None)
    return [geometry] if parts is None else [simple for part in parts for simple in _parts(part)]


def place_outline(outline: Outline, grid: Grid) -> AreaOfInterest:
    """Return the outline in pixels of a grid, cut to it.

    Raises NoOverlapError where it does not touch the grid or holds no pixel's centre, PairError where a grid
    without a CRS leaves its place unknown.
    """
    if outline.crs is not None and grid.crs is None:
        raise PairError(
            f"{outline.path}: its place on images without a CRS is unknown; give the images a CRS first"
        )
    try:
        placed = _placed(outline, grid)
    except RASTER_ERRORS as error:
        raise PairError(
            f"{outline.path}: its CRS does not fit that of the images ({reason_of(error)})"
        ) from error
    if not np.isfinite(shapely.get_coordinates(placed)).all():
        raise PairError(f"{outline.path}: reaches where the images' CRS has no coordinates; cut it first")
    whole = shapely.box(0, 0, grid.width, grid.height)
    area = AreaOfInterest.of(_united([shapely.intersection(shapely.make_valid(placed), whole)]))
    if area is None or not area.holds_a_pixel():
        raise NoOverlapError(
            f"{outline.path}: --aoi holds no pixel of the ground that both images share; check its CRS"
        )
    return area


def _placed(outline: Outline, grid: Grid) -> BaseGeometry:
    """Return what of an outline lies about a grid, in its pixels."""
    crs = outline.crs or grid.crs
    footprint = _Footprint.of(grid, crs)
    here = footprint.cut(outline.geometry)
    if crs != grid.crs:
        here = shapely.segmentize(here, footprint.size * EDGE_SHARE)
    return shapely.transform(here, lambda points: _to_pixels(points, crs, grid))


def _to_pixels(points: Points, crs: CRS | None, grid: Grid) -> Points:
    x, y = points.T
    if crs != grid.crs:
        x, y = (np.asarray(axis) for axis in transform_points(crs, grid.crs, x, y))
    return np.stack(grid.to_pixels(x, y), axis=1)


def _united(geometries: list[BaseGeometry]) -> BaseGeometry:
    polygons = [part for geometry in geometries for part in _parts(geometry) if part.geom_type == "Polygon"]
    return shapely.union_all(polygons)


@dataclass(frozen=True, slots=True)
class _Footprint:
    """The extent of a grid in the CRS of an outline; its longitudes may run beyond 180 degrees."""

    left: float
    bottom: float
    right: float
    top: float
    degrees: bool

    @classmethod
    def of(cls, grid: Grid, crs: CRS | None) -> "_Footprint":
        cols, rows = np.meshgrid(*(np.linspace(0, n, FOOTPRINT_POINTS) for n in (grid.width, grid.height)))
        x, y = grid.to_ground(cols.ravel(), rows.ravel())
        if crs != grid.crs:
            x, y = (np.asarray(axis) for axis in transform_points(grid.crs, crs, x, y))
        seen = np.isfinite(x) & np.isfinite(y)
        if not seen.any():
            return cls(0.0, 0.0, 0.0, 0.0, False)
        x, y = x[seen], y[seen]
        degrees = bool(crs is not None and crs.is_geographic)
        bottom, top = y.min(), y.max()
        if degrees and crs != grid.crs:
            x = _unwrapped(x)
            if np.ptp(x) > NEARLY_ROUND:
                # one turn and no more: what is twice in a ring counts as outside
                bottom, top = (-90.0 if bottom < 0 else bottom), (90.0 if top > 0 else top)
                return cls(-180.0, bottom, 180.0, top, True)
        spare = SPARE * max(np.ptp(x), top - bottom)
        return cls(x.min() - spare, bottom - spare, x.max() + spare, top + spare, degrees)

    @property
    def size(self) -> float:
        """Its longer side."""
        return max(self.right - self.left, self.top - self.bottom)

    def cut(self, geometry: BaseGeometry) -> BaseGeometry:
        """Return what of a geometry lies in the footprint, however its longitudes are counted."""
        turns = (-WHOLE_TURN, 0.0, WHOLE_TURN) if self.degrees else (0.0,)
        found = []
        for turn in turns:
            box = shapely.box(self.left - turn, self.bottom, self.right - turn, self.top)
            found.append(translate(shapely.intersection(geometry, box), xoff=turn))
        return _united(found)


def _unwrapped(longitudes: Points) -> Points:
    """Return longitudes counted on across the widest gap between them, so that their span is the least."""
    ordered = np.sort(longitudes % WHOLE_TURN)
    gaps = [right - left for left, right in pairwise((*ordered, ordered[0] + WHOLE_TURN))]
    start = ordered[(int(np.argmax(gaps)) + 1) % len(ordered)]
    unwrapped = start + (longitudes - start) % WHOLE_TURN
    return np.asarray(unwrapped - (WHOLE_TURN if unwrapped.mean() > 180 else 0.0))
