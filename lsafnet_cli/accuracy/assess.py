"""Assess: accuracies of a map and areas adjusted for its errors, from points with labels."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.accuracy.estimators import Estimate, Estimates, StratifiedSample, estimate
from lsafnet_cli.accuracy.points import ANY_CHANGE, FROM, TO, LabelledPoints, read_points
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.rasters import bounded_cache, grid_of, open_raster
from lsafnet_cli.geometry.arrays import FloatArray, IntArray
from lsafnet_cli.legend.classes import UNCHANGED, Legend
from lsafnet_cli.maps.count import CodeCounts
from lsafnet_cli.maps.table import count_changes, hectares, open_legend
from lsafnet_cli.observer import Observer

DIGITS = 6
BLOCK_PX = 512  # layers of maps written by lsafnet
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its 95 % interval; None if unknown."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """The accuracy of one transition; the name without classes is that of what did not change."""

    name: str
    from_class: str | None
    to_class: str | None
    value: float | None
    low: float | None
    high: float | None
    points: int


@dataclass(frozen=True, slots=True)
class ClassArea:
    """The ground of one transition in the map, and adjusted for the map's errors. Areas are None without a CRS."""

    name: str
    from_class: str | None
    to_class: str | None
    mapped_ha: float | None
    adjusted_ha: float | None
    low_ha: float | None
    high_ha: float | None
    mapped_share: float
    adjusted_share: Interval


@dataclass(frozen=True, slots=True)
class Assessment:
    """What `assess_map` returns. matrix: shares of the ground, rows the map, columns the reference, by `classes`.

    users: the share of what the map shows that is so. producers: the share of what is so that the map shows.
    """

    map: str
    points_file: str
    points: int
    unlabelled_points: int
    outside_points: int
    strata: int
    assessed_ha: float | None
    unseen_ha: float | None
    classes: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]
    counts: tuple[tuple[int, ...], ...]
    overall_accuracy: Interval
    users: tuple[ClassAccuracy, ...]
    producers: tuple[ClassAccuracy, ...]
    areas: tuple[ClassArea, ...]
    notices: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the assessment as JSON-ready values."""
        return asdict(self)


@bounded_cache()
def assess_map(
    change_map: str | Path, points: str | Path, layer: str | None = None, observer: Observer | None = None
) -> Assessment:
    """Assess a change map by labelled points: the map's code under each against `reference_from`, `reference_to`.

    Points that name their stratum and its size, as those of `sample_map` do, are weighted by these, whatever map
    they were drawn from; else each of the map's codes is a stratum. Raises InputError for files that cannot
    serve, names that are no class of the map, and where no point can be used.
    """
    path, observer = str(change_map), observer or Observer()
    legend, grid = open_legend(path)
    found = read_points(str(points), layer, grid)
    counts = count_changes(path, legend, observer)
    with open_raster(path) as dataset:
        mapped = _codes_under(dataset, found)
    reference = np.array(list(_reference_codes(found, legend, str(points))))
    inside = (mapped >= 0) & (mapped != legend.nodata)
    used = inside & (reference >= 0)
    if not used.any():
        raise InputError(f"{points}: no point on the map's data has labels; fill in {FROM} and {TO}")
    strata = _strata(found, mapped, used, counts)
    seen = _Seen(strata, mapped[used], reference[used], counts)
    unlabelled, outside = int((inside & (reference < 0)).sum()), int((~inside).sum())
    report = seen.assessment(path, str(points), unlabelled, outside)
    for text in report.notices:
        observer.notice(text)
    return report


def _codes_under(dataset: Any, points: LabelledPoints) -> IntArray:
    """Return (n,) codes of the map, -1 beyond it."""
    grid, codes = grid_of(dataset), np.full(len(points.cols), -1, np.int64)
    with np.errstate(invalid="ignore"):
        cols, rows = np.floor(points.cols), np.floor(points.rows)
    on_map = np.flatnonzero((cols >= 0) & (cols < grid.width) & (rows >= 0) & (rows < grid.height))
    ordered = on_map[np.lexsort((cols[on_map], rows[on_map] // BLOCK_PX))]  # no block is decoded twice
    for index in ordered.tolist():
        row, col = int(rows[index]), int(cols[index])
        codes[index] = dataset.read(1, window=((row, row + 1), (col, col + 1)))[0, 0]
    return codes


def _reference_codes(points: LabelledPoints, legend: Legend, path: str) -> Iterator[int]:
    """Yield each point's code, -1 where it has no labels yet. Raises InputError for a name that is no class."""
    if legend.semantic and {FROM, TO} <= points.labels.keys():
        known = {name.casefold(): number for number, name in enumerate(legend.names) if number}
        for before, after in zip(points.labels[FROM], points.labels[TO], strict=True):
            if before is None or after is None:
                yield -1
                continue
            source, target = _number(before, known, path), _number(after, known, path)
            same = source == target
            yield UNCHANGED if same else 1 + (source - 1) * legend.class_count + (target - 1)
    elif not legend.semantic:
        yield from _changes(points, legend, path)
    else:
        names = {name.casefold(): code for code, name in legend.labels.items()}
        yield from (-1 if n is None else _number(n, names, path) for n in points.labels[ANY_CHANGE])


