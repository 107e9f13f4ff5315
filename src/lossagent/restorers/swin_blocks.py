"""Swin transformer blocks and the residual groups that SwinIR is made of, with the published parameter names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lossagent.errors import Refused
from lossagent.restorers.swin_attention import WindowAttention, from_windows, into_windows, shift_mask

Norm = Callable[[int], nn.Module]
"""Makes a normalisation of that many channels."""


@dataclass(frozen=True)
class SwinSettings:
    """What all blocks of a network have in common; see :class:`lossagent.restorers.SwinIR`.

    Attributes:
        dim: channels.
        resolution: height and width that the ``attn_mask`` buffers are made for.
        window: side of a window.
    """

    dim: int
    resolution: tuple[int, int]
    window: int
    mlp_ratio: float | int
    qkv_bias: bool
    qk_scale: float | None
    drop: float
    attn_drop: float
    norm: Norm


class MLP(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, dim: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
        """Same shape out as in."""
        return self.drop(self.fc2(self.drop(F.gelu(self.fc1(x)))))


class SwinBlock(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)), each dropped for a sample with some probability in training.

    Args:
        settings: common settings.
        num_heads: heads.
        shifted: whether windows are shifted by half their side.
        drop_path: probability of dropping a branch [stochastic depth, arXiv 1603.09382].
    """

    attn_mask: Tensor | None

    def __init__(self, settings: SwinSettings, num_heads: int, shifted: bool, drop_path: float) -> None:
        super().__init__()
        self.window = settings.window
        self.shift = settings.window // 2 if shifted else 0
        self.drop_path = drop_path
        self.norm1 = settings.norm(settings.dim)
        self.attn = WindowAttention(
            settings.dim,
            settings.window,
            num_heads,
            settings.qkv_bias,
            settings.qk_scale,
            settings.attn_drop,
            settings.drop,
        )
        self.norm2 = settings.norm(settings.dim)
        self.mlp = MLP(settings.dim, int(settings.dim * settings.mlp_ratio), settings.drop)
        # Never read: the mask follows the input's size. Kept because released checkpoints hold it.
        mask = shift_mask(*settings.resolution, self.window, self.shift) if self.shift else None
        self.register_buffer("attn_mask", mask)
        self.register_load_state_dict_pre_hook(_keep_mask)

    def forward(
        self,
        x: Float[Tensor, "batch height width channels"],
        mask: Float[Tensor, "windows tokens tokens"] | None,
    ) -> Float[Tensor, "batch height width channels"]:
        """Same shape out as in.

        Args:
            x: features, height and width multiples of the window.
            mask: :func:`shift_mask` of this height and width; unshifted blocks ignore it.
        """
        height, width = x.shape[1:3]
        branch = self.norm1(x)
        if self.shift:
            branch = torch.roll(branch, (-self.shift, -self.shift), (1, 2))
        windows = self.attn(into_windows(branch, self.window), mask if self.shift else None)
        branch = from_windows(windows, self.window, height, width)
        if self.shift:
            branch = torch.roll(branch, (self.shift, self.shift), (1, 2))
        x = x + self._dropped(branch)
        return x + self._dropped(self.mlp(self.norm2(x)))

    def _dropped(self, branch: Tensor) -> Tensor:
        if self.drop_path == 0.0 or not self.training:
            return branch
        keep = 1.0 - self.drop_path
        return branch * branch.new_empty(branch.shape[0], 1, 1, 1).bernoulli_(keep).div_(keep)


def _keep_mask(
    module: nn.Module,
    state: dict[str, Tensor],
    prefix: str,
    metadata: dict[str, object],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Load hook: a mask made for another ``img_size``, or none at all, is replaced by ours.

    The mask is a constant of the image size and nothing reads it, so a network takes checkpoints trained at any size.
    Masks of another window size are left to be refused.
    """
    del metadata, strict, missing, unexpected, errors
    ours, name = getattr(module, "attn_mask", None), f"{prefix}attn_mask"
    if isinstance(ours, Tensor) and (name not in state or state[name].shape[1:] == ours.shape[1:]):
        state[name] = ours


class BlockGroup(nn.Module):
    """Blocks in a row, every second one with shifted windows."""

    def __init__(
        self, settings: SwinSettings, num_heads: int, drop_paths: Sequence[float], use_checkpoint: bool
    ) -> None:
        super().__init__()
        self.use_checkpoint = use_checkpoint
        self.blocks = nn.ModuleList(
            SwinBlock(settings, num_heads, index % 2 == 1, drop) for index, drop in enumerate(drop_paths)
        )

    def forward(
        self,
        x: Float[Tensor, "batch height width channels"],
        mask: Float[Tensor, "windows tokens tokens"] | None,
    ) -> Float[Tensor, "batch height width channels"]:
        """Same shape out as in; with ``use_checkpoint`` activations are computed again in the backward pass."""
        for block in self.blocks:
            if self.use_checkpoint and torch.is_grad_enabled():
                x = checkpoint(block, x, mask, use_reentrant=False)
            else:
                x = block(x, mask)
        return x


class RSTB(nn.Module):
    """Residual Swin transformer block, eq. (5) and (6) of SwinIR: x + conv(blocks(x))."""

    def __init__(
        self,
        settings: SwinSettings,
        num_heads: int,
        drop_paths: Sequence[float],
        use_checkpoint: bool,
        resi_connection: str,
    ) -> None:
        super().__init__()
        self.residual_group = BlockGroup(settings, num_heads, drop_paths, use_checkpoint)
        self.conv = residual_conv(settings.dim, resi_connection)

    def forward(
        self,
        x: Float[Tensor, "batch height width channels"],
        mask: Float[Tensor, "windows tokens tokens"] | None,
    ) -> Float[Tensor, "batch height width channels"]:
        """Same shape out as in."""
        branch = self.residual_group(x, mask).permute(0, 3, 1, 2)
        return x + self.conv(branch).permute(0, 2, 3, 1)


def residual_conv(dim: int, resi_connection: str) -> nn.Module:
    """The convolution before a residual connection.

    Args:
        dim: channels in and out.
        resi_connection: ``"1conv"``, or ``"3conv"``: through a quarter of the channels, to save parameters.
    """
    if resi_connection == "1conv":
        return nn.Conv2d(dim, dim, 3, padding=1)
    if resi_connection == "3conv":
        return nn.Sequential(
            nn.Conv2d(dim, dim // 4, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(dim // 4, dim // 4, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(dim // 4, dim, 3, padding=1),
        )
    raise Refused(f"resi_connection must be '1conv' or '3conv'; found {resi_connection!r}.")
