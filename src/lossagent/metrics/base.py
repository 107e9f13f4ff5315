"""What a metric is: a number for an image, with typed facts."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from lossagent.feedback import MetricFacts

FIDELITY = frozenset({"psnr", "psnr_y", "ssim", "ssim_y", "ms_ssim", "ms_ssim_y"})
"""Metrics that super-resolution takes without a border of ``scale`` pixels."""


@runtime_checkable
class Metric(Protocol):
    """A number for each image."""

    @property
    def facts(self) -> MetricFacts:
        """Name, direction, range, whether a reference is needed, implementation, version, options."""
        ...

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 height width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Scores, float64 on the CPU.

        Args:
            restored: RGB in [0, 1], float32, on any device.
            reference: ground truth of the same shape, where the metric needs one.

        Raises:
            Refused: values outside [0, 1], a missing reference, other shapes, or an image that is too small.
        """
        ...
