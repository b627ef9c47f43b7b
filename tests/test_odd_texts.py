"""Texts of strangers: nothing in a file commands a terminal, breaks what is written, or computes in a spreadsheet."""

import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lsafnet.checkpoint.info import CheckpointError, CheckpointInfo, read_checkpoint_info
from lsafnet.texts import is_legible
from lsafnet_cli.app import main
from lsafnet_cli.batch.collect import collect_batch
from lsafnet_cli.batch.folder import BatchFolder
from lsafnet_cli.batch.records import DONE, SceneRecord, csv_text
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.errors import InputError, OptionError, printable
from lsafnet_cli.files.fingerprints import STATE, read_fingerprint
from lsafnet_cli.files.gdal_errors import print_nothing_of_bytes
from lsafnet_cli.files.provenance import LEGEND
from lsafnet_cli.files.publishing import NAMING, Naming, WorkFolder
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.files.spreadsheets import spreadsheet_cell
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.options import StretchRule
from lsafnet_cli.report_page.page import PageOptions
from lsafnet_cli.scenes.outline import read_outline
from lsafnet_cli.training.options import TrainOptions

from .change_maps import LAND, write_map
from .conftest import reading_checkpoint, write_raster
from .maps import ground, write_zones
from .training_sets import write_pairs

HIDDEN = {
    "an escape": "a\x1b[31mb", "a bell": "a\x07", "a C1 control": "a\x9b31m", "a line end": "a\r\nb", "a tab": "a\tb",
    "zero": "a\x00b", "turned around": "a\u202eb", "isolated": "a\u2066b", "a mark of direction": "a\u200fb",
    "half a character": "a\ud800", "a line separator": "a\u2028b", "no character": "a\uffff",
    "a private one": "\ue000",
    "blank": "   ", "nothing": "", "too long": "x" * 201,
}  # fmt: skip
FINE = ("Größe", "建物", "با‌غ", "क्‍ष", "<b> & \"quotes\" 'so'", "=1+1", "x" * 200, "forêt dense: haute")


@pytest.mark.parametrize("kind", HIDDEN)
def test_a_class_name_that_cannot_be_shown_as_it_is_is_rejected_everywhere(kind):
    name = HIDDEN[kind]
    assert not is_legible(name)
    with pytest.raises(ValueError, match="printable characters"):
        Legend(("unchanged", name), ((0, 0, 0), (1, 1, 1)))
    values = json.loads(reading_checkpoint(3).info.to_json())
    values["classes"][1]["name"] = name
    with pytest.raises(CheckpointError, match="printable characters"):
        CheckpointInfo.from_json(json.dumps(values))
    for field in ("trained_on", "license"):
        if kind != "too long":
            with pytest.raises(CheckpointError, match=field):
                replace(reading_checkpoint(3).info, **{field: name})


@pytest.mark.parametrize("name", FINE)
def test_names_in_any_script_are_legible(name):
    assert is_legible(name)
    assert printable(name) == name


def exit_of(capsys, *words):
    """Return the exit code of a command, and what it prints on both streams."""
    with pytest.raises(SystemExit) as left:
        main(list(map(str, words)))
    printed = capsys.readouterr()
    return left.value.code, printed.out, printed.err


def legend_text(name, color="#ffffff"):
    """Return the text of a legend whose first class is odd."""
    classes = [{"name": name, "color": color}, {"name": "b", "color": "#000000"}]
    return json.dumps({"semantic": True, "classes": classes})


LEGENDS = {
    "a number as name": legend_text(1),
    "no name": legend_text(None),
    "no colour": legend_text("a", "#-1-1-1"),
    "a number as colour": legend_text("a", 1),
    "deep": "[" * 100_000,
    "a list": "[]",
    "an escape": LAND.to_json().replace("water", "\\u001b[31m"),
    "blank": LAND.to_json().replace("water", "  "),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEGENDS)
@pytest.mark.parametrize("command", ["summarize", "vectorize", "report", "show"])
def test_a_map_with_an_odd_legend_is_one_line(tmp_path, capsys, kind, command):
    path = write_map(tmp_path / "m.tif", np.zeros((8, 8)), tags={LEGEND: LEGENDS[kind]})
    outputs = {"vectorize": ["-o", tmp_path / "v.gpkg"], "report": ["-o", tmp_path / "r.html"]}
    code, out, err = exit_of(capsys, command, path, *outputs.get(command, []))
    assert (code, out) == (3, "")
    *notes, last = err.splitlines()
    assert all(note.startswith("note: ") for note in notes)
    assert last.startswith("lsafnet: ")
    assert "m.tif" in last


def test_a_checkpoint_with_odd_numbers_is_one_line(tmp_path, capsys, tiny_checkpoint):
    content = tiny_checkpoint.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    info = json.loads(header["__metadata__"]["lsafnet"])
    for change in ({"metrics": {"oa": 10**400}}, {"gsd_m": 10**400}, {"value_range": [0, 10**400]}):
        header["__metadata__"]["lsafnet"] = json.dumps(info | change)
        text = json.dumps(header).encode()
        odd = tmp_path / "odd.safetensors"
        odd.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
        with pytest.raises(CheckpointError):
            read_checkpoint_info(odd)
        code, _, err = exit_of(capsys, "checkpoint", "show", odd)
        assert code == 5
        assert len(err.splitlines()) == 1


