"""A checkpoint's decoders put on another backbone."""

import numpy as np
import pytest
import torch
from PIL import Image

import graft_backbone
from lsafnet import build_network
from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.checkpoint.files import load_checkpoint, save_checkpoint
from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, ClassEntry, Normalization
from lsafnet.parts.backbone import build_backbone
from lsafnet.parts.layers import pointwise


def test_a_pointwise_layer_is_fitted_to_what_is_a_linear_map():
    torch.manual_seed(0)
    inputs = torch.randn(500, 6, dtype=torch.float64)
    outputs = inputs @ torch.randn(6, 4, dtype=torch.float64) + 3
    layer = pointwise(6, 4).eval()
    assert graft_backbone.fit_pointwise(layer, inputs, outputs) > 0.999
    with torch.inference_mode():
        found = layer[:2](inputs.float().T.reshape(1, 6, 500, 1))[0, :, :, 0].T
    assert (found - outputs).abs().max() < 0.05


def settled(backbone):
    """A backbone with random weights whose maps have the usual spread, by batch norms that have seen noise."""
    backbone.train()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        backbone(torch.randn(2, 3, 64, 64))
    return backbone.eval()


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(1)
    network = build_network("lsafnet", num_classes=3, bands=3, backbone="efficientnet-lite0", width=16)
    settled(network.backbone)
    statistics = BandStatistics((127.0,) * 3, (128.0,) * 3)
    classes = tuple(
        ClassEntry(name, color)
        for name, color in (("unchanged", "#ffffff"), ("a", "#ff0000"), ("b", "#00ff00"))
    )
    info = CheckpointInfo(
        network="lsafnet",
        classes=classes,
        bands=3,
        normalization=Normalization(statistics, statistics),
        value_range=(0, 255),
        tile_px=64,
        trained_on="noise",
        license="CC0-1.0",
        options={"backbone": "efficientnet-lite0", "width": 16},
        metrics={"f_scd": 0.5},
        decision=ChangeDecision(threshold=0.4, temperature=2.0, bias=0.1),
    )
    save_checkpoint(tmp_path / "old.safetensors", network, info)
    return tmp_path / "old.safetensors"


def test_decoders_stay_and_nothing_is_said_that_was_measured_with_the_other_backbone(checkpoint, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(3):
        pixels = rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    weights = {
        **settled(build_backbone("efficientnet-lite2", 3)).state_dict(),
        "_fc.weight": torch.zeros(1000, 1280),
    }
    torch.save(weights, tmp_path / "lite2.pth")
    images = graft_backbone.images_below([tmp_path / "images"])
    output = tmp_path / "new.safetensors"
    explained = graft_backbone.graft(checkpoint, "efficientnet-lite2", tmp_path / "lite2.pth", images, output)
    assert set(explained) == {"low", "mid", "high1", "high2", "high3"}
    old, new = load_checkpoint(checkpoint), load_checkpoint(output)
    assert new.info.options["backbone"] == "efficientnet-lite2"
    assert (new.info.metrics, new.info.domain, new.info.decision) == ({}, None, ChangeDecision())
    theirs, ours = old.network.state_dict(), new.network.state_dict()
    decoders = [key for key in theirs if not key.startswith(("backbone.", "adapter."))]
    assert decoders
    assert all(torch.equal(theirs[key], ours[key]) for key in decoders)
    key = "_blocks.20._project_conv.weight"
    assert torch.equal(ours[f"backbone.{key}"], weights[key])
