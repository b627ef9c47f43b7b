"""File names that Windows does not allow."""

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
    """Return why a part of a path is not allowed on Windows; "" if all are."""
    for part in path.parts[1:] if path.anchor else path.parts:
        if part.split(".")[0].strip().lower() in DEVICES:
            return f"Windows reserves the name {part.split('.')[0]} for a device"
        if letters := [letter for letter in LETTERS if letter in part]:
            return f"Windows does not allow {letters[0]} in a name"
        if part not in (".", "..") and part.endswith((".", " ")):
            return "Windows removes a full stop or blank at the end of a name"
    return ""
