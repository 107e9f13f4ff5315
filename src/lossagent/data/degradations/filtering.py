"""Filtering with one kernel an image, as a product of spectra: the cost does not depend on the kernel's size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from scipy.fft import next_fast_len
from torch import Tensor

from lossagent.errors import Refused


def filter2d(
    images: Float[Tensor, "batch channels height width"], kernels: Float[Tensor, "batch rows columns"]
) -> Float[Tensor, "batch channels height width"]:
    """Correlation of each image with its kernel; borders are mirrored without repeating the border pixel.

    The result equals the sum over the kernel's pixels within 1e-6 of the range of the image in float32. Images smaller
    than the kernel are mirrored as often as it takes.

    Args:
        images: any range, float32 or float64.
        kernels: odd sides; same dtype and device.

    Raises:
        Refused: a kernel of even side.
    """
    rows, columns = kernels.shape[-2:]
    if rows % 2 == 0 or columns % 2 == 0:
        raise Refused(f"kernels must have odd sides; found {rows} x {columns}.")
    height, width = images.shape[-2:]
    extended = mirrored(images, rows // 2, columns // 2)
    size = [int(next_fast_len(side, real=True)) for side in extended.shape[-2:]]
    # The kernel's own transform: its few rows first, most of the rest is zero.
    kernel = torch.fft.fft(torch.fft.rfft(kernels, size[1]), size[0], dim=-2)
    spectrum = torch.fft.rfft2(extended, size).mul_(kernel.conj().unsqueeze(1))
    # The wrapped-round part of the circular correlation lies beyond height x width and is cut off.
    return torch.fft.irfft2(spectrum, size)[..., :height, :width]


def mirrored(
    images: Float[Tensor, "batch channels height width"], rows: int, columns: int
) -> Float[Tensor, "batch channels taller wider"]:
    """Images with ``rows`` and ``columns`` more on each side: ... 2 1 [0 1 2 3] 2 1 ..., for any image size."""
    height, width = images.shape[-2:]
    if rows < height and columns < width:
        return F.pad(images, (columns, columns, rows, rows), mode="reflect")
    for axis, more in ((-2, rows), (-1, columns)):
        if more:
            images = images.index_select(axis, _reflected(images.shape[axis], more, images.device))
    return images


def _reflected(length: int, more: int, device: torch.device) -> Int64[Tensor, "extended"]:
    period = max(2 * (length - 1), 1)
    folded = torch.arange(-more, length + more, device=device).remainder(period)
    return torch.minimum(folded, period - folded) if length > 1 else torch.zeros_like(folded)
