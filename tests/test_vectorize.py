"""Polygons from a change map: what they say, and that they do not depend on how the map is stored."""

import subprocess
import sys
from datetime import date

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Geod
from rasterio.features import rasterize

from lsafnet_cli import PolygonOptions, PredictOptions, predict_change, vectorize_changes
from lsafnet_cli.errors import InputError, OptionError, OutputError
from lsafnet_cli.geometry import row_bands
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.options import OutputOptions
from lsafnet_cli.polygons import vectorization
from lsafnet_cli.polygons.table import FIELDS

from . import maps
from .change_maps import (
    GROUND_TO_WATER,
    LAND,
    NODATA,
    WATER_TO_BUILDING,
    WATER_TO_GROUND,
    blobs,
    read_polygons,
    write_map,
    write_probability,
)
from .conftest import PLACE, noise, write_raster

MANY = PolygonOptions(min_area_m2=3, simplify_m=0.7, smooth=True)


def vectorize(path, options=None, **more):
    """Return the polygons of a map and their columns."""
    target = path.with_name(f"out{len(list(path.parent.glob('out*.gpkg')))}.gpkg")
    report = vectorize_changes(path, [target], options, **more)
    polygons, columns, _ = read_polygons(target)
    assert len(polygons) == report.polygon_count
    return polygons, columns


def same(one, other):
    """Assert that two results of `vectorize` hold the same features."""
    assert shapely.equals_exact(one[0], other[0]).all()
    assert list(one[1]) == list(other[1])
    for name, values in one[1].items():
        np.testing.assert_array_equal(values, other[1][name])


@pytest.mark.parametrize(
    "options",
    [
        PolygonOptions(),
        MANY,
        PolygonOptions(dissolve=True),
        PolygonOptions(classes=("ground:*",), min_area_m2=2),
    ],
    ids=["plain", "sieved, simplified, smoothed", "dissolved", "filtered"],
)
def test_predict_and_vectorize_give_the_same_file(pair, tiny_checkpoint, tmp_path, options):
    first = tmp_path / "predicted.gpkg"
    output = OutputOptions((first,), also=("probability",))
    run = PredictOptions(checkpoint=tiny_checkpoint, output=output, polygons=options)
    predict_change(*pair, tmp_path / "changes.tif", run)
    polygons, columns, crs = read_polygons(first)
    assert crs == "EPSG:32632"
    assert len(polygons) > 0
    assert not np.isnan(columns["confidence"]).any()
    same((polygons, columns), vectorize(tmp_path / "changes.tif", options))


def test_each_piece_has_its_transition_its_size_and_its_mean_probability(tmp_path):
    codes = np.zeros((60, 80), np.uint8)
    codes[10:20, 10:30] = WATER_TO_GROUND
    codes[10:20, 30:35] = GROUND_TO_WATER
    codes[40:50, 40:50] = WATER_TO_GROUND
    percent = np.where(codes == GROUND_TO_WATER, 60, 90)
    percent[40:45, 40:50] = 70
    path = write_map(tmp_path / "town.tif", codes, tags={"LSAFNET_BEFORE_DATE": "2019-06-15"})
    write_probability(path, percent)
    polygons, columns = vectorize(path, PolygonOptions(after_date=date(2023, 9, 2)))
    assert columns["id"].tolist() == [1, 2, 3]
    assert columns["from_class"].tolist() == ["water", "ground", "water"]
    assert columns["to_class"].tolist() == ["ground", "water", "ground"]
    assert columns["transition"].tolist() == ["water to ground", "ground to water", "water to ground"]
    assert columns["pixels"].tolist() == [200, 50, 100]
    assert columns["confidence"].tolist() == [0.9, 0.6, 0.8]
    assert columns["area_m2"].tolist() == pytest.approx([50, 12.5, 25], rel=1e-3)
    assert columns["area_ha"].tolist() == pytest.approx([0.005, 0.00125, 0.0025], rel=1e-3)
    assert set(columns["before_date"].astype(str)) == {"2019-06-15"}
    assert set(columns["after_date"].astype(str)) == {"2023-09-02"}
    assert set(columns["scene"]) == {"town"}
    assert polygons[0].bounds == (600005, 5334990, 600015, 5334995)


def test_without_a_probability_the_confidence_is_not_known_and_the_user_is_told(tmp_path):
    from lsafnet_cli.observer import Observer

    path, observer = write_map(tmp_path / "map.tif", blobs(50, 50)), Observer()
    _, columns = vectorize(path, observer=observer)
    assert np.isnan(columns["confidence"]).all()
    assert [notice.split(" does not exist")[0] for notice in observer.notices] == [
        str(tmp_path / "map.probability.tif")
    ]
    other = write_raster(tmp_path / "p.tif", np.full((1, 50, 50), 75, np.uint8), nodata=255)
    _, columns = vectorize(path, probability=other)
    assert set(columns["confidence"]) == {0.75}
    small = write_raster(tmp_path / "small.tif", np.full((1, 40, 50), 75, np.uint8), nodata=255)
    with pytest.raises(InputError, match=r"small\.tif: is not on the grid"):
        vectorize(path, probability=small)


