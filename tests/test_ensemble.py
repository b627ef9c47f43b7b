"""Several networks, or several views of one: the mean of their probabilities."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from lsafnet import build_network, load_checkpoint, save_checkpoint
from lsafnet.checkpoint.info import BandStatistics, Normalization
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.app import main
from lsafnet_cli.errors import OptionError
from lsafnet_cli.options import DeviceOptions, OutputOptions, TileOptions
from lsafnet_cli.prediction.infer import Scorer, TileBatch
from lsafnet_cli.scenes.stretch import Stretch
from lsafnet_cli.system.devices import Device

from .conftest import noise, write_raster

CPU = Device(torch.device("cpu"), "fp32")


@pytest.fixture(scope="module")
def other_checkpoint(tiny_checkpoint, tmp_path_factory):
    """Return another network, normalised otherwise and of smaller tiles, with the classes of the tiny one."""
    torch.manual_seed(2)
    info = load_checkpoint(tiny_checkpoint).info
    dark, light = BandStatistics((60.0, 70.0, 80.0), (20.0,) * 3), BandStatistics((160.0,) * 3, (70.0,) * 3)
    path = tmp_path_factory.mktemp("other") / "other.safetensors"
    changed = replace(
        info, network="hrscd3", options={}, normalization=Normalization(dark, light), tile_px=32
    )
    save_checkpoint(path, build_network("hrscd3", num_classes=5), changed)
    return path


def small_batch():
    tiles = [
        torch.from_numpy(np.stack([noise(seed, 64, 64) for seed in seeds])) for seeds in ((1, 2), (3, 4))
    ]
    valid = torch.ones(2, 1, 64, 64, dtype=torch.bool)
    valid[0, :, :9, :20] = False
    return TileBatch([], torch.stack(tiles), valid)


def scored(checkpoints, batch, flips=False, stretches=(None, None)):
    with torch.inference_mode():
        return Scorer([load_checkpoint(path) for path in checkpoints], stretches, CPU, flips)(batch)


@pytest.mark.parametrize("stretch", [None, Stretch((5.0,) * 3, (200.0,) * 3)])
def test_an_ensemble_gives_the_mean_of_its_networks(tiny_checkpoint, other_checkpoint, stretch):
    batch, stretches = small_batch(), (stretch, None)
    one, other = (scored([path], batch, stretches=stretches) for path in (tiny_checkpoint, other_checkpoint))
    together = scored([tiny_checkpoint, other_checkpoint], batch, stretches=stretches)
    assert (one - other).abs().max() > 0.1
    torch.testing.assert_close(together, (one + other) / 2)


def flipped(batch, axes):
    return TileBatch([], batch.images.flip(axes), batch.valid.flip(axes))


def test_tta_gives_the_mean_of_four_flips(tiny_checkpoint):
    batch = small_batch()
    by_hand = [
        scored([tiny_checkpoint], flipped(batch, axes)).flip(axes) for axes in ((), (-1,), (-2,), (-1, -2))
    ]
    assert max((view - by_hand[0]).abs().max() for view in by_hand) > 0.01
    torch.testing.assert_close(
        scored([tiny_checkpoint], batch, flips=True), sum(by_hand) / 4, rtol=1e-4, atol=1e-4
    )


def test_tta_and_ensembles_combine(tiny_checkpoint, other_checkpoint):
    batch = small_batch()
    apart = [scored([path], batch, flips=True) for path in (tiny_checkpoint, other_checkpoint)]
    together = scored([tiny_checkpoint, other_checkpoint], batch, flips=True)
    torch.testing.assert_close(together, sum(apart) / 2)


def probability_of(pair, out, **options):
    """Predict and return the change probability, in percent."""
    fixed = {"device": DeviceOptions("cpu", "fp32"), "output": OutputOptions(also=("probability",))}
    predict_change(*pair, out, PredictOptions(**fixed, **options))
    with rasterio.open(out.with_name(f"{out.stem}.probability.tif")) as dataset:
        return dataset.read(1).astype(float)


def test_a_map_of_an_ensemble_is_made_of_all_and_names_all(tiny_checkpoint, other_checkpoint, tmp_path):
    pair = [write_raster(tmp_path / f"{n}.tif", noise(n, 64, 64)) for n in (1, 2)]
    both = probability_of(
        pair, tmp_path / "both.tif", checkpoint=tiny_checkpoint, ensemble=(other_checkpoint,)
    )
    tile = TileOptions(size_px=64)  # the larger tile of the two
    apart = [
        probability_of(pair, tmp_path / f"{path.stem}.tif", checkpoint=path, tile=tile)
        for path in (tiny_checkpoint, other_checkpoint)
    ]
    assert np.abs(both - sum(apart) / 2).max() <= 1
    with rasterio.open(tmp_path / "both.tif") as dataset:
        tags = dataset.tags()
    assert tags["LSAFNET_CHECKPOINT"] == "tiny.safetensors + other.safetensors"
    for path in (tiny_checkpoint, other_checkpoint):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in tags["LSAFNET_CHECKPOINT_SHA256"]


def test_a_map_with_tta_is_the_mean_of_the_maps_of_flipped_images(tiny_checkpoint, tmp_path):
    images = [noise(n, 64, 64) for n in (1, 2)]
    by_hand = []
    for number, axes in enumerate(((), (2,), (1,), (1, 2))):
        pair = [
            write_raster(tmp_path / f"{number}-{date}.tif", np.flip(image, axes))
            for date, image in enumerate(images)
        ]
        found = probability_of(pair, tmp_path / f"map{number}.tif", checkpoint=tiny_checkpoint)
        by_hand.append(np.flip(found, [axis - 1 for axis in axes]))
    pair = [tmp_path / f"0-{date}.tif" for date in range(2)]
    found = probability_of(pair, tmp_path / "tta.tif", checkpoint=tiny_checkpoint, tta=True)
    assert np.abs(found - by_hand[0]).max() > 1
    assert np.abs(found - sum(by_hand) / 4).max() <= 1


def test_the_command_line_takes_several_checkpoints_and_tta(
    tiny_checkpoint, other_checkpoint, pair, tmp_path
):
    out = tmp_path / "changes.tif"
    checkpoints = ["--checkpoint", str(tiny_checkpoint), "--checkpoint", str(other_checkpoint)]
    with pytest.raises(SystemExit) as left:
        main(["predict", *map(str, pair), "-o", str(out), *checkpoints, "--tta", "-q"])
    assert left.value.code == 0
    with rasterio.open(out) as dataset:
        assert '"tta": true' in dataset.tags()["LSAFNET_OPTIONS"]
        assert dataset.tags()["LSAFNET_CHECKPOINT"].count(".safetensors") == 2


def test_networks_that_do_not_go_together_are_refused(tiny_checkpoint, pair, tmp_path, capsys):
    info = load_checkpoint(tiny_checkpoint).info
    renamed = replace(info, classes=(*info.classes[:-1], replace(info.classes[-1], name="house")))
    path = tmp_path / "renamed.safetensors"
    save_checkpoint(path, load_checkpoint(tiny_checkpoint).network, renamed)
    checkpoints = ["--checkpoint", str(tiny_checkpoint), "--checkpoint", str(path)]
    with pytest.raises(SystemExit) as left:
        main(["predict", *map(str, pair), "-o", str(tmp_path / "changes.tif"), *checkpoints])
    assert left.value.code == 5
    err = capsys.readouterr().err
    assert "cannot be averaged: classes" in err
    assert err.count("\n") == 1


def test_an_ensemble_without_its_first_is_a_mistake(tiny_checkpoint):
    with pytest.raises(OptionError, match="first checkpoint"):
        PredictOptions(ensemble=(tiny_checkpoint,))
