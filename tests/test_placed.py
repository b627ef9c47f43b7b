"""Images that are placed in unusual ways come back in place: GCPs, RPCs, odd CRS, the antimeridian."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC
from rasterio.warp import transform
from rasterio.windows import Window

from lsafnet_cli.errors import NoOverlapError, OptionError, PairError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.options import GridOptions, ReadOptions
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.images import ImageReader, decimated
from lsafnet_cli.scenes.read import read_pair

from .conftest import PLACE, UTM, write_raster
from .test_align import coordinates, erode

GEOSTATIONARY = CRS.from_proj4("+proj=geos +h=35785831 +lon_0=0 +sweep=y +ellps=WGS84")


def read_whole(image):
    numbers = np.empty((len(image.scene.bands), *image.grid.shape), image.scene.dtype)
    valid = np.ones(image.grid.shape, bool)
    with ImageReader(image) as reader:
        reader.read(Window(0, 0, image.grid.width, image.grid.height), numbers, valid)
    return numbers, valid


def write_placed(path, pixels, gcps=None, rpcs=None):
    """Write a file that has GCPs or RPCs and nothing else to place it."""
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": pixels.dtype}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels)
        if gcps:
            dataset.gcps = (gcps, CRS.from_string(UTM))
        if rpcs:
            dataset.rpcs = rpcs
    return path


def gcps_of(grid):
    corners = [
        (row, col) for row in (0, grid.height / 2, grid.height) for col in (0, grid.width / 2, grid.width)
    ]
    places = [(row, col, *grid.to_ground(col, row)) for row, col in corners]
    return [GroundControlPoint(row=row, col=col, x=float(x), y=float(y)) for row, col, x, y in places]


@pytest.mark.parametrize("placed", ["before", "after"])
@pytest.mark.parametrize("turned", [0, 23])
def test_an_image_with_nothing_but_gcps_comes_back_in_place(tmp_path, placed, turned):
    here = Grid(CRS.from_string(UTM), PLACE, 120, 90)
    there = Grid(
        CRS.from_string(UTM), PLACE @ Affine.translation(7.25, -3.5) @ Affine.rotation(turned), 120, 90
    )
    paths = {
        "plain": write_raster(tmp_path / "plain.tif", coordinates(here)),
        "gcps": write_placed(tmp_path / "gcps.tif", coordinates(there), gcps_of(there)),
    }
    order = ("gcps", "plain") if placed == "before" else ("plain", "gcps")
    pair = align_pair(read_pair(*(paths[name] for name in order), ReadOptions()))
    assert pair.grid.crs == CRS.from_string(UTM)
    (before, valid_before), (after, valid_after) = (read_whole(image) for image in (pair.before, pair.after))
    inner = erode(valid_before & valid_after)
    assert inner.mean() > 0.3
    np.testing.assert_allclose(before[:, inner], after[:, inner], atol=0.05 * 0.5)
    np.testing.assert_allclose(after[:, inner], coordinates(pair.grid)[:, inner], atol=0.05 * 0.5)


def linear_rpcs(grid):
    """Return RPCs that place a north-up grid in degrees."""
    half = grid.width / 2, grid.height / 2
    lon, lat = (float(v) for v in grid.to_ground(*half))
    line, sample = [0.0] * 20, [0.0] * 20
    sample[1], line[2] = 1.0, -1.0
    return RPC(
        height_off=0, height_scale=100, lat_off=lat, lat_scale=half[1] * abs(grid.transform.e),
        long_off=lon, long_scale=half[0] * grid.transform.a, line_off=half[1] - 0.5, line_scale=half[1],
        samp_off=half[0] - 0.5, samp_scale=half[0], line_num_coeff=line, line_den_coeff=[1.0] + [0.0] * 19,
        samp_num_coeff=sample, samp_den_coeff=[1.0] + [0.0] * 19, err_bias=0, err_rand=0,
    )  # fmt: skip


@pytest.mark.parametrize("placed", ["before", "after"])
def test_an_image_with_nothing_but_rpcs_comes_back_in_place(tmp_path, placed):
    degrees = CRS.from_epsg(4326)
    grid = Grid(degrees, Affine(1e-5, 0, 10, 0, -1e-5, 48), 120, 90)
    rows, cols = np.mgrid[:90, :120] + 0.5
    plain = write_raster(
        tmp_path / "plain.tif", np.stack([cols, rows]), crs=degrees, transform=grid.transform
    )
    rpcs = write_placed(tmp_path / "rpc.tif", np.stack([cols, rows]), rpcs=linear_rpcs(grid))
    order = (rpcs, plain) if placed == "before" else (plain, rpcs)
    pair = align_pair(read_pair(*order, ReadOptions()))
    assert pair.grid.crs == degrees
    (before, valid_before), (after, valid_after) = (read_whole(image) for image in (pair.before, pair.after))
    inner = erode(valid_before & valid_after)
    assert inner.mean() > 0.3
    np.testing.assert_allclose(before[:, inner], after[:, inner], atol=0.05)


def test_a_geostationary_image_comes_back_in_place(tmp_path):
    degrees = Grid(CRS.from_epsg(4326), Affine(0.05, 0, -3, 0, -0.05, 53), 160, 120)
    full_disk = Grid(GEOSTATIONARY, Affine(9000, 0, -5_500_000, 0, -9000, 5_500_000), 1222, 1222)
    pixels = []
    for grid in (degrees, full_disk):
        rows, cols = np.mgrid[: grid.height, : grid.width] + 0.5
        x, y = grid.to_ground(cols, rows)
        if grid is full_disk:
            x, y = Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)
        pixels.append(np.where(np.isfinite(x), [x, y], np.nan))
    before = write_raster(tmp_path / "a.tif", pixels[0], crs=degrees.crs, transform=degrees.transform)
    after = write_raster(tmp_path / "b.tif", pixels[1], crs=full_disk.crs, transform=full_disk.transform)
    pair = align_pair(read_pair(before, after, ReadOptions()))
    assert pair.grid.shape == (120, 160)
    found, valid = read_whole(pair.after)
    assert valid.mean() > 0.95
    expected, _ = read_whole(pair.before)
    pixel_in_degrees = 0.15  # of the full disk, at 50 degrees north
    assert np.abs(found - expected)[:, erode(valid)].max() <= 0.05 * pixel_in_degrees
    backwards = align_pair(read_pair(after, before, ReadOptions()))
    assert backwards.grid.crs == GEOSTATIONARY
    again, seen = read_whole(backwards.after)
    own, known = read_whole(backwards.before)
    both = erode(seen & known)
    assert both.sum() > 1000
    assert np.abs(again - own)[:, both].max() <= 0.05 * 0.15


@pytest.mark.parametrize("before_crs", ["EPSG:32660", "EPSG:32601", "EPSG:4326", "EPSG:3832"])
@pytest.mark.parametrize("after_crs", ["EPSG:32601", "EPSG:4326"])
def test_pairs_that_cross_the_antimeridian_come_back_in_place(tmp_path, before_crs, after_crs):
    """EPSG:4326 images reach beyond 180 degrees, as they do in practice."""
    paths, grids = [], []
    for name, crs in (("a", before_crs), ("b", after_crs)):
        if crs == "EPSG:4326":
            place = Affine(1e-5, 0, 179.9993, 0, -1e-5, 10.0006)
        else:
            x, y = transform("EPSG:4326", crs, [179.9993], [10.0006])
            place = Affine(1, 0, x[0], 0, -1, y[0])
        grid = Grid(CRS.from_string(crs), place, 150, 130)
        grids.append(grid)
        paths.append(write_raster(tmp_path / f"{name}.tif", eastings(grid), crs=crs, transform=place))
    pair = align_pair(read_pair(*paths, ReadOptions()))
    assert pair.grid.crs == grids[0].crs
    assert pair.grid.pixel_count > 0.5 * grids[0].pixel_count
    (before, first), (after, second) = (read_whole(image) for image in (pair.before, pair.after))
    inner = erode(first & second)
    assert inner.mean() > 0.7
    assert np.abs(after - before)[:, inner].max() <= 0.05 * 1.2  # m


def eastings(grid):
    """Return metres east of 180 degrees and north of 10 degrees, roughly, at each pixel's centre."""
    rows, cols = np.mgrid[: grid.height, : grid.width] + 0.5
    x, y = grid.to_ground(cols, rows)
    if grid.crs != CRS.from_epsg(4326):
        x, y = (np.array(a).reshape(x.shape) for a in transform(grid.crs, "EPSG:4326", x.ravel(), y.ravel()))
    return np.stack([(x % 360 - 180) * 109_600, (y - 10) * 110_600])


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:31468", "EPSG:3035", "EPSG:2180"])
def test_axes_that_a_crs_names_north_first_are_never_swapped(tmp_path, crs):
    lon, lat = (19.5, 52.0) if crs == "EPSG:2180" else (11.5, 48.1)
    x, y = transform("EPSG:4326", crs, [lon], [lat])
    step = 1e-5 if crs == "EPSG:4326" else 1.0
    place = Affine(step, 0, x[0], 0, -step, y[0])
    rows, cols = np.mgrid[:60, :80] + 0.5
    pixels = np.stack([cols, rows])
    before = write_raster(tmp_path / "a.tif", pixels, crs=crs, transform=place)
    moved = place @ Affine.translation(20, 10)
    after = write_raster(tmp_path / "b.tif", pixels, crs=crs, transform=moved)
    pair = align_pair(read_pair(before, after, ReadOptions()))
    assert pair.grid.shape == (50, 60)
    found, _ = read_whole(pair.before)
    np.testing.assert_array_equal(found[:, 0, 0], [20.5, 10.5])


