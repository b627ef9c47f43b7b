"""Boxes in which places really changed, as they were drawn: TOML files of (left, top, right, bottom) by place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAIP_CHANGES = Path(__file__).parent / "naip_changes.toml"
SURE, UNSURE, HELD_OUT = "boxes", "unsure", "held_out"
"""Tables of that file: boxes that changed, boxes that may have, and both of the places that are never trained on."""

BoxList = Sequence[Sequence[int]]
"""(left, top, right, bottom) in pixels."""
Boxes = Mapping[str, BoxList]
"""By place."""


def place_of(name: str) -> str:
    """Return PLACE of an image named PLACE_DATE."""
    return name.rpartition("_")[0]


def read_boxes(file: Path, kind: str = SURE) -> Boxes:
    """Return the boxes of all places in a table of a file."""
    boxes: Boxes = tomllib.loads(file.read_text(encoding="utf-8"))[kind]
    return boxes


def within(boxes: BoxList, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which of (rows, cols) pixels lie in one of the boxes."""
    found = np.zeros(shape, bool)
    for left, top, right, bottom in boxes:
        found[top:bottom, left:right] = True
    return found
