"""The wishes of polygons, the same for every algorithm that writes them."""

from __future__ import annotations

from lsafnet_processing.algorithms.wishes import Wish, advanced, number, switch, text

SHAPE_WISHES: tuple[Wish, ...] = (
    text(
        "MIN_AREA",
        "--min-area",
        "Smallest polygon (m², or by class as building=25,water=200; empty: 16 pixels)",
    ),
    number("SIMPLIFY", "--simplify", "Simplify borders by up to (m)"),
    switch("SMOOTH", "--smooth", "Round the pixel steps"),
    advanced(switch("DISSOLVE", "--dissolve", "One multipolygon for each transition")),
    advanced(text("CLASSES", "--classes", "Only these transitions, such as *:building")),
)
POLYGON_WISHES: tuple[Wish, ...] = (
    *SHAPE_WISHES,
    advanced(text("BEFORE_DATE", "--before-date", "Date of the earlier image (2019-06-15)")),
    advanced(text("AFTER_DATE", "--after-date", "Date of the later image")),
)
