"""Outlines of pixels: valid, exact, with every vertex in common that neighbours have."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings, strategies as st
from rasterio.features import rasterize, shapes

from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.polygons.lattice import NodeFinder, polygons_of, read_rings, with_nodes

from .change_maps import NODATA, random_codes

PLAIN = Affine.identity()
worlds = st.builds(
    random_codes, st.integers(1, 24), st.integers(1, 24), st.integers(1, 4), st.integers(0, 2**32 - 1)
)


def find_nodes(codes, band_rows):
    finder = NodeFinder(codes.shape[1], NODATA, codes.dtype)
    for top in range(0, len(codes), band_rows):
        finder.add(codes[top : top + band_rows])
    return finder.finish()


def trace(codes, transform=PLAIN):
    """Return noded rings, and the code of each polygon."""
    changed = (codes > 0) & (codes != NODATA)
    found = list(shapes(codes, mask=changed, connectivity=4, transform=transform))
    if not found:
        return None, []
    rings = read_rings([geometry for geometry, _ in found], ~transform)
    return with_nodes(rings, find_nodes(codes, 1000)), [code for _, code in found]


@given(worlds)
@settings(max_examples=150, deadline=None)
def test_polygons_of_any_map_are_valid_and_share_their_borders_to_the_last_vertex(codes):
    rings, values = trace(codes)
    if rings is None:
        return
    polygons = polygons_of(rings, Grid(None, Affine.identity(), *codes.shape[::-1]))
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)
    assert shapely.is_ccw(shapely.get_exterior_ring(polygons)).all()
    drawn = rasterize(zip(polygons, values, strict=True), codes.shape, dtype="uint8")
    np.testing.assert_array_equal(drawn, np.where(codes == NODATA, 0, codes))


@given(worlds, st.integers(1, 30))
@settings(max_examples=80, deadline=None)
def test_nodes_do_not_depend_on_the_row_band(codes, band_rows):
    some, whole = find_nodes(codes, band_rows), find_nodes(codes, 1000)
    np.testing.assert_array_equal(some.by_row, whole.by_row)
    np.testing.assert_array_equal(some.by_col, whole.by_col)


def test_a_node_lies_where_three_pieces_meet_and_where_two_cross():
    codes = np.array([[1, 1], [2, 3]])
    nodes = find_nodes(np.pad(codes, 1), 1)
    assert {divmod(key, 5)[::-1] for key in nodes.by_row.tolist()} == {(2, 2), (1, 2), (3, 2), (2, 3)}
    crossing = find_nodes(np.pad(np.array([[1, 0], [0, 1]]), 1), 1)
    assert [divmod(key, 5)[::-1] for key in crossing.by_row.tolist()] == [(2, 2)]


@pytest.mark.parametrize("place", [Affine(0.5, 0, 6e5, 0, -0.5, 5e6), Affine(0.3, 0.4, 6e5, 0.4, -0.3, 5e6)])
def test_coordinates_are_those_of_the_grid_wherever_it_lies(place):
    codes = random_codes(20, 30, 3, 5)
    rings, _ = trace(codes, place)
    plain, _ = trace(codes)
    np.testing.assert_array_equal(rings.col, plain.col)
    np.testing.assert_array_equal(rings.row, plain.row)
    polygons = polygons_of(rings, Grid(None, place, 30, 20))
    assert shapely.area(polygons).sum() == pytest.approx(((codes > 0) & (codes < 255)).sum() * 0.25)
