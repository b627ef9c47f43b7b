"""Summarize: area of each transition of a map, in total and by zone."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.rasters import bounded_cache, grid_of, open_raster
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_areas
from lsafnet_cli.geometry.row_bands import row_windows
from lsafnet_cli.legend.classes import Legend, hex_color
from lsafnet_cli.maps.count import CodeArray, CodeCounts
from lsafnet_cli.maps.finding import dates_of_tags, headline
from lsafnet_cli.maps.table import ChangeTable, TransitionRow, hectares, read_legend, refuse_layer, table_of
from lsafnet_cli.maps.zone_features import names_of_zones
from lsafnet_cli.maps.zones import ZoneRequest, ZoneSet, read_zones

if TYPE_CHECKING:
    import pandas

Matrix = tuple[tuple[float | None, ...], ...]
MAP, ZONE, OUTSIDE = "map", "zone", "outside"


@dataclass(frozen=True, slots=True)
class ClassChange:
    """What a class gained from other classes and lost to others. Areas are None without a CRS."""

    name: str
    gain_pixels: int
    loss_pixels: int
    gain_ha: float | None
    loss_ha: float | None
    net_ha: float | None


@dataclass(frozen=True, slots=True)
class AreaSummary:
    """The change in one part of the map: `area` is "map", "zone" or "outside" (of all zones).

    Matrices have a row for each class changed from and a column for each class changed to; percentages refer
    to the valid area of the part, or to its valid pixels without a CRS. A binary change map has no matrices.
    """

    area: str
    zone: str | None
    table: ChangeTable
    changed_percent: float | None
    matrix_pixels: tuple[tuple[int, ...], ...]
    matrix_ha: Matrix
    matrix_percent: Matrix
    classes: tuple[ClassChange, ...]

    @property
    def changing(self) -> tuple[int, ...]:
        """Indices of the classes that occur in a transition."""
        pixels = np.array(self.matrix_pixels, np.int64).reshape(len(self.classes), len(self.classes))
        return tuple(int(index) for index in np.flatnonzero(pixels.any(axis=0) | pixels.any(axis=1)))

    @property
    def title(self) -> str:
        """The title of the part."""
        return {MAP: "whole map", OUTSIDE: "outside all zones"}.get(self.area) or str(self.zone)


@dataclass(frozen=True, slots=True)
class MapSummary:
    """Result of `summarize_map`: the whole map and, if zones were given, each zone and the area outside all."""

    map: str
    crs: str | None
    finding: str
    classes: tuple[str, ...]
    colors: tuple[str, ...]
    zone_field: str | None
    whole: AreaSummary
    zones: tuple[AreaSummary, ...]
    outside: AreaSummary | None

    @property
    def parts(self) -> tuple[AreaSummary, ...]:
        """The whole map, each zone, and the rest."""
        return (self.whole, *self.zones, *((self.outside,) if self.outside is not None else ()))

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-ready values."""
        return asdict(self)

    def to_frame(self) -> "pandas.DataFrame":
        """Return a pandas.DataFrame with a row for each transition in each part of the map.

        Needs pandas, the extra `lsafnet[frames]`.
        """
        try:
            import pandas
        except ImportError:
            raise OptionError('to_frame needs pandas; pip install "lsafnet[frames]"') from None
        parts = (self.whole, *self.zones, *((self.outside,) if self.outside is not None else ()))
        rows = [
            {"area": part.area, "zone": part.zone, **asdict(transition)}
            for part in parts
            for transition in part.table.transitions
        ]
        names = ("area", "zone", *(field.name for field in fields(TransitionRow)))
        return pandas.DataFrame(rows, columns=names)


