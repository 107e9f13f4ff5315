"""Multi-scale structural similarity: Wang, Simoncelli and Bovik, Asilomar 2003."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_pair, crop_border, implementation_version, scores
from lossagent.metrics.colour import Space, grey_levels
from lossagent.metrics.ssim import WINDOW, similarity

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""From the finest scale to the coarsest; the paper's calibration."""
SMALLEST = WINDOW * 2 ** (len(EXPONENTS) - 1)
"""Least side in pixels: the window must fit into the image halved four times."""


def ms_ssim(
    restored: Float[Tensor, "batch 3 height width"],
    reference: Float[Tensor, "batch 3 reference_height reference_width"],
    *,
    space: Space = "rgb",
    border: int = 0,
) -> Float[Tensor, "batch"]:
    """Eq. (7) for each image; float64 on the CPU.

    The mean over pixels and channels of contrast times structure at four scales, and of the whole index at the fifth,
    each to its power; between scales the image is halved (mean of 2x2 pixels). Window and constants are those of
    :func:`~lossagent.metrics.ssim.ssim`. A mean below 0 counts as 0.

    Args:
        restored, reference: RGB in [0, 1], of one size.
        space: ``"rgb"``, or ``"y"`` for MATLAB's limited-range Y.
        border: pixels left out on each side.

    Raises:
        Refused: unequal sizes, values outside [0, 1], or fewer than 176 px left in a direction.
    """
    reference = check_pair(restored, reference, "ms_ssim")
    x = grey_levels(crop_border(restored, border, smallest=SMALLEST), space)
    y = grey_levels(crop_border(reference, border, smallest=SMALLEST), space)
    product = torch.ones(len(x), dtype=torch.float64)
    for scale, exponent in enumerate(EXPONENTS, start=1):
        last = scale == len(EXPONENTS)
        luminance, contrast = similarity(x, y)
        mean = (luminance * contrast if last else contrast).mean(dim=(1, 2, 3))
        product = product * scores(mean).clamp(min=0) ** exponent
        if not last:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return product


class MSSSIM:
    """:func:`ms_ssim` as a metric.

    Args:
        space: ``"rgb"`` or ``"y"``.
        border: pixels left out on each side.
    """

    def __init__(self, space: Space = "rgb", border: int = 0) -> None:
        self.space: Space = space
        self.border = border

    @property
    def facts(self) -> MetricFacts:
        """1 for identical images."""
        return MetricFacts(
            name="ms_ssim" if self.space == "rgb" else "ms_ssim_y",
            direction="higher",
            low=0.0,
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
        return ms_ssim(restored, reference, space=self.space, border=self.border)
