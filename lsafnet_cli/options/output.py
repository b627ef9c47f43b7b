"""Options of what is written."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from lsafnet_cli.errors import OptionError
from lsafnet_cli.options.polygons import check_polygon_name

LAYERS = ("from", "to", "before", "after", "probability", "transition")
PICTURES = ("quicklook",)
DOCUMENTS = ("report", "stac")
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
