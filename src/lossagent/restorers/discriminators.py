"""Discriminators: images in, a map of logits out, no sigmoid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import Refused
from lossagent.restorers.spectral import WARM_UP, SpectralConv2d

Initial = Literal["torch", "normal", "orthogonal"]
"""Initial weights of convolutions: PyTorch's own, N(0, 0.02) [Isola et al.], or orthogonal with gain 0.2 [KAIR]."""

SLOPE = 0.2


def initialise(network: nn.Module, initial: Initial) -> None:
    """Sets the weights of all convolutions (biases 0, batch norm N(1, 0.02)); ``"torch"`` leaves them alone."""
    if initial == "torch":
        return
    if initial not in ("normal", "orthogonal"):
        raise Refused(f"initial must be 'torch', 'normal' or 'orthogonal'; found {initial!r}.")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        if not isinstance(module, nn.Conv2d | SpectralConv2d):
            continue
        weight = module.weight_orig if isinstance(module, SpectralConv2d) else module.weight
        if initial == "normal":
            nn.init.normal_(weight, 0.0, 0.02)
        else:
            nn.init.orthogonal_(weight, 0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, SpectralConv2d):
            module.iterate(WARM_UP)


class UNetDiscriminator(nn.Module):
    """A logit for each pixel, from a U-Net with spectral norm.

    [Real-ESRGAN, Wang et al., ICCVW 2021, arXiv 2107.10833], with the published parameter names. Sizes that 8 does
    not divide are allowed: features are enlarged to the size of their skip connection.

    Args:
        in_channels: channels of images.
        channels: width of the first layer; the deepest has eight times as many.
        skip: whether encoder features are added to the decoder's.
        initial: initial weights.
    """

    def __init__(self, in_channels: int = 3, channels: int = 64, skip: bool = True, initial: Initial = "torch") -> None:
        super().__init__()
        if in_channels < 1 or channels < 1:
            raise Refused(f"in_channels and channels must be at least 1; found {in_channels} and {channels}.")
        self.skip = skip
        self.conv0 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.conv1 = SpectralConv2d(channels, channels * 2, 4, 2, 1, bias=False)
        self.conv2 = SpectralConv2d(channels * 2, channels * 4, 4, 2, 1, bias=False)
        self.conv3 = SpectralConv2d(channels * 4, channels * 8, 4, 2, 1, bias=False)
        self.conv4 = SpectralConv2d(channels * 8, channels * 4, 3, 1, 1, bias=False)
        self.conv5 = SpectralConv2d(channels * 4, channels * 2, 3, 1, 1, bias=False)
        self.conv6 = SpectralConv2d(channels * 2, channels, 3, 1, 1, bias=False)
        self.conv7 = SpectralConv2d(channels, channels, 3, 1, 1, bias=False)
        self.conv8 = SpectralConv2d(channels, channels, 3, 1, 1, bias=False)
        self.conv9 = nn.Conv2d(channels, 1, 3, padding=1)
        initialise(self, initial)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 height width"]:
        """Logits, one for each pixel.

        Raises:
            Refused: images under 8 px.
        """
        if min(x.shape[-2:]) < 8:
            raise Refused(f"images must be at least 8 px high and wide; found {x.shape[-2]}x{x.shape[-1]}.")
        x0 = F.leaky_relu(self.conv0(x), SLOPE)
        x1 = F.leaky_relu(self.conv1(x0), SLOPE)
        x2 = F.leaky_relu(self.conv2(x1), SLOPE)
        out = F.leaky_relu(self.conv3(x2), SLOPE)
        for conv, encoded in ((self.conv4, x2), (self.conv5, x1), (self.conv6, x0)):
            out = F.interpolate(out, size=encoded.shape[-2:], mode="bilinear", align_corners=False)
            out = F.leaky_relu(conv(out), SLOPE)
            if self.skip:
                out = out + encoded
        out = F.leaky_relu(self.conv7(out), SLOPE)
        out = F.leaky_relu(self.conv8(out), SLOPE)
        return self.conv9(out)


class PatchDiscriminator(nn.Module):
    """A logit for each overlapping patch, 70x70 px at three layers: 4x4 convolutions with strides 2, 2, 2, 1, 1.

    [Isola et al., CVPR 2017, arXiv 1611.07004], with the published parameter names (``model.N``). With ``"batch"``
    real and restored images must be judged in batches of their own, since they share statistics.

    Args:
        in_channels: channels of images.
        channels: width of the first layer; doubled by each layer, at most eightfold.
        layers: layers of stride 2.
        norm: batch norm, spectral norm of every convolution, or none.
        initial: initial weights; the paper's are ``"normal"``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        channels: int = 64,
        layers: int = 3,
        norm: Literal["batch", "spectral", "none"] = "batch",
        initial: Initial = "torch",
    ) -> None:
        super().__init__()
        if in_channels < 1 or channels < 1 or layers < 1:
            raise Refused(
                f"in_channels, channels, layers must be at least 1; found {in_channels}, {channels}, {layers}."
            )
        if norm not in ("batch", "spectral", "none"):
            raise Refused(f"norm must be 'batch', 'spectral' or 'none'; found {norm!r}.")
        self.layers = layers
        conv: Callable[[int, int, int, bool], nn.Module] = _spectral if norm == "spectral" else _plain
        widths = [channels * min(2**index, 8) for index in range(layers + 1)]
        modules: list[nn.Module] = [conv(in_channels, widths[0], 2, True), nn.LeakyReLU(SLOPE)]
        for index in range(1, layers + 1):
            modules.append(conv(widths[index - 1], widths[index], 2 if index < layers else 1, norm != "batch"))
            if norm == "batch":
                modules.append(nn.BatchNorm2d(widths[index]))
            modules.append(nn.LeakyReLU(SLOPE))
        self.model = nn.Sequential(*modules, conv(widths[-1], 1, 1, True))
        initialise(self, initial)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 rows columns"]:
        """Logits, one for each patch.

        Raises:
            Refused: images too small for a single logit.
        """
        smallest = 3 * 2**self.layers
        if min(x.shape[-2:]) < smallest:
            raise Refused(
                f"images must be at least {smallest} px high and wide for {self.layers} layers; "
                f"found {x.shape[-2]}x{x.shape[-1]}. Use larger patches or fewer layers."
            )
        return self.model(x)


def _plain(in_channels: int, out_channels: int, stride: int, bias: bool) -> nn.Module:
    return nn.Conv2d(in_channels, out_channels, 4, stride, 1, bias=bias)


def _spectral(in_channels: int, out_channels: int, stride: int, bias: bool) -> nn.Module:
    return SpectralConv2d(in_channels, out_channels, 4, stride, 1, bias=bias)
