"""Templates of pages: texts that ship inside, with @NAMES@ for what goes there."""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files


def kept_text(folder: str, name: str) -> str:
    """Return a text file of the package's data."""
    return (files("lsafnet_cli") / "data" / folder / name).read_text("utf-8")


def fill_template(template: str, parts: Mapping[str, str | Iterable[str]]) -> Iterator[str]:
    """Yield a template's text, piece by piece, with the parts in their places.

    It is cut once, so that a part which holds the name of another stays as it is.
    """
    for index, piece in enumerate(re.split("@([A-Z_]+)@", template)):
        if index % 2 == 0:
            yield piece
        elif isinstance(part := parts[piece], str):
            yield part
        else:
            yield from part
