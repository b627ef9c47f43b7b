"""The ablation of the paper (Table III) in small: without, with one and with both modules, on made scenes.

    python benchmarks/ablation.py --folder FOLDER [--epochs 12] [--seeds 1,2,3] [--networks lsafnet,scannet,...]

Made scenes of 256 px with fixed seeds (train 200, val 40, test 40) are written once; every network is trained on them
with every seed by the paper's recipe and scored on the test scenes by its best epoch on the validation scenes. A
run that was broken off goes on. Variants of LSAFNet have the narrow backbone and decoders of lsafnet-tiny.
"""

import argparse
import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import rasterio

from lsafnet.registry import NETWORKS
from lsafnet_cli import EvaluateOptions, evaluate_data_set
from lsafnet_cli.terminal.progress import make_observer
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.run import train_network
from make_sample import make_scene
from scene_files import CRS, TRANSFORM
from train_demonstration import CLASSES

ABLATION = ("lsafnet-base", "lsafnet-lgaa", "lsafnet-lgce", "lsafnet")
SLIM = {name: NETWORKS["lsafnet-tiny"].options[name] for name in ("backbone", "width")}
SPLITS = {
    "train": range(5_000_000, 5_000_200),
    "val": range(5_100_000, 5_100_040),
    "test": range(5_200_000, 5_200_040),
}
SCENE_PX = 256
PLACE = {"crs": CRS, "transform": TRANSFORM}
SHOWN = ("miou", "oa", "sek", "f_scd")


def write_scene(split: Path, seed: int) -> None:
    """Write one made scene with its labels as GeoTIFFs."""
    scene = make_scene(seed, SCENE_PX)
    layers = {
        "before": scene.before,
        "after": scene.after,
        "label_before": scene.label_before[None],
        "label_after": scene.label_after[None],
    }
    for name, pixels in layers.items():
        profile = {
            "count": len(pixels),
            "height": SCENE_PX,
            "width": SCENE_PX,
            "dtype": "uint8",
            "compress": "deflate",
        }
        with rasterio.open(split / name / f"{seed}.tif", "w", driver="GTiff", **profile, **PLACE) as dataset:
            dataset.write(np.ascontiguousarray(pixels))


def write_data_set(folder: Path) -> Path:
    """Write the made scenes, unless they lie there already; return the folder of the data set."""
    description = folder / "classes.json"
    if description.exists():
        return folder
    with ProcessPoolExecutor() as pool:
        for name, seeds in SPLITS.items():
            for layer in ("before", "after", "label_before", "label_after"):
                (folder / name / layer).mkdir(parents=True, exist_ok=True)
            list(pool.map(write_scene, [folder / name] * len(seeds), seeds))
    listed = [{"name": entry.name, "color": entry.color} for entry in CLASSES]
    description.write_text(json.dumps({"classes": listed, "gsd_m": 0.5}), encoding="utf-8")
    return folder


def train_all(data_set: Path, options: argparse.Namespace) -> dict[str, list[Path]]:
    """Train every network with every seed; return its best checkpoints."""
    found: dict[str, list[Path]] = {}
    for name in options.networks:
        for seed in options.seeds:
            run = options.folder / "runs" / f"{name}-{seed}"
            wanted = TrainOptions(
                network=name,
                network_options=SLIM if name in ABLATION else {},
                epochs=options.epochs,
                crop_px=options.crop,
                seed=seed,
            )
            report = train_network(data_set, run, wanted, make_observer(details=True))
            found.setdefault(name, []).append(Path(report.best_checkpoint))
    return found


def print_table(data_set: Path, checkpoints: dict[str, list[Path]]) -> None:
    """Score the checkpoints on the test scenes; print means and spreads."""
    print(f"| network | seeds | {' | '.join(SHOWN)} |")
    print("|---|---|" + "---|" * len(SHOWN))
    for name, files in checkpoints.items():
        scores = [
            one for _, one in evaluate_data_set(data_set, files, options=EvaluateOptions(resamples=0)).columns
        ]
        cells = [spread(getattr(one, name_of_score).value for one in scores) for name_of_score in SHOWN]
        print(f"| {name} | {len(files)} | {' | '.join(cells)} |", flush=True)


def spread(values: Iterable[float]) -> str:
    """Return mean and standard deviation in percent."""
    found = [100 * value for value in values]
    return f"{mean(found):.2f} ± {stdev(found):.2f}" if len(found) > 1 else f"{found[0]:.2f}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where scenes and runs are kept")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--crop", type=int, default=128, help="side of the training windows, px")
    parser.add_argument(
        "--seeds", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2, 3]
    )
    parser.add_argument("--networks", type=lambda text: text.split(","), default=list(ABLATION))
    options = parser.parse_args()
    if unknown := set(options.networks) - set(NETWORKS):
        parser.error(f"no such network: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    arguments = parse_arguments()
    scenes = write_data_set(arguments.folder / "scenes")
    print_table(scenes, train_all(scenes, arguments))
