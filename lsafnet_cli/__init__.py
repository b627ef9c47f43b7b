"""From-to change maps from two georeferenced images, with LSAFNet and its relatives.

Names are loaded on first use, so that `import lsafnet_cli` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsafnet_cli.accuracy.allocation import SampleSize
    from lsafnet_cli.accuracy.assess import Assessment, assess_map
    from lsafnet_cli.accuracy.sample import SampleOptions, SampleReport, sample_map
    from lsafnet_cli.accuracy.strata import StrataOptions
    from lsafnet_cli.batch.driver import BatchReport, run_batch
    from lsafnet_cli.batch.options import BatchOptions
    from lsafnet_cli.batch.pairing import pair_folders, read_pairs
    from lsafnet_cli.errors import LsafnetError
    from lsafnet_cli.evaluation.data_sets import evaluate_data_set
    from lsafnet_cli.evaluation.maps import evaluate_map
    from lsafnet_cli.evaluation.options import EvaluateOptions
    from lsafnet_cli.evaluation.report import DataSetEvaluation, MapEvaluation
    from lsafnet_cli.maps.summarize import MapSummary, summarize_map
    from lsafnet_cli.maps.zones import ZoneRequest
    from lsafnet_cli.options import PolygonOptions, PredictOptions
    from lsafnet_cli.polygons.vectorization import vectorize_changes
    from lsafnet_cli.prediction.pipeline import predict_change
    from lsafnet_cli.prediction.report import RunReport
    from lsafnet_cli.report_page.page import PageOptions, PageReport, write_report_page

_MODULE_OF = {
    "Assessment": "accuracy.assess",
    "BatchOptions": "batch.options",
    "BatchReport": "batch.driver",
    "DataSetEvaluation": "evaluation.report",
    "EvaluateOptions": "evaluation.options",
    "LsafnetError": "errors",
    "MapEvaluation": "evaluation.report",
    "MapSummary": "maps.summarize",
    "PageOptions": "report_page.page",
    "PageReport": "report_page.page",
    "PolygonOptions": "options",
    "PredictOptions": "options",
    "RunReport": "prediction.report",
    "SampleOptions": "accuracy.sample",
    "SampleReport": "accuracy.sample",
    "SampleSize": "accuracy.allocation",
    "StrataOptions": "accuracy.strata",
    "ZoneRequest": "maps.zones",
    "assess_map": "accuracy.assess",
    "evaluate_data_set": "evaluation.data_sets",
    "evaluate_map": "evaluation.maps",
    "pair_folders": "batch.pairing",
    "predict_change": "prediction.pipeline",
    "read_pairs": "batch.pairing",
    "run_batch": "batch.driver",
    "sample_map": "accuracy.sample",
    "summarize_map": "maps.summarize",
    "vectorize_changes": "polygons.vectorization",
    "write_report_page": "report_page.page",
}

__all__ = [
    "Assessment",
    "BatchOptions",
    "BatchReport",
    "DataSetEvaluation",
    "EvaluateOptions",
    "LsafnetError",
    "MapEvaluation",
    "MapSummary",
    "PageOptions",
    "PageReport",
    "PolygonOptions",
    "PredictOptions",
    "RunReport",
    "SampleOptions",
    "SampleReport",
    "SampleSize",
    "StrataOptions",
    "ZoneRequest",
    "assess_map",
    "evaluate_data_set",
    "evaluate_map",
    "pair_folders",
    "predict_change",
    "read_pairs",
    "run_batch",
    "sample_map",
    "summarize_map",
    "vectorize_changes",
    "write_report_page",
]


def __getattr__(name: str) -> object:
    """Import the module that holds `name` (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
