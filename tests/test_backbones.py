"""Every backbone gives the decoder what it needs, for any number of bands."""

import pytest
import torch

from lsafnet import build_network, load_checkpoint, save_checkpoint
from lsafnet.checkpoint_info import BandStatistics, CheckpointInfo, ClassEntry, Normalization
from lsafnet.parts.backbone import BACKBONES, build_backbone, load_imagenet, spread_first_layer


def timm_or_skip():
    try:
        import timm  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"timm needs a torchvision that fits torch ({error})")


NAMES = [
    *BACKBONES,
    "timm:resnet10t",
    "timm:convnext_atto",
    "timm:swin_s3_tiny_224",
    "timm:mobilenetv3_small_050",
]


@pytest.fixture(params=NAMES)
def name(request):
    if request.param.startswith("timm:"):
        timm_or_skip()
    return request.param


@pytest.mark.parametrize(("rows", "cols"), [(64, 96), (72, 40)])
def test_features_lie_at_a_half_a_quarter_and_an_eighth(name, rows, cols):
    backbone = build_backbone(name, bands=3).eval()
    with torch.inference_mode():
        features = backbone(torch.randn(1, 3, rows, cols))
    assert [one.shape[1] for one in features] == list(backbone.widths)
    for one, step in zip(features, (2, 4, 8, 8, 8), strict=True):
        assert one.shape[2:] == (rows // step, cols // step)


@pytest.mark.parametrize("bands", [1, 4, 6, 13])
def test_lsafnet_takes_any_backbone_and_any_bands(name, bands):
    network = build_network("lsafnet", num_classes=3, backbone=name, width=16, bands=bands).eval()
    with torch.inference_mode():
        logits = network(*torch.randn(2, 1, bands, 64, 32))
    assert logits.before.shape == (1, 3, 64, 32)
    assert logits.change.isfinite().all()


def test_a_checkpoint_of_any_backbone_comes_back(name, tmp_path):
    torch.manual_seed(0)
    network = build_network("lsafnet", num_classes=2, backbone=name, width=16).eval()
    usual = BandStatistics((0.0,) * 3, (1.0,) * 3)
    info = CheckpointInfo(
        network="lsafnet",
        options={"backbone": name, "width": 16},
        classes=(ClassEntry("unchanged", "#ffffff"), ClassEntry("water", "#0000ff")),
        bands=3,
        normalization=Normalization(usual, usual),
        value_range=(0, 255),
        tile_px=64,
        trained_on="nothing",
        license="Apache-2.0",
    )
    save_checkpoint(tmp_path / "x.safetensors", network, info)
    loaded = load_checkpoint(tmp_path / "x.safetensors").network
    pair = torch.randn(2, 1, 3, 64, 64)
    with torch.inference_mode():
        assert all(torch.equal(x, y) for x, y in zip(loaded(*pair), network(*pair), strict=True))


def test_what_timm_cannot_make_is_told():
    timm_or_skip()
    with pytest.raises(ValueError, match="no_such_model"):
        build_network("lsafnet", num_classes=2, backbone="timm:no_such_model")


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 6, 13])
def test_the_first_layer_answers_a_grey_image_as_before(bands):
    weight = torch.randn(8, 3, 7, 7)
    spread = spread_first_layer(weight, bands)
    assert spread.shape == (8, bands, 7, 7)
    torch.testing.assert_close(spread.sum(1), weight.sum(1))
    assert bands != 3 or torch.equal(spread, weight)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_imagenet_weights_start_a_backbone_of_more_bands(name):
    torch.manual_seed(0)
    published = build_backbone(name, 3)
    state = {**published.state_dict(), "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    backbone = build_backbone(name, 13)
    load_imagenet(backbone, state)
    grey = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        found = backbone.eval()(grey.expand(1, 13, 64, 64)).high3
        expected = published.eval()(grey.expand(1, 3, 64, 64)).high3
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match=r"no conv1\.weight"):
        load_imagenet(build_backbone("resnet18", 3), {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match="do not fit"):
        load_imagenet(build_backbone("resnet18", 3), build_backbone("resnet34", 3).state_dict())
