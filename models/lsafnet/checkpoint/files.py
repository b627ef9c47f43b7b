"""Checkpoints: weights of a network with the metadata needed to use them. Loading never runs code."""

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lsafnet.checkpoint.info import METADATA_KEY, CheckpointError, CheckpointInfo, read_checkpoint_info
from lsafnet.checkpoint.shapes import shapes_alone
from lsafnet.registry import build_network, network_spec
from lsafnet.texts import one_line

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CheckpointInfo",
    "fit_state_dict",
    "load_checkpoint",
    "load_state_dict_file",
    "read_checkpoint_info",
    "replace_info",
    "save_checkpoint",
]

_LARGEST_WEIGHT = torch.finfo(torch.float16).max  # 65,504
_LARGEST_STATISTIC = 1e12  # of a batch norm's running mean and variance
_LISTED = 3  # keys named in an error before "and N more"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network with its weights and metadata."""

    network: nn.Module
    info: CheckpointInfo


def save_checkpoint(
    path: str | Path, network: nn.Module, info: CheckpointInfo, *, half: bool = False
) -> None:
    """Write `network` and `info` to `path`, complete or not at all. Raises OSError if that fails.

    `half` stores the convolutions as float16, at half the size; statistics and biases stay float32.
    """
    tensors = {key: _storable(value, half) for key, value in network.state_dict().items()}
    _write(Path(path), tensors, info)


def replace_info(path: str | Path, target: str | Path, info: CheckpointInfo) -> None:
    """Write the weights of the checkpoint at `path`, as they are stored there, with another `info` to `target`."""
    _write(Path(target), _load_tensors(Path(path)), info)


def _write(path: Path, tensors: dict[str, Tensor], info: CheckpointInfo) -> None:
    temporary = path.with_name(f".{path.name}.coming")
    temporary.unlink(missing_ok=True)  # left behind by a process that was killed, or a link
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        _save(tensors, temporary, info)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _save(tensors: dict[str, Tensor], path: Path, info: CheckpointInfo) -> None:
    rights = path.stat().st_mode & 0o777
    try:
        save_file(tensors, path, metadata={METADATA_KEY: info.to_json()})
    except SafetensorError as error:  # its word for a full disk
        raise OSError(one_line(error)) from error
    path.chmod(rights)  # it makes a file of its own, which others could not read
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _storable(tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and tensor.ndim >= 2 else tensor


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Return the checkpoint at `path`: float32, on the CPU, in eval mode.

    Raises CheckpointError, in one line, for anything but a whole checkpoint whose tensors fit its network.
    """
    path = Path(path)
    info = read_checkpoint_info(path)
    network = _build_without_memory(path, info)
    state = fit_state_dict(path, _load_tensors(path), network.state_dict())
    if any(buffer.is_meta for key, buffer in network.named_buffers() if key not in state):
        network = build_network(info.network, num_classes=info.num_classes, bands=info.bands, **info.options)
    network.load_state_dict(state, assign=True)
    return Checkpoint(network.eval(), info)


def _build_without_memory(path: Path, info: CheckpointInfo) -> nn.Module:
    """Return the network on the meta device, so that absurd options cost nothing before they are rejected."""
    try:
        if not network_spec(info.network).semantic and info.num_classes != 2:
            raise ValueError(f"{info.network} has 2 classes (binary), not {info.num_classes}")
        with shapes_alone():
            return build_network(info.network, num_classes=info.num_classes, bands=info.bands, **info.options)
    except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError, AttributeError) as error:
        raise CheckpointError(
            f"{path} has a network that cannot be built: {one_line(error)}; a newer version may support it"
        ) from error


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({one_line(error)}); download it again") from error


def fit_state_dict(
    path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return copies of the tensors of `state`, read from `path`, in the types of `expected`.

    Raises CheckpointError, which lists what is wrong, unless `state` has exactly the keys, shapes and kinds of
    numbers of `expected`, all of them finite and such that a network can compute with them.
    """
    shared = [key for key in expected if key in state]
    _refuse(path, "missing", [key for key in expected if key not in state])
    _refuse(path, "surplus", [key for key in state if key not in expected])
    misshapen = [key for key in shared if state[key].shape != expected[key].shape]
    _refuse(path, "of another shape", [_shapes_of(key, state, expected) for key in misshapen])
    _refuse(path, "of another kind", [key for key in shared if _kind(state[key]) != _kind(expected[key])])
    fitted = {
        key: state[key].to(expected[key].dtype, copy=True) for key in expected
    }  # copied: not kept mapped
    _refuse(path, "not finite", [key for key in fitted if not torch.isfinite(fitted[key]).all()])
    _refuse(path, "a negative variance", [key for key in fitted if _is_negative_variance(key, fitted[key])])
    _refuse(path, "too large to compute with", [key for key in fitted if _is_too_large(key, fitted[key])])
    return fitted


def _shapes_of(key: str, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    return f"{key} {list(state[key].shape)} where {list(expected[key].shape)} is needed"


def _kind(tensor: Tensor) -> tuple[bool, bool, torch.layout]:
    return tensor.is_floating_point(), tensor.is_complex(), tensor.layout


def _is_negative_variance(key: str, tensor: Tensor) -> bool:
    return key.endswith("running_var") and bool((tensor < 0).any())


def _is_too_large(key: str, tensor: Tensor) -> bool:
    """Return whether weights would overflow: half precision ends there, and no trained network comes near it."""
    most = _LARGEST_STATISTIC if key.endswith(("running_mean", "running_var")) else _LARGEST_WEIGHT
    return tensor.is_floating_point() and bool((tensor.abs() > most).any())


def _refuse(path: Path, fault: str, keys: list[str]) -> None:
    if keys:
        more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
        listed = ", ".join(one_line(key) for key in keys[:_LISTED])
        raise CheckpointError(
            f"{path} does not fit its network: {fault}: {listed}{more}; check its network and classes"
        )


def load_state_dict_file(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a published state dict: .pth, .pt (weights only: no code runs) or .safetensors.

    The dict may be bare or stand under `state_dict`, `model` or `net`; a `module.` prefix is dropped.
    Raises CheckpointError for anything else.
    """
    path = Path(path)
    found = _load_tensors(path) if path.suffix == ".safetensors" else _load_pickle(path)
    state = _unwrap(found)
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{path} contains no state dict (names and tensors); save network.state_dict() instead"
        )
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _load_pickle(path: Path) -> Any:
    try:
        _refuse_inflated(path)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of TorchScript archives and old pickles: they are refused in words
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist; check the path") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError,
            AttributeError, IndexError, AssertionError, UnicodeDecodeError, MemoryError,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise CheckpointError(
            f"{path} is not a file of plain tensors, or is damaged; save network.state_dict() instead"
        ) from error


def _refuse_inflated(path: Path) -> None:
    """Raise ValueError for a zip that says it holds more than its own size; torch packs nothing."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise ValueError("it would unpack to more than its own size")


def _unwrap(found: Any) -> Any:
    for key in ("state_dict", "model", "net"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            return found[key]
    return found