def _changes(points: LabelledPoints, legend: Legend, path: str) -> Iterator[int]:
    """Yield whether each point changed, for a map of change alone."""
    if ANY_CHANGE in points.labels:
        names = {name.casefold(): code for code, name in legend.labels.items()}
        yield from (-1 if n is None else _number(n, names, path) for n in points.labels[ANY_CHANGE])
        return
    for before, after in zip(points.labels[FROM], points.labels[TO], strict=True):
        yield -1 if before is None or after is None else int(before.casefold() != after.casefold())


def _number(name: str, known: dict[str, int], path: str) -> int:
    try:
        return known[name.casefold()]
    except KeyError:
        raise InputError(f"{path}: '{name}' is no class of the map; it has {', '.join(known)}") from None


@dataclass(frozen=True, slots=True)
class _Strata:
    """Strata of the points that are used: each one's number (n,), and names, pixels and weights by number."""

    of_point: IntArray
    names: list[str]
    pixels: IntArray
    weight: FloatArray
    in_m2: bool
    own: bool


def _strata(points: LabelledPoints, mapped: IntArray, used: NDArray[np.bool_], counts: CodeCounts) -> _Strata:
    """Return the strata that the points name, else the map's codes."""
    if points.stratum is not None and None not in points.stratum and (points.stratum_weight > 0).all():
        kinds, first, number = np.unique(np.array(points.stratum), return_index=True, return_inverse=True)
        weight, pixels = points.stratum_weight[first], points.stratum_pixels[first]
        return _Strata(number[used], kinds.tolist(), pixels, weight, points.weight_in_m2, True)
    codes = np.flatnonzero(counts.pixels[:-1])
    weight = counts.pixels[codes].astype(float) if counts.areas is None else counts.ground[codes]
    number = np.searchsorted(codes, mapped[used])
    names = [counts.legend.labels[code] for code in codes.tolist()]
    return _Strata(number, names, counts.pixels[codes], weight, counts.areas is not None, False)


