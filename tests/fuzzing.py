"""Whole files, the commands that read them, ways to damage them, and what may come of it.

For tests/test_fuzz.py, which tries a few, and benchmarks/fuzz.py, which tries thousands.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import shapely
import torch
from PIL import Image
from rasterio.shutil import copy

from lsafnet import build_network
from lsafnet_cli.batch.records import WAITING, SceneRecord
from lsafnet_cli.errors import BATCH_EXIT_CODE

from .change_maps import random_codes, write_map, write_probability
from .conftest import noise, write_raster
from .crashes import CRASHES
from .test_aoi import on_ground, write_outline
from .training_sets import write_pairs

HEADER_BYTES = 700
LOST_SECONDS = 300  # of waiting
PAIR = ("a.tif", "b.tif")
OUT = ("-o", "out.tif")
LAYERS = ("map.tif", "map.probability.tif", "map.transition.tif")
ZONES = ("zones.shp", "zones.shx", "zones.dbf", "zones.prj")


class WorkerError(Exception):
    """A job crashed its process, or did not come to an end."""


class Worker:
    """A process for damaged files; a new one takes its place when it dies or hangs."""

    def __init__(self, folder: Path, hanging_seconds: float = 10) -> None:
        self.folder = folder
        self.hanging_seconds = hanging_seconds  # of processor time: a busy machine is not taken for a hang
        self._process: subprocess.Popen[str] | None = None

    def ask(self, job: dict[str, object], folder: Path) -> dict[str, object]:
        """Return the worker's answer to a job in a folder. Raises WorkerError where it crashes or hangs."""
        process = self._process = self._process or self._start()
        used, asked = self._seconds(), time.monotonic()
        process.stdin.write(json.dumps({"folder": str(folder), **job}) + "\n")
        process.stdin.flush()
        while not select.select([process.stdout], [], [], 0.2)[0]:
            hangs = self._seconds() - used > self.hanging_seconds or time.monotonic() - asked > LOST_SECONDS
            if hangs and process.poll() is None:
                self.stop()
                raise WorkerError("it hangs")
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            self.stop()
            said = (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")[-2000:]
            raise WorkerError(f"it crashed with exit code {code}: {said}")
        return json.loads(line)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        always = [f"-Walways::{kind}" for kind in ("RuntimeWarning", "UserWarning", "FutureWarning")]
        command = [sys.executable, "-X", "faulthandler", *always, "-m", "tests.fuzz_worker"]
        root = Path(__file__).parents[1]
        paths = os.pathsep.join([str(root), str(root / "models"), os.environ.get("PYTHONPATH", "")])
        settings = {
            "PYTHONPATH": paths,
            "OMP_NUM_THREADS": "1",
            "LSAFNET_CHECKPOINT": str(self.folder / "tiny.safetensors"),
        }
        with (self.folder / "stderr").open("a") as stderr:
            return subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **settings},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip

    def _seconds(self) -> float:
        """Return the processor time that the process has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """A file to damage, the whole files beside it (patterns), the job that reads it, the exit codes it may have."""

    path: str
    needs: tuple[str, ...]
    job: dict[str, object]
    codes: frozenset[int]


def command(path: str, needs: tuple[str, ...], words: tuple[str, ...], *codes: int) -> Target:
    """Return a target that a command reads; 0 is always allowed."""
    return Target(path, needs, {"command": list(words)}, frozenset({0, *codes}))


def targets() -> dict[str, Target]:
    """Return what is damaged, by name."""
    return {**_images(), **_vectors(), **_maps(), **_others(), **_crashes()}


IMAGES = (
    "a.tif",
    "deflate.tif",
    "zstd.tif",
    "jpeg.tif",
    "mask.tif",
    "float.tif",
    "big.tif",
    "scene.png",
    "scene.vrt",
)
OUTLINES = ("aoi.gpkg", "aoi.geojson", "aoi.fgb")


def _images() -> dict[str, Target]:
    found = {}
    for name in IMAGES:
        other = "bare.tif" if name == "scene.png" else "b.tif"
        needs = ("a.tif", other)
        found[f"{name}, before"] = command(name, needs, ("predict", name, other, *OUT), 3, 4, 7)
        found[f"{name}, after"] = command(name, needs, ("check", other, name), 3, 4)
    return found


def _vectors() -> dict[str, Target]:
    areas = {
        f"{name}, an area": command(name, PAIR, ("predict", *PAIR, *OUT, "--aoi", name), 3, 4)
        for name in OUTLINES
    }
    zones = {
        f"{name}, zones": command(name, ("map.tif", *ZONES), ("summarize", "map.tif", "--zones", name), 3, 4)
        for name in OUTLINES
    }
    parts = {
        f"{name}, zones": command(
            name, ("map.tif", *ZONES), ("summarize", "map.tif", "--zones", "zones.shp"), 3, 4
        )
        for name in ZONES
    }
    return areas | zones | parts


def _maps() -> dict[str, Target]:
    references = ("zeros.tif", "ones.tif")
    return {
        "map, summarized": command("map.tif", (), ("summarize", "map.tif", "--json"), 3),
        "map in XML, summarized": command("map.vrt", ("map.tif",), ("summarize", "map.vrt"), 3),
        "map, vectorized": command("map.tif", (), ("vectorize", "map.tif", "-o", "out.gpkg"), 3),
        "map, on a page": command("map.tif", (), ("report", "map.tif", "-o", "out.html"), 3),
        "map, shown": command("map.tif", (), ("show", "--force", "map.tif"), 3),
        "map, evaluated": command(
            "map.tif", references, ("evaluate", "map.tif", *references, "--bootstrap", "0"), 3, 4
        ),
        "reference, evaluated": command(
            "ones.tif", ("map.tif", "zeros.tif"), ("evaluate", "map.tif", *references, "--bootstrap", "0"), 3, 4
        ),
        "probability, decided": command(
            LAYERS[1], LAYERS, ("decide", "map.tif", *OUT, "--threshold", "0.5"), 3
        ),
        "transition, decided": command(LAYERS[2], LAYERS, ("decide", "map.tif", *OUT, "--threshold", "0.5"), 3),
        "points, assessed": command("points.geojson", ("map.tif",), ("assess", "map.tif", "points.geojson"), 3),
        "verdicts, reviewed": command(
            "verdicts.geojson", ("map.tif",), ("review", "map.tif", "verdicts.geojson", *OUT), 3
        ),
    }  # fmt: skip


def _others() -> dict[str, Target]:
    checkpoint = "hurt.safetensors"
    bring = (
        "checkpoint",
        "import",
        "state.pth",
        "--network",
        "lsafnet-tiny",
        "--dataset",
        "classes.json",
        "-o",
        "k.safetensors",
    )
    return {
        "checkpoint, used": command(checkpoint, PAIR, ("predict", *PAIR, *OUT, "--checkpoint", checkpoint), 3, 5, 7),
        "checkpoint, shown": command(checkpoint, (), ("checkpoint", "show", checkpoint), 5),
        "state dict, loaded": Target("state.pth", (), {"state_dict": "state.pth"}, frozenset({0, 5})),
        "state dict, imported": command("state.pth", ("classes.json",), bring, 3, 5),
        "classes, imported": command("classes.json", ("state.pth",), bring, 2, 3, 5),
        "classes of a data set": command("set/classes.json", ("set/*/*/*",), ("dataset", "check", "set"), 3),
        "label of a data set": command(
            "set/val/label_after/scene100.tif", ("set/*/*/*", "set/classes.json"), ("dataset", "check", "set"), 3
        ),
        "table of pairs": command(
            "pairs.csv", PAIR, ("batch", "--pairs", "pairs.csv", "-o", "out", "--dry-run"), 2, 3
        ),
        "records of a batch": command("out/batch.1-of-1.json", (), ("batch", "--collect", "out"), 3, 6, 8),
    }  # fmt: skip


def _crashes() -> dict[str, Target]:
    return {
        name: command(crash.path, crash.needs, crash.command, 2, 3, 4, 5) for name, crash in CRASHES.items()
    }


class World:
    """Whole files in `whole`, and a folder for each damaged one and what it needs."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.folder = folder
        self.whole = folder / "whole"
        if not self.whole.exists():
            coming = folder / "coming"
            shutil.rmtree(coming, ignore_errors=True)
            coming.mkdir(parents=True)
            write_whole_files(coming, checkpoint)
            coming.rename(self.whole)
        if checkpoint != folder / "tiny.safetensors":
            shutil.copy(checkpoint, folder / "tiny.safetensors")
        self._crashes: dict[str, bytes] = {}

    def content(self, name: str, target: Target) -> bytes:
        """Return the file of a target before it is damaged."""
        crash = CRASHES.get(name)
        if crash is None:
            return (self.whole / target.path).read_bytes()
        if name not in self._crashes:
            path = self.whole / target.path
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = path.read_bytes() if path.exists() else None
            crash.write(path)
            self._crashes[name] = path.read_bytes()
            path.unlink() if kept is None else path.write_bytes(kept)
        return self._crashes[name]

    def prepare(self, target: Target, content: bytes) -> Path:
        """Return a new folder that holds what a target needs, and its file with this content."""
        folder = self.folder / "now"
        shutil.rmtree(folder, ignore_errors=True)
        for pattern in target.needs:
            for path in self.whole.glob(pattern):
                place = folder / path.relative_to(self.whole)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
        hurt = folder / target.path
        hurt.parent.mkdir(parents=True, exist_ok=True)
        hurt.write_bytes(content)
        return folder


