"""Polygon files as others see them: ogrinfo of Debian, SQLite, JSON, pyarrow."""

import json
import shutil
import sqlite3
import subprocess
from xml.etree import ElementTree as ET

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine

from lsafnet_cli import PolygonOptions, vectorize_changes
from lsafnet_cli.app import main
from lsafnet_cli.errors import OutputError
from lsafnet_cli.files.publishing import WorkFolder
from lsafnet_cli.polygons import files as polygon_files

from .change_maps import LAND, blobs, read_polygons, write_map, write_probability

ENDINGS = (".gpkg", ".geojson", ".fgb", ".shp")
SHAPEFILE = {".shp", ".shx", ".dbf", ".prj", ".cpg"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with one map's polygons in every format, and the number of them."""
    folder = tmp_path_factory.mktemp("files")
    tags = {"LSAFNET_BEFORE_DATE": "2019-06-15"}
    path = write_map(folder / "map.tif", blobs(90, 120), tags=tags)
    write_probability(path, np.full((90, 120), 83))
    targets = [folder / f"changes{ending}" for ending in (*ENDINGS, ".parquet")]
    report = vectorize_changes(path, targets, PolygonOptions(simplify_m=0.6))
    return folder, report.polygon_count


def ogrinfo(path, *options):
    """Return what Debian's ogrinfo says of a file, as text."""
    if shutil.which("ogrinfo") is None:
        pytest.skip("ogrinfo is not installed (Debian: gdal-bin)")
    command = ["ogrinfo", "-ro", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Warning" not in done.stderr + done.stdout
    return done.stdout


@pytest.mark.parametrize("ending", ENDINGS)
def test_ogrinfo_agrees_on_crs_count_and_areas(files, ending):
    folder, count = files
    path = folder / f"changes{ending}"
    name = "changes"
    summary = ogrinfo(path, "-so", "-al")
    assert f"Feature Count: {count}" in summary
    assert f'ID["EPSG",{4326 if ending == ".geojson" else 32632}]' in summary
    assert "Geometry: Polygon" in summary
    sql = f"SELECT SUM(area_m2) AS told, SUM(ST_Area(geom)) AS drawn FROM {name}"
    if ending in (".fgb", ".shp"):
        sql = sql.replace("geom", "geometry")
    elif ending == ".geojson":
        sql = sql.replace("geom", "ST_Transform(geometry, 32632)")
    lines = ogrinfo(path, "-dialect", "SQLITE", "-sql", sql).splitlines()
    told, drawn = (float(line.rpartition("=")[2]) for line in lines if " (Real) = " in line)
    _, columns, _ = read_polygons(path)
    assert told == pytest.approx(columns["area_m2"].sum(), rel=1e-9)
    assert drawn == pytest.approx(told, rel=2e-3)  # UTM's own scale is 0.9996 here


def test_all_formats_hold_the_same_features(files):
    folder, count = files
    expected, columns, _ = read_polygons(folder / "changes.gpkg")
    for ending in (".fgb", ".shp"):
        polygons, found, crs = read_polygons(folder / f"changes{ending}")
        order = np.argsort(found["id"])
        assert crs == "EPSG:32632"
        assert len(polygons) == count
        assert shapely.equals(shapely.normalize(polygons[order]), shapely.normalize(expected)).all()
        for name, values in columns.items():
            short = name[:10] if ending == ".shp" else name
            mine = found[short][order]
            if values.dtype.kind == "M":
                mine = mine.astype(values.dtype)
            np.testing.assert_array_equal(mine, values)


def test_names_in_a_shapefile_have_ten_characters_at_most(files):
    fields = pyogrio.read_info(files[0] / "changes.shp")["fields"].tolist()
    assert fields == [
        "id", "from_class", "to_class", "transition", "area_m2", "area_ha", "confidence", "pixels",
        "before_dat", "after_date", "scene",
    ]  # fmt: skip
    assert (files[0] / "changes.cpg").read_text() == "UTF-8"


def test_geojson_keeps_to_rfc_7946(files):
    content = json.loads((files[0] / "changes.geojson").read_text())
    assert "crs" not in content
    assert len(content["features"]) == files[1]
    first = content["features"][0]
    assert first["properties"]["before_date"] == "2019-06-15"
    assert first["properties"]["after_date"] is None
    for feature in content["features"]:
        outline, *holes = map(shapely.LinearRing, feature["geometry"]["coordinates"])
        assert outline.is_ccw
        assert not any(hole.is_ccw for hole in holes)
    numbers = np.array([point for ring in first["geometry"]["coordinates"] for point in ring])
    assert np.abs(numbers - numbers.round(7)).max() < 1e-12
    assert (np.abs(numbers.mean(axis=0) - (10.35, 48.16)) < 0.01).all()
    polygons, _, _ = read_polygons(files[0] / "changes.geojson")
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)


def test_a_geopackage_has_a_spatial_index_and_qgis_finds_its_style(files):
    with sqlite3.connect(files[0] / "changes.gpkg") as base:
        index = "SELECT extension_name FROM gpkg_extensions WHERE table_name = 'changes'"
        assert ("gpkg_rtree_index",) in base.execute(index).fetchall()
        contents = dict(base.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall())
        style = "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        ((table, column, default, qml),) = base.execute(style).fetchall()
        geometry = "SELECT table_name, column_name FROM gpkg_geometry_columns"
        assert base.execute(geometry).fetchall() == [(table, column)]
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert contents == {"changes": "features", "layer_styles": "attributes"}
    assert default == 1
    renderer = ET.fromstring(qml.split("\n", 1)[1]).find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "transition")
    colors = {
        symbol.get("name"): symbol.find("layer/prop[@k='color']").get("v")
        for symbol in renderer.find("symbols")
    }
    shown = {c.get("value"): colors[c.get("symbol")] for c in renderer.find("categories")}
    assert shown == {t.name: ",".join(map(str, (*t.color, 255))) for t in LAND.transitions}


