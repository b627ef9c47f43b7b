"""The kinds of parcels: what covers them, where they lie, how large they are, what they may become."""

from __future__ import annotations

# shares of (water, ground, vegetation, building) in a parcel of each kind, to foresee the size of a change
COVER: dict[str, tuple[float, float, float, float]] = {
    "crop": (0, 0, 1, 0),
    "meadow": (0, 0, 1, 0),
    "wood": (0, 0, 1, 0),
    "orchard": (0, 0, 1, 0),
    "soil": (0, 1, 0, 0),
    "dirt": (0, 1, 0, 0),
    "parking": (0, 0.95, 0.05, 0),
    "house": (0, 0.2, 0.6, 0.2),
    "terrace": (0, 0.2, 0.45, 0.35),
    "block": (0, 0.35, 0.33, 0.32),
    "hall": (0, 0.4, 0.06, 0.54),
    "pond": (0.55, 0, 0.45, 0),
}
# how often a leaf is of each kind in open country, in a suburb, in a town
MIX: dict[str, tuple[float, float, float]] = {
    "crop": (0.40, 0.08, 0.00),
    "meadow": (0.20, 0.16, 0.07),
    "soil": (0.12, 0.05, 0.02),
    "wood": (0.18, 0.10, 0.04),
    "orchard": (0.03, 0.02, 0.01),
    "pond": (0.02, 0.02, 0.01),
    "house": (0.06, 0.34, 0.16),
    "terrace": (0.00, 0.10, 0.16),
    "block": (0.00, 0.08, 0.28),
    "hall": (0.01, 0.07, 0.24),
    "parking": (0.00, 0.02, 0.07),
    "dirt": (0.02, 0.04, 0.04),
}
# parcel sides along and across the street, px; nothing for kinds that keep their whole leaf
LOT_PX: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "house": ((36, 54), (46, 62)),
    "terrace": ((70, 130), (56, 70)),
    "block": ((90, 140), (80, 120)),
    "hall": ((110, 200), (90, 160)),
    "parking": ((110, 170), (80, 130)),
}
INFILL: dict[str, tuple[tuple[str, float], ...]] = {
    "house": (("meadow", 0.06), ("orchard", 0.03), ("dirt", 0.02)),
    "terrace": (("meadow", 0.05), ("parking", 0.05)),
    "block": (("parking", 0.12), ("meadow", 0.1), ("wood", 0.04), ("house", 0.08)),
    "hall": (("parking", 0.2), ("dirt", 0.07), ("meadow", 0.08)),
    "parking": (("meadow", 0.06),),
}
# what a parcel of one kind may have been, or may become
OTHER: dict[str, tuple[tuple[str, float], ...]] = {
    "crop": (
        ("soil", 2),
        ("house", 2),
        ("terrace", 2),
        ("hall", 3),
        ("parking", 1.5),
        ("dirt", 1.5),
        ("pond", 1.2),
    ),
    "meadow": (
        ("house", 3),
        ("hall", 1.5),
        ("block", 1.5),
        ("parking", 2),
        ("dirt", 2),
        ("pond", 2),
        ("soil", 1),
    ),
    "wood": (("dirt", 3), ("soil", 2), ("hall", 1), ("house", 1.5), ("parking", 1)),
    "orchard": (("soil", 2), ("house", 1), ("dirt", 1)),
    "soil": (("meadow", 2), ("crop", 3), ("house", 2), ("terrace", 1), ("hall", 3), ("pond", 1), ("wood", 1)),
    "dirt": (
        ("terrace", 1),
        ("house", 2),
        ("hall", 2),
        ("block", 2),
        ("meadow", 2),
        ("pond", 1.5),
        ("wood", 1),
    ),
    "parking": (("hall", 3), ("meadow", 2), ("block", 2), ("wood", 0.5)),
    "house": (("meadow", 2), ("dirt", 2), ("soil", 1), ("parking", 1), ("wood", 0.6)),
    "terrace": (("dirt", 2), ("meadow", 1), ("parking", 1)),
    "block": (("dirt", 2), ("meadow", 2), ("parking", 2)),
    "hall": (("dirt", 2), ("parking", 2), ("meadow", 1.5), ("soil", 1), ("crop", 0.7)),
    "pond": (("meadow", 2), ("dirt", 2), ("soil", 1)),
}


def changed_share(kind: str, other: str) -> float:
    """Foresee which share of a parcel changes its class when it turns from one kind into another."""
    return 1 - sum(a * b for a, b in zip(COVER[kind], COVER[other], strict=True))
