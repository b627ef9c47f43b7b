"""Export of a checkpoint to other runtimes, independent of this package."""

from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from lsafnet.checkpoint.files import Checkpoint
from lsafnet.checkpoint.info import METADATA_KEY, BandStatistics, CheckpointInfo
from lsafnet.context import ContextFilter
from lsafnet.prepare import fold_batch_norms

INPUTS, OUTPUTS = ("before", "after"), ("change", "land_cover_before", "land_cover_after")


class Standalone(nn.Module):
    """A network with its normalisation: image values in, probabilities out.

    Two float32 images (1, bands, rows, cols), in the checkpoint's value range, to the calibrated change probability
    (1, 1, rows, cols) and the probabilities of classes 1..K-1 of both dates (1, K-1, rows, cols); change alone
    where the network knows no land cover.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = fold_batch_norms(checkpoint.network)
        info = checkpoint.info
        self._decision = info.decision
        self.context = None if info.context is None else ContextFilter(info.context)
        normalization = info.normalization
        self.before_mean, self.before_std = _per_band(normalization.before)
        self.after_mean, self.after_std = _per_band(normalization.after)

    def forward(self, before: Tensor, after: Tensor) -> tuple[Tensor, ...]:
        change, *land_cover = self.network(
            (before - self.before_mean) / self.before_std, (after - self.after_mean) / self.after_std
        )
        if self.context is not None:
            change = self.context(change)
        change = change / self._decision.temperature + self._decision.bias
        return change.sigmoid(), *(date[:, 1:].softmax(1) for date in land_cover if date is not None)


def _per_band(statistics: BandStatistics) -> tuple[nn.Buffer, nn.Buffer]:
    mean, std = (
        nn.Buffer(torch.tensor(values).reshape(1, -1, 1, 1)) for values in (statistics.mean, statistics.std)
    )
    return mean, std


def export_program(checkpoint: Checkpoint, tile_px: int) -> torch.export.ExportedProgram:
    """Return the checkpoint as a torch.export program for one pair of images of `tile_px` rows and cols."""
    images = tuple(torch.zeros(1, checkpoint.info.bands, tile_px, tile_px) for _ in INPUTS)
    return torch.export.export(Standalone(checkpoint).eval(), images)


def save_torch_export(program: torch.export.ExportedProgram, info: CheckpointInfo, path: Path) -> None:
    """Write a program for `torch.export.load`, with the checkpoint's metadata as `lsafnet.json`."""
    torch.export.save(program, path, extra_files={f"{METADATA_KEY}.json": info.to_json()})


def save_onnx(program: torch.export.ExportedProgram, info: CheckpointInfo, path: Path) -> None:
    """Write a program as ONNX, with the checkpoint's metadata as `lsafnet`.

    Raises ModuleNotFoundError without the extra `lsafnet[onnx]`.
    """
    for needed in ("onnx", "onnxscript"):
        import_module(needed)
    names = OUTPUTS[: len(program.graph_signature.user_outputs)]
    written = torch.onnx.export(
        program, input_names=list(INPUTS), output_names=list(names), dynamo=True, verbose=False
    )
    assert written is not None
    written.model.metadata_props[METADATA_KEY] = info.to_json()
    written.save(path)
