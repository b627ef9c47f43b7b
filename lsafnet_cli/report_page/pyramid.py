"""The tile pyramid of a page, built in one pass over row bands and kept below a number of bytes.

Level 0 has the map's own pixels, each further level half as many rows and cols. Coarse levels are kept first.
Of a level that does not fit completely, the tiles with most change are kept.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lsafnet_cli.errors import OptionError
from lsafnet_cli.report_page.tile_rows import TILE_PX, TileRows

Rows = TypeVar("Rows", bound=TileRows)
TOO_SMALL = "`max_mb`: the map does not fit into a page of this size; allow more"


@dataclass(frozen=True, slots=True, order=True)
class PageTile:
    """One square of a page in all its layers: number of changed pixels, position, JSON text."""

    changed: int
    level: int
    row: int
    col: int
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class TilePyramid:
    """The tiles of a page; `levels` is, from fine to coarse, whether each level is complete."""

    tiles: tuple[PageTile, ...]
    levels: tuple[bool, ...]

    @property
    def finest_whole(self) -> int:
        """The finest level that covers the whole map."""
        return self.levels.index(True)

    @property
    def finest(self) -> int:
        """The finest level that has any tile."""
        return min(tile.level for tile in self.tiles)

    def shape_of(self, level: int, shape: tuple[int, int]) -> tuple[int, int]:
        """Return (rows, cols) of a level of a map of (rows, cols)."""
        rows, cols = (-(-side // (1 << level)) for side in shape)
        return rows, cols


class Shelf:
    """The tiles of one level, at most `limit` bytes of them: those with the most change."""

    def __init__(self, limit: int) -> None:
        self.whole, self.size = True, 0
        self._limit = limit
        self._tiles: list[PageTile] = []

    def wants(self, changed: int) -> bool:
        """Return whether a tile with this number of changed pixels may be kept."""
        return self.whole or changed > (self._tiles[0].changed if self._tiles else 0)

    def add(self, tile: PageTile) -> None:
        """Add a tile, and drop the least changed ones if the limit is exceeded."""
        heapq.heappush(self._tiles, tile)
        self.size += len(tile.text)
        while self.size > self._limit:
            self.whole = False
            self.size -= len(heapq.heappop(self._tiles).text)

    def by_change(self) -> list[PageTile]:
        """Return the tiles, the most changed ones first."""
        return sorted(self._tiles, key=lambda tile: (-tile.changed, tile.row, tile.col))


class Level(Generic[Rows]):
    """Cuts row bands into tiles of one level, and passes them on at half the size."""

    def __init__(self, number: int, shelves: list[Shelf], nodata: int) -> None:
        self._number, self._shelf, self._nodata = number, shelves[number], nodata
        self._coarser: Level[Rows] | None = (
            Level(number + 1, shelves, nodata) if number + 1 < len(shelves) else None
        )
        self._waiting: Rows | None = None
        self._row = 0

    def add(self, band: Rows) -> None:
        """Add the next rows."""
        band = self._waiting.above(band) if self._waiting is not None else band
        whole = band.shape[0] // TILE_PX * TILE_PX
        for top in range(0, whole, TILE_PX):
            self._finish(band.cut(slice(top, top + TILE_PX), slice(None)))
        self._waiting = band.cut(slice(whole, None), slice(None)) if whole < band.shape[0] else None

    def close(self) -> None:
        """Finish the last rows, here and on all coarser levels."""
        if self._waiting is not None:
            self._finish(self._waiting)
        if self._coarser is not None:
            self._coarser.close()

    def _finish(self, rows: Rows) -> None:
        for col, left in enumerate(range(0, rows.shape[1], TILE_PX)):
            square = rows.cut(slice(None), slice(left, left + TILE_PX))
            changed = square.changed_pixels(self._nodata)
            if self._shelf.wants(changed):
                text = tile_text(self._number, self._row, col, square)
                self._shelf.add(PageTile(changed, self._number, self._row, col, text))
        self._row += 1
        if self._coarser is not None:
            self._coarser.add(rows.halved())


def build_pyramid(
    bands: Iterable[Rows], shape: tuple[int, int], nodata: int, limit_bytes: int
) -> TilePyramid:
    """Return the tiles of a map of (rows, cols), at most `limit_bytes` of JSON.

    Memory follows the map's width and `limit_bytes`. Raises OptionError where not even the coarsest level fits.
    """
    if limit_bytes <= 0:
        raise OptionError(TOO_SMALL)
    depth = max(0, (max(shape) - 1) // TILE_PX).bit_length()
    shelves = [Shelf(limit_bytes) for _ in range(depth + 1)]
    level: Level[Rows] = Level(0, shelves, nodata)
    for band in bands:
        level.add(band)
    level.close()
    return choose_tiles(shelves, limit_bytes)


def choose_tiles(shelves: list[Shelf], limit_bytes: int) -> TilePyramid:
    """Return the tiles to keep of the levels, given from fine to coarse: complete coarse ones, then the most
    changed."""
    kept: list[PageTile] = []
    whole = [False] * len(shelves)
    left = limit_bytes
    for number in reversed(range(len(shelves))):
        shelf = shelves[number]
        tiles = shelf.by_change()
        whole[number] = shelf.whole and shelf.size <= left and all(whole[number + 1 :])
        if not whole[number]:
            tiles = [tile for tile in tiles if tile.changed]
        for tile in tiles:
            if len(tile.text) > left:
                left = 0
                break
            left -= len(tile.text)
            kept.append(tile)
    if not whole[-1]:
        raise OptionError(TOO_SMALL)
    return TilePyramid(tuple(kept), tuple(whole))


def tile_text(level: int, row: int, col: int, square: TileRows) -> str:
    """Return a tile as a member of a JSON object, with a comma behind it: its place, and its layers."""
    return f'"{level}/{row}/{col}":[{",".join(square.texts())}],'
