"""Blur kernels in closed form: Gaussians, generalised Gaussians, plateaus and the circular low-pass filter.

All take *standard deviations* in pixels, not variances (the two published code bases differ in this), and give
float64 arrays that sum to one, centred in the array. ``angle`` turns the first axis of the ellipse from the row
direction (x, to the right) towards y, which points down.

Sources: Zhang et al., "Designing a Practical Degradation Model for Deep Blind Image Super-Resolution", ICCV 2021;
Wang et al., "Real-ESRGAN", ICCVW 2021, eqs. (2) to (6); Liu et al., "Estimating Generalized Gaussian Blur Kernels for
Out-of-Focus Image Deblurring", IEEE TCSVT 2020.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.special import j1

from lossagent.errors import Refused

# Below this a Gaussian is one pixel wide in float64, and its exponent would overflow.
NARROWEST = 1e-6


def gaussian_kernel(
    size: int, sigma_x: float, sigma_y: float | None = None, angle: float = 0.0, shift: float = 0.0
) -> Float64[ndarray, "{size} {size}"]:
    """exp(-d/2), d the squared Mahalanobis distance: Real-ESRGAN eq. (2), (3).

    Args:
        size: side in pixels, at least 1.
        sigma_x, sigma_y: standard deviations along the two axes in pixels, >= 0; one alone makes it isotropic.
        angle: radians.
        shift: moves the centre by so many pixels along both x and y.

    Raises:
        Refused: a size below 1 or a negative standard deviation.
    """
    return _normalised(np.exp(-0.5 * _distance(size, sigma_x, sigma_y, angle, shift)))


def generalised_gaussian_kernel(
    size: int, sigma_x: float, sigma_y: float | None = None, angle: float = 0.0, beta: float = 1.0
) -> Float64[ndarray, "{size} {size}"]:
    """exp(-d**beta / 2): flatter than a Gaussian for beta > 1, more pointed for beta < 1; Real-ESRGAN section 3.1.

    Raises:
        Refused: as :func:`gaussian_kernel`, or a beta that is not positive.
    """
    return _normalised(np.exp(-0.5 * _distance(size, sigma_x, sigma_y, angle) ** _positive(beta)))


def plateau_kernel(
    size: int, sigma_x: float, sigma_y: float | None = None, angle: float = 0.0, beta: float = 1.0
) -> Float64[ndarray, "{size} {size}"]:
    """1 / (1 + d**beta): a flat top with slopes that fall as a power; Real-ESRGAN section 3.1.

    Raises:
        Refused: as :func:`gaussian_kernel`, or a beta that is not positive.
    """
    return _normalised(1.0 / (1.0 + _distance(size, sigma_x, sigma_y, angle) ** _positive(beta)))


def sinc_kernel(cutoff: float, size: int) -> Float64[ndarray, "{size} {size}"]:
    """The ideal circular low-pass filter cut to a square, which rings: cutoff J1(cutoff r) / (2 pi r), eq. (6).

    Args:
        cutoff: radians a pixel, above 0 and at most pi.
        size: side in pixels, at least 1.

    Raises:
        Refused: values outside these.
    """
    if not 0 < cutoff <= math.pi:
        raise Refused(f"cutoff must be above 0 and at most pi radians a pixel; found {cutoff}.")
    radius = np.hypot(*_grid(size))
    middle = radius < 1e-12  # J1(x)/x is 1/2 at 0
    safe = np.where(middle, 1.0, radius)
    values = cutoff * j1(cutoff * safe) / (2 * math.pi * safe)
    return _normalised(np.where(middle, cutoff * cutoff / (4 * math.pi), values))


def padded(kernel: Float64[ndarray, "side side"], size: int) -> Float64[ndarray, "{size} {size}"]:
    """The kernel in the middle of a larger one, zeros around it.

    Raises:
        Refused: a smaller size, or one that is not larger by an even number.
    """
    more = size - kernel.shape[0]
    if more < 0 or more % 2:
        raise Refused(f"a kernel of {kernel.shape[0]} pixels cannot be centred in {size}; give both the same parity.")
    return np.pad(kernel, more // 2)


def _grid(size: int, shift: float = 0.0) -> tuple[Float64[ndarray, "{size} {size}"], Float64[ndarray, "{size} {size}"]]:
    if size < 1:
        raise Refused(f"size of a kernel must be at least 1 pixel; found {size}.")
    along = np.arange(size) - (size - 1) / 2 - shift
    y, x = np.meshgrid(along, along, indexing="ij")
    return x, y


def _distance(
    size: int, sigma_x: float, sigma_y: float | None, angle: float, shift: float = 0.0
) -> Float64[ndarray, "{size} {size}"]:
    """Squared Mahalanobis distance from the centre."""
    sigma_y = sigma_x if sigma_y is None else sigma_y
    if not (sigma_x >= 0 and sigma_y >= 0):
        raise Refused(f"standard deviations must be >= 0 pixels; found {sigma_x} and {sigma_y}.")
    x, y = _grid(size, shift)
    cosine, sine = math.cos(angle), math.sin(angle)
    along, across = x * cosine + y * sine, y * cosine - x * sine
    return (along / max(sigma_x, NARROWEST)) ** 2 + (across / max(sigma_y, NARROWEST)) ** 2


def _positive(beta: float) -> float:
    if not beta > 0:
        raise Refused(f"beta must be above 0; found {beta}.")
    return beta


def _normalised(kernel: Float64[ndarray, "side side"]) -> Float64[ndarray, "side side"]:
    total = kernel.sum()
    if not total > 0:  # An even side has no pixel at the centre for a Gaussian narrower than a pixel to fall on.
        raise Refused("the kernel is zero at every pixel; take a larger standard deviation or an odd size.")
    return kernel / total
