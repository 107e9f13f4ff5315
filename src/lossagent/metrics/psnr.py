"""Peak signal-to-noise ratio."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_pair, crop_border, implementation_version, scores
from lossagent.metrics.colour import Space, grey_levels


def psnr(
    restored: Float[Tensor, "batch 3 height width"],
    reference: Float[Tensor, "batch 3 reference_height reference_width"],
    *,
    space: Space = "rgb",
    border: int = 0,
) -> Float[Tensor, "batch"]:
    """10 log10(255^2 / MSE) in dB, for each image; float64 on the CPU. Identical images give inf.

    Nothing is rounded here: the protocol of classical super-resolution scores 8-bit files, that of all-in-one
    restoration floats.

    Args:
        restored, reference: RGB in [0, 1], of one size.
        space: ``"rgb"``, or ``"y"`` for MATLAB's limited-range Y, the convention of super-resolution.
        border: pixels left out on each side; super-resolution leaves out as many as the scale.

    Raises:
        Refused: unequal sizes, values outside [0, 1], or a border that leaves nothing.
    """
    reference = check_pair(restored, reference, "psnr")
    difference = grey_levels(crop_border(restored, border), space) - grey_levels(crop_border(reference, border), space)
    error = difference.square().mean(dim=(1, 2, 3))
    return scores(10 * torch.log10(255.0**2 / error))


class PSNR:
    """:func:`psnr` as a metric.

    Args:
        space: ``"rgb"`` or ``"y"``.
        border: pixels left out on each side.
    """

    def __init__(self, space: Space = "rgb", border: int = 0) -> None:
        self.space: Space = space
        self.border = border

    @property
    def facts(self) -> MetricFacts:
        """A change of 0.1 dB is worth speaking of. ``high`` is open because identical images score inf."""
        return MetricFacts(
            name="psnr" if self.space == "rgb" else "psnr_y",
            direction="higher",
            low=0.0,
            high=None,
            needs_reference=True,
            unit=0.1,
            implementation=IMPLEMENTATION,
            version=implementation_version(),
            options={
                "space": self.space,
                "border": self.border,
                "rounded": False,
                "identical_images": "inf",
            },
        )

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """dB for each image."""
        reference = check_pair(restored, reference, self.facts.name)
        return psnr(restored, reference, space=self.space, border=self.border)