def write_whole_files(folder: Path, checkpoint: Path) -> None:
    """Fill a folder with what is damaged, whole."""
    _write_images(folder)
    _write_maps(folder)
    shutil.copy(checkpoint, folder / "hurt.safetensors")
    shutil.copy(checkpoint, folder / "tiny.safetensors")
    torch.manual_seed(1)
    torch.save(build_network("lsafnet-tiny", num_classes=3).state_dict(), folder / "state.pth")
    box = on_ground(shapely.box(5, 5, 50, 60), "EPSG:4326")
    for name in OUTLINES:
        write_outline(folder / name, [box], "EPSG:4326")
    write_outline(folder / "zones.shp", [box], "EPSG:4326")
    classes = [{"name": n, "color": c} for n, c in (("no", "#ffffff"), ("a", "#ff0000"), ("b", "#00ff00"))]
    usual = {"mean": [110, 110, 110], "std": [50, 50, 50]}
    described = {"classes": classes, "normalization": {"before": usual, "after": usual}}
    (folder / "classes.json").write_text(json.dumps(described), encoding="utf-8")
    write_pairs(folder / "set", side=16, train=1, val=1)
    (folder / "pairs.csv").write_text(
        "name,before,after,before_date\nx,a.tif,b.tif,2024-05-31\n", encoding="utf-8"
    )
    record = SceneRecord("x", WAITING, "b.tif", "a.tif", "x.tif").as_dict()
    records = {"version": "0", "pages": False, "all_scenes": ["x"], "scenes": [record]}
    (folder / "out").mkdir()
    (folder / "out" / "batch.1-of-1.json").write_text(json.dumps(records), encoding="utf-8")
    (folder / ".out.tif.partial").mkdir()
    (folder / ".out.tif.partial" / "made-by-lsafnet").touch()


