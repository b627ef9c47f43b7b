"""What all scenes of a batch give together: one GeoPackage of their polygons, and a mosaic of their maps."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from pyogrio.raw import read as read_features
from pyogrio.raw import write as write_features
from pyproj import CRS, Transformer

from lsafnet_cli.batch.folder import MERGED_POLYGONS, MOSAIC, BatchFolder
from lsafnet_cli.batch.mosaics import write_mosaic
from lsafnet_cli.batch.records import DONE, SceneRecord
from lsafnet_cli.errors import LsafnetError
from lsafnet_cli.files.layer_style import add_layer_style, transition_style
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.files.side_files import side_files
from lsafnet_cli.maps.table import read_legend
from lsafnet_cli.polygons.files import LAYER_NAME, ROWS_AT_ONCE, polygon_errors
from lsafnet_cli.polygons.table import GEOMETRY

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
        folder.path, [Path(record.output) for record in done], folder.path / MOSAIC, tell
    ):
        written["mosaic"] = str(folder.path / MOSAIC)
    return written


def merge_polygons(folder: BatchFolder, done: Sequence[SceneRecord], tell: Tell) -> int:
    """Write the polygons of all scenes to one GeoPackage, a batch of rows at a time; return how many there are.

    They are in the scenes' CRS or, where these differ, in longitude and latitude. `id` counts through all of
    them, `scene` is the scene's name. Scenes without a georeference are left out where others have one.
    """
    target = folder.path / MERGED_POLYGONS
    coming = folder.hidden / f"{MERGED_POLYGONS}.{os.getpid()}.gpkg"
    sources = {record.name: _polygons_of(folder, record) for record in done}
    with polygon_errors(str(target), "merged"):
        try:
            crs_of = {name: _crs(path) for name, path in sources.items()}
            common = common_crs(list(crs_of.values()))
            dissolved = _is_multi(next(iter(sources.values())))
            count = 0
            for name, path in sources.items():
                crs = crs_of[name]
                if crs is None and common is not None:
                    tell(f"{name} has no georeference: its polygons are not in {MERGED_POLYGONS}")
                    continue
                count = _append(coming, path, name, (crs, common), count, dissolved)
            _add_style(coming, folder.path / done[0].output)
            for side in side_files(target):
                side.unlink(missing_ok=True)
            coming.replace(target)
        finally:
            for path in (coming, *side_files(coming)):
                path.unlink(missing_ok=True)
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


def _is_multi(path: Path) -> bool:
    return bool(pyogrio.read_info(path, layer=LAYER_NAME)["geometry_type"] == "MultiPolygon")


def _append(
    target: Path, source: Path, scene: str, crs: tuple[str | None, str | None], count: int, dissolved: bool
) -> int:
    """Append the rows of one file, with ids from `count` + 1 on; return the last one."""
    for meta, geometries, columns in _batches(source):
        names = [str(name) for name in meta["fields"]]
        rows = len(geometries)
        fields = dict(zip(names, columns, strict=True))
        fields["id"] = np.arange(count + 1, count + rows + 1)
        fields["scene"] = np.full(rows, scene, object)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
            write_features(
                target,
                _placed(geometries, *crs),
                [fields[name] for name in names],
                names,
                layer=LAYER_NAME,
                driver="GPKG",
                geometry_type="MultiPolygon" if dissolved else "Polygon",
                crs=crs[1],
                append=target.exists(),
                layer_options={} if target.exists() else {"GEOMETRY_NAME": GEOMETRY},
            )
        count += rows
    return count


def _batches(source: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Yield (meta, WKB geometries, columns), at least once, a batch of rows at a time."""
    skipped = 0
    while True:
        meta, _, geometries, columns = read_features(
            source, layer=LAYER_NAME, skip_features=skipped, max_features=ROWS_AT_ONCE
        )
        if skipped and not len(geometries):
            return
        yield meta, geometries, columns
        skipped += len(geometries)
        if len(geometries) < ROWS_AT_ONCE:
            return


def _placed(geometries: Any, crs: str | None, common: str | None) -> Any:
    if crs is None or common is None or crs == common:
        return geometries
    transformer = Transformer.from_crs(CRS.from_user_input(crs), CRS.from_user_input(common), always_xy=True)

    def move(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.stack(transformer.transform(points[:, 0], points[:, 1]), axis=1)

    return shapely.to_wkb(shapely.transform(shapely.from_wkb(geometries), move))


def _add_style(path: Path, change_map: Path) -> None:
    """Give the merged file the colours of a map's legend, as far as that map can be read."""
    with suppress(LsafnetError), open_raster(change_map) as dataset:
        style = transition_style(read_legend(change_map, dataset.tags()))
        add_layer_style(path, LAYER_NAME, GEOMETRY, style)
