"""Load layers as QGIS loads a file that is dropped on it, and say as JSON how they look.

Runs in the Python that Debian's QGIS comes with, not in the one of the project:

    QT_QPA_PLATFORM=offscreen /usr/bin/python3 tests/qgis/look.py LAYER... [--picture PICTURE.png] [--width PX]

A picture shows the layers over each other, the first on top.
"""

import argparse
import json
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

RASTER_ENDINGS = (".tif", ".tiff", ".vrt")


def load(path):
    """Return a layer with the style that QGIS finds for it by itself."""
    raster = path.lower().endswith(RASTER_ENDINGS)
    layer = QgsRasterLayer(path, path) if raster else QgsVectorLayer(path, path, "ogr")
    if not layer.isValid():
        sys.exit(f"{path}: QGIS cannot load it")
    return layer


def look(layer):
    """Return what a layer is and how it is drawn."""
    renderer = layer.renderer()
    seen = {"crs": layer.crs().authid(), "renderer": renderer.type()}
    if isinstance(layer, QgsRasterLayer):
        return {**seen, "size": [layer.width(), layer.height()], "entries": raster_entries(renderer)}
    entries = vector_entries(renderer) if renderer.type() == "categorizedSymbol" else []
    fields = [field.name() for field in layer.fields()]
    attribute = renderer.classAttribute() if entries else None
    return {
        **seen,
        "count": layer.featureCount(),
        "fields": fields,
        "attribute": attribute,
        "entries": entries,
        "form": form_of(layer),
    }


def form_of(layer):
    """Return how each field of a vector layer stands in its form."""
    form = {}
    for index, field in enumerate(layer.fields()):
        setup = layer.editorWidgetSetup(index)
        choices = setup.config().get("map", []) if setup.type() == "ValueMap" else []
        form[field.name()] = {
            "widget": setup.type(),
            "alias": layer.attributeAlias(index),
            "choices": [value for choice in choices for value in choice.values()],
            "editable": not layer.editFormConfig().readOnly(index),
        }
    return form


def raster_entries(renderer):
    """Return the entries of a raster's legend: value, label, colour and opacity."""
    if renderer.type() == "paletted":
        return [entry(c.value, c.label, c.color) for c in renderer.classes()]
    if renderer.type() == "singlebandpseudocolor":
        ramp = renderer.shader().rasterShaderFunction()
        return [entry(item.value, item.label, item.color) for item in ramp.colorRampItemList()]
    return []


def vector_entries(renderer):
    """Return the entries of a vector layer's legend."""
    return [entry(c.value(), c.label(), c.symbol().color()) for c in renderer.categories()]


def entry(value, label, color):
    """Return one entry of a legend."""
    return {"value": value, "label": label, "color": color.name(), "alpha": color.alpha()}


def draw(layers, path, width):
    """Draw layers over each other into a picture."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[0].crs())
    extent = layers[-1].extent()
    settings.setExtent(extent)
    settings.setOutputSize(QSize(width, round(width * extent.height() / extent.width())))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    if not job.renderedImage().save(path):
        sys.exit(f"{path}: QGIS cannot write it")


def main():
    """Look at the layers that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("layers", nargs="+")
    parser.add_argument("--picture")
    parser.add_argument("--width", type=int, default=512)
    chosen = parser.parse_args()
    application = QgsApplication([], False)
    application.initQgis()
    layers = [load(path) for path in chosen.layers]
    if chosen.picture:
        draw(layers, chosen.picture, chosen.width)
    print(json.dumps({layer.name(): look(layer) for layer in layers}))
    layers.clear()
    application.exitQgis()


if __name__ == "__main__":
    main()
