"""Lists in the text of an option, of names that may hold the signs that separate them."""

import re


def split_words(text: str, sign: str) -> list[str]:
    """Return the parts of a text between a sign; one that stands behind a backslash separates nothing."""
    return [part.strip() for part in re.split(rf"(?<!\\){re.escape(sign)}", text)]


def without_backslashes(word: str) -> str:
    """Return a part as it is meant: + = and , without the backslash before them."""
    return re.sub(r"\\([+=,])", r"\1", word)
