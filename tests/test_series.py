"""`lsafnet series`: the maps of all intervals, and the rasters, tables and numbers that they give together."""

import csv
import itertools
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.features import rasterize

from lsafnet import build_network, save_checkpoint
from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, ClassEntry, Normalization
from lsafnet_cli import (
    GridOptions,
    InputError,
    OptionError,
    OutputError,
    OutputOptions,
    PairError,
    PredictOptions,
    SeriesError,
    SeriesOptions,
    SeriesReport,
    TileOptions,
    map_series,
    predict_change,
)
from lsafnet_cli.app import main
from lsafnet_cli.files import publishing
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.series import run as series_run
from lsafnet_cli.series.chain import IntervalRows, follow_chain
from lsafnet_cli.series.dates import date_images
from make_series import NAMES, make_series
from scene_files import write_series

from .change_maps import read_polygons
from .conftest import PLACE, UTM, noise, write_raster

pytestmark = pytest.mark.usefixtures("preloaded")
DAYS = ("2012-06-14", "2015-07-02", "2018-06-21", "2020-08-09")


def write_images(folder, dates=("20120601", "2015-06", "2018"), rows=70, cols=90, places=None):
    """Write an image for each date; return their paths."""
    places = places or [(0, 0)] * len(dates)
    return [
        write_raster(
            folder / f"site_{text}.tif", noise(seed, rows, cols), transform=PLACE @ Affine.translation(*place)
        )
        for seed, (text, place) in enumerate(zip(dates, places, strict=True))
    ]


def options_of(checkpoint, overwrite=False, coregister="off", also=(), **others):
    """Return the options of a small series."""
    predict = PredictOptions(
        checkpoint=checkpoint,
        grid=GridOptions(coregister=coregister),
        output=OutputOptions(also=also, overwrite=overwrite),
    )
    return SeriesOptions(predict, devices="cpu", **others)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def modified(folder):
    """Return when each file of a folder was last written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Return the folder of a series of four NAIP-like dates, made by the command, and the labels of the dates."""
    folder = tmp_path_factory.mktemp("town")
    made = make_series(1, 320)
    write_series(NAMES, made.pictures, made.labels, folder)
    images = [str(folder / f"{name}.tif") for name in reversed(NAMES)]
    with pytest.raises(SystemExit) as left:
        main(
            [
                "series",
                *images,
                "-o",
                str(folder / "out"),
                "--devices",
                "cpu",
                "--quiet",
                "--threshold",
                "0.25",
            ]
        )
    assert left.value.code == 0
    return folder / "out", np.stack(made.labels)


@pytest.fixture(scope="module")
def small(tmp_path_factory, tiny_checkpoint, preloaded_for_module):
    """Return the folder and the report of a series of an untrained network, whose pixels change often."""
    folder = tmp_path_factory.mktemp("small")
    images = write_images(folder, ("20120601", "20150601", "20180601", "20200601"))
    return folder / "out", map_series(images, folder / "out", options_of(tiny_checkpoint))


@pytest.fixture(scope="module")
def preloaded_for_module(fork_server):
    """Let workers of module-wide fixtures start with all imports done."""
    import sys

    from .conftest import PRELOADED_PYTHON

    if fork_server is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(PRELOADED_PYTHON))
        patch.setenv("LSAFNET_TEST_FORK_SERVER", fork_server)
        yield


def test_changes_are_found_in_the_interval_in_which_they_happened(town):
    folder, labels = town
    true = np.zeros(labels.shape[1:], int)
    for number, (one, other) in enumerate(itertools.pairwise(labels), 1):
        true[one != other] = number
    when = read(folder / "when.tif")
    for number in (1, 2, 3):
        there = when[true == number]
        assert (there == number).mean() > 0.8
        assert (
            np.isin(there, [0, number]).mean() > 0.98
        )  # what is missed is missed, and not in another interval
    assert (when[true == 0] == 0).mean() > 0.92


def test_how_often_and_the_classes_of_the_ends_are_those_of_the_labels(town):
    folder, labels = town
    often = (np.diff(labels.astype(int), axis=0) != 0).sum(axis=0)
    assert (read(folder / "how_often.tif") == often).mean() > 0.92
    for name, label in (("first_class", labels[0]), ("last_class", labels[-1])):
        assert (read(folder / f"{name}.tif") == label).mean() > 0.85


def test_dates_come_from_the_names_and_order_the_images(town):
    report = json.loads((town[0] / "series.json").read_text(encoding="utf-8"))
    assert [one["date"] for one in report["images"]] == list(DAYS)
    assert {one["date_from"] for one in report["images"]} == {"name of a NAIP file"}
    assert [(one["from_date"], one["to_date"]) for one in report["intervals"]] == list(
        itertools.pairwise(DAYS)
    )


