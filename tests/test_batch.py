"""A batch always finishes, does only what is missing, and never does a scene twice."""

import csv
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
from rasterio.warp import transform
from shapely.geometry import shape

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.app import main
from lsafnet_cli.batch import work
from lsafnet_cli.batch.driver import run_batch
from lsafnet_cli.batch.folder import BatchFolder
from lsafnet_cli.batch.messages import Task, WorkerSetup
from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.pairing import pair_folders, read_pairs
from lsafnet_cli.batch.worker_devices import threads_each, worker_devices
from lsafnet_cli.checkpoints.choose import sha256_of
from lsafnet_cli.errors import OptionError, OutputError
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import OutputOptions

from .batches import codes, command, make_pairs, run
from .conftest import PLACE, UTM, noise, write_raster
from .maps import ground, write_zones

pytestmark = pytest.mark.usefixtures("preloaded")


def rows_of(folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of batch.csv by name."""
    with (folder / "batch.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def batch(folder, checkpoint, observer=None, scenes=None, **options):
    """Run a batch over the folders b and a from Python, on one worker unless told otherwise."""
    predict = options.pop("predict", {})
    told = BatchOptions(
        **{"predict": PredictOptions(checkpoint=checkpoint, **predict), "devices": "cpu", **options}
    )
    scenes = scenes or pair_folders(folder / "b", folder / "a").scenes
    return run_batch(scenes, folder / "out", told, observer)


@pytest.fixture
def six(tmp_path):
    """Return a folder with six pairs."""
    make_pairs(tmp_path, 6)
    return tmp_path


def break_seven(folder: Path) -> dict[str, str]:
    """Break seven pairs in different ways; return the exit code that each deserves."""
    one = np.ones((3, 64, 64), "uint8")
    (folder / "b" / "s010.tif").write_bytes(b"no image at all")
    (folder / "a" / "s020.tif").write_bytes(b"")
    write_raster(folder / "a" / "s030.tif", one, crs=None, transform=rasterio.Affine.identity())
    write_raster(folder / "a" / "s040.tif", one, transform=rasterio.Affine(0.5, 0, 100000, 0, -0.5, 5335000))
    write_raster(folder / "b" / "s050.tif", one[:1])
    cut = folder / "b" / "s060.tif"
    cut.write_bytes(cut.read_bytes()[:-4000])
    (folder / "out" / "s070.tif").mkdir(parents=True)
    return {"s010": "3", "s020": "3", "s030": "4", "s040": "4", "s050": "3", "s060": "3", "s070": "6"}


def test_of_80_pairs_7_broken_ones_fail_and_73_are_mapped(tmp_path, tiny_checkpoint):
    names = make_pairs(tmp_path, 80, side=64)
    broken = break_seven(tmp_path)
    done = run(tiny_checkpoint, tmp_path, "b", "a", "-o", "out", "--devices", "2xcpu")
    assert done.returncode == 8, done.stderr
    assert "Traceback" not in done.stderr
    rows = rows_of(tmp_path / "out")
    assert list(rows) == names
    failed = {name: row for name, row in rows.items() if row["status"] == "failed"}
    assert {name: row["exit_code"] for name, row in failed.items()} == broken
    assert all(name in row["error"] and "\n" not in row["error"] for name, row in failed.items())
    assert all(f"{name} " in done.stdout for name in broken)
    assert "80 scenes: 73 done, 7 failed" in done.stdout
    mapped = [name for name in names if (tmp_path / "out" / f"{name}.tif").is_file()]
    assert mapped == [name for name in names if name not in broken]
    assert all((tmp_path / "out" / f"{name}.gpkg").exists() for name in mapped)
    with fiona.open(tmp_path / "out" / "changes.gpkg") as layer:
        scenes = Counter(feature["properties"]["scene"] for feature in layer)
        ids = [feature["properties"]["id"] for feature in layer]
    assert ids == list(range(1, len(ids) + 1))
    assert scenes == {n: int(rows[n]["polygons"]) for n in mapped if rows[n]["polygons"] != "0"}


def test_a_scene_of_a_batch_is_what_predict_makes(six, tiny_checkpoint):
    report = batch(six, tiny_checkpoint)
    assert report.exit_code == 0
    alone = PredictOptions(checkpoint=tiny_checkpoint, output=OutputOptions((six / "alone.gpkg",)))
    expected = predict_change(six / "b" / "s003.tif", six / "a" / "s003.tif", six / "alone.tif", alone)
    np.testing.assert_array_equal(codes(six / "out" / "s003.tif"), codes(six / "alone.tif"))
    record = report.records[3]
    assert (record.changed_pixels, record.polygons) == (expected.table.changed_pixels, expected.polygon_count)
    found = json.loads((six / "out" / "s003.report.json").read_text(encoding="utf-8"))
    assert found["table"] == json.loads(json.dumps(expected.as_dict()["table"]))
    with fiona.open(six / "out" / "s003.gpkg") as layer:
        assert {feature["properties"]["scene"] for feature in layer} == {"s003"}


def test_an_ensemble_works_in_a_batch_as_it_does_alone(six, tiny_checkpoint):
    (scene, *_) = pair_folders(six / "b", six / "a").scenes
    report = batch(six, tiny_checkpoint, scenes=[scene], predict={"ensemble": (tiny_checkpoint,)})
    assert report.exit_code == 0
    alone = PredictOptions(checkpoint=tiny_checkpoint, ensemble=(tiny_checkpoint,))
    predict_change(scene.before, scene.after, six / "alone.tif", alone)
    np.testing.assert_array_equal(codes(six / "out" / "s000.tif"), codes(six / "alone.tif"))


def test_run_again_it_does_only_what_is_missing_failed_or_changed_and_says_why(six, tiny_checkpoint):
    (six / "b" / "s001.tif").rename(six / "aside.tif")
    (six / "b" / "s001.tif").write_bytes(b"broken")
    assert batch(six, tiny_checkpoint).exit_code == 8
    (six / "aside.tif").replace(six / "b" / "s001.tif")
    place = PLACE @ rasterio.Affine.translation(2 * 72, 0)
    write_raster(six / "a" / "s002.tif", noise(77, 72, 72), transform=place)
    (six / "out" / "s003.tif").unlink()
    os.utime(six / "out" / "s004.gpkg")
    observer = Observer()
    again = batch(six, tiny_checkpoint, observer)
    assert again.failures == []
    assert again.done_now == 3
    told = {notice.split(" ")[0]: notice for notice in observer.notices if "done again" in notice}
    assert set(told) == {"s001", "s002", "s003"}
    assert "it failed" in told["s001"]
    assert "the after image changed" in told["s002"]
    assert "s003.tif is gone" in told["s003"]
    assert batch(six, tiny_checkpoint).done_now == 0
    with pytest.raises(
        OutputError, match=r"6 of its scenes are done, and an option changed since: add `overwr"
    ):
        batch(six, tiny_checkpoint, predict={"threshold": 0.4})
    observer = Observer()
    others = {"threshold": 0.4, "output": OutputOptions(overwrite=True)}
    assert batch(six, tiny_checkpoint, observer, predict=others).done_now == 6
    assert "an option changed" in observer.notices[0]


def test_files_that_are_not_the_batchs_own_are_not_replaced(six, tiny_checkpoint):
    (six / "out").mkdir()
    (six / "out" / "s001.tif").write_text("somebody's work", encoding="utf-8")
    for _ in range(2):  # nor after a run has failed because of them
        report = batch(six, tiny_checkpoint)
        assert [record.name for record in report.failures] == ["s001"]
        assert "exists already" in report.failures[0].error
        assert (six / "out" / "s001.tif").read_text(encoding="utf-8") == "somebody's work"
    allowed = {"output": OutputOptions(overwrite=True)}
    assert batch(six, tiny_checkpoint, predict=allowed).exit_code == 0


def test_killed_at_random_moments_it_still_ends_with_the_maps_of_an_undisturbed_batch(
    tmp_path, tiny_checkpoint
):
    names = make_pairs(tmp_path, 10, side=150)
    words = ("b", "a", "--devices", "cpu", "-q")
    assert run(tiny_checkpoint, tmp_path, *words, "-o", "quiet").returncode == 0
    moments, progress = random.Random(4), []
    for _ in range(5):
        states = tmp_path / "out" / ".batch" / "scenes"
        before = len(list(states.glob("*.json")))
        process = subprocess.Popen(
            command(tiny_checkpoint, *words, "-o", "out"), cwd=tmp_path, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        while process.poll() is None and len(list(states.glob("*.json"))) <= before:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        progress.append(len(list(states.glob("*.json"))))
    assert progress == sorted(progress)
    last = run(tiny_checkpoint, tmp_path, *words, "-o", "out")
    assert last.returncode == 0, last.stderr
    for name in names:
        for ending in (".tif", ".qml", ".tif.aux.xml"):
            assert (tmp_path / "out" / f"{name}{ending}").exists()
        np.testing.assert_array_equal(
            codes(tmp_path / "out" / f"{name}.tif"), codes(tmp_path / "quiet" / f"{name}.tif")
        )
    with (
        fiona.open(tmp_path / "out" / "changes.gpkg") as found,
        fiona.open(tmp_path / "quiet" / "changes.gpkg") as quiet,
    ):
        assert [dict(f["properties"]) for f in found] == [dict(f["properties"]) for f in quiet]
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name.endswith((".partial", ".tmp"))]


def test_two_runs_on_one_folder_do_each_scene_once(tmp_path, tiny_checkpoint):
    names = make_pairs(tmp_path, 12)
    words = command(tiny_checkpoint, "b", "a", "-o", "out", "--devices", "cpu", "--json", "-q")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    runs = [
        subprocess.Popen(
            words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    reports = []
    for process in runs:
        printed, errors = process.communicate()
        assert process.returncode == 0, errors
        reports.append(json.loads(printed))
    assert sum(report["done_now"] for report in reports) == len(names)
    assert all(report["counts"]["done"] == len(names) for report in reports)
    assert {name for name, row in rows_of(tmp_path / "out").items() if row["status"] == "done"} == set(names)


def children() -> list[int]:
    """Return the processes that this one has started."""
    found = [path.read_text(encoding="ascii").split() for path in Path("/proc/self/task").glob("*/children")]
    return [int(number) for numbers in found for number in numbers]


class Killer(Observer):
    """Kills all workers when they have told of a scene's pixels, so many times."""

    def __init__(self, name: str, times: int) -> None:
        super().__init__()
        self.name, self.times, self.told = name, times, []
        self.killed = set(children())  # those that are there before any worker is, such as the fork server

    def advance(self, amount, item="", **facts) -> None:  # noqa: ARG002
        alive = set(children()) - self.killed
        if item == self.name and self.times and alive:
            self.times -= 1
            self.killed |= alive
            for number in alive:
                os.kill(number, signal.SIGKILL)

    def notice(self, text, item="") -> None:
        if "retrying" in text:
            self.told.append((item, text))


@pytest.mark.parametrize("times", [1, 2])
def test_a_worker_that_dies_is_replaced_and_its_scene_is_retried(six, tiny_checkpoint, times):
    for date_of, seed in (("b", 1), ("a", 2)):
        write_raster(six / date_of / "s002.tif", noise(seed, 900, 900))
    killer = Killer("s002", times)
    report = batch(six, tiny_checkpoint, killer)
    assert killer.times == 0
    assert ("s002", "worker was killed by signal 9; retrying this scene") in killer.told
    if times == 1:
        assert report.exit_code == 0
    else:
        assert [record.error for record in report.failures] == [report.records[2].error]
        (failure,) = report.failures
        assert (failure.name, failure.exit_code) == ("s002", 7)
        assert "was killed by signal 9, 2 times" in failure.error
        assert rows_of(six / "out")["s002"]["status"] == "failed"


def test_fail_fast_stops_at_the_first_failure(six, tiny_checkpoint):
    (six / "b" / "s001.tif").write_bytes(b"broken")
    report = batch(six, tiny_checkpoint, fail_fast=True)
    assert report.exit_code == 8
    assert [record.name for record in report.failures] == ["s001"]
    assert report.records[-1].status == "waiting"
    again = batch(six, tiny_checkpoint)
    assert [record.status for record in again.records].count("done") == 5


def test_a_bug_is_one_line_with_a_log_and_stops_no_other_scene(six, tiny_checkpoint, monkeypatch):
    def faulty(*_, **__):
        raise ZeroDivisionError("a\nbug")

    monkeypatch.setattr(work, "open_prediction", faulty)
    told = []
    (spec, *_) = pair_folders(six / "b", six / "a").scenes
    BatchFolder(six / "out").create()
    options = BatchOptions(predict=PredictOptions(checkpoint=tiny_checkpoint))
    with work.SceneRunner(
        WorkerSetup(six / "out", options, sha256_of(tiny_checkpoint), "cpu"), told.append
    ) as runner:
        runner.do(Task(spec))
    (outcome,) = told
    assert outcome.record.error == f"internal error: ZeroDivisionError: a bug; see {outcome.record.log}"
    assert outcome.record.exit_code == 1
    assert "Traceback" in (six / "out" / outcome.record.log).read_text(encoding="utf-8")


def limit_file_size():
    """Let no file of this process or its children grow beyond 250 kB, as a full disk would."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, 250_000))


def test_a_disk_that_is_full_for_one_scene_is_not_for_the_others(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 3)
    for date_of, seed in (("b", 1), ("a", 2)):
        write_raster(
            tmp_path / date_of / "s001.tif",
            np.random.default_rng(seed).integers(1, 255, (3, 900, 900), "uint8"),
        )
    words = ("b", "a", "-o", "out", "--devices", "cpu", "--also", "probability")
    done = run(tiny_checkpoint, tmp_path, *words, preexec_fn=limit_file_size)
    assert done.returncode == 8, done.stderr
    rows = rows_of(tmp_path / "out")
    assert {name: row["exit_code"] for name, row in rows.items()} == {"s000": "0", "s001": "6", "s002": "0"}
    assert not (tmp_path / "out" / "s001.tif").exists()
    assert run(tiny_checkpoint, tmp_path, *words).returncode == 0


def test_a_ctrl_c_keeps_the_state_and_says_so_in_one_line(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 4, side=300)
    words = command(tiny_checkpoint, "b", "a", "-o", "out", "--devices", "cpu", "--batch-size", "1")
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)  # fmt: skip
    while process.poll() is None and not list((tmp_path / "out").rglob("s000.tif.json")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "lsafnet: interrupted; the same command resumes"
    assert "Traceback" not in errors
    assert printed == ""
    assert rows_of(tmp_path / "out")
    assert run(tiny_checkpoint, tmp_path, "b", "a", "-o", "out", "--devices", "cpu").returncode == 0


def test_a_dry_run_shows_the_plan_and_writes_nothing(six, tiny_checkpoint, capsys, monkeypatch):
    monkeypatch.chdir(six)
    (six / "b" / "s005.tif").unlink()
    with pytest.raises(SystemExit) as left:
        main(["batch", "b", "a", "-o", "out", "--dry-run", "--checkpoint", str(tiny_checkpoint)])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert "72 x 72" in shown
    assert "no partner: a/s005.tif" in shown
    assert "5 of 5 scenes to do" in " ".join(shown.split())
    assert not (six / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["batch"],
        ["batch", "b"],
        ["batch", "b", "a"],
        ["batch", "b", "a", "-o", "out", "--shard", "9/2"],
        ["batch", "b", "a", "-o", "out", "--formats", "doc"],
        ["batch", "b", "a", "-o", "out", "--devices", "tpu"],
        ["batch", "b", "a", "-o", "out", "--match", "nothing"],
        ["batch", "b", "a", "-o", "out", "--split-rows", "4096"],
        ["batch", "b", "a", "-o", "out", "--tile", "33"],
        ["batch", "b", "a", "-o", "out", "--pairs", "p.csv"],
        ["batch", "--collect", "out", "-o", "out"],
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(six, words, capsys, monkeypatch):
    monkeypatch.chdir(six)
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (six / "out" / "batch.csv").exists()


def test_devices_are_read(monkeypatch):
    assert worker_devices("3xcpu") == ["cpu"] * 3
    assert worker_devices("cuda:0,cuda:1") == ["cuda:0", "cuda:1"]
    monkeypatch.setattr("lsafnet_cli.batch.worker_devices._cards", list)
    assert worker_devices("auto") == ["cpu"]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert (threads_each(["cpu"]), threads_each(["cpu"] * 3)) == (None, 1)
    for text in ("cuda:0,cuda:0", "0xcpu", "gpu", ""):
        with pytest.raises(OptionError):
            worker_devices(text)


def test_the_tables_columns_reach_polygons_and_records(six, tiny_checkpoint):
    (six / "pairs.csv").write_text(
        "before,after,output,name,before_date,after_date,district,status\n"
        "b/s000.tif,a/s000.tif,north/one.tif,the first,2019-05-01,2024-06-30,Mitte,old\n"
        "b/s001.tif,a/s001.tif,,,,,Süd,\n",
        encoding="utf-8",
    )
    report = batch(six, tiny_checkpoint, scenes=read_pairs(six / "pairs.csv").scenes, formats=(".geojson",))
    assert report.exit_code == 0
    rows = rows_of(six / "out")
    assert (rows["the first"]["district"], rows["the first"]["extra_status"]) == ("Mitte", "old")
    assert rows["s001"]["district"] == "Süd"
    assert (six / "out" / "north" / "one.geojson").exists()
    with fiona.open(six / "out" / "changes.gpkg") as layer:
        first = next(iter(layer))["properties"]
    assert first["scene"] == "the first"
    assert date.fromisoformat(str(first["before_date"])) == date(2019, 5, 1)


def test_each_scene_has_its_own_area_of_interest(six, tiny_checkpoint):
    write_zones(six / "area.gpkg", [ground((0, 36), (0, 72))], name=["north"])
    (six / "pairs.csv").write_text(
        "before,after,aoi\nb/s000.tif,a/s000.tif,area.gpkg\nb/s001.tif,a/s001.tif,\n", encoding="utf-8"
    )
    scenes = read_pairs(six / "pairs.csv").scenes
    report = batch(six, tiny_checkpoint, scenes=scenes)
    assert [record.valid_pixels for record in report.records] == [36 * 72, 72 * 72]
    write_zones(six / "area.gpkg", [ground((0, 20), (0, 72))], name=["north"])
    observer = Observer()
    again = batch(six, tiny_checkpoint, observer, scenes=scenes)
    assert again.done_now == 1
    assert "the area of interest changed" in observer.notices[0]
    assert again.records[0].valid_pixels == 20 * 72


def test_scenes_in_several_crs_are_merged_in_degrees_and_make_no_mosaic(six, tiny_checkpoint):
    for date_of, seed in (("b", 1), ("a", 2)):
        other = rasterio.Affine(0.5, 0, 300000, 0, -0.5, 5335000)
        write_raster(six / date_of / "s001.tif", noise(seed, 72, 72), crs="EPSG:32633", transform=other)
        write_raster(
            six / date_of / "s002.tif", noise(seed, 72, 72), crs=None, transform=rasterio.Affine.identity()
        )
    observer = Observer()
    assert batch(six, tiny_checkpoint, observer, mosaic=True).exit_code == 0
    assert any("s001.tif has another CRS" in notice for notice in observer.notices)
    assert any("s002 is not georeferenced" in notice for notice in observer.notices)
    assert not (six / "out" / "changes.vrt").exists()
    with fiona.open(six / "out" / "changes.gpkg") as layer, fiona.open(six / "out" / "s001.gpkg") as own:
        assert layer.crs.to_epsg() == 4326
        placed = [shape(f["geometry"]) for f in layer if f["properties"]["scene"] == "s001"]
        own_crs, drawn = own.crs, [shape(f["geometry"]) for f in own]
    x, y = transform(own_crs, "EPSG:4326", *([value] for value in drawn[0].centroid.coords[0]))
    assert placed[0].centroid.coords[0] == pytest.approx((x[0], y[0]), abs=1e-8)
    assert len(placed) == len(drawn)


def test_the_mosaic_holds_every_map_where_it_lies_and_moves_with_its_folder(six, tiny_checkpoint):
    assert batch(six, tiny_checkpoint, mosaic=True).exit_code == 0
    (six / "out").rename(six / "moved")
    with rasterio.open(six / "moved" / "changes.vrt") as mosaic:
        assert (mosaic.crs.to_string(), mosaic.shape, mosaic.nodata) == (UTM, (72, 6 * 72), 255)
        whole = mosaic.read(1)
    for number in range(6):
        own = codes(six / "moved" / f"s00{number}.tif")
        np.testing.assert_array_equal(whole[:, number * 72 : (number + 1) * 72], own)


def test_the_polygons_of_a_batch_are_shaped_and_take_verdicts(tmp_path, tiny_checkpoint):
    make_pairs(tmp_path, 2)
    words = ("--devices", "cpu", "--min-area", "30", "--review-form")
    done = run(tiny_checkpoint, tmp_path, "b", "a", "-o", "out", *words)
    assert done.returncode == 0, done.stderr
    for name in ("s000.gpkg", "s001.gpkg", "changes.gpkg"):
        with fiona.open(tmp_path / "out" / name, layer="changes") as layer:
            rows = [row["properties"] for row in layer]
        assert len(rows) > 0
        assert {row["status"] for row in rows} == {"open"}
        assert min(row["area_m2"] for row in rows) >= 30
    with closing(sqlite3.connect(tmp_path / "out" / "changes.gpkg")) as base:
        ((style,),) = base.execute("SELECT styleQML FROM layer_styles").fetchall()
    assert '<field name="corrected_to"' in style
