"""Open a data set: detect its layout and splits, and match its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from lsafnet.checkpoint.info import ClassEntry
from lsafnet.checkpoint.published import DATA_SETS
from lsafnet.label_sets import LabelSets
from lsafnet_cli.data_sets.description import (
    classes_of,
    find_description,
    meanings_of_labels,
    read_description,
)
from lsafnet_cli.data_sets.layouts import SPLITS, UNCHANGED, WHOLE, Layout, find_layout
from lsafnet_cli.data_sets.matching import Item, Matcher
from lsafnet_cli.data_sets.pairs import LabelledPair, PixelRules, rules_of
from lsafnet_cli.errors import InputError
from lsafnet_cli.options import KindOfLabels


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
    layout, split_folders = find_layout(folder, own.get("kind"))
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
    opener = Matcher(layout, classes, kind == KindOfLabels.CHANGES, rules, meanings)
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


def _listed(folder: Path, opener: "Matcher") -> dict[str, tuple[Item, ...]]:
    """Return the splits that lists of file names make; none where there are no lists."""
    splits = {}
    for name in SPLITS:
        lists = (folder / f"{name}_list.txt", folder / f"{name}.txt", folder / "list" / f"{name}.txt")
        path = next((path for path in lists if path.is_file()), None)
        if path is not None:
            splits[name] = opener.open_listed(folder, path)
    return splits
