import numpy as np
import pytest
from affine import Affine
from pyproj import Geod
from rasterio.crs import CRS

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import PixelAreas
from lsafnet_cli.geometry.row_bands import run_areas
from lsafnet_cli.geometry.runs import find_runs


def geodesic_area(lon, lat, step):
    """Area of a cell of `step` degrees by Karney's polygons, its parallels followed by many short geodesics."""
    along = np.linspace(0, step, 50)
    lons = np.concatenate([lon + along, lon + along[::-1]])
    lats = np.concatenate([np.full(50, lat), np.full(50, lat + step)])
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)[0])


def area_of_pixel(grid, row, col):
    return float(PixelAreas(grid).in_rows(row, 1, np.array([row]), np.array([col + 0.5]))[0])


@pytest.mark.parametrize("latitude", [0, 30, -45, 60, 80])
def test_a_pixel_in_degrees_has_its_geodesic_area(latitude):
    step = 0.001
    grid = Grid(CRS.from_epsg(4326), Affine(step, 0, 10, 0, -step, latitude + step), 500, 400)
    assert area_of_pixel(grid, 0, 0) == pytest.approx(geodesic_area(10, latitude, step), rel=1e-6)


@pytest.mark.parametrize(("latitude", "factor"), [(0, 1.0), (60, 0.25)])
def test_a_web_mercator_pixel_shrinks_with_latitude(latitude, factor):
    northing = 0.0 if latitude == 0 else 8399737.89
    grid = Grid(CRS.from_epsg(3857), Affine(10, 0, 0, 0, -10, northing), 100, 100)
    assert area_of_pixel(grid, 0, 0) == pytest.approx(100 * factor, rel=8e-3)


def test_utm_pixels_follow_the_scale_factor():
    centre = Grid(CRS.from_epsg(32632), Affine(0.5, 0, 500000, 0, -0.5, 5335000), 64, 64)
    assert area_of_pixel(centre, 32, 0) == pytest.approx(0.25 / 0.9996**2, rel=1e-7)


PLACES = {
    4326: Affine(0.02, 0, 0, 0, -0.02, 70),
    3857: Affine(13_000, 0, -20_000_000, 0, -16_000, 20_000_000),  # the whole world
}


@pytest.mark.parametrize("epsg", [4326, 32632, 3857, 3035])
def test_interpolated_areas_equal_exact_ones(epsg):
    place = PLACES.get(epsg, Affine(50, 0, 500000, 0, -50, 5_335_000))
    grid = Grid(CRS.from_epsg(epsg), place, 3000, 2500)
    areas, cols = PixelAreas(grid), np.random.default_rng(0).uniform(0, 3000, 50)
    for first in (0, 100, 1225, 2450):
        row = np.arange(first, first + 50)
        np.testing.assert_allclose(
            areas.in_rows(first, 50, row, cols), areas.exactly_at(row + 0.5, cols), rtol=2e-6
        )


def test_the_antimeridian_is_no_edge():
    grid = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 179.5, 0, -0.01, 10), 100, 100)
    areas = PixelAreas(grid)
    assert areas.exactly_at(50, 50) == pytest.approx(areas.exactly_at(50, 10), rel=1e-6)


def test_without_a_crs_there_is_no_area():
    with pytest.raises(ValueError, match="no ground area"):
        PixelAreas(Grid(None, Affine.identity(), 5, 5))


def test_a_long_run_has_the_area_of_its_pixels_where_their_area_varies_along_the_row():
    polar = Grid(CRS.from_epsg(3413), Affine(10_000, 0, 1_500_000, 0, -10_000, 1_500_000), 200, 1)
    areas = PixelAreas(polar)
    of_pixels = areas.exactly_at(np.full(200, 0.5), np.arange(200) + 0.5)
    assert of_pixels.max() > 1.05 * of_pixels.min()
    (of_run,) = run_areas(find_runs(np.ones((1, 200), np.uint8), 0), areas)
    assert of_run == pytest.approx(of_pixels.sum(), rel=5e-3)
