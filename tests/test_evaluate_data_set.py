"""`lsafnet evaluate --dataset`: checkpoints are scored on maps that predict would make, side by side."""

import json

import numpy as np
import pytest
import torch
from affine import Affine

from lsafnet import ChangeMetrics, build_network, save_checkpoint
from lsafnet.checkpoint.info import read_checkpoint_info
from lsafnet_cli import EvaluateOptions, PredictOptions, evaluate_data_set, evaluate_map, predict_change
from lsafnet_cli.app import main
from lsafnet_cli.errors import CheckpointFileError, InputError
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import DeviceOptions, TileOptions
from lsafnet_cli.terminal.flags import in_flags

from .conftest import noise, write_raster
from .maps import blobs

HEADLINES = ("miou", "oa", "sek", "f_scd")
CLASSES = {"unchanged": "#ffffff", "water": "#0000ff", "ground": "#808080", "vegetation": "#008000",
           "building": "#800000"}  # fmt: skip
SIZES = ((64, 64), (70, 100), (64, 80))
PLAIN = PredictOptions(device=DeviceOptions(device="cpu", precision="fp32"))


def write_data_set(folder, classes=CLASSES, **place):
    """Write three labelled pairs as the split "test"."""
    for number, (rows, cols) in enumerate(SIZES):
        for seed, name in enumerate(("before", "after", "label_before", "label_after")):
            where = folder / "test" / name
            where.mkdir(parents=True, exist_ok=True)
            if seed < 2:
                pixels = noise(10 * number + seed, rows, cols)
            else:
                pixels = (blobs(10 * number + seed, rows, cols, 4, block=16) + 1)[None].astype(np.uint8)
            write_raster(where / f"scene{number}.tif", pixels, **place)
    listed = [{"name": name, "color": color} for name, color in classes.items()]
    (folder / "classes.json").write_text(json.dumps({"classes": listed}), encoding="utf-8")
    return folder


@pytest.fixture
def other_checkpoint(tiny_checkpoint, tmp_path):
    """Return a checkpoint with the same classes and other weights."""
    torch.manual_seed(5)
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, build_network("lsafnet-tiny", num_classes=5), read_checkpoint_info(tiny_checkpoint))
    return path


