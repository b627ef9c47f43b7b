"""Fit the decision of a checkpoint on half of the SECOND tiles and of the Dubai pairs, and report on the other half.

    python tools/calibrate_shipped.py CHECKPOINT -o OUTPUT [--data FOLDER] [--cache FOLDER]

Nothing is trained: temperature and bias of the probability of change, and its threshold. Both halves are fitted, each
is judged by the other; OUTPUT holds the first, and its calibration error on the second. The full SECOND tile is cut
into its left and right half; of the small ones and the Dubai pairs every other one goes to either side. Temperature
and bias are of the three as equals, so that probabilities hold at any pixel size; for the threshold, SECOND
counts by its pixels, and as much as Dubai: small tiles alone would have it lower, with more false alarms elsewhere.
Most of these pixels have changed, unlike those of usual scenes, and that makes a threshold by F1 low; so places of
NAIP that were left out of training count as much as each of the two, where nothing has changed in them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from board_sets import UNCHANGED, BoardSet, Bools, held_out_places, read_board
from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.checkpoint.files import replace_info
from lsafnet.scores.calibration import calibrated_curve, fit_decision, logit_counts
from lsafnet.scores.change_curve import ChangeCounts, ChangeCurve
from lsafnet_cli.checkpoints.choose import CALIBRATION_ERROR, NamedCheckpoint, load_named_checkpoint
from lsafnet_cli.options import PredictOptions
from score_checkpoints import DATA, cached_scores

SOURCES = ("SECOND full", "SECOND small", "Dubai")
STILL = "held-out places of NAIP"
OF_THRESHOLD = ("SECOND", "Dubai", STILL)
SMALLEST_PROBABILITY = 1e-7
Halves = tuple[ChangeCounts, ChangeCounts]


def count_halves(sets: Sequence[BoardSet], checkpoint: NamedCheckpoint, cache: Path) -> dict[str, Halves]:
    """Return, for each source, the counts of logits of both halves."""
    found = {source: (logit_counts(), logit_counts()) for source in (*SOURCES, STILL)}
    for one in sets:
        source = next(source for source in found if one.name.startswith(source))
        for number, pair in enumerate(one.pairs):
            probability = cached_scores(one, pair, checkpoint, PredictOptions(), cache)[0]
            logits = _logits(probability, checkpoint.info.decision)
            cut = [slice(0, logits.shape[1] // 2), slice(logits.shape[1] // 2, None)]
            sides = enumerate(cut) if len(one.pairs) == 1 else [(number % 2, slice(None))]
            for half, cols in sides:
                _add(found[source][half], logits[:, cols], pair.changed[:, cols], pair.valid[:, cols])
    return found


def _add(counts: ChangeCounts, logits: NDArray[np.float64], changed: Bools, valid: Bools) -> None:
    counts.add(logits[valid], changed[valid])


def _logits(probability: NDArray[np.float32], decision: ChangeDecision) -> NDArray[np.float64]:
    """Return the logits before a decision was applied."""
    clipped = probability.astype(np.float64).clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray((np.log(clipped) - np.log1p(-clipped) - decision.bias) * decision.temperature)


def together(found: dict[str, Halves], half: int, groups: Sequence[str] = SOURCES) -> ChangeCounts:
    """Return the counts of a half of all sources; groups, named by how their sources begin, weigh the same."""
    counts = logit_counts()
    for group in groups:
        own = sum(halves[half].counts for source, halves in found.items() if source.startswith(group))
        counts.counts += own / np.maximum(np.sum(own), 1.0)
    return counts


def fitted_on(found: dict[str, Halves], half: int, text: str) -> ChangeDecision:
    """Return the decision that a half fits."""
    fitted = fit_decision(together(found, half), text)
    curve = calibrated_curve(together(found, half, OF_THRESHOLD), fitted)
    return replace(fitted, threshold=round(curve.best_f1()[0], 4))


def report(found: dict[str, Halves], own: ChangeDecision) -> Iterator[str]:
    """Yield lines: what each half fits, and what that does on the other one, beside the checkpoint's own decision."""
    fits = [fitted_on(found, half, f"half {half + 1}") for half in (0, 1)]
    for half, fitted in enumerate(fits):
        yield f"fitted on half {half + 1}: {fitted}"
        for source, halves in found.items():
            for name, decision in (("as it was", own), ("fitted", fitted)):
                curve = calibrated_curve(halves[1 - half], decision)
                yield f"  on the other half of {source}, {name}: {_words(source, curve, decision.threshold)}"


def _words(source: str, curve: ChangeCurve, threshold: float) -> str:
    if source == STILL:
        called = curve.counts[:, curve.levels > threshold].sum() / max(curve.counts.sum(), 1)
        return f"{called:.1%} called changed"
    return (
        f"ECE {curve.calibration_error():.3f}, "
        f"F1 {curve.f1_at(threshold):.3f} (best {curve.best_f1()[1]:.3f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of labelled data, {DATA} by default")
    parser.add_argument("--cache", type=Path, help="as in score_checkpoints.py")
    given = parser.parse_args()
    checkpoint = load_named_checkpoint(given.checkpoint)
    with TemporaryDirectory(prefix="lsafnet-board-") as folder:
        cache = given.cache or Path(folder)
        cache.mkdir(parents=True, exist_ok=True)
        sets = [one for one in read_board(given.data, Path(folder)) if one.name.startswith(SOURCES)]
        sets.append(BoardSet(STILL, UNCHANGED, tuple(held_out_places(given.data))))
        found = count_halves(sets, checkpoint, cache)
    for line in report(found, checkpoint.info.decision):
        print(line)
    text = (
        "half of five SECOND tiles, of 48 pairs made of Dubai tile 5 and, for the threshold, of 4 unchanged pairs of "
        "NAIP; judged by the other half"
    )
    fitted = fitted_on(found, 0, text)
    # each source by itself: over both together their opposite errors would cancel
    errors = [calibrated_curve(found[source][1], fitted).calibration_error() for source in SOURCES]
    error = float(np.mean(errors))
    metrics = {**checkpoint.info.metrics, CALIBRATION_ERROR: error}
    replace_info(given.checkpoint, given.output, replace(checkpoint.info, decision=fitted, metrics=metrics))
    print(f"{given.output}: changed above {fitted.threshold}, ECE {error:.3f}, the mean of the other halves")


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
