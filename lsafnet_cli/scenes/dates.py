"""Acquisition dates of images from the metadata of their files; the creation time of a file is not used."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from lsafnet_cli.scenes.name_dates import day_of_mission, plain_date

# (GDAL's metadata domain, tag), the most reliable first
TAGS = (
    ("IMAGERY", "ACQUISITIONDATETIME"),  # set by GDAL for known sensors
    (None, "ACQUISITIONDATETIME"),
    (None, "DATE_ACQUIRED"),  # Landsat
    (None, "ACQUISITION_DATE"),
    (None, "acquired"),  # PlanetScope
    (None, "DATATAKE_1_DATATAKE_SENSING_START"),  # Sentinel-2
    (None, "PRODUCT_START_TIME"),  # Sentinel-2
    (None, "SENSING_TIME"),
    (None, "ACQUISITION_START_TIME"),  # Sentinel-1
    (None, "RANGEBEGINNINGDATE"),  # MODIS, VIIRS
    (None, "time_coverage_start"),  # CF and ACDD
    (None, "NITF_IDATIM"),
    (None, "EXIF_DateTimeOriginal"),  # cameras
    ("EXIF", "EXIF_DateTimeOriginal"),
)
FILE_NAME = "file name"
DAY = re.compile(r"(\d{4})[-:/]?(\d{2})[-:/]?(\d{2})(?!\d)|(\d{4})(\d{2})(\d{2})(?=T|\d{6}(?!\d))")


@dataclass(frozen=True, slots=True)
class Acquired:
    """A day and its source. If only the year is known, `exact` is False and `day` is the first of that year."""

    day: date
    source: str
    exact: bool = True

    @property
    def last_day(self) -> date:
        """The last possible day."""
        return self.day if self.exact else date(self.day.year, 12, 31)

    @property
    def text(self) -> str:
        """The date as far as it is known: 2019-06-15 or 2019."""
        return self.day.isoformat() if self.exact else str(self.day.year)


def acquired_of(dataset: Any, name: str) -> Acquired | None:
    """Return the acquisition date of an open raster, None if it is unknown."""
    for domain, tag in TAGS:
        text = dataset.tags(ns=domain).get(tag, "") if domain else dataset.tags().get(tag, "")
        if (day := parse_day(text)) is not None:
            return Acquired(day, f"tag {tag}")
    file_name = PurePosixPath(
        name.partition("?")[0].replace("\\", "/")
    ).name  # the query of a URL may contain dates
    if found := day_of_mission(file_name):
        return Acquired(found[0], f"name of a {found[1]} file")
    plain = plain_date(file_name, date.today())
    return Acquired(plain[0], FILE_NAME, plain[1]) if plain else None


def parse_day(text: str) -> date | None:
    """Return the day at the start of a text, as 2019-06-15, 2019:06:15 or 20190615, with or without a time
    after it."""
    match = DAY.match(text.strip())
    return _day(*filter(None, match.groups())) if match else None


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
