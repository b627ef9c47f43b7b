"""Write: finished patches become parts on disk, and the parts become cloud-optimised GeoTIFFs.

A part holds full-width rows of the scene. Parts are stored in a work folder beside the output, each renamed when
complete; the output is published when all parts are complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.windows import Window

from lsafnet_cli.files.layers import CODES, PERCENT_NODATA, is_of_codes
from lsafnet_cli.files.provenance import Provenance
from lsafnet_cli.files.publishing import WorkFolder, output_errors
from lsafnet_cli.files.raster_styles import RasterStyle, layer_style, srs_in, with_srs
from lsafnet_cli.files.rasters import rasterio_open
from lsafnet_cli.files.replacing import replacing
from lsafnet_cli.files.vrt import BLOCK_PX, Part, RasterMeta, vrt_xml
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.prediction.parts import is_whole, write_part as write_part
from lsafnet_cli.scenes.aoi import AreaOfInterest
from lsafnet_cli.scenes.validity import BoolArray

if TYPE_CHECKING:  # so that commands without a network do not wait for torch
    from lsafnet_cli.prediction.decide import Decision
    from lsafnet_cli.prediction.stitch import Layers, Patch

UNANSWERED = "LSAFNET_UNANSWERED"  # tag of a part: number of valid pixels without a finite value
CHUNKS = 16  # in which GDAL computes overviews, each by one thread
SMALLEST_CHUNK, LARGEST_CHUNK = (
    1 << 20,
    10 << 20,
)  # bytes; GDAL's own is the larger: small maps get one thread


class PartStore(WorkFolder):
    """The work folder of a map: parts of each layer, and files not yet published."""

    def holds_parts(self) -> bool:
        """Return whether any part is finished."""
        return any(self.folder.glob(f"{CODES}-*.tif"))

    def part(self, layer: str, rows: tuple[int, int], cols: tuple[int, int]) -> Part:
        """Return the path of a layer's part for a range of rows and columns; it may not exist."""
        return Part(self.folder / f"{layer}-{rows[0]:09d}-{cols[0]:09d}.tif", *rows, *cols)


@dataclass(frozen=True, slots=True)
class PartLayout:
    """Division of the map into parts: `rows_px` rows each, and the columns of one swath.

    Parts are relative to the first computed pixel, from which the first pixel of the map is (row, col)
    `corner`; pixels outside `area` have no data.
    """

    grid: Grid
    rows_px: int
    swath_cols: tuple[tuple[int, int], ...]
    corner: tuple[int, int] = (0, 0)
    area: AreaOfInterest | None = None

    @property
    def end_row(self) -> int:
        """The end of the map's rows."""
        return self.corner[0] + self.grid.height

    @property
    def row_spans(self) -> list[tuple[int, int]]:
        """(first, end) rows of the parts, from top to bottom."""
        top, end, rows = self.corner[0], self.end_row, self.rows_px
        return [(first, min(first + rows, end)) for first in range(top, end, rows)]

    def on_map(self, part: Part) -> Part:
        """Return a part in pixels of the map."""
        row, col = self.corner
        return Part(part.path, part.first - row, part.end - row, part.left - col, part.right - col)

    def outside(self, rows: tuple[int, int], cols: tuple[int, int]) -> BoolArray | None:
        """Return which pixels of a part are outside the area of interest, None if there is none."""
        if self.area is None:
            return None
        return ~self.area.inside(Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0]))

    def finished_rows(
        self, store: PartStore, layers: tuple[str, ...], cols: tuple[int, int], top: int = 0
    ) -> int:
        """Return the end row of a swath's intact finished parts, counted from `top` (`top` if none is finished)."""
        done = top
        for rows in self.row_spans:
            if rows[0] < top:
                continue
            if not all(is_whole(store.part(layer, rows, cols)) for layer in layers):
                break
            done = rows[1]
        return done


class PartWriter:
    """Collects a swath's patches, in the order of their tile rows, and writes each part when it is finished.

    `left` is the column that the patches count from; pixels beyond the swath's columns are dropped. Rows
    above `first_row` are finished already.
    """

    def __init__(
        self, store: PartStore, layout: PartLayout, cols: tuple[int, int], left: int, decision: "Decision",
        first_row: int = 0,
    ) -> None:  # fmt: skip
        self._store, self._layout, self._decision = store, layout, decision
        self._cols, self._left = cols, left
        self._waiting = [rows for rows in layout.row_spans if rows[1] > first_row]
        self._open: dict[int, Layers] = {}
        self._unanswered: dict[int, BoolArray] = {}

    def put(self, patch: "Patch") -> None:
        """Add one patch; parts that end above it are complete and written."""
        self.write_until(patch.top)
        rows, cols = patch.shape
        left = patch.left + self._left
        for first, end in self._waiting:
            if first >= patch.top + rows:
                break
            part = self._part(first, end)
            (source_rows, target_rows) = _shared((patch.top, patch.top + rows), (first, end))
            (source_cols, target_cols) = _shared((left, left + cols), self._cols)
            for layer, pixels in patch.layers.items():
                part[layer][target_rows, target_cols] = pixels[source_rows, source_cols]
            if patch.unanswered is not None:
                blank = np.zeros(part[CODES].shape, bool)
                missing = self._unanswered.setdefault(first, blank)
                missing[target_rows, target_cols] = patch.unanswered[source_rows, source_cols]

    def write_until(self, row: int) -> None:
        """Write the parts that end at or above a row, down to the scene's last one."""
        while self._waiting and self._waiting[0][1] <= row:
            first, end = self._waiting.pop(0)
            layers = self._part(first, end)
            outside = self._layout.outside((first, end), self._cols)
            unanswered = self._unanswered.pop(first, None)
            tags = {} if unanswered is None else {UNANSWERED: str(_count(unanswered, outside))}
            for name in (*self._decision.layers, CODES):
                part = self._store.part(name, (first, end), self._cols)
                if outside is not None:
                    layers[name][outside] = self._decision.nodata(name)
                write_part(part, layers[name], self._decision.nodata(name), tags)
            del self._open[first]

    def _part(self, first: int, end: int) -> "Layers":
        if first not in self._open:
            shape, decision = (end - first, self._cols[1] - self._cols[0]), self._decision
            self._open[first] = {
                name: np.full(shape, decision.nodata(name), decision.dtype(name))
                for name in (CODES, *decision.layers)
            }
        return self._open[first]


