"""Score checkpoints on all labelled data there is, and print one table: the board.

    python tools/score_checkpoints.py [--data FOLDER] [--json FILE] [--markdown FILE] CHECKPOINT...

Every image is mapped as `lsafnet predict` maps it, tile by tile, with the options given here; board_sets.py says what
is in FOLDER. Beside the checkpoints stands what two lines of numpy find: the mean absolute difference of the bands
and, as threshold, Otsu's. Change counts from each checkpoint's own threshold up.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray

from board_sets import (
    BINARY,
    BUILDING,
    BUILDING_NUMBER,
    BUILDING_SETS,
    CLASSES,
    SEMANTIC,
    UNCHANGED,
    BoardPair,
    BoardSet,
    Bools,
    chosen_sets,
)
from lsafnet.metrics import ChangeMetrics
from lsafnet.scores.change_curve import ChangeCounts
from lsafnet_cli.checkpoints.choose import NamedCheckpoint, load_named_checkpoint
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import PredictOptions
from lsafnet_cli.prediction.decide import Decision
from lsafnet_cli.prediction.pipeline import open_prediction
from lsafnet_cli.prediction.scene_scores import scene_scores

DATA = Path(__file__).parents[2] / "shared" / "data"
BASELINE = "difference + Otsu"
DECISIONS = {"F_scd, each date by itself": "keep", "F_scd": "differ"}  # the names of --same-class
Board = dict[str, dict[str, float | None]]  # the rows by name, in each a value for every column


def otsu(values: NDArray[Any]) -> float:
    """Return the threshold that parts values into the two groups whose means lie furthest apart (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    middles, below = (edges[:-1] + edges[1:]) / 2, counts.cumsum()
    mean_below = (counts * middles).cumsum() / np.maximum(below, 1)
    above = below[-1] - below
    mean_above = ((counts * middles).sum() - (counts * middles).cumsum()) / np.maximum(above, 1)
    return float(middles[(below * above * (mean_below - mean_above) ** 2).argmax()])


class Tally:
    """What has been counted of one set in one column."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.counts = ChangeCounts()
        self.maps = {"F_scd": ChangeMetrics(1 + len(CLASSES))}
        # pixels called changed, or building, rightly; at all; in the labels; and all that count
        self.right = self.found = self.there = self.pixels = 0
        self.shares: dict[str, float] = {}

    def add_change(self, pair: BoardPair, probability: NDArray[Any], changed: Bools) -> None:
        """Count what a pair's change map says: probability 0..1 and decision, (rows, cols) each."""
        valid = pair.valid
        self.counts.add(probability[valid], pair.changed[valid])
        self._add(changed, pair.changed, valid)
        self.shares[pair.name] = float(changed.mean())

    def add_building(self, pair: BoardPair, building: Bools) -> None:
        """Count what the land cover of an image says of buildings."""
        self._add(building, pair.label_before == BUILDING_NUMBER, pair.valid)

    def _add(self, found: Bools, there: Bools, valid: Bools) -> None:
        self.right += int((found & there & valid).sum())
        self.found += int((found & valid).sum())
        self.there += int((there & valid).sum())
        self.pixels += int(valid.sum())

    def add_maps(self, name: str, pair: BoardPair, before: NDArray[Any], after: NDArray[Any]) -> None:
        """Count the two semantic change maps, class where changed, else 0."""
        metrics = self.maps.setdefault(name, ChangeMetrics(1 + len(CLASSES)))
        labels = (pair.label_before * pair.changed, pair.label_after * pair.changed)
        metrics.update(before, after, *labels, valid=pair.valid)

    def scores(self, baseline: bool) -> dict[str, float | None]:
        """Return the rows of this set."""
        if self.kind == BUILDING:
            whole = self.found + self.there - self.right
            return {"IoU of building": None if baseline else self.right / max(whole, 1)}
        curve = self.counts.curve()
        binary: dict[str, float | None] = {
            "F1": 2 * self.right / max(self.found + self.there, 1),
            "best F1": curve.best_f1()[1],
            "AP": curve.average_precision(),
            "ECE": None if baseline else curve.calibration_error(),
        }
        if self.kind == BINARY:
            return binary
        if self.kind == UNCHANGED:
            unchanged = max(self.pixels - self.there, 1)
            binary = {
                "false alarms": float(np.mean(list(self.shares.values()))),
                "false alarms outside real changes": (self.found - self.right) / unchanged,
                "real changes found": self.right / max(self.there, 1),
                **binary,
            }
        semantic: dict[str, float | None] = {}
        for name, metrics in self.maps.items():
            semantic[name] = None if baseline else metrics.compute()["f_scd"]
        semantic["mIoU"] = None if baseline else self.maps["F_scd"].compute()["miou"]
        return {**semantic, **binary}


def score_baseline(one: BoardSet) -> Tally:
    """Return the tally of the difference between the dates."""
    tally = Tally(one.kind)
    for pair in one.pairs if one.kind != BUILDING else ():
        first, second = (rasterio.open(file).read().astype(float) for file in (pair.before, pair.after))
        difference = np.abs(first - second).mean(axis=0) / 255
        tally.add_change(pair, difference, difference > otsu(difference))
    return tally


def score_checkpoint(
    one: BoardSet, checkpoint: NamedCheckpoint, options: PredictOptions, cache: Path
) -> Tally:
    """Return the tally of a checkpoint's maps of a set."""
    tally = Tally(one.kind)
    threshold = checkpoint.threshold if options.threshold is None else options.threshold
    for pair in one.pairs:
        scores = torch.from_numpy(cached_scores(one, pair, checkpoint, options, cache))
        for name, same_class in DECISIONS.items():
            decision = Decision(checkpoint.legend, threshold, ("before", "from", "to"), same_class)
            layers = {layer: found.numpy() for layer, found in decision.decide(scores).items()}
            if one.kind in (SEMANTIC, UNCHANGED):
                tally.add_maps(name, pair, layers["from"], layers["to"])
        if one.kind == BUILDING:
            tally.add_building(pair, layers["before"] == BUILDING_NUMBER)
        else:
            tally.add_change(pair, scores[0].numpy(), layers["codes"] > 0)
    return tally


def cached_scores(
    one: BoardSet, pair: BoardPair, checkpoint: NamedCheckpoint, options: PredictOptions, cache: Path
) -> NDArray[np.float32]:
    """Return the blended (scores, rows, cols) of a pair, from the cache where they have been computed before."""
    looks = "-tta" if options.tta else ""
    kept = cache / f"{checkpoint.sha256[:16]}{looks}" / one.name.replace(" ", "_") / f"{pair.name}.npy"
    if kept.exists():
        found: NDArray[np.float32] = np.load(kept)
        return found
    files = (pair.before, pair.after)
    run = open_prediction(files, cache / "map.tif", options, Observer(), checkpoint).run
    scores = scene_scores(run).scores.numpy()
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(kept, scores)
    return scores


def make_board(
    sets: Sequence[BoardSet], checkpoints: Sequence[Path], options: PredictOptions, cache: Path
) -> Iterator[tuple[str, str, str, float | None, Tally]]:
    """Yield (set, column, row, value, tally) for each cell of the table."""
    loaded = {str(path): load_named_checkpoint(path) for path in checkpoints}
    for checkpoint in loaded.values():
        if checkpoint.legend.names[1:] != CLASSES:
            raise SystemExit(f"{checkpoint.name}: the board's classes are {', '.join(CLASSES)}")
    for one in sets:
        columns = {BASELINE: score_baseline(one)}
        columns |= {
            name: score_checkpoint(one, checkpoint, options, cache) for name, checkpoint in loaded.items()
        }
        for column, tally in columns.items():
            for row, value in tally.scores(column == BASELINE).items():
                yield one.name, column, row, value, tally


def markdown(board: Board, columns: Sequence[str], names: Sequence[str]) -> str:
    """Return the table as Markdown, whose columns are headed by `names`."""
    lines = [f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(columns)]
    for row, values in board.items():
        cells = ["-" if (value := values.get(column)) is None else f"{value:.3f}" for column in columns]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of labelled data, {DATA} by default")
    parser.add_argument("--json", type=Path, help="write all values here, and the false alarms of each place")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument("--sets", help="only sets whose names hold one of these words, by comma")
    parser.add_argument(
        "--cache", type=Path, help="keep here what the networks compute, and use what is there"
    )
    parser.add_argument("--tta", action="store_true", help="as predict --tta")
    return parser.parse_args()


def main() -> None:
    given = parse_arguments()
    options = PredictOptions(tta=given.tta)
    board: Board = {}
    places: dict[str, dict[str, float]] = {}
    with TemporaryDirectory(prefix="lsafnet-board-") as folder:
        cache = given.cache or Path(folder)
        cache.mkdir(parents=True, exist_ok=True)
        sets = list(chosen_sets(given.data, Path(folder), given.sets))
        for name, column, row, value, tally in make_board(sets, given.checkpoints, options, cache):
            board.setdefault(f"{name}: {row}", {})[column] = value
            if tally.kind == UNCHANGED:
                places[column] = tally.shares
    _add_means(board)
    columns = [BASELINE, *map(str, given.checkpoints)]
    names = [BASELINE, *(path.stem for path in given.checkpoints)]
    text = markdown(board, columns, names)
    print(text, end="")
    if given.markdown:
        given.markdown.write_text(text, encoding="utf-8")
    if given.json:
        given.json.write_text(
            json.dumps({"board": board, "false_alarms": places}, indent=1), encoding="utf-8"
        )


def _add_means(board: Board) -> None:
    """Add the mean IoU of buildings over the four sets that others labelled."""
    names = {f"{name}: IoU of building" for name in BUILDING_SETS}
    rows = [values for row, values in board.items() if row in names]
    if len(rows) > 1:
        columns = {name for values in rows for name, value in values.items() if value is not None}
        board["mean IoU of building"] = {
            name: float(np.mean([values[name] for values in rows])) for name in columns
        }


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
