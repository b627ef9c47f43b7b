"""Scores of checkpoints on a data set, whose images are mapped as `predict_change` maps them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rasterio

from lsafnet_cli.checkpoints.choose import NamedCheckpoint, load_named_checkpoint
from lsafnet_cli.data_sets.opening import DataSet, open_data_set
from lsafnet_cli.data_sets.pairs import LabelledPair
from lsafnet_cli.data_sets.second import describe_split
from lsafnet_cli.errors import CheckpointFileError
from lsafnet_cli.evaluation.counting import MapPart, PairCounts, count_map
from lsafnet_cli.evaluation.maps import STAGE, refuse_nothing, tell
from lsafnet_cli.evaluation.options import EvaluateOptions
from lsafnet_cli.evaluation.report import ChangeScores, CheckpointEvaluation, DataSetEvaluation
from lsafnet_cli.evaluation.scoring import Resamples, differences, interval_notice, resample, score
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.files.sources import patience
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import OutputOptions, PolygonOptions, PredictOptions
from lsafnet_cli.prediction.pipeline import open_prediction
from lsafnet_cli.system.devices import choose_device
from lsafnet_cli.system.heap import memory_errors

MOST_NOTICES = 5  # of all images of a data set, which often say the same
TOLD = ("threshold", "tile_px", "overlap_px", "blend", "bands", "precision", "tta")


class ImageObserver(Observer):
    """Passes on what images give notice of: each line once, under the first image's name, and only the first few."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer
        self.image = ""

    def notice(self, text: str, item: str = "") -> None:  # noqa: ARG002
        """Keep the line, and pass it on where it is one of the first."""
        if text not in self.notices:
            self.notices.append(text)
            if len(self.notices) <= MOST_NOTICES:
                self._observer.notice(f"{self.image}: {text}")

    def say_the_rest(self) -> None:
        """Say how many lines were not passed on."""
        if len(self.notices) > MOST_NOTICES:
            self._observer.notice(f"{len(self.notices) - MOST_NOTICES:,} more such lines about other images")


def evaluate_data_set(
    folder: str | Path,
    checkpoints: Sequence[str | Path | None] = (None,),
    split: str = "test",
    options: EvaluateOptions | None = None,
    predict_options: PredictOptions | None = None,
    observer: Observer | None = None,
) -> DataSetEvaluation:
    """Score checkpoints on a split of a data set.

    `predict_options` say how images are mapped, but for checkpoints, polygons and outputs; None among the
    checkpoints is $LSAFNET_CHECKPOINT or the shipped one. The images are the units of the intervals. Raises
    CheckpointFileError, before anything is computed, for a checkpoint whose classes are not the data set's,
    InputError for files that cannot be read, and whatever `predict_change` raises.
    """
    options, notes = options or EvaluateOptions(), Observer(observer)
    data_set = open_data_set(Path(folder))
    tell(notes, describe_split(data_set))
    pairs = data_set.split(split)
    loaded = [load_named_checkpoint(Path(path) if path else None, notes) for path in checkpoints]
    for checkpoint in loaded:
        _check_classes(checkpoint, data_set)
    found = tuple(_score_all(loaded, pairs, _fitting(predict_options, data_set), options, notes))
    return DataSetEvaluation(
        data_set=str(folder),
        split=split,
        pairs=len(pairs),
        classes=tuple(entry.name for entry in data_set.classes),
        resamples=options.resamples,
        seed=options.seed,
        notices=tuple(notes.notices),
        checkpoints=found,
    )


def _check_classes(checkpoint: NamedCheckpoint, data_set: DataSet) -> None:
    """Raise CheckpointFileError where a checkpoint's classes are not a data set's, in their order."""
    ours = [entry.name for entry in data_set.classes]
    theirs = [entry.name for entry in checkpoint.info.classes]
    if ours != theirs:
        raise CheckpointFileError(
            f"{checkpoint.name}: has the classes {', '.join(theirs)}, and {data_set.folder} has {', '.join(ours)}"
        )


def _fitting(options: PredictOptions | None, data_set: DataSet) -> PredictOptions:
    """Return options that make a map alone, of the bands that the data set names unless others are asked for."""
    options = options or PredictOptions()
    read = replace(options.read, bands=options.read.bands or data_set.rules.bands)
    output = OutputOptions(resume=False)
    return replace(options, checkpoint=None, ensemble=(), read=read, output=output, polygons=PolygonOptions())


def _score_all(
    loaded: Sequence[NamedCheckpoint],
    pairs: Sequence[LabelledPair],
    predict: PredictOptions,
    options: EvaluateOptions,
    notes: Observer,
) -> Iterator[CheckpointEvaluation]:
    """Yield the scores of each checkpoint, compared with the first one's."""
    first: tuple[ChangeScores, Resamples | None] | None = None
    images = ImageObserver(notes)
    for checkpoint in loaded:
        tally = PairCounts.start(checkpoint.legend, options, choose_device(predict.device).torch_device)
        with rasterio.Env(**patience()), memory_errors():
            told = _count_pairs(checkpoint, pairs, predict, tally, notes, images)
        refuse_nothing(tally, checkpoint.name, tuple(pairs[0].labels.files))
        resamples = resample(tally)
        scores = score(tally, resamples, unit_px=None)
        apart = differences(*first, scores, resamples) if first else None
        first = first or (scores, resamples)
        yield CheckpointEvaluation(checkpoint.name, checkpoint.sha256, told, scores, apart)
    images.say_the_rest()
    tell(notes, interval_notice(tally, "image", "images"))


def _count_pairs(
    checkpoint: NamedCheckpoint,
    pairs: Sequence[LabelledPair],
    predict: PredictOptions,
    tally: PairCounts,
    notes: Observer,
    images: ImageObserver,
) -> dict[str, Any]:
    """Map pairs and count their maps; return how the maps were made."""
    sizes = [_pixels_of(pair.before) for pair in pairs]
    with watched(notes, f"{STAGE} {checkpoint.name}", sum(sizes)):
        for number, pair in enumerate(pairs):
            images.image = pair.name
            with mapped(pair, checkpoint, predict, images) as (change_map, told):
                count_map(MapPart.whole(*change_map, number), pair.labels, tally, Observer())
            notes.advance(sizes[number])
    return told


def _pixels_of(path: str) -> int:
    with open_raster(path) as dataset:
        return int(dataset.width * dataset.height)


@contextmanager
def mapped(
    pair: LabelledPair, checkpoint: NamedCheckpoint, options: PredictOptions, observer: Observer
) -> Iterator[tuple[tuple[str, Grid], dict[str, Any]]]:
    """Give the map of a pair, which does not last: its path and grid, and how it was made."""
    with TemporaryDirectory(prefix="lsafnet-") as folder:
        path = Path(folder) / "changes.tif"
        prediction = open_prediction((pair.before, pair.after), path, options, observer, checkpoint)
        with prediction.work_folder() as store:
            prediction.compute(store)
            report = prediction.write(store)
        with open_raster(path) as dataset:
            grid = grid_of(dataset)
        yield (str(path), grid), {name: report.options[name] for name in TOLD}
