"""One measurement in a process of its own: seconds after the imports, and the peak of its resident memory.

    python benchmarks/one_run.py WHAT CHECKPOINT BEFORE AFTER OUTPUT [--batch N] [--precision P] [--device D]

WHAT: `predict` (the whole command), `polygons` (the same with polygons), `bare` (the same forward passes
alone), `loop` (read a window, predict one tile, add logits in numpy, argmax, write), `monai` (MONAI's
sliding_window_inference between rasterio reading and writing).
"""

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

import one_conv
from device_watch import DeviceWatch
from lsafnet import load_checkpoint
from lsafnet.logits import ChangeLogits
from lsafnet.prepare import prepare_network
from lsafnet_cli.checkpoints.choose import load_ensemble
from lsafnet_cli.options import DeviceOptions, OutputOptions, PredictOptions, ReadOptions, TileOptions
from lsafnet_cli.prediction import pipeline
from lsafnet_cli.prediction.pipeline import predict_change
from lsafnet_cli.prediction.tile import plan_tiles
from lsafnet_cli.scenes.align import align_pair
from lsafnet_cli.scenes.read import read_pair
from lsafnet_cli.system.devices import choose_device
from scenes import make_pair

WARM_UP_PX = 1024  # side of the scene in which a network is compiled before it is measured


def predict(options: argparse.Namespace, polygons: bool = False) -> dict[str, float]:
    """Run the whole command."""
    wanted = (options.output.with_suffix(".gpkg"),) if polygons else ()
    report = predict_change(
        options.before,
        options.after,
        options.output,
        PredictOptions(
            checkpoint=options.checkpoint,
            device=DeviceOptions(options.device, options.precision, options.batch, options.compile),
            output=OutputOptions(wanted, overwrite=True, resume=False),
        ),
    )
    return report.seconds


@contextmanager
def compiled_before(options: argparse.Namespace) -> Iterator[None]:
    """Let the network be compiled in a small scene first: what is measured are the tiles of a long run."""
    loaded = load_ensemble(options.checkpoint, ())
    before, after = make_pair(options.output.parent, WARM_UP_PX)
    small = {"before": before, "after": after, "output": options.output.with_name("warm-up.tif")}
    with mock.patch.object(pipeline, "load_ensemble", return_value=loaded):
        predict(argparse.Namespace(**{**vars(options), **small}))
        yield


def predict_polygons(options: argparse.Namespace) -> dict[str, float]:
    """Run the whole command, raster to vectors."""
    return predict(options, polygons=True)


def bare(options: argparse.Namespace) -> dict[str, float]:
    """Run as many forward passes as the command does, on one batch that is there already."""
    device = choose_device(DeviceOptions(options.device, options.precision))
    checkpoint = load_checkpoint(options.checkpoint)
    network = prepare_network(
        checkpoint.network, device.torch_device, device.precision, compile=options.compile
    )
    pair = align_pair(read_pair(options.before, options.after, ReadOptions(), 3))
    size = checkpoint.info.tile_px
    tiles = len(plan_tiles(pair.grid, size, TileOptions()))
    batch = options.batch or 1
    images = torch.randn(2, batch, 3, size, size, device=device.torch_device)
    with torch.inference_mode():
        network(*images)
        _wait(device.torch_device)
        start = time.perf_counter()
        for first in range(
            0, tiles, batch
        ):  # a compiled network gets whole batches alone, in the command as well
            network(*(images if options.compile else images[:, : min(batch, tiles - first)]))
        _wait(device.torch_device)
    return {"forward": time.perf_counter() - start}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def loop(options: argparse.Namespace) -> dict[str, float]:
    """Do the job as a plain loop does it."""
    network, size = _plain_network(options)
    with rasterio.open(options.before) as before, rasterio.open(options.after) as after:
        plan = plan_tiles(
            align_pair(read_pair(options.before, options.after, ReadOptions(), 3)).grid, size, TileOptions()
        )
        total = np.zeros((15, plan.height, plan.width), np.float32)
        for tile in plan:
            window = Window(tile.left, tile.top, size, size)
            pixels = np.concatenate([before.read(window=window), after.read(window=window)])
            with torch.inference_mode():
                logits = network(_normalised(pixels)[None])[0].numpy()
            total[:, tile.top : tile.top + size, tile.left : tile.left + size] += logits
        _write(options.output, _codes(total), before.profile)
    return {}


def monai(options: argparse.Namespace) -> dict[str, float]:
    """Do the job with MONAI's sliding window between rasterio reading and writing."""
    from monai.inferers import sliding_window_inference

    network, size = _plain_network(options)
    with rasterio.open(options.before) as before, rasterio.open(options.after) as after:
        pixels = np.concatenate([before.read(), after.read()])
        with torch.inference_mode():
            logits = sliding_window_inference(
                _normalised(pixels)[None],
                (size, size),
                options.batch or 4,
                network,
                overlap=0.25,
                mode="gaussian",
            )
        _write(options.output, _codes(logits[0].numpy()), before.profile)
    return {}


def _plain_network(options: argparse.Namespace) -> tuple[Callable[[torch.Tensor], torch.Tensor], int]:
    checkpoint = load_checkpoint(options.checkpoint)

    def network(pixels: torch.Tensor) -> torch.Tensor:
        logits: ChangeLogits = checkpoint.network(pixels[:, :3], pixels[:, 3:])
        return torch.cat(logits, dim=1)  # type: ignore[arg-type]

    return network, checkpoint.info.tile_px


def _normalised(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy((pixels.astype(np.float32) - 110.0) / 50.0)


def _codes(logits: np.ndarray) -> np.ndarray:
    before, after = logits[2:8].argmax(axis=0), logits[9:].argmax(axis=0)
    return np.where(logits[0] > 0, 1 + 6 * before + after, 0).astype(np.uint8)


def _write(path: Path, codes: np.ndarray, like: dict) -> None:
    profile = {**like, "count": 1, "nodata": 255}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(codes, 1)


WHAT = {"predict": predict, "polygons": predict_polygons, "bare": bare, "loop": loop, "monai": monai}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=WHAT)
    for name in ("checkpoint", "before", "after", "output"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    one_conv.register()
    is_compiled = options.compile and options.what in ("predict", "polygons")
    with compiled_before(options) if is_compiled else nullcontext():
        start = time.perf_counter()
        with DeviceWatch(options.device) as watch:
            stages = WHAT[options.what](options)
        seconds = stages.pop("forward", None) or time.perf_counter() - start
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"seconds": seconds, "peak_mb": peak / 1024, "stages": stages, "busy": watch.percent}))


if __name__ == "__main__":
    main()
