"""What the maps of consecutive intervals say of a pixel together: plain arithmetic on rows, without files."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.legend.classes import ClassArray, Legend

NODATA = 255
INCOMPLETE = 254  # no change was seen, but some intervals had no data
UNKNOWN = 0  # of a class

CodeRows = NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class IntervalRows:
    """Some rows of an interval's map: (rows, cols) codes, and the land cover of both dates where kept, nodata 255."""

    codes: CodeRows
    before: ClassArray | None = None
    after: ClassArray | None = None


@dataclass(frozen=True, slots=True)
class ChainRows:
    """What all intervals say of (rows, cols) pixels, uint8; NODATA where none had data.

    when: the number of the interval, from 1, in which a pixel last changed; times: how often it changed; both are 0
    where nothing changed in any interval and INCOMPLETE where nothing changed in those that had data. observed: how
    many had data (never NODATA). first, last: the earliest and the latest class that is known, UNKNOWN where none is.
    apart: at how many of the inner dates the two intervals that meet there disagree about the class, NODATA where
    there is none at which both know it. compared, disagreeing: pixels at each inner date.
    """

    when: ClassArray
    times: ClassArray
    observed: ClassArray
    first: ClassArray
    last: ClassArray
    apart: ClassArray
    compared: tuple[int, ...]
    disagreeing: tuple[int, ...]


def follow_chain(intervals: Iterable[IntervalRows], legend: Legend) -> ChainRows:
    """Return what consecutive intervals say together; they are looked at one after the other, each once."""
    from_table, to_table = class_tables(legend)
    chain = compared = ends = None
    counts: list[tuple[int, int]] = []
    number = 0
    for number, rows in enumerate(intervals, 1):
        if chain is None or compared is None or ends is None:
            chain = {name: np.zeros(rows.codes.shape, np.uint8) for name in _COUNTED}
            compared, ends = np.zeros(rows.codes.shape, np.uint8), np.zeros(rows.codes.shape, np.uint8)
        valid = rows.codes != legend.nodata
        changed = valid & (rows.codes > 0)
        chain["when"][changed] = number
        chain["times"] += changed
        chain["observed"] += valid
        starts = classes_at(rows.codes, rows.before, from_table)
        both = (ends != UNKNOWN) & (starts != UNKNOWN)
        differ = both & (ends != starts)
        if number > 1:
            counts.append((int(both.sum()), int(differ.sum())))
        compared += both
        chain["apart"] += differ
        ends = classes_at(rows.codes, rows.after, to_table)
        for classes in (starts, ends):
            np.copyto(chain["first"], classes, where=chain["first"] == UNKNOWN)
            np.copyto(chain["last"], classes, where=classes != UNKNOWN)
    if chain is None or compared is None:
        raise ValueError("a chain has at least one interval")
    _mark_what_is_missing(chain, compared, number)
    return ChainRows(
        **chain, compared=tuple(both for both, _ in counts), disagreeing=tuple(differ for _, differ in counts)
    )


_COUNTED = ("when", "times", "observed", "first", "last", "apart")


def _mark_what_is_missing(chain: dict[str, ClassArray], compared: ClassArray, intervals: int) -> None:
    nothing = chain["observed"] == 0
    gaps = (chain["observed"] < intervals) & (chain["times"] == 0)
    for name in ("when", "times"):
        chain[name][gaps] = INCOMPLETE
    for name in ("when", "times", "first", "last"):
        chain[name][nothing] = NODATA
    chain["apart"][compared == 0] = NODATA


def class_tables(legend: Legend) -> tuple[ClassArray, ClassArray]:
    """Return the class that each code comes from and goes to, UNKNOWN for what says none."""
    from_table, to_table = (np.zeros(legend.nodata + 1, np.uint8) for _ in range(2))
    if legend.semantic:
        for transition in legend.transitions:
            from_table[transition.code] = transition.from_class
            to_table[transition.code] = transition.to_class
    return from_table, to_table


def classes_at(codes: CodeRows, land_cover: ClassArray | None, table: ClassArray) -> ClassArray:
    """Return the class at one end of an interval: the transition's where it changed, else the land cover's."""
    classes = np.asarray(table[codes])
    if land_cover is not None:
        np.copyto(classes, land_cover, where=(codes == 0) & (land_cover != NODATA))
    return classes
