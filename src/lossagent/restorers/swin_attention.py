"""Attention within shifted windows [Liu et al., ICCV 2021, arXiv 2103.14030], as SwinIR uses it.

Features are [batch, height, width, channels] throughout, so that neither norms nor linear layers copy them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lossagent.errors import Refused

HIDDEN = -100.0
"""Added to the logits of pairs that may not see each other; released checkpoints hold this number."""


def into_windows(
    x: Float[Tensor, "batch height width channels"], side: int
) -> Float[Tensor, "windows tokens channels"]:
    """Cuts features into windows of side x side, row by row, image after image."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // side, side, width // side, side, channels)
    return x.transpose(2, 3).reshape(-1, side * side, channels)


def from_windows(
    windows: Float[Tensor, "windows tokens channels"], side: int, height: int, width: int
) -> Float[Tensor, "batch height width channels"]:
    """Undoes :func:`into_windows`."""
    x = windows.view(-1, height // side, width // side, side, side, windows.shape[-1])
    return x.transpose(2, 3).reshape(-1, height, width, windows.shape[-1])


def shift_mask(
    height: int, width: int, side: int, shift: int, device: torch.device | None = None
) -> Float[Tensor, "windows tokens tokens"]:
    """What is added to the logits after a cyclic shift: 0, or -100 for tokens that were not neighbours before it.

    Args:
        height, width: size of the features, multiples of ``side``.
        side: side of a window.
        shift: cyclic shift, between 1 and ``side - 1``.
        device: where to make it.
    """

    def region(size: int) -> Tensor:
        # 0 up to the last window; that one holds its own first tokens (1) and those that came round (2).
        position = torch.arange(size, device=device)
        return (position >= size - side).int() + (position >= size - shift).int()

    regions = 3 * region(height)[:, None] + region(width)[None]
    tokens = into_windows(regions[None, :, :, None].float(), side).squeeze(-1)
    return (tokens[:, None] != tokens[:, :, None]).float() * HIDDEN


def relative_positions(side: int) -> Int[Tensor, "tokens tokens"]:
    """For each pair of tokens of a window, which of the (2 side - 1)^2 relative positions it has."""
    axis = torch.arange(side)
    row, column = axis.repeat_interleave(side), axis.repeat(side)
    down = row[:, None] - row[None] + side - 1
    right = column[:, None] - column[None] + side - 1
    return down * (2 * side - 1) + right


class WindowAttention(nn.Module):
    """Multi-head self-attention within windows: softmax(q k^T / sqrt(d) + b) v, eq. (4) of Swin.

    The same values come from two routes, equal to about 1e-6: PyTorch's fused attention on GPUs and wherever no
    gradient is wanted, the explicit form for training on a CPU, where the fused one has no fast gradient of b.

    Args:
        dim: channels, a multiple of ``num_heads``.
        window_size: side of a window.
        num_heads: heads.
        qkv_bias: whether q, k and v have a bias.
        qk_scale: in place of 1 / sqrt(dim / num_heads).
        attn_drop: dropout of attention weights.
        proj_drop: dropout of the output.
    """

    relative_position_index: Tensor

    def __init__(
        self,
        dim: int,
        window_size: int,
        num_heads: int,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        if num_heads < 1 or dim % num_heads:
            raise Refused(f"num_heads must divide the channels {dim} (embed_dim); found {num_heads}.")
        self.num_heads = num_heads
        self.scale = qk_scale if qk_scale is not None else (dim // num_heads) ** -0.5
        self.attn_drop = attn_drop
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window_size - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", relative_positions(window_size))
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)
        self.register_load_state_dict_pre_hook(_fill_positions)

    def forward(
        self,
        x: Float[Tensor, "windows tokens channels"],
        mask: Float[Tensor, "positions tokens tokens"] | None = None,
    ) -> Float[Tensor, "windows tokens channels"]:
        """Attends within each window; the masks repeat for each image of the batch."""
        count, tokens, channels = x.shape
        q, k, v = self.qkv(x).view(count, tokens, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        bias = bias.view(tokens, tokens, -1).permute(2, 0, 1)[None]
        attend = self._fused if x.is_cuda or not torch.is_grad_enabled() else self._explicit
        out = attend(q, k, v, bias, mask).transpose(1, 2).reshape(count, tokens, channels)
        return self.proj_drop(self.proj(out))

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:
            bias = bias + mask[:, None]
            if (images := q.shape[0] // mask.shape[0]) > 1:
                bias = bias.repeat(images, 1, 1, 1)
        drop = self.attn_drop if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype), dropout_p=drop, scale=self.scale)

    def _explicit(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        logits = (q * self.scale) @ k.transpose(-2, -1) + bias
        if mask is not None:
            logits = (logits.unflatten(0, (-1, mask.shape[0])) + mask[:, None]).flatten(0, 1)
        weights = F.dropout(logits.softmax(-1), self.attn_drop, self.training)
        return weights.to(v.dtype) @ v


def _fill_positions(
    module: nn.Module,
    state: dict[str, Tensor],
    prefix: str,
    metadata: dict[str, object],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Load hook: a checkpoint without the table of relative positions gets ours, which is a constant."""
    del metadata, strict, missing, unexpected, errors
    state.setdefault(f"{prefix}relative_position_index", module.get_buffer("relative_position_index"))
