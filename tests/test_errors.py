"""Every bad input: one line on stderr, its exit code, no traceback, nothing left behind."""

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from lsafnet_cli.app import main

from .conftest import PLACE, noise, write_raster


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Stand in a folder that holds a good pair, a.tif and b.tif, and things that are not."""
    monkeypatch.chdir(tmp_path)
    write_raster(Path("a.tif"), noise(1, 70, 80))
    write_raster(Path("b.tif"), noise(2, 70, 80))
    write_raster(Path("far.tif"), noise(2, 70, 80), transform=PLACE @ PLACE.translation(500, 500))
    write_raster(Path("grey.tif"), noise(2, 70, 80, bands=1))
    write_raster(Path("complex.tif"), np.ones((3, 70, 80), "complex64"))
    Path("text.tif").write_text("not an image")
    Path("empty.tif").touch()
    Path("cut.tif").write_bytes(Path("a.tif").read_bytes()[:3000])
    write_hurt(Path("hurt.tif"))
    Path("folder.tif").mkdir()
    Path("link.tif").symlink_to("a.tif")
    Path("there.tif").write_text("precious")
    Path("code.safetensors").write_bytes(pickle.dumps(Bomb()))
    Path("code.pth").write_bytes(pickle.dumps(Bomb()))
    return tmp_path


def write_hurt(path):
    """Write an image that opens well, but some of whose compressed pixels were overwritten."""
    pixels = np.random.default_rng(0).integers(1, 255, (3, 70, 80), "uint8")
    whole = write_raster(path, pixels, compress="deflate").read_bytes()
    third = len(whole) // 3
    path.write_bytes(whole[:third] + bytes(third) + whole[2 * third :])


class Bomb:
    """A pickle of this makes a file when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


