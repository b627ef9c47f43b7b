"""Open a data set: detect its layout and splits, and match its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from lsafnet.checkpoint.info import ClassEntry
from lsafnet.checkpoint.published import DATA_SETS
from lsafnet.label_sets import LabelSets
from lsafnet_cli.data_sets.description import (
    UNCHANGED_PAIRS,
    LabelMeanings,
    classes_of,
    find_description,
    meanings_of_labels,
    read_description,
)
from lsafnet_cli.data_sets.labels import LabelRaster
from lsafnet_cli.data_sets.pair_labels import DateLabels, DateRaster, PairLabels, TransitionLabels
from lsafnet_cli.data_sets.pairs import LabelledImage, LabelledPair, PixelRules, UnchangedPlace
from lsafnet_cli.data_sets.polygon_labels import VECTOR_ENDINGS, PolygonLabels
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.sources import IMAGE_ENDINGS
from lsafnet_cli.options import KindOfLabels

SPLITS = ("train", "val", "test")
WHOLE = "all"
TRANSITIONS_LABEL = "label"


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
    Layout("transitions", ("before", "after"), (TRANSITIONS_LABEL,)),
    Layout("one date", ("images",), ("labels",)),
)
"""In the order in which they are looked for."""
UNCHANGED = Layout(UNCHANGED_PAIRS, ("images",), ())

Item = LabelledPair | LabelledImage | UnchangedPlace


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that has been opened; `splits` hold pairs, or images of one date where `single_date` is True.

    `description` is what the checkpoints trained on it will say, as in
    `lsafnet.checkpoint.published.DATA_SETS`.
    `label_sets` says what its labels' numbers mean. `file` is where it is described, or would be.
    """

    folder: Path
    layout: Layout
    classes: tuple[ClassEntry, ...]
    description: Mapping[str, Any]
    splits: Mapping[str, tuple[Item, ...]]
    label_sets: LabelSets
    file: Path

    @property
    def single_date(self) -> bool:
        """Whether it has labels of one date only."""
        return len(self.layout.images) == 1 and self.layout is not UNCHANGED

    @property
    def labels_of(self) -> str:
        """What its labels are of: "one date", "two dates", or "no change" of unchanged pairs."""
        if self.layout is UNCHANGED:
            return "no change"
        return "one date" if self.single_date else "two dates"

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
            raise InputError(f"{self.folder}: has no labels of two dates; change scores need them")
        if self.label_sets.sets:
            raise InputError(
                f"{self.file}: some labels are sets of classes; change scores need one class for each pixel"
            )
        return pairs


def open_data_set(
    path: Path, usual: tuple[ClassEntry, ...] | None = None, nodata: tuple[float, float] | None = None
) -> DataSet:
    """Open the data set in a folder, or that which a JSON file describes; `usual` are its classes if it lists none.
    `nodata` overrides the no-data values of its description.

    Raises InputError where it has no known layout, or files lack their others.

    Splits are folders train, val and test with the layout's folders within, or lists train_list.txt ... (train.txt
    ...) of file names beside these, or `splits` in its description, which maps each to patterns of names; where
    there is none of these, the one split is called "all".
    """
    folder, file = find_description(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; name the folder of a data set")
    own = read_description(file) | ({} if nodata is None else {"nodata": list(nodata)})
    layout, split_folders = _find_layout(folder, own.get("kind"))
    known = DATA_SETS[layout.known] if layout.known else {}
    defaults = {"trained_on": folder.resolve().name} if not layout.known else {}
    description = {**known, **defaults, **own}
    kind = own.get("labels", KindOfLabels.CHANGES if layout.known else KindOfLabels.LAND_COVER)
    if usual is not None and "classes" not in description:
        description["classes"] = [{"name": entry.name, "color": entry.color} for entry in usual]
    classes = classes_of(description, file)
    meanings = meanings_of_labels(description, classes, file)
    try:
        rules = rules_of(description)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{file}: value_range, bands, use_bands, nodata or normalization has a wrong structure"
        ) from error
    opener = _Opener(layout, classes, kind == KindOfLabels.CHANGES, rules, meanings)
    if split_folders:
        splits = {name: opener.open_all(root) for name, root in split_folders.items()}
    else:
        splits = _listed(folder, opener) or {WHOLE: opener.open_all(folder)}
    if "splits" in own:
        splits = _by_patterns(own["splits"], [item for items in splits.values() for item in items], file)
    return DataSet(folder, layout, opener.classes, description, splits, meanings.sets, file)


