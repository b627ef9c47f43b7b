"""From-to change maps from two georeferenced images, with LSAFNet and its relatives.

Names are loaded on first use, so that `import lsafnet_cli` does not wait for torch.
"""

from typing import TYPE_CHECKING

from lsafnet.public import public_names

if TYPE_CHECKING:  # for type checkers and editors; at run time the table below counts
    from lsafnet_cli.accuracy.allocation import SampleSize as SampleSize
    from lsafnet_cli.accuracy.assess import Assessment as Assessment, assess_map as assess_map
    from lsafnet_cli.accuracy.sample import (
        SampleOptions as SampleOptions,
        SampleReport as SampleReport,
        sample_map as sample_map,
    )
    from lsafnet_cli.accuracy.strata import StrataOptions as StrataOptions
    from lsafnet_cli.batch.driver import BatchReport as BatchReport, run_batch as run_batch
    from lsafnet_cli.batch.files import Pairing as Pairing
    from lsafnet_cli.batch.options import BatchOptions as BatchOptions
    from lsafnet_cli.batch.pairing import pair_folders as pair_folders, read_pairs as read_pairs
    from lsafnet_cli.errors import (
        CheckpointFileError as CheckpointFileError,
        DeviceError as DeviceError,
        InputError as InputError,
        LsafnetError as LsafnetError,
        NoOverlapError as NoOverlapError,
        OptionError as OptionError,
        OutputError as OutputError,
        PairError as PairError,
        SeriesError as SeriesError,
    )
    from lsafnet_cli.evaluation.data_sets import evaluate_data_set as evaluate_data_set
    from lsafnet_cli.evaluation.land_cover import (
        LandCoverEvaluation as LandCoverEvaluation,
        evaluate_land_cover as evaluate_land_cover,
    )
    from lsafnet_cli.evaluation.maps import evaluate_map as evaluate_map
    from lsafnet_cli.evaluation.options import EvaluateOptions as EvaluateOptions
    from lsafnet_cli.evaluation.report import (
        ChangeScores as ChangeScores,
        DataSetEvaluation as DataSetEvaluation,
        MapEvaluation as MapEvaluation,
    )
    from lsafnet_cli.maps.summarize import (
        AreaSummary as AreaSummary,
        MapSummary as MapSummary,
        summarize_map as summarize_map,
    )
    from lsafnet_cli.maps.table import ChangeTable as ChangeTable, TransitionRow as TransitionRow
    from lsafnet_cli.maps.zones import ZoneRequest as ZoneRequest
    from lsafnet_cli.observer import Observer as Observer
    from lsafnet_cli.options import (
        DeviceOptions as DeviceOptions,
        GridOptions as GridOptions,
        OutputOptions as OutputOptions,
        PolygonOptions as PolygonOptions,
        PredictOptions as PredictOptions,
        ReadOptions as ReadOptions,
        StretchRule as StretchRule,
        TileOptions as TileOptions,
    )
    from lsafnet_cli.polygons.frames import polygons_frame as polygons_frame
    from lsafnet_cli.polygons.vectorization import (
        PolygonReport as PolygonReport,
        vectorize_changes as vectorize_changes,
    )
    from lsafnet_cli.prediction.arrays import predict_arrays as predict_arrays
    from lsafnet_cli.prediction.check import PairCheck as PairCheck, check_pair as check_pair
    from lsafnet_cli.prediction.pipeline import predict_change as predict_change
    from lsafnet_cli.prediction.report import RunReport as RunReport
    from lsafnet_cli.report_page.page import (
        PageOptions as PageOptions,
        PageReport as PageReport,
        write_report_page as write_report_page,
    )
    from lsafnet_cli.review.correct import ReviewReport as ReviewReport, review_map as review_map
    from lsafnet_cli.series.options import SeriesOptions as SeriesOptions
    from lsafnet_cli.series.report import SeriesReport as SeriesReport
    from lsafnet_cli.series.run import map_series as map_series
    from lsafnet_cli.training.options import TrainOptions as TrainOptions
    from lsafnet_cli.training.report import TrainingReport as TrainingReport
    from lsafnet_cli.training.run import train_network as train_network

    __version__: str

NAMES_OF_MODULES = {
    "accuracy.allocation": "SampleSize",
    "accuracy.assess": "Assessment assess_map",
    "accuracy.sample": "SampleOptions SampleReport sample_map",
    "accuracy.strata": "StrataOptions",
    "batch.driver": "BatchReport run_batch",
    "batch.options": "BatchOptions",
    "batch.files": "Pairing",
    "batch.pairing": "pair_folders read_pairs",
    "errors": "CheckpointFileError DeviceError InputError LsafnetError NoOverlapError "
    "OptionError OutputError PairError SeriesError",
    "evaluation.data_sets": "evaluate_data_set",
    "evaluation.land_cover": "LandCoverEvaluation evaluate_land_cover",
    "evaluation.maps": "evaluate_map",
    "evaluation.options": "EvaluateOptions",
    "evaluation.report": "ChangeScores DataSetEvaluation MapEvaluation",
    "maps.summarize": "AreaSummary MapSummary summarize_map",
    "maps.table": "ChangeTable TransitionRow",
    "maps.zones": "ZoneRequest",
    "observer": "Observer",
    "options": "DeviceOptions GridOptions OutputOptions PolygonOptions PredictOptions "
    "ReadOptions StretchRule TileOptions",
    "polygons.frames": "polygons_frame",
    "polygons.vectorization": "PolygonReport vectorize_changes",
    "prediction.arrays": "predict_arrays",
    "prediction.check": "PairCheck check_pair",
    "prediction.pipeline": "predict_change",
    "prediction.report": "RunReport",
    "report_page.page": "PageOptions PageReport write_report_page",
    "review.correct": "ReviewReport review_map",
    "series.options": "SeriesOptions",
    "series.report": "SeriesReport",
    "series.run": "map_series",
    "training.options": "TrainOptions",
    "training.report": "TrainingReport",
    "training.run": "train_network",
}
__getattr__, __dir__, __all__ = public_names(__name__, NAMES_OF_MODULES)
