"""QGIS attribute forms of a layer: drop-downs, pictures, aliases, and read-only fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

CATEGORIES = "Symbology|Fields|Forms"  # of a QGIS style that has a form


@dataclass(frozen=True, slots=True)
class FormField:
    """How a field is shown in a form: hidden, as a drop-down list, as a picture, or as plain text."""

    name: str
    alias: str = ""
    choices: Sequence[str] = ()
    kind: str = "text"  # "text", "number", "hidden" or "picture"
    editable: bool = True


def add_form(root: ET.Element, fields: Sequence[FormField]) -> None:
    """Add the attribute form of a layer to its QGIS style."""
    configuration = ET.SubElement(root, "fieldConfiguration")
    aliases, editable = ET.SubElement(root, "aliases"), ET.SubElement(root, "editable")
    for index, field in enumerate(fields):
        widget = ET.SubElement(
            ET.SubElement(configuration, "field", name=field.name, configurationFlags="None"), "editWidget"
        )
        widget.set("type", _widget_type(field))
        _add_settings(ET.SubElement(ET.SubElement(widget, "config"), "Option", type="Map"), field)
        ET.SubElement(aliases, "alias", index=str(index), field=field.name, name=field.alias or field.name)
        ET.SubElement(editable, "field", name=field.name, editable=str(int(field.editable)))
    ET.SubElement(root, "editorlayout").text = "generatedlayout"
    ET.SubElement(root, "featformsuppress").text = "0"


def _widget_type(field: FormField) -> str:
    if field.choices:
        return "ValueMap"
    return {"hidden": "Hidden", "picture": "ExternalResource", "number": "Range"}.get(field.kind, "TextEdit")


def _add_settings(config: ET.Element, field: FormField) -> None:
    if field.choices:
        entries = ET.SubElement(config, "Option", name="map", type="List")
        for choice in field.choices:
            entry = ET.SubElement(entries, "Option", type="Map")
            ET.SubElement(entry, "Option", name=choice, type="QString", value=choice)
    elif field.kind == "picture":
        _add_options(config, {"DocumentViewer": 1, "RelativeStorage": 1, "FileWidget": "true"})


def _add_options(config: ET.Element, values: Mapping[str, int | str]) -> None:
    for name, value in values.items():
        kind = "int" if isinstance(value, int) else "bool"
        ET.SubElement(config, "Option", name=name, type=kind, value=str(value))