def test_the_rasters_are_what_the_maps_say_together(small):
    folder, report = small
    legend = Legend(
        ("unchanged", "water", "ground", "vegetation", "building"), ((255, 255, 255),) + ((0, 0, 1),) * 4
    )
    maps = [Path(one.map) for one in report.intervals]
    layers = [
        (one, *(one.with_name(f"{one.stem}.{name}.tif") for name in ("before", "after"))) for one in maps
    ]
    chain = follow_chain((IntervalRows(*map(read, files)) for files in layers), legend)
    for name, expected in {
        "when": chain.when, "how_often": chain.times, "observed": chain.observed, "first_class": chain.first,
        "last_class": chain.last, "disagreement": chain.apart,
    }.items():  # fmt: skip
        np.testing.assert_array_equal(read(folder / f"{name}.tif"), expected)
        assert len(np.unique(expected)) > 1 or name == "observed"
    assert report.consistency.disagreeing == sum(chain.disagreeing) > 0
    assert report.consistency.compared == sum(chain.compared)
    assert report.consistency.share == pytest.approx(sum(chain.disagreeing) / sum(chain.compared))


def test_the_report_counts_what_the_rasters_hold(small):
    folder, report = small
    when, times = read(folder / "when.tif"), read(folder / "how_often.tif")
    for number, interval in enumerate(report.intervals, 1):
        assert interval.last_change_pixels == (when == number).sum()
        assert interval.last_change_ha == pytest.approx(0.25 * (when == number).sum() / 10_000, rel=2e-3)
        assert interval.table.changed_pixels == (read(interval.map) > 0).sum()
    assert [one.pixels for one in report.frequencies] == np.bincount(times.ravel(), minlength=4)[:4].tolist()


def test_the_report_comes_back_from_its_file(small):
    folder, report = small
    found = json.loads((folder / "series.json").read_text(encoding="utf-8"))
    del found["asked"]
    assert SeriesReport.from_dict(found) == report


def test_the_table_has_the_areas_of_each_interval(small):
    folder, report = small
    with (folder / "series.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "transition"]
    interval = report.intervals[1]
    found = [row for row in rows if row["from_date"] == interval.from_date]
    assert [int(row["pixels"]) for row in found] == [row.pixels for row in interval.table.transitions]
    assert found[0]["to"] == interval.table.transitions[0].to_class
    assert float(found[0]["ha"]) == interval.table.transitions[0].area_ha


def test_the_rasters_name_their_numbers(small):
    folder, _ = small
    text = (folder / "when.tif.aux.xml").read_text(encoding="utf-8")
    assert "<Category>never changed</Category>" in text
    assert "<Category>2015-06-01 to 2018-06-01</Category>" in text
    assert "no change seen, some intervals without data" in text
    assert 'label="2018-06-01 to 2020-06-01"' in (folder / "when.qml").read_text(encoding="utf-8")
    with rasterio.open(folder / "when.tif") as dataset:
        assert dataset.nodata == 255
        assert len({dataset.colormap(1)[value] for value in (1, 2, 3)}) == 3
        assert json.loads(dataset.tags()["LSAFNET_SERIES"])[0]["date"] == "2012-06-01"


def test_the_same_command_again_keeps_everything(small, tiny_checkpoint):
    folder, report = small
    before, maps = modified(folder), modified(folder / "maps")
    images = [one.path for one in report.images]
    assert map_series(images, folder, options_of(tiny_checkpoint)) == report
    assert modified(folder) == before
    kept = {name: time for name, time in maps.items() if name.endswith((".tif", ".report.json"))}
    assert {name: modified(folder / "maps")[name] for name in kept} == kept


def test_a_further_date_keeps_the_maps_and_wants_overwrite(tmp_path, tiny_checkpoint):
    images = write_images(tmp_path, ("2012", "2015", "2018"))
    map_series(images[:2], tmp_path / "out", options_of(tiny_checkpoint))
    maps = modified(tmp_path / "out" / "maps")["2012_2015.tif"]
    when = (tmp_path / "out" / "when.tif").read_bytes()
    with pytest.raises(OutputError, match=r"when\.tif: exists already; add `overwrite`"):
        map_series(images, tmp_path / "out", options_of(tiny_checkpoint))
    assert (tmp_path / "out" / "when.tif").read_bytes() == when
    report = map_series(images, tmp_path / "out", options_of(tiny_checkpoint, overwrite=True))
    assert len(report.intervals) == 2
    assert modified(tmp_path / "out" / "maps")["2012_2015.tif"] == maps
    assert read(tmp_path / "out" / "when.tif").max() == 2


def test_a_file_of_somebody_else_is_not_replaced(tmp_path, tiny_checkpoint):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "how_often.tif").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        map_series(write_images(tmp_path), tmp_path / "out", options_of(tiny_checkpoint))
    assert not (tmp_path / "out" / "maps").exists()


