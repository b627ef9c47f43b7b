"""Another map of the layers beside one: the same as predict would have made."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lsafnet_cli import predict_change
from lsafnet_cli.app import main
from lsafnet_cli.errors import InputError, OptionError, OutputError
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.legend.regroup import regroup
from lsafnet_cli.options import DeviceOptions, OutputOptions, PolygonOptions, PredictOptions
from lsafnet_cli.polygons import files
from lsafnet_cli.polygons.components import label_runs
from lsafnet_cli.polygons.wishes import least_areas, wanted_codes
from lsafnet_cli.prediction.redecide import RedecideOptions, redecide_map

from .conftest import noise, write_raster
from .maps import legend_of

LEGEND = Legend(("unchanged", "low veg", "tree", "ice"), ((0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3)))


def read(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def predicted(folder: Path, checkpoint: Path, name: str, also=(), **options) -> Path:
    mask = np.full((150, 203), 255, "uint8")
    mask[20:40, 30:90] = 0
    folder.mkdir(exist_ok=True)
    pair = [write_raster(folder / f"{n}.tif", noise(n, 150, 203), mask=mask) for n in (1, 2)]
    output = OutputOptions(also=also, overwrite=True)
    device = DeviceOptions(device="cpu", precision="fp32")
    wishes = PredictOptions(checkpoint=checkpoint, output=output, device=device, **options)
    predict_change(*pair, folder / f"{name}.tif", wishes)
    return folder / f"{name}.tif"


@pytest.fixture(scope="module")
def first(tmp_path_factory, tiny_checkpoint):
    """Return a map at 0.5 with the layers that another one is decided from."""
    folder = tmp_path_factory.mktemp("first") / "maps"
    return predicted(folder, tiny_checkpoint, "map", ("before", "after", "probability"), threshold=0.5)


def test_the_layers_of_land_cover_and_probability_bring_the_transition_along(first):
    assert first.with_name("map.transition.tif").exists()
    codes, transition = read(first), read(first.with_name("map.transition.tif"))
    changed = (codes > 0) & (codes < 255)
    np.testing.assert_array_equal(codes[changed], transition[changed])
    same = {1 + 4 * n + n for n in range(4)}
    assert not same & set(np.unique(transition).tolist())


@pytest.mark.parametrize("options", [RedecideOptions(sieve_px=4), RedecideOptions(0.4), RedecideOptions(0.6)])
def test_a_code_that_the_legend_lacks_is_an_error(tmp_path, first, options):
    for path in first.parent.glob("map*.tif"):
        shutil.copy(path, tmp_path / path.name)
    for name in ("map.tif", "map.transition.tif"):
        with rasterio.open(tmp_path / name, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            codes = dataset.read(1)
            codes[60:70, 60:70] = 61
            dataset.write(codes, 1)
    with rasterio.open(tmp_path / "map.probability.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.write(np.full_like(dataset.read(1), 90), 1)
    with pytest.raises(InputError, match="contains the value 61"):
        redecide_map(tmp_path / "map.tif", tmp_path / "new.tif", options)
    assert not (tmp_path / "new.tif").exists()


@pytest.mark.parametrize("why", ["no place", "no room"])
def test_a_map_and_its_polygons_are_written_both_or_neither(tmp_path, first, monkeypatch, why):
    source, target = tmp_path / "map.tif", tmp_path / "new.tif"
    shutil.copy(first, source)
    if why == "no place":
        with rasterio.open(source, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            dataset.crs = rasterio.crs.CRS.from_wkt('LOCAL_CS["site grid",UNIT["metre",1]]')
    else:
        monkeypatch.setattr(files, "_gather", full_disk)
    with pytest.raises(OutputError, match=r"new\.geojson: .*(needs WGS 84|a full disk)"):
        redecide_map(source, target, RedecideOptions(sieve_px=4), (target.with_suffix(".geojson"),))
    assert list(tmp_path.glob("*new*")) == []


def full_disk(*_):
    raise OSError("a full disk")


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_another_threshold_gives_the_map_that_predict_gives(tmp_path, first, tiny_checkpoint, threshold):
    redecide_map(first, tmp_path / "new.tif", RedecideOptions(threshold))
    found = read(tmp_path / "new.tif")
    expected = read(predicted(tmp_path / "again", tiny_checkpoint, "map", threshold=threshold))
    percent = read(first.with_name("map.probability.tif"))
    sure = percent != round(100 * threshold)  # the layer holds whole percent
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(found[sure], expected[sure])
    assert ((found == 255) == (expected == 255)).all()
    if threshold == 0.5:
        np.testing.assert_array_equal(found, expected)


def test_a_higher_threshold_needs_the_probability_alone(tmp_path, tiny_checkpoint):
    bare = predicted(tmp_path, tiny_checkpoint, "map", ("probability",), threshold=0.4)
    redecide_map(bare, tmp_path / "new.tif", RedecideOptions(0.6))
    expected = np.where(read(bare.with_name("map.probability.tif")) > 60, read(bare), 0)
    expected[read(bare) == 255] = 255
    np.testing.assert_array_equal(read(tmp_path / "new.tif"), expected)
    with pytest.raises(InputError, match=r"map\.transition\.tif: does not exist"):
        redecide_map(bare, tmp_path / "lower.tif", RedecideOptions(0.2))
    assert [path.name for path in tmp_path.iterdir() if "lower" in path.name] == []


def test_two_argmaxes_are_decided_from_land_cover(tmp_path, tiny_checkpoint):
    also, kept = ("before", "after", "probability"), {"same_class": "keep"}
    first = predicted(tmp_path, tiny_checkpoint, "map", also, threshold=0.5, **kept)
    first.with_name("map.transition.tif").unlink()
    redecide_map(first, tmp_path / "new.tif", RedecideOptions(0.3))
    expected = read(predicted(tmp_path / "again", tiny_checkpoint, "map", threshold=0.3, **kept))
    sure = read(first.with_name("map.probability.tif")) != 30
    np.testing.assert_array_equal(read(tmp_path / "new.tif")[sure], expected[sure])


def test_ignored_transitions_count_as_unchanged(tmp_path, first):
    report = redecide_map(
        first, tmp_path / "new.tif", RedecideOptions(ignored=("*:building", "water:ground"))
    )
    codes, found = read(first), read(tmp_path / "new.tif")
    ignored = [4, 8, 12, 16, 2]
    np.testing.assert_array_equal(found, np.where(np.isin(codes, ignored), 0, codes))
    assert not {row.code for row in report.table.transitions} & set(ignored)
    assert report.options["ignored"] == ("*:building", "water:ground")


def test_merged_classes_change_into_each_other_no_more(tmp_path, first):
    options = RedecideOptions(merged=("ground+vegetation=land",))
    report = redecide_map(first, tmp_path / "new.tif", options)
    codes, found = read(first), read(tmp_path / "new.tif")
    place = [0, 1, 2, 2, 3]  # water, land, land, building
    for code in range(1, 17):
        before, after = place[(code - 1) // 4 + 1], place[(code - 1) % 4 + 1]
        expected = 0 if before == after and (code - 1) // 4 != (code - 1) % 4 else 3 * (before - 1) + after
        assert set(np.unique(found[codes == code]).tolist()) <= {expected}
    assert {row.from_class for row in report.table.transitions} <= {"water", "land", "building"}
    with rasterio.open(tmp_path / "new.tif") as dataset:
        assert '"land"' in dataset.tags()["LSAFNET_LEGEND"]
        assert "map.tif" in dataset.tags()["LSAFNET_OPTIONS"]


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        ("low veg", "write FIRST"), ("low_veg+tree", "write FIRST"), ("low_veg+sea=x", "no class sea"),
        ("low_veg+tree=ice", "must differ"), ("low_veg+tree+ice=all", "only one class"),
    ],
)  # fmt: skip
def test_a_merge_that_means_nothing_is_rejected(merge, message):
    with pytest.raises(OptionError, match=message):
        regroup(LEGEND, [merge], [])


def test_merging_and_ignoring_go_by_the_old_codes():
    found = regroup(LEGEND, ["low_veg+tree=green"], wanted_codes(LEGEND, ("ice:*",)))
    assert found.legend.names == ("unchanged", "green", "ice")
    assert found.new_code[:10].tolist() == [0, 1, 0, 2, 0, 1, 2, 0, 0, 0]
    assert found.new_code[255] == 255


def test_nothing_to_decide_is_rejected():
    with pytest.raises(OptionError, match="nothing to decide"):
        RedecideOptions()


def smallest_component(codes: np.ndarray) -> int:
    from lsafnet_cli.geometry.runs import find_runs

    runs = find_runs(codes, 0)
    pieces = label_runs(runs, runs.code != 255)
    return int(np.bincount(pieces[pieces >= 0], runs.length[pieces >= 0]).min())


def test_a_sieve_leaves_no_smaller_component_in_predict_and_in_decide(tmp_path, first, tiny_checkpoint):
    assert smallest_component(read(first)) < 12
    redecide_map(first, tmp_path / "new.tif", RedecideOptions(sieve_px=12))
    found = read(tmp_path / "new.tif")
    assert smallest_component(found) >= 12
    path = predicted(tmp_path / "again", tiny_checkpoint, "map", ("from", "to"), threshold=0.5, sieve_px=12)
    np.testing.assert_array_equal(found, read(path))
    changed = (found > 0) & (found < 255)
    source, target = read(path.with_name("map.from.tif")), read(path.with_name("map.to.tif"))
    np.testing.assert_array_equal(source[changed], (found[changed] - 1) // 4 + 1)
    np.testing.assert_array_equal(target[changed], (found[changed] - 1) % 4 + 1)
    assert (source[found == 0] == 0).all()
    assert (target[found == 255] == 255).all()


def test_polygons_follow_the_new_map_and_leave_specks_out_unless_asked(tmp_path, first):
    import pyogrio

    counts = {}
    for pixels in (0, 16):
        out = tmp_path / f"{pixels}.gpkg"
        options = PolygonOptions(min_pixels=pixels)
        report = redecide_map(first, tmp_path / f"{pixels}.tif", RedecideOptions(0.4), (out,), options)
        table = pyogrio.read_dataframe(out, layer="changes")
        counts[pixels] = len(table)
        assert report.polygon_count == len(table)
        assert table["confidence"].notna().all()
        told = [text for text in report.notices if "`min_area_m2` 0 keeps them" in text]
        assert len(told) == (pixels > 0)
    assert 0 < counts[16] < counts[0]
    assert (table["pixels"] >= 16).all()


def test_decide_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, lsafnet_cli.prediction.redecide; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_from_to_and_probability_are_written_beside_the_new_map(tmp_path, first):
    words = ("--threshold", "0.6", "--sieve", "12", "--also", "from,to,probability,gpkg", "-q", "--json")
    with pytest.raises(SystemExit) as left:
        main(["decide", str(first), "-o", str(tmp_path / "new.tif"), *words])
    assert left.value.code == 0
    codes = read(tmp_path / "new.tif")
    source, target = read(tmp_path / "new.from.tif"), read(tmp_path / "new.to.tif")
    changed = (codes > 0) & (codes < 255)
    assert changed.any()
    np.testing.assert_array_equal(source[changed], (codes[changed] - 1) // 4 + 1)
    np.testing.assert_array_equal(target[changed], (codes[changed] - 1) % 4 + 1)
    for layer in (source, target):
        assert (layer[codes == 0] == 0).all()
        assert (layer[codes == 255] == 255).all()
    np.testing.assert_array_equal(
        read(tmp_path / "new.probability.tif"), read(first.with_name("map.probability.tif"))
    )
    assert (tmp_path / "new.gpkg").exists()
    assert (tmp_path / "new.from.qml").exists()


def test_names_of_classes_may_hold_the_signs_that_separate_them():
    legend = legend_of(("#111111", "#222222", "#333333"), ("a+b", "c=d", "e"))
    found = regroup(legend, [r"a\+b + c\=d = f+g=h"], [])
    assert found.legend.names == ("unchanged", "f+g=h", "e")
    with pytest.raises(OptionError, match="has no class a;") as refused:
        regroup(legend, ["a+b+e=x"], [])
    assert str(refused.value).endswith(r"it has a+b, c=d, e; + and = in a name are written \+ and \=")
    plain = legend_of(("#111111", "#222222"), ("a", "b"))
    with pytest.raises(OptionError, match=r"it has a, b$"):
        regroup(plain, ["a+c=x"], [])


@pytest.mark.parametrize(
    ("names", "option", "hint"),
    [
        (("a,b", "c"), "groups", r"; = and , in a name are written \= and \,"),
        (("a,b", "c"), "classes", ""),
        (("a", "c"), "groups", ""),
    ],
)
def test_a_refused_transition_says_how_signs_in_names_are_written(names, option, hint):
    legend = legend_of(("#111111", "#222222"), names)
    with pytest.raises(OptionError) as refused:
        wanted_codes(legend, ("x:c",), option)
    assert str(refused.value) == f"`{option}` x:c: the map has no class x; it has {', '.join(names)}{hint}"


def test_a_refused_smallest_area_says_how_a_comma_in_a_name_is_written():
    legend = legend_of(("#111111", "#222222"), ("a,b", "c"))
    with pytest.raises(OptionError) as refused:
        least_areas(legend, {"b": 3.0})
    assert str(refused.value).endswith(r"it has a,b, c; , in a name is written \,")


def test_without_a_sieve_from_and_to_follow_merged_classes(tmp_path, first):
    report = redecide_map(
        first, tmp_path / "new.tif", RedecideOptions(merged=("water+ground=open",)), also=("from", "to")
    )
    assert report.outputs["from"] == str(tmp_path / "new.from.tif")
    codes = read(tmp_path / "new.tif")
    changed = (codes > 0) & (codes < 255)
    assert changed.any()
    np.testing.assert_array_equal(read(tmp_path / "new.from.tif")[changed], (codes[changed] - 1) // 3 + 1)


def test_layers_that_decide_does_not_write_are_told_and_nothing_is_replaced(tmp_path, first):
    with pytest.raises(OptionError, match="`also` before: decide writes from, to, probability"):
        redecide_map(first, tmp_path / "new.tif", RedecideOptions(0.6), also=("before",))
    (tmp_path / "new.from.tif").write_text("mine")
    with pytest.raises(OutputError, match=r"new\.from\.tif: exists already"):
        redecide_map(first, tmp_path / "new.tif", RedecideOptions(0.6), also=("from",))
    assert (tmp_path / "new.from.tif").read_text() == "mine"
    assert not (tmp_path / "new.tif").exists()
