"""The rasters that a series ends in: their names, and what their numbers mean to people and to a GIS."""

from collections.abc import Sequence

import numpy as np

from lsafnet_cli.files.raster_styles import PERCENT_COLORS, Category, RasterStyle
from lsafnet_cli.legend.classes import Color, Legend, parse_color
from lsafnet_cli.legend.palettes import UNCHANGED_COLOR
from lsafnet_cli.series.chain import INCOMPLETE, UNKNOWN

WHEN, TIMES, OBSERVED = "when", "how_often", "observed"
FIRST_CLASS, LAST_CLASS, DISAGREEMENT = "first_class", "last_class", "disagreement"
OF_CLASSES = (FIRST_CLASS, LAST_CLASS, DISAGREEMENT)
FIELDS = {  # of ChainRows
    WHEN: "when", TIMES: "times", OBSERVED: "observed", FIRST_CLASS: "first", LAST_CLASS: "last",
    DISAGREEMENT: "apart",
}  # fmt: skip
GAP_COLOR: Color = (208, 208, 208)


def layer_names(semantic: bool) -> tuple[str, ...]:
    """Return the names of the rasters: all, or those that need no classes."""
    return tuple(name for name in FIELDS if semantic or name not in OF_CLASSES)


def style_of(name: str, intervals: Sequence[str], legend: Legend) -> RasterStyle:
    """Return how a raster of a series is described and coloured; `intervals` are their names, the earliest first."""
    count = len(intervals)
    if name == WHEN:
        changed = _numbered(intervals, colors_of_time(count))
        return RasterStyle("interval of the last change", (*_without_change(), *changed))
    if name == TIMES:
        labels = [_times(number, "change") for number in range(1, count + 1)]
        return RasterStyle(
            "number of changes", (*_without_change(), *_numbered(labels, colors_of_time(count)))
        )
    if name == OBSERVED:
        labels = [_times(number, "interval") for number in range(1, count + 1)]
        none = Category(0, "no interval with data", UNCHANGED_COLOR)
        return RasterStyle("intervals with data", (none, *_numbered(labels, colors_of_time(count))))
    if name == DISAGREEMENT:
        agree = Category(0, "the intervals agree", UNCHANGED_COLOR)
        labels = [f"disagree at {_times(number, 'date')}" for number in range(1, count)]
        return RasterStyle(
            "dates at which intervals disagree", (agree, *_numbered(labels, colors_of_time(count - 1)))
        )
    known = zip(legend.names[1:], legend.colors[1:], strict=True)
    unknown = Category(UNKNOWN, "class not known", UNCHANGED_COLOR)
    classes = (Category(number, label, color) for number, (label, color) in enumerate(known, 1))
    return RasterStyle(
        f"land cover, {'first' if name == FIRST_CLASS else 'last'} that is known", (unknown, *classes)
    )


def colors_of_time(count: int) -> list[Color]:
    """Return a colour for each of some steps, from dark violet over green to yellow."""
    stops = np.array(list(PERCENT_COLORS))
    colors = np.array([parse_color(color) for color in PERCENT_COLORS.values()], float)
    places = np.array([75.0]) if count == 1 else np.linspace(0, 100, count)
    ramp = (
        np.stack([np.interp(places, stops, colors[:, band]) for band in range(3)], axis=1).round().astype(int)
    )
    return [(int(red), int(green), int(blue)) for red, green, blue in ramp]


def _without_change() -> tuple[Category, Category]:
    return (
        Category(0, "never changed", UNCHANGED_COLOR),
        Category(INCOMPLETE, "no change seen, some intervals without data", GAP_COLOR),
    )


def _numbered(labels: Sequence[str], colors: Sequence[Color]) -> list[Category]:
    return [Category(number, *entry) for number, entry in enumerate(zip(labels, colors, strict=True), 1)]


def _times(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
