"""A mosaic of the maps of all scenes as virtual raster, if they are on one pixel grid."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine

from lsafnet_cli.batch.records import Write
from lsafnet_cli.files.layers import CODES
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.files.raster_styles import layer_style
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.files.vrt import Part, RasterMeta, vrt_xml
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.maps.table import read_legend
from lsafnet_cli.scenes.align import WHOLE_PIXEL_TOLERANCE_PX


@dataclass(frozen=True, slots=True)
class PlacedMap:
    """A map, by its name below the folder, with its grid and the text of its legend."""

    name: Path
    grid: Grid
    legend: str


def write_mosaic(
    folder: Path, maps: Sequence[Path], target: Path, tell: Callable[[str], None], write: Write
) -> bool:
    """Write a VRT over maps below a folder, with paths relative to it; return whether that was possible.

    Where maps overlap, a later one lies on top where it has data. `tell` is told of maps that do not lie on the
    pixels of the first one, for a VRT has one CRS and one pixel size; then nothing is written.
    """
    placed = [_placed(folder, name) for name in maps]
    first = placed[0]
    astray = [one for one in placed if _offset(first.grid, one.grid) is None or one.legend != first.legend]
    if astray or first.grid.crs is None:
        reason = (
            f"{astray[0].name} has another CRS, pixel size, grid or legend than {first.name}"
            if astray
            else f"{first.name} is not georeferenced"
        )
        tell(f"{target.name} is not written: {reason}")
        return False
    write(target, _vrt(folder, placed, target))
    return True


def _placed(folder: Path, name: Path) -> PlacedMap:
    with open_raster(folder / name) as dataset:
        return PlacedMap(name, grid_of(dataset), dataset.tags().get(LEGEND, ""))


def _offset(grid: Grid, other: Grid) -> tuple[int, int] | None:
    """Return (row, col) of `other`'s first pixel on `grid`, None where their pixels do not coincide."""
    if grid.crs != other.crs or not np.allclose(
        np.array(grid.transform)[[0, 1, 3, 4]], np.array(other.transform)[[0, 1, 3, 4]], rtol=1e-9, atol=0
    ):
        return None
    position = np.array(~grid.transform @ (other.transform.c, other.transform.f))
    col, row = np.round(position).astype(int)
    return (row, col) if np.abs(position - (col, row)).max() <= WHOLE_PIXEL_TOLERANCE_PX else None


def _vrt(folder: Path, placed: Sequence[PlacedMap], target: Path) -> str:
    grid = placed[0].grid
    corners = np.array([_offset(grid, one.grid) for one in placed])
    ends = corners + [(one.grid.height, one.grid.width) for one in placed]
    (top, left), (bottom, right) = corners.min(axis=0), ends.max(axis=0)
    parts = [
        Part(Path(os.path.relpath(folder / one.name, target.parent)), *map(int, (row, end, col, edge)))
        for one, (row, col), (end, edge) in zip(
            placed, corners - (top, left), ends - (top, left), strict=True
        )
    ]
    legend = read_legend(folder / placed[0].name, {LEGEND: placed[0].legend})
    style = layer_style(CODES, legend)
    corner = grid.transform @ Affine.translation(float(left), float(top))
    whole = Grid(grid.crs, corner, int(right - left), int(bottom - top))
    meta = RasterMeta(
        grid=whole,
        dtype=legend.dtype,
        nodata=legend.nodata,
        description=style.description,
        palette={entry.value: entry.color for entry in style.categories},
        tags={LEGEND: placed[0].legend},
        overlapping=True,
        relative_paths=True,
    )
    return vrt_xml(meta, parts)
