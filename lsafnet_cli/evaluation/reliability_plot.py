"""The reliability of change as a picture, before and after a calibration (the extra `lsafnet[plot]`)."""

from pathlib import Path
from typing import Any

from lsafnet_cli.evaluation.calibrate import CalibrationReport
from lsafnet_cli.maps.plots import write_figure

INCHES = (5.2, 6.0)


def plot_reliability(report: CalibrationReport, target: Path) -> None:
    """Draw the share that has changed over the probability, and below it how many pixels have which.

    Raises OutputError where the picture cannot be written.
    """
    write_figure(lambda: _draw(report), target)


def _draw(report: CalibrationReport) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, layout="constrained")
    shares, pixels = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    shares.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, one, color in (("before", report.before, "#b35806"), ("after", report.after, "#2166ac")):
        label = f"{name}: calibration error {one.calibration_error:.3f}"
        middles = [row.probability for row in one.rows]
        shares.plot(middles, [row.changed for row in one.rows], "o-", color=color, label=label)
        pixels.step(
            [row.low for row in one.rows], [row.pixels for row in one.rows], where="post", color=color
        )
        shares.axvline(one.decision.threshold, color=color, linestyle=":", linewidth=1)
    shares.set_ylabel("share that has changed")
    shares.legend(loc="upper left", fontsize=8)
    shares.set_title(f"{report.checkpoint} on {report.after.decision.fitted_on}", fontsize=9, loc="left")
    pixels.set_yscale("log")
    pixels.set_ylabel("pixels")
    pixels.set_xlabel("probability of change (dotted: threshold)")
    return figure
