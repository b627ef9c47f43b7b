"""What is there stays: files that are not a run's own are neither replaced nor deleted, whenever they appeared."""

import json
import os
import stat
import tempfile
from pathlib import Path

import pytest
import rasterio
from safetensors import SafetensorError

from lsafnet import load_checkpoint, save_checkpoint
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.batch.driver import run_batch
from lsafnet_cli.batch.folder import BatchFolder, SceneState, claim_files
from lsafnet_cli.batch.merge import merge_polygons
from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.pairing import pair_folders
from lsafnet_cli.batch.records import DONE, SceneRecord
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.errors import InputError, OutputError
from lsafnet_cli.files import replacing as writing
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.publishing import MARK, NAMING, WorkFolder, finish_naming, publish
from lsafnet_cli.files.replacing import coming, name_newly, replacing
from lsafnet_cli.options import OutputOptions
from lsafnet_cli.polygons.vectorization import vectorize_changes
from lsafnet_cli.prediction import pipeline
from lsafnet_cli.system.locks import lock_of, locked_outputs

from .batches import make_pairs
from .change_maps import blobs, write_map
from .conftest import noise, write_raster

MINE = "somebody's work"


def mine(path: Path) -> Path:
    path.write_text(MINE, encoding="utf-8")
    return path


def finished(store: WorkFolder, *names: str) -> list[Path]:
    """Write files into a work folder, as a run that has ended well; return their final names."""
    for name in names:
        store.path(name).write_text(f"new {name}", encoding="utf-8")
    return [store.output.with_name(name) for name in names]


@pytest.mark.parametrize("name", ["c.tif", "c.qml", "c.tif.aux.xml", "c.tif.ovr"])
def test_a_map_is_not_written_over_files_that_belong_to_one(tmp_path, name):
    mine(tmp_path / name)
    with pytest.raises(OutputError, match=f"{name}: exists already; add `overwrite`"):
        check_path(tmp_path / "c.tif", (), overwrite=False)
    check_path(tmp_path / "c.tif", (), overwrite=True)


def test_a_file_that_appears_during_a_run_stays_and_nothing_of_the_set_is_named(tmp_path):
    store = WorkFolder(tmp_path / "c.tif")
    with store.held():
        finals = finished(store, "c.gpkg", "c.tif")
        mine(tmp_path / "c.tif")
        with pytest.raises(OutputError, match=r"c\.tif: exists already"):
            publish(store, finals)
        assert not (tmp_path / "c.gpkg").exists()
        assert (tmp_path / "c.tif").read_text(encoding="utf-8") == MINE


def test_a_file_that_appears_while_a_set_is_named_stays_and_the_set_is_unnamed_again(tmp_path, monkeypatch):
    store = WorkFolder(tmp_path / "c.tif")
    monkeypatch.setattr("lsafnet_cli.files.publishing.os.path.lexists", lambda _: False)
    with store.held():
        finals = finished(store, "c.gpkg", "c.tif")
        mine(tmp_path / "c.tif")
        with pytest.raises(OutputError, match=r"c\.tif: exists already"):
            publish(store, finals)
        assert not (tmp_path / "c.gpkg").exists()
        assert store.path("c.gpkg").exists()
        assert not store.path(NAMING).exists()
    assert (tmp_path / "c.tif").read_text(encoding="utf-8") == MINE


def test_without_hard_links_a_name_is_not_taken_either(tmp_path, monkeypatch):
    def none(*_, **__):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(writing.os, "link", none)
    source = mine(tmp_path / "a")
    name_newly(source, tmp_path / "b")
    with pytest.raises(OutputError, match="exists already"):
        name_newly(mine(tmp_path / "a"), tmp_path / "b")


