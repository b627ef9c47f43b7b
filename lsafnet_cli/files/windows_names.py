"""Names that Windows gives to no file."""

from pathlib import PurePath

DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)),
}
LETTERS = '<>:"|?*'


def why_windows_refuses(path: PurePath) -> str:
    """Return why no part of a path may be called so on Windows; "" where all may."""
    for part in path.parts[1:] if path.anchor else path.parts:
        if part.split(".")[0].strip().lower() in DEVICES:
            return f"Windows keeps the name {part.split('.')[0]} for a device"
        if letters := [letter for letter in LETTERS if letter in part]:
            return f"Windows allows no {letters[0]} in a name"
        if part not in (".", "..") and part.endswith((".", " ")):
            return "Windows drops a full stop or blank at a name's end"
    return ""
