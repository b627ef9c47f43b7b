"""Run an algorithm of the plugin in QGIS as its toolbox does, and say as JSON what came of it.

Runs in the Python that Debian's QGIS comes with, not in the one of the project:

    QT_QPA_PLATFORM=offscreen /usr/bin/python3 tests/qgis/process.py PLUGIN_FOLDER < wishes.json

The wishes: `program` (the setting), `algorithm` ("" only lists), `parameters`, `cancel_at` (percent, or null).
"""

import json
import sys

sys.path.append("/usr/share/qgis/python/plugins")  # where Debian's QGIS keeps Processing

from processing.core.Processing import Processing
from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsRasterLayer,
)

LAYER_OUTPUTS = ("rasterDestination", "vectorDestination")


class Told(QgsProcessingFeedback):
    """Keeps what an algorithm tells, and cancels it once it has come so far."""

    def __init__(self, cancel_at):
        super().__init__(False)
        self.percents, self.warnings, self.errors, self.stages = [], [], [], []
        self._cancel_at = cancel_at
        self.progressChanged.connect(self._moved)

    def _moved(self, percent):
        self.percents.append(percent)
        if self._cancel_at is not None and percent >= self._cancel_at:
            self.cancel()

    def setProgressText(self, text):
        self.stages.append(text)

    def pushWarning(self, text):
        self.warnings.append(text)

    def reportError(self, text, fatalError=False):
        self.errors.append(text)


def described(layer):
    """Return a loaded layer's name, and how many entries its legend has."""
    renderer = layer.renderer()
    raster = isinstance(layer, QgsRasterLayer)
    if raster:
        entries = [c.label for c in renderer.classes()] if renderer.type() == "paletted" else []
    else:
        entries = [c.label() for c in renderer.categories()] if renderer.type() == "categorizedSymbol" else []
    return {"name": layer.name(), "renderer": renderer.type(), "entries": entries, "raster": raster}


def load_layers(context, feedback):
    """Load what an algorithm asked for, as QGIS does when it has ended."""
    found = []
    for source, details in context.layersToLoadOnCompletion().items():
        layer = context.takeResultLayer(source) or load(source)
        details.setOutputLayerName(layer)
        if details.postProcessor() is not None:
            details.postProcessor().postProcessLayer(layer, context, feedback)
        QgsProject.instance().addMapLayer(layer)
        found.append(described(layer))
    return found


def load(source):
    """Return a layer without any style of its own, as Processing loads outputs."""
    from qgis.core import QgsVectorLayer

    if source.endswith(".tif"):
        options = QgsRasterLayer.LayerOptions()
        options.loadDefaultStyle = False
        return QgsRasterLayer(source, "output", "gdal", options)
    options = QgsVectorLayer.LayerOptions()
    options.loadDefaultStyle = False
    return QgsVectorLayer(source, "output", "ogr", options)


def wanted_layers(algorithm, parameters):
    """Return the parameters with outputs that are to be loaded, as the dialog's boxes have it."""
    outputs = {
        one.name() for one in algorithm.destinationParameterDefinitions() if one.type() in LAYER_OUTPUTS
    }
    return {
        name: QgsProcessingOutputLayerDefinition(value, QgsProject.instance()) if name in outputs else value
        for name, value in parameters.items()
    }


def run(wishes):
    """Run one algorithm and return what came of it."""
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(wishes["algorithm"])
    context, feedback = QgsProcessingContext(), Told(wishes["cancel_at"])
    context.setProject(QgsProject.instance())
    found = {"results": None, "failed": None, "layers": []}
    parameters = wanted_layers(algorithm, wishes["parameters"])
    try:
        fits, why = algorithm.checkParameterValues(parameters, context)
        if not fits:
            raise QgsProcessingException(why)
        found["results"], ok = algorithm.run(parameters, context, feedback, catchExceptions=False)
        if ok:
            found["layers"] = load_layers(context, feedback)
    except QgsProcessingException as error:
        found["failed"] = str(error)
    told = ("percents", "warnings", "errors", "stages")
    return {**found, **{name: getattr(feedback, name) for name in told}}


def main():
    """Load the plugin, then do what stdin says."""
    wishes = json.load(sys.stdin)
    application = QgsApplication([], False)
    application.initQgis()
    Processing.initialize()
    sys.path.insert(0, sys.argv[1])
    import lsafnet_processing

    plugin = lsafnet_processing.classFactory(None)
    plugin.initGui()
    ProcessingConfig.setSettingValue("LSAFNET_PROGRAM", wishes["program"])
    told = {} if not wishes["algorithm"] else run(wishes)
    provider = plugin.provider
    told["algorithms"] = {
        one.id(): [one.displayName(), one.shortHelpString()] for one in provider.algorithms()
    }
    told["icon"] = not provider.icon().isNull()
    told["parameters"] = {
        one.id(): [p.name() for p in one.parameterDefinitions()] for one in provider.algorithms()
    }
    plugin.unload()
    told["left"] = QgsApplication.processingRegistry().providerById("lsafnet") is not None
    told["imported"] = sorted({"torch", "lsafnet", "lsafnet_cli"} & set(sys.modules))
    print(json.dumps(told))
    sys.stdout.flush()
    application.exitQgis()


if __name__ == "__main__":
    main()
