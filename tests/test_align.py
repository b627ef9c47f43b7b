"""Rasters that hold their own coordinates prove where a pixel came from."""

import numpy as np
import PIL.Image
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform
from rasterio.windows import Window

from lsafnet_cli.errors import NoOverlapError, PairError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.options import ReadOptions
from lsafnet_cli.scenes.align import align_pair, whole_pixel_offset
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.read import read_pair

from .conftest import PLACE, UTM, write_raster


def coordinates(grid: Grid, crs: str = UTM) -> np.ndarray:
    """Return (2, rows, cols): x and y of each pixel's centre in `crs`, relative to PLACE's origin, float64."""
    rows, cols = np.mgrid[: grid.height, : grid.width] + 0.5
    x, y = grid.to_ground(cols, rows)
    if grid.crs != CRS.from_string(crs):
        x, y = (np.array(axis).reshape(x.shape) for axis in transform(grid.crs, crs, x.ravel(), y.ravel()))
    return np.stack([x - PLACE.c, y - PLACE.f])


def read_all(image):
    numbers = np.empty((2, *image.grid.shape), "float64")
    valid = np.empty(image.grid.shape, bool)
    with ImageReader(image) as reader:
        reader.read(Window(0, 0, image.grid.width, image.grid.height), numbers, valid)
    return numbers, valid


def aligned_coordinates(tmp_path, after_grid: Grid):
    before_grid = Grid(CRS.from_string(UTM), PLACE, 120, 90)
    paths = [
        write_raster(tmp_path / name, coordinates(grid), crs=grid.crs, transform=grid.transform)
        for name, grid in (("before.tif", before_grid), ("after.tif", after_grid))
    ]
    pair = align_pair(read_pair(*paths, ReadOptions()))
    before, _ = read_all(pair.before)
    after, valid = read_all(pair.after)
    return pair, before, after, valid


@pytest.mark.parametrize(("rows", "cols"), [(0, 0), (1, 0), (-7, 12), (30, -25)])
def test_an_offset_of_whole_pixels_moves_nothing(tmp_path, rows, cols):
    grid = Grid(CRS.from_string(UTM), PLACE @ Affine.translation(cols, rows), 120, 90)
    pair, before, after, valid = aligned_coordinates(tmp_path, grid)
    assert pair.after.offset is not None
    assert pair.grid.shape == (90 - abs(rows), 120 - abs(cols))
    np.testing.assert_array_equal(before, coordinates(pair.grid))
    np.testing.assert_array_equal(after, before)
    assert valid.all()


@pytest.mark.parametrize(
    "moved",
    [
        Affine.translation(0.5, 0.25),
        Affine.translation(7.25, -3.5),
        Affine.scale(0.7),
        Affine.scale(1.6) @ Affine.translation(-2, 3),
        Affine.rotation(11),
        Affine.translation(0, 90) @ Affine.scale(1, -1),
    ],
    ids=["half pixel", "7.25 px", "finer", "coarser", "rotated", "south-up"],
)
def test_a_warped_image_comes_back_in_place(tmp_path, moved):
    pair, before, after, valid = aligned_coordinates(
        tmp_path, Grid(CRS.from_string(UTM), PLACE @ moved, 120, 90)
    )
    assert pair.after.offset is None
    assert valid.mean() > 0.3
    inner = erode(valid)
    error_px = np.abs(after - before)[:, inner].max() / 0.5
    assert error_px <= 0.05


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3857", "EPSG:3035"])
def test_an_image_in_another_crs_comes_back_in_place(tmp_path, crs):
    x, y = transform(UTM, crs, [PLACE.c + 30], [PLACE.f - 22.5])
    dx, dy = transform(UTM, crs, [PLACE.c + 30.5], [PLACE.f - 22])
    step = max(abs(dx[0] - x[0]), abs(dy[0] - y[0]))
    grid = Grid(CRS.from_string(crs), Affine(step, 0, x[0] - 80 * step, 0, -step, y[0] + 60 * step), 160, 120)
    pair, before, after, valid = aligned_coordinates(tmp_path, grid)
    assert pair.grid.crs == CRS.from_string(UTM)
    inner = erode(valid)
    assert inner.mean() > 0.3
    assert np.abs(after - before)[:, inner].max() / 0.5 <= 0.05


def erode(valid: np.ndarray) -> np.ndarray:
    """Leave out pixels within two of an edge, where a resampling has not all its neighbours."""
    inner = np.zeros_like(valid)
    windows = np.lib.stride_tricks.sliding_window_view(valid, (5, 5)).all(axis=(2, 3))
    inner[2:-2, 2:-2] = windows
    return inner


def test_a_pair_without_shared_ground_is_refused(tmp_path):
    paths = [
        write_raster(tmp_path / f"{name}.tif", np.ones((1, 20, 30), "uint8"), transform=place)
        for name, place in (("a", PLACE), ("b", PLACE @ Affine.translation(30, 0)))
    ]
    with pytest.raises(NoOverlapError, match=r"a\.tif and .*b\.tif do not overlap.*check each file's CRS"):
        align_pair(read_pair(*paths, ReadOptions()))


def test_one_image_without_georeference_is_refused(tmp_path):
    placed = write_raster(tmp_path / "placed.tif", np.ones((1, 20, 30), "uint8"))
    bare = tmp_path / "bare.png"
    PIL.Image.fromarray(np.ones((20, 30), "uint8")).save(bare)
    with pytest.raises(PairError, match="georeference both or neither"):
        read_pair(bare, placed, ReadOptions())


def test_a_hair_of_rounding_is_still_the_same_grid():
    grid = Grid(CRS.from_string(UTM), PLACE, 5000, 5000)
    other = Grid(CRS.from_string(UTM), Affine(0.5, 0, 600000.0004, 0, -0.5, 5335000), 5000, 5000)
    assert whole_pixel_offset(grid, other) == (0, 0)
    drifting = Grid(CRS.from_string(UTM), Affine(0.50001, 0, 600000, 0, -0.5, 5335000), 5000, 5000)
    assert whole_pixel_offset(grid, drifting) is None


def test_pixel_size_is_in_metres_in_any_crs():
    assert pixel_size_m(Grid(CRS.from_string(UTM), PLACE, 10, 10)) == pytest.approx(0.5)
    degrees = Grid(CRS.from_epsg(4326), Affine(1e-4, 0, 10, 0, -1e-4, 60), 10, 10)
    assert pixel_size_m(degrees) == pytest.approx(7.88, abs=0.05)
    feet = Grid(CRS.from_epsg(2263), Affine(1, 0, 980000, 0, -1, 200000), 10, 10)
    assert pixel_size_m(feet) == pytest.approx(0.3048, abs=1e-4)
    assert pixel_size_m(Grid(None, Affine.identity(), 10, 10)) is None
