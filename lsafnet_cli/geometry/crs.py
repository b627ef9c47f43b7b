"""Coordinate reference systems by PROJ: the horizontal part of a CRS, its unit, and transformations."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from pyproj import CRS, Transformer
from pyproj.enums import TransformDirection
from pyproj.exceptions import CRSError, ProjError

from lsafnet_cli.geometry.arrays import FloatArray

WGS84 = "EPSG:4326"
WKT = "WKT2_2019"  # holds every CRS that PROJ knows; the older forms do not


class NoWayError(ValueError):
    """No transformation exists between two coordinate reference systems."""


def wkt_of(crs: Any) -> str:
    """Return the WKT of a rasterio CRS in the version that loses nothing."""
    return str(crs.to_wkt(version=WKT))


def name_of(crs: Any) -> str:
    """Return a rasterio CRS as text for users: its code, else its name."""
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(horizontal(crs).name)


def horizontal(crs: Any) -> CRS:
    """Return the horizontal CRS: of a compound CRS its first part, without heights."""
    return _horizontal(crs if isinstance(crs, str) else wkt_of(crs))


@lru_cache(maxsize=64)
def _horizontal(text: str) -> CRS:
    found = CRS.from_user_input(text)
    while found.is_compound or found.is_bound:
        found = found.sub_crs_list[0] if found.is_compound else found.source_crs or found
    return found.to_2d()


def geographic_base(crs: CRS) -> CRS | None:
    """Return the geographic CRS that a CRS is based on, which may be itself; None if it has none.

    None also for a projection that PROJ does not know.
    """
    base = crs
    while base.source_crs is not None:
        base = base.source_crs
    if not base.is_geographic or base.ellipsoid is None:
        return None
    try:
        Way.between(crs, base.to_2d())
    except NoWayError:
        return None
    return base.to_2d()


def full_turn(crs: CRS) -> float | None:
    """Return the full circle in the unit of a geographic CRS (360 degrees, 400 grads); None for any other CRS."""
    if not crs.is_geographic:
        return None
    return float(2 * np.pi / crs.axis_info[0].unit_conversion_factor)


@dataclass(frozen=True, slots=True)
class Way:
    """Transforms points from one horizontal CRS to another; those outside its domain become NaN."""

    transformer: Transformer | None

    @classmethod
    def between(cls, source: CRS, target: CRS) -> Self:
        """Return the transformation. Raises NoWayError if there is none, as from the Moon to the Earth."""
        return cls(_transformer(source, target))

    def __call__(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        return self._moved(x, y, TransformDirection.FORWARD)

    def back(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return points of the target in the source CRS."""
        return self._moved(x, y, TransformDirection.INVERSE)

    def of_points(self, points: FloatArray) -> FloatArray:
        """Return (n, 2) points, x and y of each, in the target CRS; for `shapely.transform`.

        Raises NoWayError if one of them lies outside of its domain, for no polygon can have a point that is NaN.
        """
        moved = np.stack(self(*points.T), axis=1)
        if np.isnan(moved).any():
            raise NoWayError("some points lie outside of the projection's domain")
        return moved

    def _moved(
        self, x: ArrayLike, y: ArrayLike, direction: TransformDirection
    ) -> tuple[FloatArray, FloatArray]:
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if self.transformer is not None:
            try:
                moved = self.transformer.transform(x, y, direction=direction)
            except ProjError as error:
                raise NoWayError(f"points cannot be transformed to another CRS ({error})") from error
            x, y = (np.asarray(axis, np.float64) for axis in moved)
        seen = np.isfinite(x) & np.isfinite(y)
        return np.where(seen, x, np.nan), np.where(seen, y, np.nan)


@lru_cache(maxsize=64)
def _transformer(source: CRS, target: CRS) -> Transformer | None:
    if source.equals(target, ignore_axis_order=True):
        return None
    try:
        return Transformer.from_crs(source, target, always_xy=True)
    except (ProjError, CRSError) as error:
        raise NoWayError(f"{source.name} cannot be transformed to {target.name}") from error


def way_to_wgs84(crs: Any) -> Way | None:
    """Return the transformation from a rasterio CRS to WGS 84 longitude and latitude; None if there is none.

    Local CRSs and those of other bodies than the Earth have none.
    """
    try:
        return Way.between(horizontal(crs), horizontal(WGS84))
    except NoWayError:
        return None
