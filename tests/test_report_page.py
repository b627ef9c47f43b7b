"""The report page: what stands in it, what is refused, and that hostile text stays text."""

import re

import numpy as np
import pytest
import rasterio
from affine import Affine

from lsafnet_cli import PageOptions, PredictOptions, predict_change, summarize_map, write_report_page
from lsafnet_cli.errors import InputError, LsafnetError, NoOverlapError, OptionError, OutputError, PairError
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.options import OutputOptions

from .change_maps import blobs, write_map
from .conftest import PLACE, write_raster
from .report_pages import data_of, layer_of, tiles_of

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def images(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 60, 80), np.uint8)
    return [str(write_raster(tmp_path / f"{name}.tif", pixels)) for name in ("before", "after")]


@pytest.fixture
def change_map(tmp_path):
    return write_map(tmp_path / "changes.tif", blobs(60, 80))


def test_the_page_holds_every_code_and_the_numbers_of_summarize(tmp_path, change_map, images):
    page = tmp_path / "report.html"
    report = write_report_page(change_map, page, *images)
    assert report.size_bytes == page.stat().st_size
    np.testing.assert_array_equal(layer_of(page), blobs(60, 80))
    shown = [(row["code"], row["pixels"], row["area_ha"]) for row in data_of(page)["transitions"]]
    rows = summarize_map(change_map).whole.table.transitions
    assert shown == [(row.code, row.pixels, row.area_ha) for row in rows]
    assert data_of(page)["dates"]


def test_codes_of_16_bits_are_kept(tmp_path):
    legend = Legend(tuple(f"c{i}" for i in range(18)), tuple((i, i, i) for i in range(18)))
    codes = np.array([[0, 1, 289], [65535, 256, 17]], np.uint16)
    path = write_raster(tmp_path / "m.tif", codes[None], nodata=65535, tags={LEGEND: legend.to_json()})
    write_report_page(path, tmp_path / "r.html")
    np.testing.assert_array_equal(layer_of(tmp_path / "r.html"), codes)


def test_hostile_names_stay_text_and_nothing_is_fetched(tmp_path):
    legend = Legend(("unchanged", HOSTILE, "@JS@"), ((255,) * 3, (0, 0, 255), (9, 9, 9)))
    tags = {LEGEND: legend.to_json(), "LSAFNET_BEFORE": HOSTILE}
    path = write_raster(tmp_path / "m.tif", np.array([[[0, 2, 3]]], np.uint8), nodata=255, tags=tags)
    page = tmp_path / "r.html"
    write_report_page(path, page, options=PageOptions(title=f"{HOSTILE}@DATA@"))
    text = page.read_text("utf-8")
    assert "<img src=x" not in text
    assert "default-src 'none'" in text
    assert text.count("</script>") == 4
    assert HOSTILE in dict(data_of(page)["facts"]).values()
    assert not re.search(r"""src=["']?https?:""", text)
    assert "url(images" not in text


def test_a_page_keeps_below_its_size(tmp_path):
    codes = np.random.default_rng(1).integers(0, 9, (900, 900))
    path = write_map(tmp_path / "noise.tif", codes)
    report = write_report_page(path, tmp_path / "r.html", options=PageOptions(max_mb=0.5))
    assert report.size_bytes <= 500_000
    assert report.picture_shape == (450, 450)
    assert any(level == 0 for level, _, _ in tiles_of(tmp_path / "r.html"))
    with pytest.raises(OptionError, match="max_mb"):
        write_report_page(path, tmp_path / "s.html", options=PageOptions(max_mb=0.01))
    assert not (tmp_path / "s.html").exists()


def test_images_without_a_crs_are_taken_pixel_by_pixel(tmp_path):
    pixels = np.zeros((3, 60, 80), np.uint16)
    plain = {"crs": None, "transform": rasterio.Affine.identity()}
    images = [str(write_raster(tmp_path / f"{name}.tif", pixels, **plain)) for name in "ab"]
    path = write_map(tmp_path / "m.tif", blobs(60, 80), **plain)
    write_report_page(path, tmp_path / "r.html", *images)
    assert data_of(tmp_path / "r.html")["crs"] is None
    assert "px" in data_of(tmp_path / "r.html")["finding"]


def test_images_elsewhere_are_refused(tmp_path, change_map):
    far = rasterio.Affine.translation(1e6, 0) @ PLACE
    pixels = np.zeros((3, 60, 80), np.uint8)
    images = [str(write_raster(tmp_path / f"{name}.tif", pixels, transform=far)) for name in "ab"]
    with pytest.raises(PairError):
        write_report_page(change_map, tmp_path / "r.html", *images)


def test_what_is_there_is_kept_unless_told(tmp_path, change_map, images):
    page = tmp_path / "r.html"
    page.write_text("mine")
    with pytest.raises(OutputError, match="overwrite"):
        write_report_page(change_map, page)
    assert page.read_text() == "mine"
    write_report_page(change_map, page, overwrite=True)
    assert page.read_text() != "mine"
    with pytest.raises(InputError):
        write_report_page(images[0], tmp_path / "s.html")
    with pytest.raises(LsafnetError, match="must be given together"):
        write_report_page(change_map, tmp_path / "s.html", before=images[0])
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("also", [("report",), ("report", "probability")])
def test_predict_writes_the_page_of_the_map_as_well(pair, tiny_checkpoint, tmp_path, also):
    before, after = pair
    output = tmp_path / "changes.tif"
    options = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions(also=also))
    report = predict_change(before, after, output, options)
    page = tmp_path / "changes.report.html"
    assert report.outputs["report"] == str(page)
    again = write_report_page(output, tmp_path / "again.html", str(before), str(after))
    assert data_of(page) == data_of(tmp_path / "again.html")
    assert tiles_of(page) == tiles_of(tmp_path / "again.html")
    assert again.table == report.table
    assert (data_of(page)["probability"] is not None) == ("probability" in also)


def test_images_of_another_place_are_refused_by_the_name_of_the_map(tmp_path, images):
    far = write_map(tmp_path / "far.tif", blobs(60, 80), transform=PLACE @ Affine.translation(5000, 0))
    with pytest.raises(NoOverlapError, match=r"do not cover .*far\.tif"):
        write_report_page(far, tmp_path / "r.html", *images)
    assert not (tmp_path / "r.html").exists()
