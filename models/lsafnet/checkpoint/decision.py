"""Calibration of a checkpoint's change logits, and its threshold.

Temperature scaling: Guo et al., "On calibration of modern neural networks", ICML 2017; the bias is that of Platt,
"Probabilistic outputs for support vector machines", 1999.
"""

from dataclasses import dataclass

from lsafnet.checkpoint.checks import is_number, require


@dataclass(frozen=True, slots=True)
class ChangeDecision:
    """Change has the probability sigmoid(logit / temperature + bias); above threshold a pixel counts as changed.

    fitted_on: the labelled pairs that the three come from, "" where nothing was fitted: 0.5, 1 and 0.
    """

    threshold: float = 0.5
    temperature: float = 1.0
    bias: float = 0.0
    fitted_on: str = ""

    def __post_init__(self) -> None:
        numbers = (self.threshold, self.temperature, self.bias)
        require(all(map(is_number, numbers)), "the numbers of decision must be finite")
        require(0 < self.threshold < 1, f"its threshold is {self.threshold!r}, not between 0 and 1")
        require(self.temperature > 0, f"its temperature is {self.temperature!r}, not above 0")
        require(isinstance(self.fitted_on, str), "decision.fitted_on must be a text")

    @property
    def plain(self) -> bool:
        """Whether the probability is the sigmoid of the unchanged logit."""
        return (self.temperature, self.bias) == (1.0, 0.0)
