"""How far a map can be trusted, by what its checkpoint knew of itself when the map was made."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from lsafnet_cli.files.provenance import options_of, outside_of, reliability_of

NOT_RECORDED = "How well the checkpoint suits these images is not recorded in the map."
CHECK = "Check the map before using its figures."
NOT_CALIBRATED = (
    "Its probabilities are not calibrated: of the pixels with 70 %, more or fewer than 70 % may have changed."
)


def trust_text(tags: Mapping[str, str]) -> tuple[str, str]:
    """Return "inside", "outside" or "unknown", and what the map's tags say of its checkpoint's fit to the images."""
    reasons = outside_of(tags)
    if reasons is None:
        kind, text = "unknown", f"{NOT_RECORDED} {CHECK}"
    elif reasons:
        kind, text = "outside", f"Outside of what the checkpoint was trained on: {reasons[0]}. {CHECK}"
    else:
        kind, text = "inside", "The images are like those that the checkpoint was trained on."
    return kind, f"{text} {calibration_text(tags)}".rstrip()


def calibration_text(tags: Mapping[str, str]) -> str:
    """Return whether the probabilities behind a map were calibrated, and its threshold; "" where no tag says so."""
    known = _checkpoints(tags)
    if not known:
        return ""
    calibrated = all(one["fitted_on"] for one in known)
    text = "Its probabilities were calibrated on labelled pairs." if calibrated else NOT_CALIBRATED
    threshold = _threshold(tags)
    return (
        text
        if threshold is None
        else f"{text} Pixels count as changed above a probability of {100 * threshold:.0f} %."
    )


def reliability_rows(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield names and values: each checkpoint's home, its calibration, and how its threshold was come by."""
    known = _checkpoints(tags)
    for one in known:
        of = f" of {one['name']}" if len(known) > 1 else ""
        yield f"trained on{of}", one["trained_on"]
        if one["gsd_m"]:
            low, high = one["gsd_m"]
            size = f"{low:g} m" if low == high else f"{low:g} to {high:g} m"
            yield f"pixels it was trained on{of}", size
        if context := _context(one):
            yield f"surroundings{of}", context
        if _is_number(bias := one.get("scale_bias")):
            yield f"scale bias{of}", f"{bias:+.3g} to the log-odds of change for each doubling of the images"
        yield f"calibration{of}", _calibration(one)
    threshold = _threshold(tags)
    if known and threshold is not None:
        own: float = sum(one["threshold"] for one in known) / len(known)
        whose = (
            "the checkpoint's own" if math.isclose(own, threshold) else f"the checkpoint's own is {own:.3g}"
        )
        yield "changed above a probability of", f"{threshold:.3g} ({whose})"


def _context(one: Mapping[str, Any]) -> str:
    """Return how much the surroundings of a pixel counted, "" where each was judged by itself or no tag says so."""
    found = one.get("context")
    numbers = [found.get(name) for name in ("sigma_px", "weight")] if isinstance(found, Mapping) else [None]
    if not all(map(_is_number, numbers)):
        return ""
    sigma_px, weight = numbers
    return f"count with weight {weight:.3g}, by a Gaussian of {sigma_px:.3g} px"


def _calibration(one: Mapping[str, Any]) -> str:
    if not one["fitted_on"]:
        return "none"
    error = f"; expected calibration error {one['ece']:.3f}" if one["ece"] is not None else ""
    return (
        f"temperature {one['temperature']:.3g}, bias {one['bias']:.3g}, fitted on {one['fitted_on']}{error}"
    )


def _checkpoints(tags: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return what the tags tell of each checkpoint, where they tell it as `NamedCheckpoint.reliability` does."""
    return [one for one in reliability_of(tags) if _is_complete(one)]


def _is_complete(one: Mapping[str, Any]) -> bool:
    numbers = ("threshold", "temperature", "bias")
    size, error = one.get("gsd_m"), one.get("ece")
    return (
        all(isinstance(one.get(name), str) for name in ("name", "trained_on", "fitted_on"))
        and all(_is_number(one.get(name)) for name in numbers)
        and (error is None or _is_number(error))
        and (size is None or (isinstance(size, list) and len(size) == 2 and all(map(_is_number, size))))
    )


def _threshold(tags: Mapping[str, str]) -> float | None:
    """Return above which probability a pixel of the map has changed; None where its options do not say."""
    found: Any = options_of(tags).get("threshold")
    return float(found) if _is_number(found) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
