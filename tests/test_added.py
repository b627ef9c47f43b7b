"""Outputs are added to a finished map without the network where its files suffice, and nothing else is touched."""

import json
import os
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.app import main
from lsafnet_cli.batch.folder import BatchFolder
from lsafnet_cli.batch.messages import SceneOutcome, Task, WorkerSetup
from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.pairing import pair_folders
from lsafnet_cli.batch.plan import plan_batch
from lsafnet_cli.batch.records import DONE, FAILED
from lsafnet_cli.batch.work import SceneRunner
from lsafnet_cli.checkpoints.choose import sha256_of
from lsafnet_cli.errors import OutputError
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import OutputOptions, PolygonOptions, ReadOptions
from lsafnet_cli.prediction import compute, home
from lsafnet_cli.prediction.redecide import RedecideOptions, redecide_map
from lsafnet_cli.report_page.page import write_report_page

from .batches import make_pairs
from .conftest import noise, write_raster

STORED = ("before", "after", "probability")
FREE = ("report", "quicklook", "stac", "from", "to", "geojson", "fgb", "shp")
COSTLY = ("before", "after", "probability", "transition", "gpkg")


def asked(folder: Path, names: tuple[str, ...], **options: object) -> OutputOptions:
    """Return the outputs of a run that writes folder/c.tif; names of formats are polygons."""
    formats = [name for name in names if name in ("gpkg", "geojson", "fgb", "shp")]
    also = tuple(name for name in names if name not in formats)
    return OutputOptions(tuple(folder / f"c.{name}" for name in formats), also, **options)


def map_pair(pair, folder: Path, checkpoint: Path, names: tuple[str, ...], observer=None, **options):
    """Write folder/c.tif with some outputs."""
    folder.mkdir(exist_ok=True)
    told = PredictOptions(checkpoint, output=asked(folder, names), **{"sieve_px": 4, **options})
    return predict_change(*pair, folder / "c.tif", told, observer)


