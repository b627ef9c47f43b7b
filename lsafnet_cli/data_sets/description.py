"""What a data set says about itself: in `classes.json` or a JSON file of another name, else known by its layout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsafnet.checkpoint.info import CheckpointError, ClassEntry
from lsafnet.label_sets import LabelSets
from lsafnet_cli.errors import InputError
from lsafnet_cli.options import KINDS_OF_TWO, KindOfLabels

DESCRIPTION = "classes.json"
UNCHANGED_PAIRS = "unchanged pairs"
UNKNOWN = 255
"""What stands in an array of classes where the file says nothing: no data, or ground beyond it."""

Numbers = tuple[tuple[int, int], ...]
"""(number in a label file, what it means: see `lsafnet.label_sets`), UNKNOWN for nothing."""


def find_description(path: Path) -> tuple[Path, Path]:
    """Return the folder of a data set and the file that describes it, from either of them."""
    if path.suffix.lower() != ".json":
        return path, path / DESCRIPTION
    folder = read_description(path).get("folder", ".")
    if not isinstance(folder, str):
        raise InputError(f"{path}: folder is {folder!r}; write the path of the data set's folder")
    return path.parent / folder, path


def read_description(path: Path) -> dict[str, Any]:
    """Return what a data set's description holds, nothing where there is none. Raises InputError."""
    if path.name == DESCRIPTION and not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
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


def meaning_of_numbers(
    description: Mapping[str, Any], classes: tuple[ClassEntry, ...], path: Path
) -> tuple[Numbers | None, LabelSets]:
    """Return what the numbers in label files mean, None where they are the classes, and the sets they name.

    `numbers` maps each to the name of a class, a list of names (one of these), or null. Raises InputError.
    """
    given = description.get("numbers")
    if given is None:
        return None, LabelSets(len(classes))
    if not isinstance(given, dict):
        raise InputError(
            f'{path}: numbers must be an object like {{"1": "building", "2": ["water", "ground"]}}'
        )
    places = {entry.name: index for index, entry in enumerate(classes) if index}
    meant = {}
    for key, value in given.items():
        names = [] if value is None else [value] if isinstance(value, str) else value
        if not key.isdecimal() or not isinstance(names, list) or not all(name in places for name in names):
            raise InputError(
                f"{path}: numbers: {key!r}: {value!r} is neither null nor among the classes {', '.join(places)}"
            )
        meant[int(key)] = tuple(sorted({places[name] for name in names}))
    every = len(classes) - 1
    sets = LabelSets(len(classes), tuple(sorted({one for one in meant.values() if 1 < len(one) < every})))
    return tuple((number, sets.number_of(one) or UNKNOWN) for number, one in sorted(meant.items())), sets


def classes_of(description: Mapping[str, Any], path: Path) -> tuple[ClassEntry, ...]:
    """Return the classes that the description in a file lists, index 0 first. Raises InputError."""
    if "classes" not in description:
        raise InputError(
            f"{path}: is missing, and so are the classes; write "
            '{"classes": [{"name": "unchanged", "color": "#ffffff"}, ...]}'
        )
    try:
        classes = tuple(ClassEntry(entry["name"], entry["color"]) for entry in description["classes"])
    except (CheckpointError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: classes must each have a name and a color like #00ff00 ({error})"
        ) from error
    if len(classes) < 2:
        raise InputError(f"{path}: lists {len(classes)} classes, two are the least; the first is unchanged")
    return classes
