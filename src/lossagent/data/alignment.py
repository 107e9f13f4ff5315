"""Do two images really agree, pixel by pixel, where keypoints say that they overlap?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from scipy import ndimage

from lossagent.data.keypoints import Placement

SMALLEST = 16
"""Overlaps with a side of fewer pixels are not judged."""


def agreement(
    a: UInt8[ndarray, "height_a width_a"], b: UInt8[ndarray, "height_b width_b"], placement: Placement
) -> float:
    """Correlation of the band-passed images where they overlap, -1 to 1; 0 where the overlap is too small to tell.

    Repeated detail (stars, letters, bricks) can make keypoints of different photographs agree; their pixels do not.

    Args:
        a, b: gray images.
        placement: of A in B, in the pixels of these two images.
    """
    one, two = a.astype(np.float32), (b[:, ::-1] if placement.mirrored else b).astype(np.float32)
    scale, offset = placement.scale, np.array(placement.offset)
    if scale < 1:
        one, two, scale, offset = two, one, 1 / scale, -offset / scale
    # ``one`` is the coarser of the two: the finer one is smoothed to its resolution and sampled on its grid.
    axes = [
        _inside(length, limit, scale, float(shift))
        for length, limit, shift in zip(one.shape, two.shape, offset, strict=True)
    ]
    if min(len(axis) for axis in axes) < SMALLEST:
        return 0.0
    fine = ndimage.gaussian_filter(two, 0.5 * scale, truncate=3)
    rows, columns = (scale * axis + shift for axis, shift in zip(axes, offset, strict=True))
    sampled = ndimage.map_coordinates(fine, np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest")
    return _correlation(_band(one[np.ix_(*axes)]), _band(np.asarray(sampled, np.float32)))


def _inside(length: int, limit: int, scale: float, offset: float) -> ndarray:
    """Positions p on an axis of ``length`` whose image scale * p + offset lies on one of ``limit``."""
    positions = np.arange(length)
    mapped = scale * positions + offset
    return positions[(mapped >= 0) & (mapped <= limit - 1)]


def _band(image: Float32[ndarray, "height width"]) -> Float32[ndarray, "height width"]:
    return ndimage.gaussian_filter(image, 1.0) - ndimage.gaussian_filter(image, 4.0)


def _correlation(x: Float32[ndarray, "height width"], y: Float32[ndarray, "height width"]) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / max(float(np.linalg.norm(x) * np.linalg.norm(y)), 1e-6))
