"""Sieve: connected components smaller than a minimum size go to their neighbours, row band by row band.

Components of unchanged pixels count as well: a small change vanishes, a small hole in a change is filled. Pixels
without data neither change nor count.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from lsafnet_cli.files.rasters import grid_of, rasterio_open, reading_pixels
from lsafnet_cli.files.replacing import output_errors
from lsafnet_cli.geometry.arrays import BoolArray, FloatArray, IntArray
from lsafnet_cli.geometry.ground import pixel_areas
from lsafnet_cli.geometry.row_bands import row_windows, run_areas
from lsafnet_cli.geometry.runs import Runs, find_runs
from lsafnet_cli.polygons.components import ComponentFinder, label_linked, label_runs

_LOW = np.int64(0xFFFFFFFF)  # two piece numbers stand in one int64


def sieve_map(
    source: str | Path, target: Path, nodata: int, min_area: float, by_code: Mapping[int, float] | None = None, *,
    in_pixels: bool = False,
) -> None:  # fmt: skip
    """Write `source` to `target` with connected components below `min_area` (m2; pixels without a CRS) removed.

    `by_code`: minimum areas (m2) of single codes instead. `in_pixels`: `min_area` is a number of pixels. Memory
    follows the number of components.
    """
    with rasterio_open(source) as codes:
        least = LeastSizes.of(np.iinfo(codes.dtypes[0]).max + 1, min_area, by_code or {}, in_pixels)
        finder, borders = ComponentFinder(codes.width), BorderCounter()
        for runs, areas in _bands(codes, in_pixels and not by_code):
            borders.add(runs.spread(finder.add(runs, runs.code != nodata, areas, np.zeros(len(areas)))))
        found = finder.finish()
        touching = borders.between(finder.component_of_piece)
        regions = Regions(found.code, found.area_m2, found.pixels, *touching)
        new_codes = merge_small(regions, least)[finder.component_of_piece]
        _write_sieved(codes, target, nodata, new_codes)


def _bands(codes: Any, in_pixels: bool) -> Iterator[tuple[Runs, FloatArray]]:
    grid = grid_of(codes)
    areas = None if in_pixels else pixel_areas(grid)
    for window in row_windows(grid):
        runs = find_runs(codes.read(1, window=window), window.row_off)
        size = run_areas(runs, areas) if areas is not None else runs.length.astype(np.float64)
        yield runs, size


def _write_sieved(codes: Any, target: Path, nodata: int, new_code_of_piece: NDArray[np.uint16]) -> None:
    profile = {"driver": "GTiff", "dtype": codes.dtypes[0], "count": 1, "nodata": nodata, "compress": "lzw"}
    size = {"width": codes.width, "height": codes.height, "crs": codes.crs, "transform": codes.transform}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "bigtiff": "if_safer"}
    first = 0
    with output_errors(target), rasterio.open(target, "w", **profile, **size, **tiles) as sieved:
        for window in row_windows(grid_of(codes)):
            with reading_pixels(codes.name):
                runs = find_runs(codes.read(1, window=window), window.row_off)
            pieces = label_runs(runs, runs.code != nodata)
            code_of_run = np.full(len(pieces), nodata, codes.dtypes[0])
            code_of_run[pieces >= 0] = new_code_of_piece[pieces[pieces >= 0] + first]
            sieved.write(runs.spread(code_of_run), 1, window=window)
            first += int(pieces.max(initial=-1)) + 1
    with output_errors(target), rasterio_open(target):  # GDAL does not tell that closing failed
        pass


class BorderCounter:
    """Counts along how many pixel edges pieces touch each other, row band by row band.

    Piece 1 touches piece 0 along two edges and piece 2 along one; 0 and 2 touch along two:

    >>> counter = BorderCounter()
    >>> counter.add(np.array([[0, 0, 1], [0, 0, 1]]))
    >>> counter.add(np.array([[2, 2, 1]]))  # the next row band
    >>> [values.tolist() for values in counter.between(np.arange(3))]
    [[0, 0, 1], [1, 2, 2], [2, 2, 1]]
    """

    def __init__(self) -> None:
        self._pairs: list[IntArray] = []
        self._counts: list[IntArray] = []
        self._last_row: IntArray | None = None

    def add(self, pieces: IntArray) -> None:
        """Take the next row band: (rows, cols) piece numbers, -1 where there is none."""
        beside = [(pieces[:, :-1], pieces[:, 1:]), (pieces[:-1], pieces[1:])]
        if self._last_row is not None:
            beside.append((self._last_row, pieces[0]))
        self._last_row = pieces[-1].copy()
        found = np.concatenate([_pairs_of(one, other) for one, other in beside])
        pairs, counts = np.unique(found, return_counts=True)
        self._pairs.append(pairs)
        self._counts.append(counts)

    def between(self, component_of_piece: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return touching components (one, other) and the length of their common border, each pair once."""
        pairs, counts = np.concatenate(self._pairs), np.concatenate(self._counts)
        one, other = component_of_piece[pairs >> 32], component_of_piece[pairs & _LOW]
        return _summed(one, other, counts)


def _pairs_of(one: IntArray, other: IntArray) -> IntArray:
    touching = (one != other) & (one >= 0) & (other >= 0)
    return _packed(one[touching], other[touching])


def _packed(one: IntArray, other: IntArray) -> IntArray:
    """Return each pair as one number: the smaller of both in the upper 32 bits, the larger in the lower.

    >>> packed = _packed(np.array([3, 1]), np.array([1, 3]))
    >>> packed.tolist(), (packed >> 32).tolist(), (packed & _LOW).tolist()
    ([4294967299, 4294967299], [1, 1], [3, 3])
    """
    return np.minimum(one, other) << 32 | np.maximum(one, other)


