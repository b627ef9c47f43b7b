"""Every network trains: one epoch through the command line, on a data set of four small pairs."""

import csv
import math

import pytest

from lsafnet import NETWORKS, load_checkpoint
from lsafnet_cli.app import main

from .test_networks import FLAGGED
from .training_sets import write_pairs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A data set of two pairs to train on and one to validate on."""
    return write_pairs(tmp_path_factory.mktemp("pairs"), side=32, train=2, val=1)


def only_row(run):
    """Return the row of the one epoch of a run."""
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    return row


@pytest.mark.parametrize("name", NETWORKS)
def test_an_epoch_of_every_network_leaves_a_checkpoint_of_it(pairs, tmp_path, name):
    run = tmp_path / "run"
    narrow = ["--backbone", "resnet10-narrow", "--width", "16"] if name in FLAGGED else []
    arguments = [
        "train",
        pairs,
        "-o",
        run,
        "--network",
        name,
        "--epochs",
        1,
        "--batch-size",
        2,
        "--workers",
        0,
    ]
    with pytest.raises(SystemExit) as left:
        main(
            [
                *map(str, arguments),
                *narrow,
                "--optimizer",
                "adamw",
                "--device",
                "cpu",
                "--precision",
                "fp32",
                "-q",
            ]
        )
    assert left.value.code in (None, 0)
    row = only_row(run)
    assert math.isfinite(float(row["loss_total"]))
    assert 0 <= float(row["miou"]) <= 1
    best = load_checkpoint(run / "best.safetensors")
    assert best.info.network == name
    assert best.info.num_classes == (5 if NETWORKS[name].semantic else 2)


def test_scdnet_learns_unchanged_as_a_class_with_deep_supervision(pairs, tmp_path):
    run = tmp_path / "run"
    arguments = ["train", pairs, "-o", run, "--network", "scdnet", "--epochs", 1, "--batch-size", 2]
    with pytest.raises(SystemExit):
        main([*map(str, arguments), "--workers", "0", "--optimizer", "adamw", "--device", "cpu", "-q"])
    row = only_row(run)
    assert {"loss_ce_before", "loss_ce_after", "loss_ce_auxiliary"} <= row.keys()
    assert "loss_bce" not in row
    parts = {name: float(row[f"loss_{name}"]) for name in ("ce_before", "ce_after", "ce_auxiliary")}
    expected = 2 * (parts["ce_auxiliary"] + 2 * (parts["ce_before"] + parts["ce_after"]))
    assert float(row["loss_total"]) == pytest.approx(expected, rel=1e-4)
