"""SwinIR: image restoration by a Swin transformer [Liang et al., ICCVW 2021, arXiv 2108.10257]."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import Refused
from lossagent.restorers.padding import mirror, next_multiple
from lossagent.restorers.swin_attention import shift_mask
from lossagent.restorers.swin_blocks import RSTB, Norm, SwinSettings, residual_conv

STEPS: dict[int, tuple[int, ...]] = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
"""upscale -> the steps in which features are enlarged."""

UPSAMPLERS = ("", "pixelshuffle", "pixelshuffledirect", "nearest+conv")
FEATURES = 64
RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, subtracted from the input and added to the output
CACHED_MASKS = 8


class PatchEmbedding(nn.Module):
    """SwinIR's patches are pixels, so all that is left of Swin's patch embedding is its normalisation."""

    def __init__(self, dim: int, norm: Norm | None) -> None:
        super().__init__()
        self.norm = norm(dim) if norm is not None else nn.Identity()

    def forward(self, x: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
        """Same shape out as in."""
        return self.norm(x)


class SwinIR(nn.Module):
    """Shallow convolution, residual groups of Swin blocks, reconstruction by one of four upsamplers.

    Arguments and parameter names are the published ones, so released checkpoints load strictly. The published
    settings: classical SR ``embed_dim=180, depths=[6]*6, num_heads=[6]*6, window_size=8, mlp_ratio=2,
    upsampler="pixelshuffle"``; real-world SR the same with ``"nearest+conv"``; lightweight SR ``embed_dim=60``, four
    groups and ``"pixelshuffledirect"``; large: nine groups, ``embed_dim=240, num_heads=[8]*9``, ``"3conv"``.

    Differences from the published code:

    - ``window_size`` is 8 by default: the published default, 7, does not divide the published ``img_size`` and fails.
    - ``img_size`` only sets the size of the ``attn_mask`` buffers (and of ``ape``); inputs may have any size, and
      checkpoints trained at another ``img_size`` load. Where it is not larger than the window, the published code
      silently stops shifting windows; here it is refused.
    - ``"nearest+conv"`` is published for x4 and x2; here x1, x3 and x8 follow the same pattern, one convolution
      after each enlargement (x3 in one step).
    - Inputs smaller than the padding they need are mirrored repeatedly instead of failing.

    Args:
        img_size: side (or height and width) in pixels of the training patches, a multiple of the window, larger
            than it.
        patch_size: divides ``img_size`` for the buffers, nothing else, as published.
        in_chans: channels of images, 3 or 1.
        embed_dim: channels of the transformer.
        depths: blocks of each group.
        num_heads: heads of each group.
        window_size: side of a window.
        mlp_ratio: hidden channels of MLPs over ``embed_dim``.
        qkv_bias: whether q, k, v have a bias.
        qk_scale: in place of 1 / sqrt(head channels).
        drop_rate, attn_drop_rate: dropout of features and of attention weights.
        drop_path_rate: stochastic depth of the last block, rising linearly from 0; as published, not 0 by default.
        norm_layer: makes normalisations.
        ape: whether a learned position is added to each pixel; inputs must then have the padded size ``img_size``.
        patch_norm: whether features are normalised before the first group.
        use_checkpoint: saves memory by computing activations twice.
        upscale: 1, 2, 3, 4 or 8.
        img_range: the input is multiplied by it and the output divided, so images are in [0, 1] for any; 1 or 255.
        upsampler: ``"pixelshuffle"``, ``"pixelshuffledirect"``, ``"nearest+conv"``, or ``""`` / ``None`` (x1 only: the
            network predicts a residual image).
        resi_connection: ``"1conv"`` or ``"3conv"``.

    Raises:
        Refused: arguments outside these.
    """

    mean: Tensor

    def __init__(
        self,
        img_size: int | Sequence[int] = 64,
        patch_size: int | Sequence[int] = 1,
        in_chans: int = 3,
        embed_dim: int = 96,
        depths: Sequence[int] = (6, 6, 6, 6),
        num_heads: Sequence[int] = (6, 6, 6, 6),
        window_size: int = 8,
        mlp_ratio: float | int = 4.0,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        norm_layer: Norm = nn.LayerNorm,
        ape: bool = False,
        patch_norm: bool = True,
        use_checkpoint: bool = False,
        upscale: int = 1,
        img_range: float = 1.0,
        upsampler: str | None = "",
        resi_connection: str = "1conv",
    ) -> None:
        super().__init__()
        self.upscale, self.upsampler, self.img_range = upscale, upsampler or "", img_range
        self.window_size, self.ape = window_size, ape
        _check(depths, num_heads, upscale, self.upsampler, in_chans)
        resolution = _resolution(img_size, patch_size, window_size)
        settings = SwinSettings(
            embed_dim,
            resolution,
            window_size,
            mlp_ratio,
            qkv_bias,
            qk_scale,
            drop_rate,
            attn_drop_rate,
            norm_layer,
        )
        mean = torch.tensor(RGB_MEAN if in_chans == 3 else [0.0] * in_chans).view(1, in_chans, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.conv_first = nn.Conv2d(in_chans, embed_dim, 3, padding=1)
        self.patch_embed = PatchEmbedding(embed_dim, norm_layer if patch_norm else None)
        if ape:
            self.absolute_pos_embed = nn.Parameter(torch.empty(1, resolution[0] * resolution[1], embed_dim))
            nn.init.trunc_normal_(self.absolute_pos_embed, std=0.02)
        self.resolution = resolution
        self.pos_drop = nn.Dropout(drop_rate)
        count = sum(depths)
        drops = iter([drop_path_rate * index / max(count - 1, 1) for index in range(count)])
        self.layers = nn.ModuleList(
            RSTB(settings, heads, list(itertools.islice(drops, depth)), use_checkpoint, resi_connection)
            for heads, depth in zip(num_heads, depths, strict=True)
        )
        self.norm = norm_layer(embed_dim)
        self.conv_after_body = residual_conv(embed_dim, resi_connection)
        self._add_reconstruction(embed_dim, in_chans)
        self.apply(_initialise)
        self._masks: dict[tuple[int, int, torch.device], Tensor] = {}

    def _add_reconstruction(self, embed_dim: int, in_chans: int) -> None:
        steps = STEPS[self.upscale]
        if self.upsampler in ("pixelshuffle", "nearest+conv"):
            self.conv_before_upsample = nn.Sequential(nn.Conv2d(embed_dim, FEATURES, 3, padding=1), nn.LeakyReLU())
        match self.upsampler:
            case "pixelshuffle":
                pairs = [(nn.Conv2d(FEATURES, FEATURES * s * s, 3, padding=1), nn.PixelShuffle(s)) for s in steps]
                self.upsample = nn.Sequential(*[module for pair in pairs for module in pair])
            case "pixelshuffledirect":
                self.upsample = nn.Sequential(
                    nn.Conv2d(embed_dim, in_chans * self.upscale**2, 3, padding=1),
                    nn.PixelShuffle(self.upscale),
                )
                return
            case "nearest+conv":
                for index in range(len(steps)):
                    self.add_module(f"conv_up{index + 1}", nn.Conv2d(FEATURES, FEATURES, 3, padding=1))
                self.conv_hr = nn.Conv2d(FEATURES, FEATURES, 3, padding=1)
            case _:
                pass
        self.conv_last = nn.Conv2d(FEATURES if self.upsampler else embed_dim, in_chans, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels rows columns"]:
        """Restores.

        Args:
            x: images, float, nominally in [0, 1], any size; mirrored inside to a multiple of the window.

        Returns:
            Images of ``upscale`` times the sides, not clamped.

        Raises:
            Refused: another number of channels, or with ``ape`` another size than ``img_size``.
        """
        if x.shape[1] != self.mean.shape[1]:
            raise Refused(f"images must have {self.mean.shape[1]} channels (in_chans); found {x.shape[1]}.")
        height, width = x.shape[-2:]
        rows, columns = (next_multiple(size, self.window_size) for size in (height, width))
        x = (mirror(x, rows, columns, repeat_edge=False) - self.mean) * self.img_range
        shallow = self.conv_first(x)
        deep = self.conv_after_body(self._transform(shallow)) + shallow
        restored = self._reconstruct(deep) if self.upsampler else x + self.conv_last(deep)
        restored = restored / self.img_range + self.mean
        return restored[:, :, : height * self.upscale, : width * self.upscale]

    def _transform(self, features: Tensor) -> Tensor:
        """Deep features, eq. (2) without its last convolution."""
        size = (features.shape[-2], features.shape[-1])
        x = self.patch_embed(features.permute(0, 2, 3, 1))
        if self.ape:
            if size != self.resolution:
                raise Refused(f"with ape, images must have the size {self.resolution} (img_size); found {size}.")
            x = x + self.absolute_pos_embed.view(1, *size, -1)
        x, mask = self.pos_drop(x), self._mask(*size, x.device)
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x).permute(0, 3, 1, 2)

    def _mask(self, height: int, width: int, device: torch.device) -> Tensor | None:
        """The mask of shifted blocks at this size, from a small cache."""
        if self.window_size < 2:
            return None
        key = (height, width, device)
        if key not in self._masks:
            # Made as a normal tensor also under inference mode: training may use the same entry later.
            with torch.inference_mode(False), torch.no_grad():
                mask = shift_mask(height, width, self.window_size, self.window_size // 2, device)
            if len(self._masks) >= CACHED_MASKS:
                self._masks.pop(next(iter(self._masks)))
            self._masks[key] = mask
        return self._masks[key]

    def _reconstruct(self, deep: Tensor) -> Tensor:
        if self.upsampler == "pixelshuffledirect":
            return self.upsample(deep)
        x = self.conv_before_upsample(deep)
        if self.upsampler == "pixelshuffle":
            return self.conv_last(self.upsample(x))
        for index, step in enumerate(STEPS[self.upscale]):
            x = F.interpolate(x, scale_factor=float(step), mode="nearest")
            x = F.leaky_relu(self.get_submodule(f"conv_up{index + 1}")(x), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))


def _initialise(module: nn.Module) -> None:
    """As published: linear weights from a truncated normal of 0.02, biases 0."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
            nn.init.zeros_(module.bias)


