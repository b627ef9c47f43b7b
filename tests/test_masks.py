"""What is excluded is no data: by polygons, by rasters, by the clouds of either date; and its share is told."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import OutputOptions, ReadOptions, TileOptions
from lsafnet_cli.scenes.masks import cloud_mask

from .conftest import PLACE, noise, write_raster
from .maps import ground, write_zones

ROWS, COLS = 150, 203
SHADOW, CLOUD, VEGETATION, SNOW = 3, 9, 4, 11


def predicted(pair, tiny_checkpoint, folder, **read):
    observer = Observer()
    options = PredictOptions(
        tiny_checkpoint,
        read=ReadOptions(**read),
        tile=TileOptions(row_band_px=50),
        output=OutputOptions(overwrite=True),
    )
    predict_change(*pair, folder / "changes.tif", options, observer)
    with rasterio.open(folder / "changes.tif") as dataset:
        return dataset.read(1) == 255, observer.notices


def codes(folder, name, value, where, other=0, **profile):
    pixels = np.full((1, ROWS, COLS), other, np.uint8 if value < 256 else np.uint16)
    pixels[0][where] = value
    return write_raster(folder / name, pixels, **profile)


def test_what_polygons_hold_is_no_data_and_its_share_is_told(pair, tiny_checkpoint, tmp_path):
    lake = write_zones(tmp_path / "lake.gpkg", [ground((20, 60), (30, 90))], "EPSG:4326")
    missing, notices = predicted(pair, tiny_checkpoint, tmp_path, exclude=lake)
    expected = np.zeros((ROWS, COLS), bool)
    expected[20:60, 30:90] = True
    assert (missing != expected).mean() < 0.002  # a pixel at the rim, for the lake went through degrees
    assert any("excluded areas are masked" in text and "lake.gpkg" in text for text in notices)


def test_an_area_of_interest_and_an_exclusion_work_together(pair, tiny_checkpoint, tmp_path):
    field = write_zones(tmp_path / "field.gpkg", [ground((50, 150), (20, 120))])
    lake = write_zones(tmp_path / "lake.gpkg", [ground((40, 70), (10, 50))])
    missing, _ = predicted(pair, tiny_checkpoint, tmp_path, aoi=field, exclude=lake)
    expected = np.zeros((100, 100), bool)
    expected[:20, :30] = True
    np.testing.assert_array_equal(missing, expected)


@pytest.mark.parametrize(("values", "count"), [(None, 2), ((7,), 1), ((8,), 1), ((9,), 0)])
def test_numbers_of_a_raster_exclude_on_any_grid(pair, tiny_checkpoint, tmp_path, values, count):
    coarse = np.zeros((1, 15, 21), np.uint8)
    coarse[0, 3, 4], coarse[0, 8, 9] = 7, 8
    mask = write_raster(tmp_path / "mask.tif", coarse, transform=PLACE @ Affine.scale(10))
    missing, _ = predicted(pair, tiny_checkpoint, tmp_path, exclude=str(mask), exclude_values=values)
    assert missing.sum() == 100 * count
    if values != (8,) and count:
        assert missing[30:40, 40:50].all()


def test_clouds_of_either_date_are_no_data_by_scl_beside_each_image(tiny_checkpoint, tmp_path):
    pair = []
    for number, (day, value, where) in enumerate(
        (("20190615", CLOUD, np.s_[:20, :30]), ("20230902", SHADOW, np.s_[100:, 100:])), start=1
    ):
        pair.append(write_raster(tmp_path / f"T32TPT_{day}T100031_TCI.tif", noise(number, ROWS, COLS)))
        codes(tmp_path, f"T32TPT_{day}T100031_SCL_20m.tif", value, where, VEGETATION)
    missing, notices = predicted(pair, tiny_checkpoint, tmp_path, cloud_masks=("scl",))
    expected = np.zeros((ROWS, COLS), bool)
    expected[:20, :30] = expected[100:, 100:] = True
    np.testing.assert_array_equal(missing, expected)
    told = [text for text in notices if "masked" in text]
    assert [text.split(" are ")[0] for text in told] == ["before: clouds", "after: cloud shadows"]
    assert "2.0% of the area" in told[0]


def test_bits_of_qa_pixel_tell_clouds_from_clear_ground(pair, tiny_checkpoint, tmp_path):
    clear, cloud = 21824, 22280  # as Landsat Collection 2 has them: clear; cloud of high confidence
    mask = codes(tmp_path, "LC08_QA_PIXEL.TIF", cloud, np.s_[10:20, 10:20], clear)
    missing, notices = predicted(pair, tiny_checkpoint, tmp_path, cloud_masks=(str(mask),))
    assert missing[10:20, 10:20].all()
    assert missing.sum() == 100
    assert any(text.startswith("before: clouds are masked") for text in notices)


def test_each_date_may_have_a_mask_of_its_own(pair, tiny_checkpoint, tmp_path):
    masks = [codes(tmp_path, f"m{n}.tif", 1, np.s_[n * 10 : n * 10 + 5, :10]) for n in (1, 2)]
    missing, _ = predicted(pair, tiny_checkpoint, tmp_path, cloud_masks=tuple(map(str, masks)))
    assert missing.sum() == 100
    assert missing[10:15, :10].all()
    assert missing[20:25, :10].all()


def test_a_band_called_scl_serves_and_a_missing_mask_is_said(tmp_path):
    image = write_raster(tmp_path / "image.tif", noise(1, 20, 20, bands=4))
    with pytest.raises(OptionError, match="no band and no file beside it has this name"):
        cloud_mask("scl", str(image))
    with rasterio.open(image, "r+") as dataset:
        dataset.set_band_description(4, "SCL")
    assert cloud_mask("scl", str(image)).band == 4


def test_masks_that_cannot_serve_are_refused(pair, tiny_checkpoint, tmp_path):
    bare = write_raster(tmp_path / "bare.tif", np.zeros((1, 5, 5), np.uint8), crs=None, transform=None)
    with pytest.raises(InputError, match="georeference it, or give it that size"):
        predicted(pair, tiny_checkpoint, tmp_path, exclude=str(bare))
    for read, words in (
        ({"cloud_masks": ("a", "b", "c")}, "one for each"),
        ({"exclude_values": (1,)}, "give `exclude` too"),
    ):
        with pytest.raises(OptionError, match=words):
            ReadOptions(**read)
    far = write_zones(tmp_path / "far.gpkg", [ground((9000, 9100), (9000, 9100))])
    missing, notices = predicted(pair, tiny_checkpoint, tmp_path, exclude=far)
    assert not missing.any()
    assert any("does not overlap" in text for text in notices)
