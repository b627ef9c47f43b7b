"""The sieve: small pieces go to the neighbour they touch most, wherever the row bands are cut."""

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings, strategies as st
from scipy import ndimage

from lsafnet_cli.geometry import row_bands
from lsafnet_cli.polygons.sieve import sieve_map

from .change_maps import NODATA, blobs, random_codes, write_map


def sieve(codes, least, folder, by_code=None, in_pixels=False, **profile):
    """Return the codes after a sieve of `least` pixels (the map has no CRS)."""
    source = write_map(folder / "map.tif", codes, crs=None, transform=rasterio.Affine.identity(), **profile)
    sieve_map(source, folder / "sieved.tif", NODATA, least, by_code, in_pixels=in_pixels)
    with rasterio.open(folder / "sieved.tif") as dataset:
        return dataset.read(1)


def sizes(codes, code):
    labels, _ = ndimage.label(codes == code)
    return np.bincount(labels.ravel())[1:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sieve")


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(0, 2**32 - 1), st.integers(1, 30)
)
@settings(max_examples=60, deadline=None)
def test_no_smaller_change_is_left_nodata_stays_and_a_second_sieve_does_nothing(
    folder, rows, cols, count, seed, least
):
    codes = random_codes(rows, cols, count, seed)
    sieved = sieve(codes, least, folder)
    np.testing.assert_array_equal(sieved == NODATA, codes == NODATA)
    for code in range(1, count + 1):
        assert (sizes(sieved, code) >= least).all()
    np.testing.assert_array_equal(sieve(sieved, least, folder), sieved)


def test_a_small_change_alone_vanishes_and_a_small_hole_is_filled(folder):
    codes = np.zeros((20, 20), np.uint8)
    codes[2:12, 2:12] = 2
    codes[5:7, 5:7] = 0
    codes[15, 15:18] = 3
    expected = codes.copy()
    expected[5:7, 5:7] = 2
    expected[15, 15:18] = 0
    np.testing.assert_array_equal(sieve(codes, 5, folder), expected)
    np.testing.assert_array_equal(sieve(codes, 4, folder)[5:7, 5:7], 0)
    np.testing.assert_array_equal(sieve(codes, 3, folder), codes)


def test_a_hole_without_data_is_never_filled(folder):
    codes = np.full((9, 9), 2, np.uint8)
    codes[4, 4] = NODATA
    np.testing.assert_array_equal(sieve(codes, 30, folder), codes)


def test_a_small_piece_goes_to_the_neighbour_with_the_longest_common_border(folder):
    codes = np.zeros((10, 12), np.uint8)
    codes[:, :5], codes[:, 7:] = 2, 3
    codes[:8, 5:7] = 0
    codes[3, 5] = 4  # touches 2 on one side, unchanged ground on three
    assert sieve(codes, 2, folder)[3, 5] == 0
    codes[2:5, 5] = 4  # three pixels: three sides to 2, five to unchanged ground
    assert (sieve(codes, 4, folder)[2:5, 5] == 0).all()
    codes[:8, 6] = 2  # unchanged ground is two small pieces now, and 2 lies on both sides
    assert (sieve(codes, 4, folder)[2:5, 5] == 2).all()


def test_among_equal_borders_the_larger_neighbour_wins(folder):
    codes = np.array([[2, 2, 4, 3, 3, 3, 3]], np.uint8)
    assert sieve(codes, 2, folder)[0, 2] == 3


def test_two_halves_that_a_sieve_joins_are_one_piece(folder):
    codes = np.zeros((9, 9), np.uint8)
    codes[3:6, 1:8] = 2
    codes[3:6, 4] = 4  # touches each half along three sides, unchanged ground along two
    sieved = sieve(codes, 4, folder)
    assert sizes(sieved, 2).tolist() == [21]


def test_a_small_piece_amid_no_data_becomes_unchanged(folder):
    codes = np.full((5, 5), NODATA, np.uint8)
    codes[2, 2] = 3
    assert sieve(codes, 4, folder)[2, 2] == 0


@pytest.mark.parametrize("layout", [{}, {"tiled": True, "blockxsize": 64, "blockysize": 16}])
def test_the_sieve_does_not_depend_on_row_bands_and_blocks(folder, monkeypatch, layout):
    codes = blobs(260, 200, sigma=2)
    whole = sieve(codes, 40, folder)
    assert (whole != codes).any()
    monkeypatch.setattr(row_bands, "PIXELS_AT_ONCE", 1)
    np.testing.assert_array_equal(sieve(codes, 40, folder, **layout), whole)


@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.integers(0, 20), st.booleans())
@settings(max_examples=40, deadline=None)
def test_each_code_keeps_the_size_it_asks_for_and_no_smaller_change_is_left(
    folder, seed, default, least, in_pixels
):
    codes = random_codes(30, 30, 4, seed)
    sieved = sieve(codes, default, folder, {2: least}, in_pixels)
    for code in range(1, 5):
        assert (sizes(sieved, code) >= (least if code == 2 else default)).all()
    if default == 0:  # nothing else is touched where no such piece was near
        far = ndimage.binary_dilation(codes == 2, iterations=3)
        np.testing.assert_array_equal(sieved[~far], codes[~far])


def test_an_area_of_its_own_beside_a_default_in_pixels(folder):
    codes = np.zeros((12, 40), np.uint8)
    for number, col in enumerate((2, 12, 22, 32)):
        codes[2:5, col : col + 3] = 2 + number % 2  # 9 pixels each, of codes 2, 3, 2, 3
    kept = {12, 32}
    tall = sieve(codes, 4, folder, {2: 10.0}, in_pixels=True)
    assert {col for col in (2, 12, 22, 32) if tall[2, col]} == kept
    tall = sieve(codes, 10, folder, {3: 9.0}, in_pixels=True)
    assert {col for col in (2, 12, 22, 32) if tall[2, col]} == kept


def test_areas_by_code_are_square_metres_whatever_the_default_counts_in(tmp_path):
    codes = np.zeros((10, 30), np.uint8)
    codes[2:5, 2:5], codes[2:5, 12:15] = 2, 3  # 9 pixels of 0.25 m2
    source = write_map(
        tmp_path / "map.tif", codes, transform=rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    )
    sieve_map(source, tmp_path / "sieved.tif", NODATA, 10, {2: 2.0}, in_pixels=True)
    with rasterio.open(tmp_path / "sieved.tif") as dataset:
        sieved = dataset.read(1)
    assert sieved[2, 2] == 2  # 2.25 m2 are enough
    assert sieved[2, 12] == 0  # 9 pixels are not