@pytest.mark.parametrize(
    ("crs", "place"),
    [
        ("EPSG:4326", Affine(1e-4, 0, 10, 0, -1e-4, 0.002)),
        ("EPSG:4326", Affine(1e-4, 0, 10, 0, -1e-4, 60.002)),
        ("EPSG:3857", Affine(10, 0, 1113194.9, 0, -10, 300)),
        ("EPSG:3857", Affine(10, 0, 1113194.9, 0, -10, 8399737.9)),
        ("EPSG:32632", Affine(10, 0, 500000, 0, -10, 6651000)),
    ],
    ids=["degrees, equator", "degrees, 60 north", "web mercator, equator", "web mercator, 60 north", "UTM"],
)
def test_areas_are_those_on_the_ellipsoid_in_any_crs(tmp_path, crs, place):
    from pyproj import Transformer

    codes = np.zeros((40, 40), np.uint8)
    codes[5:25, 5:35] = WATER_TO_GROUND
    codes[10:15, 10:20] = 0
    path = write_map(tmp_path / "map.tif", codes, crs=crs, transform=place)
    (polygon,), columns = vectorize(path)
    degrees = shapely.transform(
        shapely.segmentize(polygon, abs(place.a)),
        Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform,
        interleaved=False,
    )
    expected = abs(Geod(ellps="WGS84").geometry_area_perimeter(degrees)[0])
    assert columns["area_m2"][0] == pytest.approx(expected, rel=1e-5)
    assert columns["area_ha"][0] == pytest.approx(expected / 1e4, rel=1e-4)


def test_a_square_kilometre_is_one_in_web_mercator_at_60_degrees_north(tmp_path):
    """One pixel of 2 km in web mercator at 60 degrees is 1 km wide: the sphere's scale is 1 / cos(60) = 2."""
    codes = np.zeros((3, 3), np.uint8)
    codes[1, 1] = WATER_TO_GROUND
    place = Affine(2000, 0, 0, 0, -2000, 8399737.89 + 3000)
    _, columns = vectorize(write_map(tmp_path / "map.tif", codes, crs="EPSG:3857", transform=place))
    assert columns["area_m2"][0] == pytest.approx(1e6, rel=4e-3)


def test_polygons_do_not_depend_on_blocks_and_row_bands(tmp_path, monkeypatch):
    codes = blobs(300, 210, sigma=2)
    codes[:, 100:104] = WATER_TO_BUILDING  # across every row band
    plain = write_map(tmp_path / "scene.tif", codes)
    write_probability(plain, codes)
    (tmp_path / "tiled").mkdir()
    tiled = write_map(
        tmp_path / "tiled" / "scene.tif", codes, tiled=True, blockxsize=32, blockysize=16, compress="lzw"
    )
    write_probability(tiled, codes, tiled=True, blockxsize=64, blockysize=64)
    for options in (PolygonOptions(), MANY):
        whole = vectorize(plain, options)
        with monkeypatch.context() as small:
            small.setattr(row_bands, "PIXELS_AT_ONCE", 1)
            same(vectorize(tiled, options), whole)


def test_a_process_apart_gives_the_same_polygons_and_its_errors(tmp_path, monkeypatch):
    path = write_map(tmp_path / "map.tif", blobs(80, 80))
    whole = vectorize(path, MANY)
    monkeypatch.setattr(vectorization, "APART_PX", 1)
    same(vectorize(path, MANY), whole)


def test_polygons_drawn_again_give_the_map_and_none_touches_no_data(tmp_path):
    codes = blobs(120, 150)
    path = write_map(tmp_path / "map.tif", codes)
    code_of = {transition.name: transition.code for transition in LAND.transitions}
    for options in (PolygonOptions(), PolygonOptions(simplify_m=1.5, smooth=True)):
        polygons, columns = vectorize(path, options)
        shapes = list(zip(polygons, map(code_of.get, columns["transition"]), strict=True))
        drawn = rasterize(shapes, codes.shape, transform=PLACE, dtype="uint8")
        if not options.generalised:
            np.testing.assert_array_equal(drawn, np.where(codes == NODATA, 0, codes))
        assert (drawn == codes).mean() > 0.85
        lost = rasterize([(polygon, 1) for polygon in polygons], codes.shape, transform=PLACE, dtype="uint8")
        assert (lost[codes == NODATA] == 0).all()


