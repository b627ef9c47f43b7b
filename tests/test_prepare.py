"""Faster forms of a network give the same answers."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from rasterio.windows import Window
from torch import nn

from lsafnet import build_network
from lsafnet.prepare import fold_batch_norms, prepare
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.checkpoints import shipped_checkpoint
from lsafnet_cli.types import DeviceOptions, OutputOptions

from .conftest import write_raster

SAMPLE = Path(__file__).parents[1] / "sample_data"


def settled(name):
    """Return a network whose batch norms have seen something."""
    torch.manual_seed(0)
    network = build_network(name, num_classes=5)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(*torch.randn(2, 2, 3, 64, 64))
    return network.eval()


@pytest.mark.parametrize("name", ["lsafnet-tiny", "lsafnet-base"])
def test_folding_leaves_no_batch_norm_and_the_same_logits(name):
    network = settled(name).double()  # so that nothing but an error in the algebra can show
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    for rows, cols in ((64, 96), (72, 40)):
        images = torch.randn(2, 2, 3, rows, cols, dtype=torch.float64)
        with torch.inference_mode():
            for found, expected in zip(folded(*images), network(*images), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_a_network_that_cannot_be_traced_is_left_as_it_is():
    class Choosing(nn.Module):
        def forward(self, x, y):
            return x if x.sum() > 0 else y

    network = Choosing()
    assert fold_batch_norms(network) is network


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="bf16"):
        prepare(nn.Identity(), "cpu", "fp8")


@pytest.fixture(scope="module")
def sample_part(tmp_path_factory):
    """Return a part of the sample pair, so that emulated bf16 does not take all day."""
    folder = tmp_path_factory.mktemp("part")
    images = []
    for date in ("before", "after"):
        with rasterio.open(SAMPLE / f"{date}.tif") as dataset:
            pixels = dataset.read(window=Window(256, 256, 512, 512))
            place = dataset.transform @ Affine.translation(256, 256)
        images.append(write_raster(folder / f"{date}.tif", pixels, transform=place))
    return images


def maps_of(images, folder, **device):
    options = PredictOptions(
        checkpoint=shipped_checkpoint(),
        device=DeviceOptions(**device),
        output=OutputOptions(also=("before", "after")),
    )
    predict_change(*images, folder / "map.tif", options)
    found = []
    for name in ("map.tif", "map.before.tif", "map.after.tif"):
        with rasterio.open(folder / name) as dataset:
            found.append(dataset.read(1))
    return found


def plain_maps_of(images, folder, monkeypatch):
    """Predict with the network as it is: not folded, fp32."""
    monkeypatch.setattr("lsafnet.prepare.fold_batch_norms", lambda network: network)
    return maps_of(images, folder, precision="fp32")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_faster_forms_agree_with_the_plain_network(sample_part, tmp_path, monkeypatch, precision):
    found = maps_of(sample_part, tmp_path, precision=precision)
    (tmp_path / "plain").mkdir()
    plain = plain_maps_of(sample_part, tmp_path / "plain", monkeypatch)
    assert ((found[0] > 0) == (plain[0] > 0)).mean() >= 0.999
    assert len(np.unique(plain[0])) > 5
    for date, expected in zip(found[1:], plain[1:], strict=True):
        assert (date == expected).mean() >= 0.995
