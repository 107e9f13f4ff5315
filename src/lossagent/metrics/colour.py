"""The two lumas of the field, which differ by 1.32 dB in PSNR and are not to be mixed."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.metrics._checks import double

Space = Literal["rgb", "y"]

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
    luma = _weighted(images, BT601_LIMITED) + 16.0
    return _half_up(luma) if rounded else luma


def full_luma(
    images: Float[Tensor, "batch 3 height width"], *, rounded: bool = False
) -> Float[Tensor, "batch 1 height width"]:
    """Y of YIQ in the full range 0 to 255, float64: the default luma of pyiqa (its NIQE rounds it, its PSNR does not).

    Args:
        images: RGB in [0, 1].
        rounded: round halves up to whole grey levels.
    """
    luma = _weighted(images, YIQ) * 255.0
    return _half_up(luma) if rounded else luma


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


def _weighted(
    images: Float[Tensor, "batch 3 height width"], row: tuple[float, float, float]
) -> Float[Tensor, "batch 1 height width"]:
    red, green, blue = double(images).split(1, dim=1)
    return row[0] * red + row[1] * green + row[2] * blue


def _half_up(levels: Tensor) -> Tensor:
    # 8-bit values in float32 are off by up to 1e-5 grey levels, which must not decide how a half is rounded.
    return torch.floor(torch.round(levels, decimals=4) + 0.5)