def exit_code(*words: str) -> object:
    """Run a command line; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return ended.value.code


def states(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return what is known of each file below a folder, so that any touch shows."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            found[str(path.relative_to(folder))] = (status.st_ino, status.st_mtime_ns, path.read_bytes())
    return found


def without_network(patch: pytest.MonkeyPatch) -> None:
    """Let any forward pass fail."""

    def called(*_, **__):
        raise AssertionError("the network was called")

    patch.setattr(compute, "Scorer", called)
    patch.setattr(home, "prepared_network", called)


def content(path: Path) -> object:
    """Return what a file says, without what differs between two runs that write the same."""
    if path.suffix == ".tif":
        with rasterio.open(path) as dataset:
            return dataset.read(1).tobytes(), dataset.tags(), dataset.crs, dataset.transform
    if path.suffix in (".gpkg", ".geojson", ".fgb", ".shp"):
        about, _, geometry, columns = pyogrio.raw.read(path, layer=0)
        order = np.argsort(columns[list(about["fields"]).index("id")])
        return about["crs"], geometry[order].tolist(), [column[order].tolist() for column in columns]
    if path.suffix == ".json":
        found = json.loads(path.read_text())
        found["properties"].pop("created")
        found["properties"].pop("datetime")
        return found
    return path.read_bytes()


def same_files(folder: Path, other: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in other.iterdir()}
    for name in names - {"c.dbf"}:
        assert content(folder / name) == content(other / name), name


@pytest.mark.parametrize("name", FREE)
def test_what_the_map_and_its_layers_hold_is_made_of_them(name, pair, tmp_path, tiny_checkpoint, monkeypatch):
    whole, folder = tmp_path / "whole", tmp_path / "added"
    map_pair(pair, whole, tiny_checkpoint, (*STORED, name))
    map_pair(pair, folder, tiny_checkpoint, STORED)
    old = states(folder)
    without_network(monkeypatch)
    observer = Observer()
    report = map_pair(pair, folder, tiny_checkpoint, (*STORED, name), observer)
    new = states(folder)
    assert {name: new[name] for name in old} == old
    assert len(new) > len(old)
    same_files(folder, whole)
    assert any("c.tif is finished and stays, only" in text for text in observer.notices)
    assert len(report.outputs) == len(STORED) + 3  # with the map and the transition


@pytest.mark.parametrize("name", COSTLY)
def test_what_no_file_holds_is_computed_again_and_the_map_stays(name, pair, tmp_path, tiny_checkpoint):
    whole, folder = tmp_path / "whole", tmp_path / "added"
    map_pair(pair, whole, tiny_checkpoint, ("quicklook", name))
    map_pair(pair, folder, tiny_checkpoint, ("quicklook",))
    old = states(folder)
    observer = Observer()
    map_pair(pair, folder, tiny_checkpoint, ("quicklook", name), observer)
    new = states(folder)
    assert {name: new[name] for name in old} == old
    same_files(folder, whole)
    assert any("the network runs again for" in text for text in observer.notices)


def test_a_map_whose_network_now_says_something_else_gets_nothing(pair, tmp_path, tiny_checkpoint):
    folder = tmp_path / "added"
    map_pair(pair, folder, tiny_checkpoint, ())
    with rasterio.open(folder / "c.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        codes = dataset.read(1)
        codes[:20] = 0
        dataset.write(codes, 1)
    old = states(folder)
    with pytest.raises(OutputError, match=r"other codes in \d+\.\d+% of the pixels.*add `overwrite`"):
        map_pair(pair, folder, tiny_checkpoint, ("probability",))
    new = {name: state for name, state in states(folder).items() if not name.startswith(".c.tif.partial")}
    assert new == old


def test_the_map_of_another_command_is_not_added_to(pair, tmp_path, tiny_checkpoint, monkeypatch):
    folder = tmp_path / "added"
    map_pair(pair, folder, tiny_checkpoint, ("probability",))
    without_network(monkeypatch)
    other = tmp_path / "other.safetensors"
    changes = {
        "the option threshold": {"threshold": 0.7},
        "the option sieve_px": {"sieve_px": 9},
        "the option bands, the option bands_after": {"read": ReadOptions(bands=(3, 2, 1))},
        "the date before": {"polygons": PolygonOptions(before_date=date(2020, 5, 1))},
    }
    old = states(folder)
    for words, options in changes.items():
        with pytest.raises(OutputError, match=f"not the map of this command .*{words}.*add `overwrite`"):
            map_pair(pair, folder, tiny_checkpoint, ("probability", "quicklook"), **options)
    shutil.copy(tiny_checkpoint, other)
    with other.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\x00\x00\x00\x3f")
    with pytest.raises(OutputError, match="the checkpoint"):
        map_pair(pair, folder, other, ("quicklook",))
    write_raster(pair[1], noise(5, 150, 203))
    with pytest.raises(OutputError, match="the after image"):
        map_pair(pair, folder, tiny_checkpoint, ("quicklook",))
    assert states(folder) == old


def test_images_that_were_moved_with_their_times_are_the_same(pair, tmp_path, tiny_checkpoint, monkeypatch):
    folder, elsewhere = tmp_path / "added", tmp_path / "elsewhere"
    map_pair(pair, folder, tiny_checkpoint, ())
    elsewhere.mkdir()
    moved = [shutil.move(path, elsewhere / path.name) for path in pair]
    (elsewhere / "before.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")  # a GIS has looked at it
    without_network(monkeypatch)
    map_pair(moved, folder, tiny_checkpoint, ("quicklook",))
    assert (folder / "c.quicklook.png").exists()


def test_yesterdays_files_are_not_taken_for_those_of_todays_map(pair, tmp_path, tiny_checkpoint, monkeypatch):
    folder = tmp_path / "added"
    map_pair(pair, folder, tiny_checkpoint, ("probability", "report"), threshold=0.4)
    old_page, old_layer = (folder / name for name in ("c.report.html", "c.probability.tif"))
    kept = {path: path.read_bytes() for path in (old_page, old_layer)}
    predict_change(
        *pair, folder / "c.tif",
        PredictOptions(tiny_checkpoint, output=asked(folder, (), overwrite=True), sieve_px=4, threshold=0.6),
    )  # fmt: skip
    without_network(monkeypatch)
    with pytest.raises(OutputError, match=r"c\.report\.html: exists already, and does not belong to"):
        map_pair(pair, folder, tiny_checkpoint, ("quicklook", "report"), threshold=0.6)
    with pytest.raises(OutputError, match=r"c\.probability\.tif: exists already, and does not belong to"):
        map_pair(pair, folder, tiny_checkpoint, ("quicklook", "probability"), threshold=0.6)
    assert {path: path.read_bytes() for path in kept} == kept
    assert not (folder / "c.quicklook.png").exists()
    write_report_page(folder / "c.tif", old_page, *pair, overwrite=True)
    map_pair(pair, folder, tiny_checkpoint, ("quicklook", "report"), threshold=0.6)
    assert (folder / "c.quicklook.png").exists()


def test_a_map_that_was_decided_again_or_is_somebody_elses_is_not_added_to(
    pair, tmp_path, tiny_checkpoint, monkeypatch
):
    folder = tmp_path / "added"
    map_pair(pair, folder, tiny_checkpoint, STORED)
    redecide_map(folder / "c.tif", folder / "d.tif", RedecideOptions(threshold=0.6))
    without_network(monkeypatch)
    options = PredictOptions(tiny_checkpoint, output=OutputOptions(also=("quicklook",)), sieve_px=4)
    write_raster(folder / "e.tif", noise(1, 30, 30))
    for name in ("d.tif", "e.tif"):
        with pytest.raises(OutputError, match=f"{name}: exists already"):
            predict_change(*pair, folder / name, options)


def test_all_that_is_there_already_is_refused_as_ever(pair, tmp_path, tiny_checkpoint):
    folder = tmp_path / "added"
    map_pair(pair, folder, tiny_checkpoint, ("quicklook",))
    with pytest.raises(OutputError, match=r"c\.tif: exists already; add `overwrite`"):
        map_pair(pair, folder, tiny_checkpoint, ("quicklook",))


def test_the_command_line_adds_too_and_takes_no_file_of_others(
    pair, tmp_path, tiny_checkpoint, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    words = ["predict", *map(str, pair), "-o", "c.tif", "--checkpoint", str(tiny_checkpoint)]
    assert exit_code(*words, "--polygons", "c.gpkg") == 0
    old = states(tmp_path)
    Path("c.before.qml").write_text("mine")
    assert exit_code(*words, "--polygons", "c.gpkg", "--also", "before") == 6
    assert "c.before.qml: exists already" in capsys.readouterr().err
    Path("c.before.qml").unlink()
    without_network(monkeypatch)
    assert exit_code(*words, "--polygons", "c.gpkg", "--also", "from,report") == 0
    said = capsys.readouterr().err
    assert "c.tif is finished and stays, only c.from.tif, c.report.html are added; c.gpkg stays too" in said
    new = states(tmp_path)
    assert {name: new[name] for name in old} == old


def run_scenes(folder: Path, options: BatchOptions) -> list[SceneOutcome]:
    """Do what is to be done of the pairs below a folder, in this process."""
    scenes = pair_folders(folder / "b", folder / "a").scenes
    home = BatchFolder(folder / "out")
    home.create()
    told: list[object] = []
    setup = WorkerSetup(home.path, options, sha256_of(options.predict.checkpoint), "cpu")
    plan = plan_batch(scenes, home.path, options)
    with SceneRunner(setup, told.append, beside=False) as runner:
        for scene in plan.todo:
            runner.do(Task(scene.spec))
    return [one for one in told if isinstance(one, SceneOutcome)]


def batch_options(
    checkpoint: Path, also: tuple[str, ...] = (), formats=(".gpkg",), **options
) -> BatchOptions:
    """Return the options of a batch."""
    return BatchOptions(
        PredictOptions(checkpoint, output=OutputOptions(also=also)), formats=formats, **options
    )


def maps_of(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return the states of a batch's files, without its own notes."""
    return {name: state for name, state in states(folder).items() if not name.startswith(".batch")}


