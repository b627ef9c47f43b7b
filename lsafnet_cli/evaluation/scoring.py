"""From counts to scores with their intervals and the names of classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lsafnet.scores.bootstrap import percentile_interval, resampled_scores
from lsafnet.scores.confusion import HEADLINES, Floats
from lsafnet_cli.evaluation.counting import PairCounts
from lsafnet_cli.evaluation.report import (
    BoundaryScore,
    ChangeScores,
    ClassScore,
    ConfusionCell,
    Score,
    TransitionScore,
)
from lsafnet_cli.legend.classes import Legend

FEW_UNITS = 30  # below, an interval says more about the units than about the map
DIGITS = 6
Resamples = Mapping[str, Floats]


def resample(tally: PairCounts) -> Resamples | None:
    """Return values of the main scores over units drawn anew; None where none are asked for, or one unit is all."""
    if tally.options.resamples == 0 or len(tally.units) < 2:
        return None
    units = np.stack(
        [tally.units[unit] for unit in sorted(tally.units)]
    )  # whatever order they were counted in
    return resampled_scores(units, tally.options.resamples, tally.options.seed)


def interval_notice(tally: PairCounts, one: str, several: str) -> str | None:
    """Return what a user should know about the intervals, in words for a unit and for units; None for nothing."""
    return units_notice(len(tally.units), tally.options.resamples, one, several)


def units_notice(count: int, resamples: int, one: str, several: str) -> str | None:
    """Return what a user should know about intervals from so many units and resamples; None for nothing."""
    if resamples == 0 or count >= FEW_UNITS:
        return None
    if count < 2:
        return f"all counted pixels are in one {one}: there are no intervals"
    return f"only {count} {several}: the confidence intervals are probably too narrow"


def score(
    tally: PairCounts, resamples: Resamples | None, unit_px: int | None, outside_pixels: int = 0
) -> ChangeScores:
    """Return all scores of what has been counted."""
    found, legend = tally.metrics.compute(), tally.legend
    return ChangeScores(
        **{name: _score(found[name], name, resamples) for name in HEADLINES},
        iou_changed=_rounded(found["iou_changed"]),
        iou_unchanged=_rounded(found["iou_unchanged"]),
        boundary=BoundaryScore(
            tally.options.boundary_px,
            *(_rounded(found.get(f"boundary_{name}", 0.0)) for name in ("precision", "recall", "f1")),
        ),
        classes=tuple(_class_score(legend.names[row["class"]], row) for row in found["classes"]),
        transitions=_transition_scores(found["transitions"], legend),
        confusion=_cells(tally),
        labels=_labels(tally),
        counted_pixels=tally.counted_pixels,
        nodata_pixels=tally.nodata_pixels,
        unlabelled_pixels=tally.unlabelled_pixels,
        outside_pixels=outside_pixels,
        units=len(tally.units),
        unit_px=unit_px,
    )


def headlines(tally: PairCounts) -> dict[str, float]:
    """Return the main scores alone of what has been counted."""
    found = tally.metrics.compute()
    return {name: _rounded(found[name]) for name in HEADLINES}


def differences(
    first: ChangeScores, first_resamples: Resamples | None, other: ChangeScores, resamples: Resamples | None
) -> dict[str, Score]:
    """Return how far the other's main scores lie above the first one's, from the same resamples for both."""
    apart = None
    if first_resamples is not None and resamples is not None and first.units == other.units:
        apart = {name: resamples[name] - first_resamples[name] for name in HEADLINES}
    return {
        name: _score(getattr(other, name).value - getattr(first, name).value, name, apart)
        for name in HEADLINES
    }


def _score(value: float, name: str, resamples: Resamples | None) -> Score:
    if resamples is None:
        return Score(_rounded(value))
    return Score(_rounded(value), *map(_rounded, percentile_interval(resamples[name])))


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)


def _class_score(name: str, row: Mapping[str, Any]) -> ClassScore:
    return ClassScore(name, **_numbers(row))


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    shares = {name: _rounded(row[name]) for name in ("precision", "recall", "f1", "iou")}
    return {**shares, "pixels": row["pixels"], "map_pixels": row["predicted_pixels"]}


def _transition_scores(rows: list[dict[str, Any]], legend: Legend) -> tuple[TransitionScore, ...]:
    """Return the transitions that occur, those with most pixels in the reference first."""
    known = {(one.from_class, one.to_class): one for one in legend.transitions}
    scores = [
        TransitionScore(
            name=(one := known[row["from_class"], row["to_class"]]).name,
            **_numbers(row),
            code=one.code,
            from_class=legend.names[one.from_class] if legend.semantic else None,
            to_class=legend.names[one.to_class] if legend.semantic else None,
        )
        for row in rows
    ]
    return tuple(sorted(scores, key=lambda one: (-one.pixels, -one.map_pixels, one.code)))


def _cells(tally: PairCounts) -> tuple[ConfusionCell, ...]:
    table = tally.metrics.transition_table()
    columns = (table.labelled.tolist(), table.predicted.tolist(), table.pixels.tolist())
    return tuple(sorted((ConfusionCell(*cell) for cell in zip(*columns, strict=True)), key=_place))


def _place(cell: ConfusionCell) -> tuple[int, int]:
    return cell.reference_code, cell.map_code


def _labels(tally: PairCounts) -> dict[int, str]:
    """Return the names of the codes that occur."""
    table = tally.metrics.transition_table()
    occurring = np.union1d(table.labelled, table.predicted).tolist()
    names = tally.legend.labels
    return {code: names[code] for code in occurring}
