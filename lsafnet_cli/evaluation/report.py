"""What an evaluation found, as values that are printed, returned and written as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsafnet_cli.evaluation.change_probability import ChangeProbability


@dataclass(frozen=True, slots=True)
class Score:
    """A score and the ends of its 95 % interval; None where none was made."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Scores of one class or one transition; `pixels` are those of the reference, `map_pixels` the map's."""

    name: str
    precision: float
    recall: float
    f1: float
    iou: float
    pixels: int
    map_pixels: int


@dataclass(frozen=True, slots=True)
class TransitionScore(ClassScore):
    """Scores of one transition. A map that knows no classes has none to name."""

    code: int
    from_class: str | None
    to_class: str | None


@dataclass(frozen=True, slots=True)
class BoundaryScore:
    """How well the borders of the changed area are met, within a tolerance in rows and cols."""

    tolerance_px: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """How many pixels of a transition code (0: unchanged) in the reference have which code in the map."""

    reference_code: int
    map_code: int
    pixels: int


@dataclass(frozen=True, slots=True)
class ChangeScores:
    """All scores of one map, or of all maps of one checkpoint.

    units: how many squares of `unit_px` pixels (None: images) the intervals come from. `confusion` holds the cells
    that are not empty. Pixels that are not counted have no data in the map (nodata), no known label (unlabelled),
    or lie beyond the references' bounding boxes (outside).
    """

    miou: Score
    oa: Score
    sek: Score
    f_scd: Score
    iou_changed: float
    iou_unchanged: float
    boundary: BoundaryScore
    classes: tuple[ClassScore, ...]
    transitions: tuple[TransitionScore, ...]
    confusion: tuple[ConfusionCell, ...]
    labels: dict[int, str]
    counted_pixels: int
    nodata_pixels: int
    unlabelled_pixels: int
    outside_pixels: int
    units: int
    unit_px: int | None

    def confusion_matrix(self) -> tuple[tuple[int, ...], NDArray[np.int64]]:
        """Return the n codes that occur, and (n, n) pixels: a row for each reference code, a column for the map's."""
        cells = self.confusion
        codes = sorted({cell.reference_code for cell in cells} | {cell.map_code for cell in cells})
        place = {code: index for index, code in enumerate(codes)}
        matrix = np.zeros((len(codes), len(codes)), np.int64)
        for cell in cells:
            matrix[place[cell.reference_code], place[cell.map_code]] = cell.pixels
        return tuple(codes), matrix


@dataclass(frozen=True, slots=True)
class MapEvaluation:
    """What `evaluate_map` returns; `labels` says what the references were taken to hold.

    decision: the threshold and the choice of classes that the map's tags name. probability: None where no
    MAP.probability.tif lies beside the map.
    """

    map: str
    references: tuple[str, ...]
    labels: str
    classes: tuple[str, ...]
    resamples: int
    seed: int
    notices: tuple[str, ...]
    scores: ChangeScores
    decision: dict[str, Any]
    probability: ChangeProbability | None

    @property
    def columns(self) -> tuple[tuple[str, ChangeScores], ...]:
        """The one thing that was scored, with its name."""
        return ((self.map, self.scores),)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CheckpointEvaluation:
    """The scores of one checkpoint, and how far they lie above those of the first checkpoint over the same images.

    options: how its maps were made. decisions: the main scores by the ways to choose classes (`same_class`), that
    of `options` and the other one; one alone where the network knows no land cover. differences: None for the
    first checkpoint; their intervals come from the same resamples for both.
    """

    checkpoint: str
    sha256: str
    options: dict[str, Any]
    scores: ChangeScores
    differences: dict[str, Score] | None
    decisions: dict[str, dict[str, float]]
    probability: ChangeProbability | None


@dataclass(frozen=True, slots=True)
class DataSetEvaluation:
    """What `evaluate_data_set` returns."""

    data_set: str
    split: str
    pairs: int
    classes: tuple[str, ...]
    resamples: int
    seed: int
    notices: tuple[str, ...]
    checkpoints: tuple[CheckpointEvaluation, ...]

    @property
    def columns(self) -> tuple[tuple[str, ChangeScores], ...]:
        """The checkpoints' names and scores."""
        return tuple((one.checkpoint, one.scores) for one in self.checkpoints)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


Evaluation = MapEvaluation | DataSetEvaluation
