"""The transformer blocks of Restormer [Zamir et al., CVPR 2022, arXiv 2111.09881], with the published parameter names.

Attention is between channels instead of pixels, so its cost grows with the number of pixels and not with its square.
Features are [batch, channels, height, width]. The normalisation leaves them channels-last in memory whatever they
were before, and everything behind it takes them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import Refused

EPSILON = 1e-5
"""Added to the variance of normalisations."""
SHORTEST = 1e-12
"""A row of q or k is divided by its length, but by no less than this."""


class WithBiasNorm(nn.Module):
    """(x - mean) / sqrt(variance + 1e-5) * weight + bias, over the last axis."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
        """Same shape out as in."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, EPSILON)


class BiasFreeNorm(nn.Module):
    """x / sqrt(variance + 1e-5) * weight, over the last axis; the mean stays, as published."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
        """Same shape out as in."""
        variance = x.to(_at_least_float(x)).var(-1, keepdim=True, correction=0)
        return (x * torch.rsqrt(variance + EPSILON) * self.weight).to(x.dtype)


class ChannelNorm(nn.Module):
    """Normalises the channels of each pixel.

    Args:
        dim: channels.
        kind: ``"WithBias"`` or ``"BiasFree"``.
    """

    def __init__(self, dim: int, kind: str) -> None:
        super().__init__()
        if kind not in ("WithBias", "BiasFree"):
            raise Refused(f"LayerNorm_type must be 'WithBias' or 'BiasFree'; found {kind!r}.")
        self.body = WithBiasNorm(dim) if kind == "WithBias" else BiasFreeNorm(dim)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Same shape out as in, channels-last."""
        return self.body(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GatedFeedForward(nn.Module):
    """GDFN, eq. (2) of Restormer: one half of the channels, through GELU, gates the other.

    Args:
        dim: channels in and out.
        expansion: hidden channels over ``dim``, rounded down.
        bias: of all convolutions.
    """

    def __init__(self, dim: int, expansion: float, bias: bool) -> None:
        super().__init__()
        hidden = int(dim * expansion)
        self.project_in = nn.Conv2d(dim, hidden * 2, 1, bias=bias)
        self.dwconv = nn.Conv2d(hidden * 2, hidden * 2, 3, padding=1, groups=hidden * 2, bias=bias)
        self.project_out = nn.Conv2d(hidden, dim, 1, bias=bias)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Same shape out as in."""
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * value)


class ChannelAttention(nn.Module):
    """MDTA, eq. (1) of Restormer: W_p (V softmax(K Q / alpha)), each head a share of the channels.

    Written for its large operands, which are as long as the image has pixels, while attention is channels x channels:
    the lengths of q and k are divided out of their product, and that attention is multiplied into W_p before both
    meet v. Equal to the published order up to rounding.

    Args:
        dim: channels, a multiple of ``num_heads``.
        num_heads: heads.
        bias: of all convolutions.
    """

    def __init__(self, dim: int, num_heads: int, bias: bool) -> None:
        super().__init__()
        if num_heads < 1 or dim % num_heads:
            raise Refused(f"heads must divide the channels they attend to; found {num_heads} heads, {dim} channels.")
        self.num_heads = num_heads
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.qkv = nn.Conv2d(dim, dim * 3, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(dim * 3, dim * 3, 3, padding=1, groups=dim * 3, bias=bias)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=bias)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Same shape out as in."""
        batch, channels, height, width = x.shape
        qkv = self.qkv_dwconv(self.qkv(x)).permute(0, 2, 3, 1).reshape(batch, height * width, 3 * channels)
        q, k, v = qkv.chunk(3, dim=-1)
        attention = self._attention(q, k).to(v.dtype)
        # W_p, its columns in heads, times the attention of each head: [batch, out, heads, channels of a head].
        weight = self.project_out.weight.view(channels, self.num_heads, -1).to(v.dtype)
        merged = torch.einsum("ohc,bhcd->bhdo", weight, attention).reshape(batch, channels, channels)
        out = torch.bmm(v, merged)
        if self.project_out.bias is not None:
            out = out + self.project_out.bias
        return out.view(batch, height, width, channels).permute(0, 3, 1, 2)

    def _attention(self, q: Tensor, k: Tensor) -> Tensor:
        """[batch, heads, channels of a head of q, those of k]; rows sum to one."""
        heads, wide = (self.num_heads, q.shape[-1] // self.num_heads), _at_least_float(q)
        lengths = [
            torch.linalg.vector_norm(x, dim=1, dtype=wide).clamp_min(SHORTEST).unflatten(-1, heads) for x in (q, k)
        ]
        if q.dtype == torch.float16:
            # Sums of its products over all pixels would leave its range.
            q, k = ((x / n.flatten(1).unsqueeze(1)).half() for x, n in zip((q, k), lengths, strict=True))
        products = torch.einsum("bnhc,bnhd->bhcd", q.unflatten(-1, heads), k.unflatten(-1, heads)).to(wide)
        if q.dtype != torch.float16:
            products = products / (lengths[0].unsqueeze(-1) * lengths[1].unsqueeze(-2))
        return (products * self.temperature).softmax(dim=-1)


def _at_least_float(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)).

    Args:
        dim: channels.
        num_heads: heads.
        expansion: of the feed-forward network.
        bias: of all convolutions.
        norm: ``"WithBias"`` or ``"BiasFree"``.
    """

    def __init__(self, dim: int, num_heads: int, expansion: float, bias: bool, norm: str) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(dim, norm)
        self.attn = ChannelAttention(dim, num_heads, bias)
        self.norm2 = ChannelNorm(dim, norm)
        self.ffn = GatedFeedForward(dim, expansion, bias)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Same shape out as in."""
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


@dataclass(frozen=True)
class BlockMaker:
    """What all blocks of a network have in common.

    Attributes:
        expansion: hidden channels of feed-forward networks over their input's.
        bias: whether convolutions have a bias.
        norm: ``"WithBias"`` or ``"BiasFree"``.
    """

    expansion: float
    bias: bool
    norm: str

    def block(self, dim: int, heads: int) -> TransformerBlock:
        """A block."""
        return TransformerBlock(dim, heads, self.expansion, self.bias, self.norm)

    def row(self, count: int, dim: int, heads: int) -> nn.Sequential:
        """Blocks in a row."""
        return nn.Sequential(*[self.block(dim, heads) for _ in range(count)])

    def pointwise(self, inputs: int, outputs: int) -> nn.Conv2d:
        """A convolution from pixel to pixel."""
        return nn.Conv2d(inputs, outputs, 1, bias=self.bias)


class Downsample(nn.Module):
    """Half the sides and twice the channels, by a convolution and pixel unshuffle."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(dim, dim // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch double rows columns"]:
        """[batch, dim, height, width] -> [batch, 2 dim, height / 2, width / 2]."""
        return self.body(x)


class Upsample(nn.Module):
    """Twice the sides and half the channels, by a convolution and pixel shuffle."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(dim, dim * 2, 3, padding=1, bias=False), nn.PixelShuffle(2))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch half rows columns"]:
        """[batch, dim, height, width] -> [batch, dim / 2, 2 height, 2 width]."""
        return self.body(x)


class PatchEmbedding(nn.Module):
    """Image to features, by a convolution without bias."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, 3, padding=1, bias=False)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch dim height width"]:
        """Same sides out as in."""
        return self.proj(x)
