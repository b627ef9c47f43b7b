"""Scores of the land cover of one date in a change map against an existing land-cover raster."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window

from lsafnet.checkpoint.info import ClassEntry
from lsafnet.scores.bootstrap import draw_units, percentile_interval
from lsafnet.scores.confusion import Floats, class_scores, ratio
from lsafnet_cli.data_sets.description import UNKNOWN
from lsafnet_cli.data_sets.labels import LabelRaster
from lsafnet_cli.data_sets.mapping import MappedRaster, read_mapping
from lsafnet_cli.data_sets.pair_labels import DateRaster, TransitionLabels
from lsafnet_cli.errors import InputError, NoOverlapError, OptionError
from lsafnet_cli.evaluation.counting import MapPart, Unit, cut_blocks
from lsafnet_cli.evaluation.maps import STAGE, scored_part
from lsafnet_cli.evaluation.options import EvaluateOptions
from lsafnet_cli.evaluation.report import ClassScore, Score
from lsafnet_cli.evaluation.scoring import DIGITS, units_notice
from lsafnet_cli.files.outputs import layer_path
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.files.sources import patience
from lsafnet_cli.geometry.arrays import IntArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import ClassArray, Legend, hex_color
from lsafnet_cli.maps.table import open_legend, read_legend
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import KINDS_OF_DATE
from lsafnet_cli.system.heap import memory_errors

MAIN_SCORES = ("overall_accuracy", "miou", "kappa")


@dataclass(frozen=True, slots=True)
class LandCoverEvaluation:
    """What `evaluate_land_cover` returns.

    `date` is "before" or "after"; `layer` the file with the classes of the map, and `changed_only` whether these are
    known for changed pixels only. `confusion` has a row for each class of the reference and a column for each of the
    map, (K-1, K-1) pixels in the order of `classes`. Pixel counts and units are those of `ChangeScores`.
    """

    map: str
    reference: str
    date: str
    layer: str
    changed_only: bool
    classes: tuple[str, ...]
    resamples: int
    seed: int
    notices: tuple[str, ...]
    overall_accuracy: Score
    miou: Score
    kappa: Score
    class_scores: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    counted_pixels: int
    nodata_pixels: int
    unlabelled_pixels: int
    outside_pixels: int
    units: int
    unit_px: int

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LayerClasses:
    """The land cover of a date: the layer beside a map, or without one the class of its changed pixels."""

    path: str
    date: str
    changed_only: bool
    class_count: int

    @classmethod
    def beside(cls, change_map: str, date: str, legend: Legend, grid: Grid) -> "LayerClasses":
        """Return the classes of a map at a date. Raises InputError for a layer of another map."""
        layer = layer_path(Path(change_map), date)
        if not layer.exists():
            return cls(change_map, date, True, legend.class_count)
        with open_raster(layer) as dataset:
            if grid_of(dataset) != grid or read_legend(layer, dataset.tags()).names != legend.names:
                raise InputError(f"{layer}: has another grid or other classes than {change_map}")
        return cls(str(layer), date, False, legend.class_count)

    def read(self, grid: Grid, window: Window) -> ClassArray:
        """Return (rows, cols) classes 1..K-1 under a window, 0 if they are unknown. Raises InputError."""
        if self.changed_only:
            found = TransitionLabels(self.path, self.class_count + 1).read(grid, window)
            return np.where(found.changed, found.before if self.date == "before" else found.after, 0)
        with open_raster(self.path) as dataset:
            return known_classes(dataset.read(1, window=window), self.class_count)


def known_classes(classes: ClassArray, class_count: int) -> ClassArray:
    """Return classes with 0 in place of all that is no class, no data among it."""
    return np.where(classes <= class_count, classes, 0).astype(np.uint8)


@dataclass(slots=True)
class CoverCounts:
    """(K-1, K-1) pixels, rows the reference and columns the map, of each unit in which any were counted."""

    class_count: int
    units: dict[Unit, IntArray] = field(default_factory=dict)
    nodata_pixels: int = 0
    unlabelled_pixels: int = 0

    def add(self, found: ClassArray, truth: ClassArray, top: int, left: int, unit_px: int) -> None:
        """Count a block whose first pixel is (top, left) of the window that is scored; 0 is unknown."""
        counted = (found > 0) & (truth > 0)
        self.nodata_pixels += int(np.count_nonzero(found == 0))
        self.unlabelled_pixels += int(np.count_nonzero((found > 0) & (truth == 0)))
        rows = (np.arange(found.shape[0]) + top) // unit_px
        cols = (np.arange(found.shape[1]) + left) // unit_px
        across = int(cols[-1] - cols[0]) + 1
        unit = ((rows - rows[0])[:, None] * across + (cols - cols[0])[None, :])[counted]
        pair = (truth[counted].astype(np.int64) - 1) * self.class_count + found[counted] - 1
        cells = self.class_count**2
        counts = np.bincount(unit * cells + pair).astype(np.int64)
        for number in np.unique(unit).tolist():
            place = (int(rows[0]) + number // across, int(cols[0]) + number % across)
            one = np.zeros(cells, np.int64)
            own = counts[number * cells : (number + 1) * cells]
            one[: len(own)] = own
            self.units[place] = self.units.get(place, 0) + one

    @property
    def stacked(self) -> Floats:
        """(units, (K-1)**2) pixels, in the order of the units' places."""
        return np.stack([self.units[place] for place in sorted(self.units)]).astype(np.float64)


