"""Ground areas and lengths of pixels, beside PROJ's own areal scales and geodesic polygons."""

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS as PROJ_CRS, Geod, Proj, Transformer
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_areas, pixel_sides_m, pixel_size_m


def geodesic_area(lon, lat, step):
    """Area of a cell of `step` degrees by Karney's polygons, its parallels followed by many short geodesics."""
    along = np.linspace(0, step, 50)
    lons = np.concatenate([lon + along, lon + along[::-1]])
    lats = np.concatenate([np.full(50, lat), np.full(50, lat + step)])
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)[0])


def area_of_pixel(grid, row, col):
    return float(pixel_areas(grid).of_runs(*(np.array([n]) for n in (row, col, 1)))[0])


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
def test_areas_of_runs_are_those_of_their_pixels(epsg):
    place = PLACES.get(epsg, Affine(50, 0, 500000, 0, -50, 5_335_000))
    grid = Grid(CRS.from_epsg(epsg), place, 3000, 2500)
    areas, rng = pixel_areas(grid), np.random.default_rng(0)
    for first in (0, 100, 1225, 2450):
        row, length = np.arange(first, first + 50), rng.integers(1, 1000, 50)
        col = rng.integers(0, 3000 - length + 1)
        expected = [
            areas.at(np.full(n, r + 0.5), np.arange(c, c + n) + 0.5).sum()
            for r, c, n in zip(row, col, length, strict=True)
        ]
        np.testing.assert_allclose(areas.of_runs(row, col, length), expected, rtol=2e-6)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 70), (70, 1), (2, 3), (600, 5)])
def test_small_and_narrow_grids_lose_no_pixel(width, height):
    grid = Grid(CRS.from_epsg(3035), Affine(2000, 0, 2_000_000, 0, -2000, 3_000_000), width, height)
    areas, rows = pixel_areas(grid), np.arange(height)
    whole = areas.of_runs(rows, np.zeros_like(rows), np.full(height, width))
    np.testing.assert_allclose(whole, 4e6 * width, rtol=1e-6)
    assert areas.total() == pytest.approx(4e6 * width * height, rel=1e-6)


def test_the_antimeridian_is_no_edge():
    grid = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 179.5, 0, -0.01, 10), 100, 100)
    areas = pixel_areas(grid)
    assert areas.at(50, 50) == pytest.approx(areas.at(50, 10), rel=1e-6)
    projected = Grid(CRS.from_epsg(32601), Affine(100, 0, 282_000, 0, -100, 5_543_000), 60, 60)
    assert area_of_pixel(projected, 30, 5) == pytest.approx(1e4, rel=1e-3)


def test_without_a_crs_nothing_is_known():
    grid = Grid(None, Affine.identity(), 5, 5)
    assert (pixel_areas(grid), pixel_sides_m(grid), pixel_size_m(grid)) == (None, None, None)


LOCAL = 'LOCAL_CS["Site",LOCAL_DATUM["Local",0],UNIT["{0}",{1}],AXIS["X",EAST],AXIS["Y",NORTH]]'


@pytest.mark.parametrize(
    ("unit", "metres"), [("metre", 1.0), ("foot", 0.3048), ("US survey foot", 1200 / 3937)]
)
def test_a_local_crs_measures_in_its_plane(unit, metres):
    turned = Affine.translation(-20, 30) @ Affine.rotation(30) @ Affine.scale(0.05, -0.1)
    grid = Grid(CRS.from_wkt(LOCAL.format(unit, metres)), turned, 60, 50)
    areas = pixel_areas(grid)
    assert areas.total() == pytest.approx(60 * 50 * 0.005 * metres**2)
    runs = areas.of_runs(np.array([3, 4]), np.array([0, 9]), np.array([10, 1]))
    np.testing.assert_allclose(runs, [0.05 * metres**2, 0.005 * metres**2])
    assert pixel_sides_m(grid) == pytest.approx((0.05 * metres, 0.1 * metres))


def test_a_projection_that_proj_does_not_know_knows_no_ground():
    wkt = (
        CRS.from_epsg(32632).to_wkt(version="WKT1_GDAL").replace("Transverse_Mercator", "Transverse_Merctor")
    )
    grid = Grid(CRS.from_wkt(wkt), Affine(0.5, 0, 600000, 0, -0.5, 5335000), 5, 5)
    assert (pixel_areas(grid), pixel_sides_m(grid)) == (None, None)


