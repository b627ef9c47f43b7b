"""`lsafnet sample` and `lsafnet assess`: which pixels are drawn, what is written, what is read back."""

import csv
import io
import json
from itertools import pairwise

import fiona
import numpy as np
import PIL.Image
import pytest
from affine import Affine
from fiona.transform import transform_geom
from rasterio.crs import CRS

from lsafnet_cli.accuracy import sample
from lsafnet_cli.accuracy.allocation import SampleSize
from lsafnet_cli.accuracy.assess import assess_map
from lsafnet_cli.accuracy.points import read_points
from lsafnet_cli.accuracy.sample import SampleOptions, sample_map
from lsafnet_cli.accuracy.strata import StrataOptions, parse_groups
from lsafnet_cli.app import main
from lsafnet_cli.errors import InputError, OptionError, OutputError
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.files.publishing import MARK
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.observer import Observer

from .change_maps import LAND, NODATA, WATER_TO_GROUND, random_codes, write_map
from .conftest import PLACE, UTM, noise, write_raster

CHANGE_ONLY = Legend(("unchanged", "changed"), ((255, 255, 255), (200, 0, 0)), semantic=False)
SMALL = SampleOptions(SampleSize(per_stratum=10))


@pytest.fixture
def made(tmp_path):
    """Return a map in squares of 5 pixels, some without data, and its codes."""
    codes = random_codes(90, 120, 9, seed=4, coarse=5)
    return write_map(tmp_path / "map.tif", codes), codes


def features(path, layer="sample"):
    with fiona.open(path, layer=layer) as source:
        return [(f["geometry"]["coordinates"], dict(f["properties"])) for f in source]


def pixel_of(place):
    col, row = ~PLACE @ place
    return int(row), int(col)


def label(path, truth, target=None, keep=lambda _: True):
    """Write the classes of a raster of codes into the points of a sample, as a GeoJSON where a target is named."""
    found = features(path)
    for place, values in found:
        code = int(truth[pixel_of(place)])
        t = LAND.transitions[code - 1]
        names = ("water", "water") if code == 0 else (LAND.names[t.from_class], LAND.names[t.to_class])
        if keep(values["id"]):
            values["reference_from"], values["reference_to"] = names
    kinds = {"id": "int", "reference_from": "str", "reference_to": "str", "stratum": "str"}
    kinds |= {"stratum_px": "int64", "stratum_ha": "float"}
    target = target or path.with_name("labelled.gpkg")
    driver = "GeoJSON" if target.suffix == ".geojson" else "GPKG"
    schema = {"geometry": "Point", "properties": kinds}
    with fiona.open(target, "w", driver=driver, crs=UTM, schema=schema) as sink:
        for place, values in found:
            geometry = {"type": "Point", "coordinates": place}
            properties = {name: values[name] for name in kinds}
            sink.write({"type": "Feature", "geometry": geometry, "properties": properties})
    return target


def test_every_point_lies_in_the_middle_of_a_pixel_of_its_stratum_and_none_is_drawn_twice(made, tmp_path):
    path, codes = made
    report = sample_map(path, tmp_path / "points.gpkg", SampleOptions(SampleSize(per_stratum=30)))
    found = features(tmp_path / "points.gpkg")
    assert len({place for place, _ in found}) == len(found) == report.points == 300
    for place, values in found:
        assert LAND.labels[codes[pixel_of(place)]] == values["stratum"]
        assert (np.array(~PLACE @ place) % 1 == 0.5).all()
        assert values["stratum_px"] == (codes == codes[pixel_of(place)]).sum()
        assert values["reference_from"] is None


def test_the_order_of_points_tells_nothing_of_strata(made, tmp_path):
    sample_map(made[0], tmp_path / "points.gpkg", SMALL)
    strata = [values["stratum"] for _, values in features(tmp_path / "points.gpkg")]
    assert sum(a == b for a, b in pairwise(strata)) < 30  # sorted ones have 90


def test_one_seed_draws_the_same_points_whatever_is_read_at_once_and_another_seed_others(
    made, tmp_path, monkeypatch
):
    def places(seed, name):
        options = SampleOptions(SampleSize(per_stratum=10), seed=seed)
        sample_map(made[0], tmp_path / name, options)
        return [place for place, _ in features(tmp_path / name)]

    first = places(1, "a.gpkg")
    monkeypatch.setattr("lsafnet_cli.accuracy.drawing.PIXELS_AT_ONCE", 64 * 120)
    assert places(1, "b.gpkg") == first
    assert places(2, "c.gpkg") != first


