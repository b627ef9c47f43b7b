"""Draw examples from a data set: random windows, rotated, flipped and varied, each with its own seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from rasterio.windows import Window
from torch.utils.data import Dataset

from lsafnet.label_sets import LabelSets
from lsafnet.training.augment import jitter_light, swap_dates, turn_and_flip
from lsafnet.training.examples import Example
from lsafnet.training.single_date import SingleDateOptions, draw_single_date_pair
from lsafnet_cli.data_sets.matching import Item
from lsafnet_cli.data_sets.pairs import LabelledImage, LabelledPair
from lsafnet_cli.training.sources import Source, Turns
from lsafnet_cli.training.views import Views

Place = tuple[int, int]
"""(epoch, number within it): what decides an example, whoever draws it and whenever."""
BALANCING_TRIES = 8


@dataclass(frozen=True, slots=True)
class Variation:
    """Augmentation of examples beyond flips and rotations by 90 degrees; `wide`: as
    `lsafnet.training.varied_pairs` does."""

    crop_px: int
    seed: int
    balanced: bool = False
    jitter: bool = False
    swap_dates: bool = False
    value_range: tuple[float, float] = (0.0, 255.0)
    wide: bool = False
    seasonal: tuple[int, ...] = ()


class Draws(Dataset[Example]):
    """Examples by their places. The same place always gives the same example, in whatever process."""

    def __init__(
        self, sources: Sequence[Source], sets: LabelSets, variation: Variation, binary: bool = False
    ) -> None:
        self._sources, self._num_classes, self._variation = tuple(sources), sets.num_classes, variation
        self._binary = binary
        self._turns = Turns(tuple(source.share for source in sources))
        self._slots = [_slots(source.items, variation.crop_px) for source in sources]
        self._views = Views(self._sources, sets, variation.crop_px, variation.value_range, variation.seasonal)
        self._order = lru_cache(4 * len(self._sources))(self._draw_order)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_order": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._order = lru_cache(4 * len(self._sources))(self._draw_order)

    def __len__(self) -> int:
        """Return how many examples cover all sources about once."""
        rounds = max(
            -(-len(slots) // source.share) for slots, source in zip(self._slots, self._sources, strict=True)
        )
        return rounds * sum(self._turns.shares)

    def __getitem__(self, place: Place) -> Example:
        epoch, number = place
        rng = np.random.default_rng([self._variation.seed, epoch, number])
        source, turn = self._turns.of(number)
        slots = self._slots[source]
        rounds, index = divmod(turn, len(slots))
        items = self._sources[source].items
        item = items[slots[self._order(epoch, rounds, source)[index]]]
        if self._variation.wide:
            example = swap_dates(turn_and_flip(self._views.draw(source, item, rng), rng), rng)
        elif isinstance(item, LabelledImage):
            example = self._draw_single_date(item, items, rng)
        else:
            assert isinstance(item, LabelledPair)  # unchanged places are always drawn with wide variety
            example = vary(self._draw_window(item, rng), self._variation, rng)
        return as_binary(example) if self._binary else example

    def _draw_order(self, epoch: int, rounds: int, source: int) -> list[int]:
        rng = np.random.default_rng([self._variation.seed, epoch, rounds, source])
        return rng.permutation(len(self._slots[source])).tolist()  # type: ignore[no-any-return]

    def _draw_window(self, pair: LabelledPair, rng: np.random.Generator) -> Example:
        size = self._variation.crop_px
        windows = [random_window(pair.shape, size, rng)]
        if self._variation.balanced:
            windows += [random_window(pair.shape, size, rng) for _ in range(BALANCING_TRIES - 1)]
            windows = [self._best_for(int(rng.integers(1, self._num_classes)), pair, windows)]
        return padded(pair.read(windows[0]), size)

    @staticmethod
    def _best_for(wanted: int, pair: LabelledPair, windows: list[Window]) -> Window:
        """Return the window that holds most of a class that changed, of either date."""

        def share(window: Window) -> int:
            labels = pair.labels.read(pair.grid, window)
            return int((((labels.before == wanted) | (labels.after == wanted)) & labels.changed).sum())

        return max(windows, key=share)

    def _draw_single_date(
        self, image: LabelledImage, items: Sequence[Item], rng: np.random.Generator
    ) -> Example:
        """Make a pair of two places, of the data set's images with labels of one date."""
        other = items[int(rng.integers(len(items)))]
        assert isinstance(
            other, LabelledImage
        )  # a data set has labels of one date for all its images or none
        size = self._variation.crop_px
        options = SingleDateOptions(value_range=self._variation.value_range)
        # twice the size: pairs zoom in and out within what they are given
        read = [one.read(random_window(one.shape, 2 * size, rng)) for one in (image, other)]
        return draw_single_date_pair(
            [values for values, _ in read], [labels for _, labels in read], size, rng, options
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which places make up which step: `Iterable` of steps' lists of places, for one of several processes."""

    per_epoch: int
    batch_size: int
    epochs: int
    part: int = 0
    parts: int = 1
    first_step: int = 0
    pieces: int = field(default=1)

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has; examples beyond whole batches are left out."""
        return max(1, self.per_epoch // self.batch_size)

    def __iter__(self) -> Iterator[list[Place]]:
        """Yield the places of each batch this process computes, `pieces` of them a step."""
        own = self.batch_size // (self.parts * self.pieces)
        for step in range(self.first_step, self.epochs * self.steps_per_epoch):
            epoch, number = divmod(step, self.steps_per_epoch)
            for piece in range(self.pieces):
                first = number * self.batch_size + (piece * self.parts + self.part) * own
                yield [(epoch, index) for index in range(first, first + own)]


def _slots(items: Sequence[Item], crop_px: int) -> list[int]:
    """Return item numbers, each as often as crops cover it."""
    slots: list[int] = []
    for number, item in enumerate(items):
        rows, cols = item.shape
        slots += [number] * max(1, round(rows * cols / crop_px**2))
    return slots


def random_window(shape: tuple[int, int], size_px: int, rng: np.random.Generator) -> Window:
    """Return a window of at most `size_px` a side within (rows, cols)."""
    rows, cols = (min(side, size_px) for side in shape)
    top, left = (
        int(rng.integers(side - length + 1)) for side, length in zip(shape, (rows, cols), strict=True)
    )
    return Window(left, top, cols, rows)


def padded(example: Example, size_px: int) -> Example:
    """Return an example with at least `size_px` rows and cols; what is added is not valid."""
    rows, cols = example.valid.shape
    more = (0, max(0, size_px - rows)), (0, max(0, size_px - cols))
    if not more[0][1] and not more[1][1]:
        return example
    return Example(
        *(None if array is None else np.pad(array, ((0, 0),) * (array.ndim - 2) + more) for array in example)  # type: ignore[arg-type]
    )


def as_binary(example: Example) -> Example:
    """Return an example whose labels are those of a network without land cover: 1 where something changed."""
    label = example.changed.astype(np.uint8)
    return example._replace(label_before=label, label_after=label)


def vary(example: Example, variation: Variation, rng: np.random.Generator) -> Example:
    """Return an example turned and flipped at random and, where wished, with other light and dates swapped."""
    example = turn_and_flip(example, rng)
    if variation.swap_dates:
        example = swap_dates(example, rng)
    if variation.jitter:
        before, after = (
            jitter_light(image, rng, variation.value_range) for image in (example.before, example.after)
        )
        example = example._replace(before=before, after=after)
    return example
