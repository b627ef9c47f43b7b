"""What the tiles of a page are cut from: row bands in layers, which are put together, halved and written as text."""

import io
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TILE_PX = 256
JPEG_QUALITY = 80
Codes = NDArray[np.unsignedinteger]


class TileRows(Protocol):
    """Some full-width rows, or a square cut from them, in all layers of a page."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""

    def cut(self, rows: slice, cols: slice) -> Self:
        """Return a part of it."""

    def above(self, other: Self) -> Self:
        """Return both as one, `other` below."""

    def halved(self) -> Self:
        """Return it in half as many rows and cols, rounded up."""

    def changed_pixels(self, nodata: int) -> int:
        """Return how many pixels have changed, `nodata` being the code of those without data."""

    def texts(self) -> Iterator[str]:
        """Yield each layer as JSON."""


def halved_codes(codes: Codes) -> Codes:
    """Return codes in half as many rows and cols: of 2 x 2 the most frequent one."""
    return most_frequent(*_quarters(_even(codes)))


def halved_picture(layer: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture (rows, cols[, bands]) in half as many rows and cols: of 2 x 2 the mean."""
    return _mean(_even(layer))


def most_frequent(*four: Codes) -> Codes:
    """Return the most frequent of four arrays' codes, place by place; of equally frequent ones a higher one."""
    a, b, c, d = four
    low, high = np.minimum(a, b), np.maximum(a, b)
    other_low, other_high = np.minimum(c, d), np.maximum(c, d)
    first, last = np.minimum(low, other_low), np.maximum(high, other_high)
    inner = np.maximum(low, other_low), np.minimum(high, other_high)
    second, third = np.minimum(*inner), np.maximum(*inner)
    alone = np.where((first == second) & (third != last), first, third)
    return np.asarray(np.where(second == third, second, alone))


def _even(layer: NDArray[Any]) -> NDArray[Any]:
    rows, cols = layer.shape[:2]
    return np.pad(layer, ((0, rows % 2), (0, cols % 2), (0, 0))[: layer.ndim], "edge")


def _quarters(layer: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for down in (0, 1):
        for right in (0, 1):
            yield layer[down::2, right::2]


def _mean(layer: NDArray[np.uint8]) -> NDArray[np.uint8]:
    total = sum(quarter.astype(np.uint16) for quarter in _quarters(layer))
    return np.asarray((total + 2) >> 2).astype(np.uint8)


def codes_text(codes: Codes) -> str:
    """Return codes as JSON: a number where they are one and the same, else a PNG in base64.

    16 bits lie in red and green.
    """
    first = int(codes[0, 0])
    if (codes == first).all():
        return str(first)
    if codes.dtype != np.uint8:
        codes = np.stack([codes >> 8, codes & 255, np.zeros_like(codes)], axis=-1).astype(np.uint8)
    return _encoded(codes, "PNG")


def picture_text(layer: NDArray[np.uint8] | None) -> str:
    """Return a picture as JSON: a JPEG in base64, null where there is none."""
    return "null" if layer is None else _encoded(layer, "JPEG", quality=JPEG_QUALITY)


def _encoded(pixels: NDArray[np.uint8], kind: str, **options: Any) -> str:
    sink = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(sink, kind, **options)
    return f'"{b64encode(sink.getvalue()).decode("ascii")}"'