def test_pixels_are_drawn_as_often_as_their_ground_is_large(tmp_path):
    path = write_map(
        tmp_path / "map.tif", np.zeros((800, 50)), crs="EPSG:4326", transform=Affine(0.1, 0, 0, 0, -0.1, 80)
    )
    sample_map(path, tmp_path / "points.gpkg", SampleOptions(SampleSize(total=4000)))
    north = np.mean([place[1] > 60 for place, _ in features(tmp_path / "points.gpkg")])
    share = (np.sin(np.radians(80)) - np.sin(np.radians(60))) / np.sin(np.radians(80))  # 0.12; of pixels 0.25
    assert north == pytest.approx(share, abs=0.015)


def test_groups_and_rare_changes_make_strata(made, tmp_path):
    path, codes = made
    options = StrataOptions(groups=parse_groups(["new water=*:water"]), rare_percent=11.5)
    report = sample_map(path, tmp_path / "points.gpkg", SampleOptions(SampleSize(per_stratum=5), options))
    names = {stratum.name: stratum.pixels for stratum in report.strata}
    assert names["new water"] == np.isin(codes, (1, 4, 7)).sum()
    assert "other changes" in names
    assert sum(names.values()) == (codes != NODATA).sum()
    by = sample_map(path, tmp_path / "b.gpkg", SampleOptions(strata=StrataOptions("change")))
    assert [stratum.name for stratum in by.strata] == ["unchanged", "changed"]


def test_groups_of_classes_with_signs_in_their_names_are_read():
    assert parse_groups([r"a=b=x\,y:z,w\=v:*", "c = p:q"]) == {"a=b": ("x,y:z", "w=v:*"), "c": ("p:q",)}


def test_points_of_a_perfect_map_say_so_and_give_its_own_areas(made, tmp_path):
    path, codes = made
    sample_map(path, tmp_path / "points.gpkg", SMALL)
    report = assess_map(path, label(tmp_path / "points.gpkg", codes))
    wrong = [one for one in report.users if one.from_class != one.to_class and one.value != 1]
    assert wrong == []
    for area in report.areas:
        if area.from_class is not None and area.from_class != area.to_class:
            assert area.adjusted_ha == pytest.approx(area.mapped_ha, abs=1e-5)
    total = sum(area.adjusted_ha for area in report.areas)
    assert total == pytest.approx(report.assessed_ha, abs=1e-4)
    assert report.assessed_ha == pytest.approx((codes != NODATA).sum() * 0.25e-4, rel=1e-3)


def test_a_change_that_the_map_misses_is_given_its_ground(tmp_path):
    codes = np.zeros((100, 100), int)
    codes[:20] = WATER_TO_GROUND
    truth = codes.copy()
    truth[90:] = WATER_TO_GROUND
    path = write_map(tmp_path / "map.tif", codes)
    sample_map(path, tmp_path / "points.gpkg", SampleOptions(SampleSize(per_stratum=400)))
    report = assess_map(path, label(tmp_path / "points.gpkg", truth))
    (area,) = (one for one in report.areas if one.from_class == "water")
    assert area.mapped_ha == pytest.approx(0.05, rel=0.01)
    assert area.low_ha < 0.075 < area.high_ha
    assert report.users[1].value == 1
    assert report.producers[1].low < 2 / 3 < report.producers[1].high
    assert report.matrix[0][1] > 0 == report.matrix[1][0]


