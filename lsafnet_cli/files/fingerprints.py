"""What decides a map, written beside its parts, so that a run can be resumed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATE = "state.json"
Fingerprint = Mapping[str, Any]


def read_fingerprint(folder: Path) -> Fingerprint | None:
    """Return the fingerprint of the run whose parts lie in a folder, or None where it has none."""
    try:
        found = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_fingerprint(folder: Path, fingerprint: Fingerprint) -> None:
    """Write a fingerprint down, complete or not at all."""
    temporary = folder / f"{STATE}.tmp"
    temporary.write_text(json.dumps(fingerprint), encoding="utf-8")
    temporary.replace(folder / STATE)


def differences(old: Fingerprint, new: Fingerprint) -> list[str]:
    """Return the names of what differs between two fingerprints."""
    plain = json.loads(json.dumps(new))
    return sorted(name for name in old.keys() | plain.keys() if old.get(name) != plain.get(name))