@bounded_cache()
def summarize_map(path: str | Path, zones: ZoneRequest | None = None) -> MapSummary:
    """Count transitions and their ground areas, by row bands, for the whole map and for zones.

    A pixel belongs to every zone that contains its centre; zones without a pixel have counts of 0. Memory follows the
    number of zones and their vertices, not the map's size. Raises InputError if a file cannot be read or is
    no change map, OptionError for a missing zone field or layer, NoOverlapError if no zone overlaps the map.
    """
    with open_raster(path) as dataset:
        tags, grid = dataset.tags(), grid_of(dataset)
        legend = read_legend(Path(path), tags)
        refuse_layer(str(path), dataset.descriptions[0], legend)
        zone_set = read_zones(zones, grid) if zones is not None else ZoneSet(None, ())
        areas = pixel_areas(grid)
        counts = [CodeCounts.start(str(path), legend, areas) for _ in range(2 + len(zone_set.zones))]
        _count(dataset, grid, zone_set, counts)
    whole, outside, *of_zones = counts
    found = {
        zone.name: _summary(ZONE, zone.name, c) for zone, c in zip(zone_set.zones, of_zones, strict=True)
    }
    nothing = CodeCounts.start(str(path), legend, areas)
    every = names_of_zones(zones) if zones is not None else ()
    in_all = _summary(MAP, None, whole)
    return MapSummary(
        map=str(path),
        crs=grid.crs.to_string() if grid.crs is not None else None,
        finding=headline(in_all.table, *dates_of_tags(tags)),
        classes=legend.names[1:],
        colors=tuple(map(hex_color, legend.colors[1:])),
        zone_field=zone_set.field,
        whole=in_all,
        zones=tuple(found.get(name) or _summary(ZONE, name, nothing) for name in every),
        outside=_summary(OUTSIDE, None, outside) if zone_set.zones else None,
    )


def _count(dataset: Any, grid: Grid, zones: ZoneSet, counts: list[CodeCounts]) -> None:
    """Add a map to the counts of the whole, of what is outside all zones, and of each zone."""
    whole, outside, *of_zones = counts
    for window in row_windows(grid):
        codes = dataset.read(1, window=window)
        whole.add(codes, window.row_off, window.col_off)
        inside = np.zeros(codes.shape, bool)
        for zone, found in zip(zones.zones, of_zones, strict=True):
            if (part := zone.pixels_in(window)) is not None:
                _add_part(found, codes, window.row_off, part, inside)
        if zones.zones:
            outside.add(codes, window.row_off, window.col_off, ~inside)


def _add_part(
    counts: CodeCounts, codes: CodeArray, first_row: int,
    part: tuple[int, int, NDArray[np.bool_]], inside: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Count a zone's pixels of a row band, and mark them as inside."""
    top, left, mask = part
    place = np.s_[top - first_row : top - first_row + mask.shape[0], left : left + mask.shape[1]]
    counts.add(codes[place], top, left, mask)
    inside[place] |= mask


def _summary(area: str, zone: str | None, counts: CodeCounts) -> AreaSummary:
    table, legend = table_of(counts), counts.legend
    known = table.valid_ha is not None
    weights = counts.ground if known else counts.pixels
    total = float(weights[:-1].sum())
    pixels, ground = _square(counts.pixels, legend), _square(counts.ground, legend)
    return AreaSummary(
        area=area,
        zone=zone,
        table=table,
        changed_percent=_percent(weights[1:-1].sum(), total),
        matrix_pixels=tuple(tuple(int(n) for n in row) for row in pixels),
        matrix_ha=tuple(tuple(hectares(m2) for m2 in row) for row in ground),
        matrix_percent=tuple(tuple(_percent(w, total) for w in row) for row in (ground if known else pixels)),
        classes=tuple(_class_changes(legend, pixels, ground)),
    )


def _square(values: NDArray[Any], legend: Legend) -> NDArray[Any]:
    """Return (from, to) values of the transitions; (0, 0) for a binary change map."""
    side = legend.class_count if legend.semantic else 0
    return values[1 : 1 + side * side].reshape(side, side)


def _percent(part: float, total: float) -> float | None:
    return round(100 * float(part) / total, 6) if total > 0 else None


def _class_changes(legend: Legend, pixels: NDArray[Any], ground: NDArray[Any]) -> Iterator[ClassChange]:
    for index, name in enumerate(legend.names[1 : 1 + len(pixels)]):
        others = np.arange(len(pixels)) != index
        gain, loss = ground[others, index].sum(), ground[index, others].sum()
        yield ClassChange(
            name=name,
            gain_pixels=int(pixels[others, index].sum()),
            loss_pixels=int(pixels[index, others].sum()),
            gain_ha=hectares(gain),
            loss_ha=hectares(loss),
            net_ha=hectares(gain - loss),
        )
