"""Data sets whose images have a no-data value that the files do not name: in their description, or by --nodata."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from lsafnet_cli import PredictOptions, evaluate_data_set
from lsafnet_cli.app import main
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.errors import InputError
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import DeviceOptions, ReadOptions
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.setup import prepare_training

from .conftest import write_raster
from .training_sets import write_classes, write_pairs, write_singles

FILL = {"before": 7, "after": 9}
ROWS = 10  # of each image that hold its fill
PLAIN = PredictOptions(device=DeviceOptions(device="cpu", precision="fp32"))


@pytest.fixture
def filled(tmp_path):
    """Return labelled pairs whose first rows hold 7 in the before images, whose last rows 9 in the after images."""
    folder = write_pairs(tmp_path / "set", train=1, val=1)
    for date, number in FILL.items():
        for path in folder.glob(f"*/{date}/*.tif"):
            with rasterio.open(path) as dataset:
                pixels = dataset.read()
            pixels[:, slice(0, ROWS) if date == "before" else slice(-ROWS, None)] = number
            write_raster(path, pixels)
    return folder


def valid_rows(item):
    return item.read(Window(0, 0, *item.shape)).valid.any(axis=1)


@pytest.mark.parametrize("way", ["description", "option"])
def test_pixels_with_the_no_data_values_of_both_dates_are_not_valid(filled, way):
    if way == "description":
        write_classes(filled, nodata=[7, 9])
    data_set = open_data_set(filled, nodata=(7, 9) if way == "option" else None)
    (pair,) = data_set.items("val")
    expected = np.ones(48, bool)
    expected[:ROWS] = expected[-ROWS:] = False
    np.testing.assert_array_equal(valid_rows(pair), expected)
    assert valid_rows(open_data_set(filled, nodata=(250, 250)).items("val")[0]).all()


def test_one_number_counts_for_both_dates_and_for_single_images(tmp_path, filled):
    write_classes(filled, nodata=7)
    assert open_data_set(filled).rules.nodata == (7, 7)
    singles = write_singles(tmp_path / "singles", train=1, val=1)
    path = singles / "val" / "images" / "100.tif"
    write_raster(
        path, np.concatenate([np.full((3, 32, 64), 7, np.uint8), np.full((3, 32, 64), 90, np.uint8)], 1)
    )
    (image,) = open_data_set(singles, nodata=(7, 7)).items("val")
    _, label, valid = image.read_all()
    assert not valid[:32].any()
    assert valid[32:].all()
    assert (label[:32] == 0).all()


@pytest.mark.parametrize("nodata", ["0", [1, 2, 3], [None, 1], {"before": 0}])
def test_a_description_that_says_something_else_is_one_line(filled, nodata):
    write_classes(filled, nodata=nodata)
    if nodata == "0":
        assert open_data_set(filled).rules.nodata == (0, 0)
        return
    with pytest.raises(InputError, match="nodata or normalization has a wrong structure"):
        open_data_set(filled)


def test_evaluate_leaves_out_what_predict_would(filled, tiny_checkpoint, capsys):
    def counted(read=None):
        options = PLAIN if read is None else PredictOptions(device=PLAIN.device, read=read)
        return (
            evaluate_data_set(filled, [tiny_checkpoint], "val", predict_options=options).checkpoints[0].scores
        )

    assert counted().nodata_pixels == 0
    assert counted(ReadOptions(nodata=(7, 9))).nodata_pixels == 2 * ROWS * 48
    write_classes(filled, nodata=[7, 9])
    assert counted().nodata_pixels == 2 * ROWS * 48
    words = (
        "--dataset",
        filled,
        "--split",
        "val",
        "--checkpoint",
        tiny_checkpoint,
        "--bootstrap",
        "0",
        "--json",
    )
    with pytest.raises(SystemExit) as left:
        main(["evaluate", *map(str, words), "--device", "cpu", "--nodata", "7"])
    assert left.value.code == 0
    scores = json.loads(capsys.readouterr().out)["checkpoints"][0]["scores"]
    assert scores["nodata_pixels"] == ROWS * 48


def test_training_learns_nothing_of_no_data_and_an_older_run_resumes_without_the_option(filled):
    setup = prepare_training([filled], TrainOptions(nodata=(7, 9)), Observer())
    (pair,) = setup.val[0].items
    assert valid_rows(pair).sum() == 48 - 2 * ROWS
    assert TrainOptions(nodata=(7, 9)).deciding()["nodata"] == [7, 9]
    assert "nodata" not in TrainOptions().deciding()


def test_dataset_check_takes_it(filled, capsys):
    seen = {}
    for name, words in {"plain": (), "given": ("--nodata", "7,9")}.items():
        with pytest.raises(SystemExit):
            main(["dataset", "check", str(filled), "--json", "-q", *words])
        seen[name] = json.loads(capsys.readouterr().out)
    assert seen["plain"] != seen["given"]
