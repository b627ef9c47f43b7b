"""Correct: a map with its polygons as somebody saw them, what that says of the map, and labels to learn from."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window

from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.outputs import MAP_ENDINGS, check_path
from lsafnet_cli.files.provenance import AFTER_DATE, BEFORE_DATE, OPTIONS, Provenance
from lsafnet_cli.files.publishing import publish
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.table import open_legend
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.polygons.review_form import STATES
from lsafnet_cli.prediction.write import MapWriter, PartLayout, PartStore, write_part
from lsafnet_cli.review.verdicts import ANY_CODE, Verdicts, read_verdicts
from lsafnet_cli.system.locks import locked

ROWS_AT_ONCE = 512
Codes = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ReviewedTransition:
    """How many polygons of one transition got each verdict, and the share that was accepted."""

    name: str
    accepted: int
    rejected: int
    corrected: int
    accepted_share: float


@dataclass(frozen=True, slots=True)
class ReviewReport:
    """What `review_map` returns. Shares speak of the polygons that were looked at, no random sample of the map."""

    map: str
    verdicts: str
    output: str
    reviewed: int
    still_open: int
    changed_pixels: int
    transitions: tuple[ReviewedTransition, ...]
    labels: str | None = None
    label_tiles: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


def review_map(
    change_map: str | Path, verdicts: str | Path, output: str | Path, overwrite: bool = False,
    observer: Observer | None = None,
) -> ReviewReport:  # fmt: skip
    """Write a map in which rejected polygons are unchanged and corrected ones have the transition they were given.

    A polygon's pixels are those whose centres it holds and that have its transition. Memory does not grow with the
    map. Raises InputError for verdicts that cannot be read, OutputError where the map may not be written.
    """
    path, target, observer = str(change_map), Path(output), observer or Observer()
    if target.suffix.lower() not in MAP_ENDINGS:
        raise OptionError(f"{target}: a change map is a GeoTIFF; end its name in .tif")
    check_path(target, (path, str(verdicts)), overwrite)
    legend, grid = open_legend(path)
    found = read_verdicts(str(verdicts), legend, grid)
    store, layout = PartStore(target), PartLayout(grid, ROWS_AT_ONCE, ((0, grid.width),))
    changed = 0
    store.create()
    with locked(store.folder):
        try:
            store.empty()
            with watched(observer, "review", grid.pixel_count):
                for rows, before, after in corrected_rows(path, found, layout):
                    write_part(store.part(CODES, rows, (0, grid.width)), after, legend.nodata)
                    changed += int((before != after).sum())
                    observer.advance(after.size)
            writer = MapWriter(store, layout, _provenance(path, legend, str(verdicts)))
            publish(store, writer.write_layer(CODES, target))
        finally:
            store.remove()
    return ReviewReport(
        path, str(verdicts), str(target), len(found.state), found.open_count, changed,
        tuple(_by_transition(found, legend)),
    )  # fmt: skip


def corrected_rows(
    path: str, verdicts: Verdicts, layout: PartLayout
) -> Iterator[tuple[tuple[int, int], Codes, Codes]]:
    """Yield the rows of a map, and its codes before and after the verdicts."""
    with open_raster(path) as dataset:
        for first, end in layout.row_spans:
            window = Window(0, first, layout.grid.width, end - first)
            codes = dataset.read(1, window=window)
            number = polygons_under(verdicts, window)
            new = verdicts.new_code[number]
            meant = _concerned(verdicts, number, codes, dataset.nodata) & (new != ANY_CODE)
            yield (first, end), codes, np.where(meant, new, codes).astype(codes.dtype)


def reviewed_pixels(verdicts: Verdicts, window: Window, codes: Codes, nodata: float | None) -> Codes:
    """Return (rows, cols), True where a pixel of a window lies in a polygon with a verdict that speaks of it."""
    return _concerned(verdicts, polygons_under(verdicts, window), codes, nodata)


def _concerned(verdicts: Verdicts, number: Codes, codes: Codes, nodata: float | None) -> Codes:
    """Return (rows, cols), True where a pixel has data and the transition of the polygon over it."""
    own = verdicts.code[number]
    return np.asarray((number >= 0) & ((own == ANY_CODE) | (own == codes)) & (codes != nodata))


def polygons_under(verdicts: Verdicts, window: Window) -> Codes:
    """Return (rows, cols) numbers of the polygons that hold pixels' centres, -1 where none does."""
    box = shapely.box(0, window.row_off, window.col_off + window.width, window.row_off + window.height)
    touching = np.flatnonzero(shapely.intersects(verdicts.outlines, box))
    shape = int(window.height), int(window.width)
    if len(touching) == 0:
        return np.full(shape, -1, np.int32)
    place = Affine.translation(window.col_off, window.row_off)
    shapes = ((verdicts.outlines[index], int(index)) for index in touching)
    return np.asarray(rasterize(shapes, shape, fill=-1, transform=place, dtype="int32"))


def _by_transition(verdicts: Verdicts, legend: Legend) -> Iterator[ReviewedTransition]:
    counts = Counter(zip(verdicts.code.tolist(), verdicts.state, strict=True))
    for code in sorted(set(verdicts.code.tolist())):
        accepted, rejected, corrected = (counts[code, state] for state in STATES[1:])
        share = round(accepted / (accepted + rejected + corrected), 6)
        yield ReviewedTransition(legend.labels.get(code, "any"), accepted, rejected, corrected, share)


def _provenance(path: str, legend: Legend, verdicts: str) -> Provenance:
    """Return what the corrected map says of itself: what the first one said, and that it was reviewed."""
    with open_raster(path) as dataset:
        tags = dataset.tags()
    days = [date.fromisoformat(tags[name]) if name in tags else None for name in (BEFORE_DATE, AFTER_DATE)]
    version, checkpoint, sha256, before, after = (
        tags.get(f"LSAFNET_{name}", "")
        for name in ("VERSION", "CHECKPOINT", "CHECKPOINT_SHA256", "BEFORE", "AFTER")
    )
    options = {**json.loads(tags.get(OPTIONS, "{}")), "reviewed_map": path, "verdicts": verdicts}
    return Provenance(legend, version, checkpoint, sha256, before, after, days[0], days[1], options)
