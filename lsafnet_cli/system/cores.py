"""How many of the processor's cores this process may use."""

import os


def usable_cores() -> int:
    """Return the cores this process is bound to, or all of them where the system does not tell."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on Windows and macOS
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
