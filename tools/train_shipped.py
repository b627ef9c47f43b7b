"""Train the checkpoint that ships, from the one before it, on many places of which most are labelled in part.

    python tools/train_shipped.py --data FOLDER --work FOLDER --start BEFORE.safetensors -o AFTER.safetensors

FOLDER of --data holds one folder for each data set, with images/ and labels/, as DATA_SETS below says; --work gets
synthetic scenes, a JSON file that describes each data set, and a run for each stage. The training itself is `lsafnet
train`, whose commands are printed; the same command resumes a run that was interrupted.

Rounds of stages; weights of each are averaged with those of the checkpoint that it started from, which keeps what
that knew and the places do not teach. The first round learns the labels as they are, most of them "building or not";
in the others the start completes the labels (complete_labels.py), and the round goes on with these. The last ones
put the decoders on a deeper backbone (graft_backbone.py) and have real pairs with change (changed_places.py).

Then calibrate_shipped.py fits the decision, score_checkpoints.py scores the result, and finish_shipped.py writes its
domain and scores into it. shipped_rounds.py has the numbers.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from drawn_changes import NAIP_OUTLINES, read_changes
from drawn_classes import NAIP_ROOFS, NAIP_WATER, read_drawn
from graft_backbone import graft, images_below
from lsafnet.checkpoint.context import ChangeContext
from lsafnet.checkpoint.files import load_checkpoint, save_checkpoint
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from place_boxes import NAIP_CHANGES, UNSURE, read_boxes
from shipped_data import (
    DATA_SETS,
    FIRST_SEED,
    HELD_OUT_TILE,
    SCENES,
    SYNTHETIC,
    Seen,
    complete_all,
    describe,
    with_outlines_of,
    write_scene,
)
from shipped_rounds import ROUNDS, Round, Stage

INPUT_GSD_M = 0.5  # docs/checkpoints.md, section Scale
SCALE_BIAS = 1.0  # likewise
CONTEXT = ChangeContext(sigma_px=32, weight=1)  # docs/checkpoints.md, section Context


def command_of(
    stage: Stage, files: list[Path], run: Path, start: Path, options: argparse.Namespace
) -> list[str]:
    """Return the words of a stage's `lsafnet train` command."""
    values = {
        "--start": start,
        "--shares": ",".join(map(str, stage.shares)),
        "--batch-size": stage.batch,
        "--epochs": stage.epochs,
        "--crops-per-epoch": stage.batch * stage.steps,
        "--optimizer": "adamw",
        "--learning-rate": stage.rate,
        "--backbone-rate": stage.backbone,
        "--weight-decay": 0.01,
        "--power": stage.power,
        "--warmup": stage.warmup,
        "--clip": 1,
        "--ema": stage.ema,
        "--class-weights": ",".join(f"{weight:g}" for weight in class_weights(stage)),
        "--seed": stage.seed,
        "--crop": stage.crop,
        "--precision": options.precision,
        "--device": options.device,
        "--workers": options.workers,
    }
    words = [str(word) for pair in values.items() for word in pair]
    return ["train", *map(str, files), "-o", str(run), *words, "--keep-epochs"]


def write_mean(parts: Sequence[tuple[float, Path]], output: Path) -> None:
    """Write the mean of checkpoints' weights, each with a share, in half precision; all else is the first one's."""
    shares, paths = zip(*parts, strict=True)
    loaded = [load_checkpoint(path) for path in paths]
    weights = [one.network.state_dict() for one in loaded]
    mean = {
        name: sum(share * one[name] for share, one in zip(shares, weights, strict=True))
        if value.is_floating_point()
        else value
        for name, value in weights[0].items()
    }
    first = loaded[0]
    first.network.load_state_dict(mean)
    save_checkpoint(output, first.network, first.info, half=True)


def without_class_weights(network: nn.Module, weights: Sequence[float]) -> None:
    """Take the weights of the classes 1..K-1 in the loss out of a network's land-cover logits.

    A loss in which a class counts w times raises its logit by log w, as if it were that much more frequent (Menon et
    al., "Long-tail learning via logit adjustment", ICLR 2021). That helps it to be learned, and then it is seen too
    often.
    """
    shift = torch.tensor([1.0, *weights]).log()
    with torch.no_grad():
        for name in ("semantic_classifier_before", "semantic_classifier_after"):
            last = [one for one in network.get_submodule(name).modules() if isinstance(one, nn.Conv2d)][-1]
            assert last.bias is not None
            last.bias -= shift


def write_shipped(trained: Path, output: Path, weights: Sequence[float]) -> None:
    """Write the result of the last round as what is calibrated.

    It is without `weights` of the loss, images coarser than INPUT_GSD_M will be enlarged for it, and the logits of
    change get SCALE_BIAS and CONTEXT.
    """
    loaded = load_checkpoint(trained)
    without_class_weights(loaded.network, weights)
    info = replace(loaded.info, input_gsd_m=INPUT_GSD_M, scale_bias=SCALE_BIAS, context=CONTEXT)
    save_checkpoint(output, loaded.network, info, half=True)


