"""Inference: tiles of pixels become probabilities, batch by batch, on the device.

Raw integers are copied to the device and normalised there. On CUDA the next batch is copied, from
pinned memory on a stream of its own, while the current one is computed.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lsafnet.checkpoint.files import Checkpoint
from lsafnet.logits import ChangeLogits
from lsafnet.prepare import prepare_network
from lsafnet_cli.options import DeviceOptions
from lsafnet_cli.prediction.input_scale import network_px
from lsafnet_cli.prediction.scaling import Calibration, DateScaling
from lsafnet_cli.prediction.tile import Tile
from lsafnet_cli.prediction.tile_rows import TilePixels
from lsafnet_cli.scenes.stretch import Stretch
from lsafnet_cli.scenes.validity import BoolArray, NumberArray
from lsafnet_cli.system.background import run_in_lanes
from lsafnet_cli.system.devices import BatchSize, Device, choose_device, divided_threads, is_out_of_memory

FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
_PREPARED: WeakKeyDictionary[nn.Module, dict[Device, nn.Module]] = WeakKeyDictionary()
_PREPARING = Lock()
LONG_BATCH_SECONDS = 1.0  # a batch this long keeps all cores busy alone, and would delay the end of the run


@dataclass(frozen=True, slots=True)
class TileScores:
    """Probabilities of one tile, (scores, size, size) on the device, and `valid` (size, size) on the host.

    Scores are change first, then the land cover 1..K-1 of before, then that of after. `valid` is None where
    every pixel is.
    """

    tile: Tile
    scores: Tensor
    valid: BoolArray | None


@dataclass(frozen=True, slots=True)
class TileBatch:
    """Raw pixels of several tiles, stacked: (2, batch, bands, size, size), the dates first.

    `valid` (batch, 1, size, size) is on the device, `host_valid` (batch, size, size) on the host; both are
    None where every pixel is valid.
    """

    tiles: list[Tile]
    images: Tensor
    valid: Tensor | None = None
    host_valid: BoolArray | None = None

    def part(self, first: int, end: int) -> "TileBatch":
        """Return tiles [first, end) of the batch."""
        some = slice(first, end)
        valid, host = (None if array is None else array[some] for array in (self.valid, self.host_valid))
        return TileBatch(self.tiles[some], self.images[:, some], valid, host)  # type: ignore[arg-type]

    def filled(self, count: int) -> "TileBatch":
        """Return the batch with pixels for `count` tiles, those of its last one repeated; it has no more tiles."""
        missing = count - len(self.tiles)
        if missing <= 0:
            return self
        more = self.images[:, -1:].expand(-1, missing, -1, -1, -1)
        valid = self.valid
        if valid is not None:
            valid = torch.cat([valid, valid[-1:].expand(missing, -1, -1, -1)])
        return replace(self, images=torch.cat([self.images, more], 1), valid=valid)


class Member(nn.Module):
    """A network with its scaling: raw values and validity in, probabilities out, that of change calibrated.

    Pixels without data in either date are set to the mean in both. `views` are the flips of a tile, each as axes;
    probabilities are averaged over them. `scale`: by how much the network sees tiles enlarged.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        stretches: tuple[Stretch | None, Stretch | None],
        device: Device,
        views: tuple[tuple[int, ...], ...],
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        info = checkpoint.info
        self._views, self._scale = views, scale
        self.network = prepared_network(checkpoint.network, device)
        self.scaling = DateScaling(info.normalization, stretches, info.value_range).to(device.torch_device)
        self.calibration = Calibration(info, scale).to(device.torch_device)

    def forward(self, batch: TileBatch) -> Tensor:
        """Return (batch, scores, rows, cols) float32."""
        images = self.scaling(batch.images)
        if batch.valid is not None:
            images = torch.where(batch.valid, images, 0.0)
        valid = batch.valid if self.calibration.context is not None else None
        side = images.shape[-1]
        seen_px = network_px(side, self._scale)
        if seen_px == side:
            return mean_of(self._view(images, valid, axes) for axes in self._views)
        seen = resized(images.flatten(0, 1), seen_px).reshape(*images.shape[:3], seen_px, seen_px)
        if valid is not None:
            valid = interpolate(valid.float(), (seen_px, seen_px)) > 0
        return resized(mean_of(self._view(seen, valid, axes) for axes in self._views), side)

    def _view(self, images: Tensor, valid: Tensor | None, axes: tuple[int, ...]) -> Tensor:
        before, after = images.flip(axes) if axes else images
        logits = self.network(before, after)
        if valid is not None and axes:
            valid = valid.flip(axes)
        scores = probabilities(self.calibration(logits, valid))
        return scores.flip(axes) if axes else scores