def test_a_run_that_is_broken_off_after_its_maps_goes_on(tmp_path, tiny_checkpoint, monkeypatch):
    images = write_images(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(series_run, "write_rasters", interrupted)
        map_series(images, tmp_path / "out", options_of(tiny_checkpoint))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["maps"]
    maps = modified(tmp_path / "out" / "maps")
    report = map_series(images, tmp_path / "out", options_of(tiny_checkpoint))
    assert Path(report.outputs["when"]).exists()
    assert modified(tmp_path / "out" / "maps")["2012-06-01_2015-06.tif"] == maps["2012-06-01_2015-06.tif"]


def test_a_run_that_is_killed_while_it_names_its_files_is_finished(tmp_path, tiny_checkpoint, monkeypatch):
    images = write_images(tmp_path)
    named = []

    def name_some(finished, final):
        if len(named) == 5:
            raise KeyboardInterrupt
        named.append(final)
        finished.rename(final)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(publishing, "name_newly", name_some)
        map_series(images, tmp_path / "out", options_of(tiny_checkpoint))
    assert not (tmp_path / "out" / "series.json").exists()
    times = {path: path.stat().st_mtime_ns for path in named}
    report = map_series(images, tmp_path / "out", options_of(tiny_checkpoint))
    assert all(Path(path).exists() for path in report.outputs.values())
    assert {path: path.stat().st_mtime_ns for path in named} == times
    assert not list((tmp_path / "out").glob(".*"))


def interrupted(*_args, **_named):
    raise KeyboardInterrupt


def test_images_that_reach_further_or_less_far_share_one_grid(tmp_path, tiny_checkpoint):
    images = write_images(
        tmp_path, ("2012", "2015", "2018", "2020"), places=[(0, 0), (10, -8), (-20, 16), (-30, 10)]
    )
    report = map_series(images, tmp_path / "out", options_of(tiny_checkpoint))
    shared = [np.s_[:62, 10:90], np.s_[16:62, 10:70], np.s_[16:70, :60]]  # rows and cols of the first image
    maps = [read(one.map) for one in report.intervals]
    when, observed = read(tmp_path / "out" / "when.tif"), read(tmp_path / "out" / "observed.tif")
    with rasterio.open(tmp_path / "out" / "when.tif") as dataset:
        assert (dataset.transform, dataset.shape) == (PLACE, (70, 90))
    expected, last = np.zeros((70, 90), int), np.zeros((70, 90), int)
    for number, (place, codes) in enumerate(zip(shared, maps, strict=True), 1):
        expected[place] += 1
        last[place] = np.where(codes > 0, number, last[place])
    np.testing.assert_array_equal(observed, expected)
    assert {0, 1, 2, 3} == set(np.unique(expected))
    gaps = np.where(expected == 0, 255, np.where(expected < 3, 254, 0))
    np.testing.assert_array_equal(when, np.where(last > 0, last, gaps))


def test_each_date_is_brought_to_the_image_of_the_grid(tmp_path, tiny_checkpoint):
    base = smooth_noise(260, 300)
    images = []
    for name, (row, col) in {"2012": (0, 0), "2015": (4, -3), "2018": (-5, 2)}.items():
        shifted = np.roll(base, (row, col), axis=(1, 2))
        images.append(write_raster(tmp_path / f"site_{name}.tif", shifted))
    map_series(images, tmp_path / "out", options_of(tiny_checkpoint, coregister="auto"))
    with rasterio.open(tmp_path / "out" / "maps" / "2015_2018.tif") as dataset:
        told = json.loads(dataset.tags()["LSAFNET_OPTIONS"])
        place = ~PLACE @ (dataset.transform.c, dataset.transform.f)
    np.testing.assert_allclose(told["shift_px"], [[4, -3], [-5, 2]], atol=0.3)
    assert told["grid"] == str(images[0])
    assert place == pytest.approx((round(place[0]), round(place[1])), abs=1e-6)


def smooth_noise(rows, cols):
    from scipy import ndimage

    field = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(3, rows, cols)), (0, 2, 2))
    return np.clip(128 + 60 * field / field.std(), 1, 255).astype(np.uint8)