def _check(depths: Sequence[int], num_heads: Sequence[int], upscale: int, upsampler: str, in_chans: int) -> None:
    if not depths or len(depths) != len(num_heads) or min(depths) < 1:
        raise Refused(
            "depths and num_heads must have one number >= 1 for each group; "
            f"found {list(depths)} and {list(num_heads)}."
        )
    if upscale not in STEPS:
        raise Refused(f"upscale must be one of {sorted(STEPS)}; found {upscale}.")
    if upsampler not in UPSAMPLERS:
        raise Refused(f"upsampler must be one of {', '.join(map(repr, UPSAMPLERS))}; found {upsampler!r}.")
    if not upsampler and upscale != 1:
        raise Refused(f"upscale {upscale} needs an upsampler: {', '.join(map(repr, UPSAMPLERS[1:]))}.")
    if in_chans < 1:
        raise Refused(f"in_chans must be at least 1; found {in_chans}.")


def _resolution(img_size: int | Sequence[int], patch_size: int | Sequence[int], window: int) -> tuple[int, int]:
    """Height and width of the buffers."""
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    rows, columns = (patch_size, patch_size) if isinstance(patch_size, int) else patch_size
    if window < 1 or rows < 1 or columns < 1:
        raise Refused(f"window_size and patch_size must be at least 1; found {window} and {patch_size}.")
    height, width = height // rows, width // columns
    if min(height, width) <= window or height % window or width % window:
        raise Refused(
            f"img_size / patch_size must be larger than window_size and a multiple of it; found {height}x{width} for "
            f"a window of {window}. It is the size of the training patches and only sizes buffers: images of any size "
            f"can be restored. Take e.g. img_size={window * 8}."
        )
    return height, width
