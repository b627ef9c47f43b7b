"""Which files make a pair: by equal names in two folders, by a pattern, or as a table says."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lsafnet_cli.batch.scenes import SceneSpec, check_names
from lsafnet_cli.errors import InputError, OptionError, one_line, reason_of
from lsafnet_cli.options import parse_date

IMAGE_ENDINGS = (
    ".tif", ".tiff", ".vrt", ".jp2", ".j2k", ".img", ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ntf", ".nitf",
    ".hdf", ".h5", ".nc", ".ecw", ".sid", ".dat", ".bil", ".bsq", ".gtiff",
)  # fmt: skip
COLUMNS = ("before", "after", "output", "name", "before_date", "after_date", "aoi")
KEY = "key"


@dataclass(frozen=True, slots=True)
class Pairing:
    """The scenes of a batch, and the files that found no place in it.

    `unpaired` files have no partner; each of `doubled` names a key that several files of one folder have.
    """

    scenes: tuple[SceneSpec, ...]
    unpaired: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()


def pair_folders(before: Path, after: Path, match: str | None = None) -> Pairing:
    """Pair the images of two folders, in sub-folders too.

    Files belong together whose paths below the folders are equal but for the ending or, with a pattern `match`,
    whose file names hold the same text at its group `key` (the whole match where it has no such group). Raises
    InputError for a folder that cannot be read, OptionError for a pattern that is none or where nothing pairs.
    """
    pattern = _compile(match) if match is not None else None
    found = [_by_key(folder, pattern) for folder in (before, after)]
    doubled = {key: files for keys in found for key, files in keys.items() if len(files) > 1 and key}
    left_out = {*doubled, ""}
    scenes = [
        SceneSpec(key, str(found[0][key][0]), str(found[1][key][0]), Path(f"{key}.tif"))
        for key in sorted((found[0].keys() & found[1].keys()) - left_out)
    ]
    if not scenes and not doubled:
        how = f"match {match}" if match is not None else "have equal names"
        raise OptionError(f"{before} and {after}: no two images {how}; see --match and --pairs")
    unpaired = [
        str(path)
        for own, other in (found, found[::-1])
        for key, files in own.items()
        for path in files
        if key == "" or (key not in other and key not in doubled)
    ]
    named = [f"{key}: {', '.join(map(str, files))}" for key, files in sorted(doubled.items())]
    return Pairing(tuple(scenes), tuple(sorted(unpaired)), tuple(named))


def _compile(match: str) -> re.Pattern[str]:
    try:
        return re.compile(match)
    except re.error as error:
        raise OptionError(f"--match {match}: is no regular expression ({one_line(error)})") from None


def _by_key(folder: Path, pattern: re.Pattern[str] | None) -> Mapping[str, list[Path]]:
    """Return the images below a folder by their keys; those that a pattern does not fit have the key ""."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is a file; name a folder' if folder.exists() else 'no such folder'}")
    keys: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in below.parts)
        if path.suffix.lower() in IMAGE_ENDINGS and not hidden and path.is_file():
            keys[_key(below, pattern)].append(path)
    return keys


def _key(below: Path, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return below.with_suffix("").as_posix()
    found = pattern.search(below.name)
    if found is None:
        return ""
    key = (found[KEY] if KEY in pattern.groupindex else found[0]) or ""
    return key.replace("/", "_")


def read_pairs(table: Path) -> Pairing:
    """Read a CSV table with the columns before, after and as wished output, name, before_date, after_date, aoi.

    Paths are relative to the table's folder, outputs to the batch's. Further columns are kept for the records.
    Raises InputError for a table that cannot be read, OptionError, with the line, for what cannot be used.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(
                file, delimiter=";" if ";" in head and "," not in head else ",", strict=True
            )
            scenes = tuple(_rows(table, reader))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read as a CSV table in UTF-8 ({reason_of(error)})") from error
    if not scenes:
        raise OptionError(f"{table}: holds no pairs")
    check_names(scenes)
    return Pairing(scenes)


def _rows(table: Path, reader: "csv.DictReader[str]") -> Iterator[SceneSpec]:
    names = [(name or "").strip() for name in reader.fieldnames or ()]
    missing = [name for name in ("before", "after") if name not in names]
    if missing:
        raise OptionError(f"{table}: has no column {' and '.join(missing)}; it has {', '.join(names)}")
    reader.fieldnames = names
    for row in reader:
        where = f"{table}, line {reader.line_num}"
        if None in row or None in row.values():
            raise OptionError(f"{where}: has {len(row) - 1} and more cells, the head {len(names)}")
        try:
            yield _scene(table.parent, {name: value.strip() for name, value in row.items()})
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from None


def _scene(folder: Path, row: Mapping[str, str]) -> SceneSpec:
    given = {name: row.get(name) or None for name in COLUMNS}
    before, after = given["before"], given["after"]
    if before is None or after is None:
        raise OptionError(f"{'before' if before is None else 'after'} is empty")
    name = given["name"] or (Path(given["output"]) if given["output"] else Path(before)).stem
    days = {date: parse_date(date, given[date]) for date in ("before_date", "after_date")}
    return SceneSpec(
        name=name,
        before=_beside(folder, before),
        after=_beside(folder, after),
        output=Path(given["output"] or f"{name}.tif"),
        aoi=_beside(folder, given["aoi"]) if given["aoi"] else None,
        extra={name: value for name, value in row.items() if name not in COLUMNS},
        **days,
    )


def _beside(folder: Path, name: str) -> str:
    """Return a path relative to the table as one from here; names of URLs and GDAL's own stay as they are."""
    return name if "://" in name or name.startswith("/vsi") else str(folder / name)
