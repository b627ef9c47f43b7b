"""Whatever a file is called it can be mapped; whatever may not be read or written is named in one line."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.app import main
from lsafnet_cli.errors import OptionError, printable
from lsafnet_cli.options import OutputOptions, check_polygon_name

from .conftest import noise, write_raster
from .test_vectorize import write_map

NAMES = {
    "spaces": "  two  spaces ",
    "quotes": 'it\'s "quoted" `so`',
    "a newline": "two\nlines",
    "control characters": "bell\x07 and red\x1b[31m",
    "other scripts": "größe 変化 карта",
    "signs of markup": "<a & b> [bold]x %s {0}",
    "signs of URLs": "50%25?x=1#part",
    "a leading dash": "-o",
}


@pytest.mark.parametrize("kind", NAMES)
def test_any_name_can_be_mapped(tmp_path, tiny_checkpoint, monkeypatch, capsys, kind):
    monkeypatch.chdir(tmp_path)
    folder = Path(f"{NAMES[kind]} folder")
    folder.mkdir()
    before, after, output, polygons = (
        folder / f"{NAMES[kind]} {part}" for part in ("a.tif", "b.tif", "changes.tif", "changes.gpkg")
    )
    for seed, path in ((1, before), (2, after)):
        shutil.move(write_raster(tmp_path / "plain.tif", noise(seed, 70, 80)), path)
    with_polygons = kind != "a newline"  # the one kind that polygon files cannot have
    options = ["-o", str(output), "--also", "from,quicklook"]
    options += ["--polygons", str(polygons)] if with_polygons else []
    with pytest.raises(SystemExit) as left:
        main(["predict", *options, "--checkpoint", str(tiny_checkpoint), "--", str(before), str(after)])
    printed = capsys.readouterr()
    assert left.value.code == 0, printed.err
    assert f"map: {printable(str(output))}" in printed.out.splitlines()
    with rasterio.open(output) as dataset:
        assert (dataset.read(1) != 255).all()
        assert dataset.tags()["LSAFNET_BEFORE"] == printable(str(before)).lstrip()
    if with_polygons:
        with fiona.open(polygons) as collection:
            assert len(collection) > 0
    files = ("map", "qml", "xml", "from", "qml", "xml", "png", *(["gpkg"] if with_polygons else []))
    assert len(list(folder.iterdir())) == 2 + len(files)


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", ";", "!"])
def test_polygons_under_a_name_that_cannot_be_written_are_refused_at_once(tmp_path, sign):
    with pytest.raises(OptionError, match="cannot contain line breaks, tabs, ; or !"):
        check_polygon_name("--polygons", tmp_path / f"a{sign}b.gpkg")


def test_json_holds_a_name_as_it_is(tmp_path, tiny_checkpoint, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed, name in ((1, "two\nlines.tif"), (2, "b.tif")):
        write_raster(Path(name), noise(seed, 70, 80))
    with pytest.raises(SystemExit) as left:
        main(
            [
                "predict",
                *["two\nlines.tif", "b.tif"],
                "-o",
                "out.tif",
                "--checkpoint",
                str(tiny_checkpoint),
                "--json",
            ]
        )
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["before"] == "two\nlines.tif"


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
def test_the_smallest_images_are_mapped(tmp_path, tiny_checkpoint, shape):
    images = [write_raster(tmp_path / f"{n}.tif", noise(n, *shape)) for n in (1, 2)]
    output = OutputOptions((tmp_path / "changes.gpkg",), ("quicklook",))
    predict_change(
        *images, tmp_path / "changes.tif", PredictOptions(checkpoint=tiny_checkpoint, output=output)
    )
    with rasterio.open(tmp_path / "changes.tif") as dataset:
        assert dataset.shape == shape
        assert (dataset.read(1) != 255).all()


BOUNDING_SET_DROP = 24  # of prctl
READ_AND_WRITE_ANYTHING, READ_ANYTHING = 1, 2  # Linux capabilities


def give_up_rights():
    """Let permissions hold in this process and what it becomes, even where it is root's."""
    if os.getuid() == 0:
        library = ctypes.CDLL(None, use_errno=True)
        for capability in (READ_AND_WRITE_ANYTHING, READ_ANYTHING):
            if library.prctl(BOUNDING_SET_DROP, capability, 0, 0, 0) != 0:
                os._exit(77)


