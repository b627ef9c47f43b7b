"""What published implementations computed, cut down to some hundred numbers each: `tests/recorded/`.

A network's file says which state dict it has (count and SHA-256 of its keys and shapes), and what the logits of the
original are at random places, for weights and images drawn here from PCG64 streams, the same on every machine.
`lsafnet*` were recorded from an independent reading of the paper, all others from the published code. Losses and
scores are of a cut of what was recorded whole; a second implementation, in numpy alone, met the whole recording to
1e-6 before it computed those of the cut.
"""

import json
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsafnet import build_network

FOLDER = Path(__file__).parent / "recorded"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem not in ("losses", "metrics"))


def read_recording(name: str) -> dict[str, Any]:
    """Return what is recorded of a network, of "losses" or of "metrics"."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def recorded_network(name: str, **options: object) -> nn.Module:
    """Return a network in eval mode, with the weights that its logits were recorded for."""
    about = read_recording(name)
    network = build_network(name, num_classes=about["num_classes"], **options).eval()
    network.load_state_dict(drawn_state(network, about["seed"]))
    return network


def recorded_pair(name: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Return the two images (batch, 3, rows, cols), already normalised, that a network's logits were recorded for."""
    about = read_recording(name)
    rng = np.random.default_rng([977, about["seed"]])
    shape = (about["batch"], 3, about["height"], about["width"])
    return tuple(torch.from_numpy(rng.normal(0.0, 1.0, shape).astype(np.float32)).to(dtype) for _ in range(2))


def keys_sha256(network: nn.Module) -> str:
    """Return the SHA-256 of a state dict's keys and shapes."""
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    return sha256("\n".join(f"{key} {shapes[key]}" for key in sorted(shapes)).encode()).hexdigest()


def difference(found: Tensor, recorded: dict[str, Any]) -> float:
    """Return max|found - recorded| over the places that are recorded, as a share of the largest of the whole map."""
    assert found.numel() == recorded["size"]
    places = np.random.default_rng(found.numel()).choice(
        found.numel(), min(found.numel(), 120), replace=False
    )
    values = found.double().numpy().ravel()[np.sort(places)]
    return float(np.abs(values - recorded["values"]).max() / recorded["largest"])


def drawn_state(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """Return the weights that a network gets under a seed, each from a stream of its key's own."""
    return {
        key: torch.from_numpy(np.asarray(_tensor_for(key, tuple(value.shape), seed)))
        for key, value in network.state_dict().items()
    }


def _tensor_for(key: str, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    rng = np.random.default_rng([zlib.crc32(key.encode()), seed])
    if key.endswith("running_var") or (len(shape) < 2 and key.endswith("weight")):
        drawn = rng.uniform(0.5, 1.5, shape)
    elif key.endswith("running_mean"):
        drawn = rng.normal(0.0, 0.1, shape)
    elif len(shape) >= 2:  # convolutions and linear layers, by the number of their inputs
        drawn = rng.normal(0.0, np.sqrt(2.0 / np.prod(shape[1:])), shape)
    elif key.endswith("bias"):
        drawn = rng.normal(0.0, 0.05, shape)
    else:  # a lone scalar, such as an attention's gamma
        drawn = rng.uniform(0.3, 0.7, shape)
    return np.asarray(drawn, np.float32)
