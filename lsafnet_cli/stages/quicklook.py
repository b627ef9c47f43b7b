"""Quicklook: one small picture of a run, made from decimated reads: before, after, change map, legend."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rasterio.enums import Resampling

from lsafnet_cli.classes import Legend
from lsafnet_cli.palettes import Color
from lsafnet_cli.stages.align import AlignedImage, AlignedPair
from lsafnet_cli.stages.images import decimated
from lsafnet_cli.stages.read import rasterio_open
from lsafnet_cli.stages.report import ChangeTable
from lsafnet_cli.stages.validity import BoolArray, NumberArray

PANEL_PX = 560
GAP_PX = 12
TITLE_PX, FONT_PX, LINE_PX, SWATCH_PX = 26, 15, 22, 14
INK, PAPER, NO_DATA = (30, 30, 30), (255, 255, 255), (200, 200, 200)
Picture = NDArray[np.uint8]


def draw_quicklook(
    target: Path, pair: AlignedPair, codes_path: Path, legend: Legend, table: ChangeTable
) -> None:
    """Write the picture; its size does not depend on the scene's."""
    shape = panel_shape(pair.grid.shape)
    codes = _read_codes(codes_path, shape)
    panels = {
        "before": read_picture(pair.before, shape),
        "after": read_picture(pair.after, shape),
        "change": paint_codes(codes, legend),
    }
    entries = list(_legend_entries(legend, table))
    _compose(panels, entries).save(target, format="PNG", optimize=True)


def panel_shape(scene_shape: tuple[int, int]) -> tuple[int, int]:
    """Return (rows, cols) of a panel: the scene's shape, its longer side PANEL_PX, small scenes enlarged."""
    scale = PANEL_PX / max(scene_shape)
    rows, cols = (max(1, round(side * scale)) for side in scene_shape)
    return rows, cols


def read_picture(image: AlignedImage, shape: tuple[int, int]) -> Picture:
    """Return (rows, cols, 3): the image's first three bands, stretched for the eye, grey where it has no data."""
    numbers, valid = decimated(image, shape)
    shown = numbers[:3] if len(numbers) >= 3 else np.repeat(numbers[:1], 3, axis=0)
    return _for_the_eye(shown, valid)


def _for_the_eye(numbers: NumberArray, valid: BoolArray) -> Picture:
    if not valid.any():
        return np.full((*valid.shape, 3), NO_DATA, np.uint8)
    values = np.where(valid, numbers, 0).astype(np.float64)
    low, high = np.percentile(values[:, valid], (1, 99))
    scaled = np.clip((values - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    picture = scaled.transpose(1, 2, 0).copy()
    picture[~valid] = NO_DATA
    return np.asarray(picture)


def _read_codes(path: Path, shape: tuple[int, int]) -> NDArray[np.unsignedinteger]:
    with rasterio_open(path) as dataset:
        return np.asarray(dataset.read(1, out_shape=shape, resampling=Resampling.nearest))


def paint_codes(codes: NDArray[np.unsignedinteger], legend: Legend) -> Picture:
    """Return (rows, cols, 3): each code in its colour."""
    table = np.full((legend.nodata + 1, 3), NO_DATA, np.uint8)
    for code, color in legend.palette.items():
        table[code] = color
    return np.asarray(table[codes])


def _legend_entries(legend: Legend, table: ChangeTable) -> Iterator[tuple[Color, str]]:
    yield legend.palette[0], legend.names[0]
    for row in table.transitions:
        area = f"{row.area_ha:.2f} ha" if row.area_ha is not None else f"{row.pixels} px"
        yield legend.palette[row.code], f"{row.name}  {area}"
    if table.nodata_pixels:
        yield NO_DATA, "no data"


def _compose(panels: dict[str, Picture], entries: list[tuple[Color, str]]) -> Image.Image:
    rows, cols = next(iter(panels.values())).shape[:2]
    font = ImageFont.load_default(FONT_PX)
    wanted = max(int(font.getlength(text)) for _, text in entries) + SWATCH_PX + 2 * GAP_PX
    width = max(len(panels) * (cols + GAP_PX) + GAP_PX, wanted)
    per_row = max(1, (width - GAP_PX) // wanted)
    legend_rows = -(-len(entries) // per_row)
    sheet = Image.new("RGB", (width, TITLE_PX + rows + 2 * GAP_PX + legend_rows * LINE_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (title, panel) in enumerate(panels.items()):
        left = GAP_PX + index * (cols + GAP_PX)
        draw.text((left, 5), title, fill=INK, font=font)
        sheet.paste(Image.fromarray(panel), (left, TITLE_PX))
    for index, (color, text) in enumerate(entries):
        left, top = GAP_PX + index % per_row * wanted, TITLE_PX + rows + GAP_PX + index // per_row * LINE_PX
        draw.rectangle((left, top, left + SWATCH_PX, top + SWATCH_PX), fill=color, outline=INK)
        draw.text((left + SWATCH_PX + 6, top - 1), text, fill=INK, font=font)
    return sheet