def _write_images(folder: Path) -> None:
    pixels, wide = noise(1, 70, 80), noise(1, 70, 80).astype("uint16") * 99
    mask = np.where(np.arange(70 * 80).reshape(70, 80) % 7 > 0, 255, 0).astype(np.uint8)
    tiled = {"tiled": True, "blockxsize": 32, "blockysize": 32}
    layouts = {
        "a.tif": (pixels, {}),
        "b.tif": (noise(2, 70, 80), {"compress": "lzw", "predictor": 2}),
        "deflate.tif": (pixels, {**tiled, "compress": "deflate", "nodata": 0}),
        "zstd.tif": (wide, {**tiled, "compress": "zstd", "interleave": "band"}),
        "jpeg.tif": (pixels, {**tiled, "compress": "jpeg", "photometric": "ycbcr", "interleave": "pixel"}),
        "mask.tif": (pixels, {"mask": mask, "compress": "packbits"}),
        "float.tif": (wide.astype("float32"), {**tiled, "compress": "lzma", "predictor": 3}),
        "big.tif": (pixels, {"BIGTIFF": "YES", "compress": "webp", "interleave": "pixel"}),
    }
    for name, (numbers, layout) in layouts.items():
        write_raster(folder / name, numbers, **layout)
    write_raster(folder / "bare.tif", noise(2, 70, 80), crs=None, transform=None)
    Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / "scene.png")
    _as_vrt(folder / "a.tif", folder / "scene.vrt")


