"""Numbers of every kind become a checkpoint's values: dtypes, scales, palettes, bands by name, stretches."""

import numpy as np
import PIL.Image
import pytest
import rasterio

from lsafnet.checkpoint.info import BandStatistics, Normalization
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.options import ReadOptions, StretchRule
from lsafnet_cli.prediction.infer import DateScaling
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.read import read_pair, read_scene
from lsafnet_cli.scenes.stretch import sample_scene, scene_stretch

from .conftest import noise, write_raster
from .test_placed import read_whole

BYTES = (0.0, 255.0)
AUTO, NONE = StretchRule(), StretchRule("none")


def values_of(path, rule, value_range=BYTES, bands=None):
    """Return (bands, rows, cols): what the network would see, before it is normalised."""
    import torch

    scene = read_scene(path, bands, None)
    numbers, _ = read_whole(align_pair(read_pair(path, path, ReadOptions(bands))).before)
    count = len(scene.bands)
    plain = BandStatistics((0.0,) * count, (1.0,) * count)
    stretch = scene_stretch(scene, rule, value_range)
    scaling = DateScaling(Normalization(plain, plain), (stretch, None), value_range)
    both = torch.from_numpy(np.stack([numbers, numbers]).astype(np.float64))[:, None]
    return scaling(both)[0, 0].numpy()


def ramp(dtype, low, high):
    return np.linspace(low, high, 40 * 50).reshape(1, 40, 50).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("int8", -100, 100), ("uint16", 200, 9000), ("int16", -3000, 3000), ("uint32", 0, 1 << 31),
        ("int32", -(1 << 30), 5), ("float32", -0.2, 1.3), ("float64", 1e9, 2e9),
    ],
)  # fmt: skip
def test_numbers_of_any_type_fill_the_checkpoint_range(tmp_path, dtype, low, high):
    path = write_raster(tmp_path / "a.tif", ramp(dtype, low, high))
    values = values_of(path, AUTO)
    assert (values.min(), values.max()) == (0, 255)
    assert np.median(values) == pytest.approx(127.5, abs=1)
    inner = values[(values > 0) & (values < 255)]
    assert inner.size == pytest.approx(0.96 * values.size, rel=0.02)


def test_bytes_are_taken_as_they_are_for_a_checkpoint_of_bytes(tmp_path):
    pixels = noise(1, 40, 50)
    np.testing.assert_array_equal(values_of(write_raster(tmp_path / "a.tif", pixels), AUTO), pixels)


@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_sixteen_bits_are_taken_as_they_are_for_a_checkpoint_of_sixteen_bits(tmp_path, dtype):
    pixels = ramp(dtype, 100, 9000)
    path = write_raster(tmp_path / "a.tif", pixels)
    np.testing.assert_array_equal(values_of(path, AUTO, (0, 10000)), pixels)


def test_a_range_is_a_range_and_what_lies_outside_is_cut(tmp_path):
    path = write_raster(tmp_path / "a.tif", ramp("uint16", 0, 4000))
    values = values_of(path, StretchRule.parse("range:1000,3000"))
    assert values.ravel()[0] == 0
    assert values.ravel()[-1] == 255
    assert values.ravel()[1000] == pytest.approx(127.5, abs=0.2)


def write_scaled(path, pixels, scale, offset):
    write_raster(path, pixels)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (scale,) * dataset.count, (offset,) * dataset.count
    return path


def test_a_range_is_meant_in_scaled_values(tmp_path):
    path = write_scaled(tmp_path / "a.tif", ramp("uint16", 0, 10000), 1e-4, -0.1)
    values = values_of(path, StretchRule.parse("range:0,0.3")).ravel()
    reflectance = np.linspace(0, 10000, 2000).astype("uint16") * 1e-4 - 0.1
    np.testing.assert_allclose(values, np.clip(reflectance / 0.3, 0, 1) * 255, atol=0.02)


def test_none_takes_scaled_values_as_they_are(tmp_path):
    path = write_scaled(tmp_path / "a.tif", ramp("uint16", 0, 2500), 0.1, 0.0)
    np.testing.assert_allclose(
        values_of(path, NONE).ravel(), ramp("uint16", 0, 2500).ravel() * 0.1, atol=1e-3
    )


