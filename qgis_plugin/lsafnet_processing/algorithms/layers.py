"""Loading what was written: every layer under a name for people, and in the style that lies beside or in it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from qgis.core import (
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
)

from lsafnet_processing.algorithms.base import Given


class Styled(QgsProcessingLayerPostProcessorInterface):
    """Names a layer and gives it its own style, whatever style Processing has for outputs in general."""

    kept: ClassVar[dict[str, Styled]] = {}  # QGIS holds no reference of its own

    def __init__(self, name: str, style: Path | None) -> None:
        super().__init__()
        self._name, self._style = name, style

    def postProcessLayer(
        self, layer: QgsMapLayer, _context: QgsProcessingContext, _feedback: QgsProcessingFeedback
    ) -> None:
        """Take a layer that has just been loaded."""
        layer.setName(self._name)
        if self._style is not None and self._style.exists():
            layer.loadNamedStyle(str(self._style))
        else:
            layer.loadDefaultStyle()
        layer.triggerRepaint()


def load_styled(
    given: Given, path: str, name: str, beside: str | None = None, style: Path | None = None
) -> None:
    """Name and style an output where it is to be loaded; one `beside` another is loaded where that one is."""
    context = given.context
    if not context.willLoadLayerOnCompletion(beside or path):
        return
    if beside is not None:
        details = QgsProcessingContext.LayerDetails(name, context.project(), name)
        context.addLayerToLoadOnCompletion(path, details)
    Styled.kept[path] = Styled(name, style)
    details = context.layerToLoadOnCompletionDetails(path)
    details.name = name
    details.forceName = True
    details.setPostProcessor(Styled.kept[path])


def names_of(given: Given, *images: str) -> str:
    """Return the names of layers, with an arrow between them."""
    layers = (given.algorithm.parameterAsRasterLayer(given.parameters, one, given.context) for one in images)
    return " → ".join(layer.name() for layer in layers if layer is not None)
