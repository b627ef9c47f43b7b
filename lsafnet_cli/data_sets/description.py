"""Descriptions of data sets: `classes.json` or another JSON file, else known from the layout."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsafnet.checkpoint.info import CheckpointError, ClassEntry
from lsafnet.label_sets import LabelSets
from lsafnet_cli.errors import InputError, reason_of
from lsafnet_cli.options import KINDS_OF_TWO, KindOfLabels

DESCRIPTION = "classes.json"
UNCHANGED_PAIRS = "unchanged pairs"
UNKNOWN = 255
"""What stands in an array of classes where the file says nothing: no data, or ground beyond it."""

Numbers = tuple[tuple[int, int], ...]
"""(number in a label file, what it means: see `lsafnet.label_sets`), UNKNOWN for nothing."""
Meanings = tuple[tuple[str, int], ...]
"""(text or number in the column of polygons, what it means)."""


def find_description(path: Path) -> tuple[Path, Path]:
    """Return the folder of a data set and the file that describes it, from either of them."""
    if path.suffix.lower() != ".json":
        return path, path / DESCRIPTION
    folder = read_description(path).get("folder", ".")
    if not isinstance(folder, str):
        raise InputError(f"{path}: folder is {folder!r}; write the path of the data set's folder")
    return path.parent / folder, path


def read_description(path: Path) -> dict[str, Any]:
    """Return the description of a data set, empty if there is none. Raises InputError."""
    if path.name == DESCRIPTION and not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({reason_of(error)})") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: must be an object with the key classes")
    labels = found.get("labels", KindOfLabels.LAND_COVER)
    if labels not in KINDS_OF_TWO:
        raise InputError(f"{path}: labels is {labels!r}; write {' or '.join(KINDS_OF_TWO)}")
    bands = found.get("use_bands")
    if bands is not None and not (isinstance(bands, list) and bands):
        raise InputError(f"{path}: use_bands must be a list of band numbers or names")
    if found.get("kind", UNCHANGED_PAIRS) != UNCHANGED_PAIRS:
        raise InputError(f"{path}: kind is {found['kind']!r}; write {UNCHANGED_PAIRS!r}, or leave it out")
    return found


@dataclass(frozen=True, slots=True)
class LabelMeanings:
    """Meanings of labels: values of rasters (None: the classes), texts of polygons, and sets of classes."""

    numbers: Numbers | None
    texts: Meanings
    sets: LabelSets


def meanings_of_labels(
    description: Mapping[str, Any], classes: tuple[ClassEntry, ...], path: Path
) -> LabelMeanings:
    """Return what labels mean by `numbers`: class names, lists of names (one of these), or null. Raises InputError.

    Keys that are no numbers are texts in the column of polygons.
    """
    places = {entry.name: index for index, entry in enumerate(classes) if index}
    given = description.get("numbers")
    if given is None:
        texts = {"0": UNKNOWN, **{str(number): number for number in places.values()}, **places}
        return LabelMeanings(None, tuple(texts.items()), LabelSets(len(classes)))
    if not isinstance(given, dict) or not given:
        raise InputError(
            f'{path}: numbers must be an object like {{"1": "building", "2": ["water", "ground"]}}'
        )
    meant = {key: _members(key, value, places, path) for key, value in given.items()}
    every = len(classes) - 1
    sets = LabelSets(len(classes), tuple(sorted({one for one in meant.values() if 1 < len(one) < every})))
    codes = {key: sets.number_of(one) or UNKNOWN for key, one in meant.items()}
    numbers = sorted((int(key), code) for key, code in codes.items() if key.isdecimal())
    return LabelMeanings(tuple(numbers), tuple({**places, **codes}.items()), sets)


def _members(key: str, value: Any, places: Mapping[str, int], path: Path) -> tuple[int, ...]:
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(name in places for name in names):
        raise InputError(
            f"{path}: numbers: {key!r}: {value!r} is neither null nor among the classes {', '.join(places)}"
        )
    return tuple(sorted({places[name] for name in names}))


def classes_of(description: Mapping[str, Any], path: Path) -> tuple[ClassEntry, ...]:
    """Return the classes of a description file, index 0 first. Raises InputError."""
    if "classes" not in description:
        raise InputError(
            f"{path}: the file is missing, so the classes are unknown; write "
            '{"classes": [{"name": "unchanged", "color": "#ffffff"}, ...]}'
        )
    try:
        classes = tuple(ClassEntry(entry["name"], entry["color"]) for entry in description["classes"])
    except (CheckpointError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: classes must each have a name and a color like #00ff00 ({error})"
        ) from error
    if len(classes) < 2:
        raise InputError(
            f"{path}: lists {len(classes)} classes; at least two are needed, and the first is unchanged"
        )
    return classes
