"""`lsafnet sample` as an algorithm."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessing, QgsProcessingOutputNumber, QgsProcessingParameterVectorDestination

from lsafnet_processing.algorithms.base import Given, LsafnetAlgorithm, run_json
from lsafnet_processing.algorithms.layers import load_styled, names_of
from lsafnet_processing.algorithms.wishes import advanced, choice, image, more, number


class SampleAlgorithm(LsafnetAlgorithm):
    """Draws points to be labelled."""

    command = "sample"
    title = "Draw a sample"
    help = (
        "Draws points of a change map at random within strata, one stratum for each transition unless you choose "
        "otherwise. The points open with a form: say for each what was there before and after, by looking at the "
        "images, not at the map; then run Assess.\n\n"
        "With both images given, a picture of each point lies beside the file and shows in the form."
    )
    wishes = (
        image("INPUT", "Change map of lsafnet"),
        number("PER_STRATUM", "--per-stratum", "Points in each stratum (empty: 50)"),
        number("TOTAL", "--total", "Points in all (empty: as the strata need)"),
        choice(
            "ALLOCATION",
            "--allocation",
            "How a total is shared out",
            ("equal", "proportional", "neyman", "optimal"),
        ),
        choice("STRATA", "--strata", "What makes a stratum", ("transition", "from", "to", "change")),
        image("BEFORE", "Image of the earlier date, for pictures of the points", "--before", optional=True),
        image("AFTER", "Image of the later date", "--after", optional=True),
        advanced(number("SEED", "--seed", "Random seed (empty: 0)")),
        advanced(
            number("MERGE_RARE", "--merge-rare", "Merge transitions that cover less than (percent)", 0, 100)
        ),
        more(),
    )

    def add_outputs(self) -> None:
        """Add the points and their number."""
        points = QgsProcessing.TypeVectorPoint
        self.addParameter(QgsProcessingParameterVectorDestination("OUTPUT", "Points to label", points))
        self.addOutput(QgsProcessingOutputNumber("COUNT", "Number of points"))

    def execute(self, given: Given) -> dict[str, Any]:
        """Write the points."""
        output = given.output("OUTPUT")
        found = run_json(given, "sample", *self.words(given), "-o", output, "--overwrite")
        load_styled(given, output, f"Points to label {names_of(given, 'INPUT')}")
        return {"OUTPUT": output, "COUNT": found["points"]}
