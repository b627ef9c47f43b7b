"""The prediction pipeline: two images in, a change map, polygons and a report out."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rasterio

from lsafnet_cli.checkpoints.choose import NamedCheckpoint, default_notice, load_ensemble
from lsafnet_cli.files.outputs import OutputPaths
from lsafnet_cli.files.publishing import publish
from lsafnet_cli.files.sources import patience
from lsafnet_cli.maps.table import uniform_notices
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import PredictOptions, check_polygon_files
from lsafnet_cli.prediction.compute import compute_parts
from lsafnet_cli.prediction.deliver import make_report, write_outputs
from lsafnet_cli.prediction.finished import FinishedMap, added_notice, missing_outputs
from lsafnet_cli.prediction.infer import prepare_all
from lsafnet_cli.prediction.plan import RunPlan, prepare_run
from lsafnet_cli.prediction.report import RunReport
from lsafnet_cli.prediction.resuming import asked_of, cut_as_before, finished_run, work_folder
from lsafnet_cli.prediction.write import PartStore
from lsafnet_cli.scenes.notices import answer_notices, registration_notices
from lsafnet_cli.scenes.read import read_pair
from lsafnet_cli.scenes.stamps import Stamps
from lsafnet_cli.system.beside import beside
from lsafnet_cli.system.heap import memory_errors


def predict_change(
    before: str | Path,
    after: str | Path,
    output: str | Path,
    options: PredictOptions | None = None,
    observer: Observer | None = None,
) -> RunReport:
    """Write the change map of two images, and all other outputs of the options.

    Every file appears under its name only when complete. If the map is there already, of the same images, checkpoint
    and options, only the missing outputs are made, and nothing else is touched. Raises a subclass of LsafnetError for
    errors that users can correct. Finished rows are then kept beside the output, and the same call resumes from
    them; if there are none, no files are left.
    """
    options, observer = options or PredictOptions(), observer or Observer()
    check_polygon_files(options.polygons, map(Path, options.output.polygons))
    paths = OutputPaths.of(Path(output), options.output)
    finished = finished_run((before, after), paths, options)
    if finished is not None:
        observer.notice("an earlier run was killed while publishing its files: this is completed now")
        return finished
    added = () if options.output.overwrite else missing_outputs(paths)
    prediction = open_prediction((before, after), Path(output), options, observer, added=added)
    if added:
        observer.notice(added_notice(paths, added))
    with prediction.work_folder() as store:
        prediction.compute(store)
        return prediction.write(store)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A run in steps: opened, then computed, then written.

    If outputs are added to a map that was `found`, only these are written; else all.
    """

    run: RunPlan
    paths: OutputPaths
    notes: Observer
    asked: Mapping[str, Any]
    stamps: Stamps
    found: FinishedMap | None = None
    last_words: tuple[str, ...] = ()

    def work_folder(self) -> AbstractContextManager[PartStore]:
        """Yield the folder for its parts; see `work_folder`."""
        return work_folder(self.paths, self.run, self.notes)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        with rasterio.Env(GDAL_CACHEMAX=self.run.memory.cache_bytes, **patience()), memory_errors():
            yield

    def compute(self, store: PartStore, rows: tuple[int, int] | None = None) -> None:
        """Compute the parts missing in the store, of all rows or of [first, end), borders of parts.

        Nothing is computed for outputs that can be made of a map that was found.
        """
        if self.found is not None and not self.run.decision.layers:
            return
        with self._surroundings():
            for text in registration_notices(compute_parts(self.run, store, self.notes, rows)):
                self.notes.notice(text)

    def write(self, store: PartStore) -> RunReport:
        """Write the files from the parts and publish them. Raises InputError if an input has changed."""
        run, pixel_count = self._written_run(), self.run.mapped.grid.pixel_count
        with self._surroundings(), watched(self.notes, "write", pixel_count):
            made = write_outputs(run, store, self.paths, self.found)
            self.notes.advance(pixel_count)
        answers = answer_notices(made.table.valid_pixels, made.unanswered)
        new = self.paths if self.found is None else self.found.new
        for text in (*answers, *uniform_notices(made.table), *self._polygon_notices(new), *self.last_words):
            self.notes.notice(text)
        report = make_report(run, self.paths, self.notes.notices, made.table, made.polygon_count)
        self.stamps.check()
        finals = [*new.polygons, *made.finished]
        publish(store, finals, self.run.options.output.overwrite, self.asked, report.as_dict())
        return report

    def _written_run(self) -> RunPlan:
        """Return the run as its files tell of it."""
        if self.found is None:
            return self.run
        return replace(self.run, provenance=self.found.provenance(self.run.provenance))

    def _polygon_notices(self, paths: OutputPaths) -> Iterator[str]:
        if paths.polygons:
            from lsafnet_cli.polygons.vectorization import sieve_notices  # as slow to import as in `deliver`

            yield from sieve_notices(self.run.options.polygons)


def open_prediction(
    pair: tuple[str | Path, str | Path],
    output: Path,
    options: PredictOptions,
    observer: Observer,
    checkpoint: NamedCheckpoint | None = None,
    added: Collection[Path] = (),
) -> Prediction:
    """Open two images and plan the run; a loaded checkpoint overrides that of the options.

    If `added` names some of its outputs, only these are made, of the map that is there. Raises OutputError if that
    is the map of another run.
    """
    notes = Observer(observer)
    paths = OutputPaths.of(output, options.output)
    asked = asked_of(pair, paths, options)
    read = options.read
    given = [
        str(name) for name in (*pair, options.grid.image, read.aoi, read.exclude, *read.cloud_masks) if name
    ]
    stamps = Stamps.of(given)
    networks = [str(name) for name in (options.checkpoint, *options.ensemble) if name]
    paths.check((*given, *networks), options.output.overwrite, added)
    found = FinishedMap.open(paths, added) if added else None
    if found is not None:
        stamps = stamps.with_files(map(str, (paths.map, *found.stored.values())))
    last_words = [] if checkpoint else filter(None, [default_notice(options.checkpoint)])
    if checkpoint is None:
        notes.wait("loading the checkpoint")
    checkpoint = checkpoint or load_ensemble(options.checkpoint, options.ensemble)
    with rasterio.Env(**patience()), memory_errors():
        notes.wait("reading the images")
        scenes = read_pair(*pair, options.read, checkpoint.info.bands)
        scenes.refuse_one_image()
        scenes = scenes.with_reference(options.grid.image, options.read)
        files = scenes.before.files + scenes.after.files
        paths.keep_off(files)
        with _networks_beside(checkpoint, options) if found is None else nullcontext():
            run = cut_as_before(prepare_run(scenes, checkpoint, options, notes, found), paths.map)
        if found is not None:
            found.check(run.mapped.grid, run.provenance, bool(run.decision.layers))
            if run.decision.layers:
                layers = ", ".join(run.decision.layers)
                notes.notice(f"the network runs again for {layers}, stored in no file beside the map")
        return Prediction(run, paths, notes, asked, stamps.with_files(files), found, tuple(last_words))


@contextmanager
def _networks_beside(checkpoint: NamedCheckpoint, options: PredictOptions) -> Iterator[None]:
    """Prepare the networks of a run while a block plans it; an error is raised again where they are used.

    They are waited for: a process that ends while torch works in a thread is aborted.
    """
    members = [member.checkpoint for member in checkpoint.members]
    with beside(prepare_all, members, options.device) as done:
        yield
        with suppress(Exception):
            done()
