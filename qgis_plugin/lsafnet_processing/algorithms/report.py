"""`lsafnet report` as an algorithm."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingParameterFileDestination

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, run_json
from lsafnet_processing.algorithms.wishes import advanced, file, image, more, number, text


class ReportAlgorithm(LsafnetAlgorithm):
    """Writes one page of a map."""

    command = "report"
    title = "Report page"
    help = (
        "Writes one HTML page of a change map: both dates under a swipe handle, the changes over them, areas, a "
        "from-to flow picture, and cards of the largest and the least certain changes. The page is one file, opens "
        "offline and asks nothing of any server."
    )
    wishes = (
        image("INPUT", "Change map of lsafnet"),
        image("BEFORE", "Image of the earlier date", "--before", optional=True),
        image("AFTER", "Image of the later date", "--after", optional=True),
        text("TITLE", "--title", "Title"),
        advanced(
            file("PROBABILITY", "--probability", "Probability layer (empty: the one beside the map)", "tif")
        ),
        advanced(number("MAX_MB", "--max-mb", "Largest size of the page (MB)")),
        more(),
    )

    def add_outputs(self) -> None:
        """Add the page."""
        self.addParameter(
            QgsProcessingParameterFileDestination("OUTPUT", "Report page", "HTML files (*.html)")
        )

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the page."""
        output = given.file_output("OUTPUT")
        run_json(given, "report", *self.words(given), "-o", output, "--overwrite", watched=False)
        return {"OUTPUT": output}
