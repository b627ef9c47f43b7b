"""Resuming runs: finished rows, interrupted publishing, and the request of a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsafnet_cli.checkpoints.choose import chosen_checkpoint
from lsafnet_cli.files.fingerprints import differences, plain, read_fingerprint, write_fingerprint
from lsafnet_cli.files.outputs import OutputPaths
from lsafnet_cli.files.publishing import finish_naming, output_errors
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import PredictOptions
from lsafnet_cli.prediction.plan import CUT, RunPlan
from lsafnet_cli.prediction.report import RunReport
from lsafnet_cli.prediction.write import PartStore
from lsafnet_cli.scenes.stamps import file_stamp
from lsafnet_cli.system.beside import when_quiet

UNASKED = ("overwrite", "resume")  # of the outputs of a run
Pair = tuple[str | Path, str | Path]


def asked_of(pair: Pair, paths: OutputPaths, options: PredictOptions) -> Mapping[str, Any]:
    """Return the request of a run as JSON-ready values: it is equal for the same command on the same files."""
    output = {name: value for name, value in asdict(options.output).items() if name not in UNASKED}
    read = options.read
    masks = (read.aoi, read.exclude, *read.cloud_masks)
    names = (*pair, options.grid.image, *masks, chosen_checkpoint(options.checkpoint), *options.ensemble)
    return {
        "version": version("lsafnet"),
        "files": [file_stamp(str(name)) for name in names if name],
        "outputs": {name: str(path.absolute()) for name, path in paths.named()},
        "options": plain({**asdict(options), "output": output}),
    }


def finished_run(pair: Pair, paths: OutputPaths, options: PredictOptions) -> RunReport | None:
    """Complete the publishing of a killed run; return its report if its request was the same, else None.

    Raises OutputError if another run is active.
    """
    others = [path for _, path in paths.named()]
    naming = finish_naming(paths.map, others, options.output.overwrite)
    if naming is None or not options.output.resume:
        return None
    return naming.report_to(asked_of(pair, paths, options), RunReport.from_dict)


@contextmanager
def work_folder(paths: OutputPaths, run: RunPlan, observer: Observer) -> Iterator[PartStore]:
    """Yield the work folder beside the output, with the parts of an interrupted run like this one.

    It is removed at the end, unless the run is interrupted with finished parts.
    """
    store = PartStore(paths.map)
    with store.held((path for _, path in paths.named()), observer.notice):
        keep_what_fits(store, paths.map, run, observer)
        try:
            yield store
        except BaseException:
            if store.being_named():
                observer.notice("interrupted while publishing files: the same command completes it")
            elif run.options.output.resume and store.holds_parts():
                observer.notice(f"finished rows stay in {store.folder}: the same command resumes from them")
            else:
                when_quiet(store.remove)
            raise
        store.remove()


def cut_as_before(run: RunPlan, output: Path) -> RunPlan:
    """Return a run cut into the swaths of the existing parts, if these are narrower than its own.

    The width of swaths depends on the device's momentary free memory, which alone is no reason to start afresh.
    """
    found, wished = read_fingerprint(PartStore(output).folder), run.fingerprint()
    if found is None or differences(found, wished) != [CUT]:
        return run
    try:
        count = len(found[CUT][1])
    except (TypeError, IndexError):
        return run
    if count < len(run.swaths):
        return run
    narrower = replace(run, memory=replace(run.memory, widest_px=-(-run.plan.width // count)))
    return run if differences(found, narrower.fingerprint()) else narrower


def keep_what_fits(store: PartStore, output: Path, run: RunPlan, observer: Observer) -> None:
    """Remove parts that this run cannot use, and report why."""
    fingerprint, found = run.fingerprint(), read_fingerprint(store.folder)
    if run.options.output.resume and found is not None:
        changed = differences(found, fingerprint)
        if not changed:
            return
        observer.notice(f"starting afresh: {', '.join(changed)} changed since the interrupted run")
    with output_errors(output):
        store.empty()
        write_fingerprint(store.folder, fingerprint)
