"""Time forms of one network in turn, in one process: python benchmarks/forms.py CHECKPOINT DEVICE."""

import json
import sys
import time
from collections.abc import Callable
from statistics import median

import torch

from lsafnet import load_checkpoint
from lsafnet.prepare import prepare_network
from lsafnet_cli.system.devices import processor_has_bf16

ROUNDS = 3


def timed(call: Callable[[], object], device: torch.device) -> float:
    """Return milliseconds."""
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Print {form: milliseconds for each pair}, the median of rounds in which the forms take turns."""
    checkpoint, device = load_checkpoint(sys.argv[1]), torch.device(sys.argv[2])
    size = checkpoint.info.tile_px
    images = torch.randn(2, 1, 3, size, size, device=device)
    compiles = device.type == "cuda"
    has_bf16 = device.type == "cuda" or processor_has_bf16()
    shapes = {"folded, channels last, fp32": ("fp32", False)}
    if has_bf16:
        shapes["folded, channels last, bf16"] = ("bf16", False)
    if compiles:
        shapes |= {
            "folded, channels last, fp16": ("fp16", False),
            "the same in bf16, compiled": ("bf16", True),
        }
    networks = {"plain fp32": load_checkpoint(sys.argv[1]).network.to(device)} | {
        name: prepare_network(checkpoint.network, device, precision, compile=compiled)
        for name, (precision, compiled) in shapes.items()
    }
    found: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode():
        for number in range(ROUNDS + 1):
            for name, network in networks.items():
                milliseconds = timed(lambda network=network: network(*images), device)
                if number:
                    found[name].append(milliseconds)
    print(json.dumps({name: median(values) for name, values in found.items()}))


if __name__ == "__main__":
    main()
