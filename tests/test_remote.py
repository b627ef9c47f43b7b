"""Inputs on servers and in archives: only what is needed is fetched; a server that dies costs a line, not a run."""

import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import rasterio
import shapely

from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import InputError, OutputError
from lsafnet_cli.files.sources import is_remote, local_path
from lsafnet_cli.options import OutputOptions, ReadOptions
from lsafnet_cli.scenes.read import read_scene
from lsafnet_cli.scenes.scene_files import SceneSource
from lsafnet_cli.scenes.stamps import scene_stamp

from .conftest import noise, write_raster
from .serving import serving
from .test_aoi import on_ground, write_outline

pytestmark = pytest.mark.usefixtures("preloaded")

ROWS, COLS = 1400, 600  # more rows than one part of a map holds
SMALL_BLOCKS = {"tiled": True, "blockxsize": 64, "blockysize": 64}
NO_ACCOUNT = {"AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_NO_SIGN_REQUEST": "YES"}


@pytest.fixture
def images(tmp_path):
    """Return a folder on a server that holds a.tif and b.tif, tiled and not compressed."""
    folder = tmp_path / "served"
    folder.mkdir()
    for number, name in enumerate(("a", "b")):
        write_raster(folder / f"{name}.tif", noise(number, ROWS, COLS), **SMALL_BLOCKS)
    return folder


@pytest.fixture
def corner(tmp_path):
    """Return a vector file over a corner of the scene, a small part of it."""
    return write_outline(tmp_path / "corner.gpkg", [on_ground(shapely.box(10, 20, 110, 120))])


def command_line(before, after, checkpoint, *options, output="changes.tif"):
    files = [before, after, "-o", output, "--checkpoint", str(checkpoint)]
    return [sys.executable, "-m", "lsafnet_cli.app", "predict", *files, *options]


def run_in(folder, command, **environment):
    settings = {**os.environ, "GDAL_HTTP_MAX_RETRY": "0", **environment}
    return subprocess.run(
        command, cwd=folder, env=settings, capture_output=True, text=True, timeout=300, check=False
    )


