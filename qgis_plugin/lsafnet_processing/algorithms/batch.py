"""`lsafnet batch` as an algorithm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFolderDestination,
)

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, checkpoint_words, run_json
from lsafnet_processing.algorithms.layers import Styled
from lsafnet_processing.algorithms.predict import NETWORK_WISHES
from lsafnet_processing.algorithms.wishes import Wish, advanced, folder, more, switch, text

SOME_FAILED = 8
LOAD = Wish(lambda: QgsProcessingParameterBoolean("LOAD", "Load all polygons when done", True), lambda _: [])


class BatchAlgorithm(LsafnetAlgorithm):
    """Maps change of many pairs."""

    command = "batch"
    title = "Predict change of many pairs"
    help = (
        "Maps change of all pairs in two folders: files pair whose names are equal, or hold equal text where the "
        "regular expression says. A pair that fails stops no other; the same run again does what is missing.\n\n"
        "The folder gets a map and polygons of each pair, changes.gpkg with all polygons, and batch.csv."
    )
    wishes = (
        folder("BEFORE", "Folder of the images of the earlier date"),
        folder("AFTER", "Folder of the images of the later date"),
        text("MATCH", "--match", "Regular expression that finds the pairing part of a name"),
        *NETWORK_WISHES,
        advanced(text("DEVICES", "--devices", "Devices (auto, cuda:0,cuda:1, 4xcpu)")),
        switch("REPORT", "--report", "A report page for each pair, and an index page"),
        LOAD,
        advanced(switch("OVERWRITE", "--overwrite", "Do finished pairs again")),
        more(),
    )

    def add_outputs(self) -> None:
        """Add the folder, all its polygons, and the counts."""
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder for the maps"))
        self.addOutput(QgsProcessingOutputVectorLayer("POLYGONS", "All change polygons"))
        self.addOutput(QgsProcessingOutputNumber("DONE", "Pairs that are done"))
        self.addOutput(QgsProcessingOutputNumber("FAILED", "Pairs that failed"))

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the maps of all pairs."""
        output, words = given.file_output("OUTPUT"), self.words(given)
        command = ["batch", *words, *checkpoint_words(words), "-o", output]
        found = run_json(given, *command, allowed=(0, SOME_FAILED))
        failed = [scene for scene in found["scenes"] if scene["status"] == "failed"]
        for scene in failed:
            given.feedback.reportError(f"{scene['name']}: {scene['error']}")
        results = {"OUTPUT": output, "DONE": len(found["scenes"]) - len(failed), "FAILED": len(failed)}
        polygons = Path(output) / "changes.gpkg"
        if polygons.exists():
            results["POLYGONS"] = str(polygons)
            load_polygons(given, str(polygons))
        return results


def load_polygons(given: Given, path: str) -> None:
    """Load all polygons, where that is wanted and this run belongs to a project."""
    project = given.context.project()
    if project is None or not given.algorithm.parameterAsBool(given.parameters, "LOAD", given.context):
        return
    Styled.kept[path] = Styled("Change polygons of all pairs", None)
    details = QgsProcessingContext.LayerDetails("Change polygons of all pairs", project, "POLYGONS")
    details.setPostProcessor(Styled.kept[path])
    given.context.addLayerToLoadOnCompletion(path, details)
