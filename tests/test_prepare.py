"""Faster forms of a network give the same answers."""

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from rasterio.windows import Window
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lsafnet import (
    NETWORKS,
    ChangeLogits,
    NetworkSpec,
    build_network,
    prepare,
    read_checkpoint_info,
    registry,
    save_checkpoint,
)
from lsafnet.prepare import fold_batch_norms, prepare_network
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.options import DeviceOptions, OutputOptions

from .conftest import write_raster
from .test_networks import small_network

SAMPLE = Path(__file__).parents[1] / "sample_data"
CUT_PX = 448  # four tiles of the shipped checkpoint


def settled(name):
    """Return a network, of little width where it has one, whose batch norms have seen something."""
    torch.manual_seed(0)
    network = small_network(name, num_classes=5)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(*torch.randn(2, 2, 3, 32, 32))
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


@pytest.mark.parametrize("name", [name for name in NETWORKS if not name.startswith("lsafnet")])
def test_folding_keeps_the_logits_of_published_networks(name):
    network = settled(name).double()
    folded = fold_batch_norms(network)
    assert batch_norms(folded) < batch_norms(network) / 2  # transposed convolutions keep theirs
    images = torch.randn(2, 1, 3, 64, 32, dtype=torch.float64)
    with torch.inference_mode():
        for found, expected in zip(folded(*images), network(*images), strict=True):
            assert (found is None) == (expected is None)
            if found is not None:
                torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)


def batch_norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_a_convolution_that_runs_twice_is_not_folded_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, before, after):
            return self.norm(self.conv(before)) - self.norm(self.conv(after))

    network = Twice()
    images = torch.randn(2, 4, 3, 8, 8)
    network(*images)
    folded = fold_batch_norms(network.eval())
    torch.testing.assert_close(folded(*images), network(*images))


def test_a_network_that_cannot_be_traced_is_left_as_it_is():
    class Choosing(nn.Module):
        def forward(self, x, y):
            return x if x.sum() > 0 else y

    network = Choosing()
    assert fold_batch_norms(network) is network


