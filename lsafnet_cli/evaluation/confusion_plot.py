"""The confusion matrix of transitions as a picture, with matplotlib (the extra `lsafnet[plot]`)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.evaluation.report import ChangeScores, Evaluation
from lsafnet_cli.maps.plots import write_figure

MOST_CODES = 30  # of one picture: those with most pixels; the others are put together
INCHES_PER_CODE, INCHES_AROUND, INCHES_BETWEEN = 0.5, 3.2, 0.6
REST = "others"


def plot_confusion(report: Evaluation, target: Path, overwrite: bool = False) -> None:
    """Draw a matrix for each thing that was scored: a row for each transition of the reference, in percent of it.

    Raises OutputError where the picture cannot be written.
    """
    write_figure(lambda: _draw(report), target, overwrite)


def shown_matrix(scores: ChangeScores) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of rows and columns, and the (n, n) pixels under them, the rarest codes put together."""
    codes, matrix = scores.confusion_matrix()
    names = [scores.labels[code] for code in codes]
    if len(codes) <= MOST_CODES:
        return names, matrix
    weight = matrix.sum(axis=0) + matrix.sum(axis=1)
    kept = np.sort(np.argsort(-weight, kind="stable")[: MOST_CODES - 1])
    group = np.full(len(codes), len(kept))
    group[kept] = np.arange(len(kept))
    gathered = np.zeros((MOST_CODES, MOST_CODES), np.int64)
    np.add.at(gathered, (group[:, None], group[None, :]), matrix)
    return [*(names[index] for index in kept), REST], gathered


def _draw(report: Evaluation) -> Any:
    from matplotlib.figure import Figure

    panels = [(Path(name).name, *shown_matrix(scores)) for name, scores in report.columns]
    sides = [INCHES_PER_CODE * len(names) + INCHES_AROUND for _, names, _ in panels]
    width = sum(sides) + INCHES_BETWEEN * (len(panels) - 1)
    figure = Figure(figsize=(width, max(sides)), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False, width_ratios=sides)
    for axes, (title, names, matrix) in zip(grid[0], panels, strict=True):
        _draw_matrix(axes, title, names, matrix)
    return figure


def _draw_matrix(axes: Any, title: str, names: list[str], matrix: NDArray[np.int64]) -> None:
    total = matrix.sum(axis=1, keepdims=True)
    percent = np.divide(100.0 * matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    axes.imshow(np.ma.masked_where(matrix == 0, percent), cmap="Blues", vmin=0, vmax=100)
    for row, col in zip(*np.nonzero(matrix), strict=True):
        ink = "white" if percent[row, col] > 60 else "black"
        axes.text(
            col, row, _percent_words(percent[row, col]), ha="center", va="center", color=ink, fontsize=7
        )
    places = range(len(names))
    axes.set_xticks(places, names, rotation=60, ha="left", rotation_mode="anchor", fontsize=8)
    rows = [f"{name} ({count:,} px)" for name, count in zip(names, total[:, 0].tolist(), strict=True)]
    axes.set_yticks(places, rows, fontsize=8)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.set_xlabel("in the map", loc="left")
    axes.xaxis.set_label_position("top")
    axes.set_ylabel("in the reference", loc="top")
    axes.set_title(f"{title}: where each reference transition went, percent", pad=14, loc="left", fontsize=10)
    axes.set_xticks(np.arange(-0.5, len(names)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(names)), minor=True)
    axes.grid(which="minor", color="0.85", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _percent_words(percent: float) -> str:
    return f"{percent:.0f}" if percent >= 0.5 else "<1"
