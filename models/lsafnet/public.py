"""The public names of a package, loaded on first use (PEP 562)."""

from collections.abc import Callable, Mapping
from importlib import import_module


def public_names(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return a package's `__getattr__`, `__dir__` and `__all__`; `names` lists, by module, the names it has.

    `__version__` is that of the distribution.
    """
    module_of = {name: f"{package}.{module}" for module, listed in names.items() for name in listed.split()}

    def load(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version  # here, so that `lsafnet --help` does not wait for it

            return version("lsafnet")
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(module_of[name]), name)

    return load, lambda: sorted([*module_of, "__version__"]), sorted(module_of)
