"""Which networks there are, and how each is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

LSAFNET_PAPER = (
    "Zhou et al., A late-stage bitemporal feature fusion network for semantic change detection, "
    "IEEE GRSL 22 (2025), doi 10.1109/LGRS.2024.3507292"
)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network by name; `builder(num_classes, **options)` makes it, `options` are all its defaults.

    `semantic` is False for networks that tell only changed from unchanged.
    """

    name: str
    paper: str
    builder: Callable[..., "nn.Module"]
    options: Mapping[str, object] = field(default_factory=dict)
    semantic: bool = True

    def with_options(self, options: Mapping[str, object]) -> dict[str, object]:
        """Return the defaults overridden by `options`; ValueError for any that does not exist or fit."""
        for name, value in options.items():
            if name not in self.options:
                raise ValueError(
                    f"{self.name} has no option {name!r}; there are {', '.join(self.options) or 'none'}"
                )
            _check_option(self.name, name, value, self.options[name])
        return {**self.options, **options}


def _check_option(network: str, name: str, value: object, default: object) -> None:
    if type(value) is not type(default):
        raise ValueError(f"{network} takes a {type(default).__name__} as {name}, not {value!r}")
    if type(value) is int and value < 1:
        raise ValueError(f"{network} takes a positive {name}, not {value}")


def _build_lsafnet(num_classes: int, **options: object) -> "nn.Module":
    from lsafnet.networks.lsafnet import LSAFNet  # here, so that listing networks does not wait for torch

    return LSAFNet(num_classes, **options)  # type: ignore[arg-type]  # NetworkSpec has checked them


def _lsafnet(name: str, **changed: object) -> NetworkSpec:
    defaults = {"bands": 3, "backbone": "resnet34", "width": 128, "lgaa": True, "lgce": True}
    return NetworkSpec(name, LSAFNET_PAPER, _build_lsafnet, MappingProxyType({**defaults, **changed}))


_SPECS = (
    _lsafnet("lsafnet"),
    _lsafnet("lsafnet-base", lgaa=False, lgce=False),
    _lsafnet("lsafnet-lgaa", lgce=False),
    _lsafnet("lsafnet-lgce", lgaa=False),
    _lsafnet("lsafnet-tiny", backbone="resnet10-narrow", width=28),
)

_REGISTERED = {spec.name: spec for spec in _SPECS}
NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType(_REGISTERED)


def register_network(spec: NetworkSpec) -> None:
    """Add a network of one's own to `NETWORKS`, so that its checkpoints load. ValueError where the name is taken."""
    if spec.name in _REGISTERED:
        raise ValueError(f"a network called {spec.name!r} exists already")
    _REGISTERED[spec.name] = spec


def network_spec(name: str) -> NetworkSpec:
    """Return the spec of the network called `name`; ValueError names those that exist."""
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]


def build_network(name: str, *, num_classes: int, **options: object) -> "nn.Module":
    """Return a freshly initialised network for `num_classes` classes, of which index 0 is "unchanged".

    Called as `network(before, after)` with two batches (batch, bands, rows, cols) it returns `ChangeLogits`.
    Unknown names and options, and options of the wrong kind, raise a ValueError that lists what exists.
    """
    spec = network_spec(name)
    if num_classes < 2:
        raise ValueError(f"{name} needs two classes or more, counting index 0, not {num_classes}")
    return spec.builder(num_classes, **spec.with_options(options))
