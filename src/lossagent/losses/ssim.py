"""One minus structural similarity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.losses._checks import check_sides
from lossagent.losses._precision import per_image_mean, wide
from lossagent.losses._separable import filter_valid, gaussian_taps

WINDOW = 11
SIGMA = 1.5
TAPS = gaussian_taps(WINDOW, SIGMA)
C1, C2 = 0.01**2, 0.03**2
"""K_1 L and K_2 L squared, for images of range L = 1."""


@dataclass(frozen=True)
class SSIM:
    """1 - SSIM [Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004, eq. (13)], the mean over pixels and channels of

    (2 mu_x mu_y + C1) (2 s_xy + C2) / ((mu_x^2 + mu_y^2 + C1) (s_x^2 + s_y^2 + C2)),

    with C1 = 0.01^2, C2 = 0.03^2 (images in [0, 1]) and moments under an 11x11 Gaussian window of sigma 1.5, where it
    fits. RGB channels are compared one by one.
    """

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """In [0, 2]; 0 for equal images.

        Raises:
            Refused: images with a side below 11 px.
        """
        check_sides(restored, WINDOW, "SSIM")
        luminance, contrast = similarity(wide(restored), wide(target))
        return 1 - (luminance * contrast).mean()


def similarity(
    x: Float[Tensor, "batch channels height width"], y: Float[Tensor, "batch channels height width"]
) -> tuple[Float[Tensor, "batch channels lower narrower"], Float[Tensor, "batch channels lower narrower"]]:
    """The luminance term, eq. (6), and the product of contrast and structure, eqs. (9) and (10), at each pixel."""
    moments = filter_valid(torch.cat([x, y, x * x, y * y, x * y]), TAPS)
    mean_x, mean_y, square_x, square_y, product = moments.chunk(5)
    means, energy = mean_x * mean_y, mean_x.square() + mean_y.square()
    luminance = (2 * means + C1) / (energy + C1)
    contrast = (2 * (product - means) + C2) / (square_x + square_y - energy + C2)
    return luminance, contrast


def per_image_similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """[B] means of SSIM, and of contrast times structure."""
    luminance, contrast = similarity(x, y)
    return per_image_mean(luminance * contrast), per_image_mean(contrast)
