"""One parameter of an algorithm and the words it becomes on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Sequence

from qgis.core import (
    QgsProcessing,
    QgsProcessingException,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
)

if TYPE_CHECKING:
    from lsafnet_processing.algorithms.base import Given

Words = Callable[["Given"], "list[str]"]


@dataclass(frozen=True)
class Wish:
    """`make` returns a fresh parameter; `words` what it adds to the command, nothing where it was left alone."""

    make: Callable[[], QgsProcessingParameterDefinition]
    words: Words


def advanced(wish: Wish) -> Wish:
    """Return the same one, shown only under "Advanced parameters"."""

    def make() -> QgsProcessingParameterDefinition:
        parameter = wish.make()
        parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        return parameter

    return Wish(make, wish.words)


def image(name: str, label: str, flag: str | None = None, optional: bool = False) -> Wish:
    """A raster that lies in a file, or in anything else that GDAL opens."""
    return Wish(
        lambda: QgsProcessingParameterRasterLayer(name, label, optional=optional),
        lambda given: _with(flag, raster_source(given, name)),
    )


def raster_source(given: Given, name: str) -> str:
    """Return what GDAL opens for a raster parameter, "" where there is none."""
    layer = given.algorithm.parameterAsRasterLayer(given.parameters, name, given.context)
    if layer is None:
        return ""
    if layer.providerType() != "gdal":
        raise QgsProcessingException(
            f"{layer.name()}: lsafnet reads files, and this is a layer of {layer.providerType()}; "
            "save it as a GeoTIFF first (Export > Save As)"
        )
    return str(layer.source())


def vector(
    name: str,
    flag: str | None,
    label: str,
    layer_flag: str | None = None,
    kind: int = QgsProcessing.TypeVectorPolygon,
    optional: bool = True,
) -> Wish:
    """Features of any layer, polygons if nothing else is said, exported first where they lie in no file."""

    def words(given: Given) -> list[str]:
        if given.parameters.get(name) is None:
            return []
        path, layer = given.algorithm.parameterAsCompatibleSourceLayerPathAndLayerName(
            given.parameters, name, given.context, ["gpkg", "shp", "geojson", "fgb"], "gpkg", given.feedback
        )
        return [*_with(flag, path), *([layer_flag, layer] if layer and layer_flag else [])]

    return Wish(lambda: QgsProcessingParameterVectorLayer(name, label, [kind], optional=optional), words)


def number(name: str, flag: str, label: str, least: float = 0.0, most: float | None = None) -> Wish:
    """A number; where none is given, the program decides."""

    def make() -> QgsProcessingParameterDefinition:
        parameter = QgsProcessingParameterNumber(
            name, label, QgsProcessingParameterNumber.Double, None, optional=True
        )
        parameter.setMinimum(least)
        if most is not None:
            parameter.setMaximum(most)
        return parameter

    def words(given: Given) -> list[str]:
        if given.parameters.get(name) is None:
            return []
        return [flag, f"{given.algorithm.parameterAsDouble(given.parameters, name, given.context):.10g}"]

    return Wish(make, words)


def text(name: str, flag: str, label: str) -> Wish:
    """A line of text; where it is empty, the program decides."""
    return Wish(
        lambda: QgsProcessingParameterString(name, label, optional=True),
        lambda given: _with(flag, _text_of(given, name)),
    )


def texts(name: str, flag: str, label: str) -> Wish:
    """Several texts with semicolons between, each an option of its own."""
    return Wish(
        lambda: QgsProcessingParameterString(name, label, optional=True),
        lambda given: [
            word for part in _text_of(given, name).split(";") if part.strip() for word in (flag, part.strip())
        ],
    )


def switch(name: str, flag: str, label: str) -> Wish:
    """A box to tick."""
    return Wish(
        lambda: QgsProcessingParameterBoolean(name, label, False),
        lambda given: (
            [flag] if given.algorithm.parameterAsBool(given.parameters, name, given.context) else []
        ),
    )


def choice(name: str, flag: str, label: str, values: Sequence[str]) -> Wish:
    """One of several words; the first is what the program does by itself, and adds nothing."""

    def words(given: Given) -> list[str]:
        chosen = given.algorithm.parameterAsEnum(given.parameters, name, given.context)
        return [flag, values[chosen]] if chosen else []

    return Wish(lambda: QgsProcessingParameterEnum(name, label, list(values), defaultValue=0), words)


def several(name: str, flag: str, label: str, values: Sequence[str]) -> Wish:
    """Any of several words, joined by commas."""
    return Wish(
        lambda: QgsProcessingParameterEnum(
            name, label, list(values), allowMultiple=True, defaultValue=[], optional=True
        ),
        lambda given: _with(flag, ",".join(values[one] for one in chosen_of(given, name))),
    )


def chosen_of(given: Given, name: str) -> list[int]:
    """Return the numbers of the chosen ones of `several`."""
    if given.parameters.get(name) is None:
        return []
    return list(given.algorithm.parameterAsEnums(given.parameters, name, given.context))


def file(name: str, flag: str | None, label: str, ending: str = "", optional: bool = True) -> Wish:
    """A file that exists."""

    def make() -> QgsProcessingParameterDefinition:
        return QgsProcessingParameterFile(name, label, extension=ending, optional=optional)

    return Wish(make, lambda given: _with(flag, file_of(given, name)))


def folder(name: str, label: str) -> Wish:
    """A folder that exists."""
    kind = QgsProcessingParameterFile.Folder
    return Wish(
        lambda: QgsProcessingParameterFile(name, label, kind), lambda given: _with(None, file_of(given, name))
    )


def file_of(given: Given, name: str) -> str:
    """Return the path of a file parameter, "" where none is given."""
    if given.parameters.get(name) is None:
        return ""
    return str(given.algorithm.parameterAsFile(given.parameters, name, given.context))


def more(name: str = "EXTRA") -> Wish:
    """Whatever else the command understands, as on the command line."""

    def words(given: Given) -> list[str]:
        import shlex

        return shlex.split(_text_of(given, name))

    label = "Additional options of the command line"
    return advanced(Wish(lambda: QgsProcessingParameterString(name, label, optional=True), words))


def _text_of(given: Given, name: str) -> str:
    if given.parameters.get(name) is None:
        return ""
    found: Any = given.algorithm.parameterAsString(given.parameters, name, given.context)
    return str(found).strip()


def _with(flag: str | None, value: str) -> list[str]:
    if not value:
        return []
    return [value] if flag is None else [flag, value]