def test_a_flatgeobuf_has_its_index(files):
    content = (files[0] / "changes.fgb").read_bytes()
    assert content[:4] == b"fgb\x03"
    info = pyogrio.read_info(files[0] / "changes.fgb")
    assert info["capabilities"]["fast_spatial_filter"]
    west = pyogrio.raw.read(files[0] / "changes.fgb", bbox=(600000, 5330000, 600020, 5340000))[2]
    assert 0 < len(west) < files[1]


def test_geoparquet_is_1_1_with_a_bbox_column(files):
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(files[0] / "changes.parquet")
    geo = json.loads(table.schema.metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    column = geo["columns"]["geometry"]
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Polygon"]
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32632}
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    polygons = shapely.from_wkb(table["geometry"].to_numpy())
    expected, columns, _ = read_polygons(files[0] / "changes.gpkg")
    assert shapely.equals(polygons, expected).all()
    boxes = np.array([list(box.values()) for box in table["bbox"].to_pylist()])
    np.testing.assert_array_equal(boxes, shapely.bounds(polygons))
    np.testing.assert_allclose(column["bbox"], shapely.total_bounds(polygons))
    np.testing.assert_array_equal(table["area_m2"].to_numpy(), columns["area_m2"])
    assert str(table.schema.field("before_date").type) == "date32[day]"
    assert shapely.is_ccw(shapely.get_exterior_ring(polygons)).all()


