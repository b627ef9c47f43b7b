import numpy as np
from affine import Affine
from hypothesis import given, settings, strategies as st
from rasterio.features import shapes
from scipy import ndimage

from lsafnet_cli.geometry.runs import find_runs
from lsafnet_cli.polygons.components import ComponentFinder
from lsafnet_cli.polygons.lattice import read_rings

maps = st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(1, 4), st.integers(0, 2**32 - 1))


def random_map(rows, cols, codes, seed):
    return np.random.default_rng(seed).integers(0, codes + 1, (rows, cols)).astype("uint8")


def components_of(codes, band_rows, score):
    finder = ComponentFinder(codes.shape[1])
    for top in range(0, len(codes), band_rows):
        band = codes[top : top + band_rows]
        runs = find_runs(band, top)
        finder.add(runs, runs.code != 0, 2.0 * runs.length, runs.sums(score[top : top + band_rows]))
    return finder.finish()


@given(maps, st.integers(1, 30))
@settings(max_examples=150, deadline=None)
def test_components_equal_those_of_a_plain_labelling_for_any_row_band(shape, band_rows):
    codes = random_map(*shape)
    score = np.random.default_rng(0).random(codes.shape)
    found = components_of(codes, band_rows, score)
    expected = []
    for code in range(1, codes.max() + 1):
        labels, count = ndimage.label(codes == code)
        for label in range(1, count + 1):
            here = labels == label
            expected.append((np.flatnonzero(here)[0], code, here.sum(), score[here].sum()))
    expected.sort()
    assert found.first_pixel.tolist() == [entry[0] for entry in expected]
    assert found.code.tolist() == [entry[1] for entry in expected]
    assert found.pixels.tolist() == [entry[2] for entry in expected]
    np.testing.assert_allclose(found.score, [entry[3] for entry in expected])
    np.testing.assert_allclose(found.area_m2, 2.0 * found.pixels)


@given(maps)
@settings(max_examples=100, deadline=None)
def test_every_polygon_finds_its_component(shape):
    codes = random_map(*shape)
    found = components_of(codes, 7, codes.astype(float))
    polygons = list(shapes(codes, mask=codes > 0, connectivity=4))
    if polygons:
        rings = read_rings([geometry for geometry, _ in polygons], Affine.identity())
        indices = found.indices_of(rings.first_pixels(codes.shape[1]))
        assert found.code[indices].tolist() == [code for _, code in polygons]
        assert sorted(indices) == list(range(len(found.first_pixel)))
