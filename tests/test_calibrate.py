"""Calibration of a checkpoint on a data set, and what evaluation says of its probabilities."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from torch import nn

from lsafnet import ChangeLogits, load_checkpoint
from lsafnet.checkpoint.context import ChangeContext
from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.checkpoint.files import Checkpoint, replace_info
from lsafnet.checkpoint.info import read_checkpoint_info
from lsafnet.scores.calibration import logit_counts
from lsafnet_cli import predict_change
from lsafnet_cli.checkpoints.choose import NamedCheckpoint
from lsafnet_cli.data_sets.opening import open_data_set
from lsafnet_cli.evaluation.calibrate import calibrate_checkpoint, count_logits, prepared_run
from lsafnet_cli.evaluation.data_sets import evaluate_data_set
from lsafnet_cli.options import DeviceOptions, OutputOptions, PredictOptions, TileOptions

from .conftest import noise, reading_checkpoint, write_raster
from .test_import import run

CLASSES = ("unchanged", "water", "ground", "vegetation", "building")
PLAIN = PredictOptions(device=DeviceOptions(device="cpu", precision="fp32"))


@pytest.fixture
def data_set(tmp_path, tiny_checkpoint):
    """Return two pairs of 150x200 pixels, and labels that follow the network's probability but for some noise."""
    folder = tmp_path / "set"
    for name in ("before", "after", "label_before", "label_after"):
        (folder / name).mkdir(parents=True)
    entries = [{"name": name, "color": f"#0000{number:02x}"} for number, name in enumerate(CLASSES)]
    (folder / "classes.json").write_text(json.dumps({"classes": entries}))
    for number in range(2):
        for offset, date in enumerate(("before", "after")):
            write_raster(folder / date / f"{number}.tif", noise(2 * number + offset, 150, 200))
        pair = [folder / date / f"{number}.tif" for date in ("before", "after")]
        options = replace(PLAIN, checkpoint=tiny_checkpoint, output=OutputOptions(also=("probability",)))
        report = predict_change(*pair, tmp_path / f"{number}.tif", options)
        with rasterio.open(report.outputs["probability"]) as dataset:
            percent = dataset.read().astype(float)
        noisy = percent + np.random.default_rng(number).normal(0, percent.std(), percent.shape)
        label = np.full(percent.shape, 2, "uint8")
        write_raster(folder / "label_before" / f"{number}.tif", label)
        write_raster(folder / "label_after" / f"{number}.tif", label + (noisy > np.median(noisy)))
    return folder


