"""Labels from verdicts: pairs of small images with the transitions that somebody confirmed, for `lsafnet train`."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window

from lsafnet_cli.errors import InputError, OutputError
from lsafnet_cli.files.publishing import WorkFolder, output_errors
from lsafnet_cli.files.rasters import bounded_cache, open_raster
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend, hex_color
from lsafnet_cli.maps.table import open_legend
from lsafnet_cli.prediction.write import PartLayout
from lsafnet_cli.review.correct import ReviewReport, reviewed_rows
from lsafnet_cli.review.reading import read_verdicts
from lsafnet_cli.review.verdicts import Verdicts
from lsafnet_cli.scenes.align import AlignedImage
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.on_grid import images_on_grid

TILE_PX = 256
VALIDATION_EVERY = 5  # tiles
Tile = tuple[Window, Any]


def write_labels(
    report: ReviewReport, folder: str | Path, images: tuple[str, str] | None = None
) -> ReviewReport:
    """Write a data set of what was reviewed; see `labels_beside`."""
    with labels_beside(report.map, report.verdicts, folder, images) as count:
        return with_labels(report, folder, count)


def with_labels(report: ReviewReport, folder: str | Path, count: int) -> ReviewReport:
    """Return a report that names the labels, of so many tiles."""
    return replace(report, labels=str(folder), label_tiles=count)


@contextmanager
def labels_beside(
    change_map: str | Path, verdicts: str | Path, folder: str | Path, images: tuple[str, str] | None = None
) -> Iterator[int]:
    """Write a data set of what was reviewed: folders before, after and label, below train and val, and classes.json.

    Accepted and corrected polygons have their transitions, rejected ones are unchanged, all else is unknown. `images`
    are both dates; None takes those that the map names. Yields the number of tiles; the folder gets its name
    when the block succeeds. Raises InputError where the images cannot be read, OutputError for a folder that holds
    something.
    """
    target, path = Path(folder), str(change_map)
    if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{target}: is not empty; name a new folder for the labels")
    with bounded_cache():
        legend, grid = open_legend(path)
        pair = images_on_grid(grid, *(images or _named_images(path)), path)
        found = read_verdicts(str(verdicts), path, legend, grid)
    with output_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    store = WorkFolder(target)
    with store.used():
        made = store.path("labels")
        with output_errors(target), bounded_cache():
            made.mkdir()
            text = json.dumps(_description(legend), ensure_ascii=False, indent=2)
            (made / "classes.json").write_text(text, encoding="utf-8")
            count = _write_tiles(made, path, found, legend, grid, pair)
        yield count
        with output_errors(target):
            if target.is_dir():
                target.rmdir()  # it is empty
            made.rename(target)


def _named_images(path: str) -> tuple[str, str]:
    with open_raster(path) as dataset:
        tags = dataset.tags()
    found = tags.get("LSAFNET_BEFORE"), tags.get("LSAFNET_AFTER")
    if found[0] is None or found[1] is None:
        raise InputError(f"{path}: does not name its images; give `before` and `after`")
    return found[0], found[1]


def _description(legend: Legend) -> dict[str, Any]:
    classes = [{"name": n, "color": hex_color(c)} for n, c in zip(legend.names, legend.colors, strict=True)]
    return {"classes": classes, "trained_on": "polygons that were reviewed"}


def _write_tiles(
    folder: Path, path: str, verdicts: Verdicts, legend: Legend, grid: Grid, pair: tuple[AlignedImage, AlignedImage]
) -> int:  # fmt: skip
    count = 0
    with ImageReader(pair[0]) as before, ImageReader(pair[1]) as after:
        for window, label in _tiles(path, verdicts, legend, grid):
            split = "val" if count % VALIDATION_EVERY == VALIDATION_EVERY - 1 else "train"
            name = f"r{int(window.row_off):06d}c{int(window.col_off):06d}.tif"
            for kind, reader in (("before", before), ("after", after)):
                scene = reader.image.scene
                numbers = np.empty((len(scene.bands), *label.shape), scene.dtype)
                reader.read(window, numbers, np.ones(label.shape, bool))
                _write(folder / split / kind / name, numbers, grid.cut(window))
            _write(folder / split / "label" / name, label[None], grid.cut(window), legend.nodata)
            count += 1
    return count


def _tiles(path: str, verdicts: Verdicts, legend: Legend, grid: Grid) -> Iterator[Tile]:
    """Yield the tiles in which anything was reviewed, with the codes there, nodata where nothing was."""
    layout = PartLayout(grid, TILE_PX, ((0, grid.width),))
    for rows in reviewed_rows(path, verdicts, layout):
        seen = rows.number >= 0
        label = np.where(seen, rows.after, legend.nodata).astype(rows.before.dtype)
        first, end = rows.span
        for left in range(0, grid.width, TILE_PX):
            cols = slice(left, min(left + TILE_PX, grid.width))
            if seen[:, cols].any():
                yield Window(left, first, cols.stop - left, end - first), label[:, cols]


def _write(path: Path, pixels: Any, grid: Grid, nodata: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff", "count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2],
        "dtype": pixels.dtype, "crs": grid.crs, "transform": grid.transform, "nodata": nodata, "compress": "deflate",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels)
