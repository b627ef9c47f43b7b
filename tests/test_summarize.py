"""`lsafnet summarize`: the numbers of maps whose areas are known."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from affine import Affine
from pyproj import Geod

from lsafnet_cli import PredictOptions, ZoneRequest, predict_change, summarize_map
from lsafnet_cli.app import main
from lsafnet_cli.errors import InputError
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.maps.summary_formats import CSV_COLUMNS, csv_text, markdown_text
from lsafnet_cli.maps.table import change_table
from lsafnet_cli.options import OutputOptions

from .maps import blobs, ground, legend_of, output_of, write_map, write_town, write_zones

PIXEL_HA = 0.25 / 10_000


@pytest.fixture
def made(tmp_path):
    """Return a map of four classes in UTM, with its codes."""
    return write_town(tmp_path)


def test_numbers_equal_those_of_the_report_that_predict_prints(pair, tiny_checkpoint, tmp_path):
    report = predict_change(*pair, tmp_path / "changes.tif", PredictOptions(checkpoint=tiny_checkpoint))
    assert summarize_map(tmp_path / "changes.tif").whole.table == report.table


def test_gains_losses_and_matrix_are_sums_of_transitions(made):
    path, codes, legend = made
    whole = summarize_map(path).whole
    matrix = np.array([[(codes == 1 + 4 * s + t).sum() for t in range(4)] for s in range(4)])
    assert whole.matrix_pixels == tuple(map(tuple, matrix.tolist()))
    np.testing.assert_allclose(np.array(whole.matrix_ha), matrix * PIXEL_HA, rtol=3e-3, atol=1e-6)
    for index, change in enumerate(whole.classes):
        others = np.arange(4) != index
        assert change.name == legend.names[index + 1]
        assert change.gain_pixels == matrix[others, index].sum()
        assert change.loss_pixels == matrix[index, others].sum()
        assert change.net_ha == pytest.approx(change.gain_ha - change.loss_ha, abs=2e-6)
    assert sum(change.net_ha for change in whole.classes) == pytest.approx(0, abs=4e-6)
    assert np.array(whole.matrix_percent).sum() == pytest.approx(whole.changed_percent, abs=1e-4)
    assert (whole.table.valid_pixels, whole.table.nodata_pixels) == (codes.size - 600, 600)
    assert whole.table.nodata_ha == pytest.approx(600 * PIXEL_HA, rel=3e-3)


def test_rows_of_a_map_in_degrees_are_weighted_by_their_true_area(tmp_path):
    step, rows, cols = 0.01, 400, 30
    legend = legend_of()
    codes = np.zeros((rows, cols), int)
    codes[:40], codes[-40:] = 2, 7  # equal pixels, but the north has less ground
    place = Affine(step, 0, 10, 0, -step, 62)
    path = write_map(tmp_path / "changes.tif", codes, legend, "EPSG:4326", place)
    found = {row.code: row.area_ha for row in change_table(path).transitions}
    for code, top in ((2, 62.0), (7, 62 - (rows - 40) * step)):
        assert found[code] == pytest.approx(parallel_band_ha(top, 40 * step, cols * step), rel=2e-6)
    assert summarize_map(path).whole.matrix_ha[0][1] == found[2]
    assert found[2] < 0.95 * found[7]


def parallel_band_ha(top, height, width):
    """Geodesic area of a rectangle of degrees whose parallels are followed by many short lines."""
    along = np.linspace(10, 10 + width, 400)
    lons = np.concatenate([along, along[::-1]])
    lats = np.concatenate([np.full(400, top), np.full(400, top - height)])
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)[0]) / 10_000


def test_layers_beside_a_map_and_other_rasters_are_no_maps(made, tmp_path, pair):
    codes, legend = made[1], made[2]
    percent = np.full(codes.shape, 50, "uint8")
    write_map(tmp_path / "other.tif", codes, legend, probability=percent, to=percent)
    for layer, words in (("probability", "probability of change"), ("to", "land cover, to")):
        with pytest.raises(InputError, match=words):
            summarize_map(tmp_path / f"other.{layer}.tif")
    with pytest.raises(InputError, match="is no change map of lsafnet"):
        summarize_map(pair[0])
    with pytest.raises(InputError, match=r"contains the value 99, but its legend has 16"):
        summarize_map(write_map(tmp_path / "wrong.tif", np.full((5, 5), 99), legend))


def test_without_a_crs_pixels_are_counted_and_areas_unknown(tmp_path):
    codes = blobs(6, 40, 40, 17, block=5)
    path = write_map(tmp_path / "changes.tif", codes, legend_of(), None, Affine.identity())
    whole = summarize_map(path).whole
    assert (whole.table.valid_ha, whole.table.nodata_ha, whole.classes[0].net_ha) == (None, None, None)
    assert whole.changed_percent == pytest.approx(100 * (codes > 0).mean(), abs=1e-5)
    assert "changed " + f"{(codes > 0).sum():,} pixels" in markdown_text(summarize_map(path))


def test_csv_holds_every_number_once_under_one_head(made, tmp_path):
    path, codes, legend = made
    zones = write_zones(tmp_path / "z.gpkg", [ground((0, 60), (0, 90))], name=["Nord, 北"])
    rows = list(csv.DictReader(io.StringIO(csv_text(summarize_map(path, ZoneRequest(zones))))))
    assert tuple(rows[0]) == CSV_COLUMNS
    keys = [(r["area"], r["zone"], r["kind"], r["from"], r["to"]) for r in rows]
    assert len(set(keys)) == len(keys)
    pixels = {key: int(row["pixels"]) for key, row in zip(keys, rows, strict=True)}
    for t in legend.transitions:
        key = ("map", "", "transition", legend.names[t.from_class], legend.names[t.to_class])
        assert pixels.get(key, 0) == (codes == t.code).sum()
    assert pixels["zone", "Nord, 北", "valid", "", ""] == (codes[:60] != 255).sum()
    assert pixels["outside", "", "nodata", "", ""] == (codes[60:] == 255).sum()
    changed = sum(float(r["percent"]) for r in rows if (r["area"], r["kind"]) == ("map", "transition"))
    assert changed == pytest.approx(float(rows[1]["percent"]), abs=1e-4)


def run(capsys, *words):
    """Run the command line and return its exit code, what it printed and what it said."""
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code, *capsys.readouterr()


def test_the_command_prints_table_markdown_csv_and_json(made, capsys):
    path = made[0]
    code, table, said = run(capsys, "summarize", path)
    assert (code, said) == (0, "")
    assert "Grünfläche" in table
    assert "建物" in table
    finding, markdown = run(capsys, "summarize", path, "--format", "markdown")[1].split("\n\n", 1)
    assert finding == f"{table.splitlines()[0]}."
    assert markdown.startswith("## whole map\n\n| from / to |")
    assert run(capsys, "summarize", path, "--format", "csv")[1].startswith(",".join(CSV_COLUMNS))
    as_json = json.loads(run(capsys, "summarize", path, "--json")[1])
    assert as_json == json.loads(run(capsys, "summarize", path, "--format", "json")[1])
    assert as_json == json.loads(json.dumps(summarize_map(path).as_dict()))


def test_errors_of_the_command_are_one_line_with_their_exit_code(made, capsys, tmp_path):
    path = made[0]
    for code, words in [
        (2, ["--format", "xml"]), (2, ["--zone-field", "a"]), (2, ["--plot", "a.pdf"]),
        (3, ["--zones", tmp_path / "none.shp"]),
    ]:  # fmt: skip
        found, printed, said = run(capsys, "summarize", path, *words)
        assert (found, printed, said.count("\n")) == (code, "", 1)
    (tmp_path / "there.png").write_bytes(b"")
    assert run(capsys, "summarize", path, "--plot", tmp_path / "there.png")[0] == 6


def test_a_map_that_knows_no_classes_has_numbers_but_no_table(tmp_path, capsys):
    legend = Legend(("unchanged", "changed"), ((255, 255, 255), (255, 0, 0)), semantic=False)
    path = write_map(tmp_path / "changes.tif", blobs(3, 50, 50, 2, block=5), legend)
    assert "changed" in run(capsys, "summarize", path)[1]
    assert summarize_map(path).whole.matrix_ha == ()
    code, _, said = run(capsys, "summarize", path, "--plot", tmp_path / "a.png")
    assert (code, said.count("\n")) == (3, 1)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_from_to_table_is_drawn(made, tmp_path, capsys, ending):
    picture = tmp_path / f"table.{ending}"
    assert run(capsys, "summarize", made[0], "--plot", picture)[0] == 0
    if ending == "svg":
        text = picture.read_text(encoding="utf-8")
        assert all(word in text for word in ("Grünfläche", "建物", "gained", "lost"))
        again = tmp_path / "again.svg"
        run(capsys, "summarize", made[0], "--plot", again)
        assert again.read_text(encoding="utf-8") == text
    else:
        import PIL.Image

        with PIL.Image.open(picture) as image:
            assert min(image.size) > 500
            assert len(image.convert("RGB").getcolors(1 << 20)) > 20


def test_without_matplotlib_a_picture_is_refused_in_one_line(made, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lsafnet_cli.maps.plots.find_spec", {}.get)
    code, printed, said = run(capsys, "summarize", made[0], "--plot", tmp_path / "a.png")
    assert (code, printed) == (2, "")
    assert said == "lsafnet: --plot: matplotlib is not installed; pip install 'lsafnet[plot]'\n"


def test_numbers_need_neither_torch_nor_matplotlib(made):
    code = (
        "import sys; from lsafnet_cli.app import main\n"
        f"try: main(['summarize', {str(made[0])!r}])\n"
        "except SystemExit as left: sys.exit(left.code or 'torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_gdal_and_ogr_count_the_same_pixels_polygons_and_area(pair, tiny_checkpoint, tmp_path):
    output = OutputOptions((tmp_path / "changes.gpkg",))
    report = predict_change(*pair, tmp_path / "changes.tif", PredictOptions(tiny_checkpoint, output=output))
    query = "select transition, sum(pixels) as pixels, sum(area_ha) as ha from changes group by transition"
    told = output_of("ogrinfo", "-q", "-dialect", "SQLITE", "-sql", query, tmp_path / "changes.gpkg")
    lines = [line.split(" = ")[1] for line in told.splitlines() if " = " in line]
    found = {name: (int(pixels), float(ha)) for name, pixels, ha in zip(*[iter(lines)] * 3, strict=True)}
    rows = summarize_map(tmp_path / "changes.tif").whole.table.transitions
    assert {row.name: row.pixels for row in rows} == {name: pixels for name, (pixels, _) in found.items()}
    for row in rows:
        assert found[row.name][1] == pytest.approx(row.area_ha, abs=1e-4)
    described = output_of("ogrinfo", "-so", tmp_path / "changes.gpkg", "changes")
    assert f"Feature Count: {report.polygon_count}\n" in described
    assert 'ID["EPSG",32632]]' in described
    assert 'ID["EPSG",32632]]' in output_of("gdalinfo", tmp_path / "changes.tif")
