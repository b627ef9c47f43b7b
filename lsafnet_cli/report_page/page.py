"""Write the page: pictures, numbers and facts in one HTML file that asks for nothing else."""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from lsafnet_cli.classes import Legend
from lsafnet_cli.errors import OptionError, PairError
from lsafnet_cli.outputs import check_path
from lsafnet_cli.provenance import AFTER_DATE, BEFORE_DATE, OPTIONS
from lsafnet_cli.publishing import WorkFolder, output_errors, publish
from lsafnet_cli.report_page.pictures import Pictures, pictures_below
from lsafnet_cli.stages.align import AlignedImage, shared_window, whole_pixel_offset
from lsafnet_cli.stages.read import ScenePair, grid_of, open_raster, read_pair
from lsafnet_cli.stages.report import ChangeTable, area_text, read_legend
from lsafnet_cli.stages.summarize import summarize_map
from lsafnet_cli.types import Grid, ReadOptions

MAX_MB = 15.0
FACTS = {
    "LSAFNET_BEFORE": "before",
    BEFORE_DATE: "date before",
    "LSAFNET_AFTER": "after",
    AFTER_DATE: "date after",
    "LSAFNET_CHECKPOINT": "checkpoint",
    "LSAFNET_CHECKPOINT_SHA256": "its sha256",
    "LSAFNET_VERSION": "made by lsafnet",
    OPTIONS: "options",
}


@dataclass(frozen=True, slots=True)
class PageReport:
    """What was written. `picture_shape` is (rows, cols) of the pictures in the page."""

    path: str
    size_bytes: int
    picture_shape: tuple[int, int]
    table: ChangeTable

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


def write_report_page(
    change_map: str | Path, output: str | Path, before: str | None = None, after: str | None = None,
    title: str | None = None, max_mb: float = MAX_MB, overwrite: bool = False,
) -> PageReport:  # fmt: skip
    """Write a change map as one HTML file of at most `max_mb` megabytes that opens offline.

    Raises InputError for what is no change map, PairError where the images and the map share no ground,
    OptionError where nothing fits into `max_mb`, OutputError where the page may not be written.
    """
    map_path, target = str(change_map), Path(output)
    if not max_mb > 0:
        raise OptionError(f"--max-mb {max_mb}: give megabytes above 0")
    if (before is None) != (after is None):
        raise OptionError("--before and --after belong together: give both or neither")
    check_path(target, [path for path in (map_path, before, after) if path is not None], overwrite)
    content = PageContent.of_map(map_path, summarize_map(map_path).whole.table)
    if before is not None and after is not None:
        content = replace(content, pair=_on_grid(content.grid, before, after, map_path))
    text, shape = render_page(content, title or default_title(map_path), max_mb)
    _write(target, text)
    return PageReport(str(target), len(text.encode()), shape, content.table)


def default_title(change_map: str | Path) -> str:
    """Return the title of a page that was given none."""
    return f"Change map {Path(change_map).name}"


@dataclass(frozen=True, slots=True)
class PageContent:
    """What a page is made of: a map, its table, legend, place and tags, and both dates on its grid, if at hand."""

    map_path: str
    table: ChangeTable
    legend: Legend
    grid: Grid
    tags: Mapping[str, str]
    pair: tuple[AlignedImage, AlignedImage] | None = None

    @classmethod
    def of_map(
        cls, map_path: str, table: ChangeTable, pair: tuple[AlignedImage, AlignedImage] | None = None
    ) -> "PageContent":
        """Read what the map says of itself. Raises InputError for what is no change map."""
        with open_raster(map_path) as dataset:
            tags, grid = dataset.tags(), grid_of(dataset)
        return cls(map_path, table, read_legend(Path(map_path), tags), grid, tags, pair)


def render_page(content: PageContent, title: str, max_mb: float = MAX_MB) -> tuple[str, tuple[int, int]]:
    """Return the page's text and (rows, cols) of its pictures. Raises OptionError where nothing fits."""
    data = page_data(content.table, content.legend, content.grid, content.tags)
    room = int(max_mb * 1e6) - len(_page(title, data).encode())
    pictures = pictures_below(room, content.map_path, content.grid.shape, content.pair)
    return _page(title, data | _picture_data(pictures)), pictures.shape


def _on_grid(grid: Grid, before: str, after: str, map_path: str) -> tuple[AlignedImage, AlignedImage]:
    """Return both images on the map's grid. Raises PairError where they do not lie there."""
    pair = read_pair(before, after, ReadOptions())
    if (grid.crs is None) != (pair.before.grid.crs is None):
        raise PairError(
            f"{before} and {map_path}: one has a CRS, the other none; give the images of this map"
        )
    if not pair.georeferenced and pair.before.grid.shape != grid.shape:
        raise PairError(f"{before} has not the size of {map_path}; give the images of this map")
    shared_window(grid, ScenePair(pair.before, pair.after))
    one, other = (
        AlignedImage(scene, grid, whole_pixel_offset(grid, scene.grid) if not scene.placement else None)
        for scene in (pair.before, pair.after)
    )
    return one, other


def page_data(table: ChangeTable, legend: Legend, grid: Grid, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page's script shows, but for the pictures."""
    changed, valid = (
        area_text(ha, pixels)
        for ha, pixels in ((table.changed_ha, table.changed_pixels), (table.valid_ha, table.valid_pixels))
    )
    return {
        "shape": grid.shape,
        "transform": tuple(grid.transform)[:6],
        "crs": grid.crs.to_string() if grid.crs is not None else None,
        "digits": 6 if grid.crs is not None and grid.crs.is_geographic else 1,
        "totals": f"{changed} of {valid} changed",
        "facts": [(name, tags[tag]) for tag, name in FACTS.items() if tag in tags],
        "transitions": [
            {
                "code": row.code,
                "name": row.name,
                "pixels": row.pixels,
                "area_ha": row.area_ha,
                "amount": area_text(row.area_ha, row.pixels),
                "color": legend.palette[row.code],
            }
            for row in table.transitions
        ],
    }


def _picture_data(pictures: Pictures) -> dict[str, Any]:
    return {"codes": pictures.codes, "before": pictures.before, "after": pictures.after}


def _page(title: str, data: dict[str, Any]) -> str:
    """Return the page; hostile text stays text, whatever it holds."""
    kept = files("lsafnet_cli") / "data"
    parts = {
        "TITLE": html.escape(title),
        "DATA": _script_json(data),
        "CSS": (kept / "report" / "page.css").read_text("utf-8"),
        "JS": (kept / "report" / "page.js").read_text("utf-8"),
        "LEAFLET_CSS": _without_pictures((kept / "leaflet" / "leaflet.css").read_text("utf-8")),
        "LEAFLET_JS": (kept / "leaflet" / "leaflet.js").read_text("utf-8"),
    }
    template = (kept / "report" / "page.html").read_text("utf-8")
    # in one pass, so that a title which names a placeholder stays as it is
    return re.sub("@([A-Z_]+)@", lambda match: parts[match[1]], template)


def _script_json(data: dict[str, Any]) -> str:
    """Return JSON in which no mark can end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _without_pictures(css: str) -> str:
    return re.sub(r"url\((?!data:)[^)]*\)", "none", css)


def _write(target: Path, text: str) -> None:
    store = WorkFolder(target)
    store.create()
    try:
        with output_errors(target):
            store.path(target.name).write_text(text, encoding="utf-8")
        publish(store, [target])
    finally:
        store.remove()
