"""Networks without values: names, shapes and types of their tensors alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DRAWN = (Tensor.normal_, Tensor.uniform_)


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Build networks on the meta device within the block: in no memory, in no time, and without values."""
    with torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    """Leaves out the drawing of weights: for it torch would import its compiler, which takes longer than all else."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return args[0] if func in _DRAWN else func(*args, **(kwargs or {}))
