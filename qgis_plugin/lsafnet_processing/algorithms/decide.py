"""`lsafnet decide` as an algorithm."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, run_json
from lsafnet_processing.algorithms.layers import load_styled, names_of
from lsafnet_processing.algorithms.polygons import SHAPE_WISHES
from lsafnet_processing.algorithms.predict import area_results, style_of_polygons
from lsafnet_processing.algorithms.wishes import image, more, number, texts


class DecideAlgorithm(LsafnetAlgorithm):
    """Makes another map of the layers beside one."""

    command = "decide"
    title = "Decide again"
    help = (
        "Makes another change map from the layers beside one, without the network: at another threshold, without "
        "small components, with classes merged, or with transitions that count as unchanged.\n\n"
        "Another threshold needs the layers 'probability of change' and both land covers beside the map; Predict "
        "change writes them under 'Further layers beside the map'."
    )
    wishes = (
        image("INPUT", "Change map of lsafnet"),
        number("THRESHOLD", "--threshold", "Changed above this probability (empty: the map's)", 0.0, 1.0),
        number("SIEVE", "--sieve", "Smallest connected component (pixels)"),
        texts("IGNORE", "--ignore", "Transitions that count as unchanged (tree:grass; *:water)"),
        texts("MERGE", "--merge", "Classes to merge (grass+tree=vegetation)"),
        *SHAPE_WISHES,
        more(),
    )

    def add_outputs(self) -> None:
        """Add the map, its polygons, and how much changed."""
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", "Change map"))
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "POLYGONS",
                "Change polygons",
                QgsProcessing.TypeVectorPolygon,
                optional=True,
                createByDefault=False,
            )
        )
        self.addOutput(QgsProcessingOutputNumber("CHANGED_HA", "Changed area (ha)"))
        self.addOutput(
            QgsProcessingOutputNumber("CHANGED_PERCENT", "Changed area (percent of what has data)")
        )

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the map, and polygons where they are wanted."""
        output, polygons = given.output("OUTPUT"), given.output("POLYGONS")
        beside = ["--polygons", polygons] if polygons else []
        found = run_json(given, "decide", *self.words(given), "-o", output, *beside, "--overwrite")
        name = names_of(given, "INPUT")
        load_styled(given, output, f"{name}, decided again")
        results = {"OUTPUT": output, **area_results(given, found["table"])}
        if polygons:
            load_styled(given, polygons, f"Change polygons {name}", style=style_of_polygons(output, polygons))
            results["POLYGONS"] = polygons
        return results
