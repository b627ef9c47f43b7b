"""What all algorithms share: parameters from wishes, and a child that is watched and can be stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Sequence

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
)
from qgis.PyQt.QtGui import QIcon

from lsafnet_processing.algorithms.wishes import Wish
from lsafnet_processing.program import Ended, ProgramError, find_program, run_program
from lsafnet_processing.progress import Event, Progress

ICON = Path(__file__).parents[1] / "icon.svg"
PAIR_DOES_NOT_FIT = 4


@dataclass(frozen=True)
class Given:
    """What a run was given."""

    algorithm: LsafnetAlgorithm
    parameters: dict[str, Any]
    context: QgsProcessingContext
    feedback: QgsProcessingFeedback

    def output(self, name: str) -> str:
        """Return the path of an output, "" where it is not wanted."""
        if self.parameters.get(name) is None:
            return ""
        return str(self.algorithm.parameterAsOutputLayer(self.parameters, name, self.context))

    def file_output(self, name: str) -> str:
        """Return the path of an output that is no layer, "" where it is not wanted."""
        if self.parameters.get(name) is None:
            return ""
        return str(self.algorithm.parameterAsFileOutput(self.parameters, name, self.context))


class LsafnetAlgorithm(QgsProcessingAlgorithm):
    """A command of the program; a subclass names it, its wishes and its outputs, and says what it runs."""

    command: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    wishes: ClassVar[Sequence[Wish]]

    def createInstance(self) -> LsafnetAlgorithm:
        """Return another one, as QGIS wants for each run."""
        return type(self)()

    def name(self) -> str:
        """Return the id within the provider."""
        return self.command

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return self.title

    def icon(self) -> QIcon:
        """Return the icon in the toolbox."""
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:
        """Return the icon's file."""
        return str(ICON)

    def shortHelpString(self) -> str:
        """Return the help beside the dialog."""
        return self.help

    def initAlgorithm(self, _configuration: Any = None) -> None:
        """Add the parameters and outputs."""
        for wish in self.wishes:
            self.addParameter(wish.make())
        self.add_outputs()

    def add_outputs(self) -> None:
        """Add what is written and told; each algorithm its own."""

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the command; QGIS calls this, in a thread beside its window."""
        return self.execute(Given(self, parameters, context, feedback))

    def execute(self, given: Given) -> dict[str, Any]:
        """Run the command and return the outputs by name."""
        raise NotImplementedError

    def words(self, given: Given) -> list[str]:
        """Return what the wishes make of the command line."""
        return [word for wish in self.wishes for word in wish.words(given)]


def checkpoint_words(words: list[str]) -> list[str]:
    """Return the checkpoint of the settings, where there is one and the algorithm was given none."""
    setting = _setting("LSAFNET_CHECKPOINT")
    return ["--checkpoint", setting] if setting and "--checkpoint" not in words else []


def run_json(
    given: Given, *words: str, allowed: tuple[int, ...] = (0,), watched: bool = True
) -> dict[str, Any]:
    """Run a command with --json and return what it printed. Raises QgsProcessingException where it fails."""
    ended = run_lsafnet(given, *words, "--json", allowed=allowed, watched=watched)
    values: dict[str, Any] = json.loads(ended.stdout)
    return values


def run_lsafnet(given: Given, *words: str, allowed: tuple[int, ...] = (0,), watched: bool = True) -> Ended:
    """Run a command of the program to its end, telling `feedback` how far it has come.

    Raises QgsProcessingException where the program is missing, fails or was cancelled.
    """
    feedback, progress = given.feedback, Progress()

    def take(event: Event) -> None:
        progress.take(event)
        if event.kind in ("wait", "start"):
            feedback.setProgressText(event.text)
        elif event.kind == "notice":
            feedback.pushWarning(event.text)
        elif event.kind == "error":
            feedback.reportError(event.text)
        elif event.kind == "line" and event.text.strip():
            feedback.pushConsoleInfo(event.text)
        feedback.setProgress(progress.percent)

    try:
        program = find_program(_setting("LSAFNET_PROGRAM"))
        command = [str(program), *words, *(["--progress", "json"] if watched else [])]
        feedback.pushCommandInfo(" ".join(command))
        ended = run_program(command, take, feedback.isCanceled)
    except ProgramError as error:
        raise QgsProcessingException(str(error)) from error
    if ended.cancelled:
        raise QgsProcessingException("cancelled; the same run resumes where the program kept finished rows")
    if ended.code not in allowed:
        raise QgsProcessingException(ended.error or f"lsafnet ended with exit code {ended.code}")
    return ended


def _setting(name: str) -> str:
    return str(ProcessingConfig.getSetting(name) or "").strip()