RECORD = SceneRecord("x", DONE, "b.tif", "a.tif", "x.tif", changed_ha=1.5, extra={"note": "fine"}).as_dict()
ODD = {
    "status": ["weird", None, 1], "name": ["", None, 3, "a\x1b", "a\ud800", "x" * 201], "changed_ha": ["x", True],
    "output": [1.0, None, "../x.tif", "/x.tif"], "pixels": [float("nan"), float("inf"), "1"],
    "extra": [None, [], {"a": 1}, {"a": "\x07"}], "error": [None, "two\nlines"],
}  # fmt: skip


@pytest.mark.parametrize("field", ODD)
def test_a_record_of_odd_types_is_rejected_and_its_batch_in_one_line(tmp_path, field):
    assert SceneRecord.from_dict(RECORD).as_dict() == RECORD
    for value in ODD[field]:
        record = RECORD | {field: value}
        with pytest.raises((ValueError, TypeError)):
            SceneRecord.from_dict(record)
        table = json.dumps({"scenes": [record], "all_scenes": ["x"]})
        (tmp_path / "batch.json").write_text(table, encoding="utf-8")
        with pytest.raises(InputError, match=r"batch\.json: is not a table of a batch"):
            collect_batch(tmp_path, False, print)


@pytest.mark.parametrize(
    "text", ["{}", '{"scenes": []}', "[]", "[" * 200_000, '{"scenes": [], "all_scenes": [null, "a\\u0007"]}']
)
def test_a_table_that_is_none_is_one_line(tmp_path, text):
    (tmp_path / "batch.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"batch\.json: is not a table of a batch"):
        collect_batch(tmp_path, False, print)


def test_states_that_cannot_be_read_are_as_none(tmp_path):
    store = WorkFolder(tmp_path / "c.tif")
    store.create()
    folder = BatchFolder(tmp_path)
    folder.create()
    for text in ("[" * 200_000, "[]", "{}", "null", '{"pairs": [1]}', '{"record": 1}'):
        for name in (STATE, NAMING):
            store.path(name).write_text(text, encoding="utf-8")
        (folder.hidden / "scenes" / "x.json").write_text(text, encoding="utf-8")
        assert read_fingerprint(store.folder) in (None, json.loads(text) if text[1:2] != "[" else None)
        assert Naming.read(store) is None
        assert folder.states() == []


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1+1"])
def test_cells_that_a_spreadsheet_would_compute_are_texts(text):
    assert spreadsheet_cell(text) == f"'{text}"
    assert spreadsheet_cell(-1.5) == -1.5
    record = SceneRecord(text, DONE, "b.tif", "a.tif", "x.tif", extra={text: text})
    head, row = csv.reader(io.StringIO(csv_text([record])))
    assert (row[0], head[-1], row[-1]) == (f"'{text}",) * 3


@pytest.mark.parametrize("value_range", [[{}, 255], [0], None, ["a", "b"], 7])
def test_a_data_set_described_oddly_is_one_line(tmp_path, value_range):
    folder = write_pairs(tmp_path / "set", train=1, val=1)
    described = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
    (folder / "classes.json").write_text(
        json.dumps(described | {"value_range": value_range}), encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"classes\.json: value_range"):
        open_data_set(folder)


def test_numbers_that_are_none_are_no_options():
    for text in ("range:-inf,inf", "range:0,inf", "range:nan,1"):
        with pytest.raises(OptionError, match="finite"):
            StretchRule.parse(text)
    for megabytes in (float("inf"), float("nan"), 0):
        with pytest.raises(OptionError):
            PageOptions(max_mb=megabytes)
    for decay in (float("inf"), float("nan"), -1):
        with pytest.raises(OptionError):
            TrainOptions(weight_decay=decay)


RING = [[600010, 5334990], [600020, 5334990], [600020, 5334980], [600010, 5334990]]


@pytest.mark.parametrize("option", ["--zones", "outline"])
@pytest.mark.parametrize("empty", [[], [[]]])
def test_empty_parts_of_polygons_are_passed_over(tmp_path, capsys, option, empty):
    feature = {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "MultiPolygon", "coordinates": [[RING], empty]},
    }
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    path = tmp_path / "z.geojson"
    path.write_text(
        json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}), encoding="utf-8"
    )
    if option == "outline":
        assert read_outline(str(path)).geometry.area == pytest.approx(50)
    else:
        change_map = write_map(tmp_path / "m.tif", np.ones((80, 80)))
        code, _, err = exit_of(capsys, "summarize", change_map, "--zones", path)
        assert code == 0, err


