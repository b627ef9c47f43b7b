"""Images as the network sees them: enlarged, reduced, or as they are."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from torch.nn.functional import interpolate

from lsafnet import CheckpointError, load_checkpoint, save_checkpoint
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.app import main
from lsafnet_cli.batch.estimate import estimate_batch
from lsafnet_cli.batch.options import BatchOptions
from lsafnet_cli.batch.pairing import pair_folders
from lsafnet_cli.batch.plan import plan_batch
from lsafnet_cli.checkpoints.choose import load_ensemble, load_named_checkpoint
from lsafnet_cli.errors import OptionError
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import DeviceOptions, OutputOptions, TileOptions
from lsafnet_cli.prediction.infer import Scorer, TileBatch, probabilities
from lsafnet_cli.prediction.input_scale import input_scales, network_px, scale_for, scaled_tile_px
from lsafnet_cli.system.devices import Device

from .conftest import UTM, noise, write_raster

CPU = Device(torch.device("cpu"), "fp32")
NO_STRETCH = (None, None)


def grid_of_pixels(size_m, rows=300, cols=300, crs=UTM):
    return Grid(rasterio.CRS.from_string(crs), Affine(size_m, 0, 6e5, 0, -size_m, 5.3e6), cols, rows)


@pytest.fixture(scope="module")
def fine_checkpoint(tiny_checkpoint, tmp_path_factory):
    """Return the tiny checkpoint, said to work best on pixels of 0.5 m."""
    loaded = load_checkpoint(tiny_checkpoint)
    path = tmp_path_factory.mktemp("fine") / "fine.safetensors"
    save_checkpoint(path, loaded.network, replace(loaded.info, input_gsd_m=0.5))
    return path


@pytest.mark.parametrize(
    ("size_m", "scale"),
    [(0.1, 1), (0.5, 1), (0.6, 1), (0.75, 1.5), (1, 2), (1.5, 3), (2.5, 4), (3, 4), (5, 1), (30, 1)],
)
def test_coarser_pixels_are_brought_to_the_size_that_suits_the_network(fine_checkpoint, size_m, scale):
    info = load_checkpoint(fine_checkpoint).info
    assert scale_for(grid_of_pixels(size_m), info) == pytest.approx(scale, rel=2e-3)


def test_pixels_in_degrees_have_a_size_too(fine_checkpoint):
    info = load_checkpoint(fine_checkpoint).info
    degrees = Grid(rasterio.CRS.from_epsg(4326), Affine(9e-6, 0, 10, 0, -9e-6, 0.01), 99, 99)
    assert scale_for(degrees, info) == pytest.approx(2, rel=0.02)
    three = Grid(rasterio.CRS.from_epsg(4326), Affine(2.71e-5, 0, 10, 0, -2.71e-5, 0.01), 99, 99)
    assert pixel_size_m(three) > 3
    assert scale_for(three, info) == 4


@pytest.mark.parametrize(("rows", "cols", "scale"), [(20, 20, 2), (40, 30, 1.6), (60, 30, 1), (64, 64, 1)])
def test_images_of_unknown_pixel_size_are_enlarged_only_to_fill_a_tile(fine_checkpoint, rows, cols, scale):
    info = load_checkpoint(fine_checkpoint).info
    assert scale_for(Grid(None, Affine.identity(), cols, rows), info) == scale


def test_a_checkpoint_that_says_nothing_sees_images_as_they_are(tiny_checkpoint):
    info = load_checkpoint(tiny_checkpoint).info
    assert info.input_gsd_m is None
    assert scale_for(grid_of_pixels(3), info) == 1
    assert scale_for(Grid(None, Affine.identity(), 20, 20), info) == 1


def test_each_network_of_an_ensemble_has_its_own_scale_and_no_less_context(fine_checkpoint, tiny_checkpoint):
    both = load_ensemble(fine_checkpoint, (tiny_checkpoint,))
    scales = input_scales(grid_of_pixels(1), both, None)
    assert scales == (2, 1)
    assert scaled_tile_px(both, scales) == 64
    assert scaled_tile_px(load_named_checkpoint(fine_checkpoint), (2,)) == 32
    assert scaled_tile_px(load_named_checkpoint(fine_checkpoint), (1.73,)) == 64  # sizes that --tile takes
    assert input_scales(grid_of_pixels(1), both, 3) == (3, 3)


@pytest.mark.parametrize("scale", [2, 1.73, 0.5])
def test_a_network_sees_normalised_images_resized_and_its_probabilities_are_sized_back(
    tiny_checkpoint, scale
):
    loaded = load_checkpoint(tiny_checkpoint)
    images = torch.from_numpy(np.stack([noise(seed, 64, 64) for seed in (1, 2)]))[:, None]
    valid = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    valid[..., :9, :20] = False
    with torch.inference_mode():
        found = Scorer([loaded], NO_STRETCH, CPU, scales=(scale,))(TileBatch([], images, valid))
        values = torch.where(valid, (images.float() - 110) / 50, 0.0)
        side = network_px(64, scale)
        assert side % 8 == 0
        if scale > 1:
            seen = [interpolate(one, (side, side), mode="bicubic") for one in values]
            expected = probabilities(loaded.network(*seen))
            expected = interpolate(expected, (64, 64), mode="bilinear", antialias=True)
        else:
            seen = [interpolate(one, (side, side), mode="bilinear", antialias=True) for one in values]
            expected = interpolate(probabilities(loaded.network(*seen)), (64, 64), mode="bicubic")
        plain = Scorer([loaded], NO_STRETCH, CPU)(TileBatch([], images, valid))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    assert (found - plain).abs().max() > 0.05


def layers_of(pair, out, checkpoint, scale=None, observer=None, **more):
    options = PredictOptions(
        checkpoint=checkpoint,
        tile=TileOptions(scale=scale, **more),
        device=DeviceOptions("cpu", "fp32"),
        output=OutputOptions(also=("probability",)),
    )
    report = predict_change(*pair, out, options, observer)
    with rasterio.open(out.with_name(f"{out.stem}.probability.tif")) as dataset:
        return dataset.read(1).astype(int), report


def test_a_map_of_coarse_images_is_that_of_the_scale_it_names(fine_checkpoint, tmp_path):
    place = {"transform": Affine(1, 0, 6e5, 0, -1, 5.3e6)}
    mask = np.full((90, 120), 255, np.uint8)
    mask[10:30, 10:30] = 0
    pair = [write_raster(tmp_path / f"{n}.tif", noise(n, 90, 120), mask=mask, **place) for n in (1, 2)]
    observer = Observer()
    auto, report = layers_of(pair, tmp_path / "auto.tif", fine_checkpoint, observer=observer)
    twice, told = layers_of(pair, tmp_path / "twice.tif", fine_checkpoint, 2.0)
    plain, untouched = layers_of(pair, tmp_path / "plain.tif", fine_checkpoint, 1.0)
    np.testing.assert_array_equal(auto, twice)
    assert np.abs(auto - plain).max() > 5
    assert (auto[10:30, 10:30] == 255).all()
    assert (auto == 255).sum() == 400
    assert [
        text for text in report.notices if "enlarged 2 times" in text and "pixels than theirs of 1 m" in text
    ]
    assert report.options["scales"] == told.options["scales"] == [2.0]
    assert "scale" not in report.options
    assert told.options["scale"] == 2
    assert report.options["tile_px"] == 32
    assert "scales" not in untouched.options
    assert not [text for text in (*told.notices, *untouched.notices) if "enlarged" in text]


def test_tiles_of_an_enlarged_scene_blend_into_what_one_tile_gives(fine_checkpoint, tmp_path):
    pair = [write_raster(tmp_path / f"{n}.tif", noise(n, 96, 96)) for n in (1, 2)]
    one, _ = layers_of(pair, tmp_path / "one.tif", fine_checkpoint, 2.0, size_px=96, overlap_px=0)
    many, _ = layers_of(pair, tmp_path / "many.tif", fine_checkpoint, 2.0, size_px=64, overlap_px=32)
    assert np.abs(one - many).mean() < 6


def test_the_command_line_takes_a_scale_and_check_tells_of_it(fine_checkpoint, tmp_path, capsys):
    place = {"transform": Affine(1, 0, 6e5, 0, -1, 5.3e6)}
    pair = [str(write_raster(tmp_path / f"{n}.tif", noise(n, 64, 64), **place)) for n in (1, 2)]
    checkpoint = ["--checkpoint", str(fine_checkpoint)]
    assert run(["check", *pair, *checkpoint]) == 0
    told = capsys.readouterr().out.replace("\n", " ")
    assert "enlarged 2 times for the network" in told
    assert "--scale 1 leaves them as they are" in told
    out = tmp_path / "map.tif"
    assert run(["predict", *pair, "-o", str(out), *checkpoint, "--scale", "1.5", "-q"]) == 0
    with rasterio.open(out) as dataset:
        assert json.loads(dataset.tags()["LSAFNET_OPTIONS"])["scales"] == [1.5]
    again = tmp_path / "again.tif"
    assert run(["predict", *pair, "-o", str(again), *checkpoint, "--options", str(out), "-q"]) == 0
    with rasterio.open(again) as one, rasterio.open(out) as other:
        np.testing.assert_array_equal(one.read(), other.read())
        first, second = (json.loads(map_.tags()["LSAFNET_OPTIONS"]) for map_ in (one, other))
    assert all(first[name] == second[name] for name in ("scale", "scales", "tile_px"))
    assert run(["predict", *pair, "-o", str(out), *checkpoint, "-q", "--also", "from"]) != 0
    assert "the option scale, the option scales" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "9", "nan", "twice", "-1"])
def test_a_scale_that_is_none_is_refused(tmp_path, capsys, text):
    assert run(["predict", "a.tif", "b.tif", "-o", str(tmp_path / "m.tif"), "--scale", text]) == 2
    assert "scale" in capsys.readouterr().err


def test_the_size_that_suits_a_network_is_checked(tiny_checkpoint):
    info = load_checkpoint(tiny_checkpoint).info
    for wrong in (0, -1, "1 m", float("nan")):
        with pytest.raises(CheckpointError, match="input_gsd_m"):
            replace(info, input_gsd_m=wrong)
    with pytest.raises(OptionError, match="scale"):
        TileOptions(scale=float("inf"))


def run(words):
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code


def test_the_estimate_of_a_batch_counts_the_tiles_of_enlarged_scenes(fine_checkpoint, tmp_path):
    for folder, seed in (("b", 1), ("a", 2)):
        for name, size_m in (("coarse", 1), ("fine", 0.5)):
            path = tmp_path / folder / f"{name}.tif"
            path.parent.mkdir(exist_ok=True)
            write_raster(path, noise(seed, 100, 100), transform=Affine(size_m, 0, 6e5, 0, -size_m, 5.3e6))
    scenes = pair_folders(tmp_path / "b", tmp_path / "a").scenes

    def tiles(scale=None):
        options = BatchOptions(
            predict=PredictOptions(checkpoint=fine_checkpoint, tile=TileOptions(overlap_px=0, scale=scale)),
            devices="cpu",
        )
        plan = plan_batch(scenes, tmp_path / "out", options)
        assert [(one.size.width, one.size.height) for one in plan.todo] == [(100, 100)] * 2
        return estimate_batch(plan, options).tiles

    assert tiles() == 16 + 4  # of 32 px, and of 64
    assert tiles(2) == 16 + 16
    assert tiles(1) == 4 + 4
