"""The probabilities of a whole scene from which a map is decided; for scenes that fit in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lsafnet_cli.prediction.infer import Scorer, TileScores, infer_tiles, make_batches
from lsafnet_cli.prediction.plan import RunPlan
from lsafnet_cli.prediction.stitch import blended
from lsafnet_cli.prediction.tile_rows import cut_tiles, read_tile_rows
from lsafnet_cli.scenes.validity import BoolArray
from lsafnet_cli.system.devices import BatchSize


@dataclass(frozen=True, slots=True)
class SceneScores:
    """(scores, rows, cols) float32 on the host, blended over overlaps, and (rows, cols) where both dates have data.

    Scores are change first, then the land cover 1..K-1 of before, then that of after; 0 where there is no data.
    """

    scores: Tensor
    valid: BoolArray


def scored_tiles(run: RunPlan) -> Iterator[TileScores]:
    """Yield the probabilities of each tile of a run that holds data, in the plan's order."""
    scorer = Scorer(
        [member.checkpoint for member in run.checkpoint.members],
        run.stretches,
        run.device,
        run.options.tta,
        run.scales,
    )
    size = BatchSize(run.options.device.batch_size, run.device, run.network_px)
    rows = read_tile_rows(run.pair, run.plan, run.options.read.threads, limits=run.limits)
    return infer_tiles(scorer, make_batches(cut_tiles(rows, run.plan), size, run.device), size)


def scene_scores(run: RunPlan) -> SceneScores:
    """Compute the probabilities from which `predict_change` decides a map, with the same tiles."""
    plan = run.plan
    found = SceneScores(
        torch.zeros((run.decision.score_count, plan.height, plan.width)),
        np.zeros((plan.height, plan.width), bool),
    )
    for finished in blended(scored_tiles(run), plan, run.decision.score_count):
        rows, cols = finished.scores.shape[1:]
        place = np.s_[finished.top : finished.top + rows, finished.left : finished.left + cols]
        found.valid[place] = True if finished.valid is None else finished.valid
        found.scores[:, *place] = finished.scores.cpu()
    return SceneScores(found.scores * torch.from_numpy(found.valid), found.valid)