def test_a_least_area_changes_polygons_only_and_counts_what_they_took_in(tmp_path):
    codes = np.zeros((40, 40), np.uint8)
    codes[5:25, 5:25] = WATER_TO_GROUND
    codes[10:12, 10:12] = 0
    codes[30, 30] = GROUND_TO_WATER
    path = write_map(tmp_path / "map.tif", codes)
    before = path.read_bytes()
    (polygon,), columns = vectorize(path, PolygonOptions(min_area_m2=2))
    assert columns["pixels"].tolist() == [400]
    assert polygon.area == 100
    assert len(polygon.interiors) == 0
    assert path.read_bytes() == before
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), codes)


def test_only_the_classes_that_were_asked_for(tmp_path):
    codes = np.zeros((1, 12), np.uint8)
    codes[0, ::2] = [1, WATER_TO_GROUND, WATER_TO_BUILDING, GROUND_TO_WATER, 6, 9]
    path = write_map(tmp_path / "map.tif", codes)

    def transitions(*classes):
        return vectorize(path, PolygonOptions(classes=classes))[1]["transition"].tolist()

    assert transitions("*:building") == ["water to building", "ground to building", "building to building"]
    assert transitions("Water:*") == ["water to water", "water to ground", "water to building"]
    assert transitions("water:ground", "ground:water") == ["water to ground", "ground to water"]
    assert len(transitions("*:*")) == len(transitions()) == 6
    assert transitions("building:ground") == []
    with pytest.raises(OptionError, match="no class sea; it has water, ground, building"):
        transitions("sea:*")


def test_dissolved_polygons_are_one_for_each_transition_with_sums_and_means(tmp_path):
    path = write_map(tmp_path / "map.tif", blobs(150, 150))
    write_probability(path, np.random.default_rng(0).integers(50, 100, (150, 150)))
    plain, columns = vectorize(path)
    whole, sums = vectorize(path, PolygonOptions(dissolve=True))
    assert sums["transition"].tolist() == ["water to ground", "water to building", "ground to water"]
    assert shapely.is_valid(whole).all()
    assert set(shapely.get_type_id(whole)) == {shapely.GeometryType.MULTIPOLYGON}
    for number, name in enumerate(sums["transition"]):
        mine = columns["transition"] == name
        assert shapely.get_num_geometries(whole)[number] == mine.sum()
        assert sums["pixels"][number] == columns["pixels"][mine].sum()
        assert sums["area_m2"][number] == pytest.approx(columns["area_m2"][mine].sum(), rel=1e-3)
        mean = np.average(columns["confidence"][mine], weights=columns["pixels"][mine])
        assert sums["confidence"][number] == pytest.approx(mean, abs=1e-4)
        assert whole[number].area == pytest.approx(shapely.area(plain[mine]).sum())


def test_a_map_without_a_change_gives_an_empty_file(tmp_path):
    path = write_map(tmp_path / "map.tif", np.zeros((20, 20)))
    for options in (PolygonOptions(), PolygonOptions(dissolve=True), MANY):
        polygons, columns = vectorize(path, options)
        assert len(polygons) == 0
        assert "transition" in columns


def test_a_map_without_a_georeference_counts_in_pixels(tmp_path):
    codes = np.zeros((30, 30), np.uint8)
    codes[5:15, 5:15], codes[20, 20] = WATER_TO_GROUND, WATER_TO_GROUND
    path = write_map(tmp_path / "map.tif", codes, crs=None, transform=Affine.identity())
    polygons, columns = vectorize(path, PolygonOptions(min_area_m2=2, simplify_m=1))
    assert columns["pixels"].tolist() == [100]
    assert np.isnan(columns["area_m2"]).all()
    assert polygons[0].area == pytest.approx(100)


def test_a_raster_that_is_no_change_map_is_refused(tmp_path):
    plain = write_raster(tmp_path / "image.tif", noise(1, 20, 20))
    with pytest.raises(InputError, match=r"image\.tif: is no change map of lsafnet"):
        vectorize_changes(plain, [tmp_path / "x.gpkg"])
    with pytest.raises(InputError, match="no such file"):
        vectorize_changes(tmp_path / "gone.tif", [tmp_path / "x.gpkg"])
    assert [path.name for path in tmp_path.iterdir()] == ["image.tif"]


def test_files_that_exist_are_kept_and_nothing_else_is_left(tmp_path):
    path = write_map(tmp_path / "map.tif", blobs(40, 40))
    target = tmp_path / "x.gpkg"
    target.write_text("precious")
    with pytest.raises(OutputError, match="`overwrite`"):
        vectorize_changes(path, [target])
    assert target.read_text() == "precious"
    vectorize_changes(path, [target], overwrite=True)
    assert len(read_polygons(target)[0]) > 0
    assert {entry.name for entry in tmp_path.iterdir()} == {"map.tif", "x.gpkg"}
    with pytest.raises(OutputError, match="is also an input"):
        vectorize_changes(path.rename(tmp_path / "map.shp"), [tmp_path / "map.shp"], overwrite=True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"min_area_m2": -1}, "`min_area_m2` -1"),
        ({"simplify_m": float("nan")}, "`simplify_m` nan"),
        ({"classes": ("water",)}, "FROM:TO"),
        ({"before_date": date(2024, 1, 2), "after_date": date(2024, 1, 1)}, "later than"),
    ],
)
def test_options_without_sense_are_refused(wrong, words):
    with pytest.raises(OptionError, match=words):
        PolygonOptions(**wrong)


