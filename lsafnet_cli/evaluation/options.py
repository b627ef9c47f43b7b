"""Options of scoring maps and checkpoints; checked on creation."""

from dataclasses import dataclass

from lsafnet_cli.errors import OptionError

MOST_TOLERANCE_PX = 64  # borders further apart are no longer one border, and windows would be mostly halo
MOST_RESAMPLES = 100_000


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How scores are made.

    boundary_px: within how many rows and cols a border is met. unit_px: side of the squares of a map that are
    counted apart and resampled; images of a data set are units as they are. resamples: how often, 0 for no
    intervals. seed: the same one gives the same intervals.
    """

    boundary_px: int = 2
    unit_px: int = 256
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.boundary_px <= MOST_TOLERANCE_PX:
            raise OptionError(f"`boundary_px` {self.boundary_px}: give 0 to {MOST_TOLERANCE_PX} pixels")
        if self.unit_px < 1:
            raise OptionError(f"`unit_px` {self.unit_px}: give 1 pixel or more")
        if not 0 <= self.resamples <= MOST_RESAMPLES:
            raise OptionError(f"`resamples` {self.resamples}: give 0 to {MOST_RESAMPLES:,} resamples")
        if self.seed < 0:
            raise OptionError(f"`seed` {self.seed}: give 0 or more")
