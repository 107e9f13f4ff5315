"""JPEG in tensor operations on any device: what libjpeg's baseline codec does to pixels, without a file.

ITU-T T.81: YCbCr, 2x2 chroma subsampling, 8x8 discrete cosine transform, the example quantisation tables of annex K
scaled by libjpeg's rule, and the way back with libjpeg's triangle filter for chroma; rounded where libjpeg rounds. Only
arithmetic differs: floats here, fixed point with 13 bits there. Gradients do not pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from lossagent.errors import Refused

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
# JFIF: RGB in 0..255 to Y, Cb - 128, Cr - 128.
TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))


def quantisation(quality: int) -> Int64[ndarray, "2 8 8"]:
    """Luminance and chrominance tables of a quality, by libjpeg's rule.

    Raises:
        Refused: a quality outside 1..100.
    """
    if not 1 <= quality <= 100:
        raise Refused(f"quality must be 1 to 100; found {quality}.")
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((np.array([LUMINANCE, CHROMINANCE], dtype=np.int64) * percent + 50) // 100, 1, 255)


@torch.no_grad()
def jpeg(
    images: Float[Tensor, "batch 3 height width"], qualities: Sequence[int]
) -> Float[Tensor, "batch 3 height width"]:
    """Images as they come out of a JPEG file with 4:2:0 chroma.

    Args:
        images: RGB, clipped to [0, 1] and rounded to 8 bit first, as a codec takes them.
        qualities: libjpeg's, 1 to 100, one for each image.

    Returns:
        8-bit values in [0, 1]. At least 95 in 100 of them are the codec's and the mean difference is below 0.1 of a
        step; where a coefficient is rounded to another multiple of the table, a block differs by that.

    Raises:
        Refused: a quality outside these, or not one for each image.
    """
    if len(qualities) != len(images):
        raise Refused(f"qualities must give one for each of {len(images)} images; found {len(qualities)}.")
    height, width = images.shape[-2:]
    tables = torch.from_numpy(np.stack([quantisation(quality) for quality in qualities])).to(images)
    red, green, blue = (images.clamp(0, 1) * 255).round().unbind(1)
    ycc = torch.stack([a * red + b * green + c * blue for a, b, c in TO_YCC], 1)
    # Halves of chroma go down, or 127.5 would leave the range.
    ycc = torch.cat([_half_up(ycc[:, :1]) - 128, (ycc[:, 1:] - 0.5).ceil()], 1)
    ycc = _extended(ycc, height % 2, -width % 16)
    luma = _coded(_extended(ycc[:, :1], -(height + height % 2) % 8, 0), tables[:, :1])[..., :height, :width] + 128
    # Below the picture the last row of halved chroma is repeated, not the last row of pixels.
    half = _halved(ycc[:, 1:])
    chroma = _coded(_extended(half, -half.shape[-2] % 8, 0), tables[:, 1:])
    chroma = chroma[..., : (height + 1) // 2, : (width + 1) // 2]
    luma, chroma = luma.clamp(0, 255), chroma.clamp(-128, 127)
    blue, red = _doubled(chroma)[..., :height, :width].unbind(1)
    luma = luma[:, 0]
    colours = luma + 1.402 * red, luma - 0.344136286 * blue - 0.714136286 * red, luma + 1.772 * blue
    return torch.stack(colours, 1).round().clamp(0, 255) / 255


def _extended(
    images: Float[Tensor, "batch channels height width"], rows: int, columns: int
) -> Float[Tensor, "batch channels taller wider"]:
    """The last row and column repeated, so that blocks are whole."""
    return F.pad(images, (0, columns, 0, rows), mode="replicate")


def _halved(images: Float[Tensor, "batch 2 height width"]) -> Float[Tensor, "batch 2 rows columns"]:
    """Means of 2 x 2 pixels; halves go down in even columns and up in odd ones, as in libjpeg."""
    means = F.avg_pool2d(images, 2)
    bias = torch.tensor([0.25, 0.5], device=images.device, dtype=images.dtype).repeat(means.shape[-1])
    return torch.floor(means + bias[: means.shape[-1]])


def _doubled(chroma: Float[Tensor, "batch 2 rows columns"]) -> Float[Tensor, "batch 2 height width"]:
    """Weights 9, 3, 3, 1 over 16, libjpeg's "fancy upsampling"; halves go up in even columns and down in odd ones."""
    large = F.interpolate(chroma, scale_factor=2, mode="bilinear")
    bias = torch.tensor([8 / 16, 7 / 16], device=chroma.device, dtype=chroma.dtype).repeat(chroma.shape[-1])
    return torch.floor(large + bias)


def _coded(
    planes: Float[Tensor, "batch channels height width"], tables: Float[Tensor, "batch _ 8 8"]
) -> Float[Tensor, "batch channels height width"]:
    """Cosine transform of 8 x 8 blocks, rounded to multiples of the table, and back.

    Rounded where libjpeg's whole-number transform rounds: to quarters between the two directions, each of which grows
    by sqrt(8), and to whole numbers behind them. Coefficients at half a step are frequent then, and go away from zero.
    """
    batch, channels, height, width = planes.shape
    blocks = planes.reshape(batch, channels, height // 8, 8, width // 8, 8)
    basis = _basis().to(planes)
    table = tables[:, :, None, :, None, :]
    forth = _half_up(_along(_quarters(_along(blocks, basis, 5)), basis, 3))
    levels = forth.sign() * torch.floor((forth.abs() + 4 * table) / (8 * table)) * table
    back = _along(_quarters(_along(levels, basis.T, 3)), basis.T, 5)
    return _half_up(back / 8).reshape(planes.shape)


def _half_up(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return torch.floor(values + 0.5)


def _quarters(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return _half_up(values * 4) / 4


def _basis() -> Float[Tensor, "8 8"]:
    """Rows are the cosines of 8 samples, of length sqrt(8): the first one is all ones, so that means stay exact."""
    k, n = torch.arange(8.0, dtype=torch.float64)[:, None], torch.arange(8.0, dtype=torch.float64)
    rows = torch.cos(math.pi * (2 * n + 1) * k / 16) * math.sqrt(2)
    rows[0] = 1
    return rows


def _along(
    blocks: Float[Tensor, "batch channels down 8 across 8"], matrix: Float[Tensor, "8 8"], axis: int
) -> Float[Tensor, "batch channels down 8 across 8"]:
    """``matrix`` times the blocks along an axis. No matrix product: a GPU may round that to 10 bits (TF32)."""
    shape = [1] * blocks.ndim
    shape[axis] = 8
    total = blocks.narrow(axis, 0, 1) * matrix[:, 0].reshape(shape)
    for number in range(1, 8):
        total = total.addcmul_(blocks.narrow(axis, number, 1), matrix[:, number].reshape(shape))
    return total
