"""LSAFNet and its relatives: image tensors in, change logits out.

Names are loaded on first use: `import lsafnet` and `import lsafnet.checkpoint.info` do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsafnet.checkpoint.files import Checkpoint, load_checkpoint, load_state_dict_file, save_checkpoint
    from lsafnet.checkpoint.info import CheckpointError, CheckpointInfo, read_checkpoint_info
    from lsafnet.logits import ChangeLogits, change_maps
    from lsafnet.losses import ChangeLoss
    from lsafnet.metrics import ChangeMetrics
    from lsafnet.registry import NETWORKS, NetworkSpec, build_network

_MODULE_OF = {
    "NETWORKS": "registry",
    "ChangeLogits": "logits",
    "ChangeLoss": "losses",
    "ChangeMetrics": "metrics",
    "Checkpoint": "checkpoint.files",
    "CheckpointError": "checkpoint.info",
    "CheckpointInfo": "checkpoint.info",
    "NetworkSpec": "registry",
    "build_network": "registry",
    "change_maps": "logits",
    "load_checkpoint": "checkpoint.files",
    "load_state_dict_file": "checkpoint.files",
    "read_checkpoint_info": "checkpoint.info",
    "save_checkpoint": "checkpoint.files",
}

__all__ = [
    "NETWORKS",
    "ChangeLogits",
    "ChangeLoss",
    "ChangeMetrics",
    "Checkpoint",
    "CheckpointError",
    "CheckpointInfo",
    "NetworkSpec",
    "build_network",
    "change_maps",
    "load_checkpoint",
    "load_state_dict_file",
    "read_checkpoint_info",
    "save_checkpoint",
]


def __getattr__(name: str) -> object:
    """Import the module that holds `name` (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
