"""Commands to be killed at a step, their inputs, and what of their outputs must be as if they had not been.

For tests/test_kills.py, which kills each a few times, and benchmarks/kills.py, which kills them a hundred times.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import rasterio
import torch
from safetensors.torch import load_file

from lsafnet import build_network

from .batches import make_pairs
from .change_maps import read_polygons
from .conftest import noise, write_raster
from .kills import VARIABLE
from .training_sets import write_pairs

SIX_OUTPUTS = ("--also", "probability,quicklook,report", "--polygons", "c.gpkg", "--polygons", "c.shp")
PREDICT = ("predict", "{in}/a.tif", "{in}/b.tif", "-o", "c.tif")
COMMANDS = {
    "predict": (*PREDICT, *SIX_OUTPUTS),
    "add to a map": (*PREDICT, *SIX_OUTPUTS),
    "vectorize": ("vectorize", "{in}/map.tif", "-o", "v.gpkg", "-o", "v.shp", "-o", "v.geojson"),
    "vectorize a shapefile that is there": ("vectorize", "{in}/map.tif", "-o", "v.shp", "--overwrite"),
    "batch": ("batch", "{in}/b", "{in}/a", "-o", "out", "--devices", "2xcpu", "--mosaic"),
    "report": ("report", "{in}/map.tif", "-o", "r.html"),
    "import": (
        "checkpoint", "import", "{in}/state.pth", "--network", "lsafnet-tiny", "--dataset", "{in}/classes.json",
        "-o", "k.safetensors",
    ),
    "train": (
        "train", "{in}/set", "-o", "run", "--network", "lsafnet-tiny", "--epochs", "2", "--batch-size", "2",
        "--crop", "32", "--workers", "0", "--device", "cpu",
    ),
    "train --overwrite": (
        "train", "{in}/set", "-o", "run", "--network", "lsafnet-tiny", "--epochs", "1", "--batch-size", "2",
        "--crop", "32", "--workers", "0", "--device", "cpu", "--overwrite",
    ),
}  # fmt: skip

EARLIER = {  # what is run before a command, in the same folder
    "add to a map": (*PREDICT, "--also", "quicklook"),
    "vectorize a shapefile that is there": (
        "vectorize", "{in}/map.tif", "-o", "v.shp", "--classes", "*:building",
    ),
    "train --overwrite": COMMANDS["train"],
}  # fmt: skip


def write_inputs(folder: Path, checkpoint: Path) -> Path:
    """Fill a folder with the inputs of every command."""
    for seed, name in ((1, "a.tif"), (2, "b.tif")):
        write_raster(folder / name, noise(seed, 90, 80))
    make_pairs(folder, 3)
    torch.manual_seed(1)
    torch.save(build_network("lsafnet-tiny", num_classes=3).state_dict(), folder / "state.pth")
    classes = [{"name": n, "color": c} for n, c in (("no", "#ffffff"), ("a", "#ff0000"), ("b", "#00ff00"))]
    usual = {"mean": [110, 110, 110], "std": [50, 50, 50]}
    described = {"classes": classes, "normalization": {"before": usual, "after": usual}}
    (folder / "classes.json").write_text(json.dumps(described), encoding="utf-8")
    write_pairs(folder / "set", side=32, train=4, val=1)
    (folder / "checkpoint").symlink_to(checkpoint)
    (folder / "more").mkdir()
    run(folder, folder / "more", COMMANDS["predict"])
    for name in ("tif", "probability.tif"):
        (folder / "more" / f"c.{name}").rename(folder / f"map.{name}")
    return folder


def run(inputs, folder, words, kill_at=None):
    """Run a command in a folder, to its end or until its processes are killed."""
    filled = [word.replace("{in}", str(inputs)) for word in words]
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "LSAFNET_CHECKPOINT": str(inputs / "checkpoint")}
    if kill_at is not None:
        settings[VARIABLE] = f"{kill_at}:{folder}"
    command = [sys.executable, "-m", "lsafnet_cli.app", *filled]
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)


def fresh(folder: Path, kind: str, inputs: Path) -> Path:
    """Make a folder as it is before the command is run."""
    folder.mkdir()
    if kind in EARLIER:
        assert run(inputs, folder, EARLIER[kind]).returncode == 0
    return folder


def content(path: Path):
    """Return what of a file is the same whenever it is made of the same."""
    if path.suffix == ".tif":
        with rasterio.open(path) as dataset:
            return dataset.read(1).tolist()
    if path.suffix in (".gpkg", ".shp", ".geojson"):
        shapes, columns, crs = read_polygons(path)
        values = {name: column.tolist() for name, column in columns.items() if "date" not in name}
        return [shape.wkb for shape in shapes], repr(values), crs
    if path.suffix == ".safetensors":
        return {name: tensor.numpy().tolist() for name, tensor in load_file(path).items()}
    if path.suffix == ".html":
        return re.sub(rb'"page made", "[-0-9]{10}', b"", path.read_bytes())  # the next day is another day
    return path.read_bytes() if path.suffix in (".qml", ".xml", ".prj", ".vrt") else None


def files(folder: Path) -> dict[str, Path]:
    """Return all files but for logs and locks of a batch's own folder."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    kept = (".batch/logs/", ".batch/scenes/", ".batch/own/")
    return {name: path for name, path in found.items() if not any(one in name for one in kept)}


@dataclass(frozen=True, slots=True)
class Kill:
    """A command that was killed before one of its steps, and run again; `fault` is what was wrong then, or empty."""

    kind: str
    step: int
    steps: int
    fault: str


def kills(kind: str, folder: Path, inputs: Path, count: int, seed: int) -> Iterator[Kill]:
    """Kill a command before steps of its own, each time in a new folder, and run it again; yield what came of it."""
    words = COMMANDS[kind]
    quiet = fresh(folder / "quiet", kind, inputs)
    done = run(inputs, quiet, words, kill_at=0)
    assert done.returncode == 0, done.stderr
    steps = Path(f"{quiet}.steps").stat().st_size
    wanted = {name: content(path) for name, path in files(quiet).items()}
    for number, step in enumerate(random.Random(seed).sample(range(1, steps + 1), min(count, steps))):
        here = fresh(folder / f"killed{number}", kind, inputs)
        if run(inputs, here, words, kill_at=step).returncode == 0:
            continue  # workers share their steps out as it comes: this time there were fewer
        again = run(inputs, here, words)
        yield Kill(kind, step, steps, fault_of(here, wanted, again))
        shutil.rmtree(here)


def fault_of(folder: Path, wanted: dict[str, object], again: subprocess.CompletedProcess[str]) -> str:
    """Return what is not as an undisturbed run leaves it, empty where all is."""
    found = {name: content(path) for name, path in files(folder).items()}
    if again.returncode and "exists already" not in again.stderr:
        return f"exit code {again.returncode}: {again.stderr}"
    if found.keys() != wanted.keys():
        return f"left {sorted(found.keys() - wanted.keys())}, lacks {sorted(wanted.keys() - found.keys())}"
    other = sorted(name for name in found if found[name] != wanted[name])
    return f"others: {other}" if other else ""
