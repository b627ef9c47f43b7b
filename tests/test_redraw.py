"""Simplified and smoothed polygons: valid, without overlap, and each as large as before."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings, strategies as st

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.polygons.lattice import polygons_of
from lsafnet_cli.polygons.redraw import SMOOTH_PX, Redrawer, Redrawing

from .change_maps import blobs, random_codes
from .test_lattice import find_nodes, trace

PLACE = Affine(2, 0, 600000, 0, -2, 5_000_000)
worlds = st.builds(
    random_codes, st.integers(1, 30), st.integers(1, 30), st.integers(1, 4), st.integers(0, 2**32 - 1),
    st.integers(1, 4),
)  # fmt: skip
ways = st.builds(Redrawing, st.sampled_from([0.0, 1.0, 3.0, 10.0, 50.0]), st.booleans(), st.just((2.0, 2.0)))


def redraw(codes, way):
    """Return the polygons of a map before and after."""
    rings, _ = trace(codes)
    if rings is None:
        return np.empty(0, object), np.empty(0, object)
    grid = Grid(None, PLACE, *codes.shape[::-1])
    return polygons_of(rings, grid), Redrawer(rings, find_nodes(codes, 1000), grid, way).polygons()


@given(worlds, ways)
@settings(max_examples=200, deadline=None)
def test_redrawn_polygons_of_any_map_are_valid_do_not_overlap_and_keep_their_areas(codes, way):
    plain, drawn = redraw(codes, way)
    assert shapely.is_valid(drawn).all()
    assert shapely.coverage_is_valid(drawn)
    np.testing.assert_allclose(shapely.area(drawn), shapely.area(plain), rtol=1e-5)


@pytest.mark.parametrize("way", [Redrawing(2, False, (2, 2)), Redrawing(6, True, (2, 2))])
def test_no_two_polygons_overlap_and_the_total_area_stays(way):
    plain, drawn = redraw(blobs(200, 240), way)
    tree = shapely.STRtree(drawn)
    one, other = tree.query(drawn, predicate="intersects")
    pairs = one < other
    shared = shapely.area(shapely.intersection(drawn[one[pairs]], drawn[other[pairs]]))
    assert pairs.sum() > 20
    assert shared.max() == 0
    assert shapely.area(drawn).sum() == pytest.approx(shapely.area(plain).sum(), rel=1e-3)


def test_neighbours_keep_their_common_borders():
    plain, drawn = redraw(blobs(200, 240), Redrawing(4, False, (2, 2)))
    touching = [shapely.relate_pattern(*sides, "FF2F1****") for sides in pairwise(plain)]
    again = [shapely.relate_pattern(*sides, "FF2F1****") for sides in pairwise(drawn)]
    assert sum(touching) > 5
    assert again == touching
    whole = shapely.union_all(drawn)
    assert whole.area == pytest.approx(shapely.area(drawn).sum(), rel=1e-9)


def test_simplified_polygons_have_far_fewer_vertices_and_lie_near_the_plain_ones():
    plain, drawn = redraw(blobs(300, 300, sigma=6), Redrawing(4, False, (2, 2)))
    assert shapely.get_num_coordinates(drawn).sum() < 0.4 * shapely.get_num_coordinates(plain).sum()
    moved = shapely.hausdorff_distance(shapely.boundary(plain), shapely.boundary(drawn))
    assert moved.max() <= 4 + 2 * SMOOTH_PX


def test_a_staircase_becomes_a_straight_line_when_smoothed():
    codes = np.tri(40, dtype=np.uint8)
    _, (triangle,) = redraw(codes, Redrawing(0.1, True, (2, 2)))
    assert triangle.area == pytest.approx(codes.sum() * 4)
    assert triangle.convex_hull.area < triangle.area * 1.03
    assert len(triangle.exterior.coords) < 15


def test_without_tolerance_or_smoothing_nothing_moves():
    plain, drawn = redraw(blobs(100, 100), Redrawing(0, False, (2, 2)))
    assert shapely.equals(plain, drawn).all()


def test_what_is_kept_stays_to_the_last_vertex():
    codes = blobs(120, 120)
    rings, _ = trace(codes)
    grid = Grid(None, PLACE, 120, 120)
    redrawer = Redrawer(rings, find_nodes(codes, 1000), grid, Redrawing(6, True, (2, 2)))
    redrawer.keep(np.ones(len(redrawer.arcs.beside), bool))
    assert shapely.equals(polygons_of(rings, grid), redrawer.polygons()).all()


def test_tall_pixels_are_simplified_by_the_same_length_on_the_ground():
    codes = blobs(200, 200, sigma=6)
    rings, _ = trace(codes)
    grid = Grid(None, Affine(1, 0, 0, 0, -4, 0), 200, 200)
    drawn = Redrawer(rings, find_nodes(codes, 1000), grid, Redrawing(3, False, (1, 4))).polygons()
    plain = polygons_of(rings, grid)
    moved = shapely.hausdorff_distance(shapely.boundary(plain), shapely.boundary(drawn))
    assert 0 < moved.max() <= 3 + SMOOTH_PX * 4
    assert shapely.is_valid(drawn).all()
