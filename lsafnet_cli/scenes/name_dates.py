"""Dates and sites in the names of images: the day or year, and the remainder, which is the site."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

_Y, _M, _D = r"(?P<y>(?:19|20)\d\d)", r"(?P<m>0[1-9]|1[0-2])", r"(?P<d>0[1-9]|[12]\d|3[01])"
# names of satellite missions; the site is their tile, path and row, or quarter quadrangle
MISSIONS = {
    "Sentinel-2": rf"S2[A-D]_MSI\w+?_{_Y}{_M}{_D}T\d{{6}}_.*?(?P<site>T\d\d[A-Z]{{3}})",
    "Sentinel-2 tile": rf"(?P<site>T\d\d[A-Z]{{3}})_{_Y}{_M}{_D}T\d{{6}}",
    "Landsat": rf"L[COTEM]0\d_\w{{4}}_(?P<site>\d{{6}})_{_Y}{_M}{_D}_\d{{8}}",
    "NAIP": rf"(?P<site>m_\d{{7}}_[ns][ew])_\d\d_\w+?_{_Y}{_M}{_D}",
}
# these names hold the day, but no site that pairs images
MISSIONS_WITHOUT_SITE = {
    "Sentinel": rf"S[1-6][A-D]_(?:\w+?_)??{_Y}{_M}{_D}T\d{{6}}",
    "PlanetScope": rf"{_Y}{_M}{_D}_\d{{6}}_(?:\d\d_)?[0-9a-f]{{4}}_",
}
PLAIN = (
    rf"(?<!\d){_Y}{_M}{_D}(?!\d)(?:[T_]\d{{4,6}}(?!\d))?",
    rf"(?<!\d){_Y}(?P<sep>[-_.]){_M}(?P=sep){_D}(?!\d)",
    rf"(?<!\d){_Y}[-_]?{_M}(?!\d)",
    rf"(?<!\d){_Y}(?!\d)",
)
"""Common date formats, the most exact first: 20200831, 2020-08-31, 202008, 2020."""
_DAYS = PLAIN[:2]
_DAY_LIKE = re.compile(
    r"(?<!\d)(?:19|20)\d{6}(?!\d)|(?<!\d)(?:19|20)\d\d(?P<sep>[-_.])\d\d(?P=sep)\d\d(?!\d)"
)
_YEAR = re.compile(r"(?<![\dxX])(?:19|20)\d\d(?![\dxX]|px|m\b)")  # 2000x2000 is a size
_FIRST_DAY = date(1970, 1, 1)  # few images are older, and tile numbers often look like such dates
_SEPARATORS = "-_. "


@dataclass(frozen=True, slots=True)
class NamedDate:
    """Date and site in a name: first possible day, whether it is exact, the remainder, and the format."""

    first_day: date
    exact: bool
    site: str
    source: str

    @property
    def day(self) -> date | None:
        """The day, None if the name holds a month or a year only."""
        return self.first_day if self.exact else None

    @property
    def text(self) -> str:
        """The date as far as it is known."""
        return self.first_day.isoformat() if self.exact else self.first_day.isoformat()[:4]


def date_in_name(path: str) -> NamedDate | None:
    """Return date and site from the name of a file, or else of the nearest folder with a date; None if there is none.

    `path` is relative to the folder of images, with "/" between its parts; its extension is ignored.
    """
    parts = list(PurePosixPath(path).parts)
    parts[-1] = PurePosixPath(parts[-1]).stem
    for place in range(len(parts) - 1, -1, -1):
        if (found := _in_text(parts[place])) is not None:
            rest = [*parts[:place], *([found.site] if found.site else []), *parts[place + 1 :]]
            return NamedDate(found.first_day, found.exact, "/".join(rest), found.source)
    return None


def day_of_mission(name: str) -> tuple[date, str] | None:
    """Return the day and the mission from a file name of a satellite mission; None for any other name.

    Other names may hold another date, for example the creation date of an orthophoto.
    """
    for mission, pattern in {**MISSIONS, **MISSIONS_WITHOUT_SITE}.items():
        match = re.match(pattern, name)
        if match and (day := _day(match)) is not None:
            return day, mission
    return None


def plain_date(name: str, today: date) -> tuple[date, bool] | None:
    """Return the date in a file name in a common format, and whether it is a day; if not, the first of a year.

    Only dates from 1970 to `today` count. None if there is none, or if there are several, which are ambiguous.
    """
    stem = PurePosixPath(name).stem
    if numbers := {re.sub(r"\D", "", match[0]) for match in _DAY_LIKE.finditer(stem)}:
        days = [
            day
            for pattern in _DAYS
            for match in re.finditer(pattern, stem)
            if (day := _day(match)) is not None
        ]
        known = days[0] if len(numbers) == 1 and days else None
        return (known, True) if known is not None and _FIRST_DAY <= known <= today else None
    years = {int(year) for year in _YEAR.findall(stem)}
    known_years = [year for year in years if _FIRST_DAY.year <= year <= today.year]
    return (date(known_years[0], 1, 1), False) if len(known_years) == 1 else None


def _in_text(text: str) -> NamedDate | None:
    for mission, pattern in MISSIONS.items():
        match = re.match(pattern, text)
        if match and (day := _day(match)) is not None:
            return NamedDate(day, True, match["site"], f"name of a {mission} image")
    for pattern in PLAIN:
        for match in reversed(list(re.finditer(pattern, text))):
            if (day := _day(match)) is not None:
                site = text[: match.start()].rstrip(_SEPARATORS) + text[match.end() :]
                return NamedDate(day, "d" in match.groupdict(), site.strip(_SEPARATORS), "name of the image")
    return None


def _day(match: re.Match[str]) -> date | None:
    parts = match.groupdict()
    try:
        return date(int(parts["y"]), int(parts.get("m") or 1), int(parts.get("d") or 1))
    except ValueError:  # 31 February
        return None
