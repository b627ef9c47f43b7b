"""Lists in the text of an option, of names that may hold the signs that separate them."""

import re
from collections.abc import Iterable


def split_words(text: str, sign: str) -> list[str]:
    """Return the parts of a text between a sign; one that stands behind a backslash separates nothing."""
    return [part.strip() for part in re.split(rf"(?<!\\){re.escape(sign)}", text)]


def without_backslashes(word: str) -> str:
    """Return a part as it is meant: + = and , without the backslash before them."""
    return re.sub(r"\\([+=,])", r"\1", word)


def backslash_hint(names: Iterable[str], signs: str) -> str:
    """Return how signs are written that stand in names, to be added to a message; "" if none of the names has one."""
    if not any(sign in name for name in names for sign in signs):
        return ""
    plain, escaped = (" and ".join(before + sign for sign in signs) for before in ("", "\\"))
    return f"; {plain} in a name {'are' if len(signs) > 1 else 'is'} written {escaped}"