def test_a_pair_on_a_third_image_s_grid_has_its_pixels(tmp_path, tiny_checkpoint):
    third, before, after = write_images(tmp_path, places=[(0.5, 0.25), (0, 0), (3, 2)])
    options = PredictOptions(
        checkpoint=tiny_checkpoint, grid=GridOptions(image=third, coregister="off"), tile=TileOptions(64)
    )
    predict_change(before, after, tmp_path / "map.tif", options)
    with rasterio.open(tmp_path / "map.tif") as dataset:
        col, row = ~(PLACE @ Affine.translation(0.5, 0.25)) @ (dataset.transform.c, dataset.transform.f)
    assert (col, row) == pytest.approx((2, 2), abs=1e-6)  # the first centre within all images


def test_a_network_without_classes_has_no_rasters_of_classes(tmp_path):
    checkpoint = tmp_path / "binary.safetensors"
    usual = BandStatistics((110.0,) * 3, (50.0,) * 3)
    info = CheckpointInfo(
        network="fc-siam-diff",
        classes=(ClassEntry("unchanged", "#ffffff"), ClassEntry("changed", "#ff0000")),
        bands=3,
        normalization=Normalization(usual, usual),
        value_range=(0.0, 255.0),
        tile_px=64,
        trained_on="nothing",
        license="Apache-2.0",
    )
    save_checkpoint(checkpoint, build_network("fc-siam-diff", num_classes=2), info)
    report = map_series(write_images(tmp_path), tmp_path / "out", options_of(checkpoint))
    assert set(report.outputs) == {"when", "how_often", "observed", "polygons", "page", "table", "report"}
    assert report.consistency is None


def test_without_land_cover_only_what_changed_has_classes(tmp_path, tiny_checkpoint):
    images = write_images(tmp_path)
    report = map_series(images, tmp_path / "out", options_of(tiny_checkpoint, land_cover=False))
    assert not list((tmp_path / "out" / "maps").glob("*.before.tif"))
    often, first = (read(tmp_path / "out" / f"{name}.tif") for name in ("how_often", "first_class"))
    assert (first[often == 0] == 0).all()
    assert (first[often > 0] > 0).all()
    assert 0 < report.consistency.compared < often.size


def test_clouds_of_each_date_are_no_data(tmp_path, tiny_checkpoint):
    images = write_images(tmp_path)
    masks = []
    for number in range(3):
        cloudy = np.zeros((1, 70, 90), np.uint8)
        cloudy[0, 10 * number : 10 * number + 10] = 1
        masks.append(write_raster(tmp_path / f"cloud{number}.tif", cloudy))
    options = options_of(tiny_checkpoint, cloud_masks=tuple(masks))
    map_series(images, tmp_path / "out", options)
    rows = [int(row[0]) for row in read(tmp_path / "out" / "observed.tif")[::10]]
    assert rows == [1, 0, 1, 2, 2, 2, 2]


def test_a_map_that_fails_is_named_and_the_others_are_kept(tmp_path, tiny_checkpoint):
    images = write_images(tmp_path, places=[(0, 0), (0, 0), (1000, 0)])
    with pytest.raises(
        SeriesError, match=r"1 of 2 maps failed, 2015-06_2018: .*site_2018\.tif do not overlap"
    ):
        map_series(images, tmp_path / "out", options_of(tiny_checkpoint))
    assert len(np.unique(read(tmp_path / "out" / "maps" / "2012-06-01_2015-06.tif"))) > 1
    assert not (tmp_path / "out" / "when.tif").exists()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a_2015.tif", "b_2015-06-01.tif"), "which is the earlier one is not known"),
        (("a_20150601.tif", "b_20150601.tif"), "which is the earlier one is not known"),
        (("one.tif", "b_2015.tif"), "one.tif: neither its tags nor its name tell"),
    ],
)
def test_images_of_unknown_order_are_refused(tmp_path, names, told):
    for name in names:
        write_raster(tmp_path / name, noise(1, 20, 20))
    with pytest.raises(OptionError, match=told):
        date_images([str(tmp_path / name) for name in names])


def test_dates_that_are_given_decide(tmp_path):
    images = [str(path) for path in write_images(tmp_path)]
    found = date_images(images, ("2018-05", "2011", "2018-06-30"))
    assert [one.path for one in found] == [images[1], images[0], images[2]]
    assert [one.date.day for one in found][:2] == [None, None]
    assert found[2].date.day.isoformat() == "2018-06-30"


