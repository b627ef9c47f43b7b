"""Vectorize: a change map becomes polygons, one for each 4-connected component of a transition."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from rasterio.windows import Window

from lsafnet_cli.files.rasters import bounded_cache, grid_of, rasterio_open
from lsafnet_cli.geometry.arrays import FloatArray, IntArray
from lsafnet_cli.geometry.ground import pixel_areas, pixel_sides_m
from lsafnet_cli.geometry.row_bands import row_windows, run_areas
from lsafnet_cli.geometry.runs import Runs, find_runs
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.count import refuse_strange_codes
from lsafnet_cli.options import PolygonOptions
from lsafnet_cli.polygons.components import ComponentFinder, Components
from lsafnet_cli.polygons.files import write_polygon_files
from lsafnet_cli.polygons.lattice import (
    NodeFinder,
    Nodes,
    Rings,
    join_rings,
    polygons_of,
    read_rings,
    with_nodes,
)
from lsafnet_cli.polygons.redraw import Redrawer, Redrawing
from lsafnet_cli.polygons.sieve import sieve_map
from lsafnet_cli.polygons.table import Layer, PolygonBatch
from lsafnet_cli.polygons.wishes import least_areas, wanted_codes

BATCH = 20_000  # polygons processed at once
Polygons = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class ChangeMap:
    """A map to vectorize: codes, if known the probability of change in percent, and the legend."""

    codes: str | Path
    probability: Path | None
    legend: Legend
    before_date: date | None
    after_date: date | None
    scene: str


@dataclass(frozen=True, slots=True)
class MapComponents:
    """Connected components to vectorize, with their attributes; `mask` is a raster that is 1 on them."""

    components: Components
    nodes: Nodes
    mask: Path


def vectorize_map(change_map: ChangeMap, targets: list[Path], options: PolygonOptions) -> int:
    """Write the polygons of a map to several files and return their number.

    Memory follows their number, not the number of pixels. Raises OptionError, OutputError.
    """
    with bounded_cache():
        codes_path = sieved(change_map, targets[0].with_name("sieved.work"), options)
        with rasterio_open(codes_path) as codes:
            pieces = find_pieces(codes, change_map, targets[0].with_name("mask.work"), options)
            layer = Layer(
                grid_of(codes), change_map.legend, change_map.before_date, change_map.after_date,
                change_map.scene, options.dissolve, options.review_form, options.told(),
            )  # fmt: skip
            return write_polygon_files(targets, layer, draw(codes, change_map, pieces, options))


def sieved(change_map: ChangeMap, target: Path, options: PolygonOptions) -> str | Path:
    """Return the map's codes, sieved if a minimum size is given."""
    in_pixels, legend = options.min_pixels > 0, change_map.legend
    least = options.min_pixels if in_pixels else options.min_area_m2
    by_code = least_areas(legend, options.min_area_by_class)
    if least == 0 and not by_code:
        return change_map.codes
    sieve_map(change_map.codes, target, legend.nodata, least, by_code, in_pixels=in_pixels)
    return target


def find_pieces(codes: Any, change_map: ChangeMap, mask_path: Path, options: PolygonOptions) -> MapComponents:
    """Find the connected components of the selected transitions in an open map, row band by row band."""
    grid, legend = grid_of(codes), change_map.legend
    sought = wanted_codes(legend, options.classes)
    wanted = np.zeros(np.iinfo(codes.dtypes[0]).max + 1, np.uint8)
    wanted[sought] = 1
    shown = np.zeros(len(wanted), codes.dtypes[0])  # a code for selected transitions, else 0
    shown[[*sought, legend.nodata]] = [*sought, legend.nodata]
    finder, nodes = ComponentFinder(codes.width), NodeFinder(codes.width, legend.nodata, shown.dtype)
    areas = pixel_areas(grid)
    with _open_mask(mask_path, codes) as mask:
        for window in row_windows(grid):
            runs = find_runs(codes.read(1, window=window), window.row_off)
            refuse_strange_codes(runs.code, legend, str(change_map.codes))
            score = _scores(runs, change_map.probability, window)
            finder.add(runs, wanted[runs.code] > 0, run_areas(runs, areas), score)
            nodes.add(runs.spread(shown[runs.code]))
            mask.write(runs.spread(wanted[runs.code]), 1, window=window)
    return MapComponents(finder.finish(), nodes.finish(), mask_path)


