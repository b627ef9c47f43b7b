"""Labels of a pair: classes of both dates, change, and where these are known."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from rasterio.windows import Window

from lsafnet.label_sets import CHANGED, UNSURE, LabelSets
from lsafnet_cli.data_sets.description import UNKNOWN
from lsafnet_cli.data_sets.labels import read_numbers
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.geometry.arrays import BoolArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import LARGE_NODATA, SMALL_NODATA, ClassArray

CHANGED_OR_NOT = (0, 1, 255)


class PairLabelWindow(NamedTuple):
    """Labels under a window, all (rows, cols).

    before, after: classes 1..K-1 or sets of them, and 0 where none is known. changed: whether the pixel changed.
    valid: whether that, or at least a label, is known. change_known: where `changed` is, None for wherever `valid`.
    """

    before: ClassArray
    after: ClassArray
    changed: BoolArray
    valid: BoolArray
    change_known: BoolArray | None = None


class DateRaster(Protocol):
    """A file of one date's classes."""

    @property
    def path(self) -> str:
        """The file."""
        ...

    def read(self, grid: Grid, window: Window | None = None) -> ClassArray:
        """Return (rows, cols) classes over a window of `grid`, UNKNOWN where it says nothing. Raises InputError."""
        ...


class PairLabels(Protocol):
    """A source of labels of a pair."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files they come from."""
        ...

    def read(self, grid: Grid, window: Window | None = None) -> PairLabelWindow:
        """Return the labels over a window of `grid`. Raises InputError."""
        ...

    def disagreeing(self, grid: Grid, window: Window | None = None) -> int:
        """Return at how many pixels one date has a class and the other none. Raises InputError."""
        ...