def _by_patterns(patterns: Any, items: list[Item], file: Path) -> dict[str, tuple[Item, ...]]:
    """Return the splits that patterns of names make; what val or test names, train leaves out.

    Raises InputError where one matches nothing.
    """
    if not isinstance(patterns, dict) or not set(patterns) <= set(SPLITS):
        raise InputError(f'{file}: splits must be an object like {{"train": "*", "val": ["tile5_*"]}}')
    splits: dict[str, tuple[Item, ...]] = {}
    taken: set[str] = set()
    for name in sorted(patterns, key=SPLITS.index, reverse=True):
        wanted = [patterns[name]] if isinstance(patterns[name], str) else list(patterns[name])
        matching = [item for item in items if any(fnmatch(item.name, one) for one in wanted)]
        splits[name] = tuple(item for item in matching if name != "train" or item.name not in taken)
        taken |= {item.name for item in matching}
        if not splits[name]:
            raise InputError(f"{file}: splits: {name}: no name matches {', '.join(wanted)}")
    return {name: splits[name] for name in SPLITS if name in splits}


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


def _find_layout(folder: Path, kind: str | None) -> tuple[Layout, dict[str, Path]]:
    """Return the layout of a folder, and its split folders where it has such."""
    splits = {name: folder / name for name in SPLITS if (folder / name).is_dir()}
    for layout in (UNCHANGED,) if kind == UNCHANGED_PAIRS else LAYOUTS:
        having = {name: root for name, root in splits.items() if _has(root, layout)}
        if having:
            return layout, having
        if _has(folder, layout):
            return layout, {}
    wanted = "; ".join(", ".join(layout.folders) for layout in LAYOUTS)
    raise InputError(
        f"{folder}: has no known layout; it, or its folders train, val, test, must contain one of: {wanted}"
    )


