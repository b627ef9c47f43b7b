"""The provider `lsafnet`: its algorithms, its icon, and the settings a user makes once."""

from __future__ import annotations

from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from lsafnet_processing.algorithms import ALGORITHMS

PROGRAM, CHECKPOINT = "LSAFNET_PROGRAM", "LSAFNET_CHECKPOINT"
ICON = str(Path(__file__).with_name("icon.svg"))
SETTINGS = {
    PROGRAM: "The lsafnet program, or the folder of its environment (empty: the one on PATH)",
    CHECKPOINT: "Checkpoint where an algorithm names none (empty: the one shipped with lsafnet)",
}


class LsafnetProvider(QgsProcessingProvider):
    """What the Processing toolbox shows under "lsafnet"."""

    def id(self) -> str:
        """Return the name that scripts and models call algorithms by."""
        return "lsafnet"

    def name(self) -> str:
        """Return the name in the toolbox."""
        return "lsafnet"

    def longName(self) -> str:
        """Return the name with what it is for."""
        return "lsafnet: from-to change maps"

    def icon(self) -> QIcon:
        """Return the icon in the toolbox."""
        return QIcon(ICON)

    def svgIconPath(self) -> str:
        """Return the icon's file."""
        return ICON

    def load(self) -> bool:
        """Add the settings, then the algorithms."""
        ProcessingConfig.settingIcons[self.name()] = self.icon()
        for key, words in SETTINGS.items():
            ProcessingConfig.addSetting(Setting(self.name(), key, words, "", valuetype=Setting.STRING))
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Take the settings away."""
        for key in SETTINGS:
            ProcessingConfig.removeSetting(key)

    def loadAlgorithms(self) -> None:
        """Add every algorithm."""
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
