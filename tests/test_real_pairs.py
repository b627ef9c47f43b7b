"""Real images, where they are at hand: right size, place and legend; polygons that overlay the raster."""

import json

import fiona
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.files.rasters import rasterio_open
from lsafnet_cli.options import GridOptions, OutputOptions, ReadOptions

from .conftest import SHARED_DATA
from .test_predict import gdalinfo

pytestmark = pytest.mark.skipif(not SHARED_DATA.exists(), reason="the real image pairs are not at hand")

NAIP = ("naip/m_4709963_se_14_1_20090818.tif", "naip/m_4709963_se_14_1_20100629.tif")
PAIRS = {
    "naip: grids differ by metres and a row": (NAIP, (934, 723), None),
    "cm_example: degrees": (("cm_example/example_t0.tif", "cm_example/example_t1.tif"), (216, 216), None),
    "puerto_rico_maria": (
        ("puerto_rico_maria/pre_tile_0_107.tif", "puerto_rico_maria/post_tile_0_107.tif"), (512, 512), None,
    ),
    "s2_ftw: uint16 RGBN": (
        ("s2_ftw/derived_t1_window_a_RGBN.tif", "s2_ftw/derived_t2_window_b_RGBN.tif"), (578, 379), (1, 2, 3),
    ),
    "second_pragyan: no georeference": (
        ("second_pragyan/im1.png", "second_pragyan/im2.png"), (512, 512), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_a_real_pair_gives_a_map_in_its_place_and_polygons_upon_it(name, tmp_path, tiny_checkpoint):
    files, size, bands = PAIRS[name]
    before, after = (SHARED_DATA / file for file in files)
    polygons = tmp_path / "changes.gpkg"
    options = PredictOptions(
        checkpoint=tiny_checkpoint,
        read=ReadOptions(bands),
        output=OutputOptions((polygons,), ("quicklook",)),
        grid=GridOptions(coregister="off"),
    )
    report = predict_change(before, after, tmp_path / "changes.tif", options)
    described, source = (json.loads(gdalinfo(path)) for path in (tmp_path / "changes.tif", before))
    assert tuple(described["size"]) == size
    assert described.get("geoTransform") == source.get("geoTransform")
    assert described.get("coordinateSystem") == source.get("coordinateSystem")
    with rasterio_open(tmp_path / "changes.tif") as dataset:
        codes, transform = dataset.read(1), dataset.transform
    with fiona.open(polygons) as layer:
        shapes = [(feature["geometry"], 1) for feature in layer]
        areas = [feature["properties"]["area_m2"] for feature in layer]
    assert len(shapes) == report.polygon_count
    drawn = rasterize(shapes, codes.shape, transform=transform) if shapes else np.zeros_like(codes)
    np.testing.assert_array_equal(drawn > 0, (codes > 0) & (codes < 255))
    if report.crs is not None:
        assert sum(areas) / 10_000 == pytest.approx(report.table.changed_ha, abs=1e-5 * max(len(areas), 1))


def test_the_shared_ground_of_nearly_equal_grids_is_what_both_cover(tmp_path, tiny_checkpoint):
    report = predict_change(
        *(SHARED_DATA / file for file in NAIP),
        tmp_path / "changes.tif",
        PredictOptions(checkpoint=tiny_checkpoint),
    )
    with rasterio.open(SHARED_DATA / NAIP[0]) as before, rasterio.open(SHARED_DATA / NAIP[1]) as after:
        nodata_before = (before.dataset_mask() == 0).sum()
        assert before.shape[0] - 1 == report.height == after.shape[0]
    assert report.table.nodata_pixels >= nodata_before - before.shape[1]
    assert any("another grid" in notice for notice in report.notices)
