"""When an image was taken, by what its file says about its acquisition; the time a file was made tells nothing."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from lsafnet_cli.scenes.name_dates import day_of_mission

# (GDAL's metadata domain, tag), the surest first
TAGS = (
    ("IMAGERY", "ACQUISITIONDATETIME"),  # GDAL's own, of the sensors that it knows
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
DAY = re.compile(r"(\d{4})[-:/]?(\d{2})[-:/]?(\d{2})(?!\d)|(\d{4})(\d{2})(\d{2})(?=T|\d{6}(?!\d))")


@dataclass(frozen=True, slots=True)
class Acquired:
    """A day, and where it is known from."""

    day: date
    source: str


def acquired_of(dataset: Any, name: str) -> Acquired | None:
    """Return when the image in an open raster of some name was taken, None where nothing says so."""
    for domain, tag in TAGS:
        text = dataset.tags(ns=domain).get(tag, "") if domain else dataset.tags().get(tag, "")
        if (day := parse_day(text)) is not None:
            return Acquired(day, f"tag {tag}")
    found = day_of_mission(PurePosixPath(name.replace("\\", "/")).name)
    return Acquired(found[0], f"name of a {found[1]} file") if found else None


def parse_day(text: str) -> date | None:
    """Return the day that a text begins with, as 2019-06-15, 2019:06:15 or 20190615, a time after it or not."""
    match = DAY.match(text.strip())
    return _day(*filter(None, match.groups())) if match else None


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