CASES = {
    "a missing file": (["gone.tif", "b.tif", "-o", "out.tif"], 3, ["gone.tif", "no such file"]),
    "a text file": (["a.tif", "text.tif", "-o", "out.tif"], 3, ["text.tif", "cannot be read as an image"]),
    "an empty file": (["empty.tif", "b.tif", "-o", "out.tif"], 3, ["empty.tif"]),
    "a file cut off": (["a.tif", "cut.tif", "-o", "out.tif"], 3, ["cut.tif", "cannot be read"]),
    "a file with a damaged block": (["a.tif", "hurt.tif", "-o", "out.tif"], 3, ["hurt.tif", "damaged"]),
    "a folder": (["a.tif", "folder.tif", "-o", "out.tif"], 3, ["folder.tif", "is a folder"]),
    "complex numbers": (["a.tif", "complex.tif", "-o", "out.tif"], 3, ["complex.tif", "complex64"]),
    "too few bands": (["a.tif", "grey.tif", "-o", "out.tif"], 3, ["grey.tif", "1 band", "reads 3"]),
    "no band of that number": (
        ["a.tif", "b.tif", "-o", "out.tif", "--bands", "1,2,9"], 3, ["a.tif", "3 bands", "band 9"],
    ),
    "one image only": (["a.tif", "-o", "out.tif"], 2, ["AFTER"]),
    "no output": (["a.tif", "b.tif"], 2, ["--output"]),
    "no shared ground": (["a.tif", "far.tif", "-o", "out.tif"], 4, ["a.tif", "far.tif", "share no ground"]),
    "no such folder": (["a.tif", "b.tif", "-o", "no/out.tif"], 6, ["no/out.tif", "does not exist"]),
    "the output is an input": (["a.tif", "b.tif", "-o", "a.tif", "--overwrite"], 6, ["a.tif", "input"]),
    "the output is an input by a link": (
        ["a.tif", "b.tif", "-o", "link.tif", "--overwrite"], 6, ["link.tif", "input"],
    ),
    "the output exists": (["a.tif", "b.tif", "-o", "there.tif"], 6, ["there.tif", "--overwrite"]),
    "the output is a folder": (["a.tif", "b.tif", "-o", "folder.tif"], 6, ["folder.tif", "folder"]),
    "an ending that is no map": (["a.tif", "b.tif", "-o", "out.jpg"], 2, ["out.jpg", ".tif"]),
    "polygons of unknown kind": (
        ["a.tif", "b.tif", "-o", "out.tif", "--polygons", "out.dxf"], 2, ["out.dxf", ".gpkg"],
    ),
    "polygons over an input": (
        ["a.tif", "b.tif", "-o", "out.tif", "--polygons", "no/out.gpkg"], 6, ["no/out.gpkg"],
    ),
    "a checkpoint that is not there": (
        ["a.tif", "b.tif", "-o", "out.tif", "--checkpoint", "gone.safetensors"], 5, ["gone.safetensors"],
    ),
    "a checkpoint with code": (
        ["a.tif", "b.tif", "-o", "out.tif", "--checkpoint", "code.safetensors"], 5, ["code.safetensors"],
    ),
    "a .pth with code": (["a.tif", "b.tif", "-o", "out.tif", "--checkpoint", "code.pth"], 5, ["code.pth"]),
    "a layer of unknown name": (["a.tif", "b.tif", "-o", "out.tif", "--also", "maybe"], 2, ["maybe", "quicklook"]),
    "a tile of odd size": (["a.tif", "b.tif", "-o", "out.tif", "--tile", "100"], 2, ["--tile 100", "32"]),
    "bands that are no numbers": (["a.tif", "b.tif", "-o", "out.tif", "--bands", "red"], 2, ["--bands red"]),
    "too few bands asked for": (["a.tif", "b.tif", "-o", "out.tif", "--bands", "1"], 2, ["--bands 1", "reads 3"]),
    "a stretch without sense": (
        ["a.tif", "b.tif", "-o", "out.tif", "--stretch", "range:9,1"], 2, ["--stretch range:9,1"],
    ),
    "a threshold beyond 1": (["a.tif", "b.tif", "-o", "out.tif", "--threshold", "1.5"], 2, ["--threshold 1.5"]),
    "a batch of nothing": (["a.tif", "b.tif", "-o", "out.tif", "--batch-size", "0"], 2, ["--batch-size 0"]),
    "an unknown device": (["a.tif", "b.tif", "-o", "out.tif", "--device", "cuda:97"], 7, ["--device cuda:97"]),
    "an unknown option": (["a.tif", "b.tif", "-o", "out.tif", "--fast"], 2, ["--fast"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_bad_input_gives_one_line_and_its_exit_code(place, tiny_checkpoint, capsys, monkeypatch, case):
    arguments, code, words = CASES[case]
    monkeypatch.setenv("LSAFNET_CHECKPOINT", str(tiny_checkpoint))
    before = sorted(path.name for path in place.iterdir())
    with pytest.raises(SystemExit) as left:
        main(["predict", *arguments])
    printed = capsys.readouterr()
    assert left.value.code == code
    last = printed.err.strip().splitlines()[-1]
    assert last.startswith("lsafnet: ")
    assert all(word in last for word in words), last
    assert all(line.startswith("note: ") for line in printed.err.strip().splitlines()[:-1])
    assert printed.out == ""
    assert sorted(path.name for path in place.iterdir()) == before
    assert Path("there.tif").read_text() == "precious"
    shutil.rmtree("folder.tif")


def test_a_folder_that_may_not_be_written_to_is_named(place, tiny_checkpoint, capsys, monkeypatch):
    monkeypatch.setattr(
        Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    with pytest.raises(SystemExit) as left:
        main(["predict", "a.tif", "b.tif", "-o", "out.tif", "--checkpoint", str(tiny_checkpoint)])
    assert left.value.code == 6
    assert "Permission denied" in capsys.readouterr().err


def test_a_good_pair_prints_a_table_on_stdout_and_notes_on_stderr(place, tiny_checkpoint, capsys):
    with pytest.raises(SystemExit) as left:
        main(["predict", "a.tif", "b.tif", "-o", "out.tif", "--checkpoint", str(tiny_checkpoint), "-v"])
    printed = capsys.readouterr()
    assert left.value.code == 0
    assert "What changed" in printed.out
    assert "map: out.tif" in printed.out
    assert "note: map " in printed.err


def test_json_is_all_that_stdout_carries(place, tiny_checkpoint, capsys):
    import json

    with pytest.raises(SystemExit) as left:
        main(["predict", "a.tif", "b.tif", "-o", "out.tif", "--checkpoint", str(tiny_checkpoint), "--json"])
    assert left.value.code == 0
    report = json.loads(capsys.readouterr().out)
    assert report["outputs"] == {"map": "out.tif"}
    assert report["table"]["valid_pixels"] == 70 * 80
