"""Measure the domain of a checkpoint, and the distance of an image from it.

The distance is that of the means of a few inner feature maps from their means over the training images, each in its
own standard deviations: a Mahalanobis distance (Lee et al., "A simple unified framework for detecting
out-of-distribution samples and adversarial attacks", NeurIPS 2018) with a diagonal covariance.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsafnet.checkpoint.domain import PERCENTILE, Domain, DomainStatistics, Spread
from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet.parts.features import Backbone
from lsafnet.scores.change_curve import Floats

LEAST_CHANNELS = 8
DEPTHS = (0.4, 0.7, 1.0)  # of a backbone's convolutions, whose input is looked at
SMALLEST_STD = 1e-3
DIGITS = 5


class _LastSeen(Exception):  # noqa: N818 - not an error: the rest of the network is not needed
    """All features have been collected."""


def feature_layers(network: nn.Module) -> tuple[str, ...]:
    """Return the names of a few convolutions of a network's backbone, or of all of it, whose input is looked at."""
    backbones = [name for name, module in network.named_modules() if isinstance(module, Backbone)]
    inside = f"{backbones[0]}." if backbones else ""
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and name.startswith(inside) and module.in_channels >= LEAST_CHANNELS
    ]
    return tuple(dict.fromkeys(names[round(depth * (len(names) - 1))] for depth in DEPTHS))


def image_features(network: nn.Module, names: Iterable[str], images: Tensor) -> dict[str, Floats]:
    """Return the means over (batch, channels) of the inputs of the named layers, of normalised images.

    The images go in as both dates. The network is left as soon as all have been seen.
    """
    seen: dict[str, Floats] = {}
    names = tuple(names)
    with _watched(network, names, seen), torch.inference_mode(), suppress(_LastSeen):
        network(images, images)
    return seen


@contextmanager
def _watched(network: nn.Module, names: tuple[str, ...], seen: dict[str, Floats]) -> Iterator[None]:
    def look(name: str, image_count: list[int]) -> Any:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if name not in seen:
                means = inputs[0].float().mean((2, 3)).double().cpu().numpy()
                seen[name] = means[: image_count[0]]
            if len(seen) == len(names):
                raise _LastSeen

        return hook

    count = [0]

    def note_count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        count[0] = len(inputs[0])

    hooks = [network.register_forward_pre_hook(note_count)]
    hooks += [network.get_submodule(name).register_forward_pre_hook(look(name, count)) for name in names]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def distances(features: Mapping[str, Floats], home: Mapping[str, Spread]) -> Floats:
    """Return the distance of each image (batch,) from the training images, in standard deviations of these."""
    deviations = [
        (features[name] - np.array(spread.mean)) / np.array(spread.std) for name, spread in home.items()
    ]
    return np.asarray(np.sqrt((np.concatenate(deviations, axis=1) ** 2).mean(axis=1)), np.float64)


def measure_domain(
    network: nn.Module,
    info: CheckpointInfo,
    images: Iterable[NDArray[np.floating[Any]]],
    gsd_m: tuple[float, float] | None,
    bands: tuple[str, ...] = ("red", "green", "blue"),
) -> Domain:
    """Return the domain of a network from training images (bands, rows, cols), in the value range of `info`.

    A few hundred windows of a tile's size will do. Every other one says where the centre is, all of them what is
    far: else an image that was measured would always lie nearer than one that was not. Raises ValueError for
    fewer than four, and where no layer's features are finite, as of a network after a few steps.
    """
    network, names = network.eval(), feature_layers(network)
    date, device = info.normalization.before, next(network.parameters()).device
    mean, std = (torch.tensor(values, device=device).reshape(1, -1, 1, 1) for values in (date.mean, date.std))
    levels, contrasts, features = [], [], []
    for image in images:
        levels.append(image.mean(axis=(1, 2), dtype=np.float64))
        contrasts.append(image.std(axis=(1, 2), dtype=np.float64))
        values = torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(device)
        normalised = (values[None] - mean) / std
        features.append(image_features(network, names, normalised))
    if len(features) < 4:
        raise ValueError(f"{len(features)} images are not enough to estimate the domain of a checkpoint")
    called = [name for name in names if name in features[0]]  # heads that serve training alone are not
    if not called:
        raise ValueError("none of the layers whose features are measured is called")
    gathered = {name: np.concatenate([one[name] for one in features], dtype=np.float64) for name in called}
    gathered = {name: values for name, values in gathered.items() if np.isfinite(values).all()}
    if not gathered:
        raise ValueError("the features of no layer are finite")
    home = {name: _spread(values[::2]) for name, values in gathered.items()}
    limit = float(np.percentile(distances(gathered, home), PERCENTILE))
    statistics = DomainStatistics(
        _spread(np.stack(levels)), _spread(np.stack(contrasts)), home, round(limit, DIGITS), len(features)
    )
    return Domain(gsd_m, bands if len(bands) == info.bands else (), statistics)


def _spread(values: Floats) -> Spread:
    """Return mean and standard deviation over the first axis."""
    mean, std = values.mean(axis=0), np.maximum(values.std(axis=0), SMALLEST_STD)
    return Spread(*(tuple(round(float(x), DIGITS) for x in part) for part in (mean, std)))