def test_a_crs_without_lengths_in_a_plane_knows_no_ground():
    geocentric = Grid(CRS.from_epsg(4978), Affine(1, 0, 0, 0, -1, 0), 5, 5)
    angles = Grid(CRS.from_wkt(LOCAL.format("degree", 0.0174532925199433)), Affine.scale(1, -1), 5, 5)
    assert (pixel_areas(geocentric), pixel_sides_m(geocentric)) == (None, None)
    assert pixel_areas(angles) is None or pixel_areas(angles).total() > 0


@pytest.mark.parametrize(
    ("epsg", "side_m", "off_m"),
    [(6931, 1000, 0), (6931, 25_000, 0), (6932, 1000, 0), (3031, 10, 0), (3031, 1000, 300), (3031, 1000, 777),
     (3413, 1000, 0), (3413, 25_000, 0), (3995, 500, 0), (3571, 5000, 0)],
)  # fmt: skip
@pytest.mark.parametrize("count", [100, 101])
def test_a_pole_within_the_grid_bends_no_area(epsg, side_m, off_m, count):
    place = Affine(side_m, 0, -side_m * count / 2 - off_m, 0, -side_m, side_m * count / 2)
    grid = Grid(CRS.from_epsg(epsg), place, count, count)
    rows, cols = (axis.ravel() for axis in np.indices(grid.shape))
    found = pixel_areas(grid).of_runs(rows, cols, np.ones_like(rows))
    x, y = grid.to_ground(cols + 0.5, rows + 0.5)
    projection = Proj(epsg)
    lon, lat = projection(x, y, inverse=True)
    away = 90 - np.abs(lat) > 1e-3  # PROJ's scale at the pole itself is not known
    scale = projection.get_factors(lon[away], lat[away]).areal_scale
    np.testing.assert_allclose(found[away], side_m**2 / scale, rtol=1e-5)
    np.testing.assert_allclose(found, np.median(found), rtol=0.9)


@pytest.mark.parametrize("north", [90.01, 90.0, 89.9995])
def test_rows_beyond_a_pole_have_no_ground(north):
    grid = Grid(CRS.from_epsg(4326), Affine(1, 0, 0, 0, -0.001, north), 10, 30)
    rows = np.arange(30)
    areas = pixel_areas(grid).of_runs(rows, np.zeros_like(rows), np.full(30, 10))
    assert (areas >= 0).all()
    ring = geodesic_area_of_cap(north - 0.03) - geodesic_area_of_cap(min(north, 90))
    assert areas.sum() == pytest.approx(ring * 10 / 360, rel=1e-4)


def geodesic_area_of_cap(latitude):
    """Area about the north pole by Karney's polygons."""
    lons = np.linspace(0, 360, 3601)[:-1]
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lons, np.full(3600, latitude))[0])


def test_the_whole_earth_is_as_large_as_it_is():
    grid = Grid(CRS.from_epsg(4326), Affine(1, 0, -180, 0, -1, 90), 360, 180)
    rows = np.arange(180)
    found = pixel_areas(grid).of_runs(rows, np.zeros_like(rows), np.full(180, 360)).sum()
    assert found == pytest.approx(510_065_621_724_089, rel=1e-9)  # m2, WGS 84
    assert pixel_areas(grid).total() == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize(
    ("crs", "place", "sides"),
    [
        (CRS.from_epsg(3857), Affine(1, 0, 1_500_000, 0, -1, 8_399_738), (0.50126, 0.50042)),  # at 60 degrees
        (CRS.from_epsg(32633), Affine(0.5, 0, 500_000, 0, -0.5, 5_500_000), (0.5, 0.5)),
        (CRS.from_epsg(4807), Affine(1e-4, 0, 0, 0, -1e-4, 50), (7.0966, 10.0018)),  # grads, at 45 degrees
        (CRS.from_epsg(2263), Affine(1, 0, 980_000, 0, -1, 200_000), (0.3048, 0.3048)),  # US feet
        (
            CRS.from_user_input("IAU_2015:30100"),
            Affine(1e-5, 0, 10, 0, -1e-5, 10),
            (0.29863, 0.30323),
        ),  # moon
    ],
)
def test_pixels_have_their_size_on_the_ground(crs, place, sides):
    assert pixel_sides_m(Grid(crs, place, 64, 64)) == pytest.approx(sides, rel=2e-4)


