"""What has no data in either date is nodata in the map, and counts nowhere."""

import fiona
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.options import OutputOptions, ReadOptions
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.read import read_pair

from .conftest import PLACE, noise, write_raster
from .test_placed import read_whole

ROWS, COLS = 90, 110
HOLE = np.s_[20:45, 30:70]


def hole() -> np.ndarray:
    """Return (rows, cols), True inside the hole."""
    inside = np.zeros((ROWS, COLS), bool)
    inside[HOLE] = True
    return inside


def write_with_hole(path, how, transform=PLACE):
    """Write three bands whose hole has no data, in one of many ways; return the path."""
    pixels, place = noise(3, ROWS, COLS), {"transform": transform}
    inside = hole()
    if how == "nodata in all bands":
        pixels[:, inside] = 0
        return write_raster(path, pixels, nodata=0, **place)
    if how == "nodata in float":
        numbers = pixels.astype("float32")
        numbers[:, inside] = -3.4e38
        return write_raster(path, numbers, nodata=-3.4e38, **place)
    if how == "NaN in one band":
        numbers = pixels.astype("float32")
        numbers[1, inside] = np.nan
        return write_raster(path, numbers, **place)
    if how == "NaN as nodata":
        numbers = pixels.astype("float32")
        numbers[:, inside] = np.nan
        return write_raster(path, numbers, nodata=np.nan, **place)
    if how == "infinity":
        numbers = pixels.astype("float32")
        numbers[2, inside] = np.inf
        return write_raster(path, numbers, **place)
    if how in ("alpha", "16-bit alpha", "alpha in float", "alpha and nodata"):
        return write_alpha(path, pixels, how, place)
    if how == "internal mask":
        return write_raster(path, pixels, mask=np.where(inside, 0, 255).astype("uint8"), **place)
    if how == ".msk file":
        write_raster(path, pixels, **place)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
            dataset.write_mask(~inside)
        assert path.with_name(f"{path.name}.msk").exists()
        return path
    raise ValueError(how)


