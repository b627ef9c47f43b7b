"""The Dubai images of one date with land cover labels, as arrays, and the fixed pairs made of the held-out tile.

The data set is "Semantic segmentation of aerial imagery" by Humans in the Loop and the Mohammed Bin Rashid Space
Centre (CC0 1.0): 72 images in 8 tiles. Here a folder holds images/tileN_00M.jpg and labels/tileN_00M.png, whose
numbers are 0 unlabeled, 1 building, 2 land, 3 road, 4 vegetation, 5 water.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lsafnet.training.augment import LookOptions
from lsafnet.training.examples import Example
from lsafnet.training.single_date import SingleDateOptions, draw_single_date_pair

VEGETATION = 3
TO_SHIPPED = np.array([0, 4, 2, 2, VEGETATION, 1], np.uint8)  # unknown, building, ground, ground, ..., water
HELD_OUT_TILE = 5  # parts of a tile adjoin, so a whole tile is kept away from training
HELD_OUT_PAIRS = 48
HELD_OUT_SEED = 5
EVALUATION = SingleDateOptions(zoom=(0.8, 1.25), recolor=0, look=LookOptions(seasonal=(VEGETATION,)))


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """images: (3, rows, cols) uint8 each; labels: (rows, cols) uint8 each, 1 water .. 4 building, 0 unknown."""

    images: list[NDArray[np.uint8]]
    labels: list[NDArray[np.uint8]]


def read_tiles(folder: Path, tiles: set[int]) -> LabelledImages:
    """Return the images of the tiles numbered so, by name; FileNotFoundError where there are none."""
    files = [file for tile in sorted(tiles) for file in sorted((folder / "images").glob(f"tile{tile}_*.jpg"))]
    if not files:
        raise FileNotFoundError(f"{folder / 'images'} holds no tile*_*.jpg of the tiles {sorted(tiles)}")
    found = LabelledImages([], [])
    for file in files:
        with Image.open(file) as image, Image.open(folder / "labels" / f"{file.stem}.png") as label:
            found.images.append(np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1)))
            found.labels.append(TO_SHIPPED[np.asarray(label)])
    return found


def held_out_pairs(folder: Path, size_px: int) -> list[Example]:
    """Return the pairs that checkpoints are compared on: always the same ones for one size."""
    tile = read_tiles(folder, {HELD_OUT_TILE})
    rng = np.random.default_rng(HELD_OUT_SEED)
    return [
        draw_single_date_pair(tile.images, tile.labels, size_px, rng, EVALUATION)
        for _ in range(HELD_OUT_PAIRS)
    ]