def test_a_crs_without_an_epsg_number_works(tmp_path):
    local = CRS.from_proj4(
        "+proj=tmerc +lat_0=48 +lon_0=11.2 +k=1 +x_0=1000 +y_0=2000 +ellps=bessel +units=m"
    )
    x, y = transform(UTM, local, [PLACE.c + 10], [PLACE.f - 10])
    grid = Grid(local, Affine(0.5, 0, x[0], 0, -0.5, y[0]), 100, 80)
    before = write_raster(tmp_path / "a.tif", coordinates(Grid(CRS.from_string(UTM), PLACE, 120, 90)))
    after = write_raster(tmp_path / "b.tif", coordinates(grid), crs=local, transform=grid.transform)
    pair = align_pair(read_pair(before, after, ReadOptions()))
    (first, _), (second, valid) = (read_whole(image) for image in (pair.before, pair.after))
    assert np.abs(first - second)[:, erode(valid)].max() <= 0.05 * 0.5


def test_a_shared_sliver_is_enough(tmp_path):
    paths = [
        write_raster(
            tmp_path / f"{name}.tif", coordinates(Grid(CRS.from_string(UTM), place, 120, 90)), transform=place
        )
        for name, place in (("a", PLACE), ("b", PLACE @ Affine.translation(119, 0)))
    ]
    pair = align_pair(read_pair(*paths, ReadOptions()))
    assert pair.grid.shape == (90, 1)
    (before, _), (after, _) = (read_whole(image) for image in (pair.before, pair.after))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("owner", ["before", "after"])
