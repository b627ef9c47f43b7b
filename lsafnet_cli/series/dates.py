"""The dates of a series: when each image was taken, and so their order."""

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations, pairwise
from pathlib import PurePosixPath

from lsafnet_cli.errors import OptionError, PairError
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.files.sources import same_image
from lsafnet_cli.scenes.dates import FILE_NAME, acquired_of
from lsafnet_cli.scenes.name_dates import date_in_name

FEWEST_IMAGES, MOST_IMAGES = 2, 254  # the index of a date and two more numbers fit into a byte
WRITTEN = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class ImageDate:
    """A date as far as it is known: the days it may be, first and last, how it is written, and who says so."""

    first: date
    last: date
    text: str
    source: str

    @classmethod
    def parse(cls, text: str, source: str) -> "ImageDate":
        """Read 2020-08-31, 2020-08 or 2020. Raises OptionError for anything else."""
        match = WRITTEN.fullmatch(text.strip())
        try:
            year, month, day = (
                (int(part) if part else None for part in match.groups()) if match else (0, 0, 0)
            )
            first = date(year or 0, month or 1, day or 1)
        except ValueError:
            raise OptionError(f"`dates` {text}: write dates as 2024-05-31, 2024-05 or 2024") from None
        if day:
            return cls(first, first, text.strip(), source)
        last_month = month or 12
        last = date(first.year, last_month, calendar.monthrange(first.year, last_month)[1])
        return cls(first, last, text.strip(), source)

    @property
    def day(self) -> date | None:
        """The day, None where only the month or the year is known."""
        return self.first if self.first == self.last else None


@dataclass(frozen=True, slots=True)
class DatedImage:
    """An image of a series, its date, and its cloud mask if it has one of its own."""

    path: str
    date: ImageDate
    cloud_mask: str | None = None


def date_images(
    images: Sequence[str], given: Sequence[str] = (), cloud_masks: Sequence[str] = ()
) -> tuple[DatedImage, ...]:
    """Return images, the earliest first. Dates are those `given`, one for each, else as tags or names tell them.

    `cloud_masks` are one for all images or one for each. Raises OptionError where the order is not known,
    PairError where two are one image, InputError where one cannot be read.
    """
    if not FEWEST_IMAGES <= len(images) <= MOST_IMAGES:
        raise OptionError(f"a series has {FEWEST_IMAGES} to {MOST_IMAGES} images, not {len(images)}")
    if given and len(given) != len(images):
        raise OptionError(
            f"`dates`: {len(given)} dates for {len(images)} images; give one for each, by comma"
        )
    if len(cloud_masks) not in (0, 1, len(images)):
        raise OptionError(f"`cloud_masks`: give one for all {len(images)} images, or one for each")
    for image, again in combinations(images, 2):
        if same_image(image, again):
            raise PairError(f"{image}: is named twice; name each image of a series once")
    dates = [ImageDate.parse(text, "given") for text in given] or _found_dates(images)
    masks: list[str | None] = [*cloud_masks] or [None]
    masks *= 1 if len(masks) == len(images) else len(images)
    found = map(DatedImage, images, dates, masks)
    dated = sorted(found, key=lambda one: (one.date.first, one.date.last))
    for one, other in pairwise(dated):
        if other.date.first <= one.date.last:
            raise OptionError(
                f"{one.path} ({one.date.text}) and {other.path} ({other.date.text}): which is the earlier one is not "
                "known; give `dates`, one for each image"
            )
    return tuple(dated)


def _found_dates(images: Sequence[str]) -> list[ImageDate]:
    parts = [PurePosixPath(name.replace("\\", "/")).parts for name in images]
    shared = 0  # folders above all images tell nothing of any one of them
    while all(len(one) > shared + 1 and one[shared] == parts[0][shared] for one in parts):
        shared += 1
    return [_found(name, "/".join(one[shared:])) for name, one in zip(images, parts, strict=True)]


def _found(image: str, name: str) -> ImageDate:
    """Return the date that an image's tags tell, else its name, or a folder in its name."""
    with open_raster(image) as dataset:
        acquired = acquired_of(dataset, image)
    if acquired is not None and acquired.source != FILE_NAME:  # a name may tell the month besides
        return ImageDate.parse(acquired.text, acquired.source)
    named = date_in_name(name)
    if named is None:
        raise OptionError(
            f"{image}: neither its tags nor its name tell when it was taken; give `dates`, one for each image"
        )
    text = named.first_day.isoformat()
    # a month is written as its first day, and January is all that is known of a bare year
    return ImageDate.parse(
        text if named.exact else text[: 7 if named.first_day.month > 1 else 4], named.source
    )
