"""Names of sources for GDAL, beside what rasterio itself makes of them."""

import pytest
from rasterio._path import _parse_path, _vsi_path

from lsafnet_cli.files.gdal_errors import GdalError
from lsafnet_cli.files.rasters import RASTER_ERRORS
from lsafnet_cli.files.vsi import vsi_name


@pytest.mark.parametrize(
    "name",
    [
        "/data/a b.tif",
        "file:///data/a.tif",
        "zip:///data/a.zip!in/b.tif",
        "zip:///data/a.zip!/b.tif",
        "tar:///data/a.tar!b.tif",
        "gzip:///data/b.tif.gz",
        "https://host/b.tif",
        "https://host/b.tif?token=a&b=c",
        "zip+https://host/a.zip!in/b.tif",
        "s3://bucket/b.tif",
        "zip+s3://bucket/a.zip!b.tif",
        "gs://bucket/b.tif",
        "az://bucket/b.tif",
        "oss://bucket/b.tif",
        "/vsizip/data/a.zip/b.tif",
        "/vsicurl/https://host/b.tif",
        "NETCDF:/data/a.nc:b",
        'HDF5:"/data/a.h5"://b',
    ],
)
def test_names_for_gdal_are_those_that_rasterio_makes(name):
    assert vsi_name(name) == str(_vsi_path(_parse_path(name)))


def test_a_relative_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert vsi_name("b.tif") == str(tmp_path / "b.tif")


@pytest.mark.parametrize("name", [r"C:\data\b.tif", "d:/data/b.tif"])
def test_a_drive_letter_is_no_scheme(name):
    assert vsi_name(name) == name


def test_gdal_s_own_errors_are_caught_by_the_class_that_rasterio_keeps_for_them():
    from rasterio._err import CPLE_OpenFailedError

    assert issubclass(CPLE_OpenFailedError, GdalError)
    assert GdalError in RASTER_ERRORS
