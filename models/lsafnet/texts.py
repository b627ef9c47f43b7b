"""Texts for people: what an error says, on one line."""

LONGEST = 240


def one_line(text: object) -> str:
    """Return a text on one line, cut between words where it is too long."""
    whole = " ".join(str(text).split())
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST].rsplit(' ', 1)[0]} ..."
