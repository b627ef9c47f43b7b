"""Verdicts of a reviewer on a map's polygons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import fiona
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.vectors import reading_vectors
from lsafnet_cli.geometry.arrays import IntArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import UNCHANGED, Legend
from lsafnet_cli.polygons.review_form import ACCEPTED, CORRECTED_TO, OPEN, REJECTED, STATES, STATUS
from lsafnet_cli.polygons.table import LAYER_NAME
from lsafnet_cli.scenes.polygon_files import PolygonPlacing, crs_of_layer, polygons_of

ANY_CODE = -1


class Places(Protocol):
    """Where reviewed changes lie."""

    def numbers_under(self, window: Window) -> NDArray[np.int32]:
        """Return (rows, cols) numbers of the changes that hold pixels of a full-width window, -1 where none does."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """Polygons in pixels of a map; a pixel belongs to the one that holds its centre."""

    polygons: NDArray[Any]

    def numbers_under(self, window: Window) -> NDArray[np.int32]:
        """Return (rows, cols) numbers of the polygons that hold pixels' centres, -1 where none does."""
        box = shapely.box(0, window.row_off, window.col_off + window.width, window.row_off + window.height)
        touching = np.flatnonzero(shapely.intersects(self.polygons, box))
        shape = int(window.height), int(window.width)
        if len(touching) == 0:
            return np.full(shape, -1, np.int32)
        place = Affine.translation(window.col_off, window.row_off)
        shapes = ((self.polygons[index], int(index)) for index in touching)
        return np.asarray(rasterize(shapes, shape, fill=-1, transform=place, dtype="int32"))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Changes with a verdict, (n,): where each lies, the code it has, its state, the code it gets.

    A code of ANY_CODE stands for whatever the map has there; the new code of an open polygon is ANY_CODE too.
    """

    places: Places
    code: IntArray
    state: list[str]
    new_code: IntArray
    open_count: int


def refuse_without_verdict(path: str, rows: Sequence[Any]) -> None:
    """Raise InputError where nothing has been reviewed yet."""
    if not rows:
        raise InputError(f"{path}: no polygon is {', '.join(STATES[1:])}; set it in the field {STATUS}")


def verdicts_of_layer(path: str, legend: Legend, grid: Grid) -> Verdicts:
    """Read the polygons that have a verdict. Raises InputError for fields and names that are missing or wrong."""
    codes = {name.casefold(): code for code, name in legend.labels.items()}
    outlines: list[Any] = []
    rows: list[tuple[int, str, int]] = []
    still_open = 0
    with reading_vectors(path, "polygons with verdicts"):
        names = fiona.listlayers(path)
        with fiona.open(path, layer=LAYER_NAME if LAYER_NAME in names else names[0]) as source:
            if STATUS not in source.schema["properties"]:
                raise InputError(
                    f"{path}: has no field {STATUS}; write polygons for a review with lsafnet review MAP"
                )
            crs = crs_of_layer(source)
            placing = PolygonPlacing(crs, grid) if crs is not None and grid.crs is not None else None
            for feature in source:
                values = dict(feature["properties"])
                state = str(values[STATUS] or OPEN).strip().casefold()
                if state == OPEN:
                    still_open += 1
                    continue
                shape = shapely.union_all(polygons_of(feature))
                outlines.append(placing.place(shape) if placing is not None else _in_pixels(shape, grid))
                rows.append(_verdict(path, feature, values, state, codes))
    refuse_without_verdict(path, rows)
    code, states, new = zip(*rows, strict=True)
    return Verdicts(Outlines(np.array(outlines)), np.array(code), list(states), np.array(new), still_open)


def _in_pixels(shape: Any, grid: Grid) -> Any:
    return shapely.transform(shape, lambda xy: np.stack(grid.to_pixels(xy[:, 0], xy[:, 1]), axis=1))


def _verdict(
    path: str, feature: Any, values: dict[str, Any], state: str, codes: dict[str, int]
) -> tuple[int, str, int]:
    """Return the code, the state and the new code of a polygon."""
    where = f"{path}: feature {feature['id']}"
    if state not in STATES:
        raise InputError(f"{where}: {STATUS} is '{state}'; write one of {', '.join(STATES)}")
    name = values.get("transition")
    code = codes.get(str(name).casefold(), ANY_CODE) if name else ANY_CODE
    if state == ACCEPTED:
        return code, state, code
    if state == REJECTED:
        return code, state, UNCHANGED
    wanted = str(values.get(CORRECTED_TO) or "").strip()
    if wanted.casefold() not in codes:
        raise InputError(f"{where}: {CORRECTED_TO} is '{wanted}'; write one of {', '.join(codes)}")
    return code, state, codes[wanted.casefold()]