def test_a_set_half_named_is_finished_by_whoever_comes_next(tmp_path):
    store = WorkFolder(tmp_path / "c.tif")
    store.create()
    finals = finished(store, "c.gpkg", "c.shp", "c.tif")
    pairs = [(str(store.path(path.name)), str(path)) for path in finals]
    text = {"pairs": pairs, "asked": {"by": "me"}, "report": {"n": 1}}
    store.path(NAMING).write_text(json.dumps(text), encoding="utf-8")
    os.link(store.path("c.gpkg"), finals[0])  # killed between the new name and the end of the old one
    store.path("c.shp").rename(finals[1])
    naming = finish_naming(tmp_path / "c.tif")
    assert naming is not None
    assert (naming.asked, naming.report) == ({"by": "me"}, {"n": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.gpkg", "c.shp", "c.tif"]
    assert finals[0].read_text(encoding="utf-8") == "new c.gpkg"
    assert finish_naming(tmp_path / "c.tif") is None


def test_what_belonged_to_an_old_file_is_gone_when_it_is_replaced(tmp_path):
    for name in ("c.tif", "c.tif.ovr", "c.gpkg", "c.gpkg-wal", "s.shp", "s.dbf", "s.qix", "c.qml"):
        mine(tmp_path / name)
    store = WorkFolder(tmp_path / "c.tif")
    with store.used():
        finals = finished(store, "c.gpkg", "s.dbf", "s.shp", "c.qml", "c.tif")
        publish(store, finals, overwrite=True)
    found = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert found == {name: f"new {name}" for name in ("c.tif", "c.gpkg", "s.shp", "s.dbf", "c.qml")}


def test_a_link_or_a_strangers_folder_in_the_place_of_a_work_folder_is_left_alone(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    mine(victim / "precious.txt")
    map_path = write_map(tmp_path / "map.tif", blobs(40, 40))
    folder = tmp_path / ".v.gpkg.partial"
    folder.symlink_to(victim)
    with pytest.raises(OutputError, match="is in the way and no folder of lsafnet's"):
        vectorize_changes(map_path, [tmp_path / "v.gpkg"])
    folder.unlink()
    victim.rename(folder)
    with pytest.raises(OutputError, match="is in the way and no folder of lsafnet's"):
        vectorize_changes(map_path, [tmp_path / "v.gpkg"])
    assert [path.name for path in folder.iterdir()] == ["precious.txt"]


def test_a_link_in_the_place_of_a_lock_or_of_a_file_to_come_is_not_followed(tmp_path):
    lock_of(tmp_path / "c.tif").symlink_to(tmp_path / "made")
    with pytest.raises(OutputError, match=r"c\.tif: cannot be written"), locked_outputs([tmp_path / "c.tif"]):
        pass
    assert not (tmp_path / "made").exists()
    coming(tmp_path / "d").symlink_to(mine(tmp_path / "precious"))
    with replacing(tmp_path / "d") as path:
        path.write_text("new", encoding="utf-8")
    assert (tmp_path / "precious").read_text(encoding="utf-8") == MINE
    assert (tmp_path / "d").read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize(("umask", "rights"), [(0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_rights_that_new_files_have(tmp_path, tiny_checkpoint, umask, rights):
    checkpoint = load_checkpoint(tiny_checkpoint)
    map_path = write_map(tmp_path / "map.tif", blobs(40, 40))
    before = os.umask(umask)
    try:
        vectorize_changes(map_path, [tmp_path / "v.gpkg"])
        with replacing(tmp_path / "text") as path:
            path.write_text("new", encoding="utf-8")
        save_checkpoint(tmp_path / "k.safetensors", checkpoint.network, checkpoint.info)
    finally:
        os.umask(before)
    names = ("v.gpkg", "text", "k.safetensors")
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names} == {rights}


def test_what_a_killed_run_left_of_a_file_is_written_over(tmp_path):
    mine(coming(tmp_path / "t.json"))
    with replacing(tmp_path / "t.json") as path:
        path.write_text("new", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]
    with pytest.raises(OutputError, match="cannot be written"), replacing(tmp_path / "u.json") as path:
        raise OSError("a full disk")
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


@pytest.mark.parametrize("bare", [False, True])
def test_locks_and_a_bare_folder_that_a_killed_run_left_do_no_harm_and_go(tmp_path, bare):
    for name in ("c.tif", "c.gpkg"):
        lock_of(tmp_path / name).touch()
    if bare:
        WorkFolder(tmp_path / "c.tif").create()
    finish_naming(tmp_path / "c.tif", [tmp_path / "c.gpkg"])
    assert list(tmp_path.iterdir()) == []


def test_what_a_run_killed_after_naming_left_beside_its_file_goes(tmp_path):
    for path in (
        tmp_path / "k.safetensors",
        coming(tmp_path / "k.safetensors"),
        lock_of(tmp_path / "k.safetensors"),
    ):
        path.touch()
    with locked_outputs([tmp_path / "k.safetensors"]), pytest.raises(OutputError, match="exists already"):
        check_path(tmp_path / "k.safetensors", (), overwrite=False)
    coming(tmp_path / "k.safetensors").touch()
    with pytest.raises(OutputError, match="exists already"):
        check_path(tmp_path / "k.safetensors", (), overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["k.safetensors"]


def test_an_input_that_changes_during_a_run_is_noticed(pair, tmp_path, tiny_checkpoint, monkeypatch):
    original = pipeline.compute_parts

    def changing(*words):
        found = original(*words)
        write_raster(pair[1], noise(9, 150, 203))
        return found

    monkeypatch.setattr(pipeline, "compute_parts", changing)
    output = tmp_path / "c.tif"
    with pytest.raises(InputError, match=r"after\.tif: has changed since the run started"):
        predict_change(*pair, output, PredictOptions(checkpoint=tiny_checkpoint))
    assert not output.exists()
    monkeypatch.undo()
    predict_change(*pair, output, PredictOptions(checkpoint=tiny_checkpoint))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("hurt", ["cut", "empty", "folder", "flipped", "of another size"])
def test_a_part_that_is_not_as_it_was_written_is_computed_again(
    pair, tmp_path, tiny_checkpoint, monkeypatch, hurt
):
    options = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions(overwrite=True))
    output = tmp_path / "c.tif"
    predict_change(*pair, output, options)
    with rasterio.open(output) as dataset:
        expected = dataset.read(1)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "write_outputs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_change(*pair, output, options)
    monkeypatch.undo()
    (part,) = tmp_path.glob(".c.tif.partial/codes-*.tif")
    whole = part.read_bytes()
    if hurt == "folder":
        part.unlink()
        part.mkdir()
    elif hurt == "of another size":
        write_raster(part, noise(1, 9, 9, 1))
    elif hurt == "flipped":
        with rasterio.open(part, "r+") as dataset:
            pixels = dataset.read(1)
            pixels[5, 5] ^= 1
            dataset.write(pixels, 1)
    else:
        part.write_bytes(whole[: len(whole) // 2] if hurt == "cut" else b"")
    predict_change(*pair, output, options)
    with rasterio.open(output) as dataset:
        assert (dataset.read(1) == expected).all()


@pytest.mark.parametrize("name", ["changes.gpkg", "batch.csv", "batch.json", "changes.vrt"])
def test_a_batch_replaces_no_table_or_merged_file_of_others(tmp_path, tiny_checkpoint, name):
    make_pairs(tmp_path, 1)
    (tmp_path / "out").mkdir()
    mine(tmp_path / "out" / name)
    options = BatchOptions(PredictOptions(checkpoint=tiny_checkpoint), devices="cpu", mosaic=True)
    with pytest.raises(OutputError, match=f"{name}: exists already"):
        run_batch(pair_folders(tmp_path / "b", tmp_path / "a").scenes, tmp_path / "out", options)
    assert (tmp_path / "out" / name).read_text(encoding="utf-8") == MINE
    assert not list((tmp_path / "out").glob("*.tif"))


def test_a_table_that_appears_during_a_batch_is_not_replaced(tmp_path):
    folder = BatchFolder(tmp_path)
    folder.create()
    folder.claim([tmp_path / "batch.csv"], overwrite=False)
    mine(tmp_path / "batch.csv")
    with pytest.raises(OutputError, match="exists already"):
        folder.write_table(tmp_path / "batch.csv", "new")
    assert (tmp_path / "batch.csv").read_text(encoding="utf-8") == MINE
    (tmp_path / "batch.csv").unlink()
    for text in ("new", "newer"):  # its own it replaces
        folder.write_table(tmp_path / "batch.csv", text)
        folder.claim([tmp_path / "batch.csv"], overwrite=False)
    assert (tmp_path / "batch.csv").read_text(encoding="utf-8") == "newer"


def test_merged_polygons_are_of_the_version_of_the_scenes(tmp_path):
    map_path = write_map(tmp_path / "map.tif", blobs(40, 40))
    vectorize_changes(map_path, [tmp_path / "map.gpkg"])
    folder = BatchFolder(tmp_path)
    folder.create()
    record = SceneRecord("map", DONE, "b.tif", "a.tif", "map.tif")
    merge_polygons(folder, [record], print)
    versions = {(tmp_path / name).read_bytes()[60:64] for name in ("map.gpkg", "changes.gpkg")}
    assert len(versions) == 1
    assert not list(folder.hidden.glob("*.gpkg*"))


def test_nothing_of_a_batch_is_written_through_a_link_out_of_its_folder(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    spec = SceneSpec("x", "b.tif", "a.tif", Path("sub/deep/x.tif"))
    with pytest.raises(OutputError, match="outside the batch's folder through a link"):
        claim_files(BatchFolder(tmp_path / "out"), spec, PredictOptions(), None, {})
    assert not list((tmp_path / "elsewhere").iterdir())
    (tmp_path / "out" / ".batch").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is a link"):
        BatchFolder(tmp_path / "out").create()


def test_a_finished_batch_asked_for_pages_too_makes_only_these(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 2)
    scenes = pair_folders(tmp_path / "b", tmp_path / "a").scenes
    options = BatchOptions(PredictOptions(checkpoint=tiny_checkpoint), devices="cpu")
    run_batch(scenes, tmp_path / "out", options)
    maps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("s*") if path.is_file()}
    with_pages = BatchOptions(PredictOptions(checkpoint=tiny_checkpoint), devices="cpu", report=True)
    report = run_batch(scenes, tmp_path / "out", with_pages)
    assert (report.exit_code, report.done_now) == (0, 2)
    assert {path: path.stat().st_mtime_ns for path in maps} == maps
    assert len(list((tmp_path / "out").glob("*.report.html"))) == 2
    assert run_batch(scenes, tmp_path / "out", with_pages).done_now == 0
    assert run_batch(scenes, tmp_path / "out", options).done_now == 0


def test_no_page_of_an_old_map_stays_beside_a_new_one(tmp_path):
    for name in ("x.report.html", "x.tif", "x.probability.tif", "x.probability.qml"):
        mine(tmp_path / name)
    old = {"x.report.html": 1, "x.tif": 1, "x.probability.tif": 1}
    state = SceneState(SceneRecord("x", DONE, "", "", "x.tif"), {}, True, old)
    BatchFolder(tmp_path).remove_old(state, [tmp_path / "x.tif"])
    assert [path.name for path in tmp_path.iterdir()] == ["x.tif"]


def test_a_work_folder_that_was_half_removed_is_known_as_a_runs_own(tmp_path):
    store = WorkFolder(tmp_path / "c.tif")
    store.folder.mkdir()
    store.create()
    (store.folder / "codes.tif").touch()
    store.create()
    (store.folder / MARK).unlink()
    with pytest.raises(OutputError, match="is in the way"):
        store.create()


def test_a_full_disk_under_a_checkpoint_is_one_line_and_leaves_nothing(
    tmp_path, tiny_checkpoint, monkeypatch
):
    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    checkpoint = load_checkpoint(tiny_checkpoint)
    monkeypatch.setattr("lsafnet.checkpoint.files.save_file", full)
    words = r"k\.safetensors: cannot be written \(.*No space left"
    with pytest.raises(OutputError, match=words), replacing(tmp_path / "k.safetensors") as path:
        save_checkpoint(path, checkpoint.network, checkpoint.info)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system here")
def test_polygons_on_another_file_system_are_there_before_anything_is_named(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("one file system here")
        store, target = WorkFolder(tmp_path / "c.tif"), Path(other) / "c.gpkg"
        with store.used([target]):
            finished(store, "c.tif", "c.gpkg")
            publish(store, [target, tmp_path / "c.tif"])
        assert [path.name for path in Path(other).iterdir()] == ["c.gpkg"]
        with store.used():
            finished(store, "d.tif", "e.gpkg")
            mine(tmp_path / "d.tif")
            with pytest.raises(OutputError, match=r"d\.tif: exists already"):
                publish(store, [Path(other) / "e.gpkg", tmp_path / "d.tif"])
        assert [path.name for path in Path(other).iterdir()] == ["c.gpkg"]
