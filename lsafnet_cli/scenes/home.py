"""Whether a pair is within the domain of a checkpoint, as far as that can be tested without its network."""

from collections.abc import Iterator

import numpy as np

from lsafnet.checkpoint.domain import Domain, Spread
from lsafnet.checkpoint.info import CheckpointInfo
from lsafnet_cli.files.rasters import open_raster
from lsafnet_cli.geometry.ground import pixel_size_m
from lsafnet_cli.scenes.align import AlignedPair
from lsafnet_cli.scenes.bands import band_names
from lsafnet_cli.scenes.read import Scene
from lsafnet_cli.scenes.stretch import Sample, Stretch

SIZE_TOLERANCE = 1.5  # times smaller or larger than any pixel trained on
SAME_SIZE_FACTOR = 3.0  # if a checkpoint has a single size only
CORNER_SHARE = 0.25  # of the range: values that fill less are dark, or have low contrast, as if not stretched
BAND_WORDS = ("red", "green", "blue", "nir", "swir")  # searched for in the descriptions of bands
FARTHEST_LEVEL = 4.0  # standard deviations of the training images' means


def outside_reasons(
    aligned: AlignedPair,
    info: CheckpointInfo,
    samples: tuple[Sample, Sample],
    stretches: tuple[Stretch | None, Stretch | None],
    named_bands: bool,
) -> Iterator[str]:
    """Yield the reasons why a pair is outside the domain of a checkpoint, each in a few words.

    `named_bands`: whether the user chose the bands; otherwise bands without names are a guess.
    """
    yield from _size_reasons(aligned, info)
    said: set[str] = set()
    for image, sample, stretch in zip((aligned.before, aligned.after), samples, stretches, strict=True):
        scene = image.scene
        for reason in (
            *_band_reasons(scene, info.domain, named_bands),
            *_value_reasons(sample, stretch, info),
        ):
            if (kind := reason.split()[0]) not in said:  # reported for one date, it need not be for the other
                said.add(kind)
                yield reason


def _size_reasons(aligned: AlignedPair, info: CheckpointInfo) -> Iterator[str]:
    size = pixel_size_m(aligned.grid)
    if size is None:
        return
    if info.domain is not None and info.domain.gsd_m is not None:
        low, high = info.domain.gsd_m
        words, low, high = f"{low:.3g} to {high:.3g} m", low / SIZE_TOLERANCE, high * SIZE_TOLERANCE
    elif info.gsd_m is not None:
        low, high = info.gsd_m / SAME_SIZE_FACTOR, info.gsd_m * SAME_SIZE_FACTOR
        words = f"{info.gsd_m:.3g} m"
    else:
        return
    if not low <= size <= high:
        yield f"pixels of {size:.3g} m (trained on {words})"


def _band_reasons(scene: Scene, domain: Domain | None, named_bands: bool) -> Iterator[str]:
    """Yield doubts about the bands: chosen by position only, or of other colours than in training."""
    if scene.paletted:
        return
    with open_raster(scene.path) as dataset:
        names = band_names(dataset)
        colors = [names[band - 1][1] for band in scene.bands]
        texts = [names[band - 1][0].casefold() for band in scene.bands]
    shown = ", ".join(map(str, scene.bands))
    if len(names) > len(scene.bands) and not named_bands and not any((*colors, *texts)):
        yield f"bands {shown} of {len(names)} chosen by position, since none has a name (`bands`)"
    expected = domain.bands if domain is not None else ()
    for band, wanted, color, text in zip(scene.bands, expected, colors, texts, strict=False):
        found = color or next((word for word in BAND_WORDS if word in text), "")
        if found and wanted and found != wanted:
            yield f"band {band} is {found} but {wanted} was used in training (false colour)"


def _value_reasons(sample: Sample, stretch: Stretch | None, info: CheckpointInfo) -> Iterator[str]:
    """Yield doubts about the input values of the network."""
    if not sample.valid.any():
        return
    low, high = info.value_range
    values = np.stack([band[sample.valid].astype(np.float64) for band in sample.numbers])
    if stretch is not None:
        ends = [np.array(limit)[:, None] for limit in (stretch.low, stretch.high)]
        values = (low + (values - ends[0]) / (ends[1] - ends[0]) * (high - low)).clip(low, high)
    least, most = np.percentile(values, (1, 99))
    if (most - least) < CORNER_SHARE * (high - low):
        yield (
            f"values fill {least:.3g} to {most:.3g} of {low:.3g} to {high:.3g} "
            "(`stretch` percentile:2,98 rescales them)"
        )
    statistics = info.domain.statistics if info.domain is not None else None
    if statistics is not None:
        values = values.clip(low, high)
        if (far := _deviation(values.mean(axis=1), statistics.level)) > FARTHEST_LEVEL:
            yield f"brightness {far:.1f} standard deviations from the training images'"
        elif (far := _deviation(values.std(axis=1), statistics.contrast)) > FARTHEST_LEVEL:
            yield f"contrast {far:.1f} standard deviations from the training images'"


def _deviation(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", spread: Spread) -> float:
    if len(spread.mean) != len(values):
        return 0.0
    return float(np.abs((values - np.array(spread.mean)) / np.array(spread.std)).max())


def outside_words(reasons: tuple[str, ...]) -> str:
    """Return the notice that a pair is outside the domain, with the reasons."""
    return f"the pair is unlike what the checkpoint was trained on: {'; '.join(reasons)}: expect poor maps"
