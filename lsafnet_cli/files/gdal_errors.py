"""GDAL's own errors, some of which rasterio lets through although their class is private."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    GdalError = Exception
else:
    try:
        from rasterio._err import CPLE_BaseError as GdalError
    except ImportError:  # a rasterio that has moved it; tests/test_vsi_names.py then fails

        class GdalError(Exception):
            """Never raised: with such a rasterio, an error that it lets through is reported as a bug."""
