"""LSAFNet and related networks: image tensors in, change logits out.

Names are loaded on first use: `import lsafnet` and `import lsafnet.checkpoint.info` do not wait for torch.
"""

from typing import TYPE_CHECKING

from lsafnet.public import public_names

if TYPE_CHECKING:  # for type checkers and editors; at run time the table below counts
    from lsafnet.checkpoint.files import (
        Checkpoint as Checkpoint,
        load_checkpoint as load_checkpoint,
        load_state_dict_file as load_state_dict_file,
        save_checkpoint as save_checkpoint,
    )
    from lsafnet.checkpoint.info import (
        BandStatistics as BandStatistics,
        CheckpointError as CheckpointError,
        CheckpointInfo as CheckpointInfo,
        ClassEntry as ClassEntry,
        Normalization as Normalization,
        read_checkpoint_info as read_checkpoint_info,
    )
    from lsafnet.checkpoint.published import describe_checkpoint as describe_checkpoint
    from lsafnet.logits import ChangeLogits as ChangeLogits, change_maps as change_maps
    from lsafnet.losses import ChangeLoss as ChangeLoss
    from lsafnet.metrics import ChangeMetrics as ChangeMetrics
    from lsafnet.prepare import prepare_network as prepare_network
    from lsafnet.registry import (
        NETWORKS as NETWORKS,
        NetworkSpec as NetworkSpec,
        build_network as build_network,
        register_network as register_network,
    )
    from lsafnet.training.trainer import (
        LabelledBatch as LabelledBatch,
        Trainer as Trainer,
        TrainingOptions as TrainingOptions,
        evaluate as evaluate,
    )

    __version__: str

NAMES_OF_MODULES = {
    "checkpoint.files": "Checkpoint load_checkpoint load_state_dict_file save_checkpoint",
    "checkpoint.info": "BandStatistics CheckpointError CheckpointInfo ClassEntry "
    "Normalization read_checkpoint_info",
    "checkpoint.published": "describe_checkpoint",
    "logits": "ChangeLogits change_maps",
    "losses": "ChangeLoss",
    "metrics": "ChangeMetrics",
    "prepare": "prepare_network",
    "registry": "NETWORKS NetworkSpec build_network register_network",
    "training.trainer": "LabelledBatch Trainer TrainingOptions evaluate",
}
__getattr__, __dir__, __all__ = public_names(__name__, NAMES_OF_MODULES)
