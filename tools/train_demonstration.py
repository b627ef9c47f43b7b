"""Train a small checkpoint on freshly made scenes alone; no real imagery is used.

    python tools/train_demonstration.py

The defaults made lsafnet-tiny-made.safetensors, in about an hour on two CPU cores; batches were drawn in another
order then, so a rerun gives a checkpoint like it, not the same. Scenes are made first; --cache keeps them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lsafnet import build_network
from lsafnet.checkpoint.files import load_checkpoint, save_checkpoint
from lsafnet.checkpoint.info import BandStatistics, CheckpointInfo, ClassEntry, Normalization
from lsafnet.training.augment import compress_jpeg, jitter_light, swap_dates, turn_and_flip
from lsafnet.training.examples import Example, stack_examples
from lsafnet.training.trainer import LabelledBatch, Trainer, TrainingOptions, evaluate
from make_sample import COMMITTED_SEED, MadeScene, make_scene

NETWORK = "lsafnet-tiny"
CLASSES = (
    ClassEntry("unchanged", "#ffffff"),
    ClassEntry("water", "#0000ff"),
    ClassEntry("ground", "#808080"),
    ClassEntry("vegetation", "#008000"),
    ClassEntry("building", "#800000"),
)
CLASS_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 3.0)  # buildings are few, and at first all look like ground
SCENE_PX = 512  # larger than a tile, so that tiles cut through things as they do in real use
TILE_PX = 256
VALUE_RANGE = (0.0, 255.0)
FIRST_TRAINING_SEED = 1_000_000
FIRST_HELD_OUT_SEED = 2_000_000
HELD_OUT_SCENES = 16
MADE_ONLY = Path(__file__).parent / "lsafnet-tiny-made.safetensors"

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scenes:
    """images (scenes, 2 dates, 3 bands, rows, cols) and labels (scenes, 2 dates, rows, cols), both uint8."""

    images: Bytes
    labels: Bytes


def make_scenes(seeds: Sequence[int], workers: int) -> Scenes:
    """Return one scene of SCENE_PX for each seed; the committed pair's seed is refused."""
    if COMMITTED_SEED in seeds:
        raise ValueError("the committed pair is for testing only; take other seeds")
    with ProcessPoolExecutor(workers) as pool:
        made: list[MadeScene] = list(pool.map(make_scene, seeds, [SCENE_PX] * len(seeds), chunksize=4))
    images = np.stack([np.stack([scene.before, scene.after]) for scene in made])
    labels = np.stack([np.stack([scene.label_before, scene.label_after]) for scene in made])
    return Scenes(images, labels)


def cached_scenes(cache: Path | None, name: str, seeds: Sequence[int], workers: int) -> Scenes:
    """Return the scenes kept under `cache`, made now where there are none."""
    file = None if cache is None else cache / f"{name}-{seeds[0]}-{len(seeds)}.npz"
    if file is not None and file.exists():
        with np.load(file) as kept:
            return Scenes(kept["images"], kept["labels"])
    scenes = make_scenes(seeds, workers)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, images=scenes.images, labels=scenes.labels)
    return scenes


def measure_bands(scenes: Scenes) -> BandStatistics:
    """Return each band's mean and standard deviation over both dates, which are drawn alike."""
    sample = scenes.images[:64].astype(np.float64)
    mean, std = sample.mean(axis=(0, 1, 3, 4)), sample.std(axis=(0, 1, 3, 4))
    return BandStatistics(tuple(mean.round(2).tolist()), tuple(std.round(2).tolist()))


def pair_of(images: Bytes, labels: Bytes) -> Example:
    """Return (2 dates, 3, rows, cols) images and (2 dates, rows, cols) labels as one pair, all of it valid."""
    before, after = images.astype(np.float32)
    first, second = labels
    return Example(before, after, first, second, first != second, np.ones(first.shape, bool))


def draw_window(scenes: Scenes, size_px: int, rng: np.random.Generator) -> Example:
    """Return a random window, turned, flipped, with dates in random order, each in another light."""
    scene = rng.integers(len(scenes.images))
    row, col = rng.integers(SCENE_PX - size_px + 1, size=2)
    window = np.s_[..., row : row + size_px, col : col + size_px]
    whole = pair_of(scenes.images[scene][window], scenes.labels[scene][window])
    pair = turn_and_flip(swap_dates(whole, rng), rng)
    before, after = (jitter_light(image, rng, VALUE_RANGE) for image in (pair.before, pair.after))
    if rng.random() < 0.5:
        before, after = (compress_jpeg(image, rng, VALUE_RANGE) for image in (before, after))
    return pair._replace(before=before, after=after)


