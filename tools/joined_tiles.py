"""Tiles of one web map joined to larger images again, so that a window of coarser pixels holds one place.

Drone images often come as tiles NAME-X-Y-ZOOM of 256 px. A window of training that is wider than a tile would be put
together from several that do not adjoin; joined, it shows roofs as small as they are among all that surrounds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import label as number_regions

NAME = re.compile(r"(.+)-(\d+)-(\d+)-(\d+)")
MOST_PX = 2048  # of a joined image along each axis
JOINED = "joined"
ADJOINING = np.ones((3, 3), int)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of a web map: its name without extension, and its col and row, from the west and from the north."""

    stem: str
    col: int
    row: int


def tiles_of(stems: Iterable[str]) -> list[Tile]:
    """Return the tiles named NAME-X-Y-ZOOM. Raises ValueError where another name is among them."""
    found = []
    for stem in sorted(stems):
        match = NAME.fullmatch(stem)
        if not match:
            raise ValueError(f"{stem}: is not named NAME-X-Y-ZOOM")
        found.append(Tile(stem, int(match[2]), int(match[3])))
    return found


def blocks_of(tiles: list[Tile], most: int) -> Iterator[list[Tile]]:
    """Yield the tiles that adjoin each other, at most `most` cols and rows of them together."""
    cols, rows = ([getattr(one, axis) for one in tiles] for axis in ("col", "row"))
    there = np.zeros((max(rows) - min(rows) + 1, max(cols) - min(cols) + 1), bool)
    there[np.array(rows) - min(rows), np.array(cols) - min(cols)] = True
    regions, count = number_regions(there, ADJOINING)
    for region in range(1, count + 1):
        own = [one for one in tiles if regions[one.row - min(rows), one.col - min(cols)] == region]
        left, top = min(one.col for one in own), min(one.row for one in own)
        blocks: dict[tuple[int, int], list[Tile]] = {}
        for one in own:
            blocks.setdefault(((one.row - top) // most, (one.col - left) // most), []).append(one)
        yield from blocks.values()


def join(tiles: list[Tile], folder: Path, blank: Iterable[str] = ()) -> NDArray[np.uint8]:
    """Return the tiles of a folder side by side, (rows, cols) or (rows, cols, bands); 0 in gaps and where `blank`."""
    read = {one: np.asarray(Image.open(next(folder.glob(f"{one.stem}.*")))) for one in tiles}
    left, top = min(one.col for one in tiles), min(one.row for one in tiles)
    rows, cols, *bands = next(iter(read.values())).shape
    high, wide = (max(one.row for one in tiles) - top + 1, max(one.col for one in tiles) - left + 1)
    whole = np.zeros((high * rows, wide * cols, *bands), np.uint8)
    empty = set(blank)
    for one, pixels in read.items():
        if one.stem not in empty:
            row, col = (one.row - top) * rows, (one.col - left) * cols
            whole[row : row + rows, col : col + cols] = pixels
    return whole


def join_tiles(folder: Path, output: Path, val: str) -> None:
    """Write images/ and labels/ of a folder joined into `output`; those that match `val` also as they are.

    These are unknown in the joined labels.
    """
    for name in ("images", "labels"):
        (output / name).mkdir(parents=True, exist_ok=True)
    tiles = tiles_of(file.stem for file in (folder / "labels").glob("*.png"))
    kept = [one.stem for one in tiles if fnmatch(one.stem, val)]
    with Image.open(folder / "labels" / f"{tiles[0].stem}.png") as label:
        most = max(1, MOST_PX // max(label.size))
    for block in blocks_of(tiles, most):
        if all(one.stem in kept for one in block):
            continue
        image = Image.fromarray(join(block, folder / "images"))
        image.save(output / "images" / f"{JOINED}-{block[0].stem}.jpg", quality=95, subsampling=0)
        joined = Image.fromarray(join(block, folder / "labels", blank=kept))
        joined.save(output / "labels" / f"{JOINED}-{block[0].stem}.png")
    for stem in kept:
        for file in folder.glob(f"*/{stem}.*"):
            copy = output / file.parent.name / file.name
            if not copy.exists():
                copy.symlink_to(file.resolve())
