"""`lsafnet assess` as an algorithm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsProcessing, QgsProcessingOutputNumber, QgsProcessingParameterFileDestination

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, run_json, run_lsafnet
from lsafnet_processing.algorithms.wishes import image, more, vector


class AssessAlgorithm(LsafnetAlgorithm):
    """Says how accurate a map is."""

    command = "assess"
    title = "Assess a change map"
    help = (
        "Says how accurate a change map is and what areas follow, each with its 95 % interval, from points that were "
        "labelled: those of Draw a sample, or any points with the fields reference_from and reference_to. Points "
        "without labels are left out and counted.\n\n"
        "The table (CSV) holds the overall accuracy, user's and producer's accuracies, and adjusted areas."
    )
    wishes = (
        image("INPUT", "Change map of lsafnet"),
        vector("POINTS", None, "Labelled points", "--layer", QgsProcessing.TypeVectorPoint, optional=False),
        more(),
    )

    def add_outputs(self) -> None:
        """Add the table and the overall accuracy with its interval."""
        self.addParameter(QgsProcessingParameterFileDestination("OUTPUT", "Table", "CSV files (*.csv)"))
        self.addOutput(QgsProcessingOutputNumber("ACCURACY", "Overall accuracy (0 to 1)"))
        self.addOutput(QgsProcessingOutputNumber("LOW", "Lower end of its 95 % interval"))
        self.addOutput(QgsProcessingOutputNumber("HIGH", "Upper end of its 95 % interval"))
        self.addOutput(QgsProcessingOutputNumber("COUNT", "Number of labelled points"))

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the table."""
        output, words = given.file_output("OUTPUT"), self.words(given)
        found = run_json(given, "assess", *words)
        table = run_lsafnet(given, "assess", *words, "--format", "csv", "--quiet", watched=False).stdout
        Path(output).write_text(table, encoding="utf-8", newline="")
        accuracy = found["overall_accuracy"]
        interval = f"{accuracy['low']:.1%} to {accuracy['high']:.1%}"
        given.feedback.pushInfo(
            f"overall accuracy {accuracy['value']:.1%} ({interval}) from {found['points']} points"
        )
        numbers = {"ACCURACY": accuracy["value"], "LOW": accuracy["low"], "HIGH": accuracy["high"]}
        return {"OUTPUT": output, **numbers, "COUNT": found["points"]}
