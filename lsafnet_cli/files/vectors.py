"""Reading vector files with fiona; every failure becomes a one-line error."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from fiona._err import CPLE_BaseError
from fiona.errors import FionaError
from rasterio.errors import CRSError, RasterioError
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from lsafnet_cli.errors import InputError, OutputError
from lsafnet_cli.files import gdal_errors  # noqa: F401 - so that nothing is printed of bytes
from lsafnet_cli.files.replacing import why_not_written
from lsafnet_cli.files.sources import local_path, patience, refuse_what_is_no_file, unreadable

# Raised for columns without a name, which nobody asks for. Never reset, since catch_warnings is not thread-safe.
warnings.filterwarnings("ignore", "Empty field name", UserWarning)

# fiona also raises plain RuntimeErrors, an UnboundLocalError for a .prj that GDAL rejects, and shapely TypeErrors
# for invalid geometries
VECTOR_ERRORS = (
    FionaError,
    RasterioError,
    CRSError,
    ShapelyError,
    CPLE_BaseError,
    OSError,
    RuntimeError,
    ArithmeticError,
    LookupError,
    UnboundLocalError,
    AttributeError,
    ValueError,
    TypeError,
)
FARTHEST = 1e12  # of any coordinate; squares of larger ones overflow when polygons are repaired


@contextmanager
def reading_vectors(path: str, kind: str) -> Iterator[None]:
    """Turn failures of reading a vector file into an InputError; `kind` names what it was read as."""
    refuse_what_is_no_file(path)
    try:
        with fiona.Env(**patience()):  # fiona's GDAL is not rasterio's
            _look_first(path)
            yield
    except VECTOR_ERRORS as error:
        raise InputError(unreadable(path, error, kind)) from error


@contextmanager
def writing_vectors(path: Path) -> Iterator[None]:
    """Turn failures of writing a GeoPackage and its style into an OutputError naming the file."""
    try:
        yield
    except (FionaError, CPLE_BaseError, OSError, RuntimeError) as error:
        raise OutputError(f"{path}: cannot be written ({why_not_written(error, path.parent)})") from error


def _look_first(path: str) -> None:
    """Raise pyogrio's error for a local file whose bytes GDAL quotes when it opens it: there fiona would crash."""
    if local_path(path) is None:
        return
    import pyogrio  # here, since it imports pandas where that is installed, and few runs read vector files

    try:
        pyogrio.list_layers(path)
    except UnicodeDecodeError:
        raise
    except (RuntimeError, OSError, ValueError) as error:
        if "decode" in str(error):
            raise


def ids_without_place(path: str, layer: str) -> list[int]:
    """Return the ids of features of a local file whose bounds are not finite, those without a geometry included."""
    if local_path(path) is None:
        return []
    import pyogrio  # as slow to import as above

    numbers, bounds = pyogrio.read_bounds(path, layer=layer)
    return [int(number) for number in numbers[~np.isfinite(bounds).all(axis=0)]]


def shape_of(feature: Any) -> BaseGeometry:
    """Return the geometry of a feature in 2-D without empty parts, which shapely rejects; empty for none.

    Raises ValueError for absurd coordinates.
    """
    geometry = feature.geometry
    found = _without_empty_parts(dict(geometry.__geo_interface__)) if geometry is not None else None
    if found is None:
        return shapely.GeometryCollection()
    nowhere = ValueError(f"feature {feature.id} has coordinates that are invalid in any CRS")
    try:
        with np.errstate(invalid="ignore"):  # NaN, of which numpy would warn
            flat = shapely.force_2d(shape(found))
    except ShapelyError:  # a ring that begins with NaN does not end where it began
        if not _all_finite(found.get("coordinates", ())):
            raise nowhere from None
        raise
    if not (np.abs(shapely.get_coordinates(flat)) < FARTHEST).all():
        raise nowhere
    return flat


def _all_finite(coordinates: Any) -> bool:
    """Return whether all numbers in nested sequences are finite."""
    if isinstance(coordinates, int | float):
        return bool(np.isfinite(coordinates))
    return all(map(_all_finite, coordinates))


def _without_empty_parts(geometry: dict[str, Any]) -> dict[str, Any] | None:
    if geometry["type"] == "GeometryCollection":
        parts = [_without_empty_parts(dict(part)) for part in geometry["geometries"]]
        return {**geometry, "geometries": [part for part in parts if part is not None]}
    coordinates = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        coordinates = _rings(coordinates)
    elif geometry["type"] == "MultiPolygon":
        coordinates = [rings for polygon in coordinates if (rings := _rings(polygon))]
    return {**geometry, "coordinates": coordinates} if coordinates else None


def _rings(polygon: Any) -> list[Any]:
    """Return the rings of a polygon that have points; none if its outer ring is empty."""
    return [ring for ring in polygon if ring] if polygon and polygon[0] else []
