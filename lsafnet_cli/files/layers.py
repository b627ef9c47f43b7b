"""Names and numbers of the layers of a map."""

CODES = "codes"  # the map itself, among its layers
TRANSITION = "transition"  # the code that each pixel has if it has changed: `lsafnet decide` needs it
PERCENT_NODATA = 255  # in the layer of probability


def is_of_codes(layer: str) -> bool:
    """Return whether a layer holds transition codes, in the legend's dtype and with its nodata."""
    return layer in (CODES, TRANSITION)