@pytest.mark.parametrize("dates", [("2011",), ("2011", "2012", "soon"), ("2011", "2012", "2012-13")])
def test_dates_that_are_none_or_too_few_are_refused(tmp_path, dates):
    with pytest.raises(OptionError, match="`dates`"):
        date_images([str(path) for path in write_images(tmp_path)], dates)


def test_a_folder_above_all_images_tells_no_date(tmp_path):
    paths = []
    for folder in ("2019/2012", "2019/2015"):
        (tmp_path / folder).mkdir(parents=True)
        paths.append(str(write_raster(tmp_path / folder / "site.tif", noise(1, 20, 20))))
    assert [one.date.text for one in date_images(paths)] == ["2012", "2015"]


def test_a_tag_goes_before_a_name(tmp_path):
    tagged = write_raster(tmp_path / "a_2020.tif", noise(1, 20, 20), tags={"ACQUISITION_DATE": "2011-02-03"})
    named = write_raster(tmp_path / "b_2015.tif", noise(2, 20, 20))
    found = date_images([str(named), str(tagged)])
    assert [(one.date.text, one.date.source) for one in found] == [
        ("2011-02-03", "tag ACQUISITION_DATE"),
        ("2015", "name of the image"),
    ]


def test_one_image_or_one_twice_is_no_series(tmp_path):
    image = str(write_images(tmp_path)[0])
    with pytest.raises(OptionError, match="2 to 254 images"):
        date_images([image])
    with pytest.raises(PairError, match="is named twice"):
        date_images([image, image], ("2012", "2013"))


def test_an_image_that_cannot_be_read_is_told_at_once(tmp_path, tiny_checkpoint):
    images = write_images(tmp_path)
    with pytest.raises(InputError, match=r"nowhere\.tif"):
        map_series([*images, tmp_path / "nowhere.tif"], tmp_path / "out", options_of(tiny_checkpoint))
    assert not (tmp_path / "out").exists()


def test_the_command_prints_tables_or_json(small, tiny_checkpoint, capsys):
    folder, report = small
    words = [
        "series",
        *(one.path for one in report.images),
        "-o",
        str(folder),
        "--checkpoint",
        str(tiny_checkpoint),
    ]
    words += ["--devices", "cpu", "--coregister", "off", "--min-area", "0", "--quiet"]
    with pytest.raises(SystemExit) as left:
        main([*words, "--overwrite"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert "2015-06-01 to 2018-06-01" in shown
    assert "consistency: at " in shown
    with pytest.raises(SystemExit) as left:
        main([*words, "--json"])
    assert left.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["consistency"]["compared"] == report.consistency.compared
    assert found["crs"] == UTM


def test_polygons_say_when_the_ground_last_changed(small):
    folder, report = small
    geometries, fields, crs = read_polygons(folder / "when.gpkg")
    when, maps = read(folder / "when.tif"), [read(one.map) for one in report.intervals]
    assert len(geometries) == report.polygon_count == len(set(fields["id"]))
    assert crs == UTM
    names = [interval.name for interval in report.intervals]
    drawn = np.zeros(when.shape, np.uint8)
    for geometry, name, number, pixels in zip(
        geometries, fields["when"], fields["interval"], fields["pixels"], strict=True
    ):
        assert name == names[number - 1]
        inside = rasterize([geometry], when.shape, transform=PLACE) > 0
        assert inside.sum() == pixels
        drawn[inside] = number
    assert sorted(set(fields["when"])) == names
    sure = components_of_at_least(when, maps, 16)
    np.testing.assert_array_equal(drawn[sure], when[sure])
    rows = zip(fields["when"], fields["before_date"], fields["after_date"], strict=True)
    assert ("2015-06-01 to 2018-06-01", "2015-06-01", "2018-06-01") in {tuple(map(str, row)) for row in rows}


def components_of_at_least(when, maps, least):
    """Return where specks play no part: pixels of large components and all whose neighbours are unchanged too."""
    from scipy import ndimage

    sure = ndimage.binary_erosion(np.isin(when, (0, 254)), iterations=5)
    for number, codes in enumerate(maps, 1):
        for code in np.unique(codes[when == number]):
            labels, _ = ndimage.label((when == number) & (codes == code))
            sizes = np.bincount(labels.ravel())
            sure |= (labels > 0) & (sizes[labels] >= least)
    return sure


def test_the_polygons_are_styled_by_their_interval(small):
    with closing(sqlite3.connect(small[0] / "when.gpkg")) as base:
        ((style,),) = base.execute("SELECT styleQML FROM layer_styles").fetchall()
    assert 'attr="when"' in style
    assert 'value="2012-06-01 to 2015-06-01"' in style
