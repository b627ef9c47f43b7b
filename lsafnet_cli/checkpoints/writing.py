"""Write checkpoints: where one may be written, and a copy of one with other metadata."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.replacing import replacing
from lsafnet_cli.system.locks import locked_outputs

ENDING = ".safetensors"


def check_checkpoint_path(output: Path, inputs: Sequence[str], overwrite: bool) -> None:
    """Raise OptionError or OutputError where a checkpoint cannot be written to `output`."""
    if output.suffix.lower() != ENDING:
        raise OptionError(f"{output}: the name of a checkpoint must end in {ENDING}")
    check_path(output, tuple(inputs), overwrite)


def write_with_info(
    path: Path, output: Path, info: CheckpointInfo, overwrite: bool, tell: Callable[[str], None]
) -> None:
    """Write the checkpoint at `path` to `output`, with other metadata. Raises OutputError."""
    from lsafnet.checkpoint.files import replace_info  # here, so that wrong options do not wait for torch

    with locked_outputs([output], tell), replacing(output, overwrite) as written:
        replace_info(path, written, info)
