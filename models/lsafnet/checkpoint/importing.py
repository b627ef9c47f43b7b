"""Import of published state dicts as checkpoints, with recognition of the network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lsafnet.checkpoint.files import Checkpoint, fit_state_dict, load_state_dict_file
from lsafnet.checkpoint.info import CheckpointError, CheckpointInfo
from lsafnet.checkpoint.published import describe_checkpoint
from lsafnet.checkpoint.shapes import shapes_alone
from lsafnet.registry import NETWORKS, NetworkSpec, build_network, network_spec


@dataclass(frozen=True, slots=True)
class Resemblance:
    """How the keys and shapes of a state dict differ from those of a network."""

    spec: NetworkSpec
    info: CheckpointInfo
    keys: int
    missing: int
    surplus: int
    misshapen: int

    @property
    def distance(self) -> tuple[int, int]:
        """First keys, then shapes: a class head of another size is nearer than a missing layer."""
        return self.missing + self.surplus, self.misshapen

    @property
    def words(self) -> str:
        """The differences as text."""
        counts = {"missing": self.missing, "surplus": self.surplus, "of another shape": self.misshapen}
        found = ", ".join(f"{count} {fault}" for fault, count in counts.items() if count)
        return f"{self.spec.name} ({found} of {self.keys} keys)"


def import_state_dict(
    path: str | Path, data_set: Mapping[str, Any], network: str | None = None
) -> tuple[Checkpoint, str]:
    """Return the checkpoint of a published state dict, and why its network was recognised.

    data_set: as in `DATA_SETS`. network: its name; None recognises it from keys and shapes. Raises
    CheckpointError, in one line, for a file that is no state dict, that fits no network, or not the one named.
    """
    path = Path(path)
    state = load_state_dict_file(path)
    if network is None:
        found = guess_network(path, state, data_set)
        reason = f"all of its {found.keys} keys and shapes are those of {found.spec.name}"
    else:
        found = min(_resemblances(network_spec(network), state, data_set), key=lambda one: one.distance)
        reason = f"named as {network}, and its {found.keys} keys and shapes fit"
    built = _build(found.info)
    built.load_state_dict(fit_state_dict(path, state, built.state_dict()))
    return Checkpoint(built.eval(), found.info), reason


def guess_network(path: Path, state: Mapping[str, Tensor], data_set: Mapping[str, Any]) -> Resemblance:
    """Return the one network whose keys and shapes these are; CheckpointError names the nearest where none is."""
    nearest = [
        min(_resemblances(spec, state, data_set), key=lambda one: one.distance) for spec in NETWORKS.values()
    ]
    ranked = sorted(nearest, key=lambda one: one.distance)
    best = ranked[0]
    if best.distance == (0, 0):
        return best
    if best.missing + best.surplus == 0:
        fit_state_dict(path, state, _expected(best.info))  # raises, and names the shapes
    raise CheckpointError(
        f"{path} fits no network; nearest are {best.words} and {ranked[1].words}; `lsafnet checkpoint networks` "
        "lists those there are, --network lists the keys that differ"
    )


def _resemblances(
    spec: NetworkSpec, state: Mapping[str, Tensor], data_set: Mapping[str, Any]
) -> Iterator[Resemblance]:
    for options in spec.variants:
        yield resemblance(spec, state, data_set, options)


def resemblance(
    spec: NetworkSpec,
    state: Mapping[str, Tensor],
    data_set: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
) -> Resemblance:
    """Compare a state dict with a network for the classes and bands of a data set."""
    info = describe_checkpoint(spec, data_set, options)
    expected = _expected(info)
    shared = expected.keys() & state.keys()
    return Resemblance(
        spec,
        info,
        keys=len(state),
        missing=len(expected) - len(shared),
        surplus=len(state) - len(shared),
        misshapen=sum(expected[key].shape != state[key].shape for key in shared),
    )


def _expected(info: CheckpointInfo) -> dict[str, Tensor]:
    with shapes_alone():
        return _build(info).state_dict()


def _build(info: CheckpointInfo) -> nn.Module:
    return build_network(info.network, num_classes=info.num_classes, bands=info.bands, **info.options)