def test_geoparquet_without_pyarrow_is_refused_in_one_line_that_names_the_extra(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("lsafnet_cli.options.polygons.find_spec", lambda _: None)
    path = write_map(tmp_path / "map.tif", blobs(20, 20))
    with pytest.raises(SystemExit) as left:
        main(["vectorize", str(path), "-o", str(tmp_path / "x.parquet")])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "lsafnet[parquet]" in line


def test_a_shapefile_replaces_all_of_its_files_or_none(tmp_path):
    path = write_map(tmp_path / "map.tif", blobs(40, 40))
    (tmp_path / "x.dbf").write_text("somebody's table")
    with pytest.raises(OutputError, match=r"x\.dbf: exists already"):
        vectorize_changes(path, [tmp_path / "x.shp"])
    assert {entry.name for entry in tmp_path.iterdir()} == {"map.tif", "x.dbf"}
    (tmp_path / "x.qix").write_text("an index of other polygons")
    vectorize_changes(path, [tmp_path / "x.shp"], overwrite=True)
    assert {entry.suffix for entry in tmp_path.glob("x.*")} == SHAPEFILE
    bare = write_map(tmp_path / "bare.tif", blobs(40, 40), crs=None, transform=Affine.identity())
    vectorize_changes(bare, [tmp_path / "x.shp"], overwrite=True)
    assert {entry.suffix for entry in tmp_path.glob("x.*")} == SHAPEFILE - {".prj"}
    assert read_polygons(tmp_path / "x.shp")[2] is None


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_broken_run_left_of_a_file_is_in_nobody_s_way(files, tmp_path, ending):
    folder, _ = files
    store = WorkFolder(tmp_path / f"changes{ending}")
    store.create()
    work = store.folder
    for left in folder.glob("changes.*"):
        shutil.copy(left, work)
    shutil.copy(folder / "changes.gpkg", work / "changes.gathered.gpkg")
    target = tmp_path / f"changes{ending}"
    report = vectorize_changes(folder / "map.tif", [target], PolygonOptions(classes=("*:building",)))
    assert 0 < report.polygon_count == len(read_polygons(target)[0])
    assert not work.exists()


def test_files_without_a_georeference_stay_in_pixels(tmp_path):
    path = write_map(tmp_path / "map.tif", blobs(40, 40), crs=None, transform=Affine.identity())
    targets = [tmp_path / f"x{ending}" for ending in (*ENDINGS, ".parquet")]
    vectorize_changes(path, targets)
    for target in targets[:4]:
        polygons, columns, _ = read_polygons(target)
        assert shapely.total_bounds(polygons).max() <= 40
        assert np.isnan(columns["area_m2"].astype(float)).all()
    pq = pytest.importorskip("pyarrow.parquet")
    geo = json.loads(pq.read_schema(targets[4]).metadata[b"geo"])
    assert geo["columns"]["geometry"]["crs"] is None


def test_dissolved_polygons_are_multipolygons_in_every_format(tmp_path):
    path = write_map(tmp_path / "map.tif", blobs(60, 60))
    targets = [tmp_path / f"x{ending}" for ending in ENDINGS]
    vectorize_changes(path, targets, PolygonOptions(dissolve=True))
    expected = read_polygons(targets[0])[0]
    assert len(expected) == 3
    for target in targets[2:]:
        polygons, columns, _ = read_polygons(target)
        order = np.argsort(columns["id"])
        assert shapely.equals(shapely.normalize(polygons[order]), shapely.normalize(expected)).all()


def test_a_driver_that_loses_polygons_is_noticed(tmp_path, monkeypatch):
    path = write_map(tmp_path / "map.tif", blobs(40, 40))
    gather = polygon_files._gather
    monkeypatch.setattr(polygon_files, "_gather", lambda *rest: gather(*rest) + 1)
    with pytest.raises(OutputError, match="polygons were written"):
        vectorize_changes(path, [tmp_path / "x.gpkg"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.tif"]


def test_what_is_wrong_is_told_in_one_line(tmp_path, capsys):
    path = write_map(tmp_path / "map.tif", blobs(20, 20))
    cases = {
        "no/x.gpkg": (6, "does not exist"),
        "x.dxf": (2, ".gpkg"),
        "x.gpkg --classes sea:*": (2, "no class sea"),
        "x.gpkg --before-date yesterday": (2, "--before-date yesterday"),
        "x.gpkg --min-area -3": (2, "--min-area -3"),
    }
    for arguments, (code, words) in cases.items():
        name, *options = arguments.split()
        with pytest.raises(SystemExit) as left:
            main(["vectorize", str(path), "-q", "-o", str(tmp_path / name), *options])
        printed = capsys.readouterr()
        assert left.value.code == code
        (line,) = printed.err.splitlines()
        assert words in line
        assert printed.out == ""


def test_json_is_all_that_stdout_carries(tmp_path, capsys):
    path = write_map(tmp_path / "map.tif", blobs(20, 20))
    with pytest.raises(SystemExit) as left:
        main(["vectorize", str(path), "-o", str(tmp_path / "x.gpkg"), "--json"])
    assert left.value.code == 0
    report = json.loads(capsys.readouterr().out)
    assert report["outputs"] == [str(tmp_path / "x.gpkg")]
    assert report["polygon_count"] == len(read_polygons(tmp_path / "x.gpkg")[0])
