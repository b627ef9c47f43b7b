"""Write: finished patches become parts on disk, and the parts become cloud-optimised GeoTIFFs.

A part holds full-width rows of the scene. Parts lie in a work folder beside the output, each under its
final name only when complete; the output gets its name when all of it is there.
"""

import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from lsafnet_cli.classes import Legend
from lsafnet_cli.errors import OutputError, one_line
from lsafnet_cli.mosaic import BLOCK_PX, Part, RasterMeta, vrt_xml
from lsafnet_cli.provenance import Provenance
from lsafnet_cli.stages.stitch import PERCENT_NODATA, Decision, Layers, Patch
from lsafnet_cli.styles import Category, class_categories, pam_xml, qml, transition_categories
from lsafnet_cli.types import Grid

CODES = "codes"


class PartStore:
    """The work folder of an output: parts of each layer, and files on their way to their final names."""

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(f".{output.name}.partial")

    def create(self) -> None:
        """Make the folder. Raises OutputError where that is not allowed."""
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder.parent}: cannot be written to ({error.strerror})") from error

    def remove(self) -> None:
        """Remove the folder and what it holds."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def part(self, layer: str, first: int, end: int) -> Part:
        """Return the part of a layer that holds rows [first, end), there or not."""
        return Part(self.folder / f"{layer}-{first:09d}.tif", first, end)

    def path(self, name: str) -> Path:
        """Return the path of a file on its way to its final name."""
        return self.folder / name


class PartWriter:
    """Collects patches, in the order of their tile rows, and writes each part when its rows are finished."""

    def __init__(self, store: PartStore, grid: Grid, rows_px: int, decision: Decision) -> None:
        self._store, self._grid, self._rows_px, self._decision = store, grid, rows_px, decision
        self._open: dict[int, Layers] = {}
        self._next = 0

    def put(self, patch: Patch) -> None:
        """Take one patch; parts that end above it are complete and written."""
        self._write_until(patch.top)
        rows, cols = patch.shape
        for index in range(patch.top // self._rows_px, -(-(patch.top + rows) // self._rows_px)):
            first = index * self._rows_px
            part = self._open.setdefault(index, self._blank(first))
            source = slice(max(first - patch.top, 0), min(first + self._rows_px - patch.top, rows))
            target = slice(patch.top + source.start - first, patch.top + source.stop - first)
            for layer, pixels in patch.layers.items():
                part[layer][target, patch.left : patch.left + cols] = pixels[source]

    def finish(self) -> None:
        """Write what is left, down to the last row."""
        self._write_until(self._grid.height)

    def _blank(self, first: int) -> Layers:
        rows = min(self._rows_px, self._grid.height - first)
        shape, decision = (rows, self._grid.width), self._decision
        return {
            name: np.full(shape, decision.nodata(name), decision.dtype(name))
            for name in (CODES, *decision.layers)
        }

    def _write_until(self, row: int) -> None:
        while (end := min(self._next + self._rows_px, self._grid.height)) <= row and self._next < end:
            layers = self._open.pop(self._next // self._rows_px, None) or self._blank(self._next)
            for name in (*self._decision.layers, CODES):
                write_part(self._store.part(name, self._next, end), layers[name], self._decision.nodata(name))
            self._next = end


def write_part(part: Part, pixels: np.ndarray[Any, Any], nodata: int) -> None:
    """Write (rows, cols) to a part, under its name only when complete. Raises OutputError."""
    temporary = part.path.with_suffix(".tmp")
    profile = {
        "driver": "GTiff",
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "count": 1,
        "dtype": pixels.dtype,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "compress": "zstd",
        "zstd_level": 1,
        "sparse_ok": True,
    }
    try:
        with _no_georeference_needed(), rasterio.open(temporary, "w", **profile) as dataset:
            dataset.write(pixels, 1)
        temporary.replace(part.path)
    except (RasterioError, OSError) as error:
        raise OutputError(f"{part.path.parent}: writing failed ({one_line(error)})") from error


class _no_georeference_needed(warnings.catch_warnings):  # noqa: N801 - reads as the context it is
    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore", NotGeoreferencedWarning)


@dataclass(frozen=True, slots=True)
class RasterStyle:
    """What a layer's file is besides its pixels: description, categories, how its overviews are made."""

    description: str
    categories: tuple[Category, ...]
    overviews: str = "MODE"


def layer_style(layer: str, legend: Legend) -> RasterStyle:
    """Return how a layer of the map is described and coloured."""
    if layer == CODES:
        return RasterStyle("transition", tuple(transition_categories(legend)))
    if layer == "probability":
        return RasterStyle("probability of change, percent", (), "AVERAGE")
    return RasterStyle(f"land cover, {layer}", tuple(class_categories(legend)))


class MapWriter:
    """Turns the parts of each layer into finished files beside each other."""

    def __init__(self, store: PartStore, grid: Grid, rows_px: int, provenance: Provenance) -> None:
        self._store, self._grid, self._rows_px = store, grid, rows_px
        self._provenance = provenance

    def mosaic(self, layer: str) -> Path:
        """Return a virtual raster over the layer's parts."""
        path = self._store.path(f"{layer}.vrt")
        path.write_text(vrt_xml(self._meta(layer), self._parts(layer)), encoding="utf-8")
        return path

    def write_layer(self, layer: str, output: Path) -> None:
        """Write one layer with its side files; all appear under their names when complete."""
        style = layer_style(layer, self._provenance.legend)
        finished = self._store.path(output.name)
        write_cog(self.mosaic(layer), finished, style.overviews)
        sides: Mapping[str, str] = {}
        if style.categories:
            sides = {
                f"{output.name}.aux.xml": pam_xml(style.categories),
                f"{output.stem}.qml": qml(style.categories),
            }
        for name, text in sides.items():
            self._store.path(name).write_text(text, encoding="utf-8")
        for name in (*sides, output.name):
            publish(self._store.path(name), output.with_name(name))

    def _meta(self, layer: str) -> RasterMeta:
        legend = self._provenance.legend
        style = layer_style(layer, legend)
        return RasterMeta(
            grid=self._grid,
            dtype=legend.dtype if layer == CODES else "uint8",
            nodata=legend.nodata if layer == CODES else PERCENT_NODATA,
            description=style.description,
            palette={entry.value: entry.color for entry in style.categories},
            tags=self._provenance.tags(),
        )

    def _parts(self, layer: str) -> list[Part]:
        height, rows = self._grid.height, self._rows_px
        return [self._store.part(layer, first, min(first + rows, height)) for first in range(0, height, rows)]


def write_cog(source: Path, target: Path, overviews: str) -> None:
    """Write `source` as a cloud-optimised GeoTIFF. Raises OutputError."""
    options = {
        "compress": "deflate",
        "blocksize": BLOCK_PX,
        "overview_resampling": overviews,
        "bigtiff": "if_safer",
        "num_threads": "all_cpus",
    }
    try:
        with _no_georeference_needed():
            rasterio.shutil.copy(source, target, driver="COG", **options)
    except (RasterioError, OSError) as error:
        raise OutputError(f"{target.name}: writing failed ({one_line(error)})") from error


def publish(finished: Path, final: Path) -> None:
    """Give a finished file its final name, in one step. Raises OutputError."""
    try:
        finished.replace(final)
    except OSError as error:
        raise OutputError(f"{final}: cannot be written ({error.strerror})") from error
