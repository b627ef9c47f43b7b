"""Names and numbers of the layers of a map."""

CODES = "codes"  # the map itself, among its layers
PERCENT_NODATA = 255  # in the layer of probability
