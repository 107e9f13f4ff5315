"""Texture: the energy of fine and medium detail away from strong edges, and whether it is the right texture.

Source: the bands are differences of Gaussians, those of the Laplacian pyramid of Burt and Adelson, "The Laplacian
pyramid as a compact image code", IEEE Transactions on Communications 31(4), 1983. White noise of the measured level
is taken off the energy, by the gain of each band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray
from scipy import ndimage

from lossagent.objectives.describer.edges import Edges
from lossagent.objectives.describer.plane import FAR, NEAR, Plane

BESIDE = 3
"""Pixels around strong edges that are left out: what happens there is sharpness and ringing."""
LEAST_AREA = 0.1
"""If less of the image is left, everything is texture and nothing is left out."""
LEAST = 0.25
"""Squared grey levels, a deviation of 0.5: with less energy there is no texture to keep."""
NOISY = 0.5
"""If more than this share of a band's energy is noise, what remains is too uncertain to be spoken of."""


@dataclass(frozen=True)
class Energy:
    """Squared grey levels a pixel in a band, and how much of it is noise."""

    total: float
    noise: float

    @property
    def signal(self) -> float | None:
        """What is not noise; ``None`` where that cannot be told."""
        left = self.total - self.noise
        return left if self.noise <= NOISY * self.total and left >= 0 else None


def textured(edges: Edges) -> Bool[ndarray, "height width"]:
    """Pixels that are no strong edge and not near one."""
    side = 2 * BESIDE + 1
    near = ndimage.maximum_filter(edges.strong.view(np.uint8), size=side, mode="constant").view(np.bool_)
    away = ~near
    return away if away.mean() >= LEAST_AREA else np.ones_like(away)


def fine(of: Plane) -> Float64[ndarray, "height width"]:
    """Detail finer than about 5 px: the luma minus its sigma-0.8 copy."""
    return of.luma - of.near


def medium(of: Plane) -> Float64[ndarray, "height width"]:
    """Detail of about 5 to 10 px: the sigma-0.8 copy minus the sigma-1.6 copy."""
    return of.near - of.far


def energy(
    band: Float64[ndarray, "height width"], where: Bool[ndarray, "height width"], noise: float, gain: float
) -> Energy:
    """Mean square of a band over ``where``, with the share of white noise of deviation ``noise``; see :func:`gains`."""
    return Energy(float(np.square(band[where]).mean()), gain * noise**2)


def kept(restored: Energy, compared: Energy) -> float | None:
    """Energy of the restored band divided by that of the compared one, noise taken off; 1 = all of it.

    ``None`` where there is no texture (under 0.25 squared grey levels) or either band is mostly noise. A restored
    band that is all noise keeps 0.
    """
    before = compared.signal
    if before is None or before < LEAST:
        return None
    after = restored.signal
    if after is None:
        return 0.0 if restored.total < LEAST else None
    return after / before


def agreement(
    restored: Float64[ndarray, "height width"],
    compared: Float64[ndarray, "height width"],
    where: Bool[ndarray, "height width"],
) -> float | None:
    """Correlation of two bands over ``where``, -1..1: 1 the same texture, 0 another one. ``None`` for a flat band."""
    a, b = restored[where], compared[where]
    power = float(np.dot(a, a)) * float(np.dot(b, b))
    return float(np.dot(a, b)) / math.sqrt(power) if power > 0 else None


@cache
def gains() -> tuple[float, float]:
    """Energy that white noise of variance 1 has in the fine and in the medium band: the squares of their kernels."""
    point = np.zeros((33, 33))
    point[16, 16] = 1.0
    near = ndimage.gaussian_filter(point, NEAR)
    far = ndimage.gaussian_filter(near, (FAR**2 - NEAR**2) ** 0.5)
    return float(np.square(point - near).sum()), float(np.square(near - far).sum())
