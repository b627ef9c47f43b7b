"""Where the map lies: another CRS, bounds, both beside GDAL's own answer; and how its rasters are stored."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from lsafnet_cli import GridOptions, OptionError, OutputOptions, PairError, PredictOptions, predict_change
from lsafnet_cli.app import main
from lsafnet_cli.errors import NoOverlapError
from lsafnet_cli.files.raster_styles import RasterStyle
from lsafnet_cli.geometry.ground import pixel_sides_m
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import ReadOptions, TileOptions, parse_creation_options
from lsafnet_cli.prediction import pipeline
from lsafnet_cli.prediction.write import PartWriter, write_cog
from lsafnet_cli.scenes.align import align_pair, common_grid
from lsafnet_cli.scenes.images import ImageReader
from lsafnet_cli.scenes.outline import place_outlines, wished_outlines
from lsafnet_cli.scenes.read import read_pair

from .conftest import PLACE, UTM, noise, write_raster

SAMPLE = Path(__file__).parents[1] / "sample_data"
DEGREES, MERCATOR = "EPSG:4326", "EPSG:3857"


def sample():
    return SAMPLE / "before.tif", SAMPLE / "after.tif"


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main(list(map(str, arguments)))
    return left.value.code


@pytest.mark.parametrize("crs", [DEGREES, MERCATOR, "EPSG:32631", "EPSG:3035", "EPSG:3031"])
def test_the_grid_in_another_crs_is_the_one_that_gdal_makes(crs):
    pair = read_pair(*sample(), ReadOptions(), 3)
    grid = common_grid(pair, GridOptions(dst_crs=crs))
    with rasterio.open(sample()[0]) as image, WarpedVRT(image, crs=crs) as warped:  # as gdalwarp -t_srs does
        transform, width, height = warped.transform, warped.width, warped.height
    assert grid.crs == CRS.from_user_input(crs)
    assert grid.transform.almost_equals(transform, 1e-9)
    assert (grid.width, grid.height) == (width, height)


@pytest.mark.parametrize("crs", [DEGREES, "EPSG:3035"])
def test_both_images_are_read_where_gdal_would_warp_them(crs):
    pair = read_pair(*sample(), ReadOptions(), 3)
    aligned = align_pair(pair, GridOptions(dst_crs=crs))
    for image, path in zip((aligned.before, aligned.after), sample(), strict=True):
        with ImageReader(image) as reader, rasterio.open(path) as source:
            window = rasterio.windows.Window(40, 30, 160, 120)
            numbers, valid = np.zeros((3, 120, 160), np.uint8), np.zeros((120, 160), bool)
            reader.read(window, numbers, valid)
            place = image.grid.cut(window)
            with WarpedVRT(
                source, crs=place.crs, transform=place.transform, width=160, height=120,
                resampling=Resampling.bilinear,
            ) as warped:  # fmt: skip
                expected = warped.read()
        assert valid.all()
        assert np.abs(numbers.astype(int) - expected.astype(int)).mean() < 0.5


def test_a_turned_grid_is_followed_by_its_corners(tmp_path):
    turned = PLACE @ Affine.rotation(30)
    paths = [write_raster(tmp_path / f"{n}.tif", noise(n, 80, 120), transform=turned) for n in (1, 2)]
    grid = common_grid(read_pair(*paths, ReadOptions(), 3), GridOptions(dst_crs="EPSG:32631"))
    way = Transformer.from_crs(UTM, "EPSG:32631", always_xy=True)
    corners = [way.transform(*(turned @ corner)) for corner in ((0, 0), (120, 0), (0, 80), (120, 80))]
    left, bottom, right, top = rasterio.transform.array_bounds(grid.height, grid.width, grid.transform)
    x, y = zip(*corners, strict=True)
    np.testing.assert_allclose((left, bottom, right, top), (min(x), min(y), max(x), max(y)), atol=1.0)


def test_the_crs_of_the_images_themselves_changes_nothing(pair):
    scenes = read_pair(*pair, ReadOptions(), 3)
    assert align_pair(scenes, GridOptions(dst_crs=UTM)) == align_pair(scenes)


def test_a_resolution_is_that_of_the_new_crs(pair):
    grid = common_grid(read_pair(*pair, ReadOptions(), 3), GridOptions(dst_crs=DEGREES, resolution_m=2))
    np.testing.assert_allclose(pixel_sides_m(grid), (2, 2), rtol=0.01)


def predicted(pair, output, checkpoint, **grid):
    options = PredictOptions(checkpoint=checkpoint, grid=GridOptions(coregister="off", **grid))
    report = predict_change(*pair, output, options)
    with rasterio.open(output) as dataset:
        return dataset.read(1), dataset.bounds, dataset.profile, dataset.tags(), report


def test_bounds_cut_the_map_to_pixels_whose_centres_lie_in_them_and_leave_answers_alone(
    pair, tiny_checkpoint, tmp_path
):
    whole, *_ = predicted(pair, tmp_path / "whole.tif", tiny_checkpoint)
    left, top = PLACE.c, PLACE.f
    bounds = (left + 10.3, top - 40.2, left + 60.2, top - 5.3)  # pixels of 0.5 m
    codes, extent, _, tags, report = predicted(pair, tmp_path / "part.tif", tiny_checkpoint, bounds=bounds)
    np.testing.assert_array_equal(codes, whole[11:80, 21:120])
    assert tuple(extent) == (left + 10.5, top - 40, left + 60, top - 5.5)
    assert json.loads(tags["LSAFNET_OPTIONS"])["bounds"] == list(bounds)
    assert any(text.startswith("`bounds`: the map covers 99x69 of") for text in report.notices)


def test_in_another_crs_the_map_has_the_bounds_that_are_asked_for(pair, tiny_checkpoint, tmp_path):
    with rasterio.open(pair[0]) as image:
        x, y, *_ = transform_bounds(image.crs, "EPSG:32631", *image.bounds)
    bounds = (round(x) + 12.0, round(y) + 14.0, round(x) + 60.0, round(y) + 50.0)
    wish = {"dst_crs": "EPSG:32631", "resolution_m": 1.0, "bounds": bounds}
    _, extent, profile, tags, report = predicted(pair, tmp_path / "map.tif", tiny_checkpoint, **wish)
    assert report.crs == "EPSG:32631"
    assert profile["crs"] == CRS.from_epsg(32631)
    side = profile["transform"].a
    assert abs(side - 1) < 0.01
    assert (extent.left, extent.top) == pytest.approx((bounds[0], bounds[3]), abs=1e-6)
    assert (extent.right, extent.bottom) == pytest.approx((bounds[2], bounds[1]), abs=side / 2)
    assert json.loads(tags["LSAFNET_OPTIONS"])["dst_crs"] == "EPSG:32631"
    assert any("warped to EPSG:32631, pixels of 1 m" in text for text in report.notices)


def test_bounds_and_area_of_interest_both_count(pair, tiny_checkpoint, tmp_path):
    left, top = PLACE.c, PLACE.f
    box = [[left + 20, top - 30], [left + 70, top - 30], [left + 70, top - 10], [left + 20, top - 10]]
    ring = {"type": "Polygon", "coordinates": [[*box, box[0]]]}
    aoi = tmp_path / "aoi.geojson"
    aoi.write_text(json.dumps({
        "type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": UTM}},
        "features": [{"type": "Feature", "properties": {}, "geometry": ring}],
    }))  # fmt: skip
    output = tmp_path / "map.tif"
    bounds = (left + 5, top - 25, left + 50, top - 5)
    arguments = (
        "--bounds",
        *bounds,
        "--aoi",
        aoi,
        "--checkpoint",
        tiny_checkpoint,
        "--coregister",
        "off",
        "-q",
    )
    assert run("predict", *pair, "-o", output, *arguments) == 0
    with rasterio.open(output) as dataset:
        assert tuple(dataset.bounds) == (left + 20, top - 25, left + 50, top - 10)


def test_bounds_may_cross_the_antimeridian(tmp_path):
    place = Affine(0.001, 0, 179.95, 0, -0.001, -16)
    paths = [
        write_raster(tmp_path / f"{n}.tif", noise(n, 90, 120), crs=DEGREES, transform=place) for n in (1, 2)
    ]
    grid = common_grid(read_pair(*paths, ReadOptions(), 3), GridOptions())
    area = place_outlines(wished_outlines(None, (179.97, -16.05, -179.96, -16.01), grid), grid)
    window = area.window
    assert (window.col_off, window.row_off, window.width, window.height) == (20, 10, 70, 40)


@pytest.mark.parametrize(
    ("wish", "error", "words"),
    [
        ({"dst_crs": "EPSG:1"}, OptionError, "`dst_crs` EPSG:1: is no CRS"),
        ({"dst_crs": "EPSG:4978"}, OptionError, "neither"),
        ({"bounds": (0, 5, 1, 5)}, OptionError, "south below north"),
        ({"bounds": (5, 0, 1, 5)}, OptionError, "west below east"),
        ({"bounds": (float("nan"), 0, 1, 5)}, OptionError, "`bounds` nan 0 1 5"),
        ({"bounds": (0, 0, 1, 1)}, NoOverlapError, "`bounds` 0 0 1 1: contain no pixel"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(pair, tiny_checkpoint, tmp_path, wish, error, words):
    with pytest.raises(error, match=words):
        predicted(pair, tmp_path / "map.tif", tiny_checkpoint, **wish)
    assert list(tmp_path.glob("map*")) == []


def test_images_without_a_crs_have_no_way_to_another(tmp_path):
    plain = [
        write_raster(tmp_path / f"{n}.tif", noise(n, 40, 40), crs=None, transform=Affine.identity())
        for n in (1, 2)
    ]
    with pytest.raises(OptionError, match="has no CRS to transform from"):
        align_pair(read_pair(*plain, ReadOptions(), 3), GridOptions(dst_crs=DEGREES))
    moon = "ESRI:104903"
    earth = [write_raster(tmp_path / f"e{n}.tif", noise(n, 40, 40)) for n in (1, 2)]
    with pytest.raises(PairError, match="cannot be transformed to"):
        align_pair(read_pair(*earth, ReadOptions(), 3), GridOptions(dst_crs=moon))


def test_a_broken_run_resumes_with_the_same_bounds_and_starts_afresh_with_others(
    pair, tiny_checkpoint, tmp_path, monkeypatch
):
    west, north = PLACE.c, PLACE.f
    options = PredictOptions(
        checkpoint=tiny_checkpoint, tile=TileOptions(row_band_px=32),
        grid=GridOptions(coregister="off", bounds=(west, north - 50, west + 60, north - 10)),
    )  # fmt: skip

    def stop(*_):
        raise KeyboardInterrupt

    def run_again(wished, breaks):
        observer, computed = Observer(), []
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "write_outputs", stop if breaks else write_outputs)
            patch.setattr(PartWriter, "put", lambda *given: computed.append(1) or put(*given))
            with pytest.raises(KeyboardInterrupt) if breaks else nullcontext():
                predict_change(*pair, tmp_path / "map.tif", wished, observer)
        return [text for text in observer.notices if "starting afresh" in text], len(computed)

    write_outputs, put = pipeline.write_outputs, PartWriter.put
    assert run_again(options, breaks=True)[1] > 0
    assert run_again(options, breaks=True) == ([], 0)  # all rows were there
    narrower = replace(options, grid=replace(options.grid, bounds=(west, north - 50, west + 50, north - 10)))
    (told,), computed = run_again(narrower, breaks=False)
    assert "the area of interest" in told
    assert computed > 0


def stored(output, *layers):
    for path in (output, *(output.with_name(f"{output.stem}.{layer}.tif") for layer in layers)):
        with rasterio.open(path) as dataset:
            yield dataset.profile, dataset.overviews(1), dataset.tags(ns="IMAGE_STRUCTURE"), dataset.read(1)


def test_creation_options_hold_for_the_map_and_its_layers_and_change_no_pixel(
    pair, tiny_checkpoint, tmp_path
):
    command = ("predict", *pair, "--checkpoint", tiny_checkpoint, "--also", "probability,before", "-q")
    assert run(*command, "-o", tmp_path / "plain.tif") == 0
    options = ("--co", "compress=zstd", "--co", "LEVEL=3", "--co", "BLOCKSIZE=128", "--co", "TILED=YES")
    assert run(*command, "-o", tmp_path / "own.tif", *options) == 0
    own = stored(tmp_path / "own.tif", "probability", "before")
    for (profile, overviews, structure, pixels), plain in zip(
        own, stored(tmp_path / "plain.tif", "probability", "before"), strict=True
    ):
        assert structure["COMPRESSION"] == "ZSTD"
        assert structure["LAYOUT"] == "COG"
        assert (profile["blockxsize"], profile["blockysize"]) == (128, 128)
        assert overviews == [] or overviews[0] == 2
        assert plain[2]["COMPRESSION"] != "ZSTD"
        np.testing.assert_array_equal(pixels, plain[3])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TILED=NO", "TILED=NO: a map can have TILED=YES"),
        ("COMPRESS=JPEG", "COMPRESS=JPEG: a map can have COMPRESS=NONE, LZW"),
        ("BLOCKSIZE=100", "BLOCKSIZE=100: a map can have BLOCKSIZE=128"),
        ("LEVEL=high", "LEVEL=HIGH: a map can have LEVEL=N"),
        ("OVERVIEWS=NONE", "choose from BIGTIFF, BLOCKSIZE"),
        ("PHOTOMETRIC=RGB", "choose from BIGTIFF"),
        ("BLOCKXSIZE=256", "choose from BIGTIFF, BLOCKSIZE"),
        ("COMPRESS", "write KEY=VALUE"),
        ("COMPRESS=LZW COMPRESS=ZSTD", "named twice"),
    ],
)
def test_creation_options_that_a_map_cannot_have_are_told_in_one_line(pair, tmp_path, capsys, text, words):
    options = [part for one in text.split() for part in ("--co", one)]
    assert run("predict", *pair, "-o", tmp_path / "map.tif", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--co" in line
    assert words in line


@pytest.mark.parametrize("compression", ["NONE", "LZW", "DEFLATE", "ZSTD", "LZMA"])
def test_every_compression_that_is_offered_can_be_written(compression, tmp_path):
    source = write_raster(tmp_path / "codes.tif", noise(1, 300, 300, 1))
    write_cog(source, tmp_path / "cog.tif", RasterStyle("x", ()), 90_000, {"COMPRESS": compression})
    (profile, _, structure, pixels) = next(stored(tmp_path / "cog.tif"))
    assert structure.get("COMPRESSION", "NONE") == compression
    np.testing.assert_array_equal(pixels, noise(1, 300, 300, 1)[0])
    assert profile["tiled"]


def test_creation_options_are_checked_in_python_too():
    assert parse_creation_options(["compress=ZSTD", "Level = 9"]) == {"COMPRESS": "ZSTD", "LEVEL": "9"}
    with pytest.raises(OptionError, match="`creation_options` QUALITY=75"):
        OutputOptions(creation_options={"quality": "75"})


def test_a_batch_takes_them_too(pair, tiny_checkpoint, tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text(f"before,after,name\n{pair[0]},{pair[1]},one\n")
    left, top = PLACE.c, PLACE.f
    wishes = ("--bounds", left, top - 40, left + 60, top, "--co", "COMPRESS=ZSTD", "--coregister", "off")
    command = ("batch", "--pairs", table, "-o", tmp_path / "out", "--checkpoint", tiny_checkpoint, "-q")
    assert run(*command, "--devices", "cpu", *wishes) == 0
    (found,) = (tmp_path / "out").glob("*.tif")
    with rasterio.open(found) as dataset:
        assert tuple(dataset.bounds) == (left, top - 40, left + 60, top)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"] == "ZSTD"


def test_a_local_crs_that_cannot_be_transformed_is_one_line_with_its_name(tmp_path):
    local = CRS.from_wkt('LOCAL_CS["site grid",UNIT["metre",1]]')
    paths = [write_raster(tmp_path / f"{n}.tif", noise(n, 40, 40), crs=local) for n in (1, 2)]
    with pytest.raises(PairError, match=r"1\.tif: site grid cannot be transformed to EPSG:32632$"):
        common_grid(read_pair(*paths, ReadOptions(), 3), GridOptions(dst_crs="EPSG:32632"))
