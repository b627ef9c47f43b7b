"""The shipped checkpoint on the committed pair, through the whole command, as `make demo` runs it."""

import pytest

import run_demo
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from lsafnet_cli.options import OutputOptions

SAMPLE = run_demo.SAMPLE


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Return the agreement of the map with the labels."""
    output = tmp_path_factory.mktemp("sample") / "changes.tif"
    options = PredictOptions(checkpoint=shipped_checkpoint(), output=OutputOptions(also=("from", "to")))
    predict_change(SAMPLE / "before.tif", SAMPLE / "after.tif", output, options)
    return run_demo.agreement(output)


def test_changes_and_their_classes_are_found(scores):
    assert scores["f_scd"] >= 0.75


def test_changed_and_unchanged_are_told_apart(scores):
    assert scores["miou"] >= 0.80


def test_the_shipped_checkpoint_says_what_it_was_trained_on(monkeypatch):
    monkeypatch.delenv("LSAFNET_CHECKPOINT", raising=False)
    from lsafnet_cli.checkpoints.choose import load_named_checkpoint

    assert "Dubai" in load_named_checkpoint(None).info.trained_on