def test_a_falling_scale_turns_the_stretch_round(tmp_path):
    path = write_scaled(tmp_path / "a.tif", ramp("int16", 0, 1000), -1.0, 1000.0)
    for rule in (AUTO, StretchRule.parse("range:0,1000")):
        values = values_of(path, rule).ravel()
        assert values[0] == 255
        assert values[-1] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_constant_image_is_one_value_not_a_division_by_zero(tmp_path, dtype):
    values = values_of(write_raster(tmp_path / "a.tif", np.full((2, 30, 30), 777, dtype)), AUTO)
    assert np.isfinite(values).all()
    assert len(np.unique(values)) == 1


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_an_image_that_is_nearly_constant_is_stretched_between_its_extremes(tmp_path, dtype):
    pixels = np.full((1, 100, 100), 500, dtype)
    pixels[0, 0, :50], pixels[0, 1, :50] = 100, 900
    values = values_of(write_raster(tmp_path / "a.tif", pixels), AUTO)
    assert (values[0, 0, 0], values[0, 1, 0]) == (0, 255)
    assert values[0, 50, 50] == pytest.approx(127.5, abs=0.1)


def test_nodata_and_numbers_that_are_not_finite_are_no_part_of_a_stretch(tmp_path):
    pixels = ramp("float32", 0, 1)
    pixels[0, 0, :10], pixels[0, 0, 10:20], pixels[0, 0, 20:30] = np.nan, np.inf, -9999
    scene = read_scene(write_raster(tmp_path / "a.tif", pixels, nodata=-9999), None, None)
    stretch = scene_stretch(scene, AUTO, BYTES)
    assert stretch.low[0] == pytest.approx(0.03, abs=0.02)
    assert stretch.high[0] == pytest.approx(0.98, abs=0.02)


def test_an_image_without_data_has_a_harmless_stretch(tmp_path):
    scene = read_scene(write_raster(tmp_path / "a.tif", np.zeros((1, 9, 9), "uint16"), nodata=0), None, None)
    assert scene_stretch(scene, AUTO, BYTES).low == (0.0,)


def test_complex_numbers_are_refused(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((1, 9, 9), "complex64"))
    with pytest.raises(InputError, match=r"a\.tif: holds complex64 numbers; convert them to real numbers"):
        read_scene(path, None, None)


def write_palette(path, **profile):
    indices = np.arange(60 * 70).reshape(1, 60, 70) % 5
    colors = {
        0: (10, 20, 30, 255),
        1: (40, 50, 60, 255),
        2: (70, 80, 90, 255),
        3: (1, 2, 3, 255),
        4: (250, 240, 230, 0),
    }
    write_raster(path, indices.astype("uint8"), **profile)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, colors)
    return path, indices[0], np.array([colors[n] for n in range(5)])


@pytest.mark.parametrize("moved", [0, 1])
def test_a_palette_image_is_read_as_red_green_and_blue(tmp_path, moved):
    """A shift of one pixel in another grid's place makes it warped, a shift of none read as it is."""
    from affine import Affine

    from .conftest import PLACE

    path, indices, colors = write_palette(tmp_path / "palette.tif", nodata=3)
    place = PLACE @ Affine.translation(0, 0) if not moved else PLACE @ Affine.translation(0.02, 0)
    before = write_raster(tmp_path / "before.tif", noise(1, 60, 70), transform=place)
    pair = align_pair(read_pair(before, path, ReadOptions(), 3))
    assert (pair.after.offset is None) == bool(moved)
    numbers, valid = read_whole(pair.after)
    expected = colors[indices][:, 1:] if moved and pair.grid.width < 70 else colors[indices]
    expected = np.moveaxis(expected, -1, 0)[:, : valid.shape[0], : valid.shape[1]]
    without = indices == 3
    if not moved:
        np.testing.assert_array_equal(numbers, expected[:3])
        np.testing.assert_array_equal(valid, ~without)
    else:
        assert np.abs(numbers.astype(int) - expected[:3])[:, valid].max() <= 5  # 2 % of a neighbour
        assert not valid[without[: valid.shape[0], : valid.shape[1]]].any()
        assert valid.any()


def test_a_transparent_palette_colour_is_no_data(tmp_path):
    indices = (np.arange(30 * 40).reshape(30, 40) % 3).astype("uint8")
    picture = PIL.Image.frombytes("P", (40, 30), indices.tobytes())
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / "a.png", transparency=bytes([255, 0, 128]))
    pair = align_pair(read_pair(tmp_path / "a.png", tmp_path / "a.png", ReadOptions(), 3))
    numbers, valid = read_whole(pair.before)
    np.testing.assert_array_equal(valid, indices != 1)
    np.testing.assert_array_equal(
        numbers[:, valid], (indices.astype(int) * 30 + [[[10]], [[20]], [[30]]])[:, valid]
    )