def _count(pixels: BoolArray, outside: BoolArray | None) -> int:
    return int((pixels if outside is None else pixels & ~outside).sum())


def _shared(span: tuple[int, int], within: tuple[int, int]) -> tuple[slice, slice]:
    """Return the intersection of two spans, as a slice of the first and as a slice of the second."""
    first, end = max(span[0], within[0]), max(min(span[1], within[1]), max(span[0], within[0]))
    return slice(first - span[0], end - span[0]), slice(first - within[0], end - within[0])


class MapWriter:
    """Converts the parts of each layer to finished files."""

    def __init__(
        self, store: PartStore, layout: PartLayout, provenance: Provenance,
        creation_options: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._store, self._layout, self._provenance = store, layout, provenance
        self._creation_options = creation_options or {}
        self._whole: dict[str, Path] = {}
        self._finished: dict[str, Path] = {}

    def take_whole(self, layer: str, path: Path) -> None:
        """Take a layer from one raster of the store with the whole map instead of its parts."""
        self._whole[layer] = path

    def take_finished(self, layer: str, path: Path) -> None:
        """Take a layer from a finished file with the whole map, which is only read."""
        self._finished[layer] = path

    def mosaic(self, layer: str) -> Path:
        """Return a virtual raster over the layer's parts, or the finished file taken instead."""
        if layer in self._finished:
            return self._finished[layer]
        path = self._store.path(f"{layer}.vrt")
        grid, whole = self._layout.grid, self._whole.get(layer)
        parts = [Part(whole, 0, grid.height, 0, grid.width)] if whole is not None else self._parts(layer)
        with replacing(path) as temporary:  # another thread may be reading the previous one
            temporary.write_text(vrt_xml(self._meta(layer), parts), encoding="utf-8")
        return path

    def unanswered_pixels(self) -> int:
        """Return the number of valid pixels without a finite value of the network, from tags of the parts."""
        counts = []
        for part in self._parts(CODES):
            with output_errors(part.path), rasterio_open(part.path) as dataset:
                counts.append(int(dataset.tags().get(UNANSWERED, 0)))
        return sum(counts)

    def write_layer(self, layer: str, output: Path) -> list[Path]:
        """Write one layer and its side files to the work folder, under their final names; return these."""
        style = layer_style(layer, self._provenance.legend)
        pixel_count = self._layout.grid.pixel_count
        return write_styled(
            self.mosaic(layer), self._store, output, style, pixel_count, self._creation_options
        )

    def _meta(self, layer: str) -> RasterMeta:
        legend = self._provenance.legend
        style = layer_style(layer, legend)
        return RasterMeta(
            grid=self._layout.grid,
            dtype=legend.dtype if is_of_codes(layer) else "uint8",
            nodata=legend.nodata if is_of_codes(layer) else PERCENT_NODATA,
            description=style.description,
            unit=style.unit,
            palette={entry.value: entry.color for entry in style.categories},
            tags=self._provenance.tags(),
        )

    def _parts(self, layer: str) -> list[Part]:
        return [
            self._layout.on_map(self._store.part(layer, rows, cols))
            for rows, cols in product(self._layout.row_spans, self._layout.swath_cols)
        ]


def write_styled(
    source: Path, store: WorkFolder, output: Path, style: RasterStyle, pixel_count: int,
    creation_options: Mapping[str, str],
) -> list[Path]:  # fmt: skip
    """Write `source` and its side files to the work folder, under their final names; return these."""
    write_cog(source, store.path(output.name), style, pixel_count, creation_options)
    sides = style.side_files(output)
    pam = output.with_name(f"{output.name}.aux.xml")
    if (srs := srs_in(store.path(pam.name))) is not None:
        sides[pam] = with_srs(sides.get(pam), srs)
    for path, text in sides.items():
        store.path(path.name).write_text(text, encoding="utf-8")
    return [*sides, output]


def write_cog(
    source: Path, target: Path, style: RasterStyle, pixel_count: int, creation_options: Mapping[str, str]
) -> None:
    """Write `source`, of `pixel_count` pixels, as a cloud-optimised GeoTIFF. Raises OutputError."""
    options = {
        "COMPRESS": style.compression,
        "BLOCKSIZE": BLOCK_PX,
        "OVERVIEW_RESAMPLING": style.overviews,
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
    } | {key: value for key, value in creation_options.items() if key != "TILED"}  # it always is
    chunk = int(np.clip(pixel_count / CHUNKS, SMALLEST_CHUNK, LARGEST_CHUNK))
    with (
        output_errors(target),
        rasterio.Env(GDAL_OVR_CHUNK_MAX_SIZE=chunk),
    ):  # in any thread, GDAL's errors become exceptions and nothing else
        rasterio.shutil.copy(source, target, driver="COG", **options)
