"""Print how checkpoints do side by side: on made pairs, on the sample pair, and on real pairs never trained on.

    python tools/compare_checkpoints.py --dubai FOLDER --second FOLDER --second-small FOLDER OLD NEW

The checkpoints have the classes of the shipped ones: water, ground, vegetation, building. The folders are laid out
as dubai_tiles.py and second_tiles.py say; what is not given is left out. The sample pair goes through the command.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from dubai_tiles import held_out_pairs
from lsafnet import load_checkpoint
from lsafnet.checkpoint.files import Checkpoint
from lsafnet.training.examples import Example, stack_examples
from lsafnet.training.trainer import evaluate
from run_demo import HERE, agreement
from second_tiles import read_second_pairs

SHOWN = ("f_scd", "miou", "sek")
DUBAI_PX = 256

Scores = dict[str, float]
Row = Callable[[Path], Scores]


def score_pairs(pairs: Sequence[Example], path: Path) -> Scores:
    """Return the scores of a checkpoint over pairs of any size, each taken whole, as if it were one tile."""
    checkpoint = load_checkpoint(path)
    metrics: Scores = evaluate(
        checkpoint.network, (batch_of(pair, checkpoint) for pair in pairs), checkpoint.info.num_classes
    )
    return metrics


def batch_of(pair: Example, checkpoint: Checkpoint) -> Any:
    return stack_examples([pair], checkpoint.info.normalization)


def score_sample_pair(path: Path) -> Scores:
    """Return the scores of a checkpoint on the committed pair through `lsafnet predict`."""
    from lsafnet_cli import PredictOptions, predict_change
    from lsafnet_cli.options import OutputOptions

    with TemporaryDirectory() as folder:
        changes = Path(folder) / "changes.tif"
        options = PredictOptions(checkpoint=path, output=OutputOptions(also=("from", "to")))
        predict_change(HERE / "before.tif", HERE / "after.tif", changes, options)
        return agreement(changes)


def planned_rows(options: argparse.Namespace) -> dict[str, Row]:
    """Return the rows of the table by name, each a function of a checkpoint's path."""
    rows: dict[str, Row] = {"sample pair, through predict": score_sample_pair}
    if options.dubai is not None:
        pairs = held_out_pairs(options.dubai, DUBAI_PX)
        rows[f"Dubai tile 5, {len(pairs)} pairs"] = partial(score_pairs, pairs)
    for folder in (options.second, options.second_small):
        if folder is not None:
            pairs = read_second_pairs(folder)
            rows[f"SECOND, {len(pairs)} of {pairs[0].valid.shape[0]} px"] = partial(score_pairs, pairs)
    return rows


def compare(options: argparse.Namespace) -> None:
    """Print one line for each row and checkpoint."""
    print(f"{'':32}{'checkpoint':34}" + "".join(f"{name:>8}" for name in SHOWN))
    for name, row in planned_rows(options).items():
        for path in options.checkpoints:
            scores = row(path)
            print(f"{name:32}{path.name:34}" + "".join(f"{scores[one]:8.3f}" for one in SHOWN), flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+", help="checkpoints to compare")
    parser.add_argument("--dubai", type=Path, help="folder with images/ and labels/")
    parser.add_argument("--second", type=Path, help="folder of full SECOND tiles")
    parser.add_argument("--second-small", type=Path, help="folder of small SECOND tiles")
    return parser.parse_args()


if __name__ == "__main__":
    torch.set_num_threads(2)
    compare(parse_arguments())