def test_points_of_one_map_judge_another_by_their_own_strata(made, tmp_path):
    path, codes = made
    sample_map(path, tmp_path / "points.gpkg", SMALL)
    other = write_map(tmp_path / "other.tif", np.where(codes == NODATA, NODATA, WATER_TO_GROUND))
    labelled = label(tmp_path / "points.gpkg", codes)
    report = assess_map(other, labelled)
    share = (codes == WATER_TO_GROUND).sum() / (codes != NODATA).sum()
    assert report.strata == 10
    assert report.overall_accuracy.value == pytest.approx(
        share, abs=1e-6
    )  # each stratum is wholly right or wrong


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_points_without_strata_in_any_crs_serve_and_what_they_cannot_say_is_told(made, tmp_path, crs):
    path, codes = made
    schema = {"geometry": "Point", "properties": {"reference_from": "str", "reference_to": "str"}}
    with fiona.open(tmp_path / "mine.geojson", "w", driver="GeoJSON", crs=crs, schema=schema) as sink:
        rows, cols = np.nonzero(codes == WATER_TO_GROUND)
        for row, col in zip(rows[::9].tolist(), cols[::9].tolist(), strict=True):
            geometry = {"type": "Point", "coordinates": PLACE @ (col + 0.5, row + 0.5)}
            geometry = transform_geom(UTM, crs, geometry)
            values = {"reference_from": " Water", "reference_to": "ground"}
            sink.write({"type": "Feature", "geometry": geometry, "properties": values})
        outside = transform_geom(UTM, crs, {"type": "Point", "coordinates": PLACE @ (-50.5, -50.5)})
        sink.write({"type": "Feature", "geometry": outside, "properties": dict.fromkeys(values, "water")})
    observer = Observer()
    report = assess_map(path, tmp_path / "mine.geojson", observer=observer)
    assert (report.overall_accuracy.value, report.outside_points, report.strata) == (1, 1, 1)
    told = " ".join(observer.notices)
    assert "have no strata" in told
    assert "1 points are outside the map's data" in told
    assert "no point is in unchanged" in told
    assert report.unseen_ha > report.assessed_ha


def test_points_without_labels_are_left_out_and_counted(made, tmp_path):
    path, codes = made
    sample_map(path, tmp_path / "points.gpkg", SMALL)
    report = assess_map(path, label(tmp_path / "points.gpkg", codes, keep=lambda number: number % 2))
    assert (report.points, report.unlabelled_points) == (50, 50)
    with pytest.raises(InputError, match="no point on the map's data has labels"):
        assess_map(path, tmp_path / "points.gpkg")


def test_names_that_are_no_class_are_refused(made, tmp_path):
    path, codes = made
    sample_map(path, tmp_path / "points.gpkg", SMALL)
    labelled = label(tmp_path / "points.gpkg", codes, tmp_path / "labelled.geojson")
    labelled.write_text(labelled.read_text().replace('"reference_to": "ground"', '"reference_to": "soil"'))
    with pytest.raises(InputError, match="'soil' is no class of the map; it has water, ground, building"):
        assess_map(path, labelled)


def test_files_that_cannot_serve_are_refused(made, tmp_path):
    path, _ = made
    sample_map(path, tmp_path / "points.gpkg", SMALL)
    for options, words in (
        (["sample", path, "-o", tmp_path / "points.gpkg"], "exists already; add `overwrite`"),
        (["sample", path, "-o", tmp_path / "points.shp"], "its name must end in .gpkg"),
        (["sample", path, "-o", tmp_path / "b.gpkg", "--before", path], "give both or neither"),
        (["sample", path, "-o", tmp_path / "b.gpkg", "--allocation", "neyman"], "give the number of points"),
        (["sample", path, "-o", tmp_path / "b.gpkg", "--group", "water"], "write NAME=FROM:TO"),
        (["sample", path, "-o", tmp_path / "b.gpkg", "--group", "a=lake:*"], "`groups` lake:*: the map has no class"),
        (["assess", path, path], "points"),
    ):  # fmt: skip
        with pytest.raises((OptionError, OutputError, InputError), match=words.replace("*", r"\*")):
            run(*options)


def run(*words):
    """Run the program without its last resort, so that errors come out as they are."""
    from lsafnet_cli.app import app

    app([str(word) for word in words], standalone_mode=False)


def test_a_map_of_change_alone_is_sampled_and_assessed(tmp_path, capsys):
    codes = random_codes(60, 60, 1, seed=2, coarse=4)
    tags = {LEGEND: CHANGE_ONLY.to_json()}
    path = write_raster(tmp_path / "map.tif", codes[None], nodata=NODATA, tags=tags)
    sample_map(path, tmp_path / "points.gpkg", SMALL)
    found = features(tmp_path / "points.gpkg")
    assert {values["stratum"] for _, values in found} == {"unchanged", "changed"}
    schema = {"geometry": "Point", "properties": {"reference": "str"}}
    with fiona.open(tmp_path / "done.gpkg", "w", driver="GPKG", crs=UTM, schema=schema) as sink:
        for place, values in found:
            geometry = {"type": "Point", "coordinates": place}
            sink.write(
                {"type": "Feature", "geometry": geometry, "properties": {"reference": values["stratum"]}}
            )
    assert assess_map(path, tmp_path / "done.gpkg").overall_accuracy.value == 1


