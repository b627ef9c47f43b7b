"""Outline: polygons of a vector file become an area of interest in pixels of the common grid."""

from dataclasses import dataclass

import fiona
import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.errors import InputError, NoOverlapError, PairError, reason_of
from lsafnet_cli.files.vectors import reading_vectors
from lsafnet_cli.geometry.crs import NoWayError
from lsafnet_cli.geometry.footprints import is_polygon, simple_parts
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.polygon_files import PolygonPlacing, crs_of_layer, polygons_of


@dataclass(frozen=True, slots=True)
class Outline:
    """The union of the polygons of a vector file; without a CRS they are assumed to be in that of the grid."""

    path: str
    geometry: BaseGeometry
    crs: CRS | None


def read_outline(path: str, option: str = "aoi") -> Outline:
    """Read the polygons of the first layer that has any. Raises InputError if the file cannot be read or has none."""
    with reading_vectors(path, "a vector file"):
        outline = _first_polygons(path)
    if outline is None:
        raise InputError(f"{path}: contains no polygon; `{option}` needs polygons")
    return outline


def _first_polygons(path: str) -> Outline | None:
    for layer in fiona.listlayers(path):
        with fiona.open(path, layer=layer) as collection:
            polygons = [part for feature in collection for part in polygons_of(feature)]
            crs = crs_of_layer(collection)
        if polygons:
            return Outline(path, shapely.union_all(polygons), crs)
    return None


def place_outline(outline: Outline, grid: Grid) -> AreaOfInterest:
    """Return the outline in pixels of a grid, clipped to it.

    Raises NoOverlapError if it does not overlap the grid or contains no pixel centre, PairError if the grid
    has no CRS and the outline has one.
    """
    if outline.crs is not None and grid.crs is None:
        raise PairError(
            f"{outline.path}: cannot be placed on images without a CRS; assign a CRS to the images first"
        )
    try:
        placed = PolygonPlacing(outline.crs, grid).place(outline.geometry)
    except NoWayError as error:
        raise PairError(
            f"{outline.path}: cannot be transformed to the CRS of the images ({reason_of(error)})"
        ) from error
    if not np.isfinite(shapely.get_coordinates(placed)).all():
        raise PairError(f"{outline.path}: extends beyond the domain of the images' CRS; clip it first")
    whole = shapely.box(0, 0, grid.width, grid.height)
    within = simple_parts(shapely.intersection(shapely.make_valid(placed), whole))
    area = AreaOfInterest.of(shapely.union_all(list(filter(is_polygon, within))))
    if area is None or not area.holds_a_pixel():
        raise NoOverlapError(
            f"{outline.path}: `aoi` contains no pixel of the overlap of both images; check its CRS"
        )
    return area
