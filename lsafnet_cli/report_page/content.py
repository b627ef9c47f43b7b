"""Content of a page without pictures: location, areas, transitions, cards, facts."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsafnet_cli.files.provenance import AFTER_DATE, BEFORE_DATE, DOMAIN, OPTIONS
from lsafnet_cli.files.raster_styles import PERCENT_COLORS
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.legend.classes import Legend, parse_color
from lsafnet_cli.maps.finding import balance_text, class_balances, dates_of_tags, day_text, finding_text
from lsafnet_cli.maps.identity import map_sha256
from lsafnet_cli.maps.quicklook import NO_DATA
from lsafnet_cli.maps.table import ChangeTable, TransitionRow, area_text, read_legend
from lsafnet_cli.report_page.cards import Cards
from lsafnet_cli.report_page.place import place_table, place_text
from lsafnet_cli.report_page.reliability import reliability_rows, trust_text
from lsafnet_cli.report_page.template import kept_text
from lsafnet_cli.scenes.align import AlignedImage

FACTS = {
    "LSAFNET_BEFORE": "before",
    BEFORE_DATE: "date before",
    "LSAFNET_AFTER": "after",
    AFTER_DATE: "date after",
    "LSAFNET_CHECKPOINT": "checkpoint",
    "LSAFNET_CHECKPOINT_SHA256": "its sha256",
    DOMAIN: "domain of the checkpoint",
    "LSAFNET_VERSION": "map made by lsafnet",
}


@dataclass(frozen=True, slots=True)
class PageContent:
    """Sources of a page: a map, its table, legend, location and tags; both dates on its grid and its probability, if
    available."""

    map_path: str
    table: ChangeTable
    legend: Legend
    grid: Grid
    tags: Mapping[str, str]
    pair: tuple[AlignedImage, AlignedImage] | None = None
    probability: str | None = None

    @classmethod
    def of_map(
        cls, map_path: str, table: ChangeTable, pair: tuple[AlignedImage, AlignedImage] | None = None,
        probability: str | None = None,
    ) -> "PageContent":  # fmt: skip
        """Read the tags of the map. Raises InputError if it is no change map."""
        with open_raster(map_path) as dataset:
            tags, grid = dataset.tags(), grid_of(dataset)
        return cls(map_path, table, read_legend(Path(map_path), tags), grid, tags, pair, probability)


def page_data(content: PageContent, cards: Cards, name: str) -> dict[str, Any]:
    """Return the data for the page's script of the map `name`, without tiles."""
    table, grid, legend = content.table, content.grid, content.legend
    days = dates_of_tags(content.tags)
    return {
        "map": {"name": name, "sha256": map_sha256(content.map_path, legend)},
        "semantic": legend.semantic,
        **place_data(grid),
        "finding": finding_text(table, *days),
        "balance": balance_text(table),
        "balances": [asdict(one) | {"net": one.net} for one in class_balances(table)],
        "days": [day_text(day) if day is not None else None for day in days],
        "trust": trust_text(content.tags),
        "facts": [("map", name), *_facts(content)],
        "reliability": list(reliability_rows(content.tags)),
        "options": list(_options(content.tags.get(OPTIONS, "{}"))),
        "classes": [
            {"name": name, "color": color} for name, color in zip(legend.names, legend.colors, strict=True)
        ],
        "transitions": [transition_data(row, legend) for row in table.transitions],
        "nodata": {
            "code": legend.nodata,
            "color": NO_DATA,
            "pixels": table.nodata_pixels,
            "amount": area_text(table.nodata_ha, table.nodata_pixels),
        },
        "dates": content.pair is not None,
        "probability": [[percent, parse_color(color)] for percent, color in PERCENT_COLORS.items()]
        if content.probability is not None
        else None,
        "cards": asdict(cards),
    }


def place_data(grid: Grid) -> dict[str, Any]:
    """Return what a page's script knows of where its pixels lie."""
    return {
        "shape": grid.shape,
        "transform": tuple(grid.transform)[:6],
        "crs": grid.crs.to_string() if grid.crs is not None else None,
        "digits": 6 if grid.crs is not None and grid.crs.is_geographic else 1,
        "place": place_table(grid),
        "world": kept_text("report", "world.txt").strip() if grid.crs is not None else None,
    }


def title_of(content: PageContent, name: str) -> str:
    """Return a title with dates and location, or with the map's name if both are unknown."""
    before, after = dates_of_tags(content.tags)
    days = f" from {day_text(before)} to {day_text(after)}" if before and after else ""
    place = place_text(content.grid)
    return f"Change{days}{f' at {place}' if place else ''}" if days or place else f"Change map {name}"


def transition_data(row: TransitionRow, legend: Legend) -> dict[str, Any]:
    """Return what a page's script knows of a transition."""
    transition = next(one for one in legend.transitions if one.code == row.code)
    return {
        "code": row.code,
        "name": row.name,
        "from": transition.from_class if legend.semantic else None,
        "to": transition.to_class if legend.semantic else None,
        "pixels": row.pixels,
        "share": row.share,
        "area_ha": row.area_ha,
        "amount": area_text(row.area_ha, row.pixels),
        "color": transition.color,
    }


def _facts(content: PageContent) -> Iterator[tuple[str, str]]:
    grid = content.grid
    size = pixel_size_m(grid)
    yield "size", f"{grid.width:,} x {grid.height:,} pixels" + (f" of {size:.3g} m" if size else "")
    for tag, name in FACTS.items():
        if tag in content.tags:
            yield name, content.tags[tag]
    yield "page made", f"{date.today().isoformat()} by lsafnet {version('lsafnet')}"


def _options(text: str) -> Iterator[tuple[str, str]]:
    """Yield the options of a map one by one, or unparsed if they cannot be read."""
    try:
        options = dict(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        yield "options", text
        return
    for name, value in options.items():
        if value is not None:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
