"""Number of CPU cores that this process may use."""

import os


def usable_cores() -> int:
    """Return the number of cores this process is bound to, or of all cores if the system does not report it."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on Windows and macOS
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
