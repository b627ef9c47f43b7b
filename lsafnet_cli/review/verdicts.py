"""Verdicts: what somebody says of a map's polygons."""

from dataclasses import dataclass
from typing import Any

import fiona
import numpy as np
import shapely
from numpy.typing import NDArray

from lsafnet_cli.errors import InputError
from lsafnet_cli.files.vectors import reading_vectors
from lsafnet_cli.geometry.arrays import IntArray
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import UNCHANGED, Legend
from lsafnet_cli.polygons.files import LAYER_NAME
from lsafnet_cli.polygons.review_form import ACCEPTED, CORRECTED_TO, OPEN, REJECTED, STATES, STATUS
from lsafnet_cli.scenes.polygon_files import PolygonPlacing, crs_of_layer, polygons_of

ANY_CODE = -1


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Polygons with a verdict, (n,): outlines in pixels of the map, the code each has, its state, the code it gets.

    A code of ANY_CODE stands for whatever the map has there; the new code of an open polygon is ANY_CODE too.
    """

    outlines: NDArray[Any]
    code: IntArray
    state: list[str]
    new_code: IntArray
    open_count: int


def read_verdicts(path: str, legend: Legend, grid: Grid) -> Verdicts:
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
                    f"{path}: has no field {STATUS}; write polygons to look at with lsafnet review MAP"
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
    if not rows:
        raise InputError(f"{path}: no polygon is {', '.join(STATES[1:])}; say so in the field {STATUS}")
    code, states, new = zip(*rows, strict=True)
    return Verdicts(np.array(outlines), np.array(code), list(states), np.array(new), still_open)


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