def test_a_fitted_checkpoint_is_better_calibrated_and_keeps_its_weights(tmp_path, tiny_checkpoint, data_set):
    out = tmp_path / "calibrated.safetensors"
    report = calibrate_checkpoint(tiny_checkpoint, [data_set], out, "all")
    assert report.after.calibration_error < report.before.calibration_error
    assert report.after.f1 >= report.before.f1
    assert (report.pairs, report.pixels) == (2, 2 * 150 * 200)
    decision = read_checkpoint_info(out).decision
    assert decision == report.after.decision
    assert decision.fitted_on == "set (all, 2 pairs)"
    assert read_checkpoint_info(out).metrics["ece"] == report.after.calibration_error
    weights = [load_checkpoint(path).network.state_dict() for path in (tiny_checkpoint, out)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_context_is_kept_or_set_and_probabilities_are_fitted_with_it(tmp_path, tiny_checkpoint, data_set):
    first, kept, off = (tmp_path / f"{name}.safetensors" for name in ("first", "kept", "off"))
    words = ("checkpoint", "calibrate", "--dataset", data_set, "--split", "all", "--device", "cpu")
    assert run(*words, tiny_checkpoint, "--context", "8,1.5", "--scale-bias", "0.5", "-o", first) == 0
    assert run(*words, first, "-o", kept) == 0
    assert run(*words, first, "--context", "off", "-o", off) == 0
    infos = [read_checkpoint_info(one) for one in (first, kept, off)]
    assert [info.context for info in infos] == [ChangeContext(8, 1.5), ChangeContext(8, 1.5), None]
    assert [info.scale_bias for info in infos] == [0.5] * 3
    assert infos[0].decision == infos[1].decision
    assert infos[0].decision != infos[2].decision


def test_a_lower_beta_gives_a_higher_threshold(tmp_path, tiny_checkpoint, data_set):
    thresholds = []
    for beta in ("1", "0.5"):
        out = tmp_path / f"{beta}.safetensors"
        words = ("--dataset", data_set, "--split", "all", "--device", "cpu", "--beta", beta, "-o", out)
        assert run("checkpoint", "calibrate", tiny_checkpoint, *words) == 0
        thresholds.append(read_checkpoint_info(out).decision.threshold)
    assert thresholds[1] > thresholds[0]


@pytest.mark.parametrize("given", ["8", "8,", "0,1", "8,1,2", "none", "8,99"])
def test_a_context_that_cannot_be_is_told(tmp_path, tiny_checkpoint, given, capsys):
    words = ("--dataset", tmp_path, "--context", given, "-o", tmp_path / "x.safetensors")
    assert run("checkpoint", "calibrate", tiny_checkpoint, *words) == 2
    assert "--context" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()


class FirstBandIsLogit(nn.Module):
    """Says of change the logit that stands in the first band of the before image."""

    def forward(self, before, after):
        land_cover = torch.zeros(len(after), 5, *after.shape[2:])
        return ChangeLogits(before[:, :1].clone(), land_cover, land_cover)


def test_every_pixel_counts_once_however_tiles_overlap(tmp_path):
    named = reading_checkpoint(num_classes=5, bands=1)
    network = Checkpoint(FirstBandIsLogit(), named.checkpoint.info)
    plain = replace(named, checkpoint=network)
    logits = np.tile(np.arange(200) % 7, (150, 1)).astype("uint8")[None]
    files = [write_raster(tmp_path / f"{n}.tif", logits) for n in "ab"]

    class Labels:
        def read(self, _grid, window):
            from lsafnet_cli.data_sets.pair_labels import PairLabelWindow

            rows, cols = int(window.height), int(window.width)
            changed = np.zeros((rows, cols), bool)
            changed[:, :1] = window.col_off == 0
            return PairLabelWindow(changed, changed, changed, np.ones((rows, cols), bool))

    counts = logit_counts()
    options = replace(PLAIN, tile=TileOptions(64, 24))
    with prepared_run(plain, tuple(map(str, files)), options) as run:
        count_logits(run, Labels(), counts)
    seen = {round(float(v)): n for v, n in zip(counts.values, counts.counts.sum(0), strict=True) if n > 0.01}
    expected = {n: int((logits == n).sum()) for n in range(7)}
    assert seen.keys() == expected.keys()
    assert all(seen[n] == pytest.approx(expected[n], rel=1e-4) for n in expected)
    assert counts.counts[1].sum() == pytest.approx(150, rel=1e-4)


def test_evaluation_on_a_data_set_gives_both_choices_of_classes_and_the_reliability(
    tiny_checkpoint, data_set
):
    (found,) = evaluate_data_set(data_set, [tiny_checkpoint], "all", predict_options=PLAIN).checkpoints
    kept = replace(PLAIN, same_class="keep")
    (other,) = evaluate_data_set(data_set, [tiny_checkpoint], "all", predict_options=kept).checkpoints
    assert found.options["same_class"] == "differ"
    assert other.options["same_class"] == "keep"
    assert found.decisions == other.decisions
    for one in (found, other):
        assert one.decisions[one.options["same_class"]]["f_scd"] == one.scores.f_scd.value
    assert found.decisions["differ"]["miou"] == found.decisions["keep"]["miou"]
    assert found.decisions["differ"]["f_scd"] != found.decisions["keep"]["f_scd"]
    probability = found.probability
    assert probability.pixels == 2 * 150 * 200
    assert sum(row.pixels for row in probability.reliability) == probability.pixels
    f1 = 2 * found.scores.iou_changed / (1 + found.scores.iou_changed)
    assert probability.best_f1 >= f1 - 1e-6
    assert 0 < probability.calibration_error < 1


def test_the_kept_choice_is_what_predict_makes_of_it(tmp_path, tiny_checkpoint, data_set):
    from lsafnet_cli.evaluation.data_sets import mapped
    from lsafnet_cli.observer import Observer

    named = NamedCheckpoint("tiny", "0" * 64, load_checkpoint(tiny_checkpoint))
    (pair, _) = open_data_set(data_set).split("all")
    options = replace(PLAIN, checkpoint=tiny_checkpoint, same_class="keep")
    predict_change(pair.before, pair.after, tmp_path / "kept.tif", options)
    with mapped(pair, named, PLAIN, Observer()) as (maps, _):
        arrays = []
        for path in (tmp_path / "kept.tif", maps.of("keep"), maps.of("differ")):
            with rasterio.open(path) as dataset:
                arrays.append(dataset.read(1))
    np.testing.assert_array_equal(arrays[0], arrays[1])
    np.testing.assert_array_equal(arrays[1] > 0, arrays[2] > 0)
    assert (arrays[1] != arrays[2]).any()


def test_a_calibrated_probability_is_what_maps_store(tmp_path, tiny_checkpoint, pair):
    layers = {}
    for name, decision in (("plain", ChangeDecision()), ("fitted", ChangeDecision(0.3, 2.0, -0.5, "x"))):
        path = tmp_path / f"{name}.safetensors"
        info = replace(read_checkpoint_info(tiny_checkpoint), decision=decision)
        replace_info(tiny_checkpoint, path, info)
        options = replace(PLAIN, checkpoint=path, output=OutputOptions(also=("probability",)))
        options = replace(options, tile=TileOptions(64, 0, "crop"))
        report = predict_change(*pair, tmp_path / f"{name}.tif", options)
        assert report.options["threshold"] == decision.threshold
        with (
            rasterio.open(report.outputs["probability"]) as dataset,
            rasterio.open(report.outputs["map"]) as codes,
        ):
            layers[name] = dataset.read(1) / 100, codes.read(1)
    plain, fitted = layers["plain"][0].clip(0.005, 0.995), layers["fitted"][0]
    expected = 1 / (1 + np.exp(-(np.log(plain / (1 - plain)) / 2.0 - 0.5)))
    sure = (plain > 0.05) & (plain < 0.95)
    assert sure.mean() > 0.3
    assert np.abs(fitted - expected)[sure].max() < 0.02
    np.testing.assert_array_equal((layers["fitted"][1] > 0)[fitted != 0.3], (fitted > 0.3)[fitted != 0.3])
