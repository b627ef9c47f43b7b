"""Open a data set: which layout its folders have, which splits, which files belong together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsafnet.checkpoint.info import ClassEntry
from lsafnet.checkpoint.published import DATA_SETS
from lsafnet_cli.data_sets.description import KINDS_OF_LABELS, classes_of, read_description
from lsafnet_cli.data_sets.labels import LabelRaster
from lsafnet_cli.data_sets.pair_labels import DateLabels, PairLabels, TransitionLabels
from lsafnet_cli.data_sets.pairs import LabelledImage, LabelledPair, PixelRules
from lsafnet_cli.errors import InputError

SPLITS = ("train", "val", "test")
WHOLE = "all"
IMAGE_ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".vrt")


@dataclass(frozen=True, slots=True)
class Layout:
    """Names of the folders a data set consists of, and the data set whose classes it usually has."""

    name: str
    images: tuple[str, ...]
    labels: tuple[str, ...]
    known: str | None = None

    @property
    def folders(self) -> tuple[str, ...]:
        """All its folders."""
        return self.images + self.labels


LAYOUTS = (
    Layout("second", ("im1", "im2"), ("label1", "label2"), "second"),
    Layout("landsat-scd", ("A", "B"), ("labelA", "labelB"), "landsat-scd"),
    Layout("two dates", ("before", "after"), ("label_before", "label_after")),
    Layout("transitions", ("before", "after"), ("label",)),
    Layout("one date", ("images",), ("labels",)),
)
"""In the order in which they are looked for."""

Item = LabelledPair | LabelledImage


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that has been opened; `splits` hold pairs, or images of one date where `single_date` is True.

    `description` is what the checkpoints trained on it will say, as in
    `lsafnet.checkpoint.published.DATA_SETS`.
    """

    folder: Path
    layout: Layout
    classes: tuple[ClassEntry, ...]
    description: Mapping[str, Any]
    splits: Mapping[str, tuple[Item, ...]]

    @property
    def single_date(self) -> bool:
        """Whether it has labels of one date only."""
        return len(self.layout.images) == 1

    @property
    def rules(self) -> PixelRules:
        """How its pixels are read."""
        return rules_of(self.description)

    def items(self, name: str) -> tuple[Item, ...]:
        """Return what a split holds. Raises InputError, which names those that exist, where there is none such."""
        if name not in self.splits:
            raise InputError(f"{self.folder}: has no split {name!r}; it has {', '.join(self.splits)}")
        return self.splits[name]

    def split(self, name: str) -> tuple[LabelledPair, ...]:
        """Return the pairs of a split. Raises InputError where there is none, or it has one date only."""
        found = self.items(name)
        pairs = tuple(item for item in found if isinstance(item, LabelledPair))
        if len(pairs) < len(found):
            raise InputError(f"{self.folder}: has images of one date only; change needs pairs")
        return pairs


def open_data_set(folder: Path) -> DataSet:
    """Open the data set in a folder. Raises InputError where it has no known layout, or files lack their others.

    Splits are folders train, val and test with the layout's folders within, or lists train_list.txt ... (train.txt
    ...) of file names beside these; where there is neither, the one split is called "all".
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; name the folder of a data set")
    layout, split_folders = _find_layout(folder)
    known = DATA_SETS[layout.known] if layout.known else {}
    own = read_description(folder)
    defaults = {"trained_on": folder.resolve().name} if not layout.known else {}
    description = {**known, **defaults, **own}
    kind = own.get("labels", "changes" if layout.known else KINDS_OF_LABELS[0])
    opener = _Opener(layout, classes_of(description, folder), kind == "changes", rules_of(description))
    if split_folders:
        splits = {name: opener.open_all(root) for name, root in split_folders.items()}
    else:
        splits = _listed(folder, opener) or {WHOLE: opener.open_all(folder)}
    return DataSet(folder, layout, opener.classes, description, splits)


def rules_of(description: Mapping[str, Any]) -> PixelRules:
    """Return how a data set's pixels are read."""
    bands = description.get("use_bands")
    low, high = description.get("value_range", (0, 255))
    chosen = None if bands is None else tuple(bands)
    count = len(chosen) if chosen else description.get("bands")
    if count is None and "normalization" in description:
        count = len(description["normalization"]["before"]["mean"])
    return PixelRules(chosen, count, (float(low), float(high)))