class _Seen:
    """All that was seen, put into words."""

    def __init__(self, strata: _Strata, mapped: IntArray, reference: IntArray, counts: CodeCounts) -> None:
        self.strata, self.counts, self.legend = strata, counts, counts.legend
        occurring = np.union1d(np.flatnonzero(counts.pixels[:-1]), np.union1d(mapped, reference))
        self.codes: list[int] = occurring.tolist()
        self._mapped, self._reference = (np.searchsorted(occurring, x) for x in (mapped, reference))
        self._per_stratum = np.bincount(strata.of_point, minlength=len(strata.names))
        self._area_m2 = float(counts.ground[:-1].sum())

    def assessment(self, path: str, points: str, unlabelled: int, outside: int) -> Assessment:
        """Return the whole report."""
        strata, size = self.strata, len(self.codes)
        sample = StratifiedSample(
            strata.of_point, self._mapped, self._reference, strata.weight, strata.pixels, size
        )
        found = estimate(sample)
        cells = np.zeros((size, size), np.int64)
        np.add.at(cells, (self._mapped, self._reference), 1)
        assessed, unseen = (
            float(strata.weight[part].sum()) if strata.in_m2 else np.nan
            for part in (self._per_stratum > 0, self._per_stratum == 0)
        )
        return Assessment(
            map=path,
            points_file=points,
            points=len(self._mapped),
            unlabelled_points=unlabelled,
            outside_points=outside,
            strata=int((self._per_stratum > 0).sum()),
            assessed_ha=hectares(assessed),
            unseen_ha=hectares(unseen),
            classes=tuple(self.legend.labels[code] for code in self.codes),
            matrix=tuple(tuple(round(float(x), DIGITS) for x in row) for row in found.matrix),
            counts=tuple(tuple(int(n) for n in row) for row in cells),
            overall_accuracy=_interval(found.overall),
            users=self._accuracies(found.users, cells.sum(axis=1)),
            producers=self._accuracies(found.producers, cells.sum(axis=0)),
            areas=tuple(self._areas(found, assessed)),
            notices=tuple(self._notices(unlabelled, outside)),
        )

    def _classes(self, code: int) -> tuple[str | None, str | None]:
        if code == UNCHANGED or not self.legend.semantic:
            return None, None
        transition = self.legend.transitions[code - 1]
        return self.legend.names[transition.from_class], self.legend.names[transition.to_class]

    def _accuracies(self, found: Estimate, points: IntArray) -> tuple[ClassAccuracy, ...]:
        return tuple(
            ClassAccuracy(
                self.legend.labels[code], *self._classes(code), **asdict(_interval(found, i)), points=n
            )
            for i, (code, n) in enumerate(zip(self.codes, points.tolist(), strict=True))
        )

    def _areas(self, found: Estimates, assessed_m2: float) -> Iterator[ClassArea]:
        counts, valid = self.counts, self.counts.pixels[:-1].sum()
        for index, code in enumerate(self.codes):
            share = _interval(found.area, index)
            adjusted, low, high = (
                hectares(assessed_m2 * x) if x is not None else None
                for x in (share.value, share.low, share.high)
            )
            whole = self._area_m2 if counts.areas is not None else float(valid)
            part = counts.ground[code] if counts.areas is not None else counts.pixels[code]
            yield ClassArea(
                self.legend.labels[code], *self._classes(code), hectares(counts.ground[code]),
                adjusted, low, high, round(float(part) / whole, DIGITS), share,
            )  # fmt: skip

    def _notices(self, unlabelled: int, outside: int) -> Iterator[str]:
        if not self.strata.own:
            yield (
                "the points have no strata: they are assumed to be random within each of the map's classes, as "
                "lsafnet sample draws them"
            )
        if unlabelled:
            yield f"{unlabelled:,} points have no labels yet and are ignored"
        if outside:
            yield f"{outside:,} points are outside the map's data and are ignored"
        if empty := self._named(self._per_stratum == 0):
            yield f"no point is in {empty}: these strata are excluded"
        if lone := self._named((self._per_stratum == 1) & (self.strata.pixels > 1)):
            yield f"only one point is in {lone}: give two or more, since one point has no interval"

    def _named(self, which: NDArray[np.bool_]) -> str:
        names = [self.strata.names[index] for index in np.flatnonzero(which).tolist()]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        return ", ".join(names[:MOST_NAMED]) + more


def _interval(found: Estimate, index: int | None = None) -> Interval:
    place: Sequence[int] | Any = index if index is not None else ()
    return Interval(*(_number_or_none(np.asarray(x)[place]) for x in (found.value, found.low, found.high)))


def _number_or_none(value: Any) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None