def test_scores_are_those_of_the_maps_that_predict_makes(tmp_path, tiny_checkpoint):
    folder = write_data_set(tmp_path / "set")
    report = evaluate_data_set(folder, [tiny_checkpoint], predict_options=PLAIN)
    (found,) = report.checkpoints
    metrics, pixels = ChangeMetrics(5), 0
    for number in range(len(SIZES)):
        pair = [folder / "test" / date / f"scene{number}.tif" for date in ("before", "after")]
        labels = [folder / "test" / f"label_{date}" / f"scene{number}.tif" for date in ("before", "after")]
        path = tmp_path / f"map{number}.tif"
        predict_change(*pair, path, PredictOptions(tiny_checkpoint, device=PLAIN.device))
        one = evaluate_map(path, labels).scores
        pixels += one.counted_pixels
        matrix = np.zeros((17, 17), int)
        codes, cells = one.confusion_matrix()
        matrix[np.ix_(codes, codes)] = cells
        true, predicted = (
            np.repeat(axis, matrix.ravel()) for axis in np.indices(matrix.shape).reshape(2, -1)
        )
        sides = [
            np.where(c > 0, x, 0) for c in (predicted, true) for x in (1 + (c - 1) // 4, 1 + (c - 1) % 4)
        ]
        metrics.update(*sides)
    expected = metrics.compute()
    for name in HEADLINES:
        assert getattr(found.scores, name).value == pytest.approx(expected[name], abs=1e-6)
    assert found.scores.counted_pixels == pixels == sum(rows * cols for rows, cols in SIZES)
    assert (report.pairs, report.split, found.scores.units, found.scores.unit_px) == (3, "test", 3, None)
    assert found.options["tile_px"] == 64
    assert found.differences is None


def test_checkpoints_are_compared_over_the_same_resamples(tmp_path, tiny_checkpoint, other_checkpoint):
    folder = write_data_set(tmp_path / "set")
    chosen = [tiny_checkpoint, other_checkpoint, tiny_checkpoint]
    first, other, same = evaluate_data_set(folder, chosen, predict_options=PLAIN).checkpoints
    assert same.scores == first.scores
    for name in HEADLINES:
        apart = other.differences[name]
        assert apart.value == pytest.approx(
            getattr(other.scores, name).value - getattr(first.scores, name).value, abs=1e-5
        )
        assert apart.low <= apart.value <= apart.high
        assert apart.value != 0
        nothing = same.differences[name]
        assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_options_of_tiles_reach_the_maps(tmp_path, tiny_checkpoint):
    folder = write_data_set(tmp_path / "set")
    options = PredictOptions(tile=TileOptions(overlap_px=0), threshold=0.6, device=PLAIN.device)
    (found,) = evaluate_data_set(folder, [tiny_checkpoint], predict_options=options).checkpoints
    assert (found.options["overlap_px"], found.options["threshold"]) == (0, 0.6)
    (usual,) = evaluate_data_set(folder, [tiny_checkpoint], predict_options=PLAIN).checkpoints
    assert found.scores != usual.scores


def test_what_each_image_has_to_say_is_said_once(tmp_path, tiny_checkpoint):
    folder = write_data_set(tmp_path / "set", crs=None, transform=Affine.identity())
    observer = Observer()
    chosen = [tiny_checkpoint, tiny_checkpoint]
    report = evaluate_data_set(folder, chosen, predict_options=PLAIN, observer=observer)
    (said,) = (text for text in observer.notices if "are not georeferenced" in text)
    assert said.startswith("scene0: ")
    assert any("only 3 images" in text for text in report.notices)
    assert report.notices == tuple(observer.notices)


def test_other_classes_and_other_splits_are_refused_before_anything_is_computed(
    tmp_path, tiny_checkpoint, monkeypatch
):
    monkeypatch.setattr("lsafnet_cli.evaluation.data_sets.open_prediction", None)
    folder = write_data_set(tmp_path / "set", {**CLASSES, "snow": "#eeeeee"})
    with pytest.raises(CheckpointFileError, match=r"tiny.safetensors: has the classes unchanged, water"):
        evaluate_data_set(folder, [tiny_checkpoint])
    with pytest.raises(InputError, match="has no split 'val'; it has test"):
        evaluate_data_set(folder, [tiny_checkpoint], "val")


def run(capsys, *words):
    """Run the command line and return its exit code, what it printed and what it said."""
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code, *capsys.readouterr()


def test_the_command_shows_checkpoints_side_by_side(tmp_path, tiny_checkpoint, other_checkpoint, capsys):
    folder = write_data_set(tmp_path / "set")
    words = ["evaluate", "--dataset", folder, "--checkpoint", tiny_checkpoint, "-q", "--precision", "fp32"]
    code, shown, said = run(capsys, *words, "--checkpoint", other_checkpoint, "--plot", tmp_path / "a.svg")
    assert (code, said) == (0, "")
    for text in ("tiny.safetensors", "other.safetensors", "Above tiny.safetensors", "F1 of transitions"):
        assert text in shown
    assert "other.safetensors: where each" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    found = json.loads(run(capsys, *words, "--json", "--bootstrap", 0)[1])
    expected = evaluate_data_set(
        folder, [tiny_checkpoint], options=EvaluateOptions(resamples=0), predict_options=PLAIN
    )
    assert found == json.loads(in_flags(json.dumps(expected.as_dict())))


def test_errors_of_the_command_are_one_line_with_their_exit_code(tmp_path, tiny_checkpoint, capsys):
    folder = write_data_set(tmp_path / "set")
    foreign = write_data_set(tmp_path / "foreign", {"unchanged": "#ffffff", "a": "#000001", "b": "#000002"})
    with_it = ["--checkpoint", tiny_checkpoint]
    for code, words in [
        (3, ["--dataset", folder, *with_it, "--split", "val"]), (5, ["--dataset", foreign, *with_it]),
        (5, ["--dataset", folder, "--checkpoint", tmp_path / "none"]), (7, ["--dataset", folder, *with_it,
        "--device", "cuda:99"]), (2, ["--dataset", folder, *with_it, "--tile", "33"]),
    ]:  # fmt: skip
        found, printed, said = run(capsys, "evaluate", *words)
        assert (found, printed, said.count("\n")) == (code, "", 1), (words, said)
