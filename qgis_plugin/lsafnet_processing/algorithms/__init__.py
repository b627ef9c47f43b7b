"""The algorithms of the provider, each a command of the program."""

from __future__ import annotations

from lsafnet_processing.algorithms.assess import AssessAlgorithm
from lsafnet_processing.algorithms.batch import BatchAlgorithm
from lsafnet_processing.algorithms.check import CheckAlgorithm
from lsafnet_processing.algorithms.decide import DecideAlgorithm
from lsafnet_processing.algorithms.predict import PredictAlgorithm
from lsafnet_processing.algorithms.report import ReportAlgorithm
from lsafnet_processing.algorithms.review import ReviewAlgorithm
from lsafnet_processing.algorithms.sample import SampleAlgorithm
from lsafnet_processing.algorithms.summarize import SummarizeAlgorithm
from lsafnet_processing.algorithms.vectorize import VectorizeAlgorithm

ALGORITHMS = (
    PredictAlgorithm,
    BatchAlgorithm,
    CheckAlgorithm,
    VectorizeAlgorithm,
    SummarizeAlgorithm,
    ReportAlgorithm,
    DecideAlgorithm,
    SampleAlgorithm,
    AssessAlgorithm,
    ReviewAlgorithm,
)
