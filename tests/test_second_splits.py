"""A data set of SECOND says which of its two published splits it is."""

import shutil
from dataclasses import replace

import pytest

from lsafnet import NETWORKS, build_network, save_checkpoint
from lsafnet.checkpoint.published import DATA_SETS, describe_checkpoint
from lsafnet_cli import PredictOptions, evaluate_data_set
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.data_sets.second import describe_split
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import DeviceOptions
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.setup import prepare_training

from .training_sets import write_classes, write_pairs, write_second


@pytest.fixture
def second(tmp_path):
    """Two pairs in the folders of SECOND, with SECOND's own classes."""
    return open_data_set(write_second(tmp_path / "SECOND"))


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"train": 2375, "test": 593}, "2,375 / 593 pairs, the split of the paper's tables"),
        ({"train": 2375, "val": 593}, "2,375 / 593 pairs, the split of the paper's tables"),
        ({"train": 2375, "val": 593, "test": 1694}, "2,968 / 1,694 pairs, the later split"),
        ({"train": 2968, "test": 1694}, "2,968 / 1,694 pairs, the later split"),
        ({"train": 2968}, "train 2,968 pairs, neither published split"),
        ({"all": 4}, "all 4 pairs, neither published split"),
    ],
)
def test_a_split_of_second_is_known_by_its_numbers(second, counts, words):
    pair = second.items("all")[0]
    found = replace(second, splits={name: (pair,) * count for name, count in counts.items()})
    assert words in describe_split(found)


def test_other_data_in_the_folders_of_second_is_not_called_so(tmp_path):
    folder = write_second(tmp_path / "mine")
    write_classes(folder, trained_on="my own pairs")
    shutil.rmtree(folder / "label1")
    shutil.copytree(folder / "label2", folder / "label1")
    assert describe_split(open_data_set(folder)) is None
    assert describe_split(open_data_set(write_pairs(tmp_path / "pairs", train=1, val=1))) is None


def test_training_and_evaluation_say_which_split_a_folder_is(tmp_path):
    folder = write_second(tmp_path / "SECOND")
    checkpoint = tmp_path / "x.safetensors"
    info = replace(describe_checkpoint(NETWORKS["lsafnet-tiny"], DATA_SETS["second"]), tile_px=64)
    save_checkpoint(checkpoint, build_network("lsafnet-tiny", num_classes=7), info)
    options = PredictOptions(device=DeviceOptions(device="cpu", precision="fp32"))
    report = evaluate_data_set(folder, [checkpoint], "all", predict_options=options)
    assert any("neither published split" in notice for notice in report.notices)
    observer = Observer()
    prepare_training([folder], TrainOptions(), observer)
    assert any("neither published split" in notice for notice in observer.notices)
