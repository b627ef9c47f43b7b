"""Makes Python lack what Windows lacks, as far as that can be had on Linux; a process finds it by PYTHONPATH.

Modules are hidden from everybody. Functions of `os` and `signal` are hidden from lsafnet's own files alone, for
Python's own (subprocess, tempfile) choose by the system's name and would not start without them.
"""

import ctypes
import os
import signal
import sys
import types

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline", "spwd", "crypt"}
NAMES = {
    os: (
        "sched_getaffinity", "sched_setaffinity", "sysconf", "fork", "killpg", "getpgid", "setsid", "getuid",
        "geteuid", "getgid", "statvfs", "mkfifo", "posix_fadvise", "O_NOFOLLOW", "O_CLOEXEC", "uname", "nice",
        "getloadavg", "chown", "fchmod",
    ),
    signal: ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGALRM", "alarm", "setitimer", "pthread_sigmask"),
}  # fmt: skip
OURS = (f"{os.sep}lsafnet_cli{os.sep}", f"{os.sep}models{os.sep}lsafnet{os.sep}")


class Hidden:
    """Finds no module that Windows lacks."""

    def find_spec(self, name, *_):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class Poorer(types.ModuleType):
    """A module without some of its names, for whoever asks from lsafnet's own files."""

    def __init__(self, module, hidden):
        super().__init__(module.__name__, module.__doc__)
        self.__dict__["_module"], self.__dict__["_hidden"] = module, frozenset(hidden)

    def __getattr__(self, name):
        asker = sys._getframe(1).f_code.co_filename
        if name in self._hidden and any(part in asker for part in OURS):
            raise AttributeError(f"module {self._module.__name__!r} has no attribute {name!r}")
        return getattr(self._module, name)

    def __setattr__(self, name, value):
        setattr(self._module, name, value)


def unnamed_library(self, name, *rest, **more):
    """Refuse what Windows refuses: a library without a name."""
    if name is None and any(part in sys._getframe(1).f_code.co_filename for part in OURS):
        raise TypeError("bad argument type for built-in operation")
    return load_library(self, name, *rest, **more)


for hidden in MODULES:
    sys.modules.pop(hidden, None)
sys.meta_path.insert(0, Hidden())
for module, names in NAMES.items():
    sys.modules[module.__name__] = Poorer(module, names)
load_library = ctypes.CDLL.__init__
ctypes.CDLL.__init__ = unnamed_library