@dataclass(frozen=True, slots=True)
class DateLabels:
    """Labels in one file for each date.

    With `changes_only`, as in SECOND and Landsat-SCD, class 0 stands where nothing changed, else both dates'
    classes; a pixel with a class in one date only is not valid. Otherwise the files hold land cover everywhere:
    a pixel changed where the two differ, and class 0 is as good as no data. `sets` says what labels mean that are
    sets of classes: a pixel changed where two sets share nothing.
    """

    before: DateRaster
    after: DateRaster
    changes_only: bool
    sets: LabelSets | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files of both dates."""
        return self.before.path, self.after.path

    def read(self, grid: Grid, window: Window | None = None) -> PairLabelWindow:
        """Return the labels over a window of `grid`. Raises InputError."""
        before, after = self.before.read(grid, window), self.after.read(grid, window)
        known = (before != UNKNOWN) & (after != UNKNOWN)
        if self.changes_only:
            valid = known & ((before > 0) == (after > 0))
            changed = valid & (before > 0)
        else:
            valid = known & (before > 0) & (after > 0)
            changed = valid & (before != after)
        before, after = (np.where(valid, date, 0).astype(np.uint8) for date in (before, after))
        if self.sets is None or not self.sets.sets:
            return PairLabelWindow(before, after, changed, valid)
        said = self.sets.comparison[before, after]
        open_ = (before >= self.sets.num_classes) | (after >= self.sets.num_classes)
        changed = np.where(open_, said == CHANGED, changed)
        return PairLabelWindow(before, after, changed, valid, ~open_ | (said != UNSURE))

    def disagreeing(self, grid: Grid, window: Window | None = None) -> int:
        """Return at how many pixels one date has a class and the other none. Raises InputError."""
        before, after = self.before.read(grid, window), self.after.read(grid, window)
        known = (before != UNKNOWN) & (after != UNKNOWN)
        return int(np.count_nonzero(known & ((before > 0) != (after > 0))))


@dataclass(frozen=True, slots=True)
class TransitionLabels:
    """Labels in one file of transition codes, as change maps hold them: 1 + (from - 1) * (K - 1) + (to - 1).

    Land cover is known only where something changed. 0 is "unchanged" even where the file declares it as nodata.
    """

    path: str
    num_classes: int

    @property
    def files(self) -> tuple[str, ...]:
        """The one file."""
        return (self.path,)

    def read(self, grid: Grid, window: Window | None = None) -> PairLabelWindow:
        """Return the labels over a window of `grid`. Raises InputError, also for numbers that are no code."""
        numbers, valid, _ = read_numbers(self.path, grid, window, lambda nodata, *_: nodata == 0)
        codes, count = numbers[0].astype(np.int64), self.num_classes - 1
        if count == 1:
            codes = (codes > 0).astype(np.int64)  # many files of change alone hold 0 and 255
        else:
            valid = valid & (codes != (SMALL_NODATA if numbers.dtype == np.uint8 else LARGE_NODATA))
        strange = valid & ((codes < 0) | (codes > count * count))
        if strange.any():
            raise InputError(
                f"{self.path}: the value {codes[strange][0]} is no code 0..{count * count} "
                f"({np.count_nonzero(strange):,} such pixels)"
            )
        changed = valid & (codes > 0)
        from_class, to_class = np.divmod(np.where(changed, codes - 1, 0), count)
        before, after = (
            np.where(changed, 1 + number, 0).astype(np.uint8) for number in (from_class, to_class)
        )
        return PairLabelWindow(before, after, changed, valid)

    def disagreeing(self, grid: Grid, window: Window | None = None) -> int:  # noqa: ARG002 - as the protocol has it
        """Return 0: one file cannot disagree with itself."""
        return 0


@dataclass(frozen=True, slots=True)
class BinaryLabels:
    """Labels in one file of changed or not: 0 and 1, or 0 and 255, in one band or as grey or coloured pixels."""

    path: str

    @property
    def files(self) -> tuple[str, ...]:
        """The one file."""
        return (self.path,)

    def read(self, grid: Grid, window: Window | None = None) -> PairLabelWindow:
        """Return the labels over a window of `grid`; changed pixels have the class 1 in both dates.

        Raises InputError, also for other numbers.
        """
        numbers, valid, _ = read_numbers(self.path, grid, window, lambda nodata, *_: nodata == 0)
        strange = valid & ~np.isin(numbers, CHANGED_OR_NOT).all(axis=0)
        if strange.any():
            raise InputError(
                f"{self.path}: the value {numbers[:, strange].max()} is none of 0, 1 and 255 "
                f"({np.count_nonzero(strange):,} such pixels)"
            )
        changed = valid & (numbers > 0).any(axis=0)
        return PairLabelWindow(changed.astype(np.uint8), changed.astype(np.uint8), changed, valid)

    def disagreeing(self, grid: Grid, window: Window | None = None) -> int:  # noqa: ARG002 - as the protocol has it
        """Return 0: one file cannot disagree with itself."""
        return 0


def looks_like_mask(path: str) -> bool:
    """Return whether a file holds 0 and 255 and nothing else, in a decimated read. Raises InputError."""
    return _some_numbers(path) == {0, 255}


def looks_binary(path: str) -> bool:
    """Return whether a file holds 0 and 255, or 0 and 1, and nothing else, in a decimated read. Raises InputError."""
    return _some_numbers(path) in ({0, 255}, {0, 1})


def _some_numbers(path: str, pixels: int = 1 << 20) -> set[int | float]:
    """Return the numbers in a decimated read of a file, none of a change map of lsafnet. Raises InputError."""
    with open_raster(path) as dataset:
        if LEGEND in dataset.tags():  # it holds codes, however few
            return set()
        scale = max(1.0, (dataset.width * dataset.height / pixels) ** 0.5)
        shape = max(1, int(dataset.height / scale)), max(1, int(dataset.width / scale))
        bands = [1, 2, 3] if dataset.count >= 3 else [1]
        numbers = dataset.read(bands, out_shape=(len(bands), *shape))
        valid = np.ones(shape, bool) if dataset.nodata == 0 else dataset.dataset_mask(out_shape=shape) > 0
        return set(np.unique(numbers[:, valid]).tolist())
