"""Texts for people: what an error says, on one line; and which texts of a file may be shown at all."""

import unicodedata

LONGEST = 240
LONGEST_NAME, LONGEST_NOTE = 200, 2000
JOINERS = "\u200c\u200d"  # part of words in Persian, Hindi and others
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # controls, marks of direction, halves of characters, line ends


def one_line(text: object) -> str:
    """Return a text on one line, cut between words where it is too long."""
    whole = " ".join(str(text).split())
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST].rsplit(' ', 1)[0]} ..."


def is_legible(text: object, longest: int = LONGEST_NAME) -> bool:
    """Return whether this is a text with something to read in it and nothing that misleads or breaks what is around.

    No control characters, no marks that turn the direction of writing, no halves of characters, nothing that XML
    cannot hold; at most `longest` characters.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > longest:
        return False
    return not any(is_hidden(char) for char in text)


def is_hidden(char: str) -> bool:
    """Return whether a character is not seen where it stands, or changes what is seen around it."""
    if char in JOINERS or char.isascii():
        return not (char in JOINERS or char.isprintable())
    return unicodedata.category(char) in HIDDEN or ord(char) & 0xFFFE == 0xFFFE
