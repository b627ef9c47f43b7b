"""A training writes the domain of what it was trained on into its checkpoints; `checkpoint domain` does so later."""

import json

import numpy as np
import pytest
from rasterio import Affine

from lsafnet.checkpoint.info import read_checkpoint_info
from lsafnet_cli import check_pair
from lsafnet_cli.app import main
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.training.domain import TrainingImages
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.run import train_network
from lsafnet_cli.training.sources import Source

from .conftest import write_raster
from .training_sets import image_of, label_of, write_pairs, write_singles


def exit_code(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a data set of pairs and the folder of a training on it."""
    folder = tmp_path_factory.mktemp("trained")
    data, run = write_pairs(folder / "set"), folder / "run"
    options = TrainOptions(
        network="lsafnet-tiny", crop_px=32, batch_size=2, workers=0, device="cpu", precision="fp32", epochs=1
    )
    train_network(data, run, options)
    return data, run


def images_of(folder, crop_px=32, wide=False, zoom=(1.0, 1.0)):
    data_set = open_data_set(folder)
    items = data_set.items("train")
    numbers = data_set.label_sets.renumbering(data_set.label_sets)
    return TrainingImages((data_set,), (Source(items, numbers, zoom=zoom),), crop_px, wide)


def test_a_training_notes_pixel_size_bands_and_statistics(trained):
    data, run = trained
    domain = read_checkpoint_info(run / "best.safetensors").domain
    assert domain == read_checkpoint_info(run / "last.safetensors").domain
    assert domain.gsd_m == pytest.approx((0.5, 0.5), rel=0.01)
    assert domain.bands == ("red", "green", "blue")
    pixels = np.concatenate(
        [
            example.before.reshape(3, -1)
            for example in (item.read() for item in open_data_set(data).items("train"))
        ],
        axis=1,
    )
    assert np.abs(np.array(domain.statistics.level.mean) - pixels.mean(axis=1)).max() < 12
    assert domain.statistics.images == 64
    assert domain.statistics.features
    assert domain.statistics.limit > 0


def test_pairs_of_the_training_are_inside_and_dark_ones_of_another_size_are_not(trained, tmp_path):
    data, run = trained
    checkpoint = run / "best.safetensors"
    pair = [data / "train" / date / "scene0.tif" for date in ("before", "after")]
    assert check_pair(*pair, checkpoint).domain.inside
    other, coarse = [], Affine(10, 0, 600000, 0, -10, 5335000)
    for seed in (1, 2):
        path = tmp_path / f"{seed}.tif"
        write_raster(path, image_of(label_of(seed, 48), seed) // 8, transform=coarse)
        other.append(path)
    reasons = " ".join(check_pair(*other, checkpoint).domain.reasons)
    assert "pixels of" in reasons
    assert "values fill" in reasons or "brightness" in reasons


def test_the_command_measures_what_the_training_did(trained, tmp_path, capsys):
    data, run = trained
    output = tmp_path / "again.safetensors"
    words = ("checkpoint", "domain", run / "last.safetensors", "--dataset", data, "-o", output)
    assert exit_code(*words, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    there, known = (read_checkpoint_info(path).domain for path in (output, run / "last.safetensors"))
    assert (there.gsd_m, there.bands, there.statistics.level) == (
        known.gsd_m,
        known.bands,
        known.statistics.level,
    )
    for name, spread in known.statistics.features.items():
        assert there.statistics.features[name].mean == pytest.approx(spread.mean, rel=1e-3, abs=1e-3)
    assert said["domain"]["gsd_m"] == list(there.gsd_m)
    assert exit_code("checkpoint", "show", output) == 0
    assert "red, green, blue; statistics of 64 training images" in capsys.readouterr().out


def test_pixel_sizes_can_be_given_and_nothing_is_replaced(trained, tmp_path, capsys):
    data, run = trained
    output = tmp_path / "again.safetensors"
    words = ("checkpoint", "domain", run / "last.safetensors", "--dataset", data, "-o", output)
    assert exit_code(*words, "--gsd", "0.25,1.5") == 0
    assert read_checkpoint_info(output).domain.gsd_m == (0.25, 1.5)
    first = output.read_bytes()
    for more, code in (([], 6), (["--overwrite", "--gsd", "2,1"], 2), (["--overwrite", "--gsd", "a"], 2)):
        assert exit_code(*words, *more) == code
        assert len(capsys.readouterr().err.strip().splitlines()) <= 3
    assert output.read_bytes() == first


def test_a_data_set_that_does_not_tell_its_pixel_size_leaves_it_open_unless_its_json_does(tmp_path):
    folder = write_singles(tmp_path / "set")
    for path in (folder / "train" / "images").iterdir():
        write_raster(path, image_of(label_of(1, 64), 1), crs=None)
    assert images_of(folder).gsd_m is None
    described = json.loads((folder / "classes.json").read_text())
    (folder / "classes.json").write_text(json.dumps({**described, "gsd_m": 0.5}))
    assert images_of(folder).gsd_m == (0.5, 0.5)
    assert images_of(folder, wide=True, zoom=(0.5, 4.0)).gsd_m == (0.25, 2.0)


def test_windows_have_the_crops_size_and_hold_hardly_a_pixel_without_data(tmp_path):
    folder = write_singles(tmp_path / "set", side=64)
    for number, path in enumerate(sorted((folder / "train" / "images").iterdir())):
        pixels = image_of(label_of(number, 64), number).clip(1)
        if number == 0:
            pixels[:] = 0  # no data throughout
        write_raster(path, pixels, nodata=0)
    for crop_px, wide in ((32, False), (96, False), (32, True)):
        windows = list(images_of(folder, crop_px, wide, (0.5, 2.0)).windows(12))
        assert {window.shape for window in windows} == {(3, crop_px, crop_px)}
        assert len(windows) >= 10
        assert all((window.max(axis=0) > 0).mean() >= 0.9 for window in windows)
