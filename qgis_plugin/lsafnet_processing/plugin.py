"""The plugin: it brings one Processing provider, and takes it away again."""

from __future__ import annotations

from qgis.core import QgsApplication

from lsafnet_processing.provider import LsafnetProvider


class LsafnetPlugin:
    """What QGIS loads and unloads."""

    def __init__(self) -> None:
        self.provider: LsafnetProvider | None = None

    def initProcessing(self) -> None:
        """Add the provider; `qgis_process` calls this alone."""
        self.provider = LsafnetProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Add the provider; there is no menu beside the Processing toolbox."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider away."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
