"""Where places really changed: boxes in TOML files, (left, top, right, bottom) by place, and areas of any shape."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely import box
from shapely.geometry.base import BaseGeometry

NAIP_CHANGES = Path(__file__).parent / "naip_changes.toml"
SURE, UNSURE, HELD_OUT = "boxes", "unsure", "held_out"
"""Tables of that file: boxes that changed, boxes that may have, and both of the places that are never trained on."""

Box = Sequence[int]
"""(left, top, right, bottom) in pixels."""
Area = Box | BaseGeometry
"""A box, or a geometry in pixels from the top left corner."""
Areas = Sequence[Area]
Boxes = Mapping[str, Sequence[Box]]
AreasOfPlaces = Mapping[str, Areas]
"""By place."""


def place_of(name: str) -> str:
    """Return PLACE of an image named PLACE_DATE."""
    return name.rpartition("_")[0]


def read_boxes(file: Path, kind: str = SURE) -> Boxes:
    """Return the boxes of all places in a table of a file."""
    boxes: Boxes = tomllib.loads(file.read_text(encoding="utf-8"))[kind]
    return boxes


def within(areas: Areas, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which of (rows, cols) pixels have their middle in one of the areas."""
    drawn = [(one, 1) for one in map(_geometry, areas) if not one.is_empty]
    if not drawn:
        return np.zeros(shape, bool)
    found: NDArray[np.bool_] = rasterize(drawn, shape, dtype="uint8") > 0
    return found


def _geometry(area: Area) -> BaseGeometry:
    if isinstance(area, BaseGeometry):
        return area
    left, top, right, bottom = area
    return box(left, top, right, bottom)
