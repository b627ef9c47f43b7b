"""Names of polygon files: which endings there are, and what else lies beside a file."""

from importlib.util import find_spec
from pathlib import Path

from lsafnet_cli.errors import OptionError

PARQUET = ".parquet"
POLYGON_ENDINGS = (".gpkg", ".geojson", ".json", ".fgb", ".shp", PARQUET)
SHAPEFILE_ENDINGS = (
    ".shx",
    ".dbf",
    ".prj",
    ".cpg",
    ".qix",
    ".sbn",
    ".sbx",
)  # beside the .shp; the last 3 index it
UNWRITABLE_SIGNS = (
    "\n\r\t!"  # pyogrio takes names for URLs: it drops the first three, and ! leads into an archive
)
SQLITE_MORE = ("-journal", "-wal", "-shm")


def check_polygon_name(option: str, path: Path) -> None:
    """Raise OptionError for a file whose ending names no polygon format, or one that is not installed."""
    ending = path.suffix.lower()
    if ending not in POLYGON_ENDINGS:
        raise OptionError(f"{option} {path}: the ending must be one of {', '.join(POLYGON_ENDINGS)}")
    if any(sign in str(path.absolute()) for sign in UNWRITABLE_SIGNS):
        raise OptionError(
            f"{option} {path}: polygon files cannot lie under a name with line breaks, tabs or !"
        )
    if ending == PARQUET and find_spec("pyarrow") is None:
        raise OptionError(
            f'{option} {path}: GeoParquet needs pyarrow; install it with pip install "lsafnet[parquet]"'
        )


def side_files(path: Path) -> list[Path]:
    """Return the files that may lie beside a polygon file and belong to it."""
    ending = path.suffix.lower()
    if ending == ".gpkg":
        return [path.with_name(path.name + more) for more in SQLITE_MORE]
    return [path.with_suffix(more) for more in SHAPEFILE_ENDINGS] if ending == ".shp" else []
