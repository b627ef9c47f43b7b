"""Export of checkpoints: a file for other runtimes, complete or not at all."""

from pathlib import Path

from lsafnet_cli.errors import OptionError
from lsafnet_cli.files.outputs import check_path
from lsafnet_cli.files.publishing import WorkFolder, finish_naming, output_errors, publish

ENDINGS = {"torch-export": ".pt2", "onnx": ".onnx"}


def export_checkpoint(
    path: Path, output: Path, form: str, *, tile_px: int | None = None, overwrite: bool = False
) -> Path:
    """Write a checkpoint as "torch-export" or "onnx" and return the file's path.

    Raises CheckpointFileError, OutputError, and OptionError for a wrong file extension or a missing extra.
    """
    if output.suffix.lower() != ENDINGS[form]:
        raise OptionError(f"{output}: the name of a {form} file must end in {ENDINGS[form]}")
    if tile_px is not None and (tile_px < 32 or tile_px % 32):
        raise OptionError(f"`tile_px` {tile_px}: the tile size must be a multiple of 32 pixels")
    finish_naming(output)
    check_path(output, (str(path),), overwrite)
    from lsafnet.checkpoint.exporting import export_program, save_onnx, save_torch_export
    from lsafnet_cli.checkpoints.choose import load_named_checkpoint

    checkpoint = load_named_checkpoint(path).checkpoint
    program = export_program(checkpoint, tile_px or checkpoint.info.tile_px)
    store = WorkFolder(output)
    with store.used():
        written = store.path(output.name)
        try:
            with output_errors(output):
                (save_onnx if form == "onnx" else save_torch_export)(program, checkpoint.info, written)
        except ModuleNotFoundError as error:
            raise OptionError(f"`format` onnx needs {error.name}: pip install 'lsafnet[onnx]'") from error
        publish(store, [output], overwrite)
    return output