def test_pictures_of_the_points_show_both_dates_around_them(made, tmp_path):
    path, _ = made
    images = [write_raster(tmp_path / f"{n}.tif", noise(n, 90, 120)) for n in (1, 2)]
    options = SampleOptions(SampleSize(per_stratum=2), images=(str(images[0]), str(images[1])))
    report = sample_map(path, tmp_path / "points.gpkg", options)
    for _, values in features(tmp_path / "points.gpkg"):
        with PIL.Image.open(tmp_path / values["picture"]) as picture:
            assert picture.size == (2 * 260 + 6, 260)
            pixels = np.asarray(picture).astype(int)
            middle = pixels[130, 130], pixels[130, 130 + 266]
            assert np.abs(middle[0] - middle[1]).sum() > 0
    assert len(list((tmp_path / "points.chips").iterdir())) == report.points
    with pytest.raises(OutputError, match=r"points\.chips: exists already"):
        (tmp_path / "points.gpkg").unlink()
        sample_map(path, tmp_path / "points.gpkg", options)


def test_pictures_of_a_run_that_was_killed_or_failed_are_no_obstacle(made, tmp_path, monkeypatch):
    path, _ = made
    images = [write_raster(tmp_path / f"{n}.tif", noise(n, 90, 120)) for n in (1, 2)]
    options = SampleOptions(SampleSize(per_stratum=2), images=(str(images[0]), str(images[1])))
    chips, target = tmp_path / "points.chips", tmp_path / "points.gpkg"

    def full(*_):
        raise OSError("a full disk")

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="a full disk"):
        patch.setattr(sample, "write_points", full)
        sample_map(path, target, options)
    assert not chips.exists()
    chips.mkdir()
    (chips / MARK).touch()  # as a killed run leaves it
    (chips / "1.png").write_bytes(b"half")
    report = sample_map(path, target, options)
    assert len(list(chips.iterdir())) == report.points
    (chips / MARK).touch()  # killed when all was written
    with pytest.raises(OutputError, match=r"points\.gpkg: exists already"):
        sample_map(path, target, options)
    assert not (chips / MARK).exists()


def test_the_commands_print_tables_csv_json_and_markdown(made, tmp_path, capsys):
    path, codes = made
    points = tmp_path / "points.gpkg"
    run("sample", path, "-o", points, "--total", 200, "--allocation", "neyman", "--quiet", "--json")
    assert json.loads(capsys.readouterr().out)["points"] == 200
    labelled = label(points, codes)
    run("assess", path, labelled, "--json", "--quiet", "--plot", tmp_path / "areas.png")
    report = json.loads(capsys.readouterr().out)
    assert {"value", "low", "high"} == report["overall_accuracy"].keys()
    assert {"from_class", "to_class", "mapped_ha", "adjusted_ha", "low_ha", "high_ha"} <= report["areas"][
        0
    ].keys()
    assert (tmp_path / "areas.png").stat().st_size > 1000
    run("assess", path, labelled, "--format", "csv", "--quiet")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["kind"] for row in rows} == {"overall", "user", "producer", "area_ha", "area_share"}
    run("assess", path, labelled, "--format", "markdown", "--quiet")
    assert "| unchanged |" in capsys.readouterr().out
    run("assess", path, labelled, "--quiet")
    shown = capsys.readouterr().out
    assert "1.000 (1.000 to 1.000)" in shown
    assert "rror matrix" in shown


def test_a_wrong_exit_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["assess", str(tmp_path / "none.tif"), "points.gpkg"])
    assert left.value.code == 3
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("west", "lon"), [(179.97, -179.99), (190.0, -169.99), (-180.03, 179.99)])
def test_points_lie_on_a_map_whatever_their_longitudes_are_counted_from(tmp_path, west, lon):
    point = {"type": "Point", "coordinates": [lon, 49.95]}
    labels = {"reference_from": "water", "reference_to": "ground"}
    feature = {"type": "Feature", "geometry": point, "properties": labels}
    path = tmp_path / "points.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    grid = Grid(CRS.from_epsg(4326), Affine(1e-3, 0, west, 0, -1e-3, 50), 60, 60)
    found = read_points(str(path), None, grid)
    col = ((lon - west) % 360) * 1000
    assert (found.cols[0], found.rows[0]) == (pytest.approx(col, abs=1e-6), pytest.approx(50, abs=1e-6))
