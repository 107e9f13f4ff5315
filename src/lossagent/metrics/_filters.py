"""Separable filters as sums of shifted slices: in float64 several times faster than a convolution on a CPU."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


@cache
def gaussian_taps(size: int, sigma: float) -> tuple[float, ...]:
    """A Gaussian window of odd size that sums to one; its outer product is MATLAB's ``fspecial('gaussian')``."""
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    return tuple((weights / weights.sum()).tolist())


@cache
def reduction_taps(scale: int) -> tuple[float, ...]:
    """Weights of MATLAB's antialiased bicubic ``imresize`` at 1/scale (Keys 1981, a = -0.5, kernel widened).

    The centre of an output pixel has the same place between input pixels everywhere, so one row of weights serves.
    """
    offsets = torch.arange(4 * scale, dtype=torch.float64) - (4 * scale - 1) / 2
    if scale % 2:  # The centre falls on a pixel: an odd number of taps; the outermost would be zero.
        offsets = torch.arange(4 * scale - 1, dtype=torch.float64) - (2 * scale - 1)
    x = offsets.abs() / scale
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
    return tuple((weights / weights.sum()).tolist())


def filter_axis(
    images: Float[Tensor, "*stack length other"], taps: tuple[float, ...], axis: int, stride: int = 1
) -> Float[Tensor, "*stack shorter side"]:
    """Correlates one of the last two axes with a symmetric window; no padding, no gradient.

    Args:
        images: any leading axes.
        taps: a symmetric window.
        axis: -1 or -2.
        stride: step between outputs.
    """
    count = (images.shape[axis] - len(taps)) // stride + 1

    def shifted(offset: int) -> Tensor:
        index = [slice(None)] * images.ndim
        index[axis] = slice(offset, offset + (count - 1) * stride + 1, stride)
        return images[tuple(index)]

    middle, odd = divmod(len(taps), 2)
    total = shifted(middle) * taps[middle] if odd else torch.zeros_like(shifted(0))
    pair = torch.empty_like(total)  # One buffer for all pairs: fresh memory costs more than the sums.
    for i in range(middle):
        total.add_(torch.add(shifted(i), shifted(len(taps) - 1 - i), out=pair), alpha=taps[i])
    return total


def filter_valid(
    images: Float[Tensor, "batch channels height width"], taps: tuple[float, ...]
) -> Float[Tensor, "batch channels lower narrower"]:
    """A separable symmetric filter over the part of the image where the window fits."""
    return filter_axis(filter_axis(images, taps, -2), taps, -1)


def filter_same(
    images: Float[Tensor, "batch channels height width"], taps: tuple[float, ...]
) -> Float[Tensor, "batch channels height width"]:
    """The same with the edge repeated outwards (MATLAB's ``'replicate'``)."""
    margin = len(taps) // 2
    return filter_valid(F.pad(images, (margin, margin, margin, margin), mode="replicate"), taps)


def reduce(
    images: Float[Tensor, "batch channels height width"], scale: int
) -> Float[Tensor, "batch channels low_height low_width"]:
    """MATLAB's antialiased bicubic reduction by a whole number, in floats, without rounding.

    Args:
        images: height and width are multiples of ``scale``.
        scale: 1 or more.
    """
    if scale == 1:
        return images
    taps = reduction_taps(scale)
    margin = (len(taps) - scale) // 2
    for axis in (-2, -1):
        images = filter_axis(_mirrored(images, margin, axis), taps, axis, scale)
    return images


def _mirrored(images: Tensor, margin: int, axis: int) -> Tensor:
    """Padding that repeats the edge pixel first (MATLAB's ``'symmetric'``), also beyond the image's own size."""
    length = images.shape[axis]
    places = torch.arange(-margin, length + margin, device=images.device) % (2 * length)
    return images.index_select(axis, torch.where(places < length, places, 2 * length - 1 - places))
