"""What a worker does: scene after scene, the next one opened and computed while the last one is written."""

import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from lsafnet_cli.background import Background
from lsafnet_cli.batch.folder import BatchFolder, SceneState
from lsafnet_cli.batch.messages import Advance, Message, Outcome, Said, Setup, Task
from lsafnet_cli.batch.options import scene_files, scene_fingerprint, scene_options
from lsafnet_cli.batch.records import DONE, FAILED, RUNNING, SceneRecord, write_whole
from lsafnet_cli.batch.scenes import SceneSpec
from lsafnet_cli.checkpoints import NamedCheckpoint, load_named_checkpoint
from lsafnet_cli.devices import is_out_of_memory
from lsafnet_cli.errors import CheckpointFileError, DeviceError, LsafnetError, OutputError, one_line
from lsafnet_cli.memory import plan_memory
from lsafnet_cli.outputs import OutputPaths, check_path
from lsafnet_cli.pipeline import Prediction, open_prediction
from lsafnet_cli.resume import (
    LOCK,
    Fingerprint,
    differences,
    lock_file,
    read_fingerprint,
    write_fingerprint,
)
from lsafnet_cli.stages.report import RunReport
from lsafnet_cli.stages.write import PartStore, output_errors
from lsafnet_cli.types import PredictOptions

REPORT_SECONDS = 0.2  # progress is told no more often
TOKEN = "token"

import json  # noqa: E402
