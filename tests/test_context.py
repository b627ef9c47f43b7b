"""Context and scale bias of change logits: the filter, its place in inference and export, metadata and commands."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lsafnet import load_checkpoint
from lsafnet.checkpoint.checks import CheckpointError
from lsafnet.checkpoint.context import ChangeContext
from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.checkpoint.files import Checkpoint, replace_info
from lsafnet.checkpoint.info import CheckpointInfo, read_checkpoint_info
from lsafnet.context import ContextFilter, gaussian_mean
from lsafnet_cli.prediction.infer import Scorer, TileBatch
from lsafnet_cli.system.devices import Device

from .conftest import noise, reading_checkpoint
from .test_calibrate import FirstBandIsLogit
from .test_import import run

CPU = Device(torch.device("cpu"), "fp32")


def test_the_mean_is_that_of_a_gaussian_of_the_pixels_inside():
    state = np.random.default_rng(0).normal(size=(9, 14))
    rows, cols = np.mgrid[:9, :14]
    expected = np.empty_like(state)
    for row, col in np.ndindex(9, 14):
        weights = np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * 2.5**2))
        expected[row, col] = (weights * state).sum() / weights.sum()
    found = gaussian_mean(9, 2.5).double() @ torch.from_numpy(state) @ gaussian_mean(14, 2.5).double().T
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_logits_move_towards_those_around_them_by_the_weight_at_most():
    logits = torch.full((2, 1, 40, 40), -8.0)
    logits[0, 0, 20, 20] = 1.0  # a speck where nothing has changed
    logits[1], logits[1, 0, 20, 20] = 8.0, -1.0  # a hole where everything has
    found = ContextFilter(ChangeContext(6, 1.5))(logits) - logits
    assert (found.abs() <= 1.5).all()
    assert found[0, 0, 20, 20] < -1.3
    assert found[1, 0, 20, 20] > 1.3
    assert found[0, 0, 0, 0] == pytest.approx(1.5 * np.tanh(-4), abs=1e-3)


def test_pixels_without_data_speak_neither_for_change_nor_against_it():
    drawn = torch.randn((1, 1, 20, 30), generator=torch.Generator().manual_seed(1))
    valid = torch.ones(1, 1, 20, 30, dtype=torch.bool)
    valid[..., 10:] = False
    context = ContextFilter(ChangeContext(4, 2))
    other = torch.where(valid, drawn, 9.0)
    assert torch.equal(context(drawn, valid)[valid], context(other, valid)[valid])
    far, near = torch.full((1, 1, 20, 30), -9.0), torch.ones(1, 1, 20, 30, dtype=torch.bool)
    assert (context(far, valid)[..., 9] > context(far, near)[..., 9] + 0.5).all()


def test_a_logit_that_is_not_a_number_stays_alone():
    logits = torch.randn((2, 1, 16, 16), generator=torch.Generator().manual_seed(4))
    broken = logits.clone()
    broken[1, 0, 5, 7] = torch.nan
    found, other = (ContextFilter(ChangeContext(4, 2))(one) for one in (broken, logits))
    assert found.isnan().sum() == 1
    assert found[1, 0, 5, 7].isnan()
    assert torch.equal(found[0], other[0])
    valid = ~broken.isnan()
    torch.testing.assert_close(found[valid], ContextFilter(ChangeContext(4, 2))(logits, valid)[valid])
    assert ContextFilter(ChangeContext(4, 2))(torch.full((1, 1, 8, 8), torch.inf)).isposinf().all()


def scorer_of(context: ChangeContext | None, decision: ChangeDecision, **options) -> Scorer:
    info = scorer_info(context, decision)
    return Scorer([Checkpoint(FirstBandIsLogit(), info)], (None, None), CPU, **options)


def scorer_info(context: ChangeContext | None, decision: ChangeDecision) -> CheckpointInfo:
    return replace(reading_checkpoint(num_classes=5).checkpoint.info, context=context, decision=decision)


@pytest.mark.parametrize("scales", [(), (2.0,)])
def test_context_comes_before_temperature_and_bias_in_every_view(scales):
    pixels = torch.from_numpy(np.random.default_rng(3).integers(0, 4, (2, 1, 1, 64, 64)).astype("uint8"))
    valid = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    valid[..., :20, :] = False
    batch = TileBatch([], pixels, valid, valid[:, 0].numpy())
    decision = ChangeDecision(0.5, 2.0, -1.0, "drawn")
    context = ChangeContext(8, 1)
    once = scorer_of(context, decision, scales=scales)(batch)
    flipped = scorer_of(context, decision, flips=True, scales=scales)(batch)
    torch.testing.assert_close(once, flipped)
    if not scales:
        logits = torch.where(valid, pixels[0].float(), 0.0)
        expected = torch.sigmoid(ContextFilter(context)(logits, valid) / 2 - 1)
        torch.testing.assert_close(once[:, :1], expected)


@pytest.mark.parametrize(("scale", "added"), [(1.0, 0.0), (2.0, 0.5), (4.0, 1.0), (0.5, 0.0)])
def test_enlarged_images_get_the_scale_bias_for_each_doubling(scale, added):
    pixels = torch.full((2, 1, 1, 64, 64), 3, dtype=torch.uint8)
    decision = ChangeDecision(0.5, 2.0, -1.0, "drawn")
    info = replace(scorer_info(None, decision), scale_bias=0.5)
    scorer = Scorer([Checkpoint(FirstBandIsLogit(), info)], (None, None), CPU, scales=(scale,))
    expected = torch.sigmoid(torch.tensor((3 + added) / 2 - 1))
    torch.testing.assert_close(scorer(TileBatch([], pixels))[0, 0], expected.expand(64, 64))


@pytest.mark.parametrize("given", ["0.5", None, float("inf"), 9, True])
def test_a_scale_bias_that_cannot_be_is_rejected(with_context, given):
    values = json.loads(read_checkpoint_info(with_context).to_json()) | {"scale_bias": given}
    with pytest.raises(CheckpointError, match="scale_bias"):
        CheckpointInfo.from_json(json.dumps(values))


@pytest.fixture
def with_context(tiny_checkpoint, tmp_path):
    """Return a checkpoint with context and a decision."""
    out = tmp_path / "with.safetensors"
    info = replace(
        read_checkpoint_info(tiny_checkpoint),
        context=ChangeContext(16, 1.25),
        decision=ChangeDecision(0.4, 1.5, 0.2, "drawn"),
    )
    replace_info(tiny_checkpoint, out, info)
    return out


def test_an_exported_program_has_the_context(with_context, tmp_path):
    out = tmp_path / "x.pt2"
    assert run("checkpoint", "export", with_context, "-o", out) == 0
    images = [torch.from_numpy(noise(seed, 64, 64)[None]) for seed in (1, 2)]
    found = torch.cat(torch.export.load(out).module()(*(image.float() for image in images)), dim=1)
    scorer = Scorer([load_checkpoint(with_context)], (None, None), CPU)
    plain = replace(load_checkpoint(with_context).info, context=None)
    without = Scorer([Checkpoint(load_checkpoint(with_context).network, plain)], (None, None), CPU)
    with torch.inference_mode():
        expected, other = (one(TileBatch([], torch.stack(images))) for one in (scorer, without))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (expected[:, 0] - other[:, 0]).abs().max() > 0.01


def test_metadata_has_the_context_or_null(with_context, tiny_checkpoint, capsys):
    info = read_checkpoint_info(with_context)
    assert info.context == ChangeContext(16, 1.25)
    assert CheckpointInfo.from_json(info.to_json()) == info
    older = json.loads(info.to_json())
    del older["context"], older["scale_bias"]
    read = CheckpointInfo.from_json(json.dumps(older))
    assert (read.context, read.scale_bias) == (None, 0.0)
    assert run("checkpoint", "show", with_context, "--json") == 0
    assert json.loads(capsys.readouterr().out)["context"] == {"sigma_px": 16, "weight": 1.25}
    assert run("checkpoint", "show", with_context) == 0
    assert "surroundings count with weight 1.25, by a Gaussian of 16 px" in capsys.readouterr().out
    assert run("checkpoint", "show", tiny_checkpoint) == 0
    assert "context: each pixel by itself" in capsys.readouterr().out


@pytest.mark.parametrize(
    "given",
    [{"sigma_px": 0, "weight": 1}, {"sigma_px": 8, "weight": -1}, {"sigma_px": 8, "weight": float("nan")},
     {"sigma_px": "8", "weight": 1}, {"sigma_px": 1e9, "weight": 1}, {"sigma_px": 8}, [8, 1], 8],
)  # fmt: skip
def test_context_that_cannot_be_is_rejected(with_context, given):
    values = json.loads(read_checkpoint_info(with_context).to_json()) | {"context": given}
    with pytest.raises(CheckpointError, match="context"):
        CheckpointInfo.from_json(json.dumps(values))
