"""A pixel without a finite answer is no data, and said; what cannot be computed with is refused or clipped."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from torch import nn

from lsafnet import ChangeLogits, load_checkpoint, save_checkpoint
from lsafnet.checkpoint.files import Checkpoint
from lsafnet.checkpoint.info import BandStatistics, CheckpointError, Normalization
from lsafnet_cli import predict_change
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import (
    DeviceOptions,
    OutputOptions,
    PredictOptions,
    ReadOptions,
    StretchRule,
    TileOptions,
)
from lsafnet_cli.prediction.pipeline import open_prediction
from lsafnet_cli.scenes.limits import limits_for

from .conftest import noise, reading_checkpoint, write_raster


class SilentAboutNines(nn.Module):
    """Says "changed" everywhere, but gives no number where the first band holds 9."""

    def __init__(self, no_number: float) -> None:
        super().__init__()
        self.no_number = no_number
        self.register_buffer("numbers", torch.arange(16.0).reshape(1, -1, 1, 1))

    def forward(self, before, after):
        change = torch.where(before[:, :1] == 9, self.no_number, 4.0)
        return ChangeLogits(change, *(-20 * (date[:, :1] - self.numbers).abs() for date in (before, after)))


def predicted(tmp_path, checkpoint, before, after, **output):
    images = [write_raster(tmp_path / f"{n}.tif", date) for n, date in (("before", before), ("after", after))]
    options = PredictOptions(
        tile=TileOptions(64, 16, row_band_px=40),
        output=OutputOptions(also=("from", "to", "before", "after", "probability")),
        device=DeviceOptions(device="cpu"),
    )
    prediction = open_prediction(images, tmp_path / "changes.tif", options, Observer(), checkpoint)
    with prediction.work_folder() as store:
        prediction.compute(store)
        return prediction.write(store)


def test_a_pixel_without_a_finite_answer_is_no_data_in_every_layer_and_counted_once(tmp_path):
    before = np.ones((1, 150, 203), "uint8")
    before[0, 20:70, 30:100] = 9  # over several tiles and parts
    named = reading_checkpoint()
    network = Checkpoint(SilentAboutNines(float("nan")), named.checkpoint.info)
    report = predicted(tmp_path, replace(named, checkpoint=network), before, np.full_like(before, 3))
    silent = before[0] == 9
    for name, path in report.outputs.items():
        with rasterio.open(path) as dataset:
            np.testing.assert_array_equal(dataset.read_masks(1) == 0, silent, err_msg=name)
    assert report.table.valid_pixels == (~silent).sum()
    told = [text for text in report.notices if "no finite value" in text]
    assert len(told) == 1
    assert told[0].startswith(f"{silent.sum():,} pixels ({silent.mean():.2%} of those with data")


def test_a_network_that_answers_nowhere_makes_no_claim_of_unchanged(tmp_path):
    named = reading_checkpoint()
    network = Checkpoint(SilentAboutNines(float("nan")), named.checkpoint.info)
    nines = np.full((1, 64, 64), 9, "uint8")
    report = predicted(tmp_path, replace(named, checkpoint=network), nines, nines)
    assert (report.table.valid_pixels, report.table.changed_pixels) == (0, 0)
    assert any("100.00%" in text and "no finite value" in text for text in report.notices)


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [("float32", -3.4028235e38), ("float32", 1e30), ("float64", 1e300), ("float64", -1e200)],
)
def test_a_fill_value_without_a_tag_is_clipped_and_said_and_spoils_no_tile(
    tmp_path, tiny_checkpoint, dtype, fill
):
    before, after = (noise(seed, 96, 96).astype(dtype) for seed in (1, 2))
    before[0, 5, 5] = fill
    images = [write_raster(tmp_path / f"{n}.tif", date) for n, date in (("before", before), ("after", after))]
    options = PredictOptions(
        tiny_checkpoint, read=ReadOptions(stretch=StretchRule("none")), device=DeviceOptions(device="cpu")
    )
    report = predict_change(*images, tmp_path / "changes.tif", options)
    assert report.table.valid_pixels == 96 * 96
    assert report.table.changed_pixels > 1000
    told = [text for text in report.notices if "far outside the checkpoint's range" in text]
    assert len(told) == 1
    assert "before.tif: 1 of 9,216 pixels" in told[0]


def test_numbers_that_cannot_leave_the_range_by_far_are_not_looked_at():
    assert limits_for("uint8", (0, 255)) is None
    assert limits_for("uint16", (0, 10000)) is None
    assert limits_for("uint16", (0, 255)) is not None
    assert limits_for("float32", (0, 1)) is not None


@pytest.mark.parametrize(
    ("key", "number", "fault"),
    [
        ("running_var", -1e-9, "a negative variance"),
        ("running_var", 1e30, "too large to compute with"),
        ("running_mean", -1e30, "too large to compute with"),
        ("weight", 1e30, "too large to compute with"),
        ("weight", -70000.0, "too large to compute with"),
        ("bias", float("inf"), "not finite"),
    ],
)
def test_weights_that_no_network_can_compute_with_are_refused(tmp_path, tiny_checkpoint, key, number, fault):
    checkpoint = load_checkpoint(tiny_checkpoint)
    name, tensor = next((n, t) for n, t in checkpoint.network.state_dict().items() if n.endswith(key))
    with torch.no_grad():
        tensor.view(-1)[0] = number
    save_checkpoint(tmp_path / "bad.safetensors", checkpoint.network, checkpoint.info)
    with pytest.raises(CheckpointError, match=f"{fault}: {name}"):
        load_checkpoint(tmp_path / "bad.safetensors")


@pytest.mark.parametrize(("mean", "std"), [(100.0, 1e-300), (100.0, 1e-9), (1e308, 50.0), (-1e30, 1.0)])
def test_statistics_that_no_network_can_compute_with_are_refused(tiny_checkpoint, mean, std):
    info = load_checkpoint(tiny_checkpoint).info
    odd = BandStatistics((mean,) * 3, (std,) * 3)
    for normalization in (
        Normalization(odd, info.normalization.after),
        Normalization(info.normalization.before, odd),
    ):
        with pytest.raises(CheckpointError, match="do not fit value_range"):
            replace(info, normalization=normalization)