def codes_of(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize("form", ["{url}/{name}", "/vsicurl/{url}/{name}", "s3://bucket/{name}"])
def test_only_the_ranges_under_the_area_are_fetched(images, corner, tiny_checkpoint, tmp_path, form):
    (images / "bucket").symlink_to(images)
    with serving(images) as server:
        names = [form.format(url=server.url, name=name) for name in ("a.tif", "b.tif")]
        account = {**NO_ACCOUNT, "AWS_S3_ENDPOINT": server.url.removeprefix("http://")}
        done = run_in(tmp_path, command_line(*names, tiny_checkpoint, "--aoi", str(corner)), **account)
    assert done.returncode == 0, done.stderr
    for name in ("a.tif", "b.tif"):
        sent = sum(count for path, count in server.sent.items() if path.endswith(name))
        assert 0 < sent < (images / name).stat().st_size / 4
    options = PredictOptions(checkpoint=tiny_checkpoint, read=ReadOptions(aoi=str(corner)))
    predict_change(images / "a.tif", images / "b.tif", tmp_path / "local.tif", options)
    assert (codes_of(tmp_path / "changes.tif") == codes_of(tmp_path / "local.tif")).mean() >= 0.9999


def test_a_mask_beside_a_remote_image_is_not_overlooked(images, corner, tiny_checkpoint, tmp_path):
    mask = np.full((ROWS, COLS), 255, np.uint8)
    mask[:60] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(images / "a.tif", "r+") as dataset:
        dataset.write_mask(mask)
    assert (images / "a.tif.msk").exists()
    with serving(images) as server:
        names = [f"{server.url}/{name}" for name in ("a.tif", "b.tif")]
        done = run_in(tmp_path, command_line(*names, tiny_checkpoint, "--aoi", str(corner)))
    assert done.returncode == 0, done.stderr
    codes = codes_of(tmp_path / "changes.tif")  # from row 20 on
    assert (codes[:40] == 255).all()
    assert (codes[40:] != 255).all()


def test_a_mask_that_is_lost_while_a_run_goes_on_is_noticed(images):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(images / "a.tif", "r+") as dataset:
        dataset.write_mask(np.zeros((ROWS, COLS), np.uint8))
    scene = read_scene(images / "a.tif", None, None)
    SceneSource(scene).close()
    (images / "a.tif.msk").unlink()
    with pytest.raises(InputError, match=r"a.tif: has changed since the run started"):
        SceneSource(scene)


def test_a_server_that_dies_gives_one_line_and_the_same_command_goes_on(images, tiny_checkpoint, tmp_path):
    with serving(images) as server:
        names = [f"{server.url}/{name}" for name in ("a.tif", "b.tif")]
        # nothing but some tiles for the domain is read before the first row
        command = command_line(*names, tiny_checkpoint, "--readers", "1", "--coregister", "off")
        server.dies_after_bytes = (images / "a.tif").stat().st_size * 1.3
        broken = run_in(tmp_path, command)
        port = server.server_port
    assert broken.returncode == 3, broken.stderr
    *notes, last = broken.stderr.strip().splitlines()
    assert re.fullmatch(
        r"lsafnet: http\S+/[ab].tif: reading failed, the server closed the connection .*try again", last
    )
    assert any("finished rows stay in .changes.tif.partial" in note for note in notes)
    assert not (tmp_path / "changes.tif").exists()
    kept = sorted((tmp_path / ".changes.tif.partial").glob("codes-*.tif"))
    assert kept
    with serving(images, port) as server:
        again = run_in(tmp_path, command)
    assert again.returncode == 0, again.stderr
    assert "starting afresh" not in again.stderr
    assert server.sent["a.tif"] < 0.8 * (images / "a.tif").stat().st_size
    predict_change(
        images / "a.tif", images / "b.tif", tmp_path / "local.tif", PredictOptions(checkpoint=tiny_checkpoint)
    )
    assert (codes_of(tmp_path / "changes.tif") == codes_of(tmp_path / "local.tif")).mean() >= 0.9999


def test_a_server_that_is_not_there_or_has_no_such_file_gives_one_line(images, tiny_checkpoint, tmp_path):
    with serving(images) as server:
        gone = run_in(tmp_path, command_line(f"{server.url}/gone.tif", "b.tif", tiny_checkpoint))
    dead = run_in(tmp_path, command_line(f"{server.url}/a.tif", "b.tif", tiny_checkpoint))
    for done, words in ((gone, "404"), (dead, "connect")):
        assert done.returncode == 3
        assert len(done.stderr.strip().splitlines()) == 1
        assert words in done.stderr
        assert "cannot be read as an image" in done.stderr
    assert not list(tmp_path.glob(".changes*"))


def test_a_server_that_falls_silent_does_not_hold_the_run(images, tiny_checkpoint, tmp_path):
    with serving(images) as server:
        server.silent = True
        given = {
            "a.tif: cannot be read as an image": [f"{server.url}/a.tif", "served/b.tif", tiny_checkpoint],
            "c.gpkg: cannot be read as a vector file":
                ["served/a.tif", "served/b.tif", tiny_checkpoint, "--aoi", f"{server.url}/c.gpkg"],
        }  # fmt: skip
        for words, arguments in given.items():
            done = run_in(tmp_path, command_line(*arguments), GDAL_HTTP_LOW_SPEED_TIME="1")
            assert done.returncode == 3
            assert words in done.stderr


def test_a_server_that_is_silent_about_side_files_does_not_hold_the_run(images, tiny_checkpoint, tmp_path):
    with serving(images) as server:
        server.silent_of_others = True
        command = command_line(f"{server.url}/a.tif", "served/b.tif", tiny_checkpoint)
        done = run_in(tmp_path, command, GDAL_HTTP_LOW_SPEED_TIME="1")
        asked = set(server.requests)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == (
        f"lsafnet: {server.url}/a.tif: cannot be read as an image (not open after 3 s); try the same command again"
    )
    assert len(asked) <= 8, asked  # of more than a dozen names


@pytest.mark.parametrize(
    "form", ["/vsizip/pair.zip/{}", "/vsizip/{{pair.zip}}/{}", "zip://{folder}/pair.zip!{}"]
)
def test_images_in_an_archive_are_read_there(pair, tiny_checkpoint, tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("pair.zip", "w") as archive:
        for image in pair:
            archive.write(image, image.name)
    options = PredictOptions(checkpoint=tiny_checkpoint)
    names = [form.format(image.name, folder=tmp_path) for image in pair]
    predict_change(*names, "zipped.tif", options)
    predict_change(*pair, "plain.tif", options)
    assert np.array_equal(codes_of("zipped.tif"), codes_of("plain.tif"))
    before = scene_stamp(read_scene(names[0], None, None))
    os.utime("pair.zip", ns=(1, 1))
    assert scene_stamp(read_scene(names[0], None, None)) != before


def test_an_image_in_an_archive_on_a_server_is_read_there(images, corner, tiny_checkpoint, tmp_path):
    with zipfile.ZipFile(images / "pair.zip", "w") as archive:
        for name in ("a.tif", "b.tif"):
            archive.write(images / name, name)
    with serving(images) as server:
        names = [f"zip+{server.url}/pair.zip!a.tif", f"/vsizip//vsicurl/{server.url}/pair.zip/b.tif"]
        done = run_in(tmp_path, command_line(*names, tiny_checkpoint, "--aoi", str(corner)))
    assert done.returncode == 0, done.stderr
    # a quarter is usual; two readers that come at once may both fetch a range
    assert server.sent["pair.zip"] < (images / "pair.zip").stat().st_size / 2


def test_a_vector_file_may_lie_on_a_server(images, corner, tiny_checkpoint, tmp_path):
    (images / "corner.geojson").write_text(
        shapely.to_geojson(on_ground(shapely.box(10, 20, 110, 120), "EPSG:4326"))
    )
    with serving(images) as server:
        aoi = f"{server.url}/corner.geojson"
        done = run_in(tmp_path, command_line("served/a.tif", "served/b.tif", tiny_checkpoint, "--aoi", aoi))
    assert done.returncode == 0, done.stderr
    assert codes_of(tmp_path / "changes.tif").shape == (100, 100)


@pytest.mark.parametrize("form", ["file://{}", "{}"])
def test_an_output_never_takes_the_place_of_an_input_or_of_a_mosaics_source(pair, tmp_path, form):
    before, after = pair
    mosaic = tmp_path / "mosaic.vrt"
    source = "<SimpleSource><SourceFilename>{}</SourceFilename><SourceBand>{}</SourceBand></SimpleSource>"
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}">{source.format(before, band)}</VRTRasterBand>'
        for band in (1, 2, 3)
    )
    mosaic.write_text(f'<VRTDataset rasterXSize="203" rasterYSize="150">{bands}</VRTDataset>')
    options = PredictOptions(output=OutputOptions(overwrite=True))
    twin = tmp_path / "twin.vrt"
    twin.write_text(mosaic.read_text().replace(str(before), str(after)))
    for name, other in ((before, after), (mosaic, twin)):
        with pytest.raises(OutputError, match=r"before.tif: is also an input"):
            predict_change(form.format(name), form.format(other), before, options)


