"""Scores of checkpoints on a data set, whose images are mapped as `predict_change` maps them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio

from lsafnet.scores.change_curve import ChangeCounts
from lsafnet_cli.checkpoints.choose import NamedCheckpoint, load_named_checkpoint
from lsafnet_cli.data_sets.opening import DataSet, open_data_set
from lsafnet_cli.data_sets.pairs import LabelledPair
from lsafnet_cli.data_sets.second import describe_split
from lsafnet_cli.errors import CheckpointFileError
from lsafnet_cli.evaluation.change_probability import count_probability, percent_counts, score_probability
from lsafnet_cli.evaluation.counting import MapPart, PairCounts, count_map, cut_blocks
from lsafnet_cli.evaluation.maps import STAGE, refuse_nothing, tell
from lsafnet_cli.evaluation.options import EvaluateOptions
from lsafnet_cli.evaluation.report import ChangeScores, CheckpointEvaluation, DataSetEvaluation
from lsafnet_cli.evaluation.scoring import Resamples, differences, headlines, interval_notice, resample, score
from lsafnet_cli.files.outputs import layer_path
from lsafnet_cli.files.rasters import grid_of, open_raster
from lsafnet_cli.files.sources import patience
from lsafnet_cli.geometry.grid import Grid
from lsafnet_cli.legend.classes import Legend, transition_codes
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import DIFFER, SAME_CLASS, GridOptions, OutputOptions, PolygonOptions, PredictOptions
from lsafnet_cli.prediction.pipeline import open_prediction
from lsafnet_cli.system.devices import choose_device
from lsafnet_cli.system.heap import memory_errors

MOST_NOTICES = 5  # of all images of a data set, which often say the same
TOLD = ("threshold", "same_class", "tile_px", "overlap_px", "scales", "blend", "bands", "precision", "tta")


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
    loaded = [load_named_checkpoint(Path(path) if path else None) for path in checkpoints]
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
    """Return options for maps that are scored, by default with the bands and no-data values of the data set."""
    options = options or PredictOptions()
    rules = data_set.rules
    read = replace(
        options.read, bands=options.read.bands or rules.bands, nodata=options.read.nodata or rules.nodata
    )
    output = OutputOptions(resume=False)
    alone = replace(options, checkpoint=None, ensemble=(), polygons=PolygonOptions())
    return replace(alone, read=read, output=output, grid=GridOptions(coregister="off"))


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
        device = choose_device(predict.device).torch_device
        tallies = {
            same_class: PairCounts.start(checkpoint.legend, options, device)
            for same_class in (SAME_CLASS if checkpoint.legend.semantic else (predict.same_class,))
        }
        counts = percent_counts()
        with rasterio.Env(**patience()), memory_errors():
            told = _count_pairs(checkpoint, pairs, predict, tallies, counts, notes, images)
        tally = tallies[predict.same_class]
        refuse_nothing(tally, checkpoint.name, tuple(pairs[0].labels.files))
        resamples = resample(tally)
        scores = score(tally, resamples, unit_px=None)
        apart = differences(*first, scores, resamples) if first else None
        first = first or (scores, resamples)
        yield CheckpointEvaluation(
            checkpoint.name, checkpoint.sha256, told, scores, apart,
            decisions={name: headlines(one) for name, one in tallies.items()},
            probability=score_probability(counts, told["threshold"]),
        )  # fmt: skip
    images.say_the_rest()
    tell(notes, interval_notice(tally, "image", "images"))


def _count_pairs(
    checkpoint: NamedCheckpoint,
    pairs: Sequence[LabelledPair],
    predict: PredictOptions,
    tallies: Mapping[str, PairCounts],
    counts: ChangeCounts,
    notes: Observer,
    images: ImageObserver,
) -> dict[str, Any]:
    """Map pairs and count their maps, decided in every way there is a tally for; return how the maps were made."""
    sizes = [_pixels_of(pair.before) for pair in pairs]
    with watched(notes, f"{STAGE} {checkpoint.name}", sum(sizes)):
        for number, pair in enumerate(pairs):
            images.image = pair.name
            with mapped(pair, checkpoint, predict, images) as (maps, told):
                for same_class, tally in tallies.items():
                    part = MapPart.whole(str(maps.of(same_class)), maps.grid, number)
                    count_map(part, pair.labels, tally, Observer())
                count_probability(maps.layer("probability"), part.window, pair.labels, counts)
            notes.advance(sizes[number])
    return told | {"same_class": predict.same_class}


def _pixels_of(path: str) -> int:
    with open_raster(path) as dataset:
        return int(dataset.width * dataset.height)


@dataclass(frozen=True, slots=True)
class Maps:
    """The map of a pair, decided by pairs of different classes, with the layers beside it."""

    path: Path
    grid: Grid
    legend: Legend

    def layer(self, name: str) -> Path:
        """Return the file of a layer."""
        return layer_path(self.path, name)

    def of(self, same_class: str) -> Path:
        """Return the map that is decided as `--same-class` says."""
        if same_class == DIFFER or not self.legend.semantic:
            return self.path
        kept = self.path.with_name("kept.tif")
        with (
            open_raster(self.path) as codes,
            open_raster(self.layer("before")) as before,
            open_raster(self.layer("after")) as after,
            rasterio.open(kept, "w", **codes.profile) as target,
        ):
            for window in cut_blocks(MapPart.whole("", self.grid, 0).window):
                found = codes.read(1, window=window)
                from_class, to_class = (
                    date.read(1, window=window).astype(found.dtype) for date in (before, after)
                )
                changed = (found > 0) & (found != self.legend.nodata)
                pairs = transition_codes(from_class, to_class, 1, self.legend.class_count)
                target.write(np.where(changed, pairs, found), 1, window=window)
        return kept


@contextmanager
def mapped(
    pair: LabelledPair, checkpoint: NamedCheckpoint, options: PredictOptions, observer: Observer
) -> Iterator[tuple[Maps, dict[str, Any]]]:
    """Give the maps of a pair, which do not last, and how they were made."""
    layers = ("before", "after", "probability") if checkpoint.legend.semantic else ("probability",)
    options = replace(options, same_class=DIFFER, output=OutputOptions(also=layers, resume=False))
    with TemporaryDirectory(prefix="lsafnet-") as folder:
        path = Path(folder) / "changes.tif"
        prediction = open_prediction((pair.before, pair.after), path, options, observer, checkpoint)
        with prediction.work_folder() as store:
            prediction.compute(store)
            report = prediction.write(store)
        with open_raster(str(path)) as dataset:
            grid = grid_of(dataset)
        yield (
            Maps(path, grid, checkpoint.legend),
            {name: report.options[name] for name in TOLD if name in report.options},
        )
