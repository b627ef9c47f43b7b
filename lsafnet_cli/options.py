"""Options of all commands as values that are checked when created; files may be given as str or Path."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lsafnet_cli.errors import OptionError

LAYERS = ("from", "to", "before", "after", "probability", "transition")
COREGISTER = ("auto", "on", "off")
POLYGON_SIEVE_PX = 16  # default minimum size of polygons
DIFFER, KEEP = "differ", "keep"
SAME_CLASS = (DIFFER, KEEP)
PICTURES = ("quicklook",)
DOCUMENTS = ("report", "stac")
LEAST_MEMORY_BYTES = 256 << 20
Bounds = tuple[float, float, float, float]  # west, south, east, north
YEAR = r"\d{4}(-\d{2})?"
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class KindOfLabels(StrEnum):
    """Kinds of labels: in one file for each date, or in a single file."""

    LAND_COVER = "land-cover"
    CHANGES = "changes"
    TRANSITIONS = "transitions"
    BINARY = "binary"
    BEFORE = "before"
    AFTER = "after"


KINDS_OF_TWO = (KindOfLabels.LAND_COVER, KindOfLabels.CHANGES)
KINDS_OF_ONE = (KindOfLabels.TRANSITIONS, KindOfLabels.BINARY)
KINDS_OF_DATE = (KindOfLabels.BEFORE, KindOfLabels.AFTER)  # a single file of land cover of that date


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
class TileOptions:
    """How a scene is cut into tiles and their results are blended. None takes the checkpoint's own value.

    `row_band_px` is how many rows are finished and written at once; it never changes the map.
    """

    size_px: int | None = None
    overlap_px: int | None = None
    blend: str = "taper"
    row_band_px: int = 512

    def __post_init__(self) -> None:
        if self.size_px is not None and (self.size_px < 32 or self.size_px % 32):
            raise OptionError(f"`size_px` {self.size_px}: the tile size must be a multiple of 32 pixels")
        if self.overlap_px is not None and self.overlap_px < 0:
            raise OptionError(f"`overlap_px` {self.overlap_px}: the overlap must be 0 pixels or more")
        if self.blend not in ("taper", "crop"):
            raise OptionError(f"`blend` {self.blend}: choose taper or crop")
        if self.row_band_px < 1:
            raise OptionError(f"a row band must have 1 row or more, not {self.row_band_px}")


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


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """Where and how the network runs. A batch size of None means the fastest one, found by measuring.

    `memory_bytes` is what the host may use beyond the network and the libraries themselves.
    """

    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    compiled: bool = False
    memory_bytes: int = 2 << 30

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "fp32", "bf16", "fp16"):
            raise OptionError(f"`precision` {self.precision}: choose auto, fp32, bf16 or fp16")
        if self.batch_size is not None and self.batch_size < 1:
            raise OptionError(f"`batch_size` {self.batch_size}: the batch size must be 1 tile or more")
        if self.memory_bytes < LEAST_MEMORY_BYTES:
            raise OptionError(
                f"`memory_bytes`: {self.memory_bytes:,} bytes are not enough; give 256M or more"
            )


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is written besides the map. `scene` is the name of the scene in the polygons; None takes that of
    the map.

    `creation_options` are those of GDAL's COG driver, for the map and its layers; see `check_creation_options`.
    """

    polygons: tuple[str | Path, ...] = ()
    also: tuple[str, ...] = ()
    overwrite: bool = False
    resume: bool = True
    scene: str | None = None
    creation_options: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "creation_options", check_creation_options(self.creation_options))
        for name in self.also:
            if name not in (choices := LAYERS + PICTURES + DOCUMENTS):
                raise OptionError(f"`also` {name}: choose from {', '.join(choices)}")
        if "stac" in self.also and find_spec("pystac") is None:
            raise OptionError('`also` stac: needs pystac; install it with pip install "lsafnet[stac]"')
        object.__setattr__(self, "polygons", tuple(map(Path, self.polygons)))
        for path in self.polygons:
            check_polygon_name("polygons", Path(path))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that are written: with probability and land cover, all that `lsafnet decide` starts from."""
        implied = {"transition"} if {"before", "after", "probability"} <= set(self.also) else set()
        return tuple(layer for layer in LAYERS if layer in {*self.also, *implied})


LOSSLESS = ("NONE", "LZW", "DEFLATE", "ZSTD", "LZMA")
NUMBER = "N"  # stands for a whole number above 0
CREATION_OPTIONS = {  # of GDAL's COG driver, those that leave a map what it is: exact, tiled, with overviews
    "BIGTIFF": ("YES", "NO", "IF_NEEDED", "IF_SAFER"),
    "BLOCKSIZE": ("128", "256", "512", "1024", "2048", "4096"),
    "COMPRESS": LOSSLESS,
    "GEOTIFF_VERSION": ("AUTO", "1.0", "1.1"),
    "LEVEL": (NUMBER,),
    "NUM_THREADS": ("ALL_CPUS", NUMBER),
    "OVERVIEW_COMPRESS": ("AUTO", *LOSSLESS),
    "OVERVIEW_COUNT": (NUMBER,),
    "OVERVIEW_PREDICTOR": ("YES", "NO", "STANDARD"),
    "PREDICTOR": ("YES", "NO", "STANDARD"),
    "SPARSE_OK": ("TRUE", "FALSE"),
    "TILED": ("YES",),
}


def check_creation_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return creation options in capitals. Raises OptionError for those that a map cannot have."""
    checked = {key.upper(): str(value).upper() for key, value in options.items()}
    for key, value in checked.items():
        if key not in CREATION_OPTIONS:
            raise OptionError(
                f"`creation_options` {key}={value}: maps are lossless, tiled GeoTIFFs with overviews (GDAL's COG "
                f"driver); choose from {', '.join(CREATION_OPTIONS)}"
            )
        allowed = CREATION_OPTIONS[key]
        if value not in allowed and not (NUMBER in allowed and re.fullmatch(r"[1-9]\d{0,3}", value)):
            raise OptionError(f"`creation_options` {key}={value}: a map can have {key}={', '.join(allowed)}")
    return checked


