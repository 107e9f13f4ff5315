"""Spectral normalisation [Miyato et al., ICLR 2018, arXiv 1802.05957] under its classic parameter names.

Published discriminators hold ``weight_orig``, ``weight_u`` and ``weight_v``. PyTorch's classic function has these
names but keeps the normalised weight as an attribute that cannot be copied; its newer one has other names.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-12
WARM_UP = 15


class SpectralConv2d(nn.Module):
    """A convolution whose weight is divided by its largest singular value.

    One power iteration a forward pass in training mode; none in evaluation mode, where no buffer changes.

    Args:
        in_channels, out_channels, kernel, stride, padding, bias: as in :class:`torch.nn.Conv2d`.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        plain = nn.Conv2d(in_channels, out_channels, kernel, bias=bias)  # PyTorch's own initial values
        self.weight_orig = nn.Parameter(plain.weight.detach().clone())
        self.bias = nn.Parameter(plain.bias.detach().clone()) if bias and plain.bias is not None else None
        fan_in = self.weight_orig[0].numel()
        self.register_buffer("weight_u", F.normalize(torch.randn(out_channels), dim=0, eps=EPSILON))
        self.register_buffer("weight_v", F.normalize(torch.randn(fan_in), dim=0, eps=EPSILON))
        self.iterate(WARM_UP)

    @torch.no_grad()
    def iterate(self, times: int = 1) -> None:
        """Power iterations, eq. (8) of Miyato et al.: u and v approach the first singular vectors."""
        matrix = self.weight_orig.flatten(1)
        for _ in range(times):
            self.weight_v.copy_(F.normalize(matrix.T.mv(self.weight_u), dim=0, eps=EPSILON))
            self.weight_u.copy_(F.normalize(matrix.mv(self.weight_v), dim=0, eps=EPSILON))

    @property
    def weight(self) -> Float[Tensor, "out in rows columns"]:
        """The normalised weight W / (u^T W v)."""
        # Copies: a later forward pass moves u and v, and the gradient of this one must not follow.
        u, v = self.weight_u.clone(), self.weight_v.clone()
        return self.weight_orig / torch.dot(u, self.weight_orig.flatten(1).mv(v))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out rows columns"]:
        """Convolves."""
        if self.training:
            self.iterate()
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)