def test_the_bands_of_a_palette_image_are_its_colours(tmp_path):
    path, indices, colors = write_palette(tmp_path / "palette.tif")
    pair = align_pair(read_pair(path, path, ReadOptions(("blue", 1, "green")), 3))
    numbers, _ = read_whole(pair.before)
    np.testing.assert_array_equal(numbers, np.moveaxis(colors[indices], -1, 0)[[2, 0, 1]])
    with pytest.raises(InputError, match="has bands 1, 2, 3"):
        read_scene(path, (1, 2, 4), 3)
    with pytest.raises(InputError, match="gives 3 bands, but the checkpoint needs 4"):
        read_scene(path, None, 4)


NAMES = [f"B{n:02d}" for n in range(1, 14)]


def write_named(path):
    pixels = np.broadcast_to(np.arange(13, dtype="uint8")[:, None, None] + 1, (13, 20, 20))
    write_raster(path, pixels)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = NAMES
    return path


@pytest.mark.parametrize(
    ("bands", "found"),
    [
        (("B04", "B03", "B02"), (4, 3, 2)),
        (("b8a".replace("8a", "09"), 1, "B13"), (9, 1, 13)),
        ((13, 12), (13, 12)),
    ],
)
def test_bands_are_chosen_by_number_or_name(tmp_path, bands, found):
    assert read_scene(write_named(tmp_path / "a.tif"), bands, None or len(bands)).bands == found


def test_a_band_that_is_not_there_is_named_with_those_that_are(tmp_path):
    path = write_named(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"no band has the name 'nir'; there are B01, B02"):
        read_scene(path, ("nir",), 1)
    with pytest.raises(InputError, match="has 13 bands; `bands` asks for band 14"):
        read_scene(path, (14,), 1)
    with pytest.raises(OptionError, match="2 bands are given, but the checkpoint needs 3"):
        read_scene(path, (1, 2), 3)
    with pytest.raises(InputError, match=r"no band has the name 'red'; there are no names"):
        read_scene(write_raster(tmp_path / "b.tif", np.ones((2, 9, 9), "uint16")), ("red",), 1)


def test_two_bands_of_one_name_must_be_told_apart_by_number(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((2, 9, 9), "uint8"))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("same", "same")
    with pytest.raises(InputError, match=r"bands \[1, 2\] all have the name 'same'"):
        read_scene(path, ("same",), 1)


def test_a_file_that_says_which_bands_are_red_green_blue_is_read_in_that_order(tmp_path):
    from rasterio.enums import ColorInterp

    path = write_raster(tmp_path / "bgr.tif", noise(1, 20, 20, 4), photometric="MINISBLACK")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.alpha]
    assert read_scene(path, None, 3).bands == (3, 2, 1)
    assert read_scene(path, ("red", "green", "blue"), 3).bands == (3, 2, 1)
    assert read_scene(path, None, None).bands == (3, 2, 1)
    assert read_scene(path, (1, 2, 3), 3).bands == (1, 2, 3)


def test_a_single_band_can_be_repeated(tiny_checkpoint, tmp_path):
    paths = [write_raster(tmp_path / f"{n}.tif", noise(n, 40, 50, 1)) for n in (1, 2)]
    with pytest.raises(InputError, match="has 1 bands, but the checkpoint needs 3; `bands` 1,1,1 repeats"):
        read_pair(*paths, ReadOptions(), 3)
    options = PredictOptions(checkpoint=tiny_checkpoint, read=ReadOptions((1, 1, 1)))
    assert predict_change(*paths, tmp_path / "map.tif", options).table.valid_pixels == 2000


def test_a_large_file_without_overviews_is_sampled_by_windows(tmp_path, monkeypatch):
    pixels = np.stack([np.linspace(0, 1000, 700 * 900).reshape(700, 900)]).astype("uint16")
    path = write_raster(tmp_path / "a.tif", pixels, tiled=True, blockxsize=128, blockysize=128)
    scene = read_scene(path, None, None)
    whole = scene_stretch(scene, AUTO, BYTES)
    monkeypatch.setattr("lsafnet_cli.scenes.stretch.WHOLE_READ_PX", 1000)
    monkeypatch.setattr("lsafnet_cli.scenes.stretch.WINDOW_PX", 64)
    sample = sample_scene(scene)
    assert sample.numbers.size < 0.6 * pixels.size
    found = scene_stretch(scene, AUTO, BYTES)
    assert found.low[0] == pytest.approx(whole.low[0], abs=100)
    assert found.high[0] == pytest.approx(whole.high[0], abs=100)
