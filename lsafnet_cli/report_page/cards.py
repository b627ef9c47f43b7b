"""Cards of a page: selected single changes, from a map or from a polygon file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from affine import Affine
from pyogrio.errors import DataLayerError, DataSourceError
from pyogrio.raw import read as read_features
from pyproj import CRS
from rasterio.features import rasterize
from rasterio.windows import Window

from lsafnet_cli.errors import InputError, reason_of
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.geometry.arrays import FloatArray, IntArray
from lsafnet_cli.geometry.crs import NoWayError, horizontal
from lsafnet_cli.geometry.footprints import to_pixels
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.runs import find_runs
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.table import SQUARE_METRES_PER_HECTARE, area_text
from lsafnet_cli.polygons.table import ROWS_AT_ONCE
from lsafnet_cli.report_page.best_changes import (
    LEAST_UNCERTAIN_M2,
    LEAST_UNCERTAIN_PX,
    PIXELS_AT_ONCE,
    BestChanges,
    find_best_pieces,
)
from lsafnet_cli.scenes.polygon_files import PolygonPlacing

COLUMNS = ("transition", "area_m2", "pixels", "confidence")
NO_CONFIDENCE = "no probability of change is available"
ONLY_SPECKS = f"no change has {LEAST_UNCERTAIN_PX} pixels and {LEAST_UNCERTAIN_M2:.0f} m² or more"


@dataclass(frozen=True, slots=True)
class Card:
    """One change: transition code, area as text, confidence 0..1 if known.

    `box` is (top, left, bottom, right) in pixels of the map. `id` is one of its pixels, row * cols + col, by which
    it is found again; None where the map has it in no pixel.
    """

    code: int
    amount: str
    confidence: float | None
    box: tuple[float, float, float, float]
    id: int | None


@dataclass(frozen=True, slots=True)
class Cards:
    """The largest changes, the largest of each transition that is not among them, and the least certain.

    `missing` is the reason if there are none of the last, else "".
    """

    largest: tuple[Card, ...]
    of_each: tuple[Card, ...]
    least_certain: tuple[Card, ...]
    missing: str


def cards_of_map(map_path: str, legend: Legend, probability: str | None, count: int) -> Cards:
    """Return the cards of a map; confidence is the mean of `probability`, a raster of percent. Raises InputError."""
    codes = np.array([transition.code for transition in legend.transitions])
    best = find_best_pieces(map_path, probability, codes, count)
    return _all_cards(
        best.largest, best.largest_of_each, best.least_certain, count,
        ONLY_SPECKS if probability is not None else NO_CONFIDENCE,
    )  # fmt: skip


def _all_cards(
    largest: BestChanges, of_each: BestChanges, least_certain: BestChanges, count: int, without: str
) -> Cards:
    cards = _cards(largest)
    others = tuple(card for card in _cards(of_each) if card not in cards)[:count]
    unsure = _cards(least_certain)
    return Cards(cards, others, unsure, "" if unsure else without)


def _cards(pieces: BestChanges) -> tuple[Card, ...]:
    rows = zip(
        pieces.code.tolist(), pieces.area_m2.tolist(), pieces.pixels.tolist(), pieces.confidence.tolist(),
        np.stack([pieces.top, pieces.left, pieces.bottom, pieces.right], axis=1).tolist(), pieces.key.tolist(),
        strict=True,
    )  # fmt: skip
    return tuple(
        Card(code, _amount(area, pixels), None if np.isnan(sure) else round(sure, 4), tuple(box), key)
        for code, area, pixels, sure, box, key in rows
    )


def _amount(area_m2: float, pixels: int) -> str:
    if np.isnan(area_m2):
        return area_text(None, pixels)
    return f"{area_m2:,.0f} m²" if area_m2 < 1000 else area_text(area_m2 / SQUARE_METRES_PER_HECTARE, pixels)


def cards_of_polygons(path: Path, map_path: str, legend: Legend, grid: Grid, count: int) -> Cards:
    """Return the cards of a polygon file written by lsafnet for the map of `grid`.

    Raises InputError if it cannot be read, or lacks fields of such files.
    """
    codes = {transition.name: transition.code for transition in legend.transitions}
    largest = of_each = least_certain = BestChanges.none()
    with_confidence = False
    try:
        layer = str(pyogrio.list_layers(path)[0, 0])
        text = pyogrio.read_info(path, layer=layer)["crs"]
        crs = horizontal(text) if text else None
        for first, bounds, columns in _features(path, layer):
            found = _as_pieces(
                path, columns, codes, (*_boxes(bounds, crs, grid), _numbers_from(first, bounds))
            )
            largest = (largest + found).largest(count)
            of_each = (of_each + found).largest_of_each()
            least_certain = (least_certain + found).least_certain(count)
            with_confidence |= bool(np.isfinite(found.percent).any())
        without = ONLY_SPECKS if with_confidence else f"{path.name} has no confidence"
        cards = _all_cards(largest, of_each, least_certain, count, without)
        return _with_pixels(cards, path, layer, PolygonPlacing(crs if grid.crs else None, grid), map_path)
    except (DataSourceError, DataLayerError, NoWayError) as error:
        raise InputError(f"{path}: cannot be read as polygons ({reason_of(error)})") from error


def _numbers_from(first: int, bounds: FloatArray) -> IntArray:
    return np.arange(first, first + bounds.shape[1], dtype=np.int64)


def _with_pixels(cards: Cards, path: Path, layer: str, placing: PolygonPlacing, map_path: str) -> Cards:
    """Return cards of polygons, whose ids are numbers in a file, with a pixel of the map for each."""
    known: dict[int | None, int | None] = {}

    def found(card: Card) -> Card:
        if card.id not in known:
            _, _, (geometry,), _ = read_features(
                path, layer=layer, columns=[], skip_features=card.id, max_features=1
            )
            shape = shapely.make_valid(shapely.from_wkb(geometry))
            with open_raster(map_path) as dataset:
                known[card.id] = pixel_within(dataset, placing.place(shape), card.code) if shape else None
        return replace(card, id=known[card.id])

    largest, of_each, unsure = (
        tuple(map(found, group)) for group in (cards.largest, cards.of_each, cards.least_certain)
    )
    return Cards(largest, of_each, unsure, cards.missing)


def pixel_within(dataset: Any, outline: Any, code: int) -> int | None:
    """Return the middle of the longest run of a code whose centres lie in an outline, as row * cols + col.

    `outline` is in pixels of the open map, which is read row band by row band. None where there is no such run.
    """
    if shapely.is_empty(outline):
        return None
    left, top, right, bottom = np.nan_to_num(shapely.bounds(outline))
    first, end = max(int(top), 0), min(int(np.ceil(bottom)), dataset.height)
    col, beyond = max(int(left), 0), min(int(np.ceil(right)), dataset.width)
    best, longest = None, 0
    step = max(1, PIXELS_AT_ONCE // max(1, beyond - col))
    for row in range(first, end if beyond > col else first, step):
        window = Window(col, row, beyond - col, min(step, end - row))
        shape = int(window.height), int(window.width)
        inside = rasterize([outline], shape, transform=Affine.translation(col, row), dtype="uint8")
        runs = find_runs(((dataset.read(1, window=window) == code) & (inside > 0)).view(np.uint8), row)
        lengths = np.where(runs.code == 1, runs.length, 0)
        at = int(lengths.argmax())
        if lengths[at] > longest:
            longest = int(lengths[at])
            best = int(runs.row[at]) * int(dataset.width) + col + int(runs.col[at]) + longest // 2
    return best


def _features(path: Path, layer: str) -> Iterator[tuple[int, FloatArray, dict[str, Any]]]:
    """Yield the number of the first row, (4, n) bounds and columns of a layer, a batch of rows at a time."""
    skipped = 0
    while True:
        meta, _, geometries, columns = read_features(
            path, layer=layer, columns=list(COLUMNS), skip_features=skipped, max_features=ROWS_AT_ONCE
        )
        bounds = shapely.bounds(shapely.from_wkb(geometries)).T
        yield skipped, bounds, dict(zip(meta["fields"], columns, strict=True))
        skipped += len(geometries)
        if len(geometries) < ROWS_AT_ONCE:
            return


def _boxes(bounds: FloatArray, crs: CRS | None, grid: Grid) -> tuple[FloatArray, ...]:
    """Return (top, left, bottom, right) of bounds (west, south, east, north) in pixels of the map."""
    west, south, east, north = bounds
    x, y = np.stack([west, west, east, east]), np.stack([south, north, south, north])
    cols, rows = to_pixels(x, y, crs, grid)
    return rows.min(axis=0), cols.min(axis=0), rows.max(axis=0), cols.max(axis=0)


def _as_pieces(
    path: Path, columns: dict[str, Any], codes: dict[str, int], boxes: tuple[Any, ...]
) -> BestChanges:
    if lacking := [name for name in COLUMNS if name not in columns]:
        raise InputError(f"{path}: has no {', '.join(lacking)}; give polygons written by lsafnet")
    if unknown := sorted({str(name) for name in columns["transition"]} - set(codes)):
        raise InputError(
            f"{path}: holds '{unknown[0]}', which is no transition of the map; give polygons of this map"
        )
    pixels = columns["pixels"].astype(np.int64)
    percent = columns["confidence"].astype(np.float64) * pixels * 100
    code = np.array([codes[name] for name in columns["transition"]], np.int64)
    return BestChanges(code, pixels, columns["area_m2"].astype(np.float64), percent, *boxes)
