"""Outline: polygons of a vector file, and bounds, become an area of interest in pixels of the common grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import fiona
import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.errors import InputError, NoOverlapError, OptionError, PairError, reason_of
from lsafnet_cli.files.vectors import reading_vectors
from lsafnet_cli.geometry.crs import NoWayError, full_turn, horizontal
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.parts import polygon_parts
from lsafnet_cli.options import Bounds
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.polygon_files import PolygonPlacing, crs_of_layer, polygons_of


@dataclass(frozen=True, slots=True)
class Outline:
    """The union of the polygons of a vector file; without a CRS they are assumed to be in that of the grid.

    For bounds `is_file` is False and `path` names the option.
    """

    path: str
    geometry: BaseGeometry
    crs: CRS | None
    is_file: bool = True


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


def wished_outlines(aoi: str | Path | None, bounds: Bounds | None, grid: Grid) -> list[Outline]:
    """Return the outlines that limit the map: the polygons of a file, and bounds in the CRS of the grid.

    Raises InputError for the file, OptionError for bounds that are no box.
    """
    outlines = [] if aoi is None else [read_outline(str(aoi))]
    if bounds is not None:
        outlines.append(Outline(_words(bounds), _box(bounds, grid), None, is_file=False))
    return outlines


def _words(bounds: Bounds) -> str:
    return f"`bounds` {' '.join(f'{edge:.9g}' for edge in bounds)}"


def _box(bounds: Bounds, grid: Grid) -> BaseGeometry:
    west, south, east, north = bounds
    turn = None if grid.crs is None else full_turn(horizontal(grid.crs))
    if east <= west and turn is not None:
        east += turn
    if east <= west:
        raise OptionError(f"{_words(bounds)}: write west, south, east and north, west below east")
    box: BaseGeometry = shapely.box(west, south, east, north)
    return box


def place_outlines(outlines: Sequence[Outline], grid: Grid) -> AreaOfInterest:
    """Return the intersection of some outlines in pixels of a grid, clipped to it.

    Raises NoOverlapError if it does not overlap the grid or contains no pixel centre, PairError if the grid
    has no CRS and an outline has one.
    """
    within: BaseGeometry = shapely.box(0, 0, grid.width, grid.height)
    for outline in outlines:
        within = shapely.union_all(list(polygon_parts(shapely.intersection(_placed(outline, grid), within))))
    area = AreaOfInterest.of(within)
    if area is None or not area.holds_a_pixel():
        names = " and ".join(outline.path for outline in outlines)
        contains = "`aoi` contains" if len(outlines) == 1 and outlines[0].is_file else "contain"
        raise NoOverlapError(f"{names}: {contains} no pixel of the overlap of both images; check the CRS")
    return area


def _placed(outline: Outline, grid: Grid) -> BaseGeometry:
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
    valid: BaseGeometry = shapely.make_valid(placed)
    return valid