def _write_maps(folder: Path) -> None:
    codes = random_codes(70, 80, 9, seed=3, coarse=10)
    write_map(folder / "map.tif", codes)
    write_probability(folder / "map.tif", np.where(codes == 255, 255, np.arange(80) % 101))
    write_map(folder / "map.transition.tif", np.where(codes == 0, 2, codes))
    _as_vrt(folder / "map.tif", folder / "map.vrt")
    for name, number in (("zeros.tif", 0), ("ones.tif", 1)):
        labels = np.where(codes > 0, 1 + number, 1 + np.arange(80) % 2).astype(np.uint8)
        write_raster(folder / name, labels[None])
    points = (
        {"reference_from": "water", "reference_to": "ground"},
        {"status": "rejected", "corrected_to": "", "id": 1},
    )
    for name, properties, shape in (
        ("points.geojson", points[0], shapely.Point(20, 30)),
        ("verdicts.geojson", points[1], shapely.box(10, 20, 40, 50)),
    ):
        geometry = json.loads(shapely.to_geojson(on_ground(shape, "EPSG:4326")))
        features = [{"type": "Feature", "properties": properties, "geometry": geometry}]
        text = json.dumps({"type": "FeatureCollection", "features": features})
        (folder / name).write_text(text, encoding="utf-8")


def _as_vrt(source: Path, path: Path) -> None:
    copy(str(source), str(path), driver="VRT")
    text = path.read_text(encoding="utf-8").replace(str(source), source.name)
    path.write_text(text.replace('relativeToVRT="0"', 'relativeToVRT="1"'), encoding="utf-8")


Change = tuple[str, int, int]
KINDS = ("byte", "short", "long", "flip", "blank", "cut", "drop", "double", "word")
EXTREMES = (0, 1, 2, 7, 255, 256, 65535, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = (
    b"nan", b"inf", b"-1", b"0", b"1e400", b"-1e308", b"9" * 400, b"null", b"[]", b"{}", b'"', b"[" * 5000,
    b"\xff\xfe", b"\x1b[31m", b"\\ud800", b"\\u0000", b"true", b"", b"x" * 3000, b"<", b"../", b",", b"\n", b"\0",
)  # fmt: skip
LETTERS = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-+")


def random_changes(draw: Random, length: int) -> list[Change]:
    """Return one to four changes for a file of this many bytes, half of them in its header."""
    found = []
    for _ in range(draw.choice((1, 1, 1, 2, 3, 4))):
        place = draw.randrange(min(HEADER_BYTES, length) if draw.random() < 0.5 else length) if length else 0
        number = draw.choice(EXTREMES) if draw.random() < 0.5 else draw.randrange(2**32)
        found.append((draw.choice(KINDS), place, number))
    return found


def damaged(content: bytes, changes: list[Change]) -> bytes:
    """Return a file with some of its bytes changed, blanked, dropped, doubled or cut off, or a word exchanged."""
    for kind, place, number in changes:
        at = place % max(len(content), 1)
        length = 1 + number % 64
        if kind == "word":
            content = _other_word(content, at, WORDS[number % len(WORDS)])
            continue
        sizes = {
            "byte": 1,
            "flip": 1,
            "short": 2,
            "long": 4,
            "blank": length,
            "drop": length,
            "double": 0,
            "cut": 0,
        }
        middle = {
            "byte": bytes([number % 256]),
            "flip": bytes([content[at] ^ (1 << number % 8)]) if content else b"",
            "short": struct.pack("<H", number % 2**16),
            "long": struct.pack("<I", number),
            "blank": bytes(length),
            "double": content[at : at + length],
        }.get(kind, b"")
        content = content[:at] + middle + (b"" if kind == "cut" else content[at + sizes[kind] :])
    return content


def _other_word(content: bytes, at: int, word: bytes) -> bytes:
    """Return a file in which the number or word at or after a place is another."""
    first = at
    while first < len(content) and content[first] not in LETTERS:
        first += 1
    while first > 0 and first < len(content) and content[first - 1] in LETTERS:
        first -= 1
    last = first
    while last < len(content) and content[last] in LETTERS:
        last += 1
    return content[:first] + word + content[last:]


def fault_of(found: dict[str, object], codes: frozenset[int]) -> str | None:
    """Return what is wrong with how a job ended: well, or with one line and nothing left behind. None: nothing."""
    *notes, last = str(found["said"]).splitlines() or [""]
    if found["code"] not in codes:
        return f"exit code {found['code']}"
    if found["code"] == BATCH_EXIT_CODE:
        return None  # the scenes that failed are named, a line each
    if not all(note.startswith("note: ") for note in notes):
        return "more than one line"
    if not last.startswith("lsafnet: " if found["code"] else ("note: ", "")[last == ""]):
        return "another line"
    if found["code"]:
        return "something is left behind" if found["left"] else None
    hidden = [name for name in found["left"] if Path(name).name.startswith(".")]
    return "something hidden is left behind" if hidden else None