def test_polygon_options_without_a_polygon_file_are_refused():
    with pytest.raises(OptionError, match="`simplify_m` applies to polygons only"):
        predict_change("b.tif", "a.tif", "c.tif", PredictOptions(polygons=PolygonOptions(simplify_m=3)))


def test_a_form_for_verdicts_comes_into_geopackages_alone_and_only_where_it_is_asked_for(tmp_path):
    path = write_map(tmp_path / "map.tif", blobs(30, 30))
    endings = ("gpkg", "geojson", "shp")
    for name, options in (("plain", PolygonOptions()), ("form", PolygonOptions(review_form=True))):
        vectorize_changes(path, [tmp_path / f"{name}.{ending}" for ending in endings], options)
    plain = {ending: read_polygons(tmp_path / f"plain.{ending}")[1] for ending in endings}
    form = {ending: read_polygons(tmp_path / f"form.{ending}")[1] for ending in endings}
    assert tuple(plain["gpkg"]) == FIELDS
    assert tuple(form["gpkg"]) == (*FIELDS, "status", "corrected_to")
    assert set(form["gpkg"]["status"]) == {"open"}
    assert set(form["gpkg"]["corrected_to"]) == {None}
    assert plain["geojson"].keys() == form["geojson"].keys()
    assert plain["shp"].keys() == form["shp"].keys()
    told = maps.output_of("ogrinfo", "-so", tmp_path / "form.gpkg", "changes")
    assert "status: String (0.0) DEFAULT 'open'" in told
    assert "corrected_to: String (0.0)" in told
    with pytest.raises(OptionError, match="`review_form`: only a GeoPackage"):
        vectorize_changes(path, [tmp_path / "x.geojson"], PolygonOptions(review_form=True))


def test_vectorizing_does_not_wait_for_torch(tmp_path):
    path = write_map(tmp_path / "map.tif", blobs(30, 30))
    code = (
        "import sys; from lsafnet_cli.app import main\n"
        f"try: main(['vectorize', {str(path)!r}, '-o', {str(tmp_path / 'x.fgb')!r}, '-q'])\n"
        "except SystemExit as left: sys.exit(left.code or 'torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL).returncode == 0
    )
    assert (tmp_path / "x.fgb").exists()


COLONS = ("unchanged", "water", "urban: dense", "urban", "a:b", "b:c", "a", "c")


@pytest.mark.parametrize(
    ("wish", "transitions"),
    [
        ("*:urban: dense", {"water to urban: dense"}),
        ("water:urban: dense", {"water to urban: dense"}),
        ("urban: dense:water", {"urban: dense to water"}),
        ("urban: dense:*", {"urban: dense to water"}),
        ("a:b:water", {"a:b to water"}),
    ],
)
def test_names_of_classes_may_hold_colons(tmp_path, wish, transitions):
    colors = tuple((n, n, n) for n in range(len(COLONS)))
    legend = Legend(COLONS, colors)
    codes = np.zeros((12, 12), np.uint8)
    for number, (before, after) in enumerate([(1, 2), (2, 1), (4, 1), (1, 3)]):
        codes[3 * number : 3 * number + 2, :5] = 1 + (before - 1) * 7 + after - 1
    path = maps.write_map(tmp_path / "map.tif", codes, legend)
    assert set(vectorize(path, PolygonOptions(classes=(wish,)))[1]["transition"]) == transitions
    with pytest.raises(OptionError, match=r"`classes` a:b:c: is ambiguous, with 2 readings"):
        vectorize(path, PolygonOptions(classes=("a:b:c",)))
    with pytest.raises(OptionError, match="the map has no class sea"):
        vectorize(path, PolygonOptions(classes=("sea:urban: dense",)))


@pytest.mark.parametrize("code", [17, 61, 254])
def test_codes_that_the_legend_does_not_know_are_refused(tmp_path, code):
    codes = np.zeros((60, 60), np.uint8)
    codes[10:40, 10:50] = code
    path = maps.write_map(tmp_path / "map.tif", codes, maps.legend_of())
    with pytest.raises(InputError, match=f"contains the value {code}, but its legend has 16 transitions"):
        vectorize(path)
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".qml", ".tif", ".xml"]
