"""How busy a CUDA device is while something runs, as nvidia-smi tells it."""

import shutil
import subprocess
from statistics import mean
from typing import Self

EVERY_MS = 100


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
            number = self._device.partition(":")[2] or "0"
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
