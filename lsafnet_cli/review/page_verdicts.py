"""Verdicts that were given on a report page and saved there as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lsafnet_cli.errors import InputError, reason_of
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import UNCHANGED, Legend
from lsafnet_cli.maps.identity import map_sha256
from lsafnet_cli.polygons.review_form import CORRECTED, CORRECTED_TO, OPEN, REJECTED, STATES, STATUS
from lsafnet_cli.review.component_places import find_components
from lsafnet_cli.review.verdicts import Verdicts, refuse_without_verdict

FORMAT = "lsafnet verdicts 1"
MOST_BYTES = 64 << 20  # a page's verdicts take some 300 bytes each
Codes = dict[tuple[Any, Any], int]
Row = tuple[int, int, str, int]


def read_page_file(path: str) -> dict[str, Any] | None:
    """Return what a page's file holds; None for files of other kinds. Raises InputError for what is no JSON."""
    file = Path(path)
    if file.suffix.lower() != ".json" or not file.is_file() or file.stat().st_size > MOST_BYTES:
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({reason_of(error)})") from error
    return found if isinstance(found, dict) and "verdicts" in found else None


def verdicts_of_page(
    found: dict[str, Any], path: str, change_map: str, legend: Legend, grid: Grid
) -> Verdicts:
    """Return the verdicts of a page's file. Raises InputError for another map's, and for what makes no sense."""
    if found.get("format") != FORMAT:
        raise InputError(f"{path}: its format is {_told(found.get('format'))}; {FORMAT!r} can be read")
    _refuse_other_map(found.get("map"), path, change_map, legend)
    entries = found["verdicts"]
    if not isinstance(entries, list):
        raise InputError(f"{path}: verdicts is {_told(entries)}; it must be a list")
    read = list(_rows(entries, path, legend, grid))
    rows = [row for row in read if row[2] != OPEN]
    refuse_without_verdict(path, rows)
    pixels, codes, states, new = zip(*rows, strict=True)
    places = find_components(change_map, grid, np.array(pixels), np.array(codes))
    if isinstance(places, int):
        there = legend.labels[codes[places]]
        raise InputError(f"{path}: the map has no '{there}' at the pixel {pixels[places]}")
    return Verdicts(places, np.array(codes), list(states), np.array(new), len(read) - len(rows))


def _refuse_other_map(about: Any, path: str, change_map: str, legend: Legend) -> None:
    about = about if isinstance(about, dict) else {}
    if about.get("sha256") != map_sha256(change_map, legend):
        name = _told(about.get("name"))
        raise InputError(
            f"{path}: holds verdicts on another map, whose name is {name}; {change_map} has other pixels"
        )


def _rows(entries: list[Any], path: str, legend: Legend, grid: Grid) -> Iterator[Row]:
    """Yield pixel, code, state and new code of each entry."""
    codes: Codes = (
        {(legend.names[t.from_class], legend.names[t.to_class]): t.code for t in legend.transitions}
        if legend.semantic
        else {(None, None): 1}
    )
    known: set[int] = set()
    for number, entry in enumerate(entries, start=1):
        where = f"{path}: verdict {number}"
        if not isinstance(entry, dict):
            raise InputError(f"{where} is {_told(entry)}; it must be an object")
        pixel, state = entry.get("id"), entry.get(STATUS)
        if isinstance(pixel, bool) or not isinstance(pixel, int) or not 0 <= pixel < grid.pixel_count:
            raise InputError(f"{where}: id is {_told(pixel)}; it must be the number of a pixel of the map")
        if pixel in known:
            raise InputError(f"{where}: id {pixel} is there twice")
        if not isinstance(state, str) or state not in STATES:
            raise InputError(f"{where}: {STATUS} is {_told(state)}; write one of {', '.join(STATES)}")
        known.add(pixel)
        code = _code(entry, where, codes, legend)
        new = UNCHANGED if state == REJECTED else code
        if state == CORRECTED:
            new = _code(entry.get(CORRECTED_TO), f"{where}: {CORRECTED_TO}", codes, legend)
        yield pixel, code, state, new


def _code(pair: Any, where: str, codes: Codes, legend: Legend) -> int:
    names = (pair.get("from"), pair.get("to")) if isinstance(pair, dict) else None
    if names is not None and all(isinstance(name, str | None) for name in names) and names in codes:
        return codes[names]
    told = " and ".join(map(_told, names)) if names is not None else _told(pair)
    wanted = (
        f"two of {', '.join(legend.names[1:])}" if legend.semantic else "null, as this map has no classes"
    )
    raise InputError(f"{where}: from and to are {told}; they must be {wanted}")


def _told(value: Any) -> str:
    """Return a value as it is shown in one line, however long or deep it is."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
