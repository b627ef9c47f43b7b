"""Kinds of labels."""

from enum import StrEnum


class KindOfLabels(StrEnum):
    """Kinds of labels: in one file for each date, or in a single file."""

    LAND_COVER = "land-cover"
    CHANGES = "changes"
    TRANSITIONS = "transitions"
    BINARY = "binary"
    BEFORE = "before"
    AFTER = "after"


KINDS_OF_TWO = (KindOfLabels.LAND_COVER, KindOfLabels.CHANGES)
KINDS_OF_ONE = (KindOfLabels.TRANSITIONS, KindOfLabels.BINARY)
KINDS_OF_DATE = (KindOfLabels.BEFORE, KindOfLabels.AFTER)  # a single file of land cover of that date
