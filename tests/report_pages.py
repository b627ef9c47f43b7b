"""What stands in a report page, read back without a browser."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TILE = 256


def script_of(page: Path, name: str) -> Any:
    """Return the JSON of a page's script element."""
    pattern = rf'<script type="application/json" id="{name}">(.*?)</script>'
    found = re.search(pattern, page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def data_of(page: Path) -> dict[str, Any]:
    """Return what a page says of its map; the day it was made is left out."""
    data: dict[str, Any] = script_of(page, "data")
    return data | {"facts": [fact for fact in data["facts"] if fact[0] != "page made"]}


def tiles_of(page: Path) -> dict[tuple[int, int, int], list[Any]]:
    """Return a page's tiles by (level, row, col): codes, before, after, probability, as they are stored."""
    tiles = script_of(page, "tiles")
    return {tuple(map(int, key.split("/"))): tile for key, tile in tiles.items() if key}


def picture(text: str) -> np.ndarray:
    """Return the pixels of a stored picture."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).astype(int)


def layer_of(page: Path, level: int = 0, layer: int = 0) -> np.ndarray:
    """Return a level of one layer as one array; -1 where it has no tile."""
    data, tiles = data_of(page), tiles_of(page)
    rows, cols = (-(-side // 2**level) for side in data["shape"])
    whole = np.full((rows, cols, 3)[: 3 if layer in (1, 2) else 2], -1)
    for (found, row, col), tile in tiles.items():
        if found != level:
            continue
        place = whole[row * TILE : (row + 1) * TILE, col * TILE : (col + 1) * TILE]
        stored = tile[layer]
        pixels = np.full(place.shape, stored) if isinstance(stored, int) else picture(stored)
        if layer == 0 and pixels.ndim == 3:
            pixels = pixels[..., 0] * 256 + pixels[..., 1]
        place[:] = pixels
    return whole