def _find_layout(folder: Path) -> tuple[Layout, dict[str, Path]]:
    """Return the layout of a folder, and its split folders where it has such."""
    splits = {name: folder / name for name in SPLITS if (folder / name).is_dir()}
    for layout in LAYOUTS:
        having = {name: root for name, root in splits.items() if _has(root, layout)}
        if having:
            return layout, having
        if _has(folder, layout):
            return layout, {}
    wanted = "; ".join(", ".join(layout.folders) for layout in LAYOUTS)
    raise InputError(
        f"{folder}: is laid out as no known data set; it, or its folders train, val, test, must hold one of: {wanted}"
    )


def _has(folder: Path, layout: Layout) -> bool:
    return all((folder / name).is_dir() for name in layout.folders)


def _listed(folder: Path, opener: "_Opener") -> dict[str, tuple[Item, ...]]:
    """Return the splits that lists of file names make; none where there are no lists."""
    splits = {}
    for name in SPLITS:
        lists = (folder / f"{name}_list.txt", folder / f"{name}.txt", folder / "list" / f"{name}.txt")
        path = next((path for path in lists if path.is_file()), None)
        if path is not None:
            splits[name] = opener.open_listed(folder, path)
    return splits


class _Opener:
    """Finds the files that belong together."""

    def __init__(
        self, layout: Layout, classes: tuple[ClassEntry, ...], changes_only: bool, rules: PixelRules
    ) -> None:
        self.layout, self.classes, self._changes_only, self._rules = layout, classes, changes_only, rules

    def open_all(self, root: Path) -> tuple[Item, ...]:
        """Return all that lies in the layout's folders under `root`, by name."""
        found = self._index(root)
        names = sorted(found[self.layout.images[0]])
        if not names:
            raise InputError(f"{root / self.layout.images[0]}: holds no image ({', '.join(IMAGE_ENDINGS)})")
        return tuple(self._open(name, root, found) for name in names)

    def open_listed(self, root: Path, listing: Path) -> tuple[Item, ...]:
        """Return what a list of file names holds, one a line, in its order."""
        found = self._index(root)
        lines = listing.read_text(encoding="utf-8").splitlines()
        names = [Path(line.split()[0]).stem for line in lines if line.strip()]
        if not names:
            raise InputError(f"{listing}: is empty")
        for number, name in enumerate(names, 1):
            if name not in found[self.layout.images[0]]:
                raise InputError(
                    f"{listing}: line {number} names {name}, which {self.layout.images[0]} does not hold"
                )
        return tuple(self._open(name, root, found) for name in names)

    def _index(self, root: Path) -> dict[str, dict[str, Path]]:
        return {name: dict(_images(root / name)) for name in self.layout.folders}

    def _open(self, name: str, root: Path, found: Mapping[str, Mapping[str, Path]]) -> Item:
        for folder in self.layout.folders:
            if name not in found[folder]:
                raise InputError(f"{root / folder}: lacks {name}, which {self.layout.images[0]} holds")
        images = [found[folder][name] for folder in self.layout.images]
        labels = [found[folder][name] for folder in self.layout.labels]
        if len(images) == 1:
            return LabelledImage(name, images[0], LabelRaster(str(labels[0]), self.classes), self._rules)
        return LabelledPair(name, images[0], images[1], self._labels(labels), self._rules)

    def _labels(self, files: list[Path]) -> PairLabels:
        if len(files) == 1:
            return TransitionLabels(str(files[0]), len(self.classes))
        before, after = (LabelRaster(str(file), self.classes) for file in files)
        return DateLabels(before, after, self._changes_only)


def _images(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_ENDINGS and not path.name.startswith("."):
            yield path.stem, path
