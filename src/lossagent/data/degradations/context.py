"""Crops with the surroundings that blurring and resizing look at, and conversions between arrays and tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lossagent.errors import Refused

# JPEG works in blocks of 8 pixels; so many phases its grid has against a crop.
BLOCK = 8


@dataclass(frozen=True)
class Window:
    """A crop of the low-quality image inside the larger part that is degraded; all in low-quality pixels.

    Attributes:
        top, left, bottom, right: the part to degrade, within the image.
        row, column: where the crop begins inside that part.
    """

    top: int
    left: int
    bottom: int
    right: int
    row: int
    column: int


def reduced(image: UInt8[ndarray, "height width channels"], scale: int) -> tuple[int, int]:
    """Size of the degraded image.

    Raises:
        Refused: an image smaller than ``scale``, or with other than 1 or 3 channels.
    """
    height, width, channels = image.shape
    if min(height, width) < scale:
        raise Refused(f"an image must be at least scale = {scale} pixels a side; found {height} x {width}.")
    if channels not in (1, 3):
        raise Refused(f"an image must have 1 or 3 channels; found {channels}.")
    return height // scale, width // scale


def around(rows: int, columns: int, top: int, left: int, size: int, margin: int, rng: np.random.Generator) -> Window:
    """The part of a ``rows`` x ``columns`` image to degrade for a crop.

    Above and to the left the margin is shortened by 0 to 7 pixels at random, so that the grid of JPEG blocks lies at
    any phase over the crop, as it does in a crop of a file.

    Args:
        rows, columns: the whole low-quality image.
        top, left, size: the crop.
        margin: low-quality pixels around it, where the image has them.
        rng: where random numbers come from.

    Raises:
        Refused: a crop that is not inside the image.
    """
    if min(top, left) < 0 or size < 1 or top + size > rows or left + size > columns:
        raise Refused(f"crop of {size} at ({top}, {left}) is not inside the degraded image of {rows} x {columns}.")
    first, second = (int(value) for value in rng.integers(BLOCK, size=2))
    begin = max(0, top - max(margin - first, 0)), max(0, left - max(margin - second, 0))
    end = min(rows, top + size + margin), min(columns, left + size + margin)
    return Window(*begin, *end, top - begin[0], left - begin[1])


def to_tensor(image: UInt8[ndarray, "height width channels"]) -> Float[Tensor, "1 channels height width"]:
    """8-bit HWC to float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(torch.float32).div_(255)


def to_pixels(image: Float[Tensor, "1 channels height width"]) -> UInt8[ndarray, "height width channels"]:
    """Float in [0, 1] to 8-bit HWC, clipped and rounded."""
    pixels = (image[0].clamp(0, 1) * 255).round_().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
