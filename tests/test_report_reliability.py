"""What a map and its page tell of the checkpoint: its home, its calibration, and in whose range the images lie."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from lsafnet.checkpoint.context import ChangeContext
from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.checkpoint.domain import Domain
from lsafnet.checkpoint.files import load_checkpoint, replace_info, save_checkpoint
from lsafnet.checkpoint.info import read_checkpoint_info
from lsafnet_cli import PredictOptions, predict_change, write_report_page
from lsafnet_cli.checkpoints.choose import CALIBRATION_ERROR, load_ensemble
from lsafnet_cli.files.provenance import DOMAIN, OPTIONS, RELIABILITY, outside_of, reliability_of
from lsafnet_cli.options import OutputOptions
from lsafnet_cli.prediction.redecide import RedecideOptions, redecide_map
from lsafnet_cli.report_page.reliability import calibration_text, reliability_rows, trust_text

from .change_maps import WATER_TO_GROUND, write_map
from .report_pages import data_of

HOSTILE = "</script><img src=x onerror=alert(1)>"
ONE = {
    "name": "a.safetensors",
    "trained_on": "aerial images of a town",
    "gsd_m": [0.25, 0.5],
    "threshold": 0.3,
    "temperature": 1.5,
    "bias": -0.25,
    "fitted_on": "town (val, 12 pairs)",
    "ece": 0.042,
}


def tags_of(*checkpoints, threshold=0.3, domain="inside"):
    """Return the tags of a map of some checkpoints."""
    tags = {RELIABILITY: json.dumps(checkpoints), OPTIONS: json.dumps({"threshold": threshold})}
    return tags if domain is None else {DOMAIN: domain, **tags}


@pytest.mark.parametrize(
    ("domain", "kind", "words"),
    [
        ("inside", "inside", "The images are like those"),
        ("outside: pixels of 30 m", "outside", "trained on: pixels of 30 m. Check the map"),
        (None, "unknown", "is not recorded in the map. Check the map"),
    ],
)
def test_the_head_says_domain_calibration_and_threshold(domain, kind, words):
    found = trust_text(tags_of(ONE, domain=domain))
    assert found[0] == kind
    assert words in found[1]
    assert found[1].endswith(
        "Its probabilities were calibrated on labelled pairs. Pixels count as changed above a probability of 30 %."
    )


def test_a_checkpoint_without_calibration_is_said_to_have_none():
    plain = {**ONE, "fitted_on": "", "threshold": 0.5, "temperature": 1, "bias": 0, "ece": None}
    assert "are not calibrated" in calibration_text(tags_of(plain))
    assert "are not calibrated" in calibration_text(tags_of(ONE, plain))  # one of two is enough
    assert dict(reliability_rows(tags_of(plain)))["calibration"] == "none"


def test_the_rows_say_home_calibration_and_whose_threshold_it_is():
    rows = dict(reliability_rows(tags_of(ONE)))
    assert rows["trained on"] == "aerial images of a town"
    assert rows["pixels it was trained on"] == "0.25 to 0.5 m"
    assert rows["calibration"] == (
        "temperature 1.5, bias -0.25, fitted on town (val, 12 pairs); expected calibration error 0.042"
    )
    assert rows["changed above a probability of"] == "0.3 (the checkpoint's own)"
    raised = dict(reliability_rows(tags_of(ONE, threshold=0.6)))
    assert raised["changed above a probability of"] == "0.6 (the checkpoint's own is 0.3)"
    assert "surroundings" not in rows
    assert "scale bias" not in rows
    of_scale = dict(reliability_rows(tags_of({**ONE, "scale_bias": 0.5})))["scale bias"]
    assert of_scale == "+0.5 to the log-odds of change for each doubling of the images"
    with_context = tags_of({**ONE, "context": {"sigma_px": 64.0, "weight": 1.0}})
    assert (
        dict(reliability_rows(with_context))["surroundings"] == "count with weight 1, by a Gaussian of 64 px"
    )
    both = dict(reliability_rows(tags_of(ONE, {**ONE, "name": "b", "gsd_m": None})))
    assert both["trained on of b"] == "aerial images of a town"
    assert "pixels it was trained on of b" not in both


@pytest.mark.parametrize("context", [None, 7, "64", {}, {"sigma_px": "64", "weight": 1}, {"sigma_px": 64}])
def test_a_context_that_cannot_be_read_is_left_out(context):
    rows = dict(reliability_rows(tags_of({**ONE, "context": context})))
    assert "surroundings" not in rows
    assert rows["calibration"].startswith("temperature 1.5")


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[1, null]", "{}", "7", json.dumps([{**ONE, "threshold": "0.3"}]), json.dumps([{"name": "a"}]),
     json.dumps([{**ONE, "gsd_m": 3}]), json.dumps([{**ONE, "ece": float("nan")}])],
)  # fmt: skip
def test_tags_that_cannot_be_read_say_nothing_of_calibration(text):
    tags = {RELIABILITY: text, OPTIONS: "nonsense"}
    assert calibration_text(tags) == ""
    assert list(reliability_rows(tags)) == []


def test_a_page_of_hostile_tags_keeps_them_as_text(tmp_path):
    path = write_map(tmp_path / "changes.tif", np.full((60, 80), WATER_TO_GROUND, np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**tags_of({**ONE, "trained_on": HOSTILE}))
    write_report_page(path, tmp_path / "r.html")
    assert HOSTILE not in (tmp_path / "r.html").read_text("utf-8")
    assert dict(data_of(tmp_path / "r.html")["reliability"])["trained on"] == HOSTILE


@pytest.fixture
def calibrated(tiny_checkpoint, tmp_path):
    """Return a checkpoint with a decision, an error and a domain of its own."""
    checkpoint = load_checkpoint(tiny_checkpoint)
    info = replace(
        checkpoint.info,
        trained_on="noise",
        decision=ChangeDecision(0.2, 1.25, 0.5, "noise (val, 3 pairs)"),
        metrics={CALIBRATION_ERROR: 0.05},
        domain=Domain((0.4, 0.6), ("red", "green", "blue")),
    )
    path = tmp_path / "calibrated.safetensors"
    save_checkpoint(path, checkpoint.network, info)
    return path


def test_a_map_and_what_is_decided_of_it_tell_of_the_checkpoint(pair, calibrated, tmp_path):
    options = PredictOptions(checkpoint=calibrated, output=OutputOptions(also=("probability", "transition")))
    predict_change(*pair, tmp_path / "changes.tif", options)
    redecide_map(tmp_path / "changes.tif", tmp_path / "other.tif", RedecideOptions(threshold=0.9))
    told = []
    for name in ("changes.tif", "other.tif"):
        with rasterio.open(tmp_path / name) as dataset:
            tags = dataset.tags()
        told.append((reliability_of(tags), outside_of(tags), dict(reliability_rows(tags))))
    (facts,) = told[0][0]
    assert facts == {
        "name": "calibrated.safetensors",
        "trained_on": "noise",
        "gsd_m": [0.4, 0.6],
        "threshold": 0.2,
        "temperature": 1.25,
        "bias": 0.5,
        "fitted_on": "noise (val, 3 pairs)",
        "ece": 0.05,
    }
    assert told[1][:2] == told[0][:2]
    assert told[0][2]["changed above a probability of"] == "0.2 (the checkpoint's own)"
    assert told[1][2]["changed above a probability of"] == "0.9 (the checkpoint's own is 0.2)"


def test_an_ensemble_tells_of_each_of_its_checkpoints(calibrated, tiny_checkpoint):
    first, second = load_ensemble(calibrated, (tiny_checkpoint,)).reliability
    assert (first["name"], first["fitted_on"]) == ("calibrated.safetensors", "noise (val, 3 pairs)")
    assert (second["name"], second["fitted_on"], second["ece"]) == (tiny_checkpoint.name, "", None)
    assert "context" not in first
    assert "scale_bias" not in first


@pytest.mark.parametrize("bias", [None, "0.5", [], float("nan"), True])
def test_a_scale_bias_that_cannot_be_read_is_left_out(bias):
    assert "scale bias" not in dict(reliability_rows(tags_of({**ONE, "scale_bias": bias})))


def test_a_map_tells_of_the_context_and_the_scale_bias_of_its_checkpoint(pair, calibrated, tmp_path):
    info = replace(read_checkpoint_info(calibrated), context=ChangeContext(8, 1.5), scale_bias=-0.25)
    replace_info(calibrated, tmp_path / "context.safetensors", info)
    predict_change(*pair, tmp_path / "map.tif", PredictOptions(checkpoint=tmp_path / "context.safetensors"))
    with rasterio.open(tmp_path / "map.tif") as dataset:
        rows = dict(reliability_rows(dataset.tags()))
    assert rows["surroundings"] == "count with weight 1.5, by a Gaussian of 8 px"
    assert rows["scale bias"].startswith("-0.25 ")
