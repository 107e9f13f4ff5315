"""Random blur kernels with the published ranges of BSRGAN and Real-ESRGAN."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from lossagent.data.degradations.kernels import (
    gaussian_kernel,
    generalised_gaussian_kernel,
    plateau_kernel,
    sinc_kernel,
)
from lossagent.errors import Refused

Range = tuple[float, float]

SHAPES = (
    "isotropic",
    "anisotropic",
    "generalised isotropic",
    "generalised anisotropic",
    "plateau isotropic",
    "plateau anisotropic",
)


@dataclass(frozen=True)
class Blur:
    """How Real-ESRGAN draws a blur kernel; the defaults are those of its first round.

    Attributes:
        sizes: sides in pixels, odd, one as likely as another.
        shares: probability of each of :data:`SHAPES`.
        sigma: standard deviation, pixels; anisotropic kernels draw two.
        generalised, plateau: range of beta; half of the draws lie below 1 and half above.
        sinc: probability of a sinc kernel instead of any of these.
        sinc_small, sinc_large: range of its cutoff in radians a pixel, for sides below 13 pixels and from 13 on.

    Raises:
        Refused: even sizes, probabilities that are none, or ranges that are empty.
    """

    sizes: tuple[int, ...] = (7, 9, 11, 13, 15, 17, 19, 21)
    shares: tuple[float, float, float, float, float, float] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    sigma: Range = (0.2, 3.0)
    generalised: Range = (0.5, 4.0)
    plateau: Range = (1.0, 2.0)
    sinc: float = 0.1
    sinc_small: Range = (math.pi / 3, math.pi)
    sinc_large: Range = (math.pi / 5, math.pi)

    def __post_init__(self) -> None:
        if not self.sizes or any(size < 1 or size % 2 == 0 for size in self.sizes):
            raise Refused(f"sizes of blur kernels must be odd and at least 1; found {self.sizes}.")
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6 or not 0 <= self.sinc <= 1:
            raise Refused(f"shares must be >= 0 and sum to 1, sinc be 0 to 1; found {self.shares}, {self.sinc}.")
        for name in ("sigma", "generalised", "plateau", "sinc_small", "sinc_large"):
            check_range(name, getattr(self, name))
        if not self.generalised[0] <= 1 <= self.generalised[1] or not self.plateau[0] <= 1 <= self.plateau[1]:
            raise Refused(f"ranges of beta must hold 1; found {self.generalised} and {self.plateau}.")

    @property
    def largest(self) -> int:
        """Side of the largest kernel."""
        return max(self.sizes)


def draw_kernel(rng: np.random.Generator, blur: Blur) -> Float64[ndarray, "side side"]:
    """A blur kernel of Real-ESRGAN [section 3.1 and 3.3]."""
    size = int(rng.choice(blur.sizes))
    if rng.random() < blur.sinc:
        return sinc_kernel(rng.uniform(*(blur.sinc_small if size < 13 else blur.sinc_large)), size)
    shape = int(rng.choice(len(SHAPES), p=blur.shares))
    sigma_x = rng.uniform(*blur.sigma)
    sigma_y, angle = (rng.uniform(*blur.sigma), rng.uniform(-math.pi, math.pi)) if shape % 2 else (sigma_x, 0.0)
    if shape < 2:
        return gaussian_kernel(size, sigma_x, sigma_y, angle)
    if shape < 4:
        return generalised_gaussian_kernel(size, sigma_x, sigma_y, angle, _draw_beta(rng, blur.generalised))
    return plateau_kernel(size, sigma_x, sigma_y, angle, _draw_beta(rng, blur.plateau))


@dataclass(frozen=True)
class GaussianBlur:
    """How BSRGAN draws a blur kernel.

    Attributes:
        sizes: sides in pixels, odd, one as likely as another.
        anisotropic: probability of a turned ellipse.
        variance: largest eigenvalue of its covariance: ``variance[0] + variance[1] * scale``, drawn from 0 up.
        sigma: largest standard deviation of an isotropic kernel, likewise, pixels.

    Raises:
        Refused: even sizes or a probability that is none.
    """

    sizes: tuple[int, ...] = (7, 9, 11, 13, 15, 17, 19, 21, 23, 25)
    anisotropic: float = 0.5
    variance: tuple[float, float] = (4.0, 1.0)
    sigma: tuple[float, float] = (2.0, 0.2)

    def __post_init__(self) -> None:
        if not self.sizes or any(size < 1 or size % 2 == 0 for size in self.sizes):
            raise Refused(f"sizes of blur kernels must be odd and at least 1; found {self.sizes}.")
        if not 0 <= self.anisotropic <= 1 or min(*self.variance, *self.sigma) < 0:
            raise Refused("anisotropic must be 0 to 1, variance and sigma >= 0.")


def draw_gaussian_kernel(rng: np.random.Generator, blur: GaussianBlur, scale: float) -> Float64[ndarray, "side side"]:
    """A blur kernel of BSRGAN [section 3.1]; ``scale`` is the reduction that is still to come."""
    size = int(rng.choice(blur.sizes))
    if rng.random() < blur.anisotropic:
        first, second = rng.uniform(0, blur.variance[0] + blur.variance[1] * scale, 2)
        return gaussian_kernel(size, math.sqrt(first), math.sqrt(second), rng.uniform(0, math.pi))
    return gaussian_kernel(size, rng.uniform(0, blur.sigma[0] + blur.sigma[1] * scale))


def check_range(name: str, values: Range) -> None:
    """Refuses a range that is empty or holds negative numbers.

    Raises:
        Refused: such a range.
    """
    if not 0 <= values[0] <= values[1]:
        raise Refused(f"{name} must be a range (low, high) with 0 <= low <= high; found {values}.")


def _draw_beta(rng: np.random.Generator, values: Range) -> float:
    return rng.uniform(values[0], 1) if rng.random() < 0.5 else rng.uniform(1, values[1])
