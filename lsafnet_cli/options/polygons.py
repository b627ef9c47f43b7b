"""Options of polygons, and the files that hold them."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lsafnet_cli.errors import OptionError
from lsafnet_cli.options.words import split_words, without_backslashes

POLYGON_SIEVE_PX = 16  # default minimum size of polygons
YEAR = r"\d{4}(-\d{2})?"


@dataclass(frozen=True, slots=True)
class PolygonOptions:
    """How a map is vectorized. Lengths and areas are ground measures; in pixels if the map has no CRS.

    `classes` selects transitions as "from:to"; empty means all of them. Dates of None are those of the files.
    The minimum size is `min_pixels` or `min_area_m2`; one of the two is 0. `review_form`: GeoPackages get the fields
    `status` and `corrected_to` too, with a form for QGIS. `min_area_by_class` gives the minimum size (m2) of
    transitions from or to a class instead; if both classes have one, the smaller counts.
    """

    min_area_m2: float = 0.0
    simplify_m: float = 0.0
    smooth: bool = False
    dissolve: bool = False
    classes: tuple[str, ...] = ()
    before_date: date | None = None
    after_date: date | None = None
    min_pixels: int = 0
    review_form: bool = False
    min_area_by_class: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.min_pixels < 0 or (self.min_pixels and self.min_area_m2):
            raise OptionError(
                "the minimum size of polygons must be given either in pixels or in square metres, as 0 or more"
            )
        for option, value in (("min_area_m2", self.min_area_m2), ("simplify_m", self.simplify_m)):
            if not (math.isfinite(value) and value >= 0):
                raise OptionError(f"`{option}` {value}: write 0 or more")
        object.__setattr__(self, "min_area_by_class", dict(self.min_area_by_class))
        for name, area in self.min_area_by_class.items():
            if not (math.isfinite(area) and area >= 0):
                raise OptionError(f"`min_area_by_class` {name}={area}: write 0 or more")
        for wish in self.classes:
            if ":" not in wish.strip(":"):
                raise OptionError(
                    f'`classes` {wish}: write FROM:TO, such as "water:building" or "*:building"'
                )
        if self.before_date and self.after_date and self.before_date > self.after_date:
            raise OptionError(
                f"`before_date` {self.before_date} is later than `after_date` {self.after_date}"
            )

    @property
    def shaped(self) -> str:
        """The first option given that changes which polygons are written or their shape; "" if there is none."""
        names = (
            "min_area_m2", "min_area_by_class", "simplify_m", "smooth", "dissolve", "classes", "review_form",
        )  # fmt: skip
        return next((name for name in names if getattr(self, name)), "")

    def told(self) -> dict[str, Any]:
        """Return the options that differ from the defaults and change the polygons, as JSON-ready values."""
        names = (
            "min_pixels",
            "min_area_m2",
            "min_area_by_class",
            "simplify_m",
            "smooth",
            "dissolve",
            "classes",
        )
        values = {name: value for name in names if (value := getattr(self, name))}
        return values | ({"classes": list(self.classes)} if self.classes else {})

    @property
    def generalised(self) -> bool:
        """Whether outlines are simplified or smoothed."""
        return self.smooth or self.simplify_m > 0


def parse_min_area(text: str | None) -> tuple[float | None, dict[str, float]]:
    """Read "25", "building=25,water=200" or both: the area of all classes, None where it is not said, and of some.

    Raises OptionError for anything else.
    """
    default, by_class = None, {}
    for part in split_words(text, ",") if text is not None else ():
        name, sign, number = (without_backslashes(word.strip()) for word in part.rpartition("="))
        try:
            area = float(number)
        except ValueError:
            area = math.nan
        if (
            (sign and not name)
            or name in by_class
            or (not sign and default is not None)
            or not 0 <= area < math.inf
        ):
            raise OptionError(
                f"`min_area_m2` {text}: write M2, CLASS=M2 or both, each once, as 25,building=10; 0 keeps all; "
                "a comma in a name is written \\,"
            )
        if sign:
            by_class[name] = area
        else:
            default = area
    return default, by_class


def parse_date(option: str, text: str | None) -> date | None:
    """Read "2024-05-31", or "2024-05" and "2024" as their first days. Raises OptionError for anything else."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text + "-01" * (2 - text.count("-")) if re.fullmatch(YEAR, text) else text)
    except ValueError:
        raise OptionError(f"{option} {text}: write a date as 2024-05-31, or a year") from None


PARQUET = ".parquet"
POLYGON_FORMATS = {  # extension and GDAL driver
    ".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON", ".fgb": "FlatGeobuf", ".shp": "ESRI Shapefile",
    PARQUET: "Parquet",
}  # fmt: skip
POLYGON_ENDINGS = tuple(POLYGON_FORMATS)
# pyogrio takes names for URLs: it drops the first three, and ! leads into an archive; SQLite's end at ;
UNWRITABLE_SIGNS = "\n\r\t!;"


def check_polygon_files(options: PolygonOptions, paths: Iterable[Path]) -> None:
    """Raise OptionError for options that no file among `paths` can follow."""
    endings = [path.suffix.lower() for path in paths]
    if options.shaped and not endings:
        raise OptionError(f"`{options.shaped}` applies to polygons only; name their file with `polygons`")
    if options.review_form and ".gpkg" not in endings:
        raise OptionError(
            "`review_form`: only a GeoPackage holds a form; end the name of a polygon file in .gpkg"
        )


def check_polygon_name(option: str, path: Path) -> None:
    """Raise OptionError if the file extension is no polygon format, or one whose package is not installed."""
    ending = path.suffix.lower()
    if ending not in POLYGON_ENDINGS:
        raise OptionError(
            f"`{option}` {path}: the file extension must be one of {', '.join(POLYGON_ENDINGS)}"
        )
    refuse_unwritable(option, path)
    if ending == PARQUET and find_spec("pyarrow") is None:
        raise OptionError(
            f'`{option}` {path}: GeoParquet needs pyarrow; install it with pip install "lsafnet[parquet]"'
        )


def refuse_unwritable(option: str, path: Path) -> None:
    """Raise OptionError for a name that polygon files cannot have."""
    if any(sign in str(path.absolute()) for sign in UNWRITABLE_SIGNS):
        raise OptionError(
            f"`{option}` {path}: the name of a polygon file cannot contain line breaks, tabs, ; or !"
        )
