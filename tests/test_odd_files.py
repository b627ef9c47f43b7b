"""Real odd files, read as GDAL reads them."""

import shutil

import numpy as np
import pytest
import rasterio

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import InputError
from lsafnet_cli.options import ReadOptions, TileOptions
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.read import read_pair

from .conftest import SHARED_DATA
from .test_placed import read_whole

ODD = SHARED_DATA / "odd"
pytestmark = pytest.mark.skipif(not ODD.exists(), reason="no odd files beside this checkout")

NODATA_TILE = "201404_13SED190110_201404_0x1500m_CL_1_nodata.tif"
ALPHA_TILE = "201404_13SED190110_201404_0x1500m_CL_1_alpha.tif"


@pytest.mark.parametrize("name", ["RGB.byte.tif", "RGBA.byte.tif", NODATA_TILE, ALPHA_TILE])
def test_valid_pixels_are_those_of_the_dataset_mask(name):
    pair = align_pair(read_pair(ODD / name, ODD / name, ReadOptions(), 3))
    with rasterio.open(ODD / name) as dataset:
        expected = dataset.dataset_mask() > 0
    np.testing.assert_array_equal(read_whole(pair.before)[1], expected)


def test_a_pair_of_nodata_and_alpha_is_nodata_where_either_is(tiny_checkpoint, tmp_path):
    pair = ODD / "RGB.byte.tif", ODD / "RGBA.byte.tif"
    options = PredictOptions(checkpoint=tiny_checkpoint, tile=TileOptions(256))
    report = predict_change(*pair, tmp_path / "changes.tif", options)
    valid = True
    for path in pair:
        with rasterio.open(path) as dataset:
            valid &= dataset.dataset_mask() > 0
    with rasterio.open(tmp_path / "changes.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1) != 255, valid)
    assert report.table.valid_pixels == valid.sum()


@pytest.mark.parametrize("name", ["rotated.tif", "float_nan.tif"])
def test_a_single_band_without_a_crs_is_read_by_its_transform(tiny_checkpoint, tmp_path, name):
    options = PredictOptions(checkpoint=tiny_checkpoint, read=ReadOptions((1, 1, 1)))
    again = shutil.copy(ODD / name, tmp_path / f"again_{name}")
    predict_change(ODD / name, again, tmp_path / "changes.tif", options)
    with rasterio.open(tmp_path / "changes.tif") as found, rasterio.open(ODD / name) as given:
        assert found.shape == given.shape
        assert found.transform.almost_equals(given.transform)
        np.testing.assert_array_equal(
            found.read(1) != 255, np.isfinite(given.read(1)) & (given.dataset_mask() > 0)
        )


def test_a_file_that_opens_but_cannot_be_read_is_named(tiny_checkpoint, tmp_path):
    options = PredictOptions(checkpoint=tiny_checkpoint, read=ReadOptions((1, 1, 1)))
    again = shutil.copy(ODD / "corrupt.tif", tmp_path / "again.tif")
    with pytest.raises(InputError, match=r"corrupt\.tif: reading failed, the file is damaged"):
        predict_change(ODD / "corrupt.tif", again, tmp_path / "changes.tif", options)
    assert not (tmp_path / "changes.tif").exists()
