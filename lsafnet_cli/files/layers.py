"""Names and numbers of the layers of a map."""

CODES = "codes"  # the map itself, among its layers
TRANSITION = "transition"  # the code of the most probable transition of each pixel: `lsafnet decide` needs it
PERCENT_NODATA = 255  # in the probability layer


def is_of_codes(layer: str) -> bool:
    """Return whether a layer holds transition codes, in the legend's dtype and with its nodata."""
    return layer in (CODES, TRANSITION)
