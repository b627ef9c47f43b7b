"""Reliability of a map's probability of change."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasterio.windows import Window

from lsafnet.scores.change_curve import ChangeCounts, ReliabilityRow
from lsafnet_cli.data_sets.pair_labels import PairLabels
from lsafnet_cli.evaluation.counting import MapPart, cut_blocks
from lsafnet_cli.files.layers import PERCENT_NODATA
from lsafnet_cli.files.outputs import layer_path
from lsafnet_cli.files.provenance import options_of
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.files.sources import is_remote

DIGITS = 6
DECIDED_BY = ("threshold", "same_class")  # among the options in a map's tags


@dataclass(frozen=True, slots=True)
class ChangeProbability:
    """Scores of the probability of change, over pixels with a label, in percent as maps store it.

    threshold: above which the map has changed pixels. best_threshold, best_f1: where F1 of changed pixels is best on
    these very labels, so more than can be hoped for elsewhere.
    """

    threshold: float | None
    average_precision: float
    calibration_error: float
    best_threshold: float
    best_f1: float
    reliability: tuple[ReliabilityRow, ...]
    pixels: int


def percent_counts() -> ChangeCounts:
    """Return counts of nothing yet, by whole percent."""
    return ChangeCounts(0, 1, 100)


def count_probability(path: Path, window: Window, labels: PairLabels, counts: ChangeCounts) -> None:
    """Count the layer of probability of a map, within a window of it, against labels on any grid."""
    with open_raster(path) as dataset:
        grid = grid_of(dataset)
        for block in cut_blocks(window):
            percent, theirs = dataset.read(1, window=block), labels.read(grid, block)
            known = theirs.valid & (percent != PERCENT_NODATA)
            counts.add(percent[known] / 100, theirs.changed[known])


def score_probability(counts: ChangeCounts, threshold: float | None) -> ChangeProbability | None:
    """Return the scores of what has been counted; None of nothing."""
    curve = counts.curve()
    pixels = round(counts.counts.sum())
    if pixels == 0:
        return None
    best_threshold, best_f1 = curve.best_f1()
    return ChangeProbability(
        threshold=threshold,
        average_precision=round(curve.average_precision(), DIGITS),
        calibration_error=round(curve.calibration_error(), DIGITS),
        best_threshold=round(best_threshold, DIGITS),
        best_f1=round(best_f1, DIGITS),
        reliability=curve.reliability(),
        pixels=pixels,
    )


def decision_of(change_map: str) -> dict[str, Any]:
    """Return how a map was decided, as far as its tags say."""
    with open_raster(change_map) as dataset:
        options = options_of(dataset.tags())
    return {name: options[name] for name in DECIDED_BY if name in options}


def score_layer(
    change_map: str, part: MapPart, labels: PairLabels, threshold: float | None
) -> ChangeProbability | None:
    """Return the scores of the probability that lies beside a map, None where none does, or one of other pixels."""
    layer = layer_path(Path(change_map), "probability")
    if is_remote(change_map) or not layer.exists():
        return None
    with open_raster(str(layer)) as dataset:
        if grid_of(dataset) != part.grid or dataset.dtypes[0] != "uint8":
            return None
    counts = percent_counts()
    count_probability(layer, part.window, labels, counts)
    return score_probability(counts, threshold)
