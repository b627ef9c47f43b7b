"""The catalogue of bad input: one line on stderr, its exit code, no traceback, nothing left behind."""

import json
import shlex
import shutil

import pytest

from lsafnet_cli.app import main

from .bad_inputs import fill_folder
from .conftest import SHARED_DATA

CORRUPT = SHARED_DATA / "odd" / "corrupt.tif"

# what is given to `lsafnet predict`: (exit code, words that must be in the line)
UNREADABLE = {
    "gone.tif b.tif -o out.tif": (3, "gone.tif: no such file"),
    "a.tif text.tif -o out.tif": (3, "text.tif: cannot be read as an image"),
    "empty.tif b.tif -o out.tif": (3, "empty.tif: cannot be read as an image"),
    "a.tif cut.tif -o out.tif": (3, "cut.tif", "cannot be read"),
    "a.tif hurt.tif -o out.tif": (3, "hurt.tif: reading failed, the file is damaged"),
    "a.tif hurt16.tif -o out.tif": (3, "hurt16.tif: reading failed, the file is damaged"),
    "a.tif folder.tif -o out.tif": (3, "folder.tif: is a folder"),
    "far.geojson b.tif -o out.tif": (3, "far.geojson: cannot be read as an image"),
    "plain.safetensors b.tif -o out.tif": (3, "plain.safetensors: cannot be read as an image"),
    "'' b.tif -o out.tif": (3, "the name of an input is empty"),
    "a.tif complex.tif -o out.tif": (3, "complex.tif", "complex64"),
    "a.tif grey.tif -o out.tif": (3, "grey.tif: has 1 band", "needs 3"),
    "a.tif b.tif -o out.tif --bands 1,2,9": (3, "a.tif: has 3 bands", "band 9"),
    "hole.vrt hole_after.vrt -o out.tif": (3, "hole.vrt", "gone.tif"),
    "ring.vrt ring_after.vrt -o out.tif": (3, "ring.vrt"),
    "/vsizip/gone.zip/a.tif b.tif -o out.tif": (3, "/vsizip/gone.zip/a.tif: cannot be read as an image"),
    "/vsizip/pair.zip/c.tif b.tif -o out.tif": (3, "/vsizip/pair.zip/c.tif: cannot be read as an image"),
    "/vsizip/cut.zip/a.tif b.tif -o out.tif": (3, "/vsizip/cut.zip/a.tif: cannot be read as an image"),
    "http://127.0.0.1:1/a.tif b.tif -o out.tif": (3, "http://127.0.0.1:1/a.tif: cannot be read as an image"),
    "nothing://a.tif b.tif -o out.tif": (3, "nothing://a.tif: no such file"),
    f"{CORRUPT} corrupt_after.tif -o out.tif --bands 1,1,1": (3, "corrupt.tif: reading failed, the file is damaged"),
}  # fmt: skip
LYING = {
    "lie_none.tif b.tif -o out.tif": (3, "lie_none.tif: cannot be read as an image"),
    "lie_strips.tif b.tif -o out.tif": (3, "lie_strips.tif: declares 2147483647x2147483647 pixels"),
    "lie_strip.tif b.tif -o out.tif": (3, "lie_strip.tif: cannot be read as an image"),
    "lie_tiles.tif b.tif -o out.tif": (3, "lie_tiles.tif: cannot be read as an image"),
    "lie_many_tiles.tif b.tif -o out.tif": (3, "lie_many_tiles.tif: declares 100000x100000", "the file has"),
    "lie_one_tile.tif b.tif -o out.tif": (3, "lie_one_tile.tif: declares 100000x100000", "the file has"),
    "lie_wide.tif b.tif -o out.tif": (3, "lie_wide.tif: declares 10000000x10", "the file has"),
    "lie_tall.tif b.tif -o out.tif": (3, "lie_tall.tif: declares 10x10000000", "the file has"),
    "lie_bands.tif b.tif -o out.tif": (3, "lie_bands.tif", "65535 bands", "at most 10,000 bands"),
    "lie_bands.vrt b.tif -o out.tif": (3, "lie_bands.vrt", "100000 bands", "at most 10,000 bands"),
    "lie_bands.bin b.tif -o out.tif": (3, "lie_bands.bin: cannot be read as an image"),
    "lie_size.vrt b.tif -o out.tif": (3, "lie_size.vrt: declares 2147483647x2147483647", "cut it first"),
    "a.tif lie.png -o out.tif": (3, "lie.png: declares 1000000x1000000", "the file has"),
}  # fmt: skip
NO_FILES = {
    "/dev/null b.tif -o out.tif": (3, "/dev/null: is a device"),
    "/dev/zero b.tif -o out.tif": (3, "/dev/zero: is a device"),
    "a.tif pipe.tif -o out.tif": (3, "pipe.tif: is a pipe"),
    "a.tif file:pipe.tif -o out.tif": (3, "file:pipe.tif: is a pipe"),
    "file:loop.tif b.tif -o out.tif": (3, "file:loop.tif: is a broken link"),
    "pipe.vrt b.tif -o out.tif": (3, "pipe.tif: is a pipe"),
    "a.tif socket.tif -o out.tif": (3, "socket.tif: is a socket"),
    "loop.tif b.tif -o out.tif": (3, "loop.tif: is a broken link"),
    "round.tif b.tif -o out.tif": (3, "round.tif: is a broken link"),
    "dangling.tif b.tif -o out.tif": (3, "dangling.tif: is a broken link"),
    "'no such.tif' b.tif -o out.tif": (3, "no such.tif: no such file"),
    "'it\"s.tif' b.tif -o out.tif": (3, 'it"s.tif: no such file'),
    "'two\nlines.tif' b.tif -o out.tif": (3, "two\\nlines.tif: no such file"),
    "'red\x1b[31m.tif' b.tif -o out.tif": (3, "red\\x1b[31m.tif: no such file"),
    "größe.tif b.tif -o out.tif": (3, "größe.tif: no such file"),
    "/proc/kmsg b.tif -o out.tif": (3, "/proc/kmsg: is a special file of the operating system"),
    "nan.vrt b.tif -o out.tif": (3, "nan.vrt", "transform"),
    "inf.vrt b.tif -o out.tif": (3, "inf.vrt", "transform"),
    "a.tif flat.vrt -o out.tif": (3, "flat.vrt", "transform"),
    "bytes\udcff.tif b.tif -o out.tif": (3, "bytes\\udcff.tif: this name is not UTF-8"),
}  # fmt: skip
NO_PAIRS = {
    "a.tif far.tif -o out.tif": (4, "a.tif and far.tif do not overlap"),
    "a.tif bare.tif -o out.tif": (4, "bare.tif is not georeferenced but a.tif is"),
    "bare.tif bare_small.tif -o out.tif": (4, "80x70", "80x60", "same size"),
    "a.tif b.tif -o out.tif --aoi far.geojson": (4, "far.geojson: --aoi contains no pixel"),
    "a.tif a.tif -o out.tif": (4, "a.tif", "is given for both dates"),
    "bare.tif bare_twin.tif -o out.tif --aoi far.geojson": (4, "far.geojson", "images without a CRS"),
    "a.tif b.tif -o out.tif --aoi gone.gpkg": (3, "gone.gpkg: no such file"),
    "a.tif b.tif -o out.tif --aoi text.tif": (3, "text.tif: cannot be read as a vector file"),
    "a.tif b.tif -o out.tif --aoi bytes.geojson": (3, "bytes.geojson: cannot be read as a vector file"),
    "a.tif b.tif -o out.tif --aoi a.tif": (3, "a.tif: cannot be read as a vector file"),
    "a.tif b.tif -o out.tif --aoi line.geojson": (3, "line.geojson: contains no polygon"),
    "a.tif b.tif -o out.tif --aoi pipe.tif": (3, "pipe.tif: is a pipe"),
}  # fmt: skip
NO_OUTPUT = {
    "a.tif b.tif -o no/out.tif": (6, "no/out.tif", "does not exist"),
    "a.tif b.tif -o a.tif/out.tif": (6, "a.tif/out.tif", "does not exist"),
    "a.tif b.tif -o a.tif --overwrite": (6, "a.tif: is also an input"),
    "a.tif b.tif -o ./folder.tif/../a.tif --overwrite": (6, "a.tif: is also an input"),
    "a.tif b.tif -o link.tif --overwrite": (6, "link.tif: is also an input"),
    "a.tif b.tif -o hard.tif --overwrite": (6, "hard.tif: is also an input"),
    "link.tif b.tif -o a.tif --overwrite": (6, "a.tif: is also an input"),
    "hole.vrt b.tif -o b.tif --overwrite": (6, "b.tif: is also an input"),
    "a.tif b.tif -o there.tif": (6, "there.tif: exists already; add --overwrite"),
    "a.tif b.tif -o dangling.tif": (6, "dangling.tif: exists already"),
    "a.tif b.tif -o loop.tif": (6, "loop.tif: exists already"),
    "a.tif b.tif -o pipe.tif --overwrite": (6, "pipe.tif: is not a regular file"),
    "a.tif b.tif -o folder.tif": (6, "folder.tif: is a folder"),
    f"a.tif b.tif -o {'x' * 300}.tif": (6, "xxx.tif", "too long"),
    "a.tif b.tif -o 'bytes\udcff.tif'": (6, "bytes\\udcff.tif: this name is not UTF-8"),
    "a.tif b.tif -o out.jpg": (2, "out.jpg", ".tif"),
    "a.tif b.tif -o out": (2, "out: a change map is a GeoTIFF"),
    "a.tif b.tif -o out.tif --polygons out.dxf": (2, "out.dxf", ".gpkg"),
    "a.tif b.tif -o out.tif --polygons no/out.gpkg": (6, "no/out.gpkg", "does not exist"),
    "a.tif b.tif -o out.tif --polygons folder.gpkg": (6, "folder.gpkg: is a folder"),
    "a.tif b.tif -o out.tif --polygons x.gpkg --polygons sub/x.gpkg": (2, "two outputs have the same name"),
    "a.tif b.tif -o out.tif --aoi far.geojson --polygons far.geojson --overwrite":
        (6, "far.geojson: is also an input"),
}  # fmt: skip
NO_CHECKPOINT = {
    "gone.safetensors": (5, "gone.safetensors"),
    "folder.tif": (5, "folder.tif"),
    "empty.tif": (5, "empty.tif"),
    "a.tif": (5, "a.tif is not a safetensors file"),
    "code.safetensors": (5, "code.safetensors"),
    "code.pth": (5, "code.pth"),
    "long.safetensors": (5, "long.safetensors", "cut off"),
    "plain.safetensors": (5, "plain.safetensors", "holds tensors but no 'lsafnet' metadata"),
    "pipe.tif": (5, "pipe.tif: is a pipe"),
    "/dev/zero": (5, "/dev/zero: is a device"),
    "two\nlines.safetensors": (5, "two\\nlines.safetensors"),
}  # fmt: skip
USAGE = {
    "a.tif -o out.tif": (2, "AFTER"),
    "a.tif b.tif": (2, "--output"),
    "a.tif b.tif c.tif -o out.tif": (2, "c.tif"),
    "a.tif b.tif -o out.tif --fast": (2, "--fast"),
    "a.tif b.tif -o out.tif --also maybe": (2, "--also maybe", "quicklook"),
    "a.tif b.tif -o out.tif --tile 100": (2, "--tile 100", "32"),
    "a.tif b.tif -o out.tif --tile 0": (2, "--tile 0", "32"),
    "a.tif b.tif -o out.tif --overlap -1": (2, "--overlap -1"),
    "a.tif b.tif -o out.tif --overlap 33": (2, "--overlap 33", "at most half, 32 pixels"),
    "a.tif b.tif -o out.tif --resolution 0.00001": (2, "--resolution", "at most 1,000,000 per side"),
    "a.tif b.tif -o out.tif --resolution nan": (2, "--resolution nan"),
    "a.tif b.tif -o out.tif --stretch range:-inf,inf": (2, "--stretch range:-inf,inf", "finite"),
    "a.tif b.tif -o out.tif --stretch range:nan,1": (2, "--stretch range:nan,1", "finite"),
    "a.tif b.tif -o out.tif --device meta": (7, "--device meta"),
    "a.tif b.tif -o out.tif --polygons 'a;b.gpkg'": (2, "a;b.gpkg", "cannot contain line breaks"),
    "a.tif b.tif -o 'a;b.tif' --polygons out.gpkg": (2, "a;b.tif", "cannot contain line breaks"),
    "a.tif b.tif -o out.tif --blend mean": (2, "--blend mean", "taper"),
    "a.tif b.tif -o out.tif --bands red": (2, "--bands red"),
    "a.tif b.tif -o out.tif --bands 0,1,2": (2, "bands are numbered from 1"),
    "a.tif b.tif -o out.tif --bands 1": (2, "--bands 1", "needs 3"),
    "a.tif b.tif -o out.tif --stretch range:9,1": (2, "--stretch range:9,1"),
    "a.tif b.tif -o out.tif --stretch percentile:2,101": (2, "--stretch percentile:2,101"),
    "a.tif b.tif -o out.tif --stretch loud": (2, "--stretch loud"),
    "a.tif b.tif -o out.tif --threshold 1.5": (2, "--threshold 1.5"),
    "a.tif b.tif -o out.tif --threshold nan": (2, "--threshold nan"),
    "a.tif b.tif -o out.tif --batch-size 0": (2, "--batch-size 0"),
    "a.tif b.tif -o out.tif --batch-size some": (2, "--batch-size some"),
    "a.tif b.tif -o out.tif --readers 0": (2, "--readers 0"),
    "a.tif b.tif -o out.tif --memory lots": (2, "--memory lots"),
    "a.tif b.tif -o out.tif --memory 1M": (2, "--memory", "256M"),
    "a.tif b.tif -o out.tif --precision fp8": (2, "--precision fp8"),
    "a.tif b.tif -o out.tif --precision fp16 --device cpu": (7, "--precision fp16"),
    "a.tif b.tif -o out.tif --device cuda:97": (7, "--device cuda:97"),
    "a.tif b.tif -o out.tif --device oven": (7, "--device oven"),
}  # fmt: skip
CHECKPOINTS = {
    f"a.tif b.tif -o out.tif --checkpoint {shlex.quote(name)}": expected
    for name, expected in NO_CHECKPOINT.items()
}
CATALOGUE = UNREADABLE | LYING | NO_FILES | NO_PAIRS | NO_OUTPUT | CHECKPOINTS | USAGE


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Stand in a folder that holds a good pair, a.tif and b.tif, and things that are not."""
    monkeypatch.chdir(tmp_path)
    fill_folder()
    if CORRUPT.exists():
        shutil.copy(CORRUPT, "corrupt_after.tif")
    return tmp_path


def listing(folder):
    return sorted((path.name, path.lstat().st_size, path.lstat().st_ino) for path in folder.iterdir())


@pytest.mark.parametrize("given", CATALOGUE, ids=lambda given: ascii(given)[:60])
def test_a_bad_input_gives_one_line_and_its_exit_code(place, tiny_checkpoint, capsys, monkeypatch, given):
    if str(CORRUPT) in given and not CORRUPT.exists():
        pytest.skip("no shared data here")
    code, *words = CATALOGUE[given]
    monkeypatch.setenv("LSAFNET_CHECKPOINT", str(tiny_checkpoint))
    before = listing(place)
    with pytest.raises(SystemExit) as left:
        main(["predict", *shlex.split(given)])
    printed = capsys.readouterr()
    *notes, last = printed.err.removesuffix("\n").split("\n")
    assert left.value.code == code, printed.err
    assert last.startswith("lsafnet: ")
    assert all(word in last for word in words), last
    assert all(note.startswith("note: ") for note in notes)
    assert printed.out == ""
    assert listing(place) == before


def test_the_catalogue_is_long_and_knows_every_kind_of_error():
    assert len(CATALOGUE) >= 100
    assert {code for code, *_ in CATALOGUE.values()} == {2, 3, 4, 5, 6, 7}


def test_a_good_pair_prints_a_table_on_stdout_and_notes_on_stderr(place, tiny_checkpoint, capsys):
    with pytest.raises(SystemExit) as left:
        main(["predict", "a.tif", "b.tif", "-o", "out.tif", "--checkpoint", str(tiny_checkpoint), "-v"])
    printed = capsys.readouterr()
    assert left.value.code == 0
    assert "What changed" in printed.out
    assert "map: out.tif" in printed.out
    assert "note: map " in printed.err


def test_json_is_all_that_stdout_carries(place, tiny_checkpoint, capsys):
    with pytest.raises(SystemExit) as left:
        main(["predict", "a.tif", "b.tif", "-o", "out.tif", "--checkpoint", str(tiny_checkpoint), "--json"])
    assert left.value.code == 0
    report = json.loads(capsys.readouterr().out)
    assert report["outputs"] == {"map": "out.tif"}
    assert report["table"]["valid_pixels"] == 70 * 80
