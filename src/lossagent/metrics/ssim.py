"""Structural similarity: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment", IEEE TIP 2004."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_pair, crop_border, implementation_version, scores
from lossagent.metrics._filters import filter_valid, gaussian_taps
from lossagent.metrics.colour import Space, grey_levels

WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def ssim(
    restored: Float[Tensor, "batch 3 height width"],
    reference: Float[Tensor, "batch 3 reference_height reference_width"],
    *,
    space: Space = "rgb",
    border: int = 0,
) -> Float[Tensor, "batch"]:
    """Mean structural similarity, eq. (13), for each image; float64 on the CPU.

    MATLAB's convention: an 11x11 Gaussian window of sigma 1.5, only where it fits, no shrinking of the image,
    and for RGB the mean over the three channels.

    Args:
        restored, reference: RGB in [0, 1], of one size.
        space: ``"rgb"``, or ``"y"`` for MATLAB's limited-range Y.
        border: pixels left out on each side.

    Raises:
        Refused: unequal sizes, values outside [0, 1], or fewer than 11 px left in a direction.
    """
    reference = check_pair(restored, reference, "ssim")
    x = grey_levels(crop_border(restored, border, smallest=WINDOW), space)
    y = grey_levels(crop_border(reference, border, smallest=WINDOW), space)
    luminance, contrast = similarity(x, y)
    return scores(torch.mean(luminance * contrast, dim=(1, 2, 3)))


def similarity(
    x: Float[Tensor, "batch channels height width"], y: Float[Tensor, "batch channels height width"]
) -> tuple[Float[Tensor, "batch channels lower narrower"], Float[Tensor, "batch channels lower narrower"]]:
    """The luminance term, eq. (6), and contrast times structure, eqs. (9) and (10), of grey levels at each pixel."""
    taps = gaussian_taps(WINDOW, SIGMA)
    mean_x, mean_y, square_x, square_y, product = (filter_valid(image, taps) for image in (x, y, x * x, y * y, x * y))
    means = mean_x * mean_y
    energy = mean_x.square() + mean_y.square()
    luminance = (2 * means + C1) / (energy + C1)
    return luminance, (2 * (product - means) + C2) / (square_x + square_y - energy + C2)


class SSIM:
    """:func:`ssim` as a metric.

    Args:
        space: ``"rgb"`` or ``"y"``.
        border: pixels left out on each side.
    """

    def __init__(self, space: Space = "rgb", border: int = 0) -> None:
        self.space: Space = space
        self.border = border

    @property
    def facts(self) -> MetricFacts:
        """1 for identical images; negative values are possible and rare."""
        return MetricFacts(
            name="ssim" if self.space == "rgb" else "ssim_y",
            direction="higher",
            low=-1.0,
            high=1.0,
            needs_reference=True,
            unit=0.005,
            implementation=IMPLEMENTATION,
            version=implementation_version(),
            options={"space": self.space, "border": self.border, "window": "gaussian 11x11, sigma 1.5, valid"},
        )

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Similarity for each image."""
        reference = check_pair(restored, reference, self.facts.name)
        return ssim(restored, reference, space=self.space, border=self.border)
