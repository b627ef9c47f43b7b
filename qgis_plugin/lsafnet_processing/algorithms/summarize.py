"""`lsafnet summarize` as an algorithm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
)

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, run_json, run_lsafnet
from lsafnet_processing.algorithms.predict import area_results
from lsafnet_processing.algorithms.wishes import Wish, image, more, vector


def _field_words(given: Given) -> list[str]:
    names = given.algorithm.parameterAsFields(given.parameters, "ZONE_FIELD", given.context)
    return ["--zone-field", names[0]] if names else []


ZONE_FIELD = Wish(
    lambda: QgsProcessingParameterField(
        "ZONE_FIELD", "Field that names the zones", parentLayerParameterName="ZONES", optional=True
    ),
    _field_words,
)


class SummarizeAlgorithm(LsafnetAlgorithm):
    """Counts a map's changes in hectares, by zone."""

    command = "summarize"
    title = "Summarize by zones"
    help = (
        "Says how much ground changed from what into what, in hectares and percent, for the whole map and for each "
        "zone, as a table (CSV). Pixels belong to the zone that holds their centre. Areas are true ground areas in "
        "any CRS."
    )
    wishes = (
        image("INPUT", "Change map of lsafnet"),
        vector("ZONES", "--zones", "Zones", "--zone-layer"),
        ZONE_FIELD,
        more(),
    )

    def add_outputs(self) -> None:
        """Add the table and the sum."""
        self.addParameter(QgsProcessingParameterFileDestination("OUTPUT", "Table", "CSV files (*.csv)"))
        self.addOutput(QgsProcessingOutputNumber("CHANGED_HA", "Changed area (ha)"))
        self.addOutput(
            QgsProcessingOutputNumber("CHANGED_PERCENT", "Changed area (percent of what has data)")
        )

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the table."""
        output, words = given.file_output("OUTPUT"), self.words(given)
        table = run_lsafnet(given, "summarize", *words, "--format", "csv", watched=False).stdout
        Path(output).write_text(table, encoding="utf-8", newline="")
        found = run_json(given, "summarize", words[0], watched=False)
        return {"OUTPUT": output, **area_results(given, found["whole"]["table"])}
