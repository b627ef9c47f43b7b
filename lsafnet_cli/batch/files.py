"""Images in folders, and the result of pairing them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.errors import InputError, OptionError, one_line
from lsafnet_cli.files.sources import IMAGE_ENDINGS

KEY = "key"  # the group of a pattern that says what belongs together


@dataclass(frozen=True, slots=True)
class Pairing:
    """The scenes of a batch, and the files that found no place in it.

    `unpaired` files have no partner; each of `doubled` names a key that several files of one folder have. `notes` say
    what paired in a way that somebody should know of.
    """

    scenes: tuple[SceneSpec, ...]
    unpaired: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compile_match(match: str | None) -> re.Pattern[str] | None:
    """Return the pattern of --match, None without one. Raises OptionError for what is no pattern."""
    try:
        return re.compile(match) if match is not None else None
    except re.error as error:
        raise OptionError(f"`match` {match}: is not a regular expression ({one_line(error)})") from None


def images_below(folder: Path) -> Iterator[Path]:
    """Yield the images below a folder, hidden ones left out. Raises InputError."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is a file; name a folder' if folder.exists() else 'no such folder'}")
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in IMAGE_ENDINGS and not hidden and path.is_file():
            yield path
