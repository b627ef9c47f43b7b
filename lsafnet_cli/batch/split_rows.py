"""Row bands of a huge scene, computed by several workers into one work folder, from which one of them writes the map.

Tiles at the border of two bands are computed for both, so that the result is the same as without bands.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from lsafnet_cli.errors import DeviceError
from lsafnet_cli.files.fingerprints import differences, read_fingerprint, write_fingerprint
from lsafnet_cli.files.publishing import output_errors
from lsafnet_cli.prediction.memory import plan_memory
from lsafnet_cli.prediction.pipeline import Prediction
from lsafnet_cli.prediction.plan import RunPlan
from lsafnet_cli.prediction.write import PartStore
from lsafnet_cli.system.locks import LOCK, lock_file

TOKEN = "shared-out.json"


def same_cut(run: RunPlan) -> RunPlan:
    """Return a run whose swaths do not depend on the device's memory, so that every worker cuts alike."""
    budget = run.options.device.memory_bytes
    return replace(run, memory=plan_memory(run.pair, run.plan, run.decision, budget))


def band_rows(run: RunPlan, parts: tuple[int, int]) -> tuple[int, int] | None:
    """Return the rows [first, end) of a range of parts, None where the scene has no such parts."""
    spans = run.layout.row_spans[parts[0] : parts[1]]
    return (spans[0][0], spans[-1][1]) if spans else None


@contextmanager
def agreed_store(prediction: Prediction, rows: tuple[int, int], token: str) -> Iterator[PartStore]:
    """Hold one band of a scene's work folder, whose other bands may be others'.

    The first worker of a sharing out (`token`) drops parts that the run cannot go on with. Raises DeviceError
    where a worker of the same sharing out computes otherwise.
    """
    run, store = prediction.run, PartStore(prediction.paths.map)
    store.create()
    with lock_file(store.folder / LOCK, wait=True):
        _agree(run, store, token)
    with lock_file(store.folder / f"band-{rows[0]:09d}.lock", wait=True):
        yield store


def _agree(run: RunPlan, store: PartStore, token: str) -> None:
    fingerprint, found = run.fingerprint(), read_fingerprint(store.folder)
    changed = differences(found, fingerprint) if found is not None else ["everything"]
    if changed and _token(store) == token:
        raise DeviceError(
            f"{store.folder}: workers compute differently ({', '.join(changed)}); give `precision`, so that "
            "all CPUs and GPUs compute alike"
        )
    with output_errors(store.folder):
        if changed:
            store.empty()
            write_fingerprint(store.folder, fingerprint)
        store.path(TOKEN).write_text(json.dumps(token), encoding="utf-8")


def _token(store: PartStore) -> str | None:
    try:
        return str(json.loads(store.path(TOKEN).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None