RIGHTS = {
    "an image": ("a.tif", 0o000, 3, "a.tif: no permission to read"),
    "the checkpoint": ("tiny.safetensors", 0o000, 5, "tiny.safetensors"),
    "the vector file": ("aoi.geojson", 0o000, 3, "aoi.geojson: no permission to read"),
    "the output's folder": ("out", 0o555, 6, "out/changes.tif: cannot be written"),
    "a folder on the way": ("out", 0o000, 6, "out/changes.tif: cannot be written"),
}  # fmt: skip


@pytest.mark.parametrize("what", RIGHTS)
def test_what_may_not_be_used_is_named(tmp_path, tiny_checkpoint, what):
    name, mode, code, words = RIGHTS[what]
    for seed, image in ((1, "a.tif"), (2, "b.tif")):
        write_raster(tmp_path / image, noise(seed, 70, 80))
    shutil.copy(tiny_checkpoint, tmp_path)
    (tmp_path / "aoi.geojson").write_text("{}")
    (tmp_path / "out").mkdir()
    aoi = ["--aoi", "aoi.geojson"] if name == "aoi.geojson" else []
    files = ["a.tif", "b.tif", "-o", "out/changes.tif", "--checkpoint", "tiny.safetensors", *aoi]
    command = [sys.executable, "-m", "lsafnet_cli.app", "predict", *files]
    (tmp_path / name).chmod(mode)
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=give_up_rights, check=False
    )
    (tmp_path / name).chmod(0o755)
    if done.returncode == 77:
        pytest.skip("rights cannot be given up here")
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert f"lsafnet: {words}" in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_a_disk_that_is_full_gives_one_line(tmp_path, tiny_checkpoint):
    for seed, image in ((1, "a.tif"), (2, "b.tif")):
        write_raster(tmp_path / image, noise(seed, 300, 300))
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        files = ["a.tif", "b.tif", "-o", "disk/changes.tif", "--also", "probability"]
        command = [
            sys.executable,
            "-m",
            "lsafnet_cli.app",
            "predict",
            *files,
            "--checkpoint",
            str(tiny_checkpoint),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 6, done.stderr
        last = done.stderr.splitlines()[-1]
        assert "cannot be written" in last
        assert "No space left" in last
        assert not (disk / "changes.tif").exists()
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    "command",
    [
        "predict a_2001.tif b_2002.tif -o {}.tif",
        "predict a_2001.tif b_2002.tif -o c.tif --polygons {}.gpkg",
        "batch before after -o {}",
        "series a_2001.tif b_2002.tif -o {}",
        "sample map.tif -o {}.gpkg",
        "decide map.tif --ignore 1 -o {}.tif",
        "vectorize map.tif -o {}.gpkg",
        "report map.tif -o {}.html",
        "checkpoint export default -o {}.pt2",
    ],
)
def test_an_output_whose_name_is_too_long_is_one_line_of_every_command(
    tmp_path, monkeypatch, capsys, command
):
    monkeypatch.chdir(tmp_path)
    for folder in ("before", "after"):
        Path(folder).mkdir()
    for seed, name in enumerate(("a_2001.tif", "b_2002.tif", "before/x.tif", "after/x.tif")):
        write_raster(Path(name), noise(seed, 70, 80))
    write_map(Path("map.tif"), np.eye(40, dtype=np.uint8))
    there = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as left:
        main(command.format("x" * 300).split())
    (line,) = capsys.readouterr().err.splitlines()
    assert (left.value.code, "too long" in line) == (6, True), line
    assert sorted(tmp_path.rglob("*")) == there
