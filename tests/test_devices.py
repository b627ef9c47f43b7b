from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lsafnet.prepare import prepare_network
from lsafnet_cli import PredictOptions, predict_change
from lsafnet_cli.errors import DeviceError
from lsafnet_cli.options import DeviceOptions
from lsafnet_cli.prediction import infer, stitch
from lsafnet_cli.prediction.blend import Finished
from lsafnet_cli.prediction.tile import Tile
from lsafnet_cli.prediction.tile_rows import TilePixels
from lsafnet_cli.system.devices import BatchSize, Device, _precision, choose_device, is_out_of_memory
from lsafnet_cli.system.heap import memory_errors

from .conftest import noise, write_raster
from .test_predict import codes_of

CPU = Device(torch.device("cpu"), "fp32")
CUDA = Device(torch.device("cuda"), "fp32")


def tuned(seconds_of_batch, device=CUDA, tile_px=512):
    """Return the sizes tried, and the one settled on, where a batch of n tiles takes seconds_of_batch(n)."""
    size, tried = BatchSize(None, device, tile_px), []
    for _ in range(100):
        tried.append(size.size)
        size.worked(size.size, seconds_of_batch(size.size))
    assert not size.tuning
    return tried, size.size


def test_the_batch_grows_while_tiles_get_cheaper():
    assert tuned(lambda n: 8 + n if n <= 16 else 3 * n)[1] == 16
    assert tuned(lambda n: n)[1] == 1


def test_each_size_is_warmed_up_before_it_is_timed():
    tried, _ = tuned(lambda n: 8 + n if n <= 4 else 9 * n)
    assert tried[:8] == [1, 1, 2, 2, 4, 4, 8, 8]


def test_a_batch_that_is_not_full_tells_nothing():
    size = BatchSize(None, CUDA, 512)
    for _ in range(4):
        size.worked(size.size, 1.0)
    assert size.size == 4
    for _ in range(10):
        size.worked(3, 1e-6)
    assert size.size == 4


def test_the_search_ends_at_the_largest_batch():
    assert tuned(lambda _: 1.0)[1] == 256
    assert tuned(lambda _: 1.0, CPU, tile_px=256)[1] == 4
    assert tuned(lambda _: 1.0, CPU, tile_px=512)[1] == 1


def test_out_of_memory_halves_the_batch_and_ends_the_search():
    size = BatchSize(None, CUDA, 512)
    for _ in range(6):
        size.worked(size.size, 1.0)
    assert size.size == 8
    size.ran_out_of_memory(8)
    assert (size.size, size.tuning) == (4, False)


def test_out_of_memory_is_known_in_all_its_forms():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))


def fail_above(limit, monkeypatch):
    """Let the network run out of memory for more than `limit` tiles; return the batch sizes that went well."""
    sizes = []
    original = infer.Scorer.forward

    def forward(self, batch):
        if len(batch.tiles) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        sizes.append(len(batch.tiles))
        return original(self, batch)

    monkeypatch.setattr(infer.Scorer, "forward", forward)
    return sizes


def test_a_run_out_of_memory_goes_on_with_smaller_batches(pair, tiny_checkpoint, tmp_path, monkeypatch):
    usual = codes_of(pair, tiny_checkpoint, tmp_path)
    sizes = fail_above(2, monkeypatch)
    found = codes_of(pair, tiny_checkpoint, tmp_path, device=DeviceOptions(batch_size=7))
    assert max(sizes) <= 2
    assert (found == usual).mean() >= 0.9999


def test_a_single_tile_too_large_says_what_to_lower(pair, tiny_checkpoint, tmp_path, monkeypatch):
    fail_above(0, monkeypatch)
    with pytest.raises(DeviceError, match=r"single tile of 64 pixels; lower `size_px`"):
        predict_change(*pair, tmp_path / "changes.tif", PredictOptions(checkpoint=tiny_checkpoint))
    assert {path.name for path in tmp_path.iterdir()} == {"before.tif", "after.tif"}


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(DeviceError, match="this device is not available"):
        choose_device(DeviceOptions(device="cuda:99"))
    with pytest.raises(DeviceError, match="fp16"):
        choose_device(DeviceOptions(device="cpu", precision="fp16"))


