"""The two published splits of SECOND; scores on one cannot be compared with those on the other."""

from lsafnet_cli.data_sets.opening import DataSet

PUBLIC, TEST = 2968, 1694
PAPERS = (2375, 593)
"""Pairs to train on and to test on, in the tables of LSAFNet's paper: both cut from the public ones."""


def describe_split(data_set: DataSet) -> str | None:
    """Return a line that says which split of SECOND a data set is, by its numbers of pairs; None for other data."""
    if data_set.description.get("trained_on") != "SECOND":
        return None
    counts = {name: len(items) for name, items in data_set.splits.items()}
    train, tested = counts.get("train", 0), (counts.get("test"), counts.get("val"))
    if train == PAPERS[0] and PAPERS[1] in tested and TEST not in tested:
        return _line(data_set, f"{PAPERS[0]:,} / {PAPERS[1]} pairs, the split of the paper's tables")
    if TEST in tested and train + (counts.get("val") or 0) == PUBLIC:
        return _line(
            data_set,
            f"{PUBLIC:,} / {TEST:,} pairs, the later split; the paper's tables are on {PAPERS[0]:,} / {PAPERS[1]}",
        )
    found = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return _line(
        data_set,
        f"{found} pairs, neither published split ({PAPERS[0]:,} / {PAPERS[1]} or {PUBLIC:,} / {TEST:,}): "
        "published scores are not comparable",
    )


def _line(data_set: DataSet, words: str) -> str:
    return f"{data_set.folder}: SECOND with {words}"