def weights_to_take_out(stage: Stage) -> tuple[float, ...]:
    """Return what is taken out of the classes' logits: the weights of the loss, but for water and building.

    That of building stays in: F1 and IoU of a class are highest where it counts from half its best F1 up, below a
    probability of a half (Lipton et al., "Optimal thresholding of classifiers to maximize F1 measure", ECML PKDD
    2014). That of water is taken out twice, for dark fields are called water else.
    """
    water, ground, vegetation, _ = class_weights(stage)
    return water**2, ground, vegetation, 1.0


def class_weights(stage: Stage) -> tuple[float, ...]:
    """Return the weights of water, ground, vegetation and building in a stage's loss."""
    water, building = stage.water_building
    return water, 1.0, 1.0, building


def run_round(one: Round, files: list[Path], start: Path, output: Path, options: argparse.Namespace) -> None:
    """Train the stages, and write the mean of their weights and the start's."""
    last, runs = start, []
    for number, stage in enumerate(one.stages, 1):
        runs.append(options.work / f"{one.name}{number}")
        begin = options.work / stage.begin if stage.begin else last
        words = command_of(stage, files, runs[-1], begin, options)
        print(shlex.join(["lsafnet", *words]), flush=True)
        subprocess.run([sys.executable, "-m", "lsafnet_cli", *words], check=True)
        last = runs[-1] / "last.safetensors"
    parts = [(share, runs[stage - 1] / f"epoch-{epoch:03d}.safetensors") for stage, epoch, share in one.parts]
    if not one.backbone:
        parts.append((1 - sum(share for _, _, share in one.parts), start))
    write_mean(parts, output)


def first_of(one: Round, start: Path, options: argparse.Namespace) -> Path:
    """Return the checkpoint that a round's first stage starts from: `start`, or that on the round's backbone."""
    if not one.backbone:
        return start
    if options.backbone_weights is None:
        raise SystemExit(f"{one.name}: give the ImageNet weights of {one.backbone} by --backbone-weights")
    grafted: Path = options.work / f"{one.name}-start.safetensors"
    if not grafted.exists():
        images = images_below([options.data / name / "images" for name in DATA_SETS if name != SYNTHETIC])
        images = [image for image in images if not image.stem.startswith(HELD_OUT_TILE)]
        graft(start, one.backbone, options.backbone_weights, images, grafted)
    return grafted


def seen_in(one: Round) -> Seen:
    """Return what was seen in the places of NAIP, as far as a round learns it."""
    seen = Seen(
        read_boxes(NAIP_CHANGES) if one.changes else {},
        read_boxes(NAIP_CHANGES, UNSURE) if one.roofs else {},
        read_drawn(NAIP_ROOFS) if one.roofs else {},
        read_drawn(NAIP_WATER) if one.outlines else {},
        read_changes(NAIP_OUTLINES) if one.outlines else {},
    )
    return with_outlines_of(one.outlines, seen)


def train(options: argparse.Namespace) -> None:
    """Prepare all data sets, and train round by round, each from the result of the one before."""
    with ProcessPoolExecutor(max(1, options.workers)) as pool:
        seeds = range(FIRST_SEED, FIRST_SEED + options.scenes)
        list(pool.map(partial(write_scene, options.work / SYNTHETIC), seeds))
    described, start = describe(options.data, options.work), options.start
    for one in ROUNDS:
        output = options.work / f"{one.name}.safetensors"
        if not output.exists():
            labels = options.work / f"labels-{one.labels or one.name}"
            teachers = [start, *(options.work / f"{name}.safetensors" for name in one.teachers)]
            files = described
            if one.completed:
                files = complete_all(described, teachers, labels, seen_in(one), one.edge_px)
            run_round(one, files, first_of(one, start, options), output, options)
        start = output
    write_shipped(start, options.output, weights_to_take_out(ROUNDS[-1].stages[-1]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for scenes, descriptions and runs")
    parser.add_argument("--start", type=Path, default=shipped_checkpoint(), help="checkpoint to start from")
    parser.add_argument("-o", "--output", type=Path, required=True, help="checkpoint to write")
    parser.add_argument(
        "--backbone-weights",
        type=Path,
        help="ImageNet weights of the deeper backbone, from its package",
    )
    parser.add_argument("--scenes", type=int, default=SCENES, help="synthetic scenes to make")
    parser.add_argument("--precision", default="bf16", help="fp32 or bf16")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ...")
    parser.add_argument("--workers", type=int, default=1, help="processes that read, and that make scenes")
    return parser.parse_args()


if __name__ == "__main__":
    train(parse_arguments())
