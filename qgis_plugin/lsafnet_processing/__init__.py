"""lsafnet in the Processing toolbox of QGIS: it runs the `lsafnet` program and loads what that writes."""

from __future__ import annotations

from typing import Any


def classFactory(_iface: Any) -> Any:
    """Return the plugin, as QGIS asks for it."""
    from lsafnet_processing.plugin import LsafnetPlugin

    return LsafnetPlugin()
