"""Put the decoders of an LSAFNet checkpoint on another backbone, which starts from published ImageNet weights.

    python tools/graft_backbone.py CHECKPOINT --backbone efficientnet-lite2 --weights W.pth IMAGES... -o OUTPUT

The decoders keep their weights. The pointwise layers between them and the backbone are fitted so that what the new
backbone sees in IMAGES (folders) resembles what the old one saw: by least squares, before the ReLU. Training goes on
from there in far fewer steps than from ImageNet weights alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lsafnet import build_network
from lsafnet.checkpoint.decision import ChangeDecision
from lsafnet.checkpoint.files import load_checkpoint, load_state_dict_file, save_checkpoint
from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet.networks.lsafnet import LSAFNet
from lsafnet.parts.backbone import load_backbone_weights
from lsafnet.parts.features import Widths

WINDOWS, WINDOW_PX = 160, 256
MULTIPLE = 32  # rows and cols of the windows
ZOOMS = (0.4, 1.0)  # drone images are seen at the sizes that training shows
PIXELS = 400  # of each window and map that are fitted
RIDGE = 1e-3  # of the maps' variance
LEAST_SPREAD = 1e-3
OWN_LAYERS = ("backbone.", "adapter.")


def windows(images: Sequence[Path], info: CheckpointInfo, rng: np.random.Generator) -> Iterator[Tensor]:
    """Yield normalised (1, bands, rows, cols) of random images at random zooms."""
    statistics = info.normalization.before
    mean, std = (torch.tensor(values)[:, None, None] for values in (statistics.mean, statistics.std))
    for number in rng.choice(len(images), min(WINDOWS, len(images)), replace=False):
        with Image.open(images[number]) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float()
        zoom = float(np.exp(rng.uniform(*np.log(ZOOMS))))
        seen = interpolate(((pixels - mean) / std)[None], scale_factor=zoom, mode="bilinear", antialias=True)
        rows, cols = (max(MULTIPLE, min(WINDOW_PX, side) // MULTIPLE * MULTIPLE) for side in seen.shape[2:])
        top, left = (
            int(rng.integers(max(1, side - wanted + 1)))
            for side, wanted in zip(seen.shape[2:], (rows, cols), strict=True)
        )
        yield seen[..., top : top + rows, left : left + cols]


def before_relu(adapter: nn.Module, features: Tensor) -> Tensor:
    """Return what a pointwise layer of an adapter makes of a map, without its ReLU; the map where there is none."""
    if isinstance(adapter, nn.Identity):
        return features
    assert isinstance(adapter, nn.Sequential)
    made: Tensor = adapter[:2](features)
    return made


def fit_pointwise(layer: nn.Sequential, inputs: Tensor, outputs: Tensor) -> float:
    """Fit a pointwise layer (pixels, channels in) -> (pixels, channels out); return the share it explains, R^2."""
    ones = torch.ones(len(inputs), 1, dtype=inputs.dtype)
    design = torch.cat([inputs, ones], dim=1)
    ridge = RIDGE * len(inputs) * inputs.var() * torch.eye(design.shape[1], dtype=inputs.dtype)
    weights = torch.linalg.solve(design.T @ design + ridge, design.T @ outputs)
    found = design @ weights
    mean, spread = found.mean(dim=0), found.std(dim=0).clamp_min(LEAST_SPREAD)
    conv, norm = layer[0], layer[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert conv.bias is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        conv.weight.copy_(weights[:-1].T[:, :, None, None])
        conv.bias.copy_(weights[-1])
        for values, fitted in ((norm.running_mean, mean), (norm.bias, mean), (norm.weight, spread)):
            values.copy_(fitted)
        norm.running_var.copy_(spread**2)
    around = ((outputs - outputs.mean(dim=0)) ** 2).sum()
    return float(1 - ((found - outputs) ** 2).sum() / around)


def fit_adapters(old: LSAFNet, new: LSAFNet, seen: Iterator[Tensor]) -> dict[str, float]:
    """Fit the adapters of `new` to the maps of `old` in normalised windows; return R^2 by map."""
    pixels: dict[str, tuple[list[Tensor], list[Tensor]]] = {name: ([], []) for name in Widths._fields}
    with torch.inference_mode():
        for window in seen:
            maps = zip(Widths._fields, old.backbone(window), new.backbone(window), strict=True)
            for name, theirs, ours in maps:
                wanted = before_relu(getattr(old.adapter, name), theirs)
                size = ours.shape[2] * ours.shape[3]
                chosen = torch.randperm(size)[: min(PIXELS, size)]
                for kept, one in zip(pixels[name], (ours, wanted), strict=True):
                    kept.append(one[0].flatten(1)[:, chosen].T.double())
    return {
        name: fit_pointwise(layer, torch.cat(inputs), torch.cat(outputs))
        for name, (inputs, outputs) in pixels.items()
        if isinstance(layer := getattr(new.adapter, name), nn.Sequential)
    }


def graft(
    checkpoint: Path, backbone: str, weights: Path, images: Sequence[Path], output: Path
) -> dict[str, float]:
    """Write a checkpoint's decoders on a backbone with published weights; return R^2 of the fitted layers by map."""
    torch.manual_seed(0)
    loaded = load_checkpoint(checkpoint)
    old, info = loaded.network.float().eval(), loaded.info
    options = {**info.options, "backbone": backbone}
    new = build_network(info.network, num_classes=info.num_classes, bands=info.bands, **options).eval()
    assert isinstance(old, LSAFNet)
    assert isinstance(new, LSAFNet)
    load_backbone_weights(new.backbone, load_state_dict_file(weights))
    kept = {key: value for key, value in old.state_dict().items() if not key.startswith(OWN_LAYERS)}
    new.load_state_dict(kept, strict=False)
    found = fit_adapters(old, new, windows(images, info, np.random.default_rng(0)))
    fresh = replace(info, options=options, metrics={}, decision=ChangeDecision(), domain=None)
    save_checkpoint(output, new, fresh)
    return found


def images_below(folders: Sequence[Path]) -> list[Path]:
    """Return the files of folders, in order."""
    return [file for folder in folders for file in sorted(folder.iterdir())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("images", type=Path, nargs="+", help="folders of images")
    parser.add_argument("--backbone", required=True, help="as in lsafnet train")
    parser.add_argument("--weights", type=Path, required=True, help="its published ImageNet weights")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the checkpoint to write")
    given = parser.parse_args()
    found = graft(given.checkpoint, given.backbone, given.weights, images_below(given.images), given.output)
    for name, explained in found.items():
        print(f"{name}: R^2 {explained:.2f}")


if __name__ == "__main__":
    main()
