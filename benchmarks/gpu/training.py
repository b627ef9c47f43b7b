"""Training: fifty steps with and without mixed precision, and a run that is broken off and resumed."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window
from safetensors.torch import load_file

from gpu.work import Rows, Work
from lsafnet_cli.observer import Observer
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.run import train_network
from scenes import LAND_COVER, SAMPLE

STEPS, EPOCHS = 50, 2
CLOSE = 0.05  # of the largest weight: sums on a GPU come in any order


class BreakOff(Observer):
    """Ends a training after so many steps, as Ctrl-C does."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    def advance(self, amount: int, item: str = "", **facts: float) -> None:
        """Count a step."""
        super().advance(amount, item, **facts)
        self._left -= amount if "loss" in facts else 0
        if self._left < 0:
            raise KeyboardInterrupt


class Losses(Observer):
    """Keeps the loss of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def advance(self, amount: int, item: str = "", **facts: float) -> None:
        """Keep a step's loss."""
        super().advance(amount, item, **facts)
        if "loss" in facts:
            self.losses.append(facts["loss"])


def training(work: Work) -> Rows:
    """Fifty steps in fp32 and bf16 lower the loss; a run that is resumed ends with the same weights."""
    data_set = write_data_set(work.folder / "data set", 64 if work.small else 256)
    for precision in ("fp32", "bf16"):
        observer = Losses()
        report = train_network(
            data_set, work.folder / f"run {precision}", options_of(work, precision), observer
        )
        first, last = (float(np.mean(some)) for some in (observer.losses[:10], observer.losses[-10:]))
        yield {
            "form": precision,
            "steps": report.steps,
            "first loss": round(first, 4),
            "last loss": round(last, 4),
            "ms a step": round(1000 * report.seconds / report.steps, 1),
            "ok": report.steps == STEPS and last < first,
        }
    run = work.folder / "run resumed"
    with suppress(KeyboardInterrupt):
        train_network(data_set, run, options_of(work, "fp32"), BreakOff(STEPS // EPOCHS + 5))
    resumed = train_network(data_set, run, options_of(work, "fp32"))
    apart = largest_difference(work.folder / "run fp32", run)
    yield {"form": "fp32, resumed", "steps": resumed.steps, "weights apart": apart, "ok": apart <= CLOSE}


def options_of(work: Work, precision: str) -> TrainOptions:
    """Return how to train; the batch sizes make fifty steps of two epochs."""
    batch = 2 if work.small else 8
    return TrainOptions(
        network="lsafnet-tiny" if work.small else "lsafnet",
        epochs=EPOCHS,
        batch_size=batch,
        crops_per_epoch=batch * STEPS // EPOCHS,
        crop_px=32 if work.small else 256,
        optimizer="adamw",
        device=work.device,
        precision=precision,
        workers=0 if work.small else 4,
    )


def largest_difference(one: Path, other: Path) -> float:
    """Return the largest difference between the weights of two runs, as a share of the largest weight."""
    first, second = (load_file(run / "last.safetensors") for run in (one, other))
    pairs = [(first[key].double(), second[key].double()) for key in first]
    apart = max(float((x - y).abs().max()) for x, y in pairs if x.numel())
    return apart / max(float(x.abs().max()) for x, _ in pairs if x.numel())


def write_data_set(folder: Path, tile_px: int) -> Path:
    """Cut the sample pair and its land cover into tiles, the last row of them for validation."""
    names = ("before", "after", "label_before", "label_after")
    for name in names:
        with rasterio.open(SAMPLE / f"{name}.tif") as source:
            for split, number, window in windows_of(source.width, tile_px):
                where = folder / split / name
                where.mkdir(parents=True, exist_ok=True)
                profile = {"driver": "GTiff", "count": source.count, "dtype": source.dtypes[0]}
                size = {"width": tile_px, "height": tile_px}
                place = {"crs": source.crs, "transform": source.window_transform(window)}
                with rasterio.open(where / f"{number}.tif", "w", **profile, **size, **place) as target:
                    target.write(source.read(window=window))
    listed = [
        {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
        for name, color in zip(LAND_COVER.names, LAND_COVER.colors, strict=True)
    ]
    (folder / "classes.json").write_text(json.dumps({"classes": listed}), encoding="utf-8")
    return folder


def windows_of(width: int, tile_px: int) -> Iterator[tuple[str, int, Window]]:
    """Yield a few tiles of a square image: their split, number and window."""
    across = min(4, width // tile_px)
    for row in range(across):
        for col in range(across):
            split = "val" if row == across - 1 else "train"
            yield split, row * across + col, Window(col * tile_px, row * tile_px, tile_px, tile_px)
