"""What the parts of the check share: the device, the folder they work in, and one run of `predict`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray

from lsafnet_cli import predict_change
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from lsafnet_cli.options import DeviceOptions, OutputOptions, PredictOptions, TileOptions
from lsafnet_cli.prediction.report import RunReport
from scenes import make_pair

Row = dict[str, Any]
Rows = Iterator[Row]
"""What a part yields. `ok` is True or False for an answer, None for a figure; rows that are yielded are kept."""

HERE = Path(__file__).parents[1]
TRY_PX = 208  # four tiles of 64 px in a row


@dataclass(frozen=True, slots=True)
class Work:
    """A device by its name, and a folder. On a processor everything is `small`: it only tries the procedure."""

    device: str
    folder: Path

    @property
    def small(self) -> bool:
        """Whether sizes are those of a try on a processor."""
        return not self.device.startswith("cuda")

    @property
    def precisions(self) -> tuple[str, ...]:
        """The number types that are tried."""
        return ("fp32", "bf16") if self.small else ("fp32", "bf16", "fp16")

    @property
    def tile_px(self) -> int | None:
        """The side of the shipped checkpoint's tiles; None for its own."""
        return 64 if self.small else None

    def side_px(self, on_cuda: int) -> int:
        """Return the side of the images to map: on a processor that of a few tiles."""
        return TRY_PX if self.small else on_cuda

    def pair(self, size_px: int) -> tuple[Path, Path]:
        """Return a pair of squares of real texture."""
        return make_pair(self.folder, size_px)

    def predict(
        self, size_px: int, name: str, device: DeviceOptions, tile: TileOptions | None = None
    ) -> tuple[NDArray[np.uint8], RunReport]:
        """Map a pair with the shipped checkpoint; return its codes and the report."""
        output = self.folder / f"{name}.tif"
        report = predict_change(
            *self.pair(size_px),
            output,
            PredictOptions(
                checkpoint=shipped_checkpoint(),
                tile=tile or TileOptions(size_px=self.tile_px),
                device=device,
                output=OutputOptions(overwrite=True, resume=False),
            ),
        )
        return codes_of(output), report

    def measure(self, what: str, checkpoint: Path, size_px: int, *options: str) -> dict[str, Any]:
        """Run one measurement of `one_run.py` in a process of its own. Raises RuntimeError where it fails."""
        files = [checkpoint, *self.pair(size_px), self.folder / f"{what}.tif"]
        words = [*map(str, files), "--device", self.device, *options]
        command = [sys.executable, str(HERE / "one_run.py"), what, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no word"])[-1][:300])
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def wait(self) -> None:
        """Wait for all that the device has been given."""
        if not self.small:
            torch.cuda.synchronize(self.device)


def codes_of(path: Path) -> NDArray[np.uint8]:
    """Return the codes of a map."""
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read(1))


def share_equal(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    """Return the share of pixels with the same code."""
    return float((found == expected).mean())