def test_a_finished_batch_adds_what_is_asked_for_without_the_network(tmp_path, tiny_checkpoint, monkeypatch):
    make_pairs(tmp_path, 2)
    out = tmp_path / "out"
    assert [one.record.status for one in run_scenes(tmp_path, batch_options(tiny_checkpoint, ("probability",)))] == [
        DONE, DONE,
    ]  # fmt: skip
    old = maps_of(out)
    without_network(monkeypatch)
    also = ("probability", "quicklook", "stac")
    told = batch_options(tiny_checkpoint, also, (".gpkg", ".geojson"), report=True)
    records = [one.record for one in run_scenes(tmp_path, told)]
    assert [record.status for record in records] == [DONE, DONE], records
    assert records[0].polygons is not None
    new = maps_of(out)
    assert {name: new[name] for name in old} == old
    assert {name for name in new if name not in old} == {
        f"s00{number}.{ending}"
        for number in range(2)
        for ending in ("quicklook.png", "stac.json", "geojson", "report.html")
    }
    assets = json.loads((out / "s000.stac.json").read_text())["assets"]
    assert {"map", "probability", "polygons_gpkg", "polygons_geojson", "quicklook"} <= set(assets)
    assert run_scenes(tmp_path, told) == []  # nothing is left to do
    assert (
        run_scenes(tmp_path, batch_options(tiny_checkpoint, ("probability",))) == []
    )  # nor with fewer outputs


