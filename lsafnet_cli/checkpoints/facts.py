"""Metadata of checkpoints and the list of networks, without loading either."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lsafnet.checkpoint.info import CheckpointError, CheckpointInfo, count_parameters
from lsafnet.registry import ALIASES, NETWORKS, NetworkSpec
from lsafnet_cli.checkpoints.choose import read_info, sha256_of
from lsafnet_cli.errors import CheckpointFileError, one_line

SCORES = ("miou", "oa", "sek", "f_scd")


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """A checkpoint file and its metadata; `spec` is None if this version lacks its network."""

    path: str
    size_bytes: int
    sha256: str
    parameters: int
    info: CheckpointInfo
    spec: NetworkSpec | None

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON-ready values."""
        info = self.info
        return {
            "path": self.path,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "network": info.network,
            "paper": self.spec and self.spec.paper,
            "land_cover": self.spec and self.spec.semantic,
            "parameters": self.parameters,
            "options": dict(info.options),
            "classes": [asdict(entry) for entry in info.classes],
            "bands": info.bands,
            "normalization": asdict(info.normalization),
            "value_range": list(info.value_range),
            "tile_px": info.tile_px,
            "gsd_m": info.gsd_m,
            "input_gsd_m": info.input_gsd_m,
            "scale_bias": info.scale_bias,
            "trained_on": info.trained_on,
            "metrics": dict(info.metrics),
            "context": None if info.context is None else asdict(info.context),
            "decision": asdict(info.decision),
            "license": info.license,
        }


def read_checkpoint_facts(path: Path) -> CheckpointFacts:
    """Return the metadata of the checkpoint at `path`. Raises CheckpointFileError."""
    info = read_info(path)
    try:
        parameters = count_parameters(path)
    except CheckpointError as error:
        raise CheckpointFileError(one_line(error)) from error
    spec = NETWORKS.get(ALIASES.get(info.network, info.network))
    return CheckpointFacts(str(path), path.stat().st_size, sha256_of(path), parameters, info, spec)


def network_facts() -> list[dict[str, Any]]:
    """Return figures of every network: parameters in millions, GFLOP for a pair of 512 pixels, accuracy in %."""
    return [
        {
            "name": spec.name,
            "aliases": [alias for alias, name in ALIASES.items() if name == spec.name],
            "land_cover": spec.semantic,
            "parameters_millions": spec.parameters,
            "gflop_per_512_pair": spec.gflop,
            "published": {
                name: dict(zip(SCORES, scores, strict=True)) for name, scores in spec.published.items()
            },
            "weights": spec.weights,
            "options": dict(spec.options),
            "paper": spec.paper,
        }
        for spec in NETWORKS.values()
    ]
