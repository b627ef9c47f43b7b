"""A run that is broken off, however that happens, leaves a state to go on from or nothing, and never half a map."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import OutputError
from lsafnet_cli.files.fingerprints import differences
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import OutputOptions, TileOptions
from lsafnet_cli.scenes.stamps import file_stamp
from lsafnet_cli.system.locks import locked_outputs

from .conftest import noise, write_raster

pytestmark = pytest.mark.usefixtures("preloaded")

RUN = """
import sys, time
from pathlib import Path
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.prediction.write import PartWriter
from lsafnet_cli.options import OutputOptions, TileOptions
original = PartWriter.put
def slowly(self, patch):
    time.sleep(0.03)
    original(self, patch)
PartWriter.put = slowly
folder, checkpoint = map(Path, sys.argv[1:])
print("started", flush=True)
predict_change(folder / "a.tif", folder / "b.tif", folder / "changes.tif", PredictOptions(
    checkpoint=checkpoint, tile=TileOptions(row_band_px=32),
    output=OutputOptions((folder / "changes.gpkg",), ("probability",))))
print("finished", flush=True)
"""
ROWS, COLS = 600, 200


@pytest.fixture
def scene(tmp_path):
    """Return a folder with a pair of more rows than one part holds."""
    for number, name in enumerate(("a", "b")):
        write_raster(tmp_path / f"{name}.tif", noise(number, ROWS, COLS), compress="deflate")
    return tmp_path


def start(folder, checkpoint, **options):
    """Start a run in a process of its own and wait until it has begun."""
    command = [sys.executable, "-c", RUN, str(folder), str(checkpoint)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment, **options)  # fmt: skip
    begun = process.stdout.readline()
    assert begun == "started\n", process.communicate()[1]
    return process


def in_peace(folder, checkpoint, output):
    options = PredictOptions(
        checkpoint=checkpoint,
        tile=TileOptions(row_band_px=32),
        output=OutputOptions((output.with_suffix(".gpkg"),), ("probability",)),
    )
    observer = Observer()
    predict_change(folder / "a.tif", folder / "b.tif", output, options, observer)
    return observer.notices


def layers(output):
    found = []
    for path in (output, output.with_name(f"{output.stem}.probability.tif")):
        with rasterio.open(path) as dataset:
            found.append(dataset.read(1))
    return found


def is_whole(path):
    """Return whether a raster, where it exists, can be read to its last pixel."""
    if path.exists():
        with rasterio.open(path) as dataset:
            assert dataset.read(1).shape == (ROWS, COLS)


def parts(folder):
    return sorted(folder.glob(".changes.tif.partial/codes-*.tif"))


def test_killed_at_any_moment_the_same_run_goes_on_to_the_same_map(scene, tiny_checkpoint):
    in_peace(scene, tiny_checkpoint, scene / "quiet.tif")
    moments = random.Random(3)
    progress = [0]
    for _ in range(6):
        process = start(scene, tiny_checkpoint)
        wanted = len(parts(scene)) + moments.randint(0, 3)
        while len(parts(scene)) < wanted and process.poll() is None:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        is_whole(scene / "changes.tif")
        is_whole(scene / "changes.probability.tif")
        if (scene / "changes.tif").exists():
            break
        assert len(parts(scene)) >= progress[-1]
        progress.append(len(parts(scene)))
    else:
        process = start(scene, tiny_checkpoint)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert len(set(progress)) > 2
    for found, expected in zip(layers(scene / "changes.tif"), layers(scene / "quiet.tif"), strict=True):
        assert (found == expected).mean() >= 0.9999
    assert not list(scene.glob(".*"))


def test_finished_rows_are_not_computed_again(scene, tiny_checkpoint, monkeypatch):
    from lsafnet_cli.prediction import tile_rows

    begun = []
    original = tile_rows.read_tile_rows

    def noting(*words):
        begun.append(words[3])
        return original(*words)

    process = start(scene, tiny_checkpoint)
    while len(parts(scene)) < 9 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    done = len(parts(scene)) * 32
    assert 9 * 32 <= done < ROWS
    monkeypatch.setattr("lsafnet_cli.prediction.compute.read_tile_rows", noting)
    in_peace(scene, tiny_checkpoint, scene / "changes.tif")
    (first_row,) = begun
    stride = 48
    assert first_row * stride + 64 > done
    assert first_row > 3


@pytest.mark.parametrize("change", ["input", "option", "no-resume"])
def test_a_change_of_anything_that_decides_the_map_starts_afresh(scene, tiny_checkpoint, change):
    process = start(scene, tiny_checkpoint)
    while len(parts(scene)) < 3 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    options = {"checkpoint": tiny_checkpoint, "tile": TileOptions(row_band_px=32)}
    output = OutputOptions((scene / "changes.gpkg",), ("probability",), resume=change != "no-resume")
    if change == "input":
        write_raster(scene / "b.tif", noise(77, ROWS, COLS))
    if change == "option":
        options["threshold"] = 0.4
    observer = Observer()
    pair = scene / "a.tif", scene / "b.tif"
    predict_change(*pair, scene / "changes.tif", PredictOptions(**options, output=output), observer)
    told = [notice for notice in observer.notices if "starting afresh" in notice]
    word = {"input": "the after image", "option": "an option"}.get(change)
    assert bool(told) == bool(word)
    assert not told or word in told[0]
    predict_change(
        *pair, scene / "quiet.tif", PredictOptions(**options, output=OutputOptions(also=("probability",)))
    )
    np.testing.assert_array_equal(layers(scene / "changes.tif")[0], layers(scene / "quiet.tif")[0])


def test_a_ctrl_c_ends_the_run_and_leaves_what_can_be_gone_on_with(scene, tiny_checkpoint):
    process = start(scene, tiny_checkpoint)
    while len(parts(scene)) < 4 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert not (scene / "changes.tif").exists()
    assert len(parts(scene)) >= 4


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_ctrl_c_or_sigterm_at_the_command_line_says_so_in_one_line(scene, tiny_checkpoint, sent):
    write_raster(scene / "a.tif", noise(0, 2000, 2000))
    write_raster(scene / "b.tif", noise(1, 2000, 2000))
    command = command_line(tiny_checkpoint, "--batch-size", "1", "--tile", "32", "--overlap", "16")
    process = subprocess.Popen(command, cwd=scene, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (scene / ".changes.tif.partial").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(sent)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "lsafnet: interrupted; the same command resumes"
    assert "Traceback" not in errors
    assert printed == ""
    assert not (scene / "changes.tif").exists()


def command_line(checkpoint, *options):
    files = ["a.tif", "b.tif", "-o", "changes.tif", "--checkpoint", str(checkpoint)]
    return [sys.executable, "-m", "lsafnet_cli.app", "predict", *files, *options]


def limit_file_size():
    """Let no file of this process grow beyond 250 kB, as a full disk or a quota would."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, 250_000))