@pytest.mark.parametrize(
    ("backbone", "fine", "coarse"),
    [("resnet10-narrow", {2, 4}, {8}), ("efficientnet-lite0", {2, 4, 8}, {8, 16})],
)
def test_bf16_begins_in_float32(backbone, fine, coarse):
    network = build_network("lsafnet-tiny", num_classes=5, backbone=backbone).eval()
    prepared = prepare_network(network, "cpu", "bf16")
    made = {}  # the maps of convolutions: number type, and how much smaller than the image
    for name, module in prepared.named_modules():
        if isinstance(module, nn.Conv2d) and "backbone" in name:
            module.register_forward_hook(
                lambda _, _inputs, output, name=name: made.update(
                    {name: (output.dtype, 64 // output.shape[-1])}
                )
            )
    with torch.inference_mode():
        logits = prepared(*torch.randn(2, 1, 3, 64, 64))
    assert logits.change.dtype == torch.float32
    assert {step for dtype, step in made.values() if dtype == torch.float32} == fine
    assert {step for dtype, step in made.values() if dtype == torch.bfloat16} == coarse


@pytest.mark.parametrize("name", ["lsafnet-tiny", "scannet", "fc-siam-diff"])
def test_weights_stored_in_bf16_are_not_converted_in_each_pass(name, monkeypatch):
    network, images = build_network(name, num_classes=2).eval(), torch.randn(2, 1, 3, 64, 64)
    stored = prepare_network(network, "cpu", "bf16")
    monkeypatch.setattr(prepare, "store_as", lambda *_: None)
    converting = prepare_network(network, "cpu", "bf16")
    answers, conversions = [], []
    for prepared in (stored, converting):
        weights = {weight.data_ptr() for weight in prepared.parameters() if weight.ndim == 4}
        with Conversions(weights) as counted, torch.inference_mode():
            answers.append(prepared(*images))
        conversions.append(counted.count)
    assert all(x is y is None or torch.equal(x, y) for x, y in zip(*answers, strict=True))
    assert conversions[0] == 0 < conversions[1]


class Conversions(TorchDispatchMode):
    """Counts how often one of some tensors, by their addresses, becomes one of another number type."""

    def __init__(self, addresses):
        super().__init__()
        self._addresses, self.count = addresses, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if (
            func.overloadpacket in (torch.ops.aten.to, torch.ops.aten._to_copy)
            and found.dtype != args[0].dtype
        ):
            self.count += args[0].data_ptr() in self._addresses
        return found


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="bf16"):
        prepare_network(nn.Identity(), "cpu", "fp8")


SHIPPED = None


def cut(source, target):
    """Write a square out of the middle of an image."""
    with rasterio.open(source) as image:
        window = Window((image.width - CUT_PX) // 2, (image.height - CUT_PX) // 2, CUT_PX, CUT_PX)
        place = image.transform @ Affine.translation(window.col_off, window.row_off)
        return write_raster(target, image.read(window=window), crs=image.crs, transform=place)


def maps_of(folder, checkpoint, **device):
    """Predict the sample pair, or without CUDA a part of it; return the codes and both dates' land cover."""
    options = PredictOptions(
        checkpoint=checkpoint,
        device=DeviceOptions(**device),
        output=OutputOptions(also=("before", "after"), overwrite=True),
    )
    pair = [SAMPLE / "before.tif", SAMPLE / "after.tif"]
    if not torch.cuda.is_available():
        pair = [cut(path, folder / path.name) for path in pair]
    predict_change(*pair, folder / "map.tif", options)
    found = []
    for name in ("map.tif", "map.before.tif", "map.after.tif"):
        with rasterio.open(folder / name) as dataset:
            found.append(dataset.read(1))
    return found


@pytest.fixture(scope="module")
def plain_maps(tmp_path_factory):
    """Give what a checkpoint makes of the sample pair as it is: not folded, fp32."""

    @cache
    def predict(checkpoint):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lsafnet.prepare.fold_batch_norms", lambda network: network)
            return maps_of(tmp_path_factory.mktemp("plain"), checkpoint, device="cpu", precision="fp32")

    return predict


no_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
no_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="torch.compile needs g++ on the processor"
)


class TwoLayers(nn.Module):
    """As little as a compiler can be tried on."""

    def __init__(self, num_classes: int, bands: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(bands, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.land_cover, self.change = nn.Conv2d(8, num_classes, 1), nn.Conv2d(8, 1, 1)

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        first, second = self.features(before), self.features(after)
        return ChangeLogits(self.change(first - second), self.land_cover(first), self.land_cover(second))


@no_compiler
@pytest.mark.filterwarnings(
    "ignore:.*torch.jit:DeprecationWarning"
)  # torch's compiler imports what torch deprecates
def test_a_compiled_network_makes_the_same_map(tmp_path, tiny_checkpoint, monkeypatch):
    spec = NetworkSpec("two-layers", "a test", TwoLayers, {"bands": 3})
    monkeypatch.setitem(registry._REGISTERED.specs, spec.name, spec)
    torch.manual_seed(4)
    info = replace(read_checkpoint_info(tiny_checkpoint), network="two-layers", options={})
    save_checkpoint(tmp_path / "two.safetensors", TwoLayers(info.num_classes, 3).eval(), info)
    plain, compiled = (
        maps_of(tmp_path, tmp_path / "two.safetensors", device="cpu", precision="fp32", compiled=compiled)
        for compiled in (False, True)
    )
    assert 0.05 < (plain[0] > 0).mean() < 0.95
    for found, expected in zip(compiled, plain, strict=True):
        assert (found == expected).mean() >= 0.999


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    ("checkpoint", "device"),
    [
        (SHIPPED, {"device": "cpu", "precision": "fp32"}),
        (SHIPPED, {"device": "cpu", "precision": "bf16"}),
        *(
            pytest.param(SHIPPED, {"device": "cuda", "precision": p}, marks=no_cuda)
            for p in ("fp32", "bf16", "fp16")
        ),
        pytest.param(SHIPPED, {"device": "cuda", "precision": "bf16", "compiled": True}, marks=no_cuda),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else str(value),
)
def test_faster_forms_agree_with_the_plain_network(plain_maps, tmp_path, checkpoint, device):
    plain = plain_maps(checkpoint)
    found = maps_of(tmp_path, checkpoint, **device)
    valid = plain[0] != 255
    np.testing.assert_array_equal(found[0] != 255, valid)
    assert ((found[0] > 0) == (plain[0] > 0))[valid].mean() >= 0.999
    assert len(np.unique(plain[0])) > 5
    for date, expected in zip(found[1:], plain[1:], strict=True):
        assert (date == expected)[valid].mean() >= 0.995