def evaluate_land_cover(
    change_map: str | Path,
    reference: str | Path,
    date: str,
    options: EvaluateOptions | None = None,
    observer: Observer | None = None,
    mapping: str | None = None,
) -> LandCoverEvaluation:
    """Score the land cover of the "before" or "after" date in a change map against a land-cover raster.

    The classes come from the layer MAP.before.tif or MAP.after.tif if it exists, otherwise from the map itself, which
    knows those of changed pixels only. The reference is on any grid and holds the classes of the map, by number or
    colour, or with a `mapping` those of another legend. Raises OptionError, InputError and NoOverlapError.
    """
    options, notes = options or EvaluateOptions(), Observer(observer)
    path, reference = str(change_map), str(reference)
    if date not in KINDS_OF_DATE:
        raise OptionError(f"`labels` {date}: a reference of one date is of before or after")
    with rasterio.Env(**patience()), memory_errors():
        legend, grid = open_legend(path)
        if not legend.semantic:
            raise OptionError(f"{path}: knows changed and unchanged only; it has no land cover to compare")
        classes = LayerClasses.beside(path, date, legend, grid)
        if classes.changed_only:
            notes.notice(
                f"{layer_path(Path(path), date)} does not exist: only changed pixels, whose classes the map itself "
                f"has, are compared; predict with `also` {date} writes the layer"
            )
        truth = _reference(reference, mapping, legend)
        part = scored_part(path, grid, (reference,), options.unit_px, notes)
        tally = _counted(part, classes, truth, CoverCounts(legend.class_count), options.unit_px, notes)
    if not tally.units:
        raise NoOverlapError(
            f"{path}: no pixel with a known class at this date has a known label in {reference} "
            f"({tally.nodata_pixels:,} have no class, {tally.unlabelled_pixels:,} no label)"
        )
    size = f"of {part.unit_px} pixels"
    if text := units_notice(len(tally.units), options.resamples, f"square {size}", f"squares {size}"):
        notes.notice(text)
    outside = grid.pixel_count - int(part.window.width) * int(part.window.height)
    units = tally.stacked
    total = units.sum(axis=0).reshape(legend.class_count, legend.class_count)
    return LandCoverEvaluation(
        map=path, reference=reference, date=date, layer=classes.path, changed_only=classes.changed_only,
        classes=legend.names[1:], resamples=options.resamples, seed=options.seed, notices=tuple(notes.notices),
        **_main_scores(units, options), class_scores=tuple(_class_scores(total, legend.names[1:])),
        confusion=tuple(tuple(row) for row in total.astype(np.int64).tolist()), counted_pixels=int(total.sum()),
        nodata_pixels=tally.nodata_pixels, unlabelled_pixels=tally.unlabelled_pixels, outside_pixels=outside,
        units=len(units), unit_px=part.unit_px or options.unit_px,
    )  # fmt: skip


