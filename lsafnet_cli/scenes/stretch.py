"""Stretch: rescaling a scene's values to the range of a checkpoint, determined once per scene."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.windows import Window

from lsafnet_cli.files.rasters import reading_pixels
from lsafnet_cli.options import StretchRule
from lsafnet_cli.scenes.read import Scene
from lsafnet_cli.scenes.scene_files import SceneSource
from lsafnet_cli.scenes.validity import BoolArray, NumberArray


@dataclass(frozen=True, slots=True)
class Stretch:
    """Linear rescaling of a file's values to the range of a checkpoint, band by band.

    value = clip((number - low) / (high - low), 0, 1) * (value_high - value_low) + value_low, where high may
    be the lower value; `None` instead of a stretch leaves values unchanged.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if any(low == high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError(f"a stretch needs two limits for every band, not {self.low} and {self.high}")


SAMPLE_PX = 1024  # longest side of the decimated read from which a stretch is determined
WHOLE_READ_PX = 1 << 26  # larger files without overviews are sampled by windows instead
WINDOWS_ALONG_SIDE, WINDOW_PX = 8, 256


def scene_stretch(scene: Scene, rule: StretchRule, value_range: tuple[float, float]) -> Stretch | None:
    """Return the stretch of a scene, if necessary from a sample of it; None if no rescaling is needed.

    Scale and offset of a file are applied: the range of a rule is in scaled values, and "none" takes scaled values,
    clipped to the checkpoint's range.
    """
    return stretch_of(scene, rule, value_range, lambda: sample_scene(scene))


def stretch_of(
    scene: Scene, rule: StretchRule, value_range: tuple[float, float], sample: Callable[[], "Sample"]
) -> Stretch | None:
    """Return the same, taking a sample only if one is needed."""
    scaled = any(linear != (1.0, 0.0) for linear in scene.scaling)
    plain = rule.kind == "auto" and has_range(scene.dtype, value_range)
    if not scaled and plain and not fills_range(scene.dtype, value_range):
        seen = sample()
        plain = not out_of_range(seen.numbers[:, seen.valid], value_range)
    if not scaled and (rule.kind == "none" or plain):
        return None
    if rule.kind in ("range", "none"):
        low, high = (rule.low, rule.high) if rule.kind == "range" else value_range
        ends = [sorted(((low - offset) / scale, (high - offset) / scale)) for scale, offset in scene.scaling]
        return _to_stretch(scene, ends)
    seen = sample()
    return _to_stretch(scene, [percentile_limits(band, rule) for band in seen.numbers[:, seen.valid]])


def _to_stretch(scene: Scene, ends: list[Any]) -> Stretch:
    """Return the stretch; limits are swapped if the scale is negative."""
    turned = [
        (high, low) if scale < 0 else (low, high)
        for (low, high), (scale, _) in zip(ends, scene.scaling, strict=True)
    ]
    return Stretch(tuple(low for low, _ in turned), tuple(high for _, high in turned))


def has_range(dtype: str, value_range: tuple[float, float]) -> bool:
    """Return whether values of `dtype` need no rescaling to the checkpoint's range."""
    high = value_range[1]
    if high <= 1:
        return dtype.startswith("float")
    return dtype == "uint8" if high <= 255 else dtype in ("uint16", "int16")


def fills_range(dtype: str, value_range: tuple[float, float]) -> bool:
    """Return whether values of `dtype` cannot exceed the checkpoint's range."""
    whole = np.iinfo(dtype) if np.dtype(dtype).kind != "f" else None
    return whole is not None and value_range[0] <= whole.min and whole.max <= value_range[1]


def out_of_range(numbers: NumberArray, value_range: tuple[float, float]) -> bool:
    """Return whether the 2nd or 98th percentile of (bands, pixels) values exceeds the range by half its width."""
    if numbers.size == 0:
        return False
    low, high = np.percentile(numbers, (2, 98), axis=1)
    spare = (value_range[1] - value_range[0]) / 2
    return bool((low < value_range[0] - spare).any() or (high > value_range[1] + spare).any())


def percentile_limits(numbers: NumberArray, rule: StretchRule) -> tuple[float, float]:
    """Return (low, high) of a band's valid values; the extremes if percentiles coincide; never equal."""
    if numbers.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(numbers, (rule.low, rule.high)))
    if not low < high:
        low, high = float(numbers.min()), float(numbers.max())
    return (low, high) if low < high else (low, float(max(low + 1, np.nextafter(low, np.inf))))


class Sample:
    """A sample of a scene: values (bands, rows, cols), valid (rows, cols)."""

    def __init__(self, numbers: NumberArray, valid: BoolArray) -> None:
        self.numbers, self.valid = numbers, valid

    @property
    def valid_share(self) -> float:
        """The share of valid pixels, 0..1."""
        return float(self.valid.mean()) if self.valid.size else 0.0


def sample_scene(scene: Scene) -> Sample:
    """Return a decimated read of a scene, at most SAMPLE_PX a side, or windows spread over it.

    Windows are read if the file has no overviews and a decimated read would decode all of it. Raises InputError.
    """
    with reading_pixels(scene.path), SceneSource(scene) as source:
        if source.has_overviews or scene.grid.pixel_count <= WHOLE_READ_PX:
            scale = max(1.0, max(scene.file_shape) / SAMPLE_PX)
            rows, cols = (max(1, round(side / scale)) for side in scene.file_shape)
            return Sample(*source.read(None, (rows, cols)))
        windows = [source.read(window) for window in _spread_windows(scene.file_shape)]
    numbers = np.concatenate([numbers for numbers, _ in windows], axis=1)
    return Sample(numbers, np.concatenate([valid for _, valid in windows]))


def _spread_windows(shape: tuple[int, int]) -> Iterator[Window]:
    """Yield windows of one size, evenly spread; they start at multiples of it, as most blocks do."""
    starts = [
        np.linspace(0, max(side - WINDOW_PX, 0), WINDOWS_ALONG_SIDE).astype(int) // WINDOW_PX * WINDOW_PX
        for side in shape
    ]
    size = [min(side, WINDOW_PX) for side in shape]
    for top in sorted(set(starts[0].tolist())):
        for left in sorted(set(starts[1].tolist())):
            yield Window(left, top, size[1], size[0])
