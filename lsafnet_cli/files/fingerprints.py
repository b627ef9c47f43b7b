"""What decides a map, written beside its parts, so that a run can be resumed."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from lsafnet_cli.files.replacing import replacing

STATE = "state.json"
Fingerprint = Mapping[str, Any]


def read_fingerprint(folder: Path) -> Fingerprint | None:
    """Return the fingerprint of the run whose parts lie in a folder, or None where it has none."""
    try:
        found = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def write_fingerprint(folder: Path, fingerprint: Fingerprint) -> None:
    """Write a fingerprint down, complete or not at all. Raises OutputError."""
    with replacing(folder / STATE) as path:
        path.write_text(json.dumps(fingerprint), encoding="utf-8")


def differences(old: Fingerprint, new: Fingerprint) -> list[str]:
    """Return the names of what differs between two fingerprints."""
    plain = json.loads(json.dumps(new))
    return sorted(name for name in old.keys() | plain.keys() if old.get(name) != plain.get(name))


def plain(value: Any) -> Any:
    """Return a value as JSON has it, dates and paths as texts."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, date | Path) else value