@pytest.mark.parametrize(
    "text", ['PROJCS["x', 'GEOGCS["x",DATUM["y",SPHEROID["z",6378137,298]],PRIMEM["w"', "x"]
)
def test_zones_with_a_broken_prj_are_one_line(tmp_path, capsys, text):
    change_map = write_map(tmp_path / "m.tif", np.ones((80, 80)))
    zones = write_zones(tmp_path / "z.shp", [ground((0, 9), (0, 9))], driver="ESRI Shapefile", name=["a"])
    Path(zones).with_suffix(".prj").write_text(text, encoding="utf-8")
    code, _, err = exit_of(capsys, "summarize", change_map, "--zones", zones)
    assert code == 3
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("crs", "said"), [("IAU_2015:30100", "cannot be transformed"), (None, "without a CRS")]
)
def test_zones_that_go_with_no_map_of_that_crs_end_as_pairs_that_do_not_fit(tmp_path, capsys, crs, said):
    change_map = write_map(tmp_path / "m.tif", np.ones((80, 80)), crs=crs)
    zones = write_zones(tmp_path / "z.gpkg", [ground((0, 9), (0, 9))], name=["a"])
    code, _, err = exit_of(capsys, "summarize", change_map, "--zones", zones)
    assert code == 4
    assert said in err
    assert len(err.splitlines()) == 1


def test_messages_of_gdal_that_are_no_text_are_not_printed_beside_the_line(tmp_path, monkeypatch):
    """rasterio can only print these, through Python's two hooks, for nobody could catch them."""
    path, said = tmp_path / "odd.vrt", []
    path.write_bytes(b'<VRTDataset \xbe rasterXSize="80"></VRTDataset>')

    def read():
        with pytest.raises(InputError, match=r"odd\.vrt"), open_raster(path):
            pass

    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, lambda *error: said.append(error))
    read()
    assert said  # so it was, and is where nothing is done about it
    said.clear()
    print_nothing_of_bytes()
    read()
    assert said == []


def test_a_name_with_escapes_is_printed_with_none(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change_map = write_map(Path("\x1b[31m\x9b.tif"), np.ones((8, 8)))
    for words in (("vectorize", change_map, "-o", "v.gpkg"), ("summarize", change_map, "--json")):
        code, out, err = exit_of(capsys, *words)
        assert code == 0, err
        assert not {"\x1b", "\x9b"} & set(out + err)
    assert json.loads(out)["map"] == str(change_map)


def lsafnet(*words, **options):
    command = [sys.executable, "-m", "lsafnet_cli.app", *map(str, words)]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


@pytest.mark.usefixtures("preloaded")
def test_a_full_or_closed_standard_output_is_one_line(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = lsafnet("checkpoint", "networks", stdout=full)
    assert done.returncode == 6
    assert re.fullmatch(r"lsafnet: standard output: cannot be written \(.*No space left.*\)\n", done.stderr)
    reading, writing = os.pipe()
    os.close(reading)
    done = lsafnet("checkpoint", "networks", stdout=writing)
    os.close(writing)
    assert done.returncode == 6
    assert done.stderr == "lsafnet: standard output: cannot be written (it was closed)\n"


def test_letters_that_a_terminal_lacks_are_shown_as_escapes(tmp_path):
    path = write_raster(tmp_path / "m.tif", np.zeros((1, 8, 8), np.uint8), nodata=255)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**{LEGEND: LAND.to_json().replace("water", "水")})
    code = f"from lsafnet_cli.app import main; main(['summarize', {str(path)!r}, '--json'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False,
                          env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"\\u6c34" in done.stdout


@pytest.mark.parametrize("text", ["[" * 100_000, "{no json", "[1, 2]", '"text"'])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("decide map.tif --ignore water:ground -o new.tif", 0),
        ("report map.tif -o page.html", 0),
        ("evaluate map.tif labels.tif --labels transitions", 0),
        ("review map.tif verdicts.gpkg -o new.tif", 0),
        ("summarize map.tif", 0),
        ("predict map.tif map.tif -o new.tif --options options.json", 3),
        ("evaluate map.tif labels.tif --labels before --mapping options.json", 3),
    ],
)
def test_options_that_cannot_be_read_are_none_in_a_map_and_one_line_in_a_file(
    tmp_path, monkeypatch, capsys, command, code, text
):
    monkeypatch.chdir(tmp_path)
    codes = np.repeat(np.arange(1, 5, dtype=np.uint8), 400).reshape(40, 40)
    tags = {"LSAFNET_OPTIONS": text, "LSAFNET_RELIABILITY": text, "LSAFNET_BEFORE_DATE": "no day"}
    write_map(Path("map.tif"), codes, tags=tags)
    write_raster(Path("labels.tif"), codes[None])
    Path("options.json").write_text(text)
    if "verdicts" in command:
        with pytest.raises(SystemExit):
            main(["vectorize", "map.tif", "-o", "verdicts.gpkg", "--review-form"])
        with closing(sqlite3.connect("verdicts.gpkg", isolation_level=None)) as file:
            for trigger, *_ in file.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                file.execute(f'DROP TRIGGER "{trigger}"')
            file.execute("UPDATE changes SET status = 'accepted'")
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(command.split())
    said = capsys.readouterr().err
    assert left.value.code == code, said
    if code:
        (_,) = (line for line in said.splitlines() if not line.startswith("note: "))