def _counted(
    part: MapPart,
    classes: LayerClasses,
    truth: DateRaster,
    tally: CoverCounts,
    unit_px: int,
    notes: Observer,
) -> CoverCounts:
    """Return the counts of the classes found and known, by units."""
    with watched(notes, STAGE, int(part.window.width) * int(part.window.height)):
        for block, found, known in _blocks(part, classes, truth):
            top, left = block.row_off - part.window.row_off, block.col_off - part.window.col_off
            tally.add(found, known, int(top), int(left), part.unit_px or unit_px)
            notes.advance(found.size)
    return tally


def _reference(path: str, mapping: str | None, legend: Legend) -> DateRaster:
    if mapping is not None:
        return MappedRaster(path, read_mapping(mapping, legend.names))
    entries = zip(legend.names, legend.colors, strict=True)
    return LabelRaster(path, tuple(ClassEntry(name, hex_color(color)) for name, color in entries))


def _blocks(
    part: MapPart, classes: LayerClasses, truth: DateRaster
) -> Iterator[tuple[Window, ClassArray, ClassArray]]:
    """Yield each block of a map with its classes and those of the reference, 0 where they are unknown."""
    for block in cut_blocks(part.window):
        known = truth.read(part.grid, block)
        yield block, classes.read(part.grid, block), np.where(known == UNKNOWN, 0, known).astype(np.uint8)


def cover_scores(counts: Floats) -> dict[str, Floats]:
    """Return MAIN_SCORES, (...) fractions each, of (..., K-1, K-1) counts, rows the reference.

    mIoU is the mean over classes that occur in either; kappa is Cohen's.
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    labelled, mapped = counts.sum(axis=-1), counts.sum(axis=-2)
    total = labelled.sum(axis=-1)
    accuracy = ratio(right.sum(axis=-1), total)
    either = labelled + mapped - right
    chance = ratio((labelled * mapped).sum(axis=-1), total * total)
    return {
        "overall_accuracy": accuracy,
        "miou": ratio(ratio(right, either).sum(axis=-1), (either > 0).sum(axis=-1)),
        "kappa": ratio(accuracy - chance, 1 - chance),
    }


def _main_scores(units: Floats, options: EvaluateOptions) -> dict[str, Score]:
    side = round(units.shape[1] ** 0.5)
    values = cover_scores(units.sum(axis=0).reshape(side, side))
    if options.resamples == 0 or len(units) < 2:
        return {name: Score(round(float(values[name]), DIGITS)) for name in MAIN_SCORES}
    drawn = draw_units(units, options.resamples, options.seed).reshape(-1, side, side)
    resampled = cover_scores(drawn)
    ends = {name: percentile_interval(resampled[name]) for name in MAIN_SCORES}
    return {
        name: Score(*(round(float(value), DIGITS) for value in (values[name], *ends[name])))
        for name in MAIN_SCORES
    }


def _class_scores(total: Floats, names: tuple[str, ...]) -> Iterator[ClassScore]:
    right, mapped, labelled = np.diagonal(total), total.sum(axis=0), total.sum(axis=1)
    scores = class_scores(right, mapped, labelled)
    for index, name in enumerate(names):
        shares = {key: round(float(values[index]), DIGITS) for key, values in scores.items()}
        yield ClassScore(name, **shares, pixels=int(labelled[index]), map_pixels=int(mapped[index]))