def _has(folder: Path, layout: Layout) -> bool:
    """Whether a folder holds all those of a layout; polygons may stand in place of the labels of a date."""
    labelled = all(
        (folder / name).is_dir() or (name != TRANSITIONS_LABEL and _polygons(folder, name))
        for name in layout.labels
    )
    return labelled and all((folder / name).is_dir() for name in layout.images)


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
    """Matches the files of a data set."""

    def __init__(
        self,
        layout: Layout,
        classes: tuple[ClassEntry, ...],
        changes_only: bool,
        rules: PixelRules,
        meanings: LabelMeanings,
    ) -> None:
        self.layout, self.classes, self._changes_only, self._rules = layout, classes, changes_only, rules
        self._meanings = meanings

    def open_all(self, root: Path) -> tuple[Item, ...]:
        """Return all that lies in the layout's folders under `root`, by name."""
        found = self._index(root)
        if self.layout is UNCHANGED:
            return self._places(root, found["images"])
        names = sorted(found[self.layout.images[0]])
        if not names:
            raise InputError(
                f"{root / self.layout.images[0]}: contains no image ({', '.join(IMAGE_ENDINGS)})"
            )
        return tuple(self._open(name, root, found) for name in names)

    def open_listed(self, root: Path, listing: Path) -> tuple[Item, ...]:
        """Return what a list of file names holds, one a line, in its order."""
        found = self._index(root)
        lines = listing.read_text(encoding="utf-8").splitlines()
        first = self.layout.images[0]
        names = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            name = _listed_name(line, found[first])
            if name is None:
                raise InputError(f"{listing}: line {number} names {line.strip()}, which is not in {first}")
            names.append(name)
        if not names:
            raise InputError(f"{listing}: is empty")
        return tuple(self._open(name, root, found) for name in names)

    def _index(self, root: Path) -> dict[str, dict[str, Path]]:
        found = {name: dict(_images(root / name)) for name in self.layout.images}
        for name in self.layout.labels:
            file = _polygons(root, name)
            found[name] = (
                dict(_images(root / name, IMAGE_ENDINGS + VECTOR_ENDINGS))
                if file is None
                else dict.fromkeys(found[self.layout.images[0]], file)
            )
        return found

    def _places(self, root: Path, images: Mapping[str, Path]) -> tuple[Item, ...]:
        """Return the places of which there are two dates or more: images named PLACE_DATE are one place's."""
        labels = dict(_images(root / "labels")) if (root / "labels").is_dir() else {}
        dates: dict[str, list[LabelledImage]] = {}
        for name, path in images.items():
            label = self._label(labels[name]) if name in labels else None
            place = dates.setdefault(name.rpartition("_")[0] or name, [])
            place.append(LabelledImage(name, path, label, self._rules))
        found = tuple(UnchangedPlace(name, images) for name, images in dates.items() if len(images) > 1)
        if not found:
            raise InputError(
                f"{root / 'images'}: contains no two images of the same place; name them PLACE_DATE"
            )
        return found

    def _open(self, name: str, root: Path, found: Mapping[str, Mapping[str, Path]]) -> Item:
        for folder in self.layout.folders:
            if name not in found[folder]:
                raise InputError(f"{root / folder}: lacks {name}, which {self.layout.images[0]} holds")
        images = [found[folder][name] for folder in self.layout.images]
        labels = [found[folder][name] for folder in self.layout.labels]
        if len(images) == 1:
            return LabelledImage(name, images[0], self._label(labels[0]), self._rules)
        return LabelledPair(name, images[0], images[1], self._labels(labels), self._rules)

    def _labels(self, files: list[Path]) -> PairLabels:
        if len(files) == 1:
            return TransitionLabels(str(files[0]), len(self.classes))
        before, after = (self._label(file, self._changes_only) for file in files)
        return DateLabels(before, after, self._changes_only, self._meanings.sets)

    def _label(self, file: Path, changes_only: bool = False) -> DateRaster:
        if file.suffix.lower() in VECTOR_ENDINGS:
            return PolygonLabels(str(file), self._meanings.texts)
        return LabelRaster(str(file), self.classes, self._meanings.numbers, changes_only)


def _listed_name(line: str, known: Mapping[str, Path]) -> str | None:
    """Return the name that a line of a list means: all of it, else its first word, with or without an ending."""
    for text in (line.strip(), line.split()[0]):
        file = PurePosixPath(text.replace("\\", "/"))
        plain = file.stem if file.suffix.lower() in IMAGE_ENDINGS else file.name
        if plain in known:
            return plain
    return None


def _images(folder: Path, endings: tuple[str, ...] = IMAGE_ENDINGS) -> Iterator[tuple[str, Path]]:
    """Yield the images of a folder by their names without endings. Raises InputError for two of one name."""
    seen: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in endings and not path.name.startswith("."):
            if (other := seen.setdefault(path.stem, path)) is not path:
                raise InputError(
                    f"{folder}: {other.name} and {path.name} have the same name; remove one of them"
                )
            yield path.stem, path


def _polygons(root: Path, name: str) -> Path | None:
    """Return the vector file that stands in place of a folder of labels, None where there is none."""
    found = (root / f"{name}{ending}" for ending in VECTOR_ENDINGS)
    return None if (root / name).is_dir() else next((path for path in found if path.is_file()), None)
