"""Figures with matplotlib (the extra `lsafnet[plot]`), and the from-to table of a map as a heat map."""

import io
import warnings
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lsafnet_cli.errors import InputError, OptionError
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.replacing import replacing
from lsafnet_cli.maps.summarize import MapSummary
from lsafnet_cli.system.locks import locked_outputs

PLOT_ENDINGS = (".png", ".svg")
INCHES_PER_CLASS, INCHES_AROUND = 1.05, 2.6
PIXELS_PER_INCH = 130
FONTS = (  # the first that has a letter draws it
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "SimHei",
    "Noto Sans Arabic", "Noto Sans Devanagari", "Arial Unicode MS",
)  # fmt: skip


def check_plot(target: Path, inputs: Iterable[str], overwrite: bool) -> None:
    """Raise OptionError or OutputError, before anything is counted, if a figure cannot be drawn."""
    if target.suffix.lower() not in PLOT_ENDINGS:
        raise OptionError(f"`plot` {target}: the file extension must be .png or .svg")
    if find_spec("matplotlib") is None:
        raise OptionError("`plot`: matplotlib is not installed; pip install 'lsafnet[plot]'")
    check_path(target, inputs, overwrite)


def plot_summary(summary: MapSummary, target: Path, overwrite: bool = False) -> None:
    """Draw the from-to table of the whole map as a heat map.

    Raises InputError for a map without land cover, OutputError where the picture cannot be written.
    """
    if not summary.whole.classes:
        raise InputError(
            f"{summary.map}: this binary change map has no land-cover classes, so there is no from-to table to draw"
        )
    write_figure(lambda: _draw(summary), target, overwrite)


def write_figure(draw: Callable[[], Any], target: Path, overwrite: bool = False) -> None:
    """Draw a figure with text in any script, and write it. Raises OutputError if that fails."""
    import matplotlib
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    settings: Any = {
        "font.family": [name for name in FONTS if name in installed],
        "svg.fonttype": "none",  # text stays text, drawn with the viewer's fonts
        "svg.hashsalt": "lsafnet",  # reproducible files
    }
    kind = target.suffix.lower().removeprefix(".")
    content = io.BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing from"
        )  # no installed font has it: a box is drawn
        metadata = {"Date": None} if kind == "svg" else {}
        draw().savefig(content, format=kind, dpi=PIXELS_PER_INCH, metadata=metadata)
    with locked_outputs([target], tell=lambda _: None), replacing(target, overwrite) as path:
        path.write_bytes(content.getvalue())


def _draw(summary: MapSummary) -> Any:
    """Return the figure: a row for each class changed from, a column for each class changed to."""
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    part, kept = summary.whole, summary.whole.changing or tuple(range(len(summary.classes)))
    in_ha = part.table.valid_ha is not None
    values = np.array(
        [[_value(part.matrix_ha if in_ha else part.matrix_pixels, s, t) for t in kept] for s in kept]
    )
    side = INCHES_PER_CLASS * (len(kept) + 1) + INCHES_AROUND
    figure = Figure(figsize=(side, side - 1), layout="constrained")
    axes = figure.add_subplot()
    norm = PowerNorm(0.5, 0, max(values.max(), 1e-9))  # small changes stay visible beside large ones
    axes.imshow(np.ma.masked_equal(values, 0), cmap="Blues", norm=norm)
    decimals = 0 if not in_ha else 2 if values.max() >= 1 else 4
    _write_numbers(axes, values, norm, f"{{:,.{decimals}f}}")
    _write_names(axes, [summary.classes[index] for index in kept], [summary.colors[index] for index in kept])
    share = (
        f", {part.changed_percent:.1f} % of the area with data" if part.changed_percent is not None else ""
    )
    unit = "hectares" if in_ha else "pixels"
    axes.set_title(f"{Path(summary.map).name}: {unit} changed{share}", pad=14)
    return figure


def _value(matrix: tuple[tuple[Any, ...], ...], source: int, target: int) -> float:
    return float(matrix[source][target] or 0)


def _write_numbers(axes: Any, values: Any, norm: Any, form: str) -> None:
    """Write the value of each cell, losses of each class to the right of the table and gains below it."""
    count = len(values)
    for row, col in np.ndindex(values.shape):
        if values[row, col] > 0:
            ink = "white" if norm(values[row, col]) > 0.6 else "black"
            axes.text(col, row, form.format(values[row, col]), ha="center", va="center", color=ink)
    between = values * (1 - np.eye(count))
    for index in range(count):
        axes.text(count, index, form.format(between[index].sum()), ha="center", va="center")
        axes.text(index, count, form.format(between[:, index].sum()), ha="center", va="center")


def _write_names(axes: Any, names: list[str], colors: list[str]) -> None:
    """Label rows and columns, each in the colour of its class."""
    count = len(names)
    places = range(count + 1)
    axes.set_xticks(places, [*names, "lost"], rotation=45, ha="left", rotation_mode="anchor")
    axes.set_yticks(places, [*names, "gained"])
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0, pad=20)
    axes.set_xlabel("to", loc="left")
    axes.xaxis.set_label_position("top")
    axes.set_ylabel("from", loc="top")
    axes.set_xlim(-0.5, count + 0.5)
    axes.set_ylim(count + 0.5, -0.5)
    for edge in np.arange(-0.5, count):
        axes.plot([-0.5, count - 0.5], [edge, edge], color="0.8", linewidth=0.8)
        axes.plot([edge, edge], [-0.5, count - 0.5], color="0.8", linewidth=0.8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    chip = {"marker": "s", "markersize": 9, "markeredgecolor": "0.4", "clip_on": False}
    for index, color in enumerate(colors):
        axes.plot([-0.5 - 0.12], [index], color=color, **chip)
        axes.plot([index], [-0.5 - 0.12], color=color, **chip)
