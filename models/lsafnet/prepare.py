"""Faster forms of a trained network with the same results."""

from collections import Counter
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lsafnet.logits import ChangeLogits
from lsafnet.parts.features import Backbone
from lsafnet.parts.layers import Float32TrainingConv2d

CONVERTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, Float32TrainingConv2d)
AUTOCAST_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class PreparedNetwork(nn.Module):
    """A network for inference only: batch norms folded, the best layout, convolutions in a chosen number type.

    Called as the network itself; logits are float32.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: str, compiled: bool) -> None:
        super().__init__()
        self._device_type, self._dtype = device.type, AUTOCAST_DTYPES[precision]
        network = deepcopy(network).eval()
        fine = fine_convolutions(network) if precision == "bf16" else []
        folded = fold_batch_norms(network)
        modules = dict(folded.named_modules())
        for name in fine:
            if name in modules:
                folded.set_submodule(name, _InFloat32(modules[name], device.type))
        if self._dtype is not None:
            store_as(folded, self._dtype)
        self.memory_format = best_memory_format(folded)
        folded.to(device, memory_format=self.memory_format)  # type: ignore[call-overload]
        self.network = torch.compile(folded, dynamic=False) if compiled else folded

    def forward(self, before: Tensor, after: Tensor) -> ChangeLogits:
        """Return the logits of two batches (batch, bands, rows, cols)."""
        before, after = (image.contiguous(memory_format=self.memory_format) for image in (before, after))
        with torch.autocast(self._device_type, self._dtype, enabled=self._dtype is not None):
            logits = self.network(before, after)
        return ChangeLogits(*(None if part is None else part.float() for part in logits))  # type: ignore[arg-type]


def prepare_network(
    network: nn.Module,
    device: torch.device | str,
    precision: str = "fp32",
    *,
    compile: bool = False,  # noqa: A002
) -> PreparedNetwork:
    """Return a copy of `network` for inference on `device`.

    precision: "fp32", "bf16" or "fp16" for convolutions; what they add up to stays float32. With "bf16" a
    backbone's first convolutions stay float32, see `fine_convolutions`. compile: let torch.compile generate
    kernels for the device, which takes a while on the first call of each shape.
    """
    if precision not in AUTOCAST_DTYPES:
        raise ValueError(f"precision {precision!r}: choose {', '.join(AUTOCAST_DTYPES)}")
    return PreparedNetwork(network, torch.device(device), precision, compile)


def fine_convolutions(network: nn.Module) -> list[str]:
    """Return the names of the convolutions of a network's backbones that `Backbone.fine_layers` names.

    They work at 1/2 and 1/4 of the image, some at 1/8, do a small part of the work and make most of bfloat16's
    error: what is rounded there goes through every layer behind.
    """
    return [
        inner
        for name, backbone in network.named_modules()
        if isinstance(backbone, Backbone)
        for layer in backbone.fine_layers()
        for inner, module in backbone.get_submodule(layer).named_modules(prefix=f"{name}.{layer}".lstrip("."))
        if isinstance(module, nn.Conv2d)
    ]


class _InFloat32(nn.Module):
    """A module that computes in float32 within autocast."""

    def __init__(self, module: nn.Module, device_type: str) -> None:
        super().__init__()
        self.module, self._device_type = module, device_type

    def forward(self, x: Tensor) -> Any:
        with torch.autocast(self._device_type, enabled=False):
            return self.module(x.float())


def store_as(network: nn.Module, dtype: torch.dtype) -> None:
    """Store the weights of layers that autocast computes in `dtype` as such: it would convert them in each pass.

    Layers within modules that compute in float32 stay as they are.
    """
    for module in network.children():
        if type(module) in CONVERTED:
            module.to(dtype)
        elif not isinstance(module, _InFloat32):
            store_as(module, dtype)


def best_memory_format(network: nn.Module) -> torch.memory_format:
    """Return channels last, which convolutions that look around are fastest in; pointwise ones alone are not."""
    looks_around = any(
        isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1 for module in network.modules()
    )
    return torch.channels_last if looks_around else torch.contiguous_format


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Return a network in eval mode in which convolutions have taken in the batch norms behind them.

    It shares its other modules with the one given. A network that torch.fx cannot trace is returned as it is.
    """
    tracer = _ConvolutionTracer()
    try:
        traced = fx.GraphModule(network, tracer.trace(network))
    except (TypeError, RuntimeError, ValueError, NotImplementedError):
        return network
    modules = dict(traced.named_modules())
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    for node in list(traced.graph.nodes):
        convolution = _convolution_before(node, modules)
        if convolution is not None and calls[convolution.target] == 1:
            fused = fuse_conv_bn_eval(modules[convolution.target], modules[node.target])
            traced.set_submodule(convolution.target, fused)
            node.replace_all_uses_with(convolution)
            traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


class _ConvolutionTracer(fx.Tracer):
    """Takes every convolution as one node, also of a class of our own."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def _convolution_before(node: fx.Node, modules: dict[str, nn.Module]) -> Any:
    """Return the node of the convolution that only `node`, a batch norm, uses; None for any other node."""
    if node.op != "call_module" or not isinstance(modules[str(node.target)], nn.BatchNorm2d):
        return None
    source = node.args[0]
    if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) != 1:
        return None
    return source if isinstance(modules[str(source.target)], nn.Conv2d) else None
