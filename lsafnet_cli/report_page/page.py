"""Write the page: tiles, numbers and facts in one self-contained HTML file."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import rasterio

from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.publishing import WorkFolder, finish_naming, output_errors, publish
from lsafnet_cli.maps.summarize import summarize_map
from lsafnet_cli.maps.table import ChangeTable
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import PolygonOptions
from lsafnet_cli.polygons.vectorization import open_change_map
from lsafnet_cli.report_page.cards import Cards, cards_of_map, cards_of_polygons
from lsafnet_cli.report_page.content import PageContent, page_data, title_of
from lsafnet_cli.report_page.page_text import PageText
from lsafnet_cli.report_page.painted_rows import CACHE_BYTES, PaintedRows, read_bands
from lsafnet_cli.report_page.pyramid import TilePyramid, build_pyramid
from lsafnet_cli.scenes.on_grid import images_on_grid
from lsafnet_cli.scenes.stamps import Stamps
from lsafnet_cli.system.background import run_ahead

MAX_MB, CARDS = 15.0, 6
SCRIPTS = (
    "elements.js", "tiles.js", "edges.js", "flow.js", "cards.js", "verdicts.js", "places.js", "tables.js", "map.js",
    "page.js",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageOptions:
    """Options of a page.

    cards: number of the largest and of the least certain changes that are shown. probability: a raster of
    percent, else `MAP.probability.tif` beside the map. polygons: a file from which cards are made instead.
    """

    title: str | None = None
    max_mb: float = MAX_MB
    cards: int = CARDS
    probability: str | Path | None = None
    polygons: str | Path | None = None

    def __post_init__(self) -> None:
        if not 0 < self.max_mb < float("inf"):
            raise OptionError(f"`max_mb` {self.max_mb}: give megabytes above 0")
        if self.cards < 0:
            raise OptionError(f"`cards` {self.cards}: give 0 or more")


@dataclass(frozen=True, slots=True)
class PageReport:
    """What was written: (rows, cols) of the finest complete level, and the number of tiles."""

    path: str
    size_bytes: int
    picture_shape: tuple[int, int]
    tiles: int
    table: ChangeTable

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


def write_report_page(
    change_map: str | Path, output: str | Path, before: str | Path | None = None,
    after: str | Path | None = None,
    options: PageOptions | None = None, overwrite: bool = False, observer: Observer | None = None,
) -> PageReport:  # fmt: skip
    """Write a change map as one HTML file of at most `options.max_mb` megabytes that opens offline.

    Raises InputError for what is no change map, PairError if the images and the map do not overlap,
    OptionError where nothing fits into so few megabytes, OutputError where the page may not be written.
    """
    map_path, target, options = str(change_map), Path(output), options or PageOptions()
    if (before is None) != (after is None):
        raise OptionError("`before` and `after` must be given together: give both or neither")
    given = (map_path, before, after, options.probability, options.polygons)
    inputs = [str(path) for path in given if path is not None]
    finish_naming(target)
    check_path(target, inputs, overwrite)
    stamps = Stamps.of(inputs)
    known, _ = open_change_map(map_path, options.probability, PolygonOptions())
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        content = PageContent.of_map(map_path, summarize_map(map_path).whole.table)
    content = replace(content, probability=str(known.probability) if known.probability else None)
    if before is not None and after is not None:
        content = replace(content, pair=images_on_grid(content.grid, str(before), str(after), map_path))
    store = WorkFolder(target)
    with store.used():
        made = write_page(store.path(target.name), content, Path(map_path).name, options, observer)
        stamps.check()
        publish(store, [target], overwrite)
    return replace(made, path=str(target))


def write_page(
    target: Path, content: PageContent, name: str, options: PageOptions, observer: Observer | None = None
) -> PageReport:
    """Write the page of the map `name`, replacing any file. Raises OptionError if nothing fits."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        data = page_data(content, find_cards(content, options), name)
    page = PageText(options.title or title_of(content, name), data, "page.html", ("page.css",), SCRIPTS)
    room = int(options.max_mb * 1e6) - page.size_bytes
    pyramid = _pyramid(content, room, observer or Observer())
    shape = content.grid.shape
    page.data["levels"] = pyramid.levels
    with output_errors(target), target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(page.pieces(tile.text for tile in pyramid.tiles))
    whole = pyramid.shape_of(pyramid.finest_whole, shape)
    return PageReport(str(target), target.stat().st_size, whole, len(pyramid.tiles), content.table)


def find_cards(content: PageContent, options: PageOptions) -> Cards:
    """Return the cards according to the options."""
    if options.polygons is not None:
        return cards_of_polygons(
            Path(options.polygons), content.map_path, content.legend, content.grid, options.cards
        )
    return cards_of_map(content.map_path, content.legend, content.probability, options.cards)


def _pyramid(content: PageContent, room: int, observer: Observer) -> TilePyramid:
    rows_ahead = run_ahead(read_bands(content.map_path, content.pair, content.probability), 1)
    with watched(observer, "report", content.grid.pixel_count), closing(rows_ahead):
        return build_pyramid(_told(rows_ahead, observer), content.grid.shape, content.legend.nodata, room)


def _told(rows: Iterable[PaintedRows], observer: Observer) -> Iterator[PaintedRows]:
    for painted in rows:
        yield painted
        observer.advance(painted.codes.size)
