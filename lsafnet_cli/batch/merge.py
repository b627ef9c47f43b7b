"""Merged outputs of a batch: one GeoPackage of all polygons, and a mosaic of all maps."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from lsafnet_cli.batch.folder import MERGED_POLYGONS, MOSAIC, BatchFolder
from lsafnet_cli.batch.mosaics import write_mosaic
from lsafnet_cli.batch.records import DONE, SceneRecord
from lsafnet_cli.errors import LsafnetError
from lsafnet_cli.files.layer_style import add_layer_style, transition_style
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.files.side_files import side_files
from lsafnet_cli.geometry.crs import NoWayError, Way, full_turn, horizontal
from lsafnet_cli.geometry.degrees import in_degrees
from lsafnet_cli.maps.table import read_legend
from lsafnet_cli.polygons.files import polygon_errors
from lsafnet_cli.polygons.gathering import append_polygons, remove_rest
from lsafnet_cli.polygons.review_form import STATUS, review_style
from lsafnet_cli.polygons.table import GEOMETRY, LAYER_NAME

COMMON_CRS = "EPSG:4326"  # of scenes in several CRS
Tell = Callable[[str], None]


def merge_outputs(
    folder: BatchFolder, records: Sequence[SceneRecord], mosaic: bool, tell: Tell
) -> dict[str, str]:
    """Write the merged files of the scenes that are done; return their names. Raises OutputError.

    Without a scene that is done, nothing is written, and nothing that is there is touched.
    """
    done = [record for record in records if record.status == DONE]
    written: dict[str, str] = {}
    if not done:
        return written
    merge_polygons(folder, done, tell)
    written["polygons"] = str(folder.path / MERGED_POLYGONS)
    if mosaic and write_mosaic(
        folder.path, [Path(record.output) for record in done], folder.path / MOSAIC, tell, folder.write_table
    ):
        written["mosaic"] = str(folder.path / MOSAIC)
    return written


def merge_polygons(folder: BatchFolder, done: Sequence[SceneRecord], tell: Tell) -> int:
    """Write the polygons of all scenes to one GeoPackage, a batch of rows at a time; return how many there are.

    They are in the scenes' CRS or, where these differ, in longitude and latitude. `id` counts through all of
    them, `scene` is the scene's name. Scenes without a georeference are left out where others have one.
    """
    target = folder.path / MERGED_POLYGONS
    coming = folder.hidden / MERGED_POLYGONS
    sources = {record.name: _polygons_of(folder, record) for record in done}
    with polygon_errors(str(target), "merged"), folder.table(target) as finished:
        remove_rest(coming)  # of a run that was killed
        try:
            crs_of = {name: _crs(path) for name, path in sources.items()}
            common = common_crs(list(crs_of.values()))
            count = 0
            for name, path in sources.items():
                crs = crs_of[name]
                if common is not None and _way(crs, common) is None:
                    lacks = f"cannot be transformed to {common}" if crs else "is not georeferenced"
                    tell(f"{name} {lacks}: its polygons are not in {MERGED_POLYGONS}")
                    continue
                place = partial(_placed, crs=crs, common=common)
                count = append_polygons(coming, path, {"scene": name}, count, common, place)
            _add_style(coming, folder.path / done[0].output, reviewed=STATUS in _fields(coming))
            for side in side_files(target):
                side.unlink(missing_ok=True)
            coming.chmod(finished.stat().st_mode & 0o777)  # SQLite asks for less than new files get here
            coming.replace(finished)
        finally:
            remove_rest(coming)
    return count


def _polygons_of(folder: BatchFolder, record: SceneRecord) -> Path:
    return (folder.path / record.output).with_suffix(".gpkg")


def common_crs(found: Sequence[str | None]) -> str | None:
    """Return the CRS that all have, where they have several `COMMON_CRS`; None where none has one."""
    several = {crs for crs in found if crs is not None}
    if len(several) > 1:
        return COMMON_CRS
    return several.pop() if several else None


def _crs(path: Path) -> str | None:
    crs = pyogrio.read_info(path, layer=LAYER_NAME)["crs"]
    return str(crs) if crs else None


def _fields(path: Path) -> list[str]:
    return [str(name) for name in pyogrio.read_info(path, layer=LAYER_NAME)["fields"]]


def _way(crs: str | None, common: str | None) -> Way | None:
    """Return the way of a scene's polygons to the common CRS, None where there is none."""
    if crs is None or common is None:
        return None
    try:
        return Way.between(horizontal(crs), horizontal(common))
    except NoWayError:
        return None


def _placed(
    geometries: Any, fields: dict[str, Any], crs: str | None, common: str | None
) -> tuple[Any, dict[str, Any]]:
    """Return WKB geometries and their fields in the common CRS.

    What crosses the antimeridian becomes several rows that end there, each with its share of area and pixels.
    """
    way = _way(crs, common)
    if way is None or way.transformer is None:
        return geometries, fields
    found = shapely.from_wkb(geometries)
    if not full_turn(horizontal(common or "")):
        return shapely.to_wkb(shapely.transform(found, way.of_points)), fields
    parts = in_degrees(found, way)
    row = np.repeat(np.arange(len(parts)), [len(sides) for sides in parts])
    placed = [side for sides in parts for side in sides]
    share = shapely.area(placed) * np.cos(np.radians(shapely.get_y(shapely.centroid(placed))))
    share /= np.bincount(row, share, len(parts))[row]
    fields = {name: values[row] for name, values in fields.items()}
    fields["area_m2"] = fields["area_m2"] * share
    fields["pixels"] = _apportioned(fields["pixels"], share, row)
    return shapely.to_wkb(placed), fields


def _apportioned(
    whole: NDArray[np.int64], share: NDArray[np.float64], row: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return whole numbers by shares, such that those of a row sum to the row's own number."""
    upto = np.cumsum(share) - row  # of its row, up to and with each entry
    ends = np.round(whole * upto).astype(np.int64)
    before = np.roll(ends, 1)
    before[np.flatnonzero(np.diff(row, prepend=-1))] = 0
    return ends - before


def _add_style(path: Path, change_map: Path, reviewed: bool) -> None:
    """Give the merged file the colours of a map's legend, and its form, as far as that map can be read."""
    with suppress(LsafnetError), open_raster(change_map) as dataset:
        style = (review_style if reviewed else transition_style)(read_legend(change_map, dataset.tags()))
        add_layer_style(path, LAYER_NAME, GEOMETRY, style)
