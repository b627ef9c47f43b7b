"""`lsafnet review` as an algorithm."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingException,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, run_json
from lsafnet_processing.algorithms.layers import load_styled, names_of
from lsafnet_processing.algorithms.wishes import image, more, text, vector


class ReviewAlgorithm(LsafnetAlgorithm):
    """Writes polygons to review, or corrects a map by them."""

    command = "review"
    title = "Review and correct"
    help = (
        "First, without reviewed polygons: writes the changes of a map as polygons with a form, in which you accept, "
        "reject or correct each.\n\n"
        "Then, with these polygons: writes a map in which rejected changes are unchanged and corrected ones are what "
        "you said, and, where you name a folder, the areas you looked at as a data set for training. Save your edits "
        "first."
    )
    wishes = (
        image("INPUT", "Change map of lsafnet"),
        vector("VERDICTS", None, "Reviewed polygons (empty: write the polygons to review)"),
        text("MIN_AREA", "--min-area", "Smallest polygon to review (m², or by class as building=25)"),
        image(
            "BEFORE",
            "Image of the earlier date, for labels (empty: that of the map)",
            "--before",
            optional=True,
        ),
        image("AFTER", "Image of the later date, for labels", "--after", optional=True),
        more(),
    )

    def add_outputs(self) -> None:
        """Add the polygons of the first step, the map and labels of the second, and its counts."""
        polygon = QgsProcessing.TypeVectorPolygon
        self.addParameter(
            QgsProcessingParameterVectorDestination("POLYGONS", "Polygons to review", polygon, optional=True)
        )
        self.addParameter(
            QgsProcessingParameterRasterDestination("OUTPUT", "Corrected change map", optional=True)
        )
        self.addParameter(
            QgsProcessingParameterFolderDestination(
                "LABELS", "Data set for training", optional=True, createByDefault=False
            )
        )
        self.addOutput(QgsProcessingOutputNumber("REVIEWED", "Polygons reviewed"))
        self.addOutput(QgsProcessingOutputNumber("OPEN", "Polygons still open"))

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the polygons to review, or what follows from them."""
        if given.parameters.get("VERDICTS") is None:
            return self._begin(given)
        return self._correct(given)

    def _begin(self, given: Given) -> dict[str, Any]:
        polygons = _needed(given.output("POLYGONS"), "Polygons to review")
        found = run_json(given, "review", *self.words(given), "-o", polygons, "--overwrite")
        load_styled(given, polygons, f"Polygons to review {names_of(given, 'INPUT')}")
        return {"POLYGONS": polygons, "REVIEWED": 0, "OPEN": found["polygon_count"]}

    def _correct(self, given: Given) -> dict[str, Any]:
        output = _needed(given.output("OUTPUT"), "Corrected change map")
        labels = given.file_output("LABELS")
        more_words = ["--labels", labels] if labels else []
        found = run_json(given, "review", *self.words(given), "-o", output, *more_words, "--overwrite")
        load_styled(given, output, f"{names_of(given, 'INPUT')}, corrected")
        results = {"OUTPUT": output, "REVIEWED": found["reviewed"], "OPEN": found["still_open"]}
        return {**results, "LABELS": labels} if labels else results


def _needed(path: str, output: str) -> str:
    """Return the path of an output. Raises QgsProcessingException where it was left out."""
    if not path:
        raise QgsProcessingException(f"{output}: name a file, for that is what this step writes")
    return path