class Scorer(nn.Module):
    """The networks of a run: raw values and validity in, the mean of their probabilities out.

    `flips` runs every tile four times: unchanged, flipped along its rows, along its cols, and along both. `scales`:
    by how much each network sees the tiles enlarged, () for not at all.
    """

    def __init__(
        self,
        checkpoints: Sequence[Checkpoint],
        stretches: tuple[Stretch | None, Stretch | None],
        device: Device,
        flips: bool = False,
        scales: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.device = device
        views = FLIPS if flips else FLIPS[:1]
        self.members = nn.ModuleList(
            Member(one, stretches, device, views, scale)
            for one, scale in zip(checkpoints, scales or [1.0] * len(checkpoints), strict=True)
        )

    def forward(self, batch: TileBatch) -> Tensor:
        """Return (batch, scores, rows, cols) float32."""
        return mean_of(member(batch) for member in self.members)


def resized(values: Tensor, side: int) -> Tensor:
    """Return (batch, channels, side, side): bicubic where it gets larger, a mean of pixels where it gets smaller."""
    if side > values.shape[-1]:
        return interpolate(values, (side, side), mode="bicubic")
    return interpolate(values, (side, side), mode="bilinear", antialias=True)


def mean_of(scores: Iterable[Tensor]) -> Tensor:
    """Return the mean of scores, with at most two of them in memory; a single one is returned unchanged."""
    coming = iter(scores)
    total, count = next(coming), 1
    for one in coming:
        total, count = total.add_(one), count + 1
    return total if count == 1 else total.div_(count)


def prepared_network(network: nn.Module, device: Device) -> nn.Module:
    """Return a network prepared for a device, cached with the network.

    While another thread prepares it, this waits for that.
    """
    with _PREPARING:
        forms = _PREPARED.setdefault(network, {})
        if device not in forms:
            forms[device] = prepare_network(
                network, device.torch_device, device.precision, compile=device.compiled
            )
        return forms[device]


def prepare_all(checkpoints: Iterable[Checkpoint], options: DeviceOptions) -> None:
    """Prepare networks for the device of the options: in a thread, while a run is planned. Raises DeviceError."""
    device = choose_device(options)
    for checkpoint in checkpoints:
        prepared_network(checkpoint.network, device)


def probabilities(logits: ChangeLogits) -> Tensor:
    """Return (batch, scores, rows, cols): sigmoid of change, softmax over the classes 1..K-1 of each date."""
    change, before, after = logits
    if before is None or after is None:
        return change.sigmoid()
    rows, cols = change.shape[-2:]
    classes = before.shape[1] - 1
    scores = change.new_empty((len(change), 1 + 2 * classes, rows, cols))
    torch.sigmoid(change, out=scores[:, :1])
    torch.softmax(before[:, 1:], 1, out=scores[:, 1 : 1 + classes])
    torch.softmax(after[:, 1:], 1, out=scores[:, 1 + classes :])
    return scores


def make_batches(tiles: Iterator[TilePixels], size: BatchSize, device: Device) -> Iterator[TileBatch]:
    """Yield batches of tiles on the host, pinned if they will be copied to CUDA."""
    while batch := list(islice(tiles, size.size)):
        images = _stacked([*(tile.before for tile in batch), *(tile.after for tile in batch)], device)
        images = images.reshape(2, len(batch), *images.shape[1:])
        places = [tile.tile for tile in batch]
        if all(tile.valid.all() for tile in batch):
            yield TileBatch(places, images)
        else:
            valid = _stacked([tile.valid for tile in batch], device)
            yield TileBatch(places, images, valid[:, None], valid.numpy())
        del batch  # its views would keep full rows of the scene in memory


def _stacked(arrays: list[NumberArray] | list[BoolArray], device: Device) -> Tensor:
    """Return arrays stacked along a new first axis, on the host, pinned if they will be copied to CUDA.

    They are written into pinned memory at once; torch keeps that of earlier batches and hands it out again.
    """
    dtype = torch.from_numpy(np.empty(0, arrays[0].dtype)).dtype
    stacked = torch.empty((len(arrays), *arrays[0].shape), dtype=dtype, pin_memory=device.is_cuda)
    np.stack(arrays, out=stacked.numpy())
    return stacked


def upload(batches: Iterator[TileBatch], device: Device) -> Iterator[TileBatch]:
    """Yield the batches on the device; on CUDA the next one is copied while the last is used."""
    if not device.is_cuda:
        yield from batches
        return
    stream = torch.cuda.Stream(device.torch_device)  # type: ignore[no-untyped-call]
    coming: TileBatch | None = None
    for batch in batches:
        following = _send(batch, device, stream)
        if coming is not None:
            yield coming
        torch.cuda.current_stream(device.torch_device).wait_stream(stream)
        coming = following
    if coming is not None:
        yield coming


def _send(batch: TileBatch, device: Device, stream: torch.cuda.Stream) -> TileBatch:
    def send(tensor: Tensor) -> Tensor:
        with torch.cuda.stream(stream):
            sent = tensor.to(device.torch_device, non_blocking=True)
        sent.record_stream(torch.cuda.current_stream(device.torch_device))
        return sent

    valid = None if batch.valid is None else send(batch.valid)
    return TileBatch(batch.tiles, send(batch.images), valid, batch.host_valid)


@dataclass(frozen=True, slots=True)
class BatchScores:
    """Result of a batch: (tiles, scores, size, size), or None if it ran out of memory, and the seconds it took.

    `computed` tiles went through the network, some of them only to fill the batch.
    """

    batch: TileBatch
    scores: Tensor | None
    seconds: float
    computed: int


def infer_tiles(scorer: Scorer, batches: Iterator[TileBatch], size: BatchSize) -> Iterator[TileScores]:
    """Yield the scores of each tile, in order.

    The batch size is halved when memory runs out. Raises DeviceError if a single tile does not fit.
    """

    def score(batch: TileBatch) -> BatchScores:
        return score_batch(scorer, batch, size)

    coming = upload(batches, scorer.device)
    seconds = 0.0
    for first in islice(coming, 1):
        outcome = score(first)
        seconds = outcome.seconds
        yield from _tiles_of(outcome, score, size)
    lanes = scorer.device.lanes if seconds < LONG_BATCH_SECONDS else 1
    with divided_threads(lanes):
        for outcome in run_in_lanes(score, coming, lanes):
            yield from _tiles_of(outcome, score, size)


def _tiles_of(
    outcome: BatchScores, score: Callable[[TileBatch], BatchScores], size: BatchSize
) -> Iterator[TileScores]:
    batch = outcome.batch
    if outcome.scores is not None:
        size.worked(len(batch.tiles), outcome.seconds)
        for number, (tile, scores) in enumerate(zip(batch.tiles, outcome.scores, strict=True)):
            yield TileScores(tile, scores, None if batch.host_valid is None else batch.host_valid[number])
        return
    size.ran_out_of_memory(outcome.computed)
    smaller = size.size
    for first in range(0, len(batch.tiles), smaller):
        yield from _tiles_of(score(batch.part(first, first + smaller)), score, size)


def score_batch(scorer: Scorer, batch: TileBatch, size: BatchSize) -> BatchScores:
    """Return the scores of a batch, None if it ran out of memory.

    For a compiled network the last batch of a scene is filled up: for another shape it would be compiled anew.
    """
    tiles = len(batch.tiles)
    computed = max(tiles, size.size) if scorer.device.compiled else tiles
    try:
        start = _clock(scorer.device, size.tuning)
        with torch.inference_mode():
            scores: Tensor = scorer(batch.filled(computed))[:tiles]
        return BatchScores(batch, scores, _clock(scorer.device, size.tuning) - start, computed)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    if scorer.device.is_cuda:
        torch.cuda.empty_cache()
    return BatchScores(batch, None, 0.0, computed)


def _clock(device: Device, exact: bool) -> float:
    """Return the time; an exact one waits until the device has finished."""
    if exact and device.is_cuda:
        torch.cuda.synchronize(device.torch_device)
    return time.perf_counter()