def test_a_full_disk_gives_exit_6_and_keeps_what_can_be_gone_on_with(scene, tiny_checkpoint):
    command = command_line(tiny_checkpoint, "--also", "probability", "--polygons", "changes.gpkg")
    command += ["--min-area", "0"]
    full = subprocess.run(
        command, cwd=scene, capture_output=True, text=True, preexec_fn=limit_file_size, check=False
    )
    assert full.returncode == 6, full.stderr
    assert "Traceback" not in full.stderr
    last = full.stderr.strip().splitlines()[-1]
    assert last.startswith("lsafnet: ")
    assert "changes.gpkg" in last
    assert not (scene / "changes.tif").exists()
    assert not (scene / "changes.gpkg").exists()
    assert parts(scene)
    again = subprocess.run(command, cwd=scene, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    is_whole(scene / "changes.tif")
    assert not list(scene.glob(".*"))


def test_two_runs_never_share_an_output(scene, tiny_checkpoint):
    for taken in ("changes.tif", "changes.probability.tif", "changes.gpkg"):
        with locked_outputs([scene / taken]), pytest.raises(OutputError, match=f"{taken}: another run"):
            in_peace(scene, tiny_checkpoint, scene / "changes.tif")
    assert not list(scene.glob(".*"))


def test_a_stamp_changes_with_the_file(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    first = file_stamp(str(path))
    path.write_text("other")
    assert file_stamp(str(path)) != first
    assert file_stamp("https://example.org/a.tif") == ["https://example.org/a.tif"]


def test_differences_are_named():
    old = json.loads(json.dumps({"a": (1, 2), "b": 1}))
    assert differences(old, {"a": (1, 2), "b": 1}) == []
    assert differences(old, {"a": (1, 3), "c": 1}) == ["a", "b", "c"]
