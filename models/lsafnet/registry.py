"""The registry of networks, and building them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

LSAFNET_PAPER = (
    "Zhou et al., A late-stage bitemporal feature fusion network for semantic change detection, "
    "IEEE GRSL 22 (2025), doi 10.1109/LGRS.2024.3507292"
)
SCDNET_PAPER = (
    "Peng et al., SCDNET: a novel convolutional network for semantic change detection in high resolution optical "
    "remote sensing imagery, JAG 103 (2021), doi 10.1016/j.jag.2021.102465"
)
DEFO_PAPER = (
    "Li et al., A decoder-focused multitask network for semantic change detection, "
    "IEEE TGRS 62 (2024), doi 10.1109/TGRS.2024.3362728"
)
BISRNET_PAPER = (
    "Ding et al., Bi-temporal semantic reasoning for the semantic change detection in HR remote sensing images, "
    "IEEE TGRS 60 (2022), doi 10.1109/TGRS.2022.3154390"
)
SCANNET_PAPER = (
    "Ding et al., Joint spatio-temporal modeling for semantic change detection in remote sensing images, "
    "IEEE TGRS 62 (2024), doi 10.1109/TGRS.2024.3362795"
)
HRSCD_PAPER = (
    "Daudt et al., Multitask learning for large-scale semantic change detection, "
    "CVIU 187 (2019), doi 10.1016/j.cviu.2019.07.003"
)
FC_SIAM_PAPER = (
    "Daudt et al., Fully convolutional Siamese networks for change detection, "
    "ICIP 2018, doi 10.1109/ICIP.2018.8451652"
)
SCANNET_WEIGHTS = "SECOND: github.com/ggsDing/SCanNet"


Scores = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network by name; `builder(num_classes, **options)` makes it, `options` are all its defaults.

    `semantic` is False for binary networks, which ignore K.
    `parameters` (millions) and `gflop` (2 x multiply-add of one pair of 512 x 512 pixels) hold for 3 bands and 7
    classes. `published` holds the percentages in the tables of LSAFNet's paper, by data set: mIoU, OA, SeK, F_scd.
    `weights` says where trained weights are published, empty where none are known. `unit_range`: the published
    network was trained on values divided by the end of their range, not normalised. `variants`: the
    options, beside bands, under which its weights may be published.
    """

    name: str
    paper: str
    builder: Callable[..., "nn.Module"]
    options: Mapping[str, object] = field(default_factory=dict)
    semantic: bool = True
    parameters: float | None = None
    gflop: float | None = None
    published: Mapping[str, Scores] = field(default_factory=dict)
    weights: str = ""
    unit_range: bool = False
    variants: tuple[Mapping[str, object], ...] = ({},)

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


def _builder(module: str, name: str, semantic: bool = True) -> Callable[..., "nn.Module"]:
    def build(num_classes: int, **options: object) -> "nn.Module":
        network = getattr(import_module(f"lsafnet.networks.{module}"), name)  # torch is imported here at last
        built: nn.Module = network(num_classes, **options) if semantic else network(**options)
        return built

    return build


def _lsafnet(name: str, size: tuple[float, float], **changed: object) -> NetworkSpec:
    defaults = {"bands": 3, "backbone": "resnet34", "width": 128, "lgaa": True, "lgce": True}
    options = MappingProxyType({**defaults, **changed})
    builder = _builder("lsafnet", "LSAFNet")
    return NetworkSpec(name, LSAFNET_PAPER, builder, options, True, *size, SCORES.get(name, {}))


def _published(
    name: str,
    class_name: str,
    paper: str,
    size: tuple[float, float],
    semantic: bool = True,
    weights: str = "",
) -> NetworkSpec:
    builder = _builder(name.replace("-", "_"), class_name, semantic)
    options = MappingProxyType({"bands": 3})
    return NetworkSpec(name, paper, builder, options, semantic, *size, SCORES.get(name, {}), weights)


def _scdnet() -> NetworkSpec:
    options = MappingProxyType({"bands": 3, "auxiliary": True})
    builder, published = _builder("scdnet", "SCDNet"), SCORES["scdnet"]
    return NetworkSpec(
        "scdnet",
        SCDNET_PAPER,
        builder,
        options,
        parameters=37.251,
        gflop=233.3,
        published=published,
        unit_range=True,
        variants=({}, {"auxiliary": False}),
    )


def _scores(second: Scores, landsat_scd: Scores) -> Mapping[str, Scores]:
    return MappingProxyType({"SECOND": second, "Landsat-SCD": landsat_scd})


