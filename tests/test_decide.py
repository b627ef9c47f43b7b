"""How probabilities become a map: which classes, and at what cost on the device."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from lsafnet import load_checkpoint
from lsafnet.checkpoint.context import ChangeContext
from lsafnet.checkpoint.files import Checkpoint
from lsafnet_cli.checkpoints.choose import NamedCheckpoint
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import DeviceOptions, PredictOptions
from lsafnet_cli.prediction import decide
from lsafnet_cli.prediction.decide import Decision
from lsafnet_cli.prediction.infer import Scorer, infer_tiles, make_batches
from lsafnet_cli.prediction.pipeline import open_prediction
from lsafnet_cli.prediction.stitch import stitch_tiles
from lsafnet_cli.prediction.tile_rows import cut_tiles, read_tile_rows
from lsafnet_cli.system.devices import BatchSize, Device

from .conftest import noise, write_raster


def legend_of(classes: int, semantic: bool = True) -> Legend:
    names = ("unchanged", *(f"class {n}" for n in range(classes)))
    return Legend(names, tuple((n, n, n) for n in range(classes + 1)), semantic)


def drawn_scores(seed: int, classes: int, rows: int, cols: int) -> torch.Tensor:
    """Return (1 + 2 classes, rows, cols) probabilities, those of each date's classes with a sum of 1."""
    drawn = torch.randn((1 + 2 * classes, rows, cols), generator=torch.Generator().manual_seed(seed))
    dates = (drawn[1 : classes + 1].softmax(0), drawn[classes + 1 :].softmax(0))
    return torch.cat([drawn[:1].sigmoid(), *dates])


