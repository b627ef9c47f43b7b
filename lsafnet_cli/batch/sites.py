"""Pairs within one folder: the images of each site by their dates, the earliest with the latest, or in series."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from lsafnet_cli.batch.files import KEY, Pairing, compile_match, images_below
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.errors import OptionError
from lsafnet_cli.scenes.name_dates import NamedDate, date_in_name

UNNAMED_SITE = "site"


@dataclass(frozen=True, slots=True)
class DatedImage:
    """An image with what its name tells."""

    path: Path
    named: NamedDate


def pair_one_folder(folder: Path, match: str | None = None, series: bool = False) -> Pairing:
    """Pair the images of each site below a folder: the earliest with the latest, or each with the next.

    A site is what is left of a name without its date, or what the pattern `match` finds, at its group `key` where it
    has one. Images without a date, alone, or of one site and day find no place. Raises InputError for a folder that
    cannot be read, OptionError for a pattern that is none or where nothing pairs.
    """
    sites, undated = _by_site(folder, compile_match(match))
    scenes: list[SceneSpec] = []
    unpaired, doubled = list(undated), []
    for site, images in sorted(sites.items()):
        if same := _of_one_day(images):
            doubled.append(f"{site} {same[0].named.text}: {', '.join(str(one.path) for one in same)}")
        elif len(images) < 2:
            unpaired.append(str(images[0].path))
        else:
            scenes.extend(_scenes(site, images, series))
    if not scenes and not doubled:
        raise OptionError(
            f"{folder}: no two images of one site with dates in their names, such as site1_20150602.tif and "
            "site1_20200831.tif; see `match` and `pairs`, or name two folders"
        )
    return Pairing(tuple(scenes), tuple(sorted(unpaired)), tuple(doubled))


def _by_site(
    folder: Path, pattern: re.Pattern[str] | None
) -> tuple[Mapping[str, list[DatedImage]], list[str]]:
    """Return the images of each site, the earliest first, and those without a date or site."""
    sites: dict[str, list[DatedImage]] = defaultdict(list)
    undated = []
    for path in images_below(folder):
        named = date_in_name(path.relative_to(folder).as_posix())
        if named is not None and pattern is not None:
            found = pattern.search(path.name)
            text = (found[KEY] if KEY in pattern.groupindex else found[0]) if found else None
            named = replace(named, site=text.replace("/", "_")) if text else None
        if named is None:
            undated.append(str(path))
        else:
            sites[named.site or UNNAMED_SITE].append(DatedImage(path, named))
    for images in sites.values():
        images.sort(key=lambda one: (one.named.first_day, one.path))
    return sites, undated


def _of_one_day(images: Sequence[DatedImage]) -> list[DatedImage]:
    """Return images of a site that have one date, where there are any."""
    for one, other in pairwise(images):
        if one.named.first_day == other.named.first_day:
            return [one, other]
    return []


def _scenes(site: str, images: Sequence[DatedImage], series: bool) -> Iterator[SceneSpec]:
    for one, other in pairwise(images) if series else [(images[0], images[-1])]:
        name = f"{site}_{one.named.text}_{other.named.text}" if series else site
        yield SceneSpec(
            name, str(one.path), str(other.path), Path(f"{name}.tif"), one.named.day, other.named.day
        )
