"""Plot of learning curves."""

from pathlib import Path

from lsafnet_cli.training.watching import EpochRow

SHOWN = ("miou", "oa", "sek", "f_scd")


def draw_curves(history: list[EpochRow], path: Path) -> bool:
    """Draw losses and scores over the epochs; return whether matplotlib (extra `plot`) is there to do so."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    for name in history[0].losses:
        left.plot(
            epochs, [row.losses[name] for row in history], label=name, linewidth=2 if name == "total" else 1
        )
    for name in SHOWN:
        right.plot(epochs, [row.scores[name] for row in history], label=name)
    for axes, title in ((left, "loss (training)"), (right, "scores (validation)")):
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    right.set_ylim(0, 1)
    figure.savefig(path, dpi=110, format="png")
    return True
