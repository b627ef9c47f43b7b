"""Damaged files, thousands of kinds of them: never a traceback, a crash or a hang, never a file left behind.

`LSAFNET_FUZZ_EXAMPLES=5000 pytest tests/test_fuzz.py` looks further than CI does, at other files each time.
"""

import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
import torch
from hypothesis import HealthCheck, given, settings, strategies as st

from lsafnet import build_network

from .conftest import noise, write_raster
from .test_aoi import on_ground, write_outline

EXAMPLES = int(os.environ.get("LSAFNET_FUZZ_EXAMPLES", "0"))
HANGING_SECONDS = 10  # of processor time; a machine with much else to do is not taken for a hang
LOST_SECONDS = 120  # of waiting
HEADER_BYTES = 700
MANY = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES == 0)


class Worker:
    """Damaged files are opened in a process of its own; a new one takes its place when it dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None

    def ask(self, job: dict[str, object]) -> dict[str, object]:
        """Return the worker's answer; fail where it crashes or hangs."""
        process = self._process = self._process or self._start()
        used, asked = self._seconds(), time.monotonic()
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        while not select.select([process.stdout], [], [], 0.2)[0]:
            hangs = self._seconds() - used > HANGING_SECONDS or time.monotonic() - asked > LOST_SECONDS
            if hangs and process.poll() is None:
                self.stop()
                pytest.fail("it hangs")
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            self.stop()
            pytest.fail(f"it crashed with exit code {code}: {(self.folder / 'stderr').read_text()[-2000:]}")
        return json.loads(line)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz_worker"]
        root = Path(__file__).parents[1]
        paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
        with (self.folder / "stderr").open("w") as stderr:
            return subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip

    def _seconds(self) -> float:
        """Return the processor time that the process has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def worker(tmp_path_factory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("fuzz"))
    yield worker
    worker.stop()


class Seeds(dict[str, bytes]):
    """Whole files by name; shown without their contents, for hypothesis prints what a failing test was given."""

    def __repr__(self) -> str:
        return f"Seeds({', '.join(self)})"


@pytest.fixture(scope="module")
def seeds(worker, tiny_checkpoint) -> Seeds:
    """Return whole files by name; a good pair of them, a.tif and b.tif, stays in the worker's folder."""
    folder = worker.folder
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
    (folder / "tiny.safetensors").write_bytes(tiny_checkpoint.read_bytes())
    torch.save(build_network("lsafnet-tiny", num_classes=3).state_dict(), folder / "state.pth")
    for name in OUTLINES:
        write_outline(folder / name, [on_ground(shapely.box(5, 5, 50, 60), "EPSG:4326")], "EPSG:4326")
    return Seeds((path.name, path.read_bytes()) for path in sorted(folder.iterdir()) if path.suffix)


extremes = st.sampled_from([0, 1, 2, 7, 255, 256, 65535, 2**16, 2**31 - 1, 2**31, 2**32 - 1])
numbers = extremes | st.integers(0, 2**32 - 1)
places = st.integers(0, HEADER_BYTES) | st.integers(0, 2**24)
kinds = st.sampled_from(["byte", "short", "long", "flip", "blank", "cut", "drop", "double"])
changes = st.lists(st.tuples(kinds, places, numbers), min_size=1, max_size=4)


def damaged(content: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    """Return a file with some of its bytes changed, blanked, dropped, doubled or cut off."""
    for kind, place, number in changes:
        at = place % max(len(content), 1)
        length = 1 + number % 64
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


def check(found: dict[str, object], codes: set[int]) -> None:
    """Assert that a run ended as it may: well, or with one line and nothing left behind."""
    assert found["code"] in codes, found["said"]
    *notes, last = str(found["said"]).removesuffix("\n").split("\n")
    assert all(note.startswith("note: ") for note in notes), found["said"]
    if found["code"] != 0:
        assert last.startswith("lsafnet: "), found["said"]
        assert found["left"] == []
    elif found["left"]:
        assert [name for name in found["left"] if name.startswith(".")] == []


def predict(before="a.tif", checkpoint="tiny.safetensors", aoi=None):
    options = ["--aoi", aoi] if aoi else []
    return {"command": ["predict", before, "b.tif", "-o", "out.tif", "--checkpoint", checkpoint, *options]}


OUTLINES = ("aoi.gpkg", "aoi.geojson", "aoi.fgb")
IMAGES = ("a.tif", "b.tif", "deflate.tif", "zstd.tif", "jpeg.tif", "mask.tif", "float.tif", "big.tif")


@pytest.mark.parametrize("name", IMAGES)
@settings(MANY, max_examples=EXAMPLES // len(IMAGES) or 8)
@given(changes)
def test_a_damaged_image_gives_a_map_or_one_line(worker, seeds, name, changes):
    (worker.folder / "hurt.tif").write_bytes(damaged(seeds[name], changes))
    check(worker.ask(predict(before="hurt.tif")), {0, 3, 4, 7})


@settings(MANY, max_examples=EXAMPLES or 20)
@given(changes)
def test_a_damaged_checkpoint_gives_a_map_or_one_line(worker, seeds, changes):
    (worker.folder / "hurt.safetensors").write_bytes(damaged(seeds["tiny.safetensors"], changes))
    check(worker.ask(predict(checkpoint="hurt.safetensors")), {0, 3, 5, 7})


@settings(MANY, max_examples=EXAMPLES or 30)
@given(changes)
def test_a_damaged_state_dict_is_loaded_or_refused_in_one_line(worker, seeds, changes):
    (worker.folder / "hurt.pth").write_bytes(damaged(seeds["state.pth"], changes))
    check(worker.ask({"state_dict": "hurt.pth"}), {0, 5})


@pytest.mark.parametrize("name", OUTLINES)
@settings(MANY, max_examples=EXAMPLES // len(OUTLINES) or 5)
@given(changes)
def test_a_damaged_vector_file_gives_a_map_or_one_line(worker, seeds, name, changes):
    path = f"hurt{Path(name).suffix}"
    (worker.folder / path).write_bytes(damaged(seeds[name], changes))
    check(worker.ask(predict(aoi=path)), {0, 3, 4})
    (worker.folder / path).unlink()


def test_the_worker_tells_a_crash_and_a_hang_from_an_answer(worker, seeds, monkeypatch):
    assert worker.ask(predict())["code"] == 0
    with pytest.raises(pytest.fail.Exception, match="crashed with exit code -6"):
        worker.ask({"python": "import os; os.abort()"})
    monkeypatch.setattr("tests.test_fuzz.HANGING_SECONDS", 0.3)
    with pytest.raises(pytest.fail.Exception, match="it hangs"):
        worker.ask({"python": "while True: pass"})
    monkeypatch.undo()
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        check(worker.ask({"python": "1 / 0"}), {0})