def parse_creation_options(texts: Iterable[str]) -> dict[str, str]:
    """Read "COMPRESS=ZSTD", each key once. Raises OptionError for anything else."""
    options: dict[str, str] = {}
    for text in texts:
        key, sign, value = (word.strip() for word in text.partition("="))
        if not (key and sign and value):
            raise OptionError(f"`creation_options` {text}: write KEY=VALUE, such as COMPRESS=ZSTD")
        if key.upper() in options:
            raise OptionError(f"`creation_options` {text}: {key.upper()} is named twice")
        options[key.upper()] = value
    return options


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


def parse_bytes(text: str) -> int:
    """Read "2G", "512M" or a number of bytes. Raises OptionError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", text.strip().upper())
    if match is None:
        raise OptionError(f"`memory_bytes` {text}: write a size such as 512M or 2G")
    return int(float(match[1]) * UNITS[match[2]])


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
    for part in text.split(",") if text is not None else ():
        name, sign, number = (word.strip() for word in part.rpartition("="))
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
                f"`min_area_m2` {text}: write M2, CLASS=M2 or both, each once, as 25,building=10; 0 keeps all"
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


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """All options of `predict_change`. A checkpoint of None is $LSAFNET_CHECKPOINT or the shipped one.

    ensemble: further checkpoints, whose probabilities are averaged with the first one's. tta: test-time
    augmentation: average the results of each tile and its three flips; takes four times as long. threshold:
    None takes that of the checkpoint. sieve_px: connected components of fewer pixels go to their neighbours,
    in the map itself. same_class: "differ" takes, where something has changed, the most probable pair of
    different classes; "keep" the most probable class of each date by itself.
    """

    checkpoint: str | Path | None = None
    ensemble: tuple[str | Path, ...] = ()
    tta: bool = False
    threshold: float | None = None
    same_class: str = DIFFER
    sieve_px: int = 0
    read: ReadOptions = ReadOptions()
    grid: GridOptions = GridOptions()
    tile: TileOptions = TileOptions()
    device: DeviceOptions = DeviceOptions()
    output: OutputOptions = field(default_factory=OutputOptions)
    polygons: PolygonOptions = field(default_factory=PolygonOptions)

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise OptionError(f"`threshold` {self.threshold}: give a probability between 0 and 1")
        if self.sieve_px < 0:
            raise OptionError(f"`sieve_px` {self.sieve_px}: give 0 pixels or more")
        if self.same_class not in SAME_CLASS:
            raise OptionError(f"`same_class` {self.same_class}: choose {' or '.join(SAME_CLASS)}")
        if self.checkpoint is not None:
            object.__setattr__(self, "checkpoint", Path(self.checkpoint))
        object.__setattr__(self, "ensemble", tuple(map(Path, self.ensemble)))
        if self.ensemble and self.checkpoint is None:
            raise OptionError("an ensemble needs its first checkpoint too; give checkpoint")