def _summed(one: IntArray, other: IntArray, length: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    apart = one != other
    pairs, index = np.unique(_packed(one[apart], other[apart]), return_inverse=True)
    total = np.bincount(index, length[apart], len(pairs)).astype(np.int64)
    return pairs >> 32, pairs & _LOW, total


@dataclass(frozen=True, slots=True)
class Regions:
    """Regions of a map: code, area and pixels of each, and the borders (one, other, length), each pair once."""

    code: NDArray[np.uint16]
    area: FloatArray
    pixels: IntArray
    one: IntArray
    other: IntArray
    length: IntArray

    def joined(self, label: IntArray, code: NDArray[np.uint16]) -> "Regions":
        """Return the regions that those of equal label become; label n gets `code[n]`."""
        area = np.bincount(label, self.area, len(code)).astype(np.float64)
        pixels = np.bincount(label, self.pixels, len(code)).astype(np.int64)
        return Regions(code, area, pixels, *_summed(label[self.one], label[self.other], self.length))


@dataclass(frozen=True, slots=True)
class LeastSizes:
    """How large a region must be, by its code, (codes,) each: in the unit of its area, and in pixels."""

    area: FloatArray
    pixels: FloatArray

    @classmethod
    def of(
        cls, code_count: int, default: float, by_code: Mapping[int, float], in_pixels: bool
    ) -> "LeastSizes":
        """Return `default`, which may count pixels, for all codes but those that have an area of their own."""
        area, pixels = np.zeros(code_count), np.zeros(code_count)
        (pixels if in_pixels else area)[:] = default
        for code, least in by_code.items():
            area[code], pixels[code] = least, 0
        return cls(area, pixels)

    def too_small(self, regions: Regions) -> BoolArray:
        """Return which regions are smaller than their code asks for."""
        code = regions.code
        return np.asarray((regions.area < self.area[code]) | (regions.pixels < self.pixels[code]))


def merge_small(regions: Regions, least: LeastSizes) -> NDArray[np.uint16]:
    """Return the code that each region has once none with a neighbour is too small.

    Smaller ones go first. Each goes to the neighbour with which it shares the longest border; among equals to
    the larger one, then to the later one. What is too small and has no neighbour becomes unchanged (0).
    Below, region 1 (code 5, area 1) shares 3 edges with region 0 and 8 with region 2, and takes the code of region 2:

    >>> areas, borders = np.array([100.0, 1, 30]), ([0, 0, 1], [1, 2, 2], [3, 1, 8])
    >>> parts = (np.array(part) for part in borders)
    >>> regions = Regions(np.array([0, 5, 7], np.uint16), areas, areas.astype(int), *parts)
    >>> merge_small(regions, LeastSizes.of(8, 10, {}, in_pixels=False)).tolist()
    [0, 7, 7]
    """
    region_of = np.arange(len(regions.code))
    limit = float(regions.area.min(initial=np.inf, where=regions.area > 0))  # off the earth pixels have none
    while True:
        small = least.too_small(regions)
        root = _roots(_choose(regions, small & (regions.area < limit)), regions.area)
        if (root == np.arange(len(root))).all():
            if not (small & (regions.area >= limit)).any():
                break
            limit *= 2
            continue
        regions, label = _merged(regions, root)
        region_of = label[region_of]
    code = np.where(least.too_small(regions), 0, regions.code)
    return np.asarray(code[region_of], np.uint16)


def _choose(regions: Regions, goes: BoolArray) -> IntArray:
    """Return the neighbour to which each region that `goes` does so, and of every other region itself."""
    source = np.concatenate([regions.one, regions.other])
    target = np.concatenate([regions.other, regions.one])
    length = np.concatenate([regions.length, regions.length])
    moves = goes[source]
    source, target, length = source[moves], target[moves], length[moves]
    order = np.lexsort((target, regions.area[target], length, source))
    choice = np.arange(len(regions.code))
    choice[source[order]] = target[order]  # the last one of each source stays: the best
    return choice


def _roots(choice: IntArray, area: FloatArray) -> IntArray:
    """Return where each region ends up when all follow their choices.

    Of two that choose each other the larger stays. Longer circles cannot arise, for a border is as long for
    both of its sides. Region 2 chooses 1, and 1 and 0 each other; 1 is the larger one:

    >>> _roots(np.array([1, 0, 1, 3]), np.array([8.0, 9, 1, 5])).tolist()
    [1, 1, 1, 3]
    """
    own = np.arange(len(choice))
    mutual = (choice[choice] == own) & (choice != own)
    stays = mutual & ((area > area[choice]) | ((area == area[choice]) & (own > choice)))
    root = np.where(stays, own, choice)
    while not np.array_equal(further := root[root], root):
        root = further
    return root


def _merged(regions: Regions, root: IntArray) -> tuple[Regions, IntArray]:
    """Return the regions that roots have gathered, neighbours of one code joined, and the region of each old one."""
    kept, label = np.unique(root, return_inverse=True)
    gathered = regions.joined(label, regions.code[kept])
    alike = gathered.code[gathered.one] == gathered.code[gathered.other]
    same = label_linked(np.stack([gathered.one[alike], gathered.other[alike]]), len(kept))
    _, first = np.unique(same, return_index=True)
    return gathered.joined(same, gathered.code[first]), same[label]
