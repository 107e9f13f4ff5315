"""One minus multi-scale structural similarity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lossagent.losses._checks import check_sides
from lossagent.losses._precision import wide
from lossagent.losses.ssim import WINDOW, per_image_similarity

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""beta_j = gamma_j of the paper's calibration, from the finest scale to the coarsest, where alpha is the same."""
SMALLEST = WINDOW * 2 ** (len(EXPONENTS) - 1)
"""Least side in pixels: the window must fit into the image halved four times."""
DARK = 1e-6
"""Least similarity of a scale: a fractional power has no slope that can be used at 0 and no value below it."""


@dataclass(frozen=True)
class MSSSIM:
    """1 - MS-SSIM [Wang, Simoncelli, Bovik, Asilomar 2003, eq. (7)], averaged over the batch:

    MS-SSIM = prod_{j=1..4} cs_j^{beta_j} * SSIM_5^{beta_5}, where cs_j is the product of contrast and structure and
    SSIM_5 the whole index at the coarsest scale, each the mean over pixels and RGB channels of the image halved j - 1
    times (mean of 2x2 pixels); exponents .0448 .2856 .3001 .2363 .1333; window and constants as in
    :class:`~lossagent.losses.ssim.SSIM`. A scale whose mean is below 1e-6, as for images that oppose each other,
    counts as 1e-6.
    """

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """In [0, 1]; 0 for equal images.

        Raises:
            Refused: images with a side below 176 px.
        """
        check_sides(restored, SMALLEST, "MS-SSIM")
        return 1 - multi_scale_similarity(wide(restored), wide(target)).mean()


def multi_scale_similarity(
    x: Float[Tensor, "batch channels height width"], y: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch"]:
    """MS-SSIM of each image."""
    product = torch.ones(len(x), dtype=x.dtype, device=x.device)
    for scale, exponent in enumerate(EXPONENTS, start=1):
        whole, contrast = per_image_similarity(x, y)
        chosen = whole if scale == len(EXPONENTS) else contrast
        product = product * chosen.clamp(min=DARK) ** exponent
        if scale < len(EXPONENTS):
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return product
