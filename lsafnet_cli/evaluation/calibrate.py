"""Calibrate: fit how a checkpoint's logits of change become probabilities and a decision, on labelled pairs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import rasterio
from rasterio.windows import Window

from lsafnet.checkpoint.context import ChangeContext
from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.checkpoint.files import Checkpoint
from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet.scores.calibration import calibrated_curve, fit_decision, logit_counts
from lsafnet.scores.change_curve import ChangeCounts, ReliabilityRow
from lsafnet_cli.checkpoints.choose import CALIBRATION_ERROR, NamedCheckpoint, load_named_checkpoint
from lsafnet_cli.checkpoints.writing import check_checkpoint_path, write_with_info
from lsafnet_cli.data_sets.opening import DataSet, open_data_set
from lsafnet_cli.data_sets.pair_labels import PairLabels
from lsafnet_cli.errors import InputError
from lsafnet_cli.files.sources import patience
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import DeviceOptions, GridOptions, PredictOptions, ReadOptions
from lsafnet_cli.prediction.pipeline import open_prediction
from lsafnet_cli.prediction.plan import RunPlan
from lsafnet_cli.prediction.scene_scores import scored_tiles
from lsafnet_cli.system.heap import memory_errors

SMALLEST_PROBABILITY = 1e-7  # below it, and above 1 less it, float32 knows no logit


@dataclass(frozen=True, slots=True)
class Reliability:
    """A decision, and how far its probabilities can be taken at their word: over the pixels it was fitted on."""

    decision: ChangeDecision
    calibration_error: float
    f1: float
    rows: tuple[ReliabilityRow, ...]


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """What `calibrate_checkpoint` found and wrote."""

    checkpoint: str
    output: str
    pairs: int
    pixels: int
    average_precision: float
    before: Reliability
    after: Reliability

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


def calibrate_checkpoint(
    path: Path,
    folders: Sequence[Path],
    output: Path,
    split: str = "val",
    *,
    context: ChangeContext | Literal["keep"] | None = "keep",
    scale_bias: float | None = None,
    beta: float = 1.0,
    device: str = "auto",
    overwrite: bool = False,
    observer: Observer | None = None,
) -> CalibrationReport:
    """Write the checkpoint at `path` with temperature, bias and threshold fitted on a split of data sets.

    Only what has changed is asked of the labels; each data set counts as much as any other. context: how much a
    pixel's surroundings count from then on, None if not at all; "keep" leaves what the checkpoint says. scale_bias:
    what enlarged images get for each doubling, None for what the checkpoint says. beta: the threshold is that of the
    best F-beta; below 1 precision counts more than recall. Raises CheckpointFileError, OptionError, OutputError, and
    InputError for files that cannot be read and for labels that nothing can be fitted on.
    """
    check_checkpoint_path(output, (str(path),), overwrite)
    notes = observer or Observer()
    named, sets = load_named_checkpoint(path), [open_data_set(folder) for folder in folders]
    if context != "keep":
        named = _with_info(named, replace(named.info, context=context))
    if scale_bias is not None:
        named = _with_info(named, replace(named.info, scale_bias=scale_bias))
    pairs = [one.split(split) for one in sets]
    counts = _count_sets(uncalibrated(named), sets, split, DeviceOptions(device), notes)
    names = " + ".join(
        f"{one.folder.resolve().name} ({split}, {len(some)} pairs)"
        for one, some in zip(sets, pairs, strict=True)
    )
    report = _fit(named, counts, names, output, sum(map(len, pairs)), beta)
    metrics = {**named.info.metrics, CALIBRATION_ERROR: report.after.calibration_error}
    info = replace(named.info, decision=report.after.decision, metrics=metrics)
    write_with_info(path, output, info, overwrite, notes.notice)
    return report


def uncalibrated(named: NamedCheckpoint) -> NamedCheckpoint:
    """Return a checkpoint whose probabilities are the sigmoids of its logits, with context and scale bias."""
    return _with_info(named, replace(named.info, decision=ChangeDecision()))


def _with_info(named: NamedCheckpoint, info: CheckpointInfo) -> NamedCheckpoint:
    return replace(named, checkpoint=Checkpoint(named.checkpoint.network, info), others=())


def _count_sets(
    plain: NamedCheckpoint, sets: Sequence[DataSet], split: str, device: DeviceOptions, notes: Observer
) -> ChangeCounts:
    """Return the logits of all sets, each of which weighs as much as the largest one."""
    of_sets = []
    for one in sets:
        counts = logit_counts()
        grid = GridOptions(coregister="off")
        options = PredictOptions(
            read=ReadOptions(one.rules.bands, nodata=one.rules.nodata), device=device, grid=grid
        )
        with watched(notes, f"calibrate {plain.name}", len(one.split(split)), "pairs"):
            for pair in one.split(split):
                with prepared_run(plain, (pair.before, pair.after), options) as run:
                    count_logits(run, pair.labels, counts)
                notes.advance(1)
        of_sets.append(counts)
    together, largest = logit_counts(), max(counted.counts.sum() for counted in of_sets)
    for counted in of_sets:
        together.counts += counted.counts * (largest / max(counted.counts.sum(), 1.0))
    return together


@contextmanager
def prepared_run(
    checkpoint: NamedCheckpoint, files: tuple[str, str], options: PredictOptions
) -> Iterator[RunPlan]:
    """Give the run that would map two images; nothing is written."""
    with TemporaryDirectory(prefix="lsafnet-") as folder, rasterio.Env(**patience()), memory_errors():
        yield open_prediction(files, Path(folder) / "map.tif", options, Observer(), checkpoint).run


def count_logits(run: RunPlan, labels: PairLabels, counts: ChangeCounts) -> None:
    """Count the logits of change of a run's tiles, each pixel once in all: overlapping tiles share it by weight."""
    plan = run.plan
    for scored in scored_tiles(run):
        tile = scored.tile
        rows, cols = plan.bottom(tile.row) - tile.top, plan.right(tile.col) - tile.left
        theirs = labels.read(run.pair.grid, Window(tile.left, tile.top, cols, rows))
        known = theirs.valid if scored.valid is None else theirs.valid & scored.valid[:rows, :cols]
        probability = scored.scores[0, :rows, :cols].double().cpu().numpy()
        probability = probability.clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        weights = np.outer(plan.row_weights[tile.row][:rows], plan.col_weights[tile.col][:cols])
        logits = np.log(probability) - np.log1p(-probability)
        counts.add(logits[known], theirs.changed[known], weights[known])


def _fit(
    named: NamedCheckpoint, counts: ChangeCounts, fitted_on: str, output: Path, pairs: int, beta: float
) -> CalibrationReport:
    try:
        fitted = fit_decision(counts, fitted_on, beta)
    except ValueError as error:
        raise InputError(f"{fitted_on}: {error}") from error
    before, after = (reliability(counts, decision) for decision in (named.info.decision, fitted))
    curve = calibrated_curve(counts, fitted)
    pixels = round(counts.counts.sum())
    return CalibrationReport(
        named.name, str(output), pairs, pixels, round(curve.average_precision(), 6), before, after
    )


def reliability(counts: ChangeCounts, decision: ChangeDecision) -> Reliability:
    """Return how a decision does on pixels that were counted by their logits."""
    curve = calibrated_curve(counts, decision)
    f1 = round(curve.f1_at(decision.threshold), 6)
    return Reliability(decision, round(curve.calibration_error(), 6), f1, curve.reliability())
