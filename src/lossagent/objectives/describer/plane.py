"""The luma of an image and its two blurred copies, from which most measures are taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray
from scipy import ndimage

from lossagent.metrics.colour import YIQ

NEAR, FAR = 0.8, 1.6
"""Sigmas in pixels of the two blurred copies: an octave apart, as in the pyramid of Burt and Adelson (1983)."""

SMALLEST = 32
"""Least height and width in pixels: below it there are too few edges and blocks to speak of."""


@dataclass(frozen=True, eq=False)
class Plane:
    """8-bit luma in float64 (whole grey levels 0..255), and the same under a Gaussian of sigma 0.8 and of 1.6 px."""

    luma: Float64[ndarray, "height width"]
    near: Float64[ndarray, "height width"]
    far: Float64[ndarray, "height width"]


def luma(pixels: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "height width"]:
    """Y = 0.299 R + 0.587 G + 0.114 B of BT.601, full range, rounded to 8 bit (halves up)."""
    red, green, blue = YIQ
    total = pixels[..., 0] * red
    total += pixels[..., 1] * green
    total += pixels[..., 2] * blue
    return np.floor(total + 0.5, out=total).astype(np.uint8)


def plane(grey: UInt8[ndarray, "height width"]) -> Plane:
    """The luma with its blurred copies; the border pixel is repeated outwards."""
    levels = grey.astype(np.float64)
    near = ndimage.gaussian_filter(levels, NEAR, mode="nearest")
    far = ndimage.gaussian_filter(near, (FAR**2 - NEAR**2) ** 0.5, mode="nearest")
    return Plane(levels, near, far)
