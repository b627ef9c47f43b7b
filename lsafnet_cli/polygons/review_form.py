"""The form in which somebody says of each polygon whether it is right: two fields of a GeoPackage."""

import sqlite3
from contextlib import closing
from pathlib import Path

from lsafnet_cli.files.forms import CATEGORIES, FormField, add_form
from lsafnet_cli.files.layer_style import LayerStyle, polygon_renderer, qml_text, style_root
from lsafnet_cli.legend.classes import Legend
from lsafnet_cli.polygons.table import FIELDS

OPEN, ACCEPTED, REJECTED, CORRECTED = STATES = ("open", "accepted", "rejected", "corrected")
STATUS, CORRECTED_TO = "status", "corrected_to"
SHOWN = ("transition", "area_ha", "confidence")


def add_verdict_fields(path: Path, layer: str) -> None:
    """Add `status`, which is open, and `corrected_to`, which is null, to a layer of a GeoPackage. Raises OSError."""
    try:
        with closing(sqlite3.connect(path)) as base, base:
            base.execute(f"ALTER TABLE {layer} ADD COLUMN {STATUS} TEXT DEFAULT '{OPEN}'")
            base.execute(f"ALTER TABLE {layer} ADD COLUMN {CORRECTED_TO} TEXT")
    except sqlite3.Error as error:
        raise OSError(str(error)) from error


def review_style(legend: Legend) -> LayerStyle:
    """Return the style of polygons with a form: drop-downs for the verdict, all else as it is."""
    root = style_root(CATEGORIES)
    root.append(polygon_renderer(legend))
    add_form(root, [
        FormField("fid", kind="hidden"),
        *(FormField(name, editable=False, kind="text" if name in SHOWN else "hidden") for name in FIELDS),
        FormField(STATUS, "verdict", STATES),
        FormField(CORRECTED_TO, "corrected to", tuple(legend.labels.values())),
    ])  # fmt: skip
    return LayerStyle(qml_text(root), description="colours of the change map, and a form for verdicts")