def draw_batch(
    scenes: Scenes, options: argparse.Namespace, statistics: BandStatistics, rng: np.random.Generator
) -> LabelledBatch:
    windows = [draw_window(scenes, options.window, rng) for _ in range(options.batch)]
    return stack_examples(windows, Normalization(statistics, statistics))


def scene_tiles(scenes: Scenes) -> Iterator[list[Example]]:
    """Yield the four tiles of each scene, as they are."""
    corners = [(row, col) for row in range(0, SCENE_PX, TILE_PX) for col in range(0, SCENE_PX, TILE_PX)]
    windows = [np.s_[..., row : row + TILE_PX, col : col + TILE_PX] for row, col in corners]
    for images, labels in zip(scenes.images, scenes.labels, strict=True):
        yield [pair_of(images[window], labels[window]) for window in windows]


def held_out_batches(scenes: Scenes, statistics: BandStatistics) -> Iterator[LabelledBatch]:
    """Yield each scene as a batch of its four tiles."""
    for tiles in scene_tiles(scenes):
        yield stack_examples(tiles, Normalization(statistics, statistics))


def describe(statistics: BandStatistics, scores: dict[str, Any]) -> CheckpointInfo:
    """Return the checkpoint's metadata; `scores` are those on held-out made scenes."""
    return CheckpointInfo(
        network=NETWORK,
        classes=CLASSES,
        bands=3,
        normalization=Normalization(before=statistics, after=statistics),
        value_range=VALUE_RANGE,
        tile_px=TILE_PX,
        gsd_m=0.5,
        trained_on="made scenes (tools/make_sample.py), no real imagery",
        metrics={name: round(scores[name], 4) for name in ("miou", "oa", "sek", "f_scd")},
        license="Apache-2.0",
    )


def start_network(start: Path | None) -> nn.Module:
    network = (
        build_network(NETWORK, num_classes=len(CLASSES)) if start is None else load_checkpoint(start).network
    )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def train(options: argparse.Namespace) -> None:
    """Make the scenes, train, and save a checkpoint with its held-out scores every `save_every` steps."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    seeds = range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + options.scenes)
    scenes = cached_scenes(options.cache, "training", seeds, options.workers)
    held_out_seeds = range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + HELD_OUT_SCENES)
    held_out = cached_scenes(options.cache, "held-out", held_out_seeds, options.workers)
    statistics = measure_bands(scenes)
    trainer = Trainer(start_network(options.start), training_options(options))
    began = time.monotonic()
    for step in range(1, options.steps + 1):
        terms = trainer.train_step(draw_batch(scenes, options, statistics, rng))
        if step % 20 == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in terms.items())
            print(f"step {step} after {time.monotonic() - began:.0f} s: {shown}", flush=True)
        if step % options.save_every == 0 or step == options.steps:
            scores = evaluate(trainer.network, held_out_batches(held_out, statistics), len(CLASSES))
            info = describe(statistics, scores)
            save_checkpoint(options.output, trainer.network, info, half=True)
            print(f"step {step}: saved {options.output} {dict(info.metrics)}", flush=True)


def training_options(options: argparse.Namespace) -> TrainingOptions:
    return TrainingOptions(
        steps=options.steps,
        optimizer="adamw",  # settles in far fewer steps than the paper's SGD
        learning_rate=options.learning_rate,
        weight_decay=0.02,
        power=1.0,
        warmup_steps=min(50, options.steps // 10),
        class_weights=CLASS_WEIGHTS,
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=MADE_ONLY, help="checkpoint to write")
    parser.add_argument("--steps", type=int, default=1600, help="steps to take")
    parser.add_argument("--batch", type=int, default=8, help="windows in a batch")
    parser.add_argument("--window", type=int, default=192, help="side of a training window, px")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--scenes", type=int, default=360, help="training scenes to make")
    parser.add_argument("--save-every", type=int, default=200, help="steps between checkpoints")
    parser.add_argument("--seed", type=int, default=1, help="seed of weights, windows and jitter")
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    parser.add_argument("--cache", type=Path, help="folder that keeps the scenes for the next run")
    parser.add_argument("--workers", type=int, default=2, help="processes that make scenes")
    return parser.parse_args()


if __name__ == "__main__":
    train(parse_arguments())