def write_alpha(path, pixels, how, place):
    dtype = {"16-bit alpha": "uint16", "alpha in float": "float32"}.get(how, "uint8")
    inside, opaque = hole(), np.iinfo(dtype).max if dtype != "float32" else 1
    if how == "alpha and nodata":
        pixels[:, : ROWS // 2][:, inside[: ROWS // 2]] = 0
        inside = inside.copy()
        inside[: ROWS // 2 - 10] = False
        place = {**place, "nodata": 0}
    alpha = np.where(inside, 0, opaque)
    path = write_raster(path, np.concatenate([pixels, alpha[None]]).astype(dtype), **place)
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    return path


WAYS = (
    "nodata in all bands", "nodata in float", "NaN in one band", "NaN as nodata", "infinity", "alpha", "16-bit alpha",
    "alpha in float", "alpha and nodata", "internal mask", ".msk file",
)  # fmt: skip


@pytest.mark.parametrize("how", WAYS)
def test_a_hole_is_invalid_however_the_file_says_so(tmp_path, how):
    before = write_raster(tmp_path / "before.tif", noise(1, ROWS, COLS))
    after = write_with_hole(tmp_path / "after.tif", how)
    pair = align_pair(read_pair(before, after, ReadOptions(), 3))
    assert pair.after.offset == (0, 0)
    np.testing.assert_array_equal(read_whole(pair.after)[1], ~hole())


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("shift", [0.5, 0.1])
def test_a_warped_pixel_that_touches_a_hole_is_invalid(tmp_path, how, shift):
    before = write_raster(tmp_path / "before.tif", noise(1, ROWS, COLS))
    after = write_with_hole(tmp_path / "after.tif", how, PLACE @ Affine.translation(shift, shift))
    pair = align_pair(read_pair(before, after, ReadOptions(), 3))
    assert pair.after.offset is None
    valid = read_whole(pair.after)[1]
    expected = np.ones((ROWS, COLS), bool)
    expected[HOLE[0].start : HOLE[0].stop + 1, HOLE[1].start : HOLE[1].stop + 1] = False
    col, row = (round(v) for v in ~PLACE @ (pair.grid.transform.c, pair.grid.transform.f))
    np.testing.assert_array_equal(valid, expected[row:, col:][: valid.shape[0], : valid.shape[1]])


def test_a_partly_transparent_pixel_has_data(tmp_path):
    pixels = noise(3, ROWS, COLS)
    alpha = np.full((1, ROWS, COLS), 1, "uint8")
    alpha[0][hole()] = 0
    path = write_raster(tmp_path / "after.tif", np.concatenate([pixels, alpha]))
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    before = write_raster(tmp_path / "before.tif", noise(1, ROWS, COLS))
    pair = align_pair(read_pair(before, path, ReadOptions(), 3))
    np.testing.assert_array_equal(read_whole(pair.after)[1], ~hole())
    moved = write_raster(
        tmp_path / "moved.tif", noise(1, ROWS, COLS), transform=PLACE @ Affine.translation(-0.5, 0)
    )
    warped = align_pair(read_pair(moved, path, ReadOptions(), 3))
    assert read_whole(warped.after)[1].mean() > 0.8


def test_nodata_in_some_bands_only_is_data(tmp_path):
    pixels = noise(3, ROWS, COLS)
    pixels[:2, hole()] = 0
    path = write_raster(tmp_path / "after.tif", pixels, nodata=0)
    before = write_raster(tmp_path / "before.tif", noise(1, ROWS, COLS))
    assert read_whole(align_pair(read_pair(before, path, ReadOptions(), 3)).after)[1].all()


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint8", -9999), ("uint8", 256), ("int16", 70000), ("uint8", 0.5)]
)
def test_a_nodata_number_that_the_dtype_cannot_hold_makes_nothing_invalid(tmp_path, dtype, nodata):
    """GeoTIFF writers refuse such a number; other tools write it, and virtual rasters can hold it."""
    path = write_raster(tmp_path / "plain.tif", noise(3, ROWS, COLS).astype(dtype))
    bands = "".join(
        f'<VRTRasterBand dataType="{"Byte" if dtype == "uint8" else "Int16"}" band="{n}"><NoDataValue>{nodata}'
        f"</NoDataValue><SimpleSource><SourceFilename>{path}</SourceFilename><SourceBand>{n}</SourceBand>"
        "</SimpleSource></VRTRasterBand>"
        for n in (1, 2, 3)
    )
    with rasterio.open(path) as dataset:
        place = ", ".join(map(str, dataset.transform.to_gdal()))
        srs = dataset.crs.to_string()
    odd = tmp_path / "odd.vrt"
    odd.write_text(
        f'<VRTDataset rasterXSize="{COLS}" rasterYSize="{ROWS}"><SRS>{srs}</SRS>'
        f"<GeoTransform>{place}</GeoTransform>{bands}</VRTDataset>"
    )
    pair = align_pair(read_pair(path, odd, ReadOptions(), 3))
    assert read_whole(pair.after)[1].all()


def test_nothing_invalid_is_counted_in_areas_or_polygons(tiny_checkpoint, tmp_path):
    before = write_with_hole(tmp_path / "before.tif", "internal mask")
    after = write_with_hole(tmp_path / "after.tif", "alpha", PLACE @ Affine.translation(-20, 10))
    polygons = tmp_path / "changes.gpkg"
    options = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions((polygons,)))
    report = predict_change(before, after, tmp_path / "changes.tif", options)
    with rasterio.open(tmp_path / "changes.tif") as dataset:
        codes = dataset.read(1)
    invalid = hole()[10:, :90] | hole()[:80, 20:]
    assert codes.shape == invalid.shape
    np.testing.assert_array_equal(codes == 255, invalid)
    assert report.table.nodata_pixels == invalid.sum()
    assert report.table.valid_pixels == (~invalid).sum()
    assert report.table.valid_ha == pytest.approx((~invalid).sum() * 0.25 / 1e4, rel=2e-3)
    with fiona.open(polygons) as found:
        pixels = sum(feature["properties"]["pixels"] for feature in found)
    assert pixels == report.table.changed_pixels == ((codes > 0) & (codes != 255)).sum() > 0


def test_an_image_without_any_data_makes_a_map_without_any_data(tiny_checkpoint, tmp_path):
    before = write_raster(tmp_path / "before.tif", np.zeros((3, ROWS, COLS), "uint8"), nodata=0)
    after = write_raster(tmp_path / "after.tif", noise(1, ROWS, COLS))
    polygons = tmp_path / "changes.gpkg"
    options = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions((polygons,), ("quicklook",)))
    report = predict_change(before, after, tmp_path / "changes.tif", options)
    with rasterio.open(tmp_path / "changes.tif") as dataset:
        assert (dataset.read(1) == 255).all()
    assert (report.table.valid_pixels, report.polygon_count) == (0, 0)
    assert any("no pixel has data in both images" in text for text in report.notices)
