"""Quicklook: one small picture of a run, from decimated reads.

Both dates, the change map, a legend with areas, a scale bar, north arrow, and provenance.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling

from lsafnet_cli.errors import printable
from lsafnet_cli.files.provenance import Provenance
from lsafnet_cli.files.rasters import rasterio_open
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.legend.palettes import Color
from lsafnet_cli.maps.map_marks import centre_degrees, north, scale_bar
from lsafnet_cli.maps.quicklook_sheet import Picture, SheetMarks, SheetWords, compose_sheet
from lsafnet_cli.maps.table import ChangeTable, area_text, changed_text
from lsafnet_cli.scenes.align import AlignedImage, AlignedPair
from lsafnet_cli.scenes.images import decimated
from lsafnet_cli.scenes.validity import BoolArray, NumberArray

PANEL_PX = 560
BAR_PX = 200
NO_DATA = (200, 200, 200)


def draw_quicklook(
    target: Path, pair: AlignedPair, codes_path: Path, provenance: Provenance, table: ChangeTable
) -> None:
    """Write the picture; its size does not depend on that of the scene."""
    shape, legend = panel_shape(pair.grid.shape), provenance.legend
    panels = (
        read_picture(pair.before, shape),
        read_picture(pair.after, shape),
        paint_codes(_read_codes(codes_path, shape), legend),
    )
    marks = SheetMarks(scale_bar(pair.grid, shape[1], min(BAR_PX, shape[1])), north(pair.grid))
    words = sheet_words(pair.grid, provenance, table)
    sheet = compose_sheet(panels, words, marks, list(_legend_entries(legend, table)))
    sheet.save(target, format="PNG", optimize=True)


def sheet_words(grid: Grid, provenance: Provenance, table: ChangeTable) -> SheetWords:
    """Return the texts of the picture: names, dates, areas, location, and provenance."""
    before, after = (_file_name(path) for path in (provenance.before, provenance.after))
    dates = tuple(
        f"{name}  {day.isoformat()}" if day is not None else name
        for name, day in (("before", provenance.before_date), ("after", provenance.after_date))
    )
    place = [] if grid.crs is None else [grid.crs.to_string() if grid.crs.to_epsg() else "unnamed CRS"]
    if centre := centre_degrees(grid):
        place.append("centre {:.4f}, {:.4f} (latitude, longitude)".format(*centre))
    made = f"lsafnet {provenance.version} with {printable(provenance.checkpoint)}"
    if provenance.outside:
        made += f"; outside its domain: {printable('; '.join(provenance.outside))}"
    return SheetWords(
        title=f"What changed from {before} to {after}",
        panels=(*dates, "change"),
        summary=changed_text(table),
        footer="; ".join((*place, made)),
    )


def _file_name(path: str) -> str:
    return printable(path.rstrip("/").rpartition("/")[2] or path)


def panel_shape(scene_shape: tuple[int, int]) -> tuple[int, int]:
    """Return (rows, cols) of a panel: the scene's shape, its longer side PANEL_PX, small scenes enlarged."""
    scale = PANEL_PX / max(scene_shape)
    rows, cols = (max(1, round(side * scale)) for side in scene_shape)
    return rows, cols


def read_picture(image: AlignedImage, shape: tuple[int, int]) -> Picture:
    """Return (rows, cols, 3): the image's colours, stretched for display, grey where it has no data."""
    numbers, valid = decimated(image, shape)
    shown = numbers[list(image.scene.shown)]
    return _for_the_eye(shown if len(shown) == 3 else shown.repeat(3, axis=0), valid)


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
        yield legend.palette[row.code], f"{printable(row.name)}  {area_text(row.area_ha, row.pixels)}"
    if table.nodata_pixels:
        yield NO_DATA, "no data"
