"""Pairs of the SECOND data set as arrays, in the classes of the shipped checkpoints; for evaluation only.

Yang et al., "Asymmetric Siamese networks for semantic change detection in aerial images", IEEE TGRS 2022. A folder
holds im1, im2, label1 and label2, each a .png or a folder of .png of the same names; labels have SECOND's colours.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lsafnet.checkpoint.published import DATA_SETS
from lsafnet.training.examples import Example

PARTS = ("im1", "im2", "label1", "label2")
TO_SHIPPED = np.array([0, 1, 2, 3, 3, 4, 2], np.uint8)
"""unchanged, water, ground, low vegetation, tree, building, playground -> 0, water, ground, vegetation, building."""


def read_second_pairs(folder: Path) -> list[Example]:
    """Return the pairs of a folder, each of its own size; FileNotFoundError where there are none.

    SECOND labels land cover only where it has changed. A pixel whose change vanishes with the merging of classes, low
    vegetation to tree, say, and one that only one of the two labels knows, is not valid.
    """
    whole = [folder / f"{part}.png" for part in PARTS]
    if whole[0].exists():
        return [_read_pair(*whole)]
    names = sorted(file.name for file in (folder / PARTS[0]).glob("*.png"))
    if not names:
        raise FileNotFoundError(f"{folder} holds neither im1.png nor im1/*.png")
    return [_read_pair(*(folder / part / name for part in PARTS)) for name in names]


def _read_pair(im1: Path, im2: Path, label1: Path, label2: Path) -> Example:
    before, after = (_read_rgb(file).transpose(2, 0, 1).astype(np.float32) for file in (im1, im2))
    native = [second_classes(_read_rgb(file)) for file in (label1, label2)]
    first, second = (TO_SHIPPED[label] for label in native)
    unchanged = (native[0] == 0) & (native[1] == 0)
    changed = (first > 0) & (second > 0) & (first != second)
    return Example(before, after, first, second, changed, unchanged | changed)


def second_classes(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (rows, cols) class numbers 0..6 of (rows, cols, 3) colours; ValueError for one that SECOND lacks."""
    wanted = [entry["color"].removeprefix("#") for entry in DATA_SETS["second"]["classes"]]
    matches = np.stack([(colors == tuple(bytes.fromhex(one))).all(axis=2) for one in wanted])
    if not matches.any(axis=0).all():
        raise ValueError("a label has colours that SECOND does not have")
    numbers: NDArray[np.uint8] = matches.argmax(axis=0).astype(np.uint8)
    return numbers


def _read_rgb(file: Path) -> NDArray[np.uint8]:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))