def test_batches_for_cuda_are_stacked_in_pinned_memory_at_once(monkeypatch):
    """No processor has pinned memory, so what is asked for is noted and ordinary memory given."""
    asked, empty, rng = [], torch.empty, np.random.default_rng(0)
    tiles = [
        TilePixels(
            Tile(0, col, 0, 4 * col),
            rng.integers(0, 60_000, (3, 4, 4), "uint16"),
            rng.integers(0, 60_000, (3, 4, 4), "uint16"),
            np.eye(4) > col,
        )
        for col in range(3)
    ]

    def noted(shape, *, pin_memory=False, **options):
        asked.append((tuple(shape), pin_memory))
        return empty(shape, **options)

    monkeypatch.setattr(torch, "empty", noted)
    first, second = infer.make_batches(iter(tiles), BatchSize(2, CUDA, 4), CUDA)
    assert asked == [((4, 3, 4, 4), True), ((2, 4, 4), True), ((2, 3, 4, 4), True), ((1, 4, 4), True)]
    assert [first.tiles, second.tiles] == [[tiles[0].tile, tiles[1].tile], [tiles[2].tile]]
    for date, name in enumerate(("before", "after")):
        wanted = np.stack([getattr(tile, name) for tile in tiles[:2]])
        assert (first.images[date].numpy() == wanted).all()
        assert (second.images[date, 0].numpy() == getattr(tiles[2], name)).all()
    assert (first.host_valid == np.stack([tiles[0].valid, tiles[1].valid])).all()
    assert (first.valid[:, 0].numpy() == first.host_valid).all()


def test_shortage_of_memory_is_known_by_the_words_of_cudas_libraries():
    words = (
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "GET was unable to find an engine to execute this computation",
        "Unable to find a valid cuDNN algorithm to run convolution",
    )
    assert all(is_out_of_memory(RuntimeError(text)) for text in words)


def test_a_device_without_memory_outside_the_network_is_one_line_too():
    with pytest.raises(DeviceError, match="give a smaller `batch_size`"), memory_errors():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    with pytest.raises(RuntimeError, match="shapes do not fit"), memory_errors():
        raise RuntimeError("shapes do not fit")


def test_a_compiled_network_sees_one_shape_alone(pair, tiny_checkpoint, tmp_path, monkeypatch):
    usual, shapes = codes_of(pair, tiny_checkpoint, tmp_path), set()

    def prepared(network, device, precision, **asked):
        assert asked == {"compile": True}
        found = prepare_network(network, device, precision)
        found.register_forward_pre_hook(lambda _, images: shapes.update(image.shape for image in images))
        return found

    monkeypatch.setattr(infer, "prepare_network", prepared)
    found = codes_of(pair, tiny_checkpoint, tmp_path, device=DeviceOptions(batch_size=7, compiled=True))
    assert shapes == {(7, 3, 64, 64)}
    assert (found == usual).mean() >= 0.9999


def test_a_filled_batch_out_of_memory_is_halved_down_to_its_own_tile(tmp_path, tiny_checkpoint, monkeypatch):
    pair = [write_raster(tmp_path / f"{date}.tif", noise(date, 64, 64)) for date in (1, 2)]
    asked = []

    def forward(self, batch):
        asked.append(batch.images.shape[1])
        if asked[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.zeros(asked[-1], 9, 64, 64)

    monkeypatch.setattr(infer, "prepare_network", lambda *given, **_: prepare_network(*given))
    monkeypatch.setattr(infer.Scorer, "forward", forward)
    codes_of(pair, tiny_checkpoint, tmp_path, device=DeviceOptions(batch_size=16, compiled=True))
    assert asked == [16, 8, 4, 2]


def test_the_batch_of_a_compiled_network_is_not_searched():
    for device, size in ((CUDA, 16), (CPU, 1)):
        batch = BatchSize(None, Device(device.torch_device, "fp32", compiled=True), 512)
        assert (batch.size, batch.tuning) == (size, False)


def test_copies_from_a_second_gpu_are_waited_for_on_its_own_stream(monkeypatch):
    """No processor has streams, so tensors that call themselves those of a second GPU are copied at once."""
    recorded = []

    class Second(torch.Tensor):
        is_cuda, device = True, torch.device("cuda:1")

    class Event:
        def record(self, stream=None):
            recorded.append(stream)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: f"the stream of {device}")
    monkeypatch.setattr(stitch, "_start_copy", torch.clone)
    scores = torch.rand(1, 5, 5).as_subclass(Second)
    decision = SimpleNamespace(decide=lambda scores: {"codes": scores[0] > 0.5})
    stitch.send_patch(Finished(0, 0, scores, None), decision)
    assert recorded == ["the stream of cuda:1"]


def test_the_number_type_is_that_of_the_chosen_gpu_and_not_of_the_current_one(monkeypatch):
    current = [0]

    @contextmanager
    def made_current(device):
        current.append(device.index)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", made_current)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: current[-1] == 1)
    assert [_precision(torch.device("cuda", n), "auto") for n in (0, 1)] == ["fp16", "bf16"]
