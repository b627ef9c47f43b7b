"""Varied pairs from windows of data sets at any zoom."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from lsafnet.label_sets import LabelSets
from lsafnet.training.augment import resize_image, resize_labels
from lsafnet.training.examples import Bools, Example
from lsafnet.training.single_date import Place, SingleDateOptions
from lsafnet.training.varied_pairs import PLAIN, VARIED, Dates, labelled_pair, one_date_pair, unchanged_pair
from lsafnet_cli.data_sets.matching import Item
from lsafnet_cli.data_sets.pairs import LabelledImage, UnchangedPlace
from lsafnet_cli.training.sources import Source

MOST_ASIDE = 4  # images joined along each axis if one is smaller than the window
FROM_ELSEWHERE = 0.3  # probability that a pasted part comes from another data set
LABEL_TRIES = 4  # windows tried until one contains a label: polygons leave most of an image unknown
PLAIN_SHARE = 0.5  # share of pairs with almost no variation
STRENGTHS = (0.3, 1.0)  # of the strongest light and colour


@dataclass(frozen=True, slots=True)
class Views:
    """Varied examples of `size_px` from sources whose labels have common numbers."""

    sources: Sequence[Source]
    sets: LabelSets
    size_px: int
    value_range: tuple[float, float]
    seasonal: tuple[int, ...] = ()

    def _options(self, rng: np.random.Generator) -> SingleDateOptions:
        """Return how one pair is varied: some are seen nearly as they are, some very far from it."""
        options = PLAIN if rng.random() < PLAIN_SHARE else VARIED
        strength = options.look.strength * rng.uniform(*STRENGTHS)
        look = replace(options.look, seasonal=self.seasonal, strength=strength)
        return replace(options, value_range=self.value_range, look=look)

    def draw(self, number: int, item: Item, rng: np.random.Generator) -> Example:
        """Return an example of an item of a source. Raises InputError."""
        source, options = self.sources[number], self._options(rng)
        zoom = drawn_zoom(source.zoom, rng)
        if isinstance(item, LabelledImage):
            dates, other = self._seen(source, item, zoom, rng), self._other(number, zoom, rng)
            return one_date_pair(dates, other, self.size_px, rng, options, self.sets)
        dates = self._seen(source, item, zoom, rng)
        if isinstance(item, UnchangedPlace):
            other = self._other(number, zoom, rng)
            return unchanged_pair(dates, other, self.size_px, rng, options, self.sets)
        return labelled_pair(dates, self.size_px, rng, options)

    def _other(self, number: int, zoom: float, rng: np.random.Generator) -> Place:
        """Return a place to paste from: of the same source at the same zoom, or of another one."""
        if len(self.sources) > 1 and rng.random() < FROM_ELSEWHERE:
            others = [source for index, source in enumerate(self.sources) if index != number]
            source = others[int(rng.integers(len(others)))]
            zoom = drawn_zoom(source.zoom, rng)
        else:
            source = self.sources[number]
        return self._place(source, source.items[int(rng.integers(len(source.items)))], zoom, rng)

    def _place(self, source: Source, item: Item, zoom: float, rng: np.random.Generator) -> Place:
        """Return one date of an item."""
        dates = self._seen(source, item, zoom, rng)
        return dates.before if rng.random() < 0.5 else dates.after

    def _seen(self, source: Source, item: Item, zoom: float, rng: np.random.Generator) -> Dates:
        """Return both dates of a square of an item as wide as the zoom asks for."""
        side = self.size_px + 2 * VARIED.shift_px
        wide = max(8, round(side * zoom))
        aside = min(MOST_ASIDE, ceil(wide / min(item.shape)))
        if aside == 1:
            for _ in range(LABEL_TRIES):
                dates = read_dates(item, random_square(item.shape, wide, rng), source, rng)
                if dates.before.label.any():
                    break
        else:
            dates = self._side_by_side(source, item, ceil(wide / aside), aside, rng)
        return resized(dates, side)

    @staticmethod
    def _side_by_side(source: Source, item: Item, wide: int, aside: int, rng: np.random.Generator) -> Dates:
        """Return windows of several items of one source as one place."""
        items = [item, *(source.items[int(n)] for n in rng.integers(len(source.items), size=aside**2 - 1))]
        parts = [
            resized(read_dates(one, random_square(one.shape, wide, rng), source, rng), wide) for one in items
        ]
        return joined([parts[first : first + aside] for first in range(0, len(parts), aside)])


def drawn_zoom(zoom: tuple[float, float], rng: np.random.Generator) -> float:
    """Return a zoom between the least and the greatest, drawn evenly on a logarithmic scale."""
    return float(np.exp(rng.uniform(*np.log(zoom))))


def random_square(shape: tuple[int, int], side: int, rng: np.random.Generator) -> Window:
    """Return a square window of at most `side` within (rows, cols)."""
    side = min(side, *shape)
    top, left = (int(rng.integers(length - side + 1)) for length in shape)
    return Window(left, top, side, side)


def read_dates(item: Item, window: Window, source: Source, rng: np.random.Generator) -> Dates:
    """Return both dates of an item under a window, one image twice where there is but one. Raises InputError."""
    number = source.renumbering
    if isinstance(item, LabelledImage):
        image, label, valid = item.read_all(window)
        place = Place(image, number[label])
        return _without_change(place, place, valid)
    if isinstance(item, UnchangedPlace):
        chosen = rng.permutation(len(item.dates))[:2]
        (one, its, there), (two, theirs, here) = (item.dates[int(n)].read_all(window) for n in chosen)
        return _without_change(Place(one, number[its]), Place(two, number[theirs]), there & here)
    pair = item.read(window)
    before, after = Place(pair.before, number[pair.label_before]), Place(pair.after, number[pair.label_after])
    known = np.ones_like(pair.valid) if pair.change_known is None else pair.change_known
    return Dates(before, after, pair.valid, pair.changed, known)


def _without_change(before: Place, after: Place, valid: Bools) -> Dates:
    return Dates(before, after, valid, np.zeros_like(valid), np.ones_like(valid))


def resized(dates: Dates, side: int) -> Dates:
    """Return dates of `side` rows and cols."""
    if dates.valid.shape == (side, side):
        return dates
    size = side, side

    def seen(place: Place) -> Place:
        return Place(resize_image(place.image, size), resize_labels(place.label, size))

    before = seen(dates.before)
    after = before if dates.after is dates.before else seen(dates.after)
    said = (
        resize_labels(bools.astype(np.uint8), size) > 0 for bools in (dates.valid, dates.changed, dates.known)
    )
    return Dates(before, after, *said)


def joined(rows: list[list[Dates]]) -> Dates:
    """Return dates of one size, in rows of them, as one."""

    def together(arrays: Callable[[Dates], NDArray[Any]]) -> NDArray[Any]:
        return np.block([[arrays(one) for one in row] for row in rows])

    before = Place(together(lambda one: one.before.image), together(lambda one: one.before.label))
    after = Place(together(lambda one: one.after.image), together(lambda one: one.after.label))
    valid, changed, known = (
        together(of) for of in (lambda one: one.valid, lambda one: one.changed, lambda one: one.known)
    )
    return Dates(before, after, valid, changed, known)