SCORES = MappingProxyType(
    {
        "lsafnet": _scores((74.01, 87.66, 24.32, 63.20), (87.60, 94.46, 49.94, 81.66)),
        "defo-mltscd": _scores((73.76, 87.80, 23.73, 62.73), (87.49, 94.32, 49.26, 81.39)),
        "scdnet": _scores((70.95, 87.29, 19.75, 59.77), (80.14, 93.62, 40.05, 75.17)),
    }
)
"""Rows of Tables I and II of LSAFNet's paper: mIoU, OA, SeK, F_scd in percent."""

_SPECS = (
    _lsafnet("lsafnet", (24.539, 720.9)),
    _lsafnet("lsafnet-base", (24.618, 723.0), lgaa=False, lgce=False),
    _lsafnet("lsafnet-lgaa", (24.522, 720.8), lgce=False),
    _lsafnet("lsafnet-lgce", (24.635, 723.1), lgaa=False),
    _lsafnet("lsafnet-tiny", (1.136, 35.1), backbone="resnet10-narrow", width=28),
    _published("rsiscd-scd", "SCDNet", LSAFNET_PAPER, (27.860, 1040.6)),
    _published("defo-mltscd", "DefoMltscd", DEFO_PAPER, (26.021, 799.8)),
    _published("defo-baseline", "DefoBaseline", DEFO_PAPER, (25.447, 768.2)),
    _scdnet(),
    _published("sscdl", "SSCDL", BISRNET_PAPER, (23.314, 378.8)),
    _published("bisrnet", "BiSRNet", BISRNET_PAPER, (23.396, 398.8)),
    _published("ted", "TED", SCANNET_PAPER, (24.192, 402.9)),
    _published("scannet", "SCanNet", SCANNET_PAPER, (27.898, 530.2), weights=SCANNET_WEIGHTS),
    _published("hrscd3", "HRSCD3", HRSCD_PAPER, (12.774, 70.5)),
    _published("hrscd4", "HRSCD4", HRSCD_PAPER, (13.713, 72.6)),
    _published("fc-siam-conc", "FCSiamConc", FC_SIAM_PAPER, (1.546, 38.7), semantic=False),
    _published("fc-siam-diff", "FCSiamDiff", FC_SIAM_PAPER, (1.350, 33.8), semantic=False),
)

ALIASES: Mapping[str, str] = MappingProxyType({"rsiscd-tbff": "defo-mltscd"})
"""Further names of networks: the code released with LSAFNet holds DEFO-MLTSCD under another name."""

ENTRY_POINTS = "lsafnet.networks"  # the group in which an installed package names its networks


class _Networks(Mapping[str, NetworkSpec]):
    """Networks by name: those built in and registered, and those of installed packages, loaded when asked for."""

    def __init__(self, specs: Iterable[NetworkSpec]) -> None:
        self.specs = {spec.name: spec for spec in specs}

    @cached_property
    def _offered(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=ENTRY_POINTS) if point.name not in ALIASES}

    def __getitem__(self, name: str) -> NetworkSpec:
        if name not in self.specs and name in self._offered:
            self.specs[name] = _load_spec(self._offered[name])
        return self.specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self.specs, *self._offered]))

    def __len__(self) -> int:
        return len({*self.specs, *self._offered})


def _load_spec(point: EntryPoint) -> NetworkSpec:
    """Return the spec that an entry point names. Raises ValueError where it cannot be loaded or is none."""
    try:
        spec = point.load()
    except Exception as error:
        raise ValueError(f"the network {point.name!r} of {point.value} cannot be loaded ({error})") from error
    if not isinstance(spec, NetworkSpec) or spec.name != point.name:
        raise ValueError(f"{point.value} is no NetworkSpec called {point.name!r}")
    return spec


_REGISTERED = _Networks(_SPECS)
NETWORKS: Mapping[str, NetworkSpec] = _REGISTERED


def register_network(spec: NetworkSpec) -> None:
    """Add a network to `NETWORKS`, so that its checkpoints load. Raises ValueError if the name is taken."""
    if spec.name in list(_REGISTERED) or spec.name in ALIASES:
        raise ValueError(f"a network with the name {spec.name!r} exists already")
    _REGISTERED.specs[spec.name] = spec


def network_spec(name: str) -> NetworkSpec:
    """Return the spec of the network called `name`, or by an alias; ValueError names those that exist."""
    name = ALIASES.get(name, name)
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
