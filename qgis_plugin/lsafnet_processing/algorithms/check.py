"""`lsafnet check` as an algorithm."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingOutputBoolean,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
)

from lsafnet_processing.algorithms.base import (
    PAIR_DOES_NOT_FIT,
    Given,
    LsafnetAlgorithm,
    checkpoint_words,
    run_json,
)
from lsafnet_processing.algorithms.wishes import file, image, more, text


class CheckAlgorithm(LsafnetAlgorithm):
    """Says whether two images fit."""

    command = "check"
    title = "Check pair"
    help = (
        "Says whether two images fit, before anything is computed: CRS, grids, overlap, bands, dates, share without "
        "data, and how far the images are shifted against each other. A pair that does not fit is no failure of this "
        "algorithm: FITS is then false and VERDICT says why."
    )
    wishes = (
        image("BEFORE", "Image of the earlier date"),
        image("AFTER", "Image of the later date"),
        file("CHECKPOINT", "--checkpoint", "Checkpoint (empty: the one of the settings)", "safetensors"),
        text("BANDS", "--bands", "Bands, by number or name (4,3,2)"),
        more(),
    )

    def add_outputs(self) -> None:
        """Add the page of what was found, the verdict, and whether the pair fits."""
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "OUTPUT", "What was found", "HTML files (*.html)", optional=True, createByDefault=True
            )
        )
        self.addOutput(QgsProcessingOutputString("VERDICT", "Verdict"))
        self.addOutput(QgsProcessingOutputBoolean("FITS", "Whether the pair fits"))

    def execute(self, given: Given) -> dict[str, Any]:
        """Tell what was found."""
        words = self.words(given)
        command = ["check", *words, *checkpoint_words(words)]
        found = run_json(given, *command, allowed=(0, PAIR_DOES_NOT_FIT), watched=False)
        given.feedback.pushInfo(found["verdict"])
        for finding in found["findings"]:
            given.feedback.pushWarning(str(finding))
        results = {"VERDICT": found["verdict"], "FITS": found["verdict"] == "fits"}
        if output := given.file_output("OUTPUT"):
            Path(output).write_text(page_of(found), encoding="utf-8")
            results["OUTPUT"] = output
        return results


def page_of(found: dict[str, Any]) -> str:
    """Return what was found as a small page: a table for each part."""
    parts = [f"<h1>{escape(found['verdict'])}</h1>"]
    parts += [f"<p>{escape(str(finding))}</p>" for finding in found["findings"]]
    for name, values in found.items():
        if isinstance(values, dict):
            rows = "".join(
                f"<tr><td>{escape(key)}</td><td>{escape(str(value))}</td></tr>"
                for key, value in values.items()
            )
            parts.append(f"<h2>{escape(name)}</h2><table>{rows}</table>")
    return f'<!DOCTYPE html><meta charset="utf-8"><title>lsafnet check</title>{"".join(parts)}'
