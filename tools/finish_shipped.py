"""Write into a trained and calibrated checkpoint what the shipped one says of itself.

    python tools/finish_shipped.py CHECKPOINT --descriptions NAME.json ... --board BOARD.json -o OUTPUT

The domain is measured on the training images of the data sets (train_shipped.py writes their descriptions into its
work folder); scores come from the JSON that score_checkpoints.py writes. OUTPUT is what the package ships.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lsafnet.checkpoint.files import replace_info
from lsafnet.checkpoint.info import read_checkpoint_info
from lsafnet_cli.checkpoints.choose import CALIBRATION_ERROR
from lsafnet_cli.training.domain import add_domain
from shipped_data import TRAINED_ON

GSD_M = (0.1, 2.0)
WINDOWS = 336  # of eight data sets, in equal numbers
SCORES = {
    "f_scd_second": "SECOND full: F_scd",
    "f_scd_second_small": "SECOND small: F_scd",
    "f_scd_dubai": "Dubai tile 5: F_scd",
    "f_scd_sample": "sample pair: F_scd",
}
"""Names of a checkpoint's metrics, and of the board's rows."""


def scores_of(board: Mapping[str, Mapping[str, float | None]], checkpoint: str) -> dict[str, float]:
    """Return the metrics that a board has of a checkpoint. Raises KeyError where one is missing."""
    found = {name: board[row][checkpoint] for name, row in SCORES.items()}
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def finish(checkpoint: Path, descriptions: list[Path], scores: Mapping[str, float], output: Path) -> None:
    """Write the checkpoint with its domain and its scores."""
    with TemporaryDirectory() as folder:
        measured = Path(folder) / checkpoint.name
        add_domain(checkpoint, descriptions, measured, gsd_m=GSD_M, windows=WINDOWS)
        info = read_checkpoint_info(measured)
        error = {CALIBRATION_ERROR: info.metrics[CALIBRATION_ERROR]}
        info = replace(
            info, trained_on=TRAINED_ON, license="Apache-2.0", tile_px=256, metrics={**error, **scores}
        )
        replace_info(measured, output, info)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--descriptions", type=Path, nargs="+", required=True, help="data sets' JSON files")
    parser.add_argument("--board", type=Path, required=True, help="JSON of score_checkpoints.py")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the checkpoint to write")
    given = parser.parse_args()
    board = json.loads(given.board.read_text(encoding="utf-8"))["board"]
    finish(given.checkpoint, given.descriptions, scores_of(board, str(given.checkpoint)), given.output)


if __name__ == "__main__":
    main()
