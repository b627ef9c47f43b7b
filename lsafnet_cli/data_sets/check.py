"""Check a data set: its content, and defects that would harm a training."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lsafnet.checkpoint.info import BandStatistics, Normalization
from lsafnet.training.examples import Example, Floats
from lsafnet_cli.data_sets.matching import Item
from lsafnet_cli.data_sets.opening import DataSet
from lsafnet_cli.data_sets.pairs import LabelledImage, LabelledPair
from lsafnet_cli.errors import LsafnetError
from lsafnet_cli.geometry.arrays import BoolArray, FloatArray, IntArray
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.observer import Observer, watched


class BandSums:
    """Sums over valid pixels, from which mean and standard deviation follow."""

    def __init__(self) -> None:
        self.count = 0
        self.total: FloatArray | None = None
        self.squares: FloatArray | None = None

    def add(self, values: Floats, valid: BoolArray) -> None:
        """Add (bands, rows, cols) values where (rows, cols) `valid` is True."""
        chosen = values[:, valid].astype(np.float64)
        total, squares = chosen.sum(axis=1), (chosen**2).sum(axis=1)
        self.count += chosen.shape[1]
        self.total = total if self.total is None else self.total + total
        self.squares = squares if self.squares is None else self.squares + squares

    def statistics(self) -> BandStatistics | None:
        """Return mean and standard deviation of each band, None where nothing was added."""
        if self.total is None or self.squares is None or not self.count:
            return None
        mean = self.total / self.count
        std = np.sqrt(np.maximum(self.squares / self.count - mean**2, 1e-12))
        return BandStatistics(tuple(mean.round(3).tolist()), tuple(std.round(4).clip(1e-4).tolist()))


@dataclass(slots=True)
class SplitFacts:
    """Content of a split. `sizes` counts images by "COLSxROWS". `class_pixels` (2, K) are the pixels of each
    class at each date among valid pixels; class 0 stands for "unchanged" or unlabelled ground. `disagreeing`
    are pairs, with a number of pixels, whose labels disagree on what is unchanged. `unreadable` has a line for each
    file that could not be read.
    """

    items: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    valid_pixels: int = 0
    invalid_pixels: int = 0
    changed_pixels: int = 0
    class_pixels: IntArray | None = None
    disagreeing: dict[str, int] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def changed_share(self) -> float | None:
        """The share of valid pixels that changed, None without any."""
        return self.changed_pixels / self.valid_pixels if self.valid_pixels else None


@dataclass(frozen=True, slots=True)
class DataSetFacts:
    """Result of `check_data_set`; `normalization` is measured over the first split, None if nothing is valid.

    `meanings` are the meanings of label values: the classes, and sets of them.
    """

    folder: str
    layout: str
    classes: tuple[str, ...]
    labels_of: str
    meanings: tuple[str, ...]
    splits: dict[str, SplitFacts]
    normalization: Normalization | None

    @property
    def doubts(self) -> tuple[str, ...]:
        """Doubts about labels that can be read."""
        return tuple(self._doubts())

    def _doubts(self) -> Iterator[str]:
        """Yield a warning if all labels have one class or none, though there are several."""
        counted = [facts for facts in self.splits.values() if facts.class_pixels is not None]
        pixels = sum(facts.class_pixels.sum(axis=0) for facts in counted if facts.class_pixels is not None)
        if not counted or len(self.classes) <= 2 or self.labels_of == "no change":
            return
        found = [name for name, count in zip(self.meanings[1:], np.asarray(pixels)[1:], strict=True) if count]
        if len(found) <= 1:
            named = f"only the class {found[0]}" if found else "no class but 0"
            yield (
                f"the labels hold {named}, of {len(self.classes) - 1}: are they binary masks (0 and 1, or 0 "
                "and 255) instead of class numbers?"
            )

    @property
    def sound(self) -> bool:
        """Whether every file could be read, and the labels are plausible."""
        return not self.doubts and not any(facts.unreadable for facts in self.splits.values())

    def as_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        statistics = self.normalization
        return {
            "folder": self.folder,
            "layout": self.layout,
            "classes": list(self.classes),
            "labels_of": self.labels_of,
            "splits": {name: _split_dict(facts, self.meanings) for name, facts in self.splits.items()},
            "normalization": statistics
            and {
                date: {"mean": list(numbers.mean), "std": list(numbers.std)}
                for date, numbers in (("before", statistics.before), ("after", statistics.after))
            },
            "doubts": list(self.doubts),
            "sound": self.sound,
        }


def _split_dict(facts: SplitFacts, classes: tuple[str, ...]) -> dict[str, Any]:
    pixels = np.zeros((2, len(classes)), np.int64) if facts.class_pixels is None else facts.class_pixels
    shares = pixels / np.maximum(pixels.sum(axis=1, keepdims=True), 1)
    return {
        "items": facts.items,
        "sizes": facts.sizes,
        "valid_pixels": facts.valid_pixels,
        "invalid_pixels": facts.invalid_pixels,
        "changed_pixels": facts.changed_pixels,
        "changed_share": facts.changed_share,
        "class_shares": {
            date: dict(zip(classes, row.round(6).tolist(), strict=True))
            for date, row in zip(("before", "after"), shares, strict=True)
        },
        "disagreeing": facts.disagreeing,
        "unreadable": facts.unreadable,
    }


def check_data_set(data_set: DataSet, observer: Observer) -> DataSetFacts:
    """Read every pixel of a data set once and report its content. Unreadable files are listed, not raised."""
    total = sum(map(len, data_set.splits.values()))
    sums = BandSums(), BandSums()
    found: dict[str, SplitFacts] = {}
    with watched(observer, "check", total, "images"):
        for number, (name, items) in enumerate(data_set.splits.items()):
            facts = found[name] = SplitFacts(items=len(items))
            for item in items:
                _check_item(item, facts, data_set.label_sets.count, sums if number == 0 else None)
                observer.advance(1)
    return DataSetFacts(
        folder=str(data_set.folder),
        layout=data_set.layout.name,
        classes=tuple(entry.name for entry in data_set.classes),
        labels_of=data_set.labels_of,
        meanings=meanings_of(data_set),
        splits=found,
        normalization=_normalization(sums),
    )


def meanings_of(data_set: DataSet) -> tuple[str, ...]:
    """Return the meaning of each label value: a class, or classes joined by "or"."""
    names, sets = [entry.name for entry in data_set.classes], data_set.label_sets
    return (*names, *(" or ".join(names[number] for number in one) for one in sets.sets))


def measure_normalization(items: tuple[Item, ...], most: int = 200) -> Normalization:
    """Return mean and standard deviation of each band and date over up to `most` items, evenly spread.

    Raises InputError for what cannot be read, ValueError where nothing is valid.
    """
    sums = BandSums(), BandSums()
    for index in np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).astype(int)):
        for example in read_in_bands(items[index]):
            _add_values(example, sums)
    found = _normalization(sums)
    if found is None:
        raise ValueError("no pixel of the data set is valid")
    return found


def _normalization(sums: tuple[BandSums, BandSums]) -> Normalization | None:
    before, after = (total.statistics() for total in sums)
    return None if before is None or after is None else Normalization(before, after)


def _check_item(item: Item, facts: SplitFacts, classes: int, sums: tuple[BandSums, BandSums] | None) -> None:
    try:
        size = "{1}x{0}".format(*item.shape)
        for example in read_in_bands(item):
            _count(example, facts, classes)
            if sums is not None:
                _add_values(example, sums)
        if isinstance(item, LabelledPair) and (wrong := count_disagreeing(item)):
            facts.disagreeing[item.name] = wrong
    except LsafnetError as error:
        facts.unreadable.append(str(error))
        return
    facts.sizes[size] = facts.sizes.get(size, 0) + 1


def count_disagreeing(pair: LabelledPair) -> int:
    """Return the number of pixels for which only one of a pair's labels has a class. Raises InputError."""
    return sum(pair.labels.disagreeing(pair.grid, window) for window in row_windows(pair.grid))


def _count(example: Example, facts: SplitFacts, classes: int) -> None:
    valid = int(example.valid.sum())
    facts.valid_pixels += valid
    facts.invalid_pixels += example.valid.size - valid
    facts.changed_pixels += int(example.changed.sum())
    counted = np.stack(
        [
            np.bincount(label[example.valid], minlength=classes)
            for label in (example.label_before, example.label_after)
        ]
    )
    facts.class_pixels = counted if facts.class_pixels is None else facts.class_pixels + counted


def _add_values(example: Example, sums: tuple[BandSums, BandSums]) -> None:
    for total, values in zip(sums, (example.before, example.after), strict=True):
        total.add(values, example.valid)


def read_in_bands(item: Item) -> Iterator[Example]:
    """Yield a pair, or an image as a pair with itself, in row bands of bounded size."""
    for window in row_windows(item.grid):
        if isinstance(item, LabelledImage):
            values, label = item.read(window)
            known = label > 0
            yield Example(values, values, label, label, np.zeros_like(known), known)
        else:
            yield item.read(window)
