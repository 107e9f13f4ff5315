"""A small convolutional network for super-resolution that trains on one CPU core in minutes.

Residual blocks without normalisation as in EDSR [Lim et al., CVPRW 2017, arXiv 1707.02921], and nearest-neighbour
upsampling followed by a convolution [Odena et al., Distill 2016, 10.23915/distill.00003] rather than pixel shuffle:
under perceptual and adversarial losses pixel shuffle leaves a grid that no-reference metrics punish.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import Refused

FACTORS: dict[int, tuple[int, ...]] = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
"""Scale -> the steps in which the features are enlarged."""


class Block(nn.Module):
    """x + conv(relu(conv(x))), 3x3, equal shapes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Same shape out as in."""
        return x + self.second(F.relu(self.first(x)))


class CompactSR(nn.Module):
    """Low-resolution RGB in, enlarged RGB out: 119,251 parameters at the defaults.

    The features of the input convolution skip all blocks, and the bilinearly enlarged input skips the network, which
    therefore learns a residual. Enlarging steps work on half the channels: at four times the side they would
    otherwise cost more than all blocks together.

    Args:
        scale: 1, 2, 3, 4 or 8.
        channels: width of the blocks, an even number.
        blocks: residual blocks, at least 1.

    Raises:
        Refused: arguments outside these.
    """

    def __init__(self, scale: int = 4, channels: int = 32, blocks: int = 6) -> None:
        super().__init__()
        if scale not in FACTORS:
            raise Refused(f"scale must be one of {sorted(FACTORS)}; found {scale}.")
        if channels < 2 or channels % 2 or blocks < 1:
            raise Refused(f"channels must be even and >= 2, blocks >= 1; found {channels} and {blocks}.")
        self.scale = scale
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*[Block(channels) for _ in range(blocks)])
        widths = [channels] + [channels // 2] * max(1, len(FACTORS[scale]))
        self.up = nn.ModuleList(nn.Conv2d(width, out, 3, padding=1) for width, out in pairwise(widths))
        self.tail = nn.Conv2d(channels // 2, 3, 3, padding=1)
        self._initialise(blocks)

    def _initialise(self, blocks: int) -> None:
        """He's initialisation [arXiv 1502.01852]; block outputs and the last layer start small."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.1, nonlinearity="leaky_relu")
                nn.init.zeros_(module.bias if module.bias is not None else module.weight)
        with torch.no_grad():
            for block in self.body:
                block.get_submodule("second").get_parameter("weight").mul_(blocks**-0.5 * 0.5)
            self.tail.weight.mul_(0.1)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 rows columns"]:
        """Enlarges.

        Args:
            x: RGB, float, nominally in [0, 1], any size.

        Returns:
            RGB of ``scale`` times the sides, not clamped.
        """
        features = self.head(x)
        features = features + self.body(features)
        for step, conv in zip(FACTORS[self.scale] or (1,), self.up, strict=True):
            if step > 1:
                features = F.interpolate(features, scale_factor=float(step), mode="nearest")
            features = F.leaky_relu(conv(features), 0.1)
        skip = x
        if self.scale > 1:
            skip = F.interpolate(x, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        return skip + self.tail(features)