STAMP = """
import sys
from lsafnet_cli.scenes.read import read_scene
from lsafnet_cli.scenes.stamps import scene_stamp
print(scene_stamp(read_scene(sys.argv[1], None, None)))
"""


@pytest.mark.parametrize("form", ["{}/a.tif", "/vsicurl?url={}/a.tif"])
def test_a_stamp_changes_with_the_file_on_the_server(images, form):
    with serving(images) as server:
        stamps = []
        for seed in (
            0,
            0,
            1,
        ):  # GDAL asks for some things without letting other threads run, so not from here
            write_raster(images / "a.tif", noise(seed, ROWS, COLS), **SMALL_BLOCKS)
            os.utime(images / "a.tif", ns=(seed, seed))
            done = run_in(images, [sys.executable, "-c", STAMP, form.format(server.url)])
            assert done.returncode == 0, done.stderr
            stamps.append(done.stdout)
    assert stamps[0] == stamps[1] != stamps[2]


def test_names_are_known_for_what_they_are():
    for name in (
        "https://h/a.tif",
        "s3://b/a.tif",
        "zip+https://h/a.zip!a.tif",
        "/vsizip//vsicurl/http://h/a.zip/a",
    ):
        assert is_remote(name)
        assert local_path(name) is None
    for name in (
        "a.tif",
        "/data/a.tif",
        "file:///data/a.tif",
        "zip://a.zip!b.tif",
        "/vsizip/a.zip/b.tif",
        "s3.tif",
    ):
        assert not is_remote(name)
    assert str(local_path("file:///data/a.tif")) == "/data/a.tif"