def test_the_map_has_the_pixels_of_the_image_that_is_named(tmp_path, owner):
    grids = {
        "before": Grid(CRS.from_string(UTM), PLACE, 120, 90),
        "after": Grid(CRS.from_string(UTM), PLACE @ Affine.translation(3.3, 4.7) @ Affine.scale(1.5), 80, 60),
    }
    paths = [
        write_raster(tmp_path / f"{name}.tif", coordinates(grid), transform=grid.transform)
        for name, grid in grids.items()
    ]
    pair = align_pair(read_pair(*paths, ReadOptions()), GridOptions(owner))
    col, row = ~grids[owner].transform @ (pair.grid.transform.c, pair.grid.transform.f)
    assert (col, row) == pytest.approx((round(col), round(row)), abs=1e-6)
    (before, first), (after, second) = (read_whole(image) for image in (pair.before, pair.after))
    inner = erode(first & second)
    assert inner.mean() > 0.5
    assert np.abs(before - after)[:, inner].max() <= 0.05 * 0.5


@pytest.mark.parametrize(("resolution", "side"), [(0.5, 120), (1.0, 60), (2.0, 30), (0.25, 240)])
def test_the_map_has_pixels_of_the_size_that_is_asked_for(tmp_path, resolution, side):
    grid = Grid(CRS.from_string(UTM), PLACE, 120, 120)
    paths = [write_raster(tmp_path / f"{name}.tif", coordinates(grid)) for name in "ab"]
    pair = align_pair(read_pair(*paths, ReadOptions()), GridOptions(resolution_m=resolution))
    assert pair.grid.shape == (side, side)
    assert (pair.grid.transform.a, pair.grid.transform.e) == (resolution, -resolution)
    found, valid = read_whole(pair.before)
    assert valid.mean() > 0.9
    inner = erode(valid)
    assert np.abs(found - coordinates(pair.grid))[:, inner].max() <= 0.05 * max(resolution, 0.5)


