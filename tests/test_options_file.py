"""`--options FILE` repeats a run, and `--also` asks for polygons as for any other output."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lsafnet_cli.app import main
from lsafnet_cli.commands.predict_options import parse_also, parse_also_of_many
from lsafnet_cli.errors import LsafnetError, OptionError

ASKED = (
    "--threshold", "0.4", "--sieve", "4", "--overlap", "8", "--blend", "crop", "--stretch", "range:0,200",
    "--bands", "3,2,1", "--nodata", "0", "--coregister", "off", "--dst-crs", "EPSG:32631",
    "--bounds", "1045000", "5350000", "1050000", "5370000",
)  # fmt: skip


def run(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code or 0


def codes_of(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_a_run_is_repeated_from_its_report_and_from_its_map_and_the_command_line_wins(
    pair, tmp_path, tiny_checkpoint, capsys
):
    words = ("predict", *pair, "--checkpoint", tiny_checkpoint, "-q", "--json")
    first, report = tmp_path / "first.tif", tmp_path / "first.json"
    assert run(*words, "-o", first, *ASKED, "--also", "named.fgb,geojson") == 0
    report.write_text(capsys.readouterr().out)
    told = json.loads(report.read_text())
    assert {Path(path).name for path in told["outputs"].values()} == {
        "first.tif",
        "named.fgb",
        "first.geojson",
    }
    assert all((tmp_path / name).exists() for name in ("named.fgb", "first.geojson"))
    assert run(*words, "-o", tmp_path / "second.tif", "--options", report) == 0
    assert json.loads(capsys.readouterr().out)["options"] == told["options"]
    np.testing.assert_array_equal(codes_of(tmp_path / "second.tif"), codes_of(first))
    assert run(*words, "-o", tmp_path / "third.tif", "--options", first, "--threshold", "0.6") == 0
    assert json.loads(capsys.readouterr().out)["options"] == told["options"] | {"threshold": 0.6}


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('{"treshold": 0.4}', 2, "predict has no option for 'treshold'"),
        ('{"decided_from": "a.tif", "threshold": 0.4}', 2, "predict has no option for 'decided_from'"),
        ('{"output": "other.tif"}', 2, "predict has no option for 'output'"),
        ('{"threshold": {"a": 1}}', 2, "'threshold' has a value that no option takes"),
        ('{"threshold": "much"}', 2, "Invalid value for '--threshold'"),
        ('{"threshold": 7}', 2, "--threshold 7.0: give a probability"),
        ("[1, 2]", 3, "holds no options by name"),
        ('{"options": 3}', 3, "holds no options by name"),
        ("threshold: 0.4", 3, "is no JSON"),
        (None, 3, "cannot be read"),
    ],
)
def test_what_is_no_option_is_one_line(pair, tmp_path, capsys, text, code, said):
    file = tmp_path / "options.json"
    if text is not None:
        file.write_text(text)
    assert run("predict", *pair, "-o", tmp_path / "c.tif", "--options", file) == code
    line = capsys.readouterr().err
    assert (line.count("\n"), said in line) == (1, True), line


def test_an_image_that_is_no_map_holds_no_options(pair, tmp_path, capsys):
    assert run("predict", *pair, "-o", tmp_path / "c.tif", "--options", pair[0]) == 3
    assert "its tags name no options" in capsys.readouterr().err


def test_a_batch_takes_the_options_of_a_run_and_polygon_formats_among_its_outputs(
    pair, tmp_path, monkeypatch
):
    given = []

    def stop(_scenes, _folder, options, _observer):
        given.append(options)
        raise LsafnetError("enough")

    monkeypatch.setattr("lsafnet_cli.batch.driver.run_batch", stop)
    table, file = tmp_path / "pairs.csv", tmp_path / "run.json"
    table.write_text(f"before,after,name\n{pair[0]},{pair[1]},one\n")
    recorded = {
        "tile_px": 64,
        "bands": [1, 2, 3],
        "bands_after": [3, 2, 1],
        "stretch": {"before": None},
        "shift_px": [1, 2],
    }
    recorded |= {
        "stretch_rule": "percentile:1.0,99.0",
        "cloud_masks": ["scl"],
        "tta": True,
        "resolution_m": None,
    }
    file.write_text(json.dumps({"before": "x.tif", "options": recorded}))
    words = (
        "batch",
        "--pairs",
        table,
        "-o",
        tmp_path / "out",
        "--options",
        file,
        "--also",
        "quicklook,polygons.fgb",
    )
    assert run(*words) == LsafnetError.exit_code
    predict = given[0].predict
    assert (predict.tile.size_px, predict.tta, predict.read.bands) == (64, True, None)
    assert (str(predict.read.stretch), predict.read.cloud_masks) == ("percentile:1.0,99.0", ("scl",))
    assert (predict.output.also, given[0].formats) == (("quicklook",), (".gpkg", ".fgb"))


def test_polygons_are_named_by_format_or_by_file():
    folder = Path("maps")
    also = parse_also("report, polygons.gpkg,geojson,.fgb,from,Areas.SHP", folder / "c.tif")
    names = ("polygons.gpkg", "c.geojson", "c.fgb", "Areas.SHP")
    assert also == (("report", "from"), tuple(folder / name for name in names))
    assert parse_also_of_many("gpkg,polygons.GeoJSON,stac") == (("stac",), (".gpkg", ".geojson"))
    with pytest.raises(OptionError, match="--polygons takes any path"):
        parse_also("elsewhere/p.gpkg", folder / "c.tif")
    with pytest.raises(OptionError, match="bear the name of each map; write fgb"):
        parse_also_of_many("areas.fgb")
