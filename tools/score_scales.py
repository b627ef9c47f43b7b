"""Score a checkpoint on coarser images: those of the board, reduced, as they are and enlarged for the network.

    python tools/score_scales.py CHECKPOINT --sets LEVIR --reduce 1,2,3,6 --scales 1,1.5,2,3,4

Images are reduced as a coarser sensor would see them (Lanczos), labels by the nearest pixel. One line for each set,
reduction and scale: average precision and F_scd of change, IoU of building, or false alarms.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from board_sets import BoardPair, BoardSet, chosen_sets
from lsafnet.training.augment import resize_labels
from lsafnet_cli.checkpoints.choose import load_named_checkpoint
from lsafnet_cli.options import PredictOptions, TileOptions
from score_checkpoints import DATA, score_checkpoint

SHOWN = ("AP", "F_scd", "IoU of building", "false alarms")


def reduced(one: BoardSet, by: float, folder: Path) -> BoardSet:
    """Return a set whose images have 1 / `by` of the rows and cols, written into a folder."""
    return replace(one, pairs=tuple(_reduced_pair(pair, by, folder) for pair in one.pairs))


def _reduced_pair(pair: BoardPair, by: float, folder: Path) -> BoardPair:
    rows, cols = (round(side / by) for side in pair.changed.shape)
    files = []
    for date, file in (("before", pair.before), ("after", pair.after)):
        files.append(folder / f"{pair.name}_{by:g}_{date}.png")
        with Image.open(file) as image:
            image.convert("RGB").resize((cols, rows), Image.Resampling.LANCZOS).save(files[-1])
    numbers = [resize_labels(one, (rows, cols)) for one in (pair.label_before, pair.label_after)]
    bools = [resize_labels(one.astype(np.uint8), (rows, cols)) > 0 for one in (pair.changed, pair.valid)]
    return BoardPair(f"{pair.name}_{by:g}", files[0], files[1], numbers[0], numbers[1], bools[0], bools[1])


def score_all(given: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each set, reduction and scale."""
    checkpoint = load_named_checkpoint(given.checkpoint)
    with TemporaryDirectory(prefix="lsafnet-scales-") as name:
        folder = Path(name)
        for one in chosen_sets(given.data, folder, given.sets):
            for by in map(float, given.reduce.split(",")):
                coarse = reduced(one, by, folder)
                for scale in map(float, given.scales.split(",")):
                    cache = folder / f"scale-{scale:g}"
                    cache.mkdir(exist_ok=True)
                    options = PredictOptions(tile=TileOptions(scale=scale))
                    scores = score_checkpoint(coarse, checkpoint, options, cache).scores(baseline=False)
                    shown = [f"{row} {scores[row]:.3f}" for row in SHOWN if row in scores]
                    yield f"{one.name}, reduced {by:g} times, at scale {scale:g}: {', '.join(shown)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of labelled data, {DATA} by default")
    parser.add_argument("--sets", default="LEVIR", help="sets whose names hold one of these words, by comma")
    parser.add_argument("--reduce", default="1,2,3,6", help="by how much images are reduced, by comma")
    parser.add_argument("--scales", default="1,1.5,2,3,4", help="scales at which the network sees them")
    for line in score_all(parser.parse_args()):
        print(line, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