@given(classes=st.integers(2, 17), seed=st.integers(0, 999), table_px=st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_from_and_to_are_the_most_probable_pair_of_different_classes(classes, seed, table_px):
    scores = drawn_scores(seed, classes, 11, 13)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide, "HOST_TABLE_BYTES", table_px * 4 * classes**2)
        made = Decision(legend_of(classes), 0.5, ("transition", "from", "to")).decide(scores)
    joint = (scores[1 : classes + 1, None] * scores[None, classes + 1 :]).numpy()
    joint[range(classes), range(classes)] = 0
    flat = joint.reshape(classes**2, 11, 13)
    chosen = made["transition"].numpy().astype(int) - 1
    taken = np.take_along_axis(flat, chosen[None], 0)[0]
    assert (taken >= flat.max(0) * (1 - 2**-12)).all()  # as exact as the numbers that carry their class along
    assert (chosen // classes != chosen % classes).all()
    changed = (scores[0] > 0.5).numpy()
    np.testing.assert_array_equal(made["codes"].numpy(), np.where(changed, chosen + 1, 0))
    np.testing.assert_array_equal(made["from"].numpy(), np.where(changed, chosen // classes + 1, 0))
    np.testing.assert_array_equal(made["to"].numpy(), np.where(changed, chosen % classes + 1, 0))


@given(
    classes=st.integers(1, 17), seed=st.integers(0, 99), threshold=st.floats(-0.1, 1.1), few=st.floats(0, 1),
    same_class=st.sampled_from(["differ", "keep"]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_processor_that_pairs_classes_of_changed_pixels_alone_gives_the_same_codes(
    classes, seed, threshold, few, same_class
):
    scores = torch.cat([drawn_scores(seed, classes, 11, 26)] * 2, 2)[:, 1:, 3:-2]  # a part of a canvas
    scores[:, 4, :9] = torch.nan
    layers = ("from", "to")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide, "FEW_CHANGES", few)
        patch.setattr(decide, "HOST_TABLE_BYTES", 50 * 4 * classes**2)
        found = Decision(legend_of(classes), threshold, layers, same_class).decide(scores)
        patch.setattr(decide, "on_host", lambda _: False)
        expected = Decision(legend_of(classes), threshold, layers, same_class).decide(scores)
    for name in ("codes", *layers):
        assert torch.equal(found[name], expected[name])
        assert found[name].dtype == expected[name].dtype


def test_classes_of_unchanged_pixels_are_not_compared(monkeypatch):
    compared = []
    best_pair = decide._best_pair
    monkeypatch.setattr(
        decide,
        "_best_pair",
        lambda before, *more: compared.append(before[0].numel()) or best_pair(before, *more),
    )
    scores = drawn_scores(0, 6, 100, 100)
    scores[0] = 0.2
    scores[0, 40:50, 10:90] = 0.8
    assert (Decision(legend_of(6)).decide(scores)["codes"] > 0).sum() == 800
    assert sum(compared) == 800


def test_the_second_best_class_is_taken_where_that_costs_least():
    before, after = [0.5, 0.4, 0.1], [0.6, 0.1, 0.3]  # both dates are most probably the first class
    scores = torch.tensor([0.9, *before, *after])[:, None, None]
    made = Decision(legend_of(3), 0.5, ("before", "after", "from", "to")).decide(scores)
    assert {name: layer.item() for name, layer in made.items()} == {
        "codes": 4, "before": 1, "after": 1, "from": 2, "to": 1,
    }  # fmt: skip


def test_classes_may_stay_the_same_where_that_is_asked_for():
    scores = torch.tensor([0.9, 0.5, 0.4, 0.1, 0.6, 0.1, 0.3])[:, None, None]
    made = Decision(legend_of(3), 0.5, ("from", "to"), "keep").decide(scores)
    assert {name: layer.item() for name, layer in made.items()} == {"codes": 1, "from": 1, "to": 1}


def test_what_has_changed_depends_on_the_threshold_alone():
    scores = drawn_scores(1, 6, 20, 20)
    changed = {cut: Decision(legend_of(6), cut).decide(scores)["codes"] > 0 for cut in (0.2, 0.7)}
    for cut, found in changed.items():
        assert torch.equal(found, scores[0] > cut)


def test_a_network_without_land_cover_gives_zero_and_one():
    layers = Decision(legend_of(1, semantic=False)).decide(torch.tensor([[[0.2, 0.8]]]))
    assert layers["codes"].tolist() == [[0, 1]]


class Operations(TorchDispatchMode):
    """Counts what a device would be given to do: neither views nor memory, and nothing of networks."""

    def __init__(self) -> None:
        super().__init__()
        self.count, self.in_network = 0, False

    def leave_out(self, network) -> None:
        """Count nothing while a network computes."""
        network.register_forward_pre_hook(lambda *_: setattr(self, "in_network", True))
        network.register_forward_hook(lambda *_: setattr(self, "in_network", False))

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        returned = func._schema.returns
        view = any(one.alias_info is not None and not one.alias_info.is_write for one in returned)
        if not (view or self.in_network or "empty" in func.name()):
            self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("context", [None, ChangeContext(32, 1)])
@pytest.mark.parametrize(("batch_size", "nodata"), [(1, False), (4, True)])
def test_a_tile_costs_fifteen_device_operations_at_most_outside_the_network(
    tmp_path, seven_classes, monkeypatch, batch_size, nodata, context
):
    info = replace(seven_classes.info, context=context)
    seven_classes = replace(seven_classes, checkpoint=Checkpoint(seven_classes.checkpoint.network, info))
    mask = np.full((600, 1300), 255, "uint8")
    mask[100:300, 50:900] = 0 if nodata else 255
    images = [write_raster(tmp_path / f"{n}.tif", noise(n, 600, 1300), mask=mask) for n in range(2)]
    options = PredictOptions(device=DeviceOptions(batch_size=batch_size, precision="fp32"))
    run = open_prediction(images, tmp_path / "map.tif", options, Observer(), seven_classes).run
    monkeypatch.setattr(Device, "lanes", 1)  # a mode sees the operations of its own thread alone
    monkeypatch.setattr(decide, "on_host", lambda _: False)
    scorer = Scorer([seven_classes.checkpoint], run.stretches, run.device)
    if context is not None:  # what is made once for a tile's size
        scorer.members[0].calibration.context(torch.zeros(1, 1, run.plan.size, run.plan.size))
    size = BatchSize(batch_size, run.device, run.plan.size)
    with Operations() as counted:
        counted.leave_out(scorer.members[0].network)
        tiles = list(cut_tiles(read_tile_rows(run.pair, run.plan, 1), run.plan))
        scored = infer_tiles(scorer, make_batches(iter(tiles), size, run.device), size)
        patches = list(stitch_tiles(scored, run.plan, run.decision))
    assert len(tiles) == len(run.plan) == 8
    assert sum(patch.pixel_count for patch in patches) == 600 * 1300
    assert 3 * len(tiles) < counted.count <= 15 * len(tiles)


@pytest.fixture
def seven_classes(tmp_path):
    """Return an untrained network with SECOND's seven classes, calibrated, and tiles of 512 pixels."""
    from lsafnet import build_network, save_checkpoint
    from lsafnet.checkpoint.decision import ChangeDecision
    from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, ClassEntry, Normalization

    usual = BandStatistics((110.0,) * 3, (50.0,) * 3)
    info = CheckpointInfo(
        network="lsafnet-tiny",
        classes=tuple(ClassEntry(f"class {n}", f"#{n:02x}{n:02x}{n:02x}") for n in range(7)),
        bands=3,
        normalization=Normalization(usual, usual),
        value_range=(0.0, 255.0),
        tile_px=512,
        trained_on="nothing at all",
        license="Apache-2.0",
        decision=ChangeDecision(0.4, 1.5, 0.2, "nothing"),
    )
    path = tmp_path / "seven.safetensors"
    save_checkpoint(path, build_network("lsafnet-tiny", num_classes=7), info)
    return NamedCheckpoint("seven", "0" * 64, load_checkpoint(path))