def test_a_grid_whose_centre_looks_past_the_earth_has_the_size_of_a_pixel_that_does_not():
    crs = CRS.from_proj4("+proj=geos +h=35785831 +datum=WGS84")
    grid = Grid(crs, Affine(3000, 0, 5_000_000, 0, -3000, 600_000), 400, 400)
    assert 5000 < pixel_size_m(grid) < 100_000


EPSG = ["PROJECTED_CRS", "GEOGRAPHIC_2D_CRS", "GEOGRAPHIC_3D_CRS"]
SAMPLED = 12  # one code in so many, another one with each seed


def known_codes():
    """Return a broad sample of PROJ's EPSG codes, and all whose unit is neither metre nor degree."""
    codes = [info for kind in EPSG for info in query_crs_info("EPSG", [PJType[kind]], allow_deprecated=True)]
    chosen = np.random.default_rng(1).permutation(len(codes))[: len(codes) // SAMPLED]
    return [codes[index] for index in sorted(chosen)]


def place_in(info, crs, rng):
    """Return (x, y) of a random place in a CRS' area of use, None where PROJ has no coordinates for it."""
    west, south, east, north = info.area_of_use.bounds
    lon = rng.uniform(west, east + (360 if east < west else 0))
    lat = rng.uniform(max(south, -89.9), min(north, 89.9))
    unit = np.degrees(crs.geodetic_crs.axis_info[0].unit_conversion_factor)
    base = crs.geodetic_crs.to_2d()
    if base == crs:
        return ((lon + 180) % 360 - 180) / unit, lat / unit
    try:
        there = Transformer.from_crs(base, crs, always_xy=True)
    except ProjError:  # of codes whose method PROJ does not have
        return None
    x, y = there.transform(((lon + 180) % 360 - 180) / unit, lat / unit)
    return (x, y) if np.isfinite([x, y]).all() else None


def polygon_area(crs, grid, row, col):
    """Area of a pixel by a geodesic polygon with points along its sides."""
    k = np.linspace(0, 1, 9)[:-1]
    cols, rows = np.concatenate([k, 1 + 0 * k, 1 - k, 0 * k]), np.concatenate([0 * k, k, 1 + 0 * k, 1 - k])
    base = crs.geodetic_crs.to_2d()
    lon, lat = Transformer.from_crs(crs, base, always_xy=True).transform(
        *grid.to_ground(col + cols, row + rows)
    )
    turns = base.axis_info[0].unit_conversion_factor
    return abs(crs.get_geod().polygon_area_perimeter(lon * turns, lat * turns, radians=True)[0])


@pytest.mark.slow
def test_areas_hold_in_all_of_epsg():
    rng, tried = np.random.default_rng(2), 0
    for info in known_codes():
        crs = PROJ_CRS.from_epsg(info.code).to_2d()
        if not crs.axis_info or info.area_of_use is None or (place := place_in(info, crs, rng)) is None:
            continue  # a code for a family of projections, or a place where PROJ's formula ends
        unit = crs.axis_info[0].unit_conversion_factor
        side = (10 / 6_378_137 if crs.is_geographic else 10) / unit
        grid = Grid(CRS.from_wkt(crs.to_wkt()), Affine(side, 0, place[0], 0, -side, place[1]), 64, 64)
        expected = polygon_area(crs, grid, 40, 20)
        assert area_of_pixel(grid, 40, 20) == pytest.approx(expected, rel=1e-5), info
        across, down = pixel_sides_m(grid)
        assert across * down == pytest.approx(expected, rel=0.2), info  # as far as pixels are rectangles
        tried += 1
    assert tried > 400


def test_a_long_run_has_the_area_of_its_pixels_where_their_area_varies_along_the_row():
    polar = Grid(CRS.from_epsg(3413), Affine(10_000, 0, 1_500_000, 0, -10_000, 1_500_000), 200, 1)
    areas = pixel_areas(polar)
    of_pixels = areas.at(np.full(200, 0.5), np.arange(200) + 0.5)
    assert of_pixels.max() > 1.05 * of_pixels.min()
    (of_run,) = areas.of_runs(np.array([0]), np.array([0]), np.array([200]))
    assert of_run == pytest.approx(of_pixels.sum(), rel=1e-6)
