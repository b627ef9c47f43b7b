"""Import of published state dicts: from a file and the name of a data set to a checkpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsafnet.checkpoint.info import CheckpointError
from lsafnet.checkpoint.published import DATA_SETS, describe_checkpoint
from lsafnet.registry import ALIASES, NETWORKS
from lsafnet_cli.checkpoints.writing import check_checkpoint_path
from lsafnet_cli.errors import CheckpointFileError, InputError, OptionError, one_line
from lsafnet_cli.files.replacing import replacing
from lsafnet_cli.system.locks import locked_outputs


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Result of an import, and why the file was recognised as that network."""

    output: str
    network: str
    reason: str
    classes: tuple[str, ...]
    sha256: str


def import_checkpoint(
    path: Path,
    data_set: str,
    output: Path,
    *,
    network: str | None = None,
    license_text: str | None = None,
    overwrite: bool = False,
) -> ImportReport:
    """Convert a published state dict to a checkpoint. No code in the file is ever run.

    data_set: a name of `DATA_SETS`, or a JSON file with the same keys. network: its name; None recognises it. Raises
    CheckpointFileError for a file that does not fit, OptionError, InputError and OutputError.
    """
    if network is not None and network not in {**NETWORKS, **ALIASES}:
        raise OptionError(f"`network` {network}: choose from {', '.join(NETWORKS)}")
    check_checkpoint_path(output, (str(path), data_set), overwrite)
    described = read_data_set(data_set)
    if license_text:
        described = {**described, "license": license_text}
    from lsafnet.checkpoint.files import save_checkpoint  # here, so that wrong options do not wait for torch
    from lsafnet.checkpoint.importing import import_state_dict
    from lsafnet_cli.checkpoints.choose import sha256_of

    try:
        checkpoint, reason = import_state_dict(path, described, network)
    except CheckpointError as error:
        raise CheckpointFileError(one_line(error)) from error
    with locked_outputs([output], tell=lambda _: None), replacing(output, overwrite) as written:
        save_checkpoint(written, checkpoint.network, checkpoint.info)
    names = tuple(entry.name for entry in checkpoint.info.classes)
    return ImportReport(str(output), checkpoint.info.network, reason, names, sha256_of(output))


def read_data_set(name: str) -> Mapping[str, Any]:
    """Return the data set of that name, or that of a JSON file. Raises OptionError and InputError."""
    if name in DATA_SETS:
        return DATA_SETS[name]
    path = Path(name)
    if path.suffix.lower() != ".json":
        raise OptionError(f"`dataset` {name}: choose {', '.join(DATA_SETS)}, or name a .json file")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(described, dict):
            raise CheckpointError("it is not a JSON object")
        describe_checkpoint(NETWORKS["lsafnet"], described)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:  # CheckpointError is one too
        raise InputError(
            f"{path}: is no valid description of a data set: {one_line(error)}; see docs/checkpoints.md"
        ) from error
    return described
