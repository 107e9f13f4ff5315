"""The two lumas of the field, which differ by 1.32 dB in PSNR and are not to be mixed."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lossagent.errors import Refused
from lossagent.metrics._checks import double

Space = Literal["rgb", "y"]
"""RGB, or Y of BT.601 in limited range, as MATLAB and super-resolution have it."""

BT601_LIMITED = (65.481, 128.553, 24.966)
"""Rows of MATLAB's ``rgb2ycbcr`` for R, G, B in [0, 1]; 16 is added."""

YIQ = (0.299, 0.587, 0.114)
"""First row of the RGB to YIQ matrix."""


def limited_luma(
    images: Float[Tensor, "batch 3 height width"], *, rounded: bool = False
) -> Float[Tensor, "batch 1 height width"]:
    """Y of BT.601 in its limited range, as MATLAB's ``rgb2ycbcr``: 16 (black) to 235 (white), float64.

    Args:
        images: RGB in [0, 1].
        rounded: round halves up to whole grey levels, as MATLAB does for 8-bit images.
    """
    if rounded:
        return _half_up(_weighted(_eight_bit(images), BT601_LIMITED) / 255.0 + 16.0)
    return _weighted(double(images), BT601_LIMITED) + 16.0


def full_luma(
    images: Float[Tensor, "batch 3 height width"], *, rounded: bool = False
) -> Float[Tensor, "batch 1 height width"]:
    """Y of YIQ in the full range 0 to 255, float64: the default luma of pyiqa (its NIQE rounds it, its PSNR does not).

    Args:
        images: RGB in [0, 1].
        rounded: round halves up to whole grey levels.
    """
    if rounded:
        return _half_up(_weighted(_eight_bit(images), YIQ))
    return _weighted(double(images), YIQ) * 255.0


def grey_levels(
    images: Float[Tensor, "batch 3 height width"], space: Space
) -> Float[Tensor, "batch channels height width"]:
    """Images in grey levels 0..255, float64: RGB, or MATLAB's Y without rounding.

    Raises:
        Refused: a space that is neither ``"rgb"`` nor ``"y"``.
    """
    if space == "rgb":
        return double(images) * 255.0
    if space == "y":
        return limited_luma(images)
    raise Refused(f"space must be 'rgb' or 'y'; found {space!r}.")


def _weighted(pixels: Float[Tensor, "batch 3 height width"], row: tuple[float, float, float]) -> Tensor:
    red, green, blue = pixels.split(1, dim=1)
    return (red * row[0]).add_(green, alpha=row[1]).add_(blue, alpha=row[2])


def _eight_bit(images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """Grey levels in float64 without float32's error in what was 8-bit: it must not decide how a half is rounded."""
    levels = images.detach() * 255
    whole = levels.round()
    return double(whole.add_(F.hardshrink(levels.sub_(whole), 1e-3)))


def _half_up(levels: Tensor) -> Tensor:
    return torch.round(levels, decimals=9).add_(0.5).floor_()
