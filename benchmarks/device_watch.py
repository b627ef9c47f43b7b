"""How busy a CUDA device is while something runs, as nvidia-smi tells it."""

import os
import shutil
import subprocess
from statistics import mean
from typing import Self

EVERY_MS = 100


def shown_number(device: str) -> str:
    """Return what nvidia-smi calls a device of torch: torch counts those that CUDA_VISIBLE_DEVICES names."""
    number = device.partition(":")[2] or "0"
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return visible[int(number)] if int(number) < len(visible) else number


class DeviceWatch:
    """Samples a device's utilisation within a `with` block: the share of time in which any kernel runs.

    `percent` is the mean, None on the processor and where there is no nvidia-smi.
    """

    def __init__(self, device: str) -> None:
        self.percent: float | None = None
        self._device = device
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("nvidia-smi")
        if program is not None and self._device.startswith("cuda"):
            number = shown_number(self._device)
            query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
            self._process = subprocess.Popen(
                [program, *query, f"--id={number}", f"--loop-ms={EVERY_MS}"],
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        text, _stderr = self._process.communicate()
        samples = [float(line) for line in text.split() if line.isdigit()]
        if samples:
            self.percent = mean(samples)
