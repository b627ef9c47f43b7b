"""Demonstration: prediction for the synthetic pair shipped with the package, with the shipped checkpoint."""

import shutil
from importlib.resources import files
from pathlib import Path

from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from lsafnet_cli.files.outputs import OutputPaths, check_path
from lsafnet_cli.files.replacing import output_errors, replacing
from lsafnet_cli.observer import Observer
from lsafnet_cli.options import LAYERS, OutputOptions, PredictOptions
from lsafnet_cli.prediction.pipeline import predict_change
from lsafnet_cli.prediction.report import RunReport


def run_demonstration(folder: Path, overwrite: bool, observer: Observer) -> RunReport:
    """Write before.tif, after.tif and all outputs of `predict` into a folder.

    Raises OutputError if that fails, or if files exist and `overwrite` is False.
    """
    pair = [folder / f"{date}.tif" for date in ("before", "after")]
    change_map, polygons = folder / "changes.tif", (folder / "changes.gpkg", folder / "changes.geojson")
    output = OutputOptions(polygons, (*LAYERS, "quicklook", "report"), overwrite)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    OutputPaths.of(change_map, output).check((), overwrite)
    for path in pair:
        check_path(path, (), overwrite)
    for path in pair:
        with replacing(path, overwrite) as copy:
            shutil.copyfile(str(files("lsafnet_cli") / "data" / "sample" / path.name), copy)
    options = PredictOptions(checkpoint=shipped_checkpoint(), output=output)
    return predict_change(pair[0], pair[1], change_map, options, observer)
