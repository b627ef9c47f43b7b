"""Collect the results of an array job: one table of all shards, one file of polygons."""

import json
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsafnet.texts import is_legible
from lsafnet_cli.batch.driver import BatchReport
from lsafnet_cli.batch.folder import MERGED_POLYGONS, MOSAIC, TABLES, BatchFolder
from lsafnet_cli.batch.index import write_index
from lsafnet_cli.batch.merge import merge_outputs
from lsafnet_cli.batch.records import DONE, RECORD_ERRORS, WAITING, RecordTables, SceneRecord
from lsafnet_cli.errors import InputError


def collect_batch(path: Path, mosaic: bool, tell: Callable[[str], None]) -> BatchReport:
    """Merge what the runs of a batch left in its folder, and where they wrote pages index these.

    Scenes are those that any table names; each counts as the folder's own notes have it now, and one that no
    run has begun is waiting. Raises InputError for a folder that no batch has written to.
    """
    start = time.perf_counter()
    tables = [
        _read(table)
        for table in sorted(path.glob(f"{TABLES}.json")) + sorted(path.glob(f"{TABLES}.*-of-*.json"))
    ]
    if not tables:
        raise InputError(
            f"{path}: contains no {TABLES}.json and no {TABLES}.I-of-N.json; name the folder of a batch"
        )
    folder = BatchFolder(path)
    folder.create()
    tables_of_all = [path / f"{TABLES}.{kind}" for kind in ("csv", "json")]
    merged = [path / MERGED_POLYGONS, *([path / MOSAIC] if mosaic else [])]
    folder.claim([*tables_of_all, *merged], overwrite=False)
    records = _records(folder, tables)
    about = {key: tables[-1].get(key) for key in ("version", "checkpoint", "checkpoint_sha256")}
    about["pages"] = any(table.get("pages") for table in tables)
    names = tuple(record.name for record in records)
    about |= {"shard": None, "all_scenes": names}
    RecordTables(path / TABLES, about, folder.write_table).write(records)
    outputs = {kind: str(path / f"{TABLES}.{kind}") for kind in ("csv", "json")}
    outputs |= merge_outputs(folder, records, mosaic, tell)
    if about["pages"]:
        outputs |= write_index(folder, records, tell)
    seconds = round(time.perf_counter() - start, 3)
    return BatchReport(str(path), tuple(records), 0, outputs, seconds, version("lsafnet"))


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        records = [SceneRecord.from_dict(one) for one in found["scenes"]]
        names = [record.name for record in records] if records else []
        names = list(dict.fromkeys([*map(str, found["all_scenes"]), *names]))
        if not all(map(is_legible, names)):
            raise ValueError("the name of a scene is not printable")
        return found | {"records": records, "all_scenes": names}
    except RECORD_ERRORS as error:
        raise InputError(f"{path}: is not a table of a batch ({type(error).__name__})") from error


def _records(folder: BatchFolder, tables: list[dict[str, Any]]) -> list[SceneRecord]:
    known: dict[str, SceneRecord] = {}
    for table in tables:
        for record in table["records"]:
            if known.get(record.name) is None or known[record.name].status != DONE:
                known[record.name] = record
    known |= {state.record.name: state.record for state in folder.states()}
    names = dict.fromkeys(name for table in tables for name in table["all_scenes"])
    return [known.get(name) or SceneRecord(name, WAITING, "", "", "") for name in names]
