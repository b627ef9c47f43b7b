"""`lsafnet predict` as an algorithm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, checkpoint_words, run_json
from lsafnet_processing.algorithms.layers import load_styled, names_of
from lsafnet_processing.algorithms.polygons import POLYGON_WISHES
from lsafnet_processing.algorithms.wishes import (
    Wish,
    advanced,
    choice,
    file,
    image,
    more,
    number,
    several,
    switch,
    text,
    vector,
)

LAYERS = {
    "probability": "probability of change",
    "from": "class before, where changed",
    "to": "class after, where changed",
    "before": "land cover before",
    "after": "land cover after",
}
NETWORK_WISHES: tuple[Wish, ...] = (
    file("CHECKPOINT", "--checkpoint", "Checkpoint (empty: the one of the settings)", "safetensors"),
    number("THRESHOLD", "--threshold", "Changed above this probability (empty: the checkpoint's)", 0.0, 1.0),
    text("BANDS", "--bands", "Bands, by number or name (4,3,2)"),
    vector("AOI", "--aoi", "Area of interest"),
    choice(
        "COREGISTER", "--coregister", "Correct a constant shift between the images", ("auto", "on", "off")
    ),
    advanced(text("STRETCH", "--stretch", "Stretch (auto, none, percentile:2,98, range:0,3000)")),
    advanced(choice("GRID", "--grid", "Whose pixels the map has", ("before", "after"))),
    advanced(number("RESOLUTION", "--resolution", "Side of the map's pixels (m)")),
    advanced(switch("TTA", "--tta", "Average over flipped tiles (four times the work)")),
)


class PredictAlgorithm(LsafnetAlgorithm):
    """Maps change from two images."""

    command = "predict"
    title = "Predict change"
    help = (
        "Maps what changed between two images of one place, from what to what, and where exactly.\n\n"
        "The images may differ in grid, CRS and size: the later one is aligned to the earlier one while it is read. "
        "Pixels without data in either image are no data in the map, never unchanged.\n\n"
        "The map opens with every transition named and coloured; the polygons carry from, to, ground area and mean "
        "probability. The probability layer lets you judge how sure the network is.\n\n"
        "The checkpoint shipped with lsafnet is good for a first look at sharp aerial images in colour. For figures, "
        "name a checkpoint trained for your images, and assess the map.\n\n"
        "Cancelling stops the program; the same run later resumes from the last finished rows where it can."
    )
    wishes = (
        image("BEFORE", "Image of the earlier date"),
        image("AFTER", "Image of the later date"),
        *NETWORK_WISHES,
        advanced(choice("DEVICE", "--device", "Device", ("auto", "cpu", "cuda"))),
        *POLYGON_WISHES,
        several("ALSO", "--also", "Further layers beside the map", tuple(LAYERS)),
        more(),
    )

    def add_outputs(self) -> None:
        """Add the map, its polygons, its page, and what it found."""
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", "Change map"))
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "POLYGONS", "Change polygons", QgsProcessing.TypeVectorPolygon, optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "REPORT", "Report page", "HTML files (*.html)", optional=True, createByDefault=False
            )
        )
        self.addOutput(QgsProcessingOutputNumber("CHANGED_HA", "Changed area (ha)"))
        self.addOutput(
            QgsProcessingOutputNumber("CHANGED_PERCENT", "Changed area (percent of what has data)")
        )

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the map and what else is wanted."""
        output, polygons, page = given.output("OUTPUT"), given.output("POLYGONS"), given.file_output("REPORT")
        words = self.words(given)
        beside = ["--polygons", polygons] if polygons else []
        found = run_json(
            given, "predict", *words, *checkpoint_words(words), "-o", output, *beside, "--overwrite"
        )
        load_all(given, output, polygons, found["outputs"])
        results = {"OUTPUT": output, **area_results(given, found["table"])}
        if polygons:
            results["POLYGONS"] = polygons
        if page:
            images = ["--before", words[0], "--after", words[1]]
            run_json(given, "report", output, *images, "-o", page, "--overwrite")
            results["REPORT"] = page
        return results


def load_all(given: Given, output: str, polygons: str, written: dict[str, str]) -> None:
    """Name and style the map, its polygons and the layers beside it."""
    pair = names_of(given, "BEFORE", "AFTER")
    load_styled(given, output, f"Changes {pair}")
    if polygons:
        load_styled(given, polygons, f"Change polygons {pair}", style=style_of_polygons(output, polygons))
    for layer, words in LAYERS.items():
        if layer in written:
            load_styled(given, written[layer], f"{words.capitalize()} {pair}", beside=output)


def style_of_polygons(change_map: str, polygons: str) -> Path | None:
    """Return the style that polygons share with their map, None where they bring their own."""
    return None if polygons.lower().endswith(".gpkg") else Path(change_map).with_suffix(".qml")


def area_results(given: Given, table: dict[str, Any]) -> dict[str, float]:
    """Return how much changed, and tell it by transition."""
    for row in table["transitions"]:
        area = f"{row['area_ha']:,.2f} ha" if row["area_ha"] is not None else f"{row['pixels']:,} pixels"
        given.feedback.pushInfo(f"{row['name']}: {area} ({row['share']:.2%})")
    share = table["changed_pixels"] / table["valid_pixels"] if table["valid_pixels"] else 0.0
    return {"CHANGED_HA": table["changed_ha"] or 0.0, "CHANGED_PERCENT": 100 * share}
