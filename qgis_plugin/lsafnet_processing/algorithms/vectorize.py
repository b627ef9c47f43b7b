"""`lsafnet vectorize` as an algorithm."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessing, QgsProcessingOutputNumber, QgsProcessingParameterVectorDestination

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, run_json
from lsafnet_processing.algorithms.layers import load_styled, names_of
from lsafnet_processing.algorithms.polygons import POLYGON_WISHES
from lsafnet_processing.algorithms.predict import style_of_polygons
from lsafnet_processing.algorithms.wishes import file, image, more


class VectorizeAlgorithm(LsafnetAlgorithm):
    """Draws the polygons of a map."""

    command = "vectorize"
    title = "Vectorize a change map"
    help = (
        "Writes the changes of a map as polygons with from, to, true ground area and mean probability of change.\n\n"
        "Small ones can be merged into their neighbours, borders simplified (common borders stay common) and pixel "
        "steps rounded. The probability is taken from the map's own probability layer where that lies beside it."
    )
    wishes = (
        image("INPUT", "Change map of lsafnet"),
        file("PROBABILITY", "--probability", "Probability layer (empty: the one beside the map)", "tif"),
        *POLYGON_WISHES,
        more(),
    )

    def add_outputs(self) -> None:
        """Add the polygons and their number."""
        polygon = QgsProcessing.TypeVectorPolygon
        self.addParameter(QgsProcessingParameterVectorDestination("OUTPUT", "Change polygons", polygon))
        self.addOutput(QgsProcessingOutputNumber("COUNT", "Number of polygons"))

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the polygons."""
        output, words = given.output("OUTPUT"), self.words(given)
        found = run_json(given, "vectorize", *words, "-o", output, "--overwrite")
        style = style_of_polygons(words[0], output)
        load_styled(given, output, f"Change polygons {names_of(given, 'INPUT')}", style=style)
        return {"OUTPUT": output, "COUNT": found["polygon_count"]}
