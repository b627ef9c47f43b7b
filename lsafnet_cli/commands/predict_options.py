"""From what a user wrote to options: numbers, names and dates are read, and nothing else is decided."""

from collections.abc import Iterable
from pathlib import Path

from lsafnet_cli.errors import OptionError
from lsafnet_cli.options import (
    POLYGON_ENDINGS,
    POLYGON_SIEVE_PX,
    DeviceOptions,
    OutputOptions,
    PolygonOptions,
    ReadOptions,
    StretchRule,
    TileOptions,
    parse_bytes,
    parse_creation_options,
    parse_date,
    parse_min_area,
    parse_nodata,
)


def split_checkpoints(paths: list[Path] | None) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the first checkpoint and the others, which are averaged with it."""
    return (paths[0], tuple(paths[1:])) if paths else (None, ())


def make_read_options(
    bands: str | None, stretch: str, readers: int = 2, aoi: str | None = None,
    exclude: tuple[str | None, str | None] = (None, None), cloud_mask: list[str] | None = None,
    nodata: str | None = None,
) -> ReadOptions:  # fmt: skip
    """Return how images are read; `exclude` is a file and its numbers. Raises OptionError."""
    file, numbers = exclude
    try:
        values = tuple(map(int, numbers.split(","))) if numbers is not None else None
    except ValueError:
        raise OptionError(f"--exclude-values {numbers}: write numbers, as 1,2,5") from None
    rule = StretchRule.parse(stretch)
    masks = tuple(cloud_mask or ())
    return ReadOptions(parse_bands(bands), rule, readers, aoi, file, values, masks, parse_nodata(nodata))


def make_device_options(
    device: str, precision: str, batch_size: str, compiled: bool, memory: str
) -> DeviceOptions:
    """Return where and how the network runs. Raises OptionError."""
    return DeviceOptions(device, precision, parse_batch_size(batch_size), compiled, parse_bytes(memory))


def make_tile_options(tile: int | None, overlap: int | None, blend: str, scale: str) -> TileOptions:
    """Return how scenes are cut into tiles, and at which scale the network sees them. Raises OptionError."""
    try:
        factor = None if scale == "auto" else float(scale)
    except ValueError:
        raise OptionError(f"--scale {scale}: write auto, or a factor such as 2") from None
    return TileOptions(tile, overlap, blend, scale=factor)


def make_output_options(
    polygons: Iterable[Path], also: tuple[str, ...], overwrite: bool, resume: bool, creation: list[str] | None
) -> OutputOptions:
    """Return what is written besides the map, and how; each polygon file once. Raises OptionError."""
    return OutputOptions(
        tuple(dict.fromkeys(polygons)), also, overwrite, resume,
        creation_options=parse_creation_options(creation or ()),
    )  # fmt: skip


def make_polygon_options(
    min_area: str | None, simplify: float, smooth: bool, dissolve: bool, classes: list[str] | None,
    dates: tuple[str | None, str | None] = (None, None), review_form: bool = False,
) -> PolygonOptions:  # fmt: skip
    """Return how polygons are drawn. Raises OptionError."""
    before, after = map(parse_date, ("--before-date", "--after-date"), dates)
    area, by_class = parse_min_area(min_area)
    least_px = POLYGON_SIEVE_PX if area is None else 0
    return PolygonOptions(
        area or 0.0,
        simplify,
        smooth,
        dissolve,
        tuple(classes or ()),
        before,
        after,
        least_px,
        review_form,
        by_class,
    )


def parse_bands(text: str | None) -> tuple[int | str, ...] | None:
    """Read "4,3,2" or "nir,red,green"; names may hold anything but commas."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    return tuple(int(part) if part.lstrip("-").isdecimal() else part for part in parts if part)


def parse_batch_size(text: str) -> int | None:
    """Read a number, or "auto" as None."""
    try:
        return None if text == "auto" else int(text)
    except ValueError:
        raise OptionError(f"--batch-size {text}: write a number or auto") from None


def parse_names(text: str) -> tuple[str, ...]:
    """Read "from,to"; each name once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def parse_also(text: str, output: Path) -> tuple[tuple[str, ...], tuple[Path, ...]]:
    """Read "report,polygons.gpkg,geojson" as names of outputs and files of polygons beside the map.

    A format alone is a file with the map's name. Raises OptionError for a file in another folder.
    """
    names = parse_names(text)
    files = {name: polygon_ending(name) for name in names}
    for name in names:
        if files[name] and Path(name).name != name:
            raise OptionError(f"--also {name}: names a file beside the map; --polygons takes any path")
    polygons = (
        output.with_name(name) if Path(name).suffix and Path(name).stem else output.with_suffix(ending)
        for name, ending in files.items()
        if ending
    )
    return tuple(name for name in names if not files[name]), tuple(polygons)


def parse_also_of_many(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read "report,polygons.gpkg,geojson" as names of outputs and endings of polygons, which bear each map's name.

    Raises OptionError for another name of a file.
    """
    names = parse_names(text)
    files = {name: polygon_ending(name) for name in names}
    for name, ending in files.items():
        if ending and name.lower().removesuffix(ending) not in ("", "polygons", ending[1:]):
            raise OptionError(
                f"--also {name}: in a batch polygons bear the name of each map; write {ending[1:]}"
            )
    return tuple(name for name in names if not files[name]), tuple(filter(None, files.values()))


def polygon_ending(name: str) -> str:
    """Return the ending of a polygon file that "gpkg", ".gpkg" or "polygons.gpkg" means; "" for other outputs."""
    alone, ending = f".{name.lower().removeprefix('.')}", Path(name).suffix.lower()
    return next((one for one in (alone, ending) if one in POLYGON_ENDINGS), "")
