"""Fingerprints: all that determines a map, stored beside its parts so that a run can be resumed."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from lsafnet_cli.files.replacing import replacing

STATE = "state.json"
Fingerprint = Mapping[str, Any]


def read_fingerprint(folder: Path) -> Fingerprint | None:
    """Return the fingerprint stored in the work folder of a run, or None if there is none."""
    try:
        found = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def write_fingerprint(folder: Path, fingerprint: Fingerprint) -> None:
    """Store a fingerprint, complete or not at all. Raises OutputError."""
    with replacing(folder / STATE) as path:
        path.write_text(json.dumps(fingerprint), encoding="utf-8")


def differences(old: Fingerprint, new: Fingerprint) -> list[str]:
    """Return the names of the entries that differ between two fingerprints."""
    plain = json.loads(json.dumps(new))
    return sorted(name for name in old.keys() | plain.keys() if old.get(name) != plain.get(name))


def plain(value: Any) -> Any:
    """Return a JSON-ready value; dates and paths become text."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, date | Path) else value
