"""From-to change maps from two georeferenced images, with LSAFNet and its relatives.

Names are loaded on first use, so that `import lsafnet_cli` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsafnet_cli.errors import LsafnetError
    from lsafnet_cli.pipeline import predict_change
    from lsafnet_cli.polygon_options import PolygonOptions
    from lsafnet_cli.stages.report import RunReport
    from lsafnet_cli.stages.summarize import MapSummary, summarize_map
    from lsafnet_cli.stages.zones import ZoneRequest
    from lsafnet_cli.types import PredictOptions
    from lsafnet_cli.vectorization import vectorize_changes

_MODULE_OF = {
    "LsafnetError": "errors",
    "MapSummary": "stages.summarize",
    "PolygonOptions": "polygon_options",
    "PredictOptions": "types",
    "RunReport": "stages.report",
    "ZoneRequest": "stages.zones",
    "predict_change": "pipeline",
    "summarize_map": "stages.summarize",
    "vectorize_changes": "vectorization",
}

__all__ = [
    "LsafnetError",
    "MapSummary",
    "PolygonOptions",
    "PredictOptions",
    "RunReport",
    "ZoneRequest",
    "predict_change",
    "summarize_map",
    "vectorize_changes",
]


def __getattr__(name: str) -> object:
    """Import the module that holds `name` (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