def test_lost_polygons_of_a_finished_batch_are_made_again_and_its_maps_stay(
    tmp_path, tiny_checkpoint, monkeypatch
):
    make_pairs(tmp_path, 1)
    options = batch_options(tiny_checkpoint, ("probability",))
    run_scenes(tmp_path, options)
    out = tmp_path / "out"
    old = maps_of(out)
    before = content(out / "s000.gpkg")
    (out / "s000.gpkg").unlink()
    without_network(monkeypatch)
    (plan,) = plan_batch(pair_folders(tmp_path / "b", tmp_path / "a").scenes, out, options).todo
    assert plan.only_more
    assert plan.reasons == ("s000.gpkg is gone",)
    assert run_scenes(tmp_path, options)[0].record.status == DONE
    new = maps_of(out)
    assert content(out / "s000.gpkg") == before
    del old["s000.gpkg"], new["s000.gpkg"]
    assert new == old


def test_layers_that_a_batch_has_not_stored_are_computed_and_its_maps_stay(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 1)
    run_scenes(tmp_path, batch_options(tiny_checkpoint))
    old = maps_of(tmp_path / "out")
    told = batch_options(tiny_checkpoint, ("before", "after", "probability"))
    assert run_scenes(tmp_path, told)[0].record.status == DONE
    new = maps_of(tmp_path / "out")
    assert {name: new[name] for name in old} == old
    assert {"s000.before.tif", "s000.transition.tif"} <= new.keys()
    assert run_scenes(tmp_path, told) == []


def test_a_page_of_somebody_else_stays_and_the_scene_stays_done(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 1)
    run_scenes(tmp_path, batch_options(tiny_checkpoint))
    page = tmp_path / "out" / "s000.report.html"
    page.write_text("mine")
    old = maps_of(tmp_path / "out")
    told = batch_options(tiny_checkpoint, report=True)
    (outcome,) = run_scenes(tmp_path, told)
    assert outcome.record.status == FAILED
    assert "s000.report.html: exists already" in outcome.record.error
    assert maps_of(tmp_path / "out") == old
    spec = outcome.task.spec
    assert BatchFolder(tmp_path / "out").state(spec).record.status == DONE
    page.unlink()
    assert run_scenes(tmp_path, told)[0].record.status == DONE
