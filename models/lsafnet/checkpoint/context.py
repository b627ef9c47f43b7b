"""How much a pixel's surroundings count in whether it has changed."""

from dataclasses import dataclass

from lsafnet.checkpoint.checks import is_number, require

LARGEST_SIGMA_PX, LARGEST_WEIGHT = 1024, 16


@dataclass(frozen=True, slots=True)
class ChangeContext:
    """Change is likelier among change: logit + weight * (Gaussian mean of tanh(logit / 2) around the pixel).

    Applied before temperature and bias; `lsafnet.context` computes it. sigma_px: standard deviation of the Gaussian,
    in pixels that the network sees. weight: by how much the logit rises at most, where all around has surely
    changed, and falls where surely nothing has.
    """

    sigma_px: float
    weight: float

    def __post_init__(self) -> None:
        for name, largest in (("sigma_px", LARGEST_SIGMA_PX), ("weight", LARGEST_WEIGHT)):
            value = getattr(self, name)
            fits = is_number(value) and 0 < value <= largest
            require(fits, f"context: {name} is {value!r}, not above 0 and up to {largest}")
