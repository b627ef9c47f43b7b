"""Host memory: freed memory is kept for the next large array; running out of it is a one-line error."""

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

from lsafnet_cli.errors import DeviceError, reason_of

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8  # of glibc's malloc.h


KEEPING = {
    M_MMAP_THRESHOLD: 32 << 20,
    M_TRIM_THRESHOLD: (1 << 31) - 1,
    M_ARENA_MAX: 1,
}  # threads share the freed memory
# arrays of training exceed 32 MiB, and glibc takes no threshold above that
KEEPING_ALL = KEEPING | {M_MMAP_MAX: 0}
USUAL = {M_MMAP_THRESHOLD: 128 << 10, M_TRIM_THRESHOLD: 128 << 10, M_MMAP_MAX: 65536, M_ARENA_MAX: 0}
OUT_OF_MEMORY_WORDS = (
    "out of memory", "can't allocate memory", "not enough memory",
    "_STATUS_ALLOC_FAILED", "HOST_ALLOCATION_FAILED",  # cuBLAS and cuDNN
    "unable to find an engine", "valid cuDNN algorithm",  # cuDNN, where no algorithm's workspace fits
)  # fmt: skip
TILES_BETWEEN = 64  # rare enough to cost nothing, frequent enough to bound unused memory


class FreedMemory:
    """Makes glibc keep freed memory for the next large array, and release it regularly and at the end.

    By default glibc returns every large array to the system, which then provides zeroed pages again: on a CPU
    that takes longer than small networks themselves. With other C libraries nothing is done. `every_size`: also
    arrays above 32 MiB.
    """

    def __init__(self, uses_between: int = TILES_BETWEEN, every_size: bool = False) -> None:
        self._library = _glibc()
        self._used, self._uses_between = 0, uses_between
        self._keeping = KEEPING_ALL if every_size else KEEPING

    def __enter__(self) -> Self:
        self._set(self._keeping)
        return self

    def __exit__(self, *_: object) -> None:
        self._set(USUAL)
        self._give_back()

    def used_once(self) -> None:
        """Count one more tile; unused memory is released every `uses_between` tiles."""
        self._used += 1
        if self._used % self._uses_between == 0:
            self._give_back()

    def _set(self, parameters: Mapping[int, int]) -> None:
        for parameter, value in parameters.items():
            if self._library is not None:
                self._library.mallopt(parameter, value)

    def _give_back(self) -> None:
        if self._library is not None:
            self._library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows cannot open a library without a name
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def says_out_of_memory(error: BaseException) -> bool:
    """Return whether the text of an error of torch is that of an out-of-memory error."""
    return any(word in str(error) for word in OUT_OF_MEMORY_WORDS)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn out-of-memory errors of the host, and of a device outside the network, into a DeviceError with advice."""
    try:
        yield
    except RuntimeError as error:
        if not says_out_of_memory(error):
            raise
        raise DeviceError(
            f"out of memory ({reason_of(error)}); give a smaller `batch_size`, or another `device`"
        ) from error
    except MemoryError as error:
        raise DeviceError(
            f"out of memory ({reason_of(error)}); give a smaller `memory_bytes`, or map a part with `aoi`"
        ) from error
