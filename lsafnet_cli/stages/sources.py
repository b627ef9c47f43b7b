"""Sources: what an input's name leads to, and whether that can be an image at all."""

import stat
from pathlib import Path

from lsafnet_cli.errors import InputError

KINDS = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def refuse_what_is_no_file(name: str) -> None:
    """Raise InputError for a name whose opening would fail without saying why, or never return."""
    try:
        mode = Path(name).stat().st_mode
    except OSError:
        return
    for is_kind, kind in KINDS.items():
        if is_kind(mode):
            raise InputError(f"{name}: is {kind}; name a file")
