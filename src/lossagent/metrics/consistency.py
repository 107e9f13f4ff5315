"""Guards that need no ground truth: does the restored image still agree with its input, how far has it moved."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import (
    IMPLEMENTATION,
    check_images,
    check_pair,
    crop_border,
    double,
    implementation_version,
    scores,
    size_of,
)
from lossagent.metrics._filters import reduce
from lossagent.metrics.psnr import psnr


def lr_consistency(
    restored: Float[Tensor, "batch 3 height width"],
    low: Float[Tensor, "batch 3 low_height low_width"],
    *,
    border: int = 0,
) -> Float[Tensor, "batch"]:
    """PSNR in dB between the input and the restored image reduced to its size; inf when they are identical.

    The reduction is MATLAB's antialiased bicubic one, in floats, without rounding or clamping. A restorer that
    invents another image loses here even where no ground truth exists. With inputs that are not bicubic reductions
    (real-world images) read it beside its value at S_0.

    Args:
        restored: RGB in [0, 1].
        low: the input, RGB in [0, 1]; ``restored`` is a whole number of times larger.
        border: pixels of the *input* left out on each side.

    Raises:
        Refused: sizes that are no whole multiple of each other, or values outside [0, 1].
    """
    check_images(restored, "restored")
    check_images(low, "low")
    scale = restored.shape[-1] // low.shape[-1]
    wanted = (low.shape[0], low.shape[-2] * scale, low.shape[-1] * scale)
    if scale < 1 or (restored.shape[0], *restored.shape[-2:]) != wanted:
        raise Refused(
            f"restored must be a whole number of times as large as its input; restored is {size_of(restored)}, "
            f"the input is {size_of(low)}."
        )
    difference = reduce(double(restored), scale) - double(low).to(restored.device)
    error = crop_border(difference, border).square().mean(dim=(1, 2, 3))
    return scores(-10 * torch.log10(error))


class LRConsistency:
    """:func:`lr_consistency` as a metric whose reference is the low-quality input.

    Args:
        border: pixels of the input left out on each side.
    """

    def __init__(self, border: int = 0) -> None:
        self.border = border

    @property
    def facts(self) -> MetricFacts:
        """A guard: watched, not steered by."""
        return _facts("lr_consistency", {"border": self.border, "reference": "low-quality input"})

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 low_height low_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """dB for each image; ``reference`` is the input, smaller by the scale."""
        if reference is None:
            raise Refused("lr_consistency compares with the low-quality input; none was given as reference.")
        return lr_consistency(restored, reference, border=self.border)


class Drift:
    """Distance to the output of the untouched start S_0: RGB PSNR of restored against it; inf at S_0 itself.

    Args:
        border: pixels left out on each side.
    """

    def __init__(self, border: int = 0) -> None:
        self.border = border

    @property
    def facts(self) -> MetricFacts:
        """A guard: higher means nearer to the start, which is "safer", not "better"."""
        return _facts("drift", {"border": self.border, "reference": "output of the start"})

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """dB for each image; ``reference`` is what the start made of the same inputs."""
        return psnr(restored, check_pair(restored, reference, "drift"), border=self.border)


def _facts(name: str, options: dict[str, str | int | float | bool]) -> MetricFacts:
    return MetricFacts(
        name=name,
        direction="higher",
        low=0.0,
        high=None,
        needs_reference=True,
        unit=0.1,
        implementation=IMPLEMENTATION,
        version=implementation_version(),
        options={**options, "identical_images": "inf"},
    )