def _scores(runs: Runs, probability: Path | None, window: Window) -> FloatArray:
    """Return the summed probability of each run of a row band; NaN if unknown."""
    if probability is None:
        return np.full(len(runs.code), np.nan)
    with rasterio_open(probability) as dataset:
        return runs.sums(dataset.read(1, window=window)) / 100


@contextmanager
def _open_mask(path: Path, like: Any) -> Iterator[Any]:
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nbits": 1, "compress": "deflate"}
    size = {"width": like.width, "height": like.height, "transform": Affine.scale(2)}
    with rasterio.open(path, "w", tiled=True, blockxsize=512, blockysize=512, **profile, **size) as mask:
        yield mask


def draw(
    codes: Any, change_map: ChangeMap, pieces: MapComponents, options: PolygonOptions
) -> Iterator[PolygonBatch]:
    """Yield batches of polygons with their attributes."""
    grid, rings = grid_of(codes), trace(codes, pieces)
    if options.generalised:
        drawn = redrawn(list(rings), codes, pieces.nodes, change_map.legend.nodata, options)
    else:
        drawn = ((polygons_of(batch, grid), batch.first_pixels(grid.width)) for batch in rings)
    components, count = pieces.components, 0
    if options.dissolve:
        drawn = iter([_all_at_once(drawn)])
    for polygons, first_pixels in drawn:
        index = components.indices_of(first_pixels)
        batch = PolygonBatch(
            polygons=polygons,
            ids=np.arange(count + 1, count + len(polygons) + 1),
            codes=components.code[index].astype(np.int64),
            pixels=components.pixels[index],
            area_m2=components.area_m2[index],
            confidence=components.score[index] / components.pixels[index],
        )
        count += len(polygons)
        yield batch.dissolved() if options.dissolve else batch


def _all_at_once(drawn: Iterator[tuple[Polygons, IntArray]]) -> tuple[Polygons, IntArray]:
    batches = [(np.empty(0, object), np.empty(0, np.int64)), *drawn]
    return np.concatenate([polygons for polygons, _ in batches]), np.concatenate(
        [first for _, first in batches]
    )


def trace(codes: Any, pieces: MapComponents) -> Iterator[Rings]:
    """Yield the rings of the selected components of an open map, with a vertex wherever neighbours have one."""
    to_pixels = ~codes.transform
    with rasterio_open(pieces.mask) as mask:
        found = shapes(rasterio.band(codes, 1), mask=rasterio.band(mask, 1), connectivity=4)
        while batch := _take(found, BATCH):
            yield with_nodes(read_rings(batch, to_pixels), pieces.nodes)


def _take(found: Iterator[tuple[Any, Any]], count: int) -> list[Any]:
    """Return the next geometries. Garbage collection is paused: it would scan all their tuples in vain."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return [geometry for geometry, _ in islice(found, count)]
    finally:
        if collects:
            gc.enable()


def redrawn(
    batches: list[Rings], codes: Any, nodes: Nodes, nodata: int, options: PolygonOptions
) -> Iterator[tuple[Polygons, IntArray]]:
    """Yield batches of polygons with redrawn borders, and their first pixels; borders to nodata stay unchanged."""
    if not batches:
        return
    grid, rings = grid_of(codes), join_rings(batches)
    pixel = pixel_sides_m(grid) or (1.0, 1.0)
    redrawer = Redrawer(rings, nodes, grid, Redrawing(options.simplify_m, options.smooth, pixel))
    beside = redrawer.arcs.beside
    to_nodata = [lacks_data(codes, cols, rows, nodata) for cols, rows in beside.transpose(1, 2, 0)]
    redrawer.keep(np.logical_or(*to_nodata))
    polygons, first_pixels = redrawer.polygons(), rings.first_pixels(grid.width)
    for first in range(0, len(polygons), BATCH):
        yield polygons[first : first + BATCH], first_pixels[first : first + BATCH]


def lacks_data(codes: Any, cols: IntArray, rows: IntArray, nodata: int) -> NDArray[np.bool_]:
    """Return which pixels are outside an open map or hold `nodata`; reads it row band by row band."""
    beyond: NDArray[np.bool_] = (cols < 0) | (rows < 0) | (cols >= codes.width) | (rows >= codes.height)
    for window in row_windows(grid_of(codes)):
        here = ~beyond & (rows >= window.row_off) & (rows < window.row_off + window.height)
        pixels = codes.read(1, window=window)
        beyond[here] = pixels[rows[here] - window.row_off, cols[here]] == nodata
    return beyond
