"""Pairing of files: by equal names in two folders, by a pattern, or by a table."""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from lsafnet_cli.batch.files import KEY, Pairing, compile_match, images_below
from lsafnet_cli.batch.scenes import SceneSpec, check_names
from lsafnet_cli.errors import InputError, OptionError, reason_of
from lsafnet_cli.files.sources import same_image
from lsafnet_cli.options import parse_date
from lsafnet_cli.scenes.name_dates import date_in_name

COLUMNS = ("before", "after", "output", "name", "before_date", "after_date", "aoi")


def pair_folders(before: str | Path, after: str | Path, match: str | None = None) -> Pairing:
    """Pair the images of two folders, in sub-folders too.

    Files belong together whose paths below the folders are equal but for the ending or, with a pattern `match`,
    whose file names hold the same text at its group `key` (the whole match where it has no such group). Names that
    are equal but for small and capital letters pair with a note; where no names are equal, those that are so without
    their dates. Raises InputError for a folder that cannot be read, OptionError for a pattern that is none, for one
    folder given twice, and where nothing pairs.
    """
    before, after = Path(before), Path(after)
    pattern = compile_match(match)
    if before.is_dir() and after.is_dir() and before.samefile(after):
        raise OptionError(
            f"{before}: is given for both folders, so every image would pair with itself; give it once to pair its "
            "images by dates in their names"
        )
    found = _alike(*(_by_key(folder, lambda below: _key(below, pattern)) for folder in (before, after)))
    if match is None and not found.scenes and not found.doubled:
        found = _alike(*(_by_key(folder, _site) for folder in (before, after)))
        if found.scenes:
            found = replace(
                found, notes=("no names are equal: images are paired by their names without dates",)
            )
    if not found.scenes and not found.doubled:
        how = f"match {match}" if match is not None else "have equal names"
        raise OptionError(
            f"{before} and {after}: no two images {how}; see `match`, such as 'site[0-9]+' for "
            "what names of one site have in common, and `pairs`"
        )
    return found


def _alike(*found: Mapping[str, list[Path]]) -> Pairing:
    """Pair what has one key in both folders."""
    doubled = {key: files for keys in found for key, files in keys.items() if len(files) > 1 and key}
    partners = {key: key for key in found[0].keys() & found[1].keys()} | _but_for_case(*found)
    scenes = [
        SceneSpec(key, str(found[0][key][0]), str(found[1][other][0]), Path(f"{key}.tif"))
        for key, other in sorted(partners.items())
        if not {key, other} & {*doubled, ""}
    ]
    taken = {*partners, *partners.values()}
    unpaired = [
        str(path)
        for keys in found
        for key, files in keys.items()
        for path in files
        if key == "" or (key not in taken and key not in doubled)
    ]
    named = [f"{key}: {', '.join(map(str, files))}" for key, files in sorted(doubled.items())]
    notes = [
        f"paired although their names differ in upper and lower case: {found[0][key][0]} and {found[1][other][0]}"
        for key, other in sorted(partners.items())
        if key != other
    ]
    return Pairing(tuple(scenes), tuple(sorted(unpaired)), tuple(named), tuple(notes))


def _but_for_case(before: Mapping[str, list[Path]], after: Mapping[str, list[Path]]) -> dict[str, str]:
    """Return keys without a partner whose only likeness but for case in the other folder has none either."""
    folded: list[dict[str, list[str]]] = []
    for own, other in ((before, after), (after, before)):
        alone: dict[str, list[str]] = defaultdict(list)
        for key in own.keys() - other.keys() - {""}:
            alone[key.casefold()].append(key)
        folded.append(alone)
    return {
        keys[0]: folded[1][name][0]
        for name, keys in folded[0].items()
        if len(keys) == 1 and len(folded[1].get(name, ())) == 1
    }


def _by_key(folder: Path, key_of: Callable[[Path], str]) -> Mapping[str, list[Path]]:
    """Return the images below a folder by their keys; those that have none have the key ""."""
    keys: dict[str, list[Path]] = defaultdict(list)
    for path in images_below(folder):
        keys[key_of(path.relative_to(folder))].append(path)
    return keys


def _site(below: Path) -> str:
    named = date_in_name(below.as_posix())
    return named.site if named is not None else below.with_suffix("").as_posix()


def _key(below: Path, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return below.with_suffix("").as_posix()
    found = pattern.search(below.name)
    if found is None:
        return ""
    key = (found[KEY] if KEY in pattern.groupindex else found[0]) or ""
    return key.replace("/", "_")


def read_pairs(table: str | Path) -> Pairing:
    """Read a CSV table with the columns before, after and, optionally, output, name, before_date, after_date, aoi.

    Paths are relative to the table's folder, outputs to the batch's. Further columns are kept for the records.
    Raises InputError for a table that cannot be read, OptionError, with the line, for what cannot be used.
    """
    table = Path(table)
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
        raise OptionError(f"{table}: contains no pairs")
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
        if any("\0" in value for value in row.values()):
            raise OptionError(f"{where}: holds a zero byte, which no name and no text can have")
        try:
            yield _scene(table.parent, {name: value.strip() for name, value in row.items()})
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from None


def _scene(folder: Path, row: Mapping[str, str]) -> SceneSpec:
    given = {name: row.get(name) or None for name in COLUMNS}
    before, after = given["before"], given["after"]
    if before is None or after is None:
        raise OptionError(f"{'before' if before is None else 'after'} is empty")
    if same_image(_beside(folder, before), _beside(folder, after)):
        raise OptionError(f"{before} is given for both dates; give two different images")
    name = given["name"] or (Path(given["output"]) if given["output"] else Path(before)).stem
    before_date, after_date = (parse_date(date, given[date]) for date in ("before_date", "after_date"))
    return SceneSpec(
        name=name,
        before=_beside(folder, before),
        after=_beside(folder, after),
        output=Path(given["output"] or f"{name}.tif"),
        aoi=_beside(folder, given["aoi"]) if given["aoi"] else None,
        before_date=before_date,
        after_date=after_date,
        extra={name: value for name, value in row.items() if name not in COLUMNS},
    )


def _beside(folder: Path, name: str) -> str:
    """Return a path relative to the table as one from here; names of URLs and GDAL's own stay as they are."""
    return name if "://" in name or name.startswith("/vsi") else str(folder / name)
