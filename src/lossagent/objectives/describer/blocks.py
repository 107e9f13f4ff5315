"""Blocking: steps on the 8-pixel grid of JPEG.

Source: the difference across block borders against differences elsewhere, as in Wang, Sheikh, Bovik, "No-reference
perceptual quality assessment of JPEG compressed images", ICIP 2002. Deviations: each difference is compared with the
two beside it, so that slopes cancel; the place of the grid is looked for, since crops and upscaling move it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

PERIOD = 8
"""JPEG's blocks, in pixels."""
CAP = 16.0
"""Grey levels at which a difference is cut: an edge of the picture on the grid must not count as a block."""


def blocking(grey: UInt8[ndarray, "height width"]) -> float:
    """How far steps at block borders stand out, in grey levels; 0 = not at all.

    b = min(|d|, 16) - (min(|d left|, 16) + min(|d right|, 16)) / 2 for each difference d of neighbours; its mean at
    each of the 8 places of the grid; the largest minus the median of the others. Along rows and along columns; the
    smaller of the two, since JPEG blocks have borders in both directions and a fence has not.

    Args:
        grey: 8-bit luma, at least 32 px high and wide.
    """
    levels = grey.astype(np.float32)
    return min(_steps(levels), _steps(np.ascontiguousarray(levels.T)))


def _steps(levels: ndarray) -> float:
    size = np.minimum(np.abs(levels[:, 1:] - levels[:, :-1]), CAP).mean(axis=0, dtype=np.float64)
    beyond = size[1:-1] - (size[:-2] + size[2:]) / 2
    places = np.array([beyond[i::PERIOD].mean() for i in range(PERIOD)])
    top = int(places.argmax())
    return max(0.0, float(places[top] - np.median(np.delete(places, top))))
