"""Labelled images, read by windows: pairs with labels of both dates, and single images with land cover."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from lsafnet.training.examples import Example, Floats, Labels
from lsafnet_cli.data_sets.description import UNKNOWN
from lsafnet_cli.data_sets.pair_labels import DateRaster, PairLabels
from lsafnet_cli.errors import InputError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.options import ReadOptions, StretchRule
from lsafnet_cli.scenes.align import AlignedImage, AlignedPair, align_pair
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.read import Scene, read_pair, read_scene
from lsafnet_cli.scenes.stretch import Stretch, scene_stretch
from lsafnet_cli.scenes.validity import BoolArray


@dataclass(frozen=True, slots=True)
class PixelRules:
    """Bands of an image to read, and the (lowest, highest) value they are rescaled to.

    `nodata`: no-data values of the before and after images instead of those of the files; single images have the
    first.
    """

    bands: tuple[int | str, ...] | None = None
    band_count: int | None = None
    value_range: tuple[float, float] = (0.0, 255.0)
    stretch: StretchRule = field(default_factory=StretchRule)
    nodata: tuple[float, float] | None = None


class LabelledPair:
    """Two images of one place and the labels of both dates, on the grid that `predict` would put them on."""

    def __init__(self, name: str, before: Path, after: Path, labels: PairLabels, rules: PixelRules) -> None:
        self.name, self.before, self.after = name, str(before), str(after)
        self.labels, self.rules = labels, rules

    @cached_property
    def aligned(self) -> AlignedPair:
        """Both images on one grid. Raises InputError and PairError."""
        options = ReadOptions(self.rules.bands, nodata=self.rules.nodata)
        return align_pair(read_pair(self.before, self.after, options, self.rules.band_count))

    @cached_property
    def stretches(self) -> tuple[Stretch | None, Stretch | None]:
        """The stretch of each date, as in `predict`."""
        pair = self.aligned
        before, after = (
            scene_stretch(image.scene, self.rules.stretch, self.rules.value_range)
            for image in (pair.before, pair.after)
        )
        return before, after

    @property
    def grid(self) -> Grid:
        """The common grid."""
        return self.aligned.grid

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.grid.shape

    def read(self, window: Window | None = None) -> Example:
        """Return the pixels and labels under a window of the grid. Raises InputError."""
        window = window or Window(0, 0, self.grid.width, self.grid.height)
        labels = self.labels.read(self.grid, window)
        before, after = (
            read_values(image, window, stretch, self.rules.value_range)
            for image, stretch in zip((self.aligned.before, self.aligned.after), self.stretches, strict=True)
        )
        valid = labels.valid & before[1] & after[1]
        changed = labels.changed & valid
        return Example(before[0], after[0], labels.before, labels.after, changed, valid, labels.change_known)


class LabelledImage:
    """One image and its land cover."""

    def __init__(self, name: str, image: Path, label: DateRaster | None, rules: PixelRules) -> None:
        self.name, self.path, self.label, self.rules = name, str(image), label, rules

    @cached_property
    def scene(self) -> Scene:
        """The image's file. Raises InputError."""
        nodata = self.rules.nodata[0] if self.rules.nodata else None
        return read_scene(self.path, self.rules.bands, self.rules.band_count, nodata)

    @cached_property
    def stretch(self) -> Stretch | None:
        """Its stretch."""
        return scene_stretch(self.scene, self.rules.stretch, self.rules.value_range)

    @property
    def grid(self) -> Grid:
        """The image's grid."""
        return self.scene.grid

    @property
    def aligned(self) -> AlignedImage:
        """The image on its own grid."""
        return AlignedImage(self.scene, self.grid, None if self.scene.placement else (0, 0))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.grid.shape

    def read(self, window: Window | None = None) -> tuple[Floats, Labels]:
        """Return (bands, rows, cols) values and (rows, cols) land cover, 0 where it is unknown. Raises InputError."""
        values, label, _ = self.read_all(window)
        return values, label

    def read_all(self, window: Window | None = None) -> tuple[Floats, Labels, BoolArray]:
        """Return what `read` does, and (rows, cols) where the image has values."""
        grid = self.grid
        window = window or Window(0, 0, grid.width, grid.height)
        values, valid = read_values(self.aligned, window, self.stretch, self.rules.value_range)
        if self.label is None:
            return values, np.zeros(valid.shape, np.uint8), valid
        label = self.label.read(grid, window)
        return values, np.where(valid & (label != UNKNOWN), label, 0).astype(np.uint8), valid


class UnchangedPlace:
    """Images of one place at several dates, on one grid, between which nothing changed; labels may be known."""

    def __init__(self, name: str, dates: Sequence[LabelledImage]) -> None:
        self.name, self.dates = name, tuple(dates)

    @cached_property
    def grid(self) -> Grid:
        """The grid of all dates. Raises InputError where they differ."""
        first = self.dates[0]
        for date in self.dates[1:]:
            if date.grid.shape != first.grid.shape or date.grid.transform != first.grid.transform:
                raise InputError(f"{date.path}: is on another grid than {first.path}; resample one of them")
        return first.grid

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.grid.shape

    def read(self, window: Window | None = None) -> Example:
        """Return the first date and the last under a window of the grid, without change. Raises InputError."""
        before, after = (self.dates[number].read_all(window) for number in (0, -1))
        valid = before[2] & after[2]
        return Example(before[0], after[0], before[1], after[1], np.zeros_like(valid), valid)


def read_values(
    image: AlignedImage, window: Window, stretch: Stretch | None, value_range: tuple[float, float]
) -> tuple[Floats, BoolArray]:
    """Return (bands, rows, cols) float32 in the value range under a window of an image's grid, and its validity."""
    shape = int(window.height), int(window.width)
    numbers = np.empty((len(image.scene.bands), *shape), image.scene.dtype)
    valid = np.ones(shape, bool)
    with ImageReader(image) as reader:
        reader.read(window, numbers, valid)
    values = numbers.astype(np.float32)
    if stretch is not None:
        low, high = (np.array(ends, np.float32)[:, None, None] for ends in (stretch.low, stretch.high))
        lowest, highest = value_range
        share = ((values - low) / (high - low)).clip(0, 1)
        values = (share * np.float32(highest - lowest) + np.float32(lowest)).astype(np.float32)
    values[:, ~valid] = 0
    return values, valid


def rules_of(description: Mapping[str, Any]) -> PixelRules:
    """Return how a data set's pixels are read."""
    bands = description.get("use_bands")
    low, high = description.get("value_range", (0, 255))
    chosen = None if bands is None else tuple(bands)
    count = len(chosen) if chosen else description.get("bands")
    if count is None and "normalization" in description:
        count = len(description["normalization"]["before"]["mean"])
    return PixelRules(chosen, count, (float(low), float(high)), nodata=_nodata_of(description.get("nodata")))


def _nodata_of(given: Any) -> tuple[float, float] | None:
    """Return the no-data values of both dates: null, a number, or two. Raises TypeError and ValueError."""
    if given is None:
        return None
    before, after = given if isinstance(given, list) else (given, given)
    return float(before), float(after)
