"""Correct a map by the verdicts on its changes, with scores of the map and labels for training."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.outputs import MAP_ENDINGS, check_path
from lsafnet_cli.files.provenance import (
    AFTER_DATE,
    BEFORE_DATE,
    Provenance,
    day_of,
    options_of,
    outside_of,
    reliability_of,
)
from lsafnet_cli.files.publishing import finish_naming, publish
from lsafnet_cli.files.rasters import bounded_cache, open_raster
from lsafnet_cli.geometry.arrays import IntArray
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.table import open_legend
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.polygons.review_form import ACCEPTED, STATES
from lsafnet_cli.prediction.write import MapWriter, PartLayout, PartStore, write_part
from lsafnet_cli.review.reading import read_verdicts
from lsafnet_cli.review.verdicts import ANY_CODE, Verdicts

ROWS_AT_ONCE = 512
Codes = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ReviewedTransition:
    """How many polygons of one transition got each verdict, and the share of them that was accepted.

    accepted_pixel_share: the same share of their pixels; None where they have none.
    """

    name: str
    accepted: int
    rejected: int
    corrected: int
    accepted_share: float
    pixels: int
    accepted_pixel_share: float | None


@dataclass(frozen=True, slots=True)
class ReviewReport:
    """What `review_map` returns. Shares speak of the polygons that were looked at, no random sample of the map.

    They are the precision of the map there, by polygons and by pixels; what it missed no polygon shows.
    """

    map: str
    verdicts: str
    output: str
    reviewed: int
    still_open: int
    changed_pixels: int
    accepted_share: float
    reviewed_pixels: int
    accepted_pixel_share: float | None
    transitions: tuple[ReviewedTransition, ...]
    labels: str | None = None
    label_tiles: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


@bounded_cache()
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
        raise OptionError(f"{target}: a change map is a GeoTIFF; its name must end in .tif")
    finish_naming(target)
    check_path(target, (path, str(verdicts)), overwrite)
    legend, grid = open_legend(path)
    found = read_verdicts(str(verdicts), path, legend, grid)
    store, layout = PartStore(target), PartLayout(grid, ROWS_AT_ONCE, ((0, grid.width),))
    changed, pixels = 0, np.zeros(len(found.state), np.int64)
    with store.used():
        with watched(observer, "review", grid.pixel_count):
            for rows in reviewed_rows(path, found, layout):
                write_part(store.part(CODES, rows.span, (0, grid.width)), rows.after, legend.nodata)
                changed += int((rows.before != rows.after).sum())
                pixels += np.bincount(rows.number[rows.number >= 0], minlength=len(pixels))
                observer.advance(rows.after.size)
        writer = MapWriter(store, layout, _provenance(path, legend, str(verdicts)))
        publish(store, writer.write_layer(CODES, target), overwrite)
    right = np.array(found.state) == ACCEPTED
    seen = int(pixels.sum())
    return ReviewReport(
        path, str(verdicts), str(target), len(found.state), found.open_count, changed,
        round(float(right.mean()), 6), seen, round(int(pixels[right].sum()) / seen, 6) if seen else None,
        tuple(_by_transition(found, pixels, legend)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewedRows:
    """Rows [first, end) of a map, (rows, cols) each: codes before and after the verdicts, and the number of the
    verdict that speaks of each pixel, -1 where none does."""

    span: tuple[int, int]
    before: Codes
    after: Codes
    number: Codes


def reviewed_rows(path: str, verdicts: Verdicts, layout: PartLayout) -> Iterator[ReviewedRows]:
    """Yield the rows of a map as they are and as they were reviewed.

    A verdict speaks of those of its pixels that have data and the transition that it is about.
    """
    with open_raster(path) as dataset:
        for first, end in layout.row_spans:
            window = Window(0, first, layout.grid.width, end - first)
            codes = dataset.read(1, window=window)
            number = verdicts.places.numbers_under(window)
            own, new = verdicts.code[number], verdicts.new_code[number]
            number[((own != ANY_CODE) & (own != codes)) | (codes == dataset.nodata)] = -1
            after = np.where((number >= 0) & (new != ANY_CODE), new, codes).astype(codes.dtype)
            yield ReviewedRows((first, end), codes, after, number)


def _by_transition(verdicts: Verdicts, pixels: IntArray, legend: Legend) -> Iterator[ReviewedTransition]:
    """Yield what was found of each transition; `pixels` are those of each verdict."""
    states = np.array(verdicts.state)
    for code in sorted(set(verdicts.code.tolist())):
        own = verdicts.code == code
        accepted, rejected, corrected = (int((own & (states == state)).sum()) for state in STATES[1:])
        right, seen = (int(pixels[chosen].sum()) for chosen in (own & (states == ACCEPTED), own))
        share = round(accepted / int(own.sum()), 6)
        right_share = round(right / seen, 6) if seen else None
        name = legend.labels.get(code, "any")
        yield ReviewedTransition(name, accepted, rejected, corrected, share, seen, right_share)


def _provenance(path: str, legend: Legend, verdicts: str) -> Provenance:
    """Return what the corrected map says of itself: what the first one said, and that it was reviewed."""
    with open_raster(path) as dataset:
        tags = dataset.tags()
    days = [day_of(tags.get(name)) for name in (BEFORE_DATE, AFTER_DATE)]
    version, checkpoint, sha256, before, after = (
        tags.get(f"LSAFNET_{name}", "")
        for name in ("VERSION", "CHECKPOINT", "CHECKPOINT_SHA256", "BEFORE", "AFTER")
    )
    options = {**options_of(tags), "reviewed_map": path, "verdicts": verdicts}
    return Provenance(
        legend, version, checkpoint, sha256, before, after, days[0], days[1], options,
        outside_of(tags), reliability_of(tags),
    )  # fmt: skip
