"""The domain of a checkpoint: statistics of the images it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsafnet.checkpoint.checks import is_count, is_number, require

PERCENTILE = 99  # of the training images, which lie nearer than `limit`


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation over training images of some statistics of an image."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        require(len(self.mean) == len(self.std) > 0, "domain: mean and std must be lists of one length")
        require(all(map(is_number, (*self.mean, *self.std))), "domain: mean and std must be numbers")
        require(all(std > 0 for std in self.std), "domain: every std must be positive")

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Spread":
        """Return what a JSON object with "mean" and "std" says."""
        return cls(tuple(values["mean"]), tuple(values["std"]))


@dataclass(frozen=True, slots=True)
class DomainStatistics:
    """Over the training images: the mean and contrast of their bands, and the means of inner feature maps.

    level, contrast: the bands' means and standard deviations within an image, in the units of `value_range`.
    features: by the name of the layer whose input they are. An image's distance is the root of the mean squared
    deviation of all its features, in standard deviations; 99 % of the training images stay below `limit`.
    """

    level: Spread
    contrast: Spread
    features: Mapping[str, Spread]
    limit: float
    images: int

    def __post_init__(self) -> None:
        require(is_number(self.limit) and self.limit > 0, "domain: limit must be a number above 0")
        require(is_count(self.images), "domain: images must be a number above 0")

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "DomainStatistics":
        """Return what a JSON object says."""
        features = {name: Spread.read(spread) for name, spread in values["features"].items()}
        level, contrast = (Spread.read(values[name]) for name in ("level", "contrast"))
        return cls(level, contrast, features, values["limit"], values["images"])


@dataclass(frozen=True, slots=True)
class Domain:
    """The domain of a checkpoint. gsd_m: smallest and largest pixel size, None if unknown. bands: their
    colours, such as "red"; empty if unknown.
    """

    gsd_m: tuple[float, float] | None = None
    bands: tuple[str, ...] = ()
    statistics: DomainStatistics | None = None

    def __post_init__(self) -> None:
        if self.gsd_m is not None:
            sizes = (
                len(self.gsd_m) == 2
                and all(map(is_number, self.gsd_m))
                and 0 < self.gsd_m[0] <= self.gsd_m[1]
            )
            require(sizes, f"domain: gsd_m must be a lower and a higher number of metres, not {self.gsd_m!r}")
        require(all(isinstance(band, str) for band in self.bands), "domain: bands must be texts")

    @classmethod
    def read(cls, values: Mapping[str, Any] | None) -> "Domain | None":
        """Return what a JSON object says; None where there is none."""
        if values is None:
            return None
        gsd_m, statistics = values.get("gsd_m"), values.get("statistics")
        return cls(
            None if gsd_m is None else tuple(gsd_m),
            tuple(values.get("bands", ())),
            None if statistics is None else DomainStatistics.read(statistics),
        )
