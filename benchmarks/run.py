"""Measure what the README claims, side by side in one run, and print tables for benchmarks/README.md.

    python benchmarks/run.py [efficiency] [stages] [pipeline] [growth] [forms] [batch] [cuda]
                             [--work FOLDER] [--largest PX]

Without names all that this machine can do is run. Each measurement is a process of its own; seconds count
from after the imports. `pipeline` needs MONAI (benchmarks/requirements.txt).
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch

import one_conv
from lsafnet_cli.checkpoints.choose import shipped_checkpoint
from on_cuda import cuda
from scenes import make_pair

HERE = Path(__file__).parent
Row = tuple[object, ...]


class Bench:
    """The folder that scenes and checkpoints are kept in, and one measurement at a time."""

    def __init__(self, folder: Path, largest_px: int) -> None:
        self.folder, self.largest_px = folder, largest_px
        folder.mkdir(parents=True, exist_ok=True)
        one_conv.register()

    def checkpoint(self, network: str, tile_px: int) -> Path:
        """Return an untrained checkpoint."""
        path = self.folder / f"{network}-{tile_px}.safetensors"
        return path if path.exists() else one_conv.save_untrained(path, network, tile_px)

    def measure(
        self, what: str, checkpoint: Path, size_px: int, *options: str, flat: bool = False
    ) -> dict[str, Any]:
        """Run one measurement; return its seconds, those of its stages, and its peak memory in MB."""
        files = [checkpoint, *make_pair(self.folder, size_px, flat=flat), self.folder / "map.tif"]
        found: dict[str, Any] = self._run("one_run.py", what, *files, *options)
        return found

    def stages(self, checkpoint: Path, size_px: int) -> dict[str, list[float]]:
        """Return processor seconds and seconds of each stage of one run on one thread."""
        files = [checkpoint, *make_pair(self.folder, size_px), self.folder / "map.tif"]
        found: dict[str, list[float]] = self._run("stages.py", *files, threads="1")
        return found

    @staticmethod
    def _run(program: str, *words: object, threads: str | None = None) -> Any:
        command = [sys.executable, str(HERE / program), *map(str, words)]
        more = {} if threads is None else {"OMP_NUM_THREADS": threads}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **more}
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout.splitlines()[-1])


def efficiency(bench: Bench) -> Iterator[Row]:
    """Time of the same forward passes alone, divided by that of the whole command."""
    yield "network", "scene", "batch", "forward passes alone, s", "whole command, s", "efficiency"
    for network, tile, size in (("lsafnet", 512, 1024), ("lsafnet-tiny", 256, 2048)):
        checkpoint, ratios, last = bench.checkpoint(network, tile), [], (0.0, 0.0)
        for _ in range(3):
            alone = bench.measure("bare", checkpoint, size, "--batch", "1")["seconds"]
            whole = bench.measure("predict", checkpoint, size, "--batch", "1")["seconds"]
            ratios.append(alone / whole)
            last = (alone, whole)
        yield network, f"{size} px", 1, f"{last[0]:.2f}", f"{last[1]:.2f}", f"{median(ratios):.3f}"


def stages(bench: Bench) -> Iterator[Row]:
    """Processor seconds and seconds of each stage of a run on one thread: the least of three runs."""
    kinds = (("lsafnet", 512, 1024), ("lsafnet-tiny", 256, 2048), ("shipped", None, 2048))
    found = []
    for network, tile, size in kinds:
        checkpoint = shipped_checkpoint() if tile is None else bench.checkpoint(network, tile)
        found.append([bench.stages(checkpoint, size) for _ in range(3)])
    yield "cpu s, s", *(f"{network}, {size} px" for network, _, size in kinds)
    for stage in found[0][0]:
        yield stage, *(least(runs, stage) for runs in found)


def least(runs: list[dict[str, list[float]]], stage: str) -> str:
    """Return the least processor seconds and the least seconds of a stage, as text."""
    return ", ".join(f"{min(run[stage][kind] for run in runs):.2f}" for kind in (0, 1))


def pipeline(bench: Bench) -> Iterator[Row]:
    """What everything but the network costs, against a plain loop and MONAI."""
    checkpoint = bench.checkpoint(one_conv.NAME, 512)
    yield "4096 px, 1x1 network, fp32", "whole, s", "overhead, s", "of the loop's", "peak MB"
    names = {"lsafnet": "predict", "plain loop": "loop"} | ({"MONAI": "monai"} if find_spec("monai") else {})
    fp32 = ("--precision", "fp32")
    rounds = [
        {
            name: bench.measure(what, checkpoint, 4096, *fp32)
            for name, what in {"bare": "bare", **names}.items()
        }
        for _ in range(3)
    ]
    forward = median(one["bare"]["seconds"] for one in rounds)
    yield "forward passes alone", f"{forward:.2f}", "", "", ""
    loop = median(one["plain loop"]["seconds"] for one in rounds) - forward
    for name in names:
        whole = median(one[name]["seconds"] for one in rounds)
        peak = max(one[name]["peak_mb"] for one in rounds)
        yield name, f"{whole:.2f}", f"{whole - forward:.2f}", f"{(whole - forward) / loop:.2f}", f"{peak:.0f}"


def growth(bench: Bench) -> Iterator[Row]:
    """Time for each pixel, and peak memory, raster to vectors, from small scenes to large ones."""
    checkpoint = bench.checkpoint(one_conv.NAME, 512)
    yield "scene", "runs", "map, s", "Mpx/s", "with polygons, s", "peak MB with polygons"
    for size, count in ((2048, 7), (4096, 5), (8192, 3), (16384, 1), (32768, 1)):
        if size <= bench.largest_px:
            maps, wholes = (
                [bench.measure(what, checkpoint, size, flat=True) for _ in range(count)]
                for what in ("predict", "polygons")
            )
            seconds, whole = (median(run["seconds"] for run in runs) for runs in (maps, wholes))
            yield (
                f"{size} px",
                count,
                f"{seconds:.2f}",
                f"{size * size / seconds / 1e6:.2f}",
                f"{whole:.2f}",
                f"{max(run['peak_mb'] for run in wholes):.0f}",
            )


def forms(bench: Bench, device: str = "cpu") -> Iterator[Row]:
    """Forms of one network with the same answers."""
    yield "lsafnet, 512 px tiles", "ms for each pair", "times as fast as plain fp32"
    checkpoint = bench.checkpoint("lsafnet", 512)
    command = [sys.executable, str(HERE / "forms.py"), str(checkpoint), device]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    for name, milliseconds in found.items():
        yield name, f"{milliseconds:.0f}", f"{found['plain fp32'] / milliseconds:.2f}"


def batch(bench: Bench) -> Iterator[Row]:
    """Many small pairs with polygons: one batch command against a predict command for each, from start to end."""
    count, size = 50, 256
    checkpoint = str(bench.checkpoint("lsafnet-tiny", size))
    folder = bench.folder / "batch"
    shutil.rmtree(folder, ignore_errors=True)
    images = dict(zip(("b", "a"), make_pair(bench.folder, size), strict=True))
    for date, image in images.items():
        (folder / date).mkdir(parents=True)
        for number in range(count):
            shutil.copy(image, folder / date / f"s{number:02d}.tif")
    yield f"{count} pairs of {size} px", "seconds", "times as fast"
    start = time.perf_counter()
    for number in range(count):
        files = [f"{date}/s{number:02d}.tif" for date in images]
        outputs = ["-o", f"alone{number}.tif", "--polygons", f"alone{number}.gpkg"]
        _command(folder, "predict", *files, *outputs, "--checkpoint", checkpoint)
    alone = time.perf_counter() - start
    yield f"{count} predict commands", f"{alone:.1f}", "1.0"
    start = time.perf_counter()
    _command(folder, "batch", *images, "-o", "out", "--checkpoint", checkpoint)
    together = time.perf_counter() - start
    yield "one batch command", f"{together:.1f}", f"{alone / together:.1f}"


def _command(folder: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "lsafnet_cli.app", *words, "-q"], cwd=folder, capture_output=True, check=True
    )


SECTIONS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "efficiency": efficiency, "stages": stages, "pipeline": pipeline, "growth": growth, "forms": forms,
    "batch": batch, "cuda": cuda,
}  # fmt: skip


def machine() -> str:
    """Return what the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    model = next((line.split(":")[1].strip() for line in info.splitlines() if "model name" in line), "?")
    wide = [flag for flag in ("avx512_bf16", "avx512f", "avx2") if flag in info]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {model}, {torch.get_num_threads()} threads, {wide[0] if wide else 'no AVX'}, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def main() -> None:
    """Run the sections that were named, or all that can run here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []])
    parser.add_argument("--work", type=Path, default=HERE / "work")
    parser.add_argument("--largest", type=int, default=32768, help="side of the largest scene, px")
    options = parser.parse_args()
    names = options.sections or [name for name in SECTIONS if name != "cuda" or torch.cuda.is_available()]
    bench = Bench(options.work, options.largest)
    print(machine(), flush=True)
    for name in names:
        print(f"\n{name}: {SECTIONS[name].__doc__}\n", flush=True)
        for number, row in enumerate(SECTIONS[name](bench)):
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
            if number == 0:
                print("|" + "---|" * len(row), flush=True)


if __name__ == "__main__":
    main()
