"""Colour shift: the mean difference in CIE L*a*b*, and in which direction it goes.

Source: CIE 1976 L*a*b* under D65, from sRGB by IEC 61966-2-1; the difference is Delta E*ab with lightness apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray

BLOCK = 16
"""Side in pixels of the areas that are averaged first: colour of texture and of moved edges is no cast."""

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _TO_XYZ.sum(axis=1)
_CASTS = {
    "red": (8, 0, 0),
    "yellow": (0, 0, -8),
    "green": (0, 8, 0),
    "cyan": (-8, 0, 0),
    "blue": (0, 0, 8),
    "magenta": (0, -8, 0),
}


@dataclass(frozen=True)
class Tint:
    """A mean difference in CIE L*a*b*, restored minus compared.

    Attributes:
        lightness: L*; below 0 is darker.
        red, yellow: a* and b*.
    """

    lightness: float
    red: float
    yellow: float

    @property
    def size(self) -> float:
        """Delta E*ab of the colour alone, without lightness; >= 0, about 2.3 is just seen (Mahy et al., 1994)."""
        return math.hypot(self.red, self.yellow)

    @property
    def towards(self) -> str:
        """The primary or secondary colour whose cast on mid-grey has the nearest hue angle."""
        angle = math.atan2(self.yellow, self.red)
        turn = {name: abs(math.remainder(angle - hue, 2 * math.pi)) for name, hue in _hues().items()}
        return min(turn, key=lambda name: turn[name])


def areas(pixels: UInt8[ndarray, "height width 3"], side: int) -> Float64[ndarray, "rows columns 3"]:
    """L*a*b* of the mean colour of ``side`` x ``side`` areas; what does not fill an area at the end is left out."""
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    cut = pixels[: rows * side, : columns * side].reshape(rows, side, columns * side * 3)
    tall = cut.sum(axis=1, dtype=np.uint32).reshape(rows, columns, side, 3)
    return lab(tall.sum(axis=2) / (side * side * 255.0))


def tint(difference: Float64[ndarray, "rows columns 3"]) -> Tint:
    """Mean over areas of a difference in L*a*b*."""
    lightness, red, yellow = difference.mean(axis=(0, 1)).tolist()
    return Tint(lightness, red, yellow)


def lab(srgb: Float64[ndarray, "*shape 3"]) -> Float64[ndarray, "*shape 3"]:
    """CIE L*a*b* (D65) of sRGB in [0, 1]."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _TO_XYZ.T / _WHITE
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@cache
def _hues() -> dict[str, float]:
    grey = np.full(3, 128.0)
    found: dict[str, float] = {}
    for name, change in _CASTS.items():
        moved = lab((grey + np.array(change)) / 255) - lab(grey / 255)
        found[name] = math.atan2(float(moved[2]), float(moved[1]))
    return found
