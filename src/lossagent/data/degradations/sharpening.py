"""Unsharp masking of ground truth, as Real-ESRGAN does before it degrades [Wang et al., ICCVW 2021, section 4.1]."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lossagent.data.degradations.filtering import filter2d

SIZE = 51  # "radius 50", made odd
SIGMA = 0.3 * ((SIZE - 1) * 0.5 - 1) + 0.8  # OpenCV's rule for a Gaussian of this size: 8 pixels


def usm_sharpen_batch(
    images: Float[Tensor, "batch channels height width"], weight: float = 0.5, threshold: float = 10.0
) -> Float[Tensor, "batch channels height width"]:
    """Sharpened where the image differs from its blur by more than a threshold, the mask itself blurred.

    Args:
        images: in [0, 1].
        weight: of the difference that is added.
        threshold: in 8-bit steps.

    Returns:
        Images in [0, 1].
    """
    kernel = _kernel().to(images).expand(len(images), -1, -1)
    difference = images - filter2d(images, kernel)
    mask = (difference.abs() * 255 > threshold).to(images.dtype)
    soft = filter2d(mask, kernel)
    sharp = (images + weight * difference).clamp(0, 1)
    # The soft mask strays from [0, 1] by the rounding of the filter only.
    return (soft * sharp + (1 - soft) * images).clamp(0, 1)


def usm_sharpen(
    image: UInt8[ndarray, "height width channels"], weight: float = 0.5, threshold: float = 10.0
) -> UInt8[ndarray, "height width channels"]:
    """:func:`usm_sharpen_batch` of one 8-bit image, rounded to 8 bit."""
    values = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(torch.float32).div_(255)
    sharp = (usm_sharpen_batch(values, weight, threshold)[0] * 255).round_()
    return np.ascontiguousarray(sharp.to(torch.uint8).permute(1, 2, 0).numpy())


def _kernel() -> Float[Tensor, "size size"]:
    along = torch.exp(-((torch.arange(SIZE, dtype=torch.float64) - SIZE // 2) ** 2) / (2 * SIGMA**2))
    along /= along.sum()
    return torch.outer(along, along)