def test_a_resolution_is_in_metres_also_in_degrees(tmp_path):
    place = Affine(1e-5, 0, 10, 0, -1e-5, 60)
    paths = [
        write_raster(
            tmp_path / f"{name}.tif", np.ones((1, 200, 200), "uint8"), crs="EPSG:4326", transform=place
        )
        for name in "ab"
    ]
    grid = align_pair(read_pair(*paths, ReadOptions()), GridOptions(resolution_m=2.0)).grid
    assert grid.shape == (pytest.approx(200 * 1.114 / 2, abs=2), pytest.approx(200 * 0.558 / 2, abs=2))


def test_a_resolution_without_a_crs_is_refused(tmp_path):
    paths = [
        write_raster(
            tmp_path / f"{name}.tif", np.ones((1, 20, 20), "uint8"), crs=None, transform=Affine.identity()
        )
        for name in "ab"
    ]
    with pytest.raises(OptionError, match=r"ground size .* is unknown"):
        align_pair(read_pair(*paths, ReadOptions()), GridOptions(resolution_m=2.0))


def test_one_crs_missing_is_refused_and_both_missing_is_compared_by_transform(tmp_path):
    grid = Grid(CRS.from_string(UTM), PLACE @ Affine.translation(7.25, 3), 120, 90)
    without = write_raster(tmp_path / "a.tif", coordinates(Grid(grid.crs, PLACE, 120, 90)), crs=None)
    placed = write_raster(tmp_path / "b.tif", coordinates(grid), transform=grid.transform)
    with pytest.raises(PairError, match=r"a\.tif has no CRS"):
        align_pair(read_pair(without, placed, ReadOptions()))
    also = write_raster(tmp_path / "c.tif", coordinates(grid), crs=None, transform=grid.transform)
    pair = align_pair(read_pair(without, also, ReadOptions()))
    (before, first), (after, second) = (read_whole(image) for image in (pair.before, pair.after))
    assert np.abs(before - after)[:, erode(first & second)].max() <= 0.05 * 0.5


def test_two_bodies_share_no_ground(tmp_path):
    mars = CRS.from_wkt(
        'GEOGCS["Mars 2000",DATUM["D_Mars_2000",SPHEROID["Mars_2000",3396190,169.89]],'
        'PRIMEM["Reference_Meridian",0],UNIT["Degree",0.0174532925199433]]'
    )
    place = Affine(1e-4, 0, 10, 0, -1e-4, 48)
    paths = [
        write_raster(tmp_path / f"{name}.tif", np.ones((1, 50, 50), "uint8"), crs=crs, transform=place)
        for name, crs in (("a", mars), ("b", CRS.from_epsg(4326)))
    ]
    with pytest.raises((PairError, NoOverlapError)):
        align_pair(read_pair(*paths, ReadOptions()))


@pytest.mark.parametrize("kind", ["shifted", "gcps", "same"])
def test_a_decimated_read_shows_the_same_place(tmp_path, kind):
    here = Grid(CRS.from_string(UTM), PLACE, 320, 240)
    there = Grid(
        here.crs,
        PLACE @ Affine.translation(0, 0) if kind == "same" else PLACE @ Affine.translation(9.5, 3.25),
        320,
        240,
    )
    before = write_raster(tmp_path / "a.tif", coordinates(here))
    if kind == "gcps":
        after = write_placed(tmp_path / "b.tif", coordinates(there), gcps_of(there))
    else:
        after = write_raster(tmp_path / "b.tif", coordinates(there), transform=there.transform)
    pair = align_pair(read_pair(before, after, ReadOptions()))
    shape = 60, 80
    numbers, valid = decimated(pair.after, shape)
    scale = Affine.scale(pair.grid.width / 80, pair.grid.height / 60)
    expected = coordinates(Grid(here.crs, pair.grid.transform @ scale, 80, 60))
    assert valid.mean() > 0.8
    assert np.abs(numbers - expected)[:, erode(valid)].max() <= 2.0  # one pixel of the small picture
