"""What a data set says about itself: in `classes.json`, else known by its layout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsafnet.checkpoint.info import CheckpointError, ClassEntry
from lsafnet_cli.errors import InputError

DESCRIPTION = "classes.json"
KINDS_OF_LABELS = ("land-cover", "changes")


def read_description(folder: Path) -> dict[str, Any]:
    """Return what a data set's `classes.json` holds, nothing where there is none. Raises InputError."""
    path = folder / DESCRIPTION
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: must be an object with the key classes")
    labels = found.get("labels", KINDS_OF_LABELS[0])
    if labels not in KINDS_OF_LABELS:
        raise InputError(f"{path}: labels is {labels!r}; write {' or '.join(KINDS_OF_LABELS)}")
    bands = found.get("use_bands")
    if bands is not None and not (isinstance(bands, list) and bands):
        raise InputError(f"{path}: use_bands must be a list of band numbers or names")
    return found


def classes_of(description: Mapping[str, Any], folder: Path) -> tuple[ClassEntry, ...]:
    """Return the classes that a description lists, index 0 first. Raises InputError."""
    path = folder / DESCRIPTION
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
