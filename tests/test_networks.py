"""One contract for all networks, and what the paper's networks computed when they were recorded."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lsafnet import NETWORKS, ChangeLogits, build_network, change_maps
from lsafnet.registry import ALIASES

from . import recordings
from .recordings import difference, keys_sha256, read_recording, recorded_network, recorded_pair

SMALL = {
    "width": 16,
    "backbone": "resnet10-narrow",
}  # the same code as the paper's width, in a fraction of the time


def small_options(name: str) -> dict[str, object]:
    return {key: value for key, value in SMALL.items() if key in NETWORKS[name].options}


def small_network(name: str, num_classes: int = 4, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return build_network(name, num_classes=num_classes, **{**small_options(name), **options})


def draw_pair(batch: int, rows: int, cols: int, bands: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(batch, bands, rows, cols, generator=generator) for _ in range(2))


def maps_of(*several: ChangeLogits) -> list[tuple[Tensor, ...]]:
    """Return the maps that each of several logits has, side by side."""
    return [maps for maps in zip(*several, strict=True) if maps[0] is not None]


@pytest.fixture(scope="module", params=NETWORKS)
def built(request: pytest.FixtureRequest) -> tuple[str, nn.Module]:
    """Return a network's name and the network, which no test changes; tests of one network come one after another."""
    return request.param, small_network(request.param).eval()


every_network = pytest.mark.parametrize("name", NETWORKS)
FLAGGED = ("lsafnet-base", "lsafnet-lgaa", "lsafnet-lgce")  # flags of the file that "lsafnet" is of


@pytest.mark.parametrize(("rows", "cols"), [(32, 32), (96, 32), (40, 24), (33, 47), (1, 9)])
def test_logits_have_the_size_of_the_images(built: tuple[str, nn.Module], rows: int, cols: int) -> None:
    name, network = built
    with torch.inference_mode():
        logits = network(*draw_pair(1, rows, cols))
    assert isinstance(logits, ChangeLogits)
    assert logits.change.shape == (1, 1, rows, cols)
    if NETWORKS[name].semantic:
        assert logits.before.shape == logits.after.shape == (1, 4, rows, cols)
    else:
        assert logits.before is logits.after is None


@every_network
@pytest.mark.parametrize("num_classes", [2, 7])
def test_semantic_maps_have_one_channel_per_class(name: str, num_classes: int) -> None:
    with torch.inference_mode():
        logits = small_network(name, num_classes).eval()(*draw_pair(1, 32, 32))
    if NETWORKS[name].semantic:
        assert logits.before.shape[1] == logits.after.shape[1] == num_classes


@every_network
def test_images_may_have_any_number_of_bands(name: str) -> None:
    with torch.inference_mode():
        logits = small_network(name, bands=5).eval()(*draw_pair(1, 32, 32, bands=5))
    assert logits.change.isfinite().all()


def test_a_pair_gets_the_same_logits_alone_and_in_a_batch(built: tuple[str, nn.Module]) -> None:
    network = deepcopy(built[1]).double()  # so that rounding, which grows in deep networks, hides nothing
    before, after = (image.double() for image in draw_pair(2, 32, 32))
    with torch.inference_mode():
        together, alone = network(before, after), network(before[1:], after[1:])
    for batch, single in maps_of(together, alone):
        torch.testing.assert_close(batch[1:], single, rtol=1e-9, atol=1e-9)


def test_evaluation_is_deterministic(built: tuple[str, nn.Module]) -> None:
    pair = draw_pair(2, 32, 32)
    with torch.inference_mode():
        first, second = built[1](*pair), built[1](*pair)
    assert all(torch.equal(x, y) for x, y in maps_of(first, second))


def test_gradients_reach_every_parameter(built: tuple[str, nn.Module]) -> None:
    network = deepcopy(built[1]).train()
    wake_gates(network)
    logits = network(*draw_pair(2, 64, 64))
    sum(x.square().mean() for x in tensors_of(logits)).backward()
    unreached = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []


def tensors_of(logits: object) -> list[Tensor]:
    """Return all maps of logits, auxiliary ones among them."""
    if isinstance(logits, Tensor):
        return [logits]
    return [tensor for part in logits or () for tensor in tensors_of(part)]


def wake_gates(network: nn.Module) -> None:
    """Open the gates that stand at 0 before training (the gammas of Bi-SRNet), behind which no gradient flows."""
    for key, parameter in network.named_parameters():
        if "gamma" in key:
            nn.init.ones_(parameter)


@pytest.mark.parametrize("built", [name for name in NETWORKS if name not in FLAGGED], indirect=True)
def test_an_exported_network_gives_the_same_logits(built: tuple[str, nn.Module]) -> None:
    network = built[1]
    pair = draw_pair(1, 64, 32)
    with torch.inference_mode():
        expected, found = network(*pair), torch.export.export(network, pair).module()(*pair)
    assert isinstance(found, ChangeLogits)
    for x, y in maps_of(found, expected):
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)


