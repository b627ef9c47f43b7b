"""Options of reading images and of the grid they are brought to."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from lsafnet_cli.errors import OptionError

COREGISTER = ("auto", "on", "off")
Bounds = tuple[float, float, float, float]  # west, south, east, north


@dataclass(frozen=True, slots=True)
class StretchRule:
    """How pixel values are rescaled: `auto`, `none`, `percentile` with two percentages, or `range` with two
    numbers."""

    kind: str = "auto"
    low: float = 2.0
    high: float = 98.0

    def __str__(self) -> str:
        return f"{self.kind}:{self.low},{self.high}" if self.kind in ("percentile", "range") else self.kind

    @classmethod
    def parse(cls, text: str) -> "StretchRule":
        """Read `auto`, `none`, `percentile:LO,HI` or `range:LO,HI`. Raises OptionError for anything else."""
        if text in ("auto", "none"):
            return cls(text)
        match = re.fullmatch(r"(percentile|range):([^,]+),([^,]+)", text)
        try:
            kind, low, high = match.groups() if match else ("", "", "")
            rule = cls(kind, float(low), float(high))
        except ValueError:
            raise OptionError(
                f"`stretch` {text}: write auto, none, percentile:LO,HI or range:LO,HI"
            ) from None
        if not (math.isfinite(rule.low) and math.isfinite(rule.high)):
            raise OptionError(f"`stretch` {text}: LO and HI must be finite numbers")
        if not rule.low < rule.high or (kind == "percentile" and not 0 <= rule.low < rule.high <= 100):
            raise OptionError(f"`stretch` {text}: LO must be below HI (percentiles from 0 to 100)")
        return rule


@dataclass(frozen=True, slots=True)
class GridOptions:
    """The common grid: that of the before or the after image, optionally in another CRS or with another pixel size.

    `coregister`: "auto" corrects a shift between the dates that is clear and above a pixel, "on" any clear one, "off"
    none. `dst_crs` is the CRS of the map (EPSG code, WKT, PROJ string); None keeps that of the image. `bounds` are
    (west, south, east, north) in the CRS of the map: only pixels with their centre inside are mapped. In a geographic
    CRS west may exceed east, across the antimeridian. `image` is another image whose grid is used instead; shifts are
    then those of each date against it.
    """

    owner: str = "before"
    resolution_m: float | None = None
    coregister: str = "auto"
    dst_crs: str | None = None
    bounds: Bounds | None = None
    image: str | Path | None = None

    def __post_init__(self) -> None:
        if self.owner not in ("before", "after"):
            raise OptionError(f"`owner` {self.owner}: choose before or after")
        if self.image is not None:
            object.__setattr__(self, "image", str(self.image))
        if self.coregister not in COREGISTER:
            raise OptionError(f"`coregister` {self.coregister}: choose {', '.join(COREGISTER)}")
        if self.resolution_m is not None and not 0 < self.resolution_m < math.inf:
            raise OptionError(f"`resolution_m` {self.resolution_m}: give metres above 0")
        if self.dst_crs is not None:
            check_crs("dst_crs", self.dst_crs)
        if self.bounds is not None:
            _, south, _, north = self.bounds
            if not all(map(math.isfinite, self.bounds)) or south >= north:
                shown = " ".join(f"{edge:.9g}" for edge in self.bounds)
                raise OptionError(f"`bounds` {shown}: write west, south, east and north, south below north")


def check_crs(option: str, text: str) -> None:
    """Raise OptionError unless a text names a CRS that a map can have."""
    from pyproj import CRS  # here, for few runs name one
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        raise OptionError(f"`{option}` {text}: is no CRS that PROJ knows; write EPSG:32632, say") from None
    if not (crs.is_geographic or crs.is_projected):
        raise OptionError(f"`{option}` {text}: a map's CRS is geographic or projected, and this is neither")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Which bands are read, by number or name, and how their values are rescaled for the checkpoint.

    `aoi` names a vector file; the map covers the area within its polygons. None maps the whole overlap of
    both images. `exclude` names a vector file or raster whose area is masked, `exclude_values` which of a
    raster's numbers; `cloud_masks` are "scl", "qa_pixel" or rasters, one for both dates or one for each.
    `nodata` are the no-data values of the before and after image and override those in the files.
    """

    bands: tuple[int | str, ...] | None = None
    stretch: StretchRule = StretchRule()
    threads: int = 2
    aoi: str | Path | None = None
    exclude: str | Path | None = None
    exclude_values: tuple[int, ...] | None = None
    cloud_masks: tuple[str | Path, ...] = ()
    nodata: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("aoi", "exclude"):
            if (file := getattr(self, name)) is not None:
                object.__setattr__(self, name, str(file))
        object.__setattr__(self, "cloud_masks", tuple(map(str, self.cloud_masks)))
        if len(self.cloud_masks) > 2:
            raise OptionError("`cloud_masks`: give one mask for both dates, or one for each")
        if self.exclude_values is not None and self.exclude is None:
            raise OptionError(
                "`exclude_values` selects values of the raster in `exclude`: give `exclude` too"
            )
        if self.bands is not None and not self.bands:
            raise OptionError("`bands`: name at least one band")
        if any(isinstance(band, int) and band < 1 for band in self.bands or ()):
            raise OptionError(f"`bands` {','.join(map(str, self.bands or ()))}: bands are numbered from 1")
        if self.threads < 1:
            raise OptionError(f"`threads` {self.threads}: at least one reading thread is needed")


def parse_nodata(text: str | None) -> tuple[float, float] | None:
    """Read "0", or "0,255" for before and after. Raises OptionError for anything else."""
    if text is None:
        return None
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise OptionError(f"`nodata` {text}: write VALUE, or VALUE,VALUE for before and after")
    return numbers[0], numbers[-1]
