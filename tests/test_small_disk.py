"""A real disk that is full: one line with exit code 6, nothing half-written; with more room the command ends well.

The disk is a small tmpfs, which only root may mount; elsewhere these tests are skipped (tests/test_full_disk.py has a
limit of file sizes instead).
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .conftest import noise, write_raster
from .killing import run, write_inputs

pytestmark = [pytest.mark.usefixtures("preloaded"), pytest.mark.slow]

LEARN = ("--network", "lsafnet-tiny", "--epochs", "1", "--batch-size", "2", "--crop", "32", "--workers", "0")
COMMANDS = {  # each with a size in kB that is too small for it
    "predict": (40, "predict", "{in}/a.tif", "{in}/b.tif", "-o", "c.tif", "--also", "probability,report,gpkg"),
    "predict polygons": (200, "predict", "{in}/a.tif", "{in}/b.tif", "-o", "c.tif", "--polygons", "c.gpkg"),
    "vectorize": (200, "vectorize", "{in}/m.tif", "-o", "v.gpkg", "-o", "v.shp", "-o", "v.geojson"),
    "batch": (200, "batch", "{in}/b", "{in}/a", "-o", "out", "--devices", "cpu", "--mosaic", "--report"),
    "train": (40, "train", "{in}/set", "-o", "run", "--device", "cpu", *LEARN),
    "report": (40, "report", "{in}/m.tif", "-o", "r.html", "--before", "{in}/a.tif", "--after", "{in}/b.tif"),
    "series": (60, "series", "{in}/a.tif", "{in}/b.tif", "{in}/c.tif", "-o", "s", "--dates", "2019,2020,2021"),
    "sample": (40, "sample", "{in}/m.tif", "-o", "p.gpkg", "--per-stratum", "2"),
    "sample with chips": (
        200, "sample", "{in}/m.tif", "-o", "p.gpkg", "--per-stratum", "2", "--before", "{in}/a.tif", "--after",
        "{in}/b.tif",
    ),
    "decide": (16, "decide", "{in}/m.tif", "-o", "d.tif", "--threshold", "0.6", "--also", "from,probability"),
    "review": (40, "review", "{in}/m.tif", "-o", "n.gpkg"),
    "corrected map": (16, "review", "{in}/m.tif", "{in}/n.gpkg", "-o", "n.tif", "--labels", "labels"),
    "summarize": (8, "summarize", "{in}/m.tif", "--plot", "p.svg"),
    "zones": (40, "summarize", "{in}/m.tif", "--zones", "{in}/n.gpkg", "--zone-field", "transition", "-o", "z.gpkg"),
    "evaluate": (
        8, "evaluate", "{in}/m.tif", "{in}/m.before.tif", "{in}/m.after.tif", "--bootstrap", "0", "--plot", "e.png",
    ),
    "import": (
        40, "checkpoint", "import", "{in}/state.pth", "--network", "lsafnet-tiny", "--dataset", "{in}/classes.json",
        "-o", "k.safetensors",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_checkpoint, fork_server) -> Path:
    folder = write_inputs(tmp_path_factory.mktemp("inputs"), tiny_checkpoint)
    write_raster(folder / "c.tif", noise(3, 90, 80))
    for words in (
        ("predict", "{in}/a.tif", "{in}/b.tif", "-o", "m.tif", "--also", "before,after,probability"),
        ("review", "m.tif", "-o", "n.gpkg"),
    ):
        assert run(folder, folder, words).returncode == 0
    with closing(sqlite3.connect(folder / "n.gpkg")) as table:
        for (name,) in table.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            table.execute(f'DROP TRIGGER "{name}"')
        table.execute("UPDATE changes SET status = 'rejected' WHERE id % 2")
        table.commit()
    return folder


@pytest.fixture
def disk(tmp_path) -> Iterator[Callable[[int], Path]]:
    """Return what mounts a disk of so many kB, or gives it another size, and returns its folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may mount a disk")

    def of_size(kilobytes: int) -> Path:
        again = "remount," if folder.is_mount() else ""
        words = [mount, "-t", "tmpfs", "-o", f"{again}size={kilobytes}k", "tmpfs", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a disk cannot be mounted here ({done.stderr.strip()})")
        return folder

    yield of_size
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_full_disk_is_one_line_and_with_more_room_the_same_command_ends_well(disk, inputs, kind):
    size, *words = COMMANDS[kind]
    folder = disk(size)
    done = run(inputs, folder, words)
    *notes, last = done.stderr.splitlines()
    assert (done.returncode, last[:9]) == (6, "lsafnet: "), done.stderr
    assert all(note.startswith(("note: ", "epoch ")) for note in notes), done.stderr
    disk(64_000)
    again = run(inputs, folder, words)
    assert again.returncode == 0, again.stderr
    left = [path for path in folder.rglob(".*") if path.name != ".batch"]
    assert left == [], left
