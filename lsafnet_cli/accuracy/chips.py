"""Small pictures of the points of a sample: both dates side by side, the pixel in the middle framed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rasterio.windows import Window

from lsafnet_cli.accuracy.drawing import Draw
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.maps.quicklook import NO_DATA
from lsafnet_cli.maps.quicklook_sheet import Picture
from lsafnet_cli.report_page.painted_rows import date_reader
from lsafnet_cli.scenes.align import AlignedImage
from lsafnet_cli.scenes.images import ImageReader

AROUND_PX = 32  # of the map on each side of the point
PIECE_PX = 260  # side of each date's half, about
FRAME, GAP_PX = (255, 220, 0), 6


def write_chips(folder: Path, draw: Draw, grid: Grid, images: Sequence[AlignedImage]) -> None:
    """Write `1.png`, `2.png` ... in the order of the draw into a folder that exists. Raises InputError."""
    rows, cols = draw.row.tolist(), draw.col.tolist()
    halves: list[list[Image.Image]] = [[] for _ in rows]
    for image in images:
        with ImageReader(image) as reader:
            read = date_reader(reader)
            for halves_of_point, row, col in zip(halves, rows, cols, strict=True):
                window, place = _window(row, col, grid)
                halves_of_point.append(_enlarged(_framed(read(window), place)))
    for number, pair in enumerate(halves, start=1):
        width = sum(half.width for half in pair) + GAP_PX * (len(pair) - 1)
        sheet = Image.new("RGB", (width, pair[0].height), (255, 255, 255))
        for index, half in enumerate(pair):
            sheet.paste(half, (index * (half.width + GAP_PX), 0))
        sheet.save(folder / f"{number}.png", optimize=True)


def _window(row: int, col: int, grid: Grid) -> tuple[Window, tuple[int, int]]:
    """Return what of the grid lies around a pixel, and where that begins in the picture."""
    top, left = max(row - AROUND_PX, 0), max(col - AROUND_PX, 0)
    bottom, right = min(row + AROUND_PX + 1, grid.height), min(col + AROUND_PX + 1, grid.width)
    return Window(left, top, right - left, bottom - top), (top - row + AROUND_PX, left - col + AROUND_PX)


def _framed(seen: Picture, place: tuple[int, int]) -> Picture:
    side = 2 * AROUND_PX + 1
    whole = np.full((side, side, 3), NO_DATA, np.uint8)
    top, left = place
    whole[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return whole


def _enlarged(picture: Picture) -> Image.Image:
    scale = PIECE_PX // len(picture)
    side = scale * len(picture)
    half = Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST)
    first, end = scale * AROUND_PX, scale * (AROUND_PX + 1)
    ImageDraw.Draw(half).rectangle((first - 1, first - 1, end, end), outline=FRAME)
    return half