@every_network
def test_every_option_is_accepted_by_its_builder(name: str) -> None:
    with torch.device("meta"):
        build_network(name, num_classes=3, **NETWORKS[name].options)


def test_unknown_names_and_options_are_answered_with_what_exists() -> None:
    with pytest.raises(ValueError, match=r"'lsafnett'.*lsafnet-tiny"):
        build_network("lsafnett", num_classes=7)
    with pytest.raises(ValueError, match=r"'depth'.*backbone, width"):
        build_network("lsafnet", num_classes=7, depth=3)
    with pytest.raises(ValueError, match=r"'vgg'.*resnet34"):
        build_network("lsafnet", num_classes=7, backbone="vgg")
    with pytest.raises(ValueError, match="takes a int as width"):
        build_network("lsafnet", num_classes=7, width="128")
    with pytest.raises(ValueError, match="width of 2 or more"):
        build_network("lsafnet", num_classes=7, width=1)
    with pytest.raises(ValueError, match="two classes"):
        build_network("lsafnet", num_classes=1)


def test_a_backbone_is_adapted_only_where_its_channels_differ() -> None:
    with torch.device("meta"):
        paper = build_network("lsafnet", num_classes=7)
        narrow = build_network("lsafnet", num_classes=7, width=64)
    assert not [key for key in paper.state_dict() if key.startswith("adapter")]
    assert (
        len([key for key in narrow.state_dict() if key.startswith("adapter") and key.endswith("0.weight")])
        == 5
    )


def test_change_maps_hold_the_best_real_class_where_changed() -> None:
    change = torch.tensor([[[[3.0, -3.0]]]])
    semantic = torch.tensor([9.0, 1.0, 2.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    before, after = change_maps(ChangeLogits(change, semantic, semantic.flip(1)))
    assert before.tolist() == [[[2, 0]]]  # index 0 is largest, yet never an answer
    assert after.tolist() == [[[2, 0]]]
    binary = change_maps(ChangeLogits(change, None, None))
    assert binary[0].tolist() == binary[1].tolist() == [[[1, 0]]]


@every_network
def test_sizes_in_the_registry_are_those_of_the_networks(name: str) -> None:
    spec = NETWORKS[name]
    with torch.device("meta"):
        network = build_network(name, num_classes=7).eval()
        image = torch.empty(1, 3, 512, 512)
        with FlopCounterMode(display=False) as counter:
            network(image, image)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 3) == spec.parameters
    assert round(counter.get_total_flops() / 1e9, 1) == spec.gflop


def test_the_paper_network_has_the_paper_size() -> None:
    with torch.device("meta"):
        network = build_network("lsafnet", num_classes=7)
    assert sum(p.numel() for p in network.parameters()) == 24_539_151


def test_an_alias_builds_the_network_it_is_another_name_of() -> None:
    with torch.device("meta"):
        alias, network = (build_network(name, num_classes=7) for name in ("rsiscd-tbff", "defo-mltscd"))
    assert type(alias) is type(network)
    assert "rsiscd-tbff" not in NETWORKS


# The recordings were made in float32, whose rounding the recorded weights magnify where context weights multiply:
# moving each weight by half a unit in its last place, all else exact, moves `change` by up to 5e-4 (lsafnet). Exact
# arithmetic therefore is what a formula can be held against; two recordings themselves lie 1.2e-4 from it.
EXACT_TOLERANCE = {"lsafnet-lgce": 1.3e-4, "rsiscd-scd": 1.3e-4}
TOLERANCE = 1e-4
ROUNDING = dict.fromkeys(("lsafnet", "lsafnet-lgaa", "lsafnet-lgce", "rsiscd-scd"), 5e-4)


@pytest.mark.parametrize("name", recordings.NAMES)
def test_logits_equal_the_recorded_ones(name: str) -> None:
    network = recorded_network(name)
    assert len(network.state_dict()) == read_recording(name)["keys"]
    assert keys_sha256(network) == read_recording(name)["keys_sha256"]
    in_float32 = recorded_differences(name, network, torch.float32)
    found = recorded_differences(name, network, torch.float64)
    assert found.pop("change") <= EXACT_TOLERANCE.get(name, TOLERANCE)
    assert max(found.values(), default=0) <= TOLERANCE
    assert max(in_float32.values()) <= ROUNDING.get(name, TOLERANCE)  # differs by rounding alone


def test_every_published_network_is_recorded() -> None:
    assert set(recordings.NAMES) == {*NETWORKS, *ALIASES} - {"lsafnet-tiny"}


def recorded_differences(name: str, network: nn.Module, dtype: torch.dtype) -> dict[str, float]:
    """Return max|out - ref| / max|ref| of each recorded map."""
    with torch.inference_mode():
        logits = network.to(dtype)(*recorded_pair(name, dtype))
    maps = {date: x for date, x in logits._asdict().items() if x is not None}
    recorded = read_recording(name)["maps"]
    assert maps.keys() <= recorded.keys()
    return {date: difference(x, recorded[date]) for date, x in maps.items()}
