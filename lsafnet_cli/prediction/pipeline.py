"""The main job on one page: two images in, a change map, polygons and a report out."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import rasterio

from lsafnet_cli.checkpoints.choose import NamedCheckpoint, default_notice, load_ensemble
from lsafnet_cli.files.fingerprints import differences, read_fingerprint, write_fingerprint
from lsafnet_cli.files.outputs import OutputPaths
from lsafnet_cli.files.publishing import output_errors
from lsafnet_cli.files.sources import patience
from lsafnet_cli.maps.table import uniform_notices
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import PredictOptions
from lsafnet_cli.polygons.vectorization import sieve_notices
from lsafnet_cli.prediction.compute import compute_parts
from lsafnet_cli.prediction.deliver import make_report, write_outputs
from lsafnet_cli.prediction.plan import RunPlan, prepare_run
from lsafnet_cli.prediction.report import RunReport
from lsafnet_cli.prediction.write import PartStore
from lsafnet_cli.scenes.notices import answer_notices, registration_notices
from lsafnet_cli.scenes.read import read_pair
from lsafnet_cli.system.heap import memory_errors
from lsafnet_cli.system.locks import locked


def predict_change(
    before: str | Path,
    after: str | Path,
    output: str | Path,
    options: PredictOptions | None = None,
    observer: Observer | None = None,
) -> RunReport:
    """Write the change map of two images, and what else the options ask for.

    Every file appears under its name only when complete. Raises a subclass of LsafnetError for whatever a
    user can mend. Rows that are finished by then are kept beside the output, and the same call goes on from
    there; where there are none, nothing is left behind.
    """
    options, observer = options or PredictOptions(), observer or Observer()
    prediction = open_prediction((before, after), Path(output), options, observer)
    with prediction.work_folder() as store:
        prediction.compute(store)
        return prediction.write(store)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A run in steps: it has been opened, and is to be computed and then written."""

    run: RunPlan
    paths: OutputPaths
    notes: Observer
    last_words: tuple[str, ...] = ()

    def work_folder(self) -> AbstractContextManager[PartStore]:
        """Give the folder for its parts; see `work_folder`."""
        return work_folder(self.paths.map, self.run, self.notes)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        with rasterio.Env(GDAL_CACHEMAX=self.run.memory.cache_bytes, **patience()), memory_errors():
            yield

    def compute(self, store: PartStore, rows: tuple[int, int] | None = None) -> None:
        """Compute the parts that are not in the store yet, of all rows or of [first, end), ends of parts."""
        with self._surroundings():
            for text in registration_notices(compute_parts(self.run, store, self.notes, rows)):
                self.notes.notice(text)

    def write(self, store: PartStore) -> RunReport:
        """Make the files from the parts."""
        pixel_count = self.run.mapped.grid.pixel_count
        with self._surroundings(), watched(self.notes, "write", pixel_count):
            made = write_outputs(self.run, store, self.paths)
            self.notes.advance(pixel_count)
        answers = answer_notices(made.table.valid_pixels, made.unanswered)
        for text in (*answers, *uniform_notices(made.table), *self._polygon_notices(), *self.last_words):
            self.notes.notice(text)
        return make_report(self.run, self.paths, self.notes.notices, made.table, made.polygon_count)

    def _polygon_notices(self) -> Iterator[str]:
        if self.paths.polygons:
            yield from sieve_notices(self.run.options.polygons)


def open_prediction(
    pair: tuple[str | Path, str | Path],
    output: Path,
    options: PredictOptions,
    observer: Observer,
    checkpoint: NamedCheckpoint | None = None,
) -> Prediction:
    """Open two images and decide everything else; a checkpoint that is loaded already takes the options' place."""
    notes = Observer(observer)
    paths = OutputPaths.of(output, options.output)
    others = (
        options.read.aoi,
        options.read.exclude,
        *options.read.cloud_masks,
        options.checkpoint,
        *options.ensemble,
    )
    paths.check(tuple(str(name) for name in (*pair, *others) if name), options.output.overwrite)
    last_words = [] if checkpoint else filter(None, [default_notice(options.checkpoint)])
    checkpoint = checkpoint or load_ensemble(options.checkpoint, options.ensemble)
    with rasterio.Env(**patience()), memory_errors():
        scenes = read_pair(*pair, options.read, checkpoint.info.bands)
        scenes.refuse_one_image()
        paths.keep_off(scenes.before.files + scenes.after.files)
        return Prediction(prepare_run(scenes, checkpoint, options, notes), paths, notes, tuple(last_words))


@contextmanager
def work_folder(output: Path, run: RunPlan, observer: Observer) -> Iterator[PartStore]:
    """Give the work folder beside the output, with the parts of a run like this one that was broken off.

    It is gone at the end, unless the run breaks off with parts that are worth keeping.
    """
    store = PartStore(output)
    store.create()
    with locked(store.folder):
        keep_what_fits(store, output, run, observer)
        try:
            yield store
        except BaseException:
            if run.options.output.resume and store.holds_parts():
                observer.notice(f"finished rows stay in {store.folder}: the same command goes on from there")
            else:
                store.remove()
            raise
        store.remove()


def keep_what_fits(store: PartStore, output: Path, run: RunPlan, observer: Observer) -> None:
    """Empty the folder of parts that this run cannot go on with, and say why."""
    fingerprint, found = run.fingerprint(), read_fingerprint(store.folder)
    if run.options.output.resume and found is not None:
        changed = differences(found, fingerprint)
        if not changed:
            return
        observer.notice(f"starting afresh: {', '.join(changed)} changed since the run that was broken off")
    with output_errors(output):
        store.empty()
        write_fingerprint(store.folder, fingerprint)
