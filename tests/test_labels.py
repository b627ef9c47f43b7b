"""Label files of every kind give classes on the grid that is asked for, or say what is no class."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from lsafnet.checkpoint.info import ClassEntry
from lsafnet_cli.data_sets.description import UNKNOWN
from lsafnet_cli.data_sets.labels import LabelRaster
from lsafnet_cli.data_sets.pair_labels import BinaryLabels, DateLabels, TransitionLabels, looks_binary
from lsafnet_cli.errors import InputError
from lsafnet_cli.geometry.grid import Grid

from .conftest import PLACE, UTM, write_raster

CLASSES = (
    ClassEntry("unchanged", "#ffffff"),
    ClassEntry("water", "#0000ff"),
    ClassEntry("ground", "#808080"),
)
SHADES = np.array([(255, 255, 255), (0, 0, 255), (128, 128, 128)], np.uint8)
GRID = Grid(CRS.from_string(UTM), PLACE, 40, 30)


def drawn(seed=0, shape=(30, 40)):
    return np.random.default_rng(seed).integers(0, len(CLASSES), shape).astype(np.uint8)


def labels(path):
    return LabelRaster(str(path), CLASSES)


@pytest.mark.parametrize(
    "kind", ["numbers", "colours", "colours with alpha", "palette", "palette out of order"]
)
def test_classes_are_read_from_numbers_colours_and_palettes(tmp_path, kind):
    classes = drawn()
    path = tmp_path / "label.tif"
    if kind == "numbers":
        write_raster(path, classes[None])
    elif kind.startswith("colours"):
        pixels = SHADES[classes].transpose(2, 0, 1)
        alpha = np.full((1, 30, 40), 255, np.uint8)
        write_raster(path, np.concatenate([pixels, alpha]) if "alpha" in kind else pixels)
    else:
        order = np.arange(3) if kind == "palette" else np.array([2, 0, 1])
        write_raster(path, np.argsort(order)[classes][None].astype(np.uint8))
        with rasterio.open(path, "r+") as dataset:
            dataset.write_colormap(1, {n: tuple(SHADES[order[n]].tolist()) for n in range(3)})
    np.testing.assert_array_equal(labels(path).read(GRID), classes)
    window = Window(7, 3, 11, 5)
    np.testing.assert_array_equal(labels(path).read(GRID, window), classes[3:8, 7:18])


def test_a_palette_for_the_eye_alone_leaves_numbers_as_they_are(tmp_path):
    classes = drawn()
    path = write_raster(tmp_path / "label.tif", classes[None])
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {n: (n * 40, 7, 7) for n in range(3)})
    np.testing.assert_array_equal(labels(path).read(GRID), classes)


def test_labels_on_a_larger_grid_are_cut_and_beyond_their_edge_unknown(tmp_path):
    classes = drawn(shape=(50, 60))
    placed = PLACE @ Affine.translation(-5, -8)
    path = write_raster(tmp_path / "label.tif", classes[None], transform=placed)
    np.testing.assert_array_equal(labels(path).read(GRID), classes[8:38, 5:45])
    beyond = Grid(GRID.crs, PLACE @ Affine.translation(45, 0), 20, 30)
    found = labels(path).read(beyond)
    np.testing.assert_array_equal(found[:, :10], classes[8:38, 50:])
    assert (found[:, 10:] == UNKNOWN).all()


def test_labels_of_another_resolution_go_to_the_nearest_pixel(tmp_path):
    classes = drawn(shape=(15, 20))
    path = write_raster(tmp_path / "label.tif", classes[None], transform=PLACE @ Affine.scale(2))
    np.testing.assert_array_equal(labels(path).read(GRID), classes.repeat(2, 0).repeat(2, 1))


def test_nodata_and_255_are_unknown(tmp_path):
    classes = drawn()
    classes[0] = 9
    classes[1] = 255
    path = write_raster(tmp_path / "label.tif", classes[None], nodata=9)
    found = labels(path).read(GRID)
    assert (found[:2] == UNKNOWN).all()
    np.testing.assert_array_equal(found[2:], classes[2:])


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.full((1, 30, 40), 7, np.uint8), "the value 7 is none of the classes 0..2 (1,200 pixels)"),
        (np.full((3, 30, 40), 9, np.uint8), "the colour #090909 is no class (1,200 pixels)"),
        (np.full((1, 30, 40), 0.5, np.float32), "the value 0.5 is none of the classes 0..2"),
    ],
)
def test_what_is_no_class_is_named_with_its_count(tmp_path, pixels, words):
    path = write_raster(tmp_path / "label.tif", pixels)
    with pytest.raises(InputError) as caught:
        labels(path).read(GRID)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_labels_without_georeference_must_have_the_images_size(tmp_path):
    path = write_raster(tmp_path / "label.tif", drawn()[None], crs=None, transform=Affine.identity())
    assert labels(path).read(GRID).shape == (30, 40)
    with pytest.raises(InputError, match="is 40x30 pixels and not georeferenced, its image 39x30"):
        labels(path).read(Grid(GRID.crs, PLACE, 39, 30))


def codes_file(tmp_path, codes, **more):
    return TransitionLabels(str(write_raster(tmp_path / "codes.tif", codes[None], **more)), len(CLASSES))


def test_transition_codes_give_both_dates_classes_where_something_changed(tmp_path):
    codes = np.random.default_rng(0).integers(0, 5, (30, 40)).astype(np.uint8)
    codes[0] = 255
    found = codes_file(tmp_path, codes).read(GRID)
    np.testing.assert_array_equal(found.valid, codes != 255)
    np.testing.assert_array_equal(found.changed, (codes > 0) & found.valid)
    np.testing.assert_array_equal(found.before[found.changed], 1 + (codes[found.changed] - 1) // 2)
    np.testing.assert_array_equal(found.after[found.changed], 1 + (codes[found.changed] - 1) % 2)
    assert not found.before[~found.changed].any()


def test_a_number_that_is_no_code_is_named(tmp_path):
    with pytest.raises(InputError, match=r"the value 5 is no code 0\.\.4 \(1,200 such pixels\)"):
        codes_file(tmp_path, np.full((30, 40), 5, np.uint8)).read(GRID)


def test_change_alone_may_be_written_as_0_and_255(tmp_path):
    codes = drawn() % 2 * 255
    path = str(write_raster(tmp_path / "codes.tif", codes[None].astype(np.uint8)))
    found = TransitionLabels(path, 2).read(GRID)
    assert found.valid.all()
    np.testing.assert_array_equal(found.changed, codes > 0)
    np.testing.assert_array_equal(found.before, codes > 0)


def two_dates(tmp_path, before, after, changes_only):
    files = [write_raster(tmp_path / f"{n}.tif", x[None]) for n, x in enumerate((before, after))]
    return DateLabels(labels(files[0]), labels(files[1]), changes_only)


def test_land_cover_changed_where_the_dates_differ(tmp_path):
    before, after = drawn(1), drawn(2)
    found = two_dates(tmp_path, before, after, changes_only=False).read(GRID)
    np.testing.assert_array_equal(found.valid, (before > 0) & (after > 0))
    np.testing.assert_array_equal(found.changed, found.valid & (before != after))


def test_where_labels_hold_changes_alone_a_class_in_one_date_only_is_not_valid(tmp_path):
    before, after = drawn(1), drawn(2)
    found = two_dates(tmp_path, before, after, changes_only=True).read(GRID)
    np.testing.assert_array_equal(found.valid, (before > 0) == (after > 0))
    np.testing.assert_array_equal(found.changed, (before > 0) & (after > 0))
    np.testing.assert_array_equal(found.before, before * found.changed)


@pytest.mark.parametrize("off", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["numbers", "black colours", "a palette"])
def test_in_labels_of_changes_0_is_unchanged_whatever_the_file_declares(tmp_path, kind, off):
    black = (ClassEntry("unchanged", "#000000"), *CLASSES[1:])
    classes = np.kron(drawn(4, (5, 5)), np.ones((6, 8), np.uint8))
    shades = np.array([(0, 0, 0), *SHADES[1:].tolist()], np.uint8)
    pixels = shades[classes].transpose(2, 0, 1) if kind == "black colours" else classes[None]
    place = PLACE @ Affine.translation(-1 + off, -1 + off) @ Affine.scale(1.1)
    paths = []
    for nodata in (None, 0):
        paths.append(write_raster(tmp_path / f"{nodata}.tif", pixels, nodata=nodata, transform=place))
        if kind == "a palette":
            with rasterio.open(paths[-1], "r+") as dataset:
                dataset.write_colormap(1, {n: tuple(shade) for n, shade in enumerate(shades.tolist())})
    plain, declared = (LabelRaster(str(path), black, zero_is_known=True).read(GRID) for path in paths)
    assert (plain == 0).any()
    np.testing.assert_array_equal(declared, plain)
    assert (LabelRaster(str(paths[1]), black).read(GRID)[plain == 0] == UNKNOWN).all()


@pytest.mark.parametrize("warped", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_codes_and_masks_declared_with_nodata_0_are_those_without(tmp_path, warped, binary):
    codes = np.kron(drawn(5, (5, 5)), np.ones((6, 8), np.uint8))
    codes = np.where(codes > 1, 255, 0).astype(np.uint8) if binary else codes
    place = {"transform": PLACE @ Affine.translation(0.5, 0.5)} if warped else {}
    found = []
    for nodata in (None, 0):
        path = str(write_raster(tmp_path / f"{nodata}.tif", codes[None], nodata=nodata, **place))
        assert looks_binary(path) == binary
        found.append((BinaryLabels(path) if binary else TransitionLabels(path, 3)).read(GRID))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[1].valid[1:, 1:].all()


@pytest.mark.parametrize("kind", ["colours with alpha", "numbers with alpha"])
def test_labels_with_alpha_are_read_on_another_grid_as_on_their_own(tmp_path, kind):
    classes = np.kron(drawn(6, (5, 5)), np.ones((6, 8), np.uint8))
    alpha = np.full((1, 30, 40), 255, np.uint8)
    alpha[:, :, :8] = 0
    pixels = SHADES[classes].transpose(2, 0, 1) if "colours" in kind else classes[None]
    path = write_raster(
        tmp_path / "label.tif", np.concatenate([pixels, alpha]), alpha="YES",
        photometric="RGB" if "colours" in kind else "MINISBLACK",
    )  # fmt: skip
    expected = np.where(alpha[0] > 0, classes, UNKNOWN)
    np.testing.assert_array_equal(labels(path).read(GRID), expected)
    shifted = Grid(
        GRID.crs, PLACE @ Affine.translation(0.25, 0.25), 39, 29
    )  # the nearest pixels are the same
    np.testing.assert_array_equal(labels(path).read(shifted), expected[:29, :39])


ENGINEERING = (
    'ENGCRS["RGF93 / Lambert-93",EDATUM["Unknown"],CS[Cartesian,2],AXIS["(E)",east],AXIS["(N)",north],'
    'LENGTHUNIT["metre",1]]'
)


@pytest.mark.parametrize("crs", [ENGINEERING, None])
def test_a_crs_that_is_none_of_the_earths_is_taken_for_the_images_where_pixels_coincide(tmp_path, crs):
    classes = drawn()
    path = write_raster(tmp_path / "label.tif", classes[None], crs=crs)
    np.testing.assert_array_equal(labels(path).read(GRID), classes)
    np.testing.assert_array_equal(labels(path).read(GRID.cut(Window(3, 2, 20, 10))), classes[2:12, 3:23])
    if crs is not None:
        elsewhere = Grid(GRID.crs, PLACE @ Affine.translation(0.5, 0), 39, 30)
        with pytest.raises(
            InputError, match=r"its CRS \(RGF93 / Lambert-93\) cannot be brought to .*EPSG:32632"
        ):
            labels(path).read(elsewhere)
