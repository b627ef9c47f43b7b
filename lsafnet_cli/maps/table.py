"""Areas of a map's transitions: the table that is printed, returned and written as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lsafnet_cli.errors import InputError, reason_of
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.files.raster_styles import layer_style
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.count import CodeCounts, count_codes
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import LAYERS

SQUARE_METRES_PER_HECTARE = 10_000


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """Pixels and ground area of one transition. Areas are None without a CRS; the share is of valid pixels."""

    code: int
    from_class: str | None
    to_class: str | None
    name: str
    pixels: int
    share: float
    area_ha: float | None


@dataclass(frozen=True, slots=True)
class ChangeTable:
    """The areas of a map: transitions that occur, largest first, and pixels with and without data."""

    transitions: tuple[TransitionRow, ...]
    valid_pixels: int
    nodata_pixels: int
    changed_pixels: int
    valid_ha: float | None
    nodata_ha: float | None
    changed_ha: float | None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ChangeTable":
        """Return the table from its JSON fields."""
        return cls(**{**values, "transitions": tuple(TransitionRow(**row) for row in values["transitions"])})


def change_table(path: Path, legend: Legend | None = None) -> ChangeTable:
    """Count a map's transitions and their ground areas, row band by row band.

    Raises InputError if the file is no change map.
    """
    with open_raster(path) as dataset:
        legend = legend or read_legend(path, dataset.tags())
        return table_of(count_codes(dataset, str(path), legend))


def count_changes(path: str, legend: Legend, observer: Observer) -> CodeCounts:
    """Count a map's codes and their ground areas, with progress. Raises InputError."""
    with open_raster(path) as dataset, watched(observer, "count", grid_of(dataset).pixel_count):
        return count_codes(dataset, path, legend, observer.advance)


def open_legend(path: str | Path) -> tuple[Legend, Grid]:
    """Return the legend and the grid of a change map. Raises InputError for any other file, a layer of one too."""
    with open_raster(path) as dataset:
        legend = read_legend(Path(path), dataset.tags())
        refuse_layer(str(path), dataset.descriptions[0], legend)
        return legend, grid_of(dataset)


def refuse_layer(path: str, description: str | None, legend: Legend) -> None:
    """Raise InputError for the layers beside a map, whose tags name classes as well."""
    if description is not None and description in {layer_style(name, legend).description for name in LAYERS}:
        raise InputError(f"{path}: this is the layer '{description}'; name the map beside it")


def read_legend(path: Path, tags: dict[str, str]) -> Legend:
    """Return the legend in a map's tags. Raises InputError where there is none."""
    try:
        return Legend.from_json(tags[LEGEND])
    except KeyError as error:
        raise InputError(f"{path}: is no change map of lsafnet (no classes in its tags)") from error
    except ValueError as error:
        raise InputError(f"{path}: the classes in its tags are invalid ({reason_of(error)})") from error


def table_of(counts: CodeCounts) -> ChangeTable:
    """Return the table of what has been counted."""
    pixels, ground = counts.pixels, counts.ground
    valid = int(pixels[:-1].sum())
    rows = sorted(_rows(counts, valid), key=lambda row: -row.pixels)
    return ChangeTable(
        transitions=tuple(rows),
        valid_pixels=valid,
        nodata_pixels=int(pixels[-1]),
        changed_pixels=int(pixels[1:-1].sum()),
        valid_ha=hectares(ground[:-1].sum()),
        nodata_ha=hectares(ground[-1]),
        changed_ha=hectares(ground[1:-1].sum()),
    )


def _rows(counts: CodeCounts, valid: int) -> Iterator[TransitionRow]:
    legend = counts.legend
    for transition in legend.transitions:
        if count := int(counts.pixels[transition.code]):
            yield TransitionRow(
                code=transition.code,
                from_class=legend.names[transition.from_class] if legend.semantic else None,
                to_class=legend.names[transition.to_class] if legend.semantic else None,
                name=transition.name,
                pixels=count,
                share=count / valid,
                area_ha=hectares(counts.ground[transition.code]),
            )


def hectares(square_metres: float) -> float | None:
    """Return an area in ha, to 0.01 m2; None if unknown (NaN)."""
    return None if np.isnan(square_metres) else round(float(square_metres) / SQUARE_METRES_PER_HECTARE, 6)


def area_text(area_ha: float | None, pixels: int) -> str:
    """Return an area as text: hectares, or pixels without a CRS."""
    return f"{area_ha:,.2f} ha" if area_ha is not None else f"{pixels:,} px"


def changed_text(table: ChangeTable) -> str:
    """Return the changed share of a map as text."""
    changed = area_text(table.changed_ha, table.changed_pixels)
    valid = area_text(table.valid_ha, table.valid_pixels)
    share = table.changed_pixels / table.valid_pixels if table.valid_pixels else 0.0
    return f"{changed} of {valid} changed ({share:.1%})"


def uniform_notices(table: ChangeTable) -> Iterator[str]:
    """Yield warnings about a map without changes, or with a single transition."""
    if table.valid_pixels and not table.changed_pixels:
        yield "no pixel has changed: either nothing has, or the network does not suit these images"
    elif len(table.transitions) == 1 and table.transitions[0].to_class is not None:
        yield f"the only transition is {table.transitions[0].name}: the network may recognise one class only"
