"""The small layers that several networks share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution without bias, since normalisation follows."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


def pointwise(inputs: int, outputs: int) -> nn.Sequential:
    """Return conv1x1 (with bias), BN, ReLU: (batch, inputs, rows, cols) to (batch, outputs, rows, cols)."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def dilated_conv(inputs: int, outputs: int, groups: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution of dilation 2, BN, ReLU; `groups=inputs` makes it depthwise."""
    conv = Float32TrainingConv2d(inputs, outputs, 3, padding=2, dilation=2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Float32TrainingConv2d(nn.Conv2d):
    """A convolution that trains in float32 on processors.

    There the weight gradient of a depthwise convolution in bfloat16 takes four times as long as in float32, and
    that of a dilated one holds a NaN now and then (torch 2.13).
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float())
        return super().forward(x)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return `x` (batch, channels, ., .) bilinearly resized to `size` (rows, cols)."""
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def resize_like(x: Tensor, other: Tensor) -> Tensor:
    """Return `x` bilinearly resized to the rows and cols of `other`."""
    return resize(x, (other.shape[-2], other.shape[-1]))


def initialise(network: nn.Module) -> None:
    """Draw every convolution from the Kaiming normal distribution (He et al., ICCV 2015); biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def unused(module: nn.Module) -> nn.Module:
    """Return a module whose tensors are all buffers of zeros: keys that published checkpoints carry along.

    As buffers they load and save like any tensor, and nothing ever trains or counts them.
    """
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(
                name, torch.zeros(parameter.shape, dtype=parameter.dtype, device=parameter.device)
            )
    return module
