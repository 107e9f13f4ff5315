"""The mean squared error."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lossagent.losses._precision import wide


@dataclass(frozen=True)
class MSE:
    """mean (restored - target)^2 over pixels, channels and batch: what PSNR measures."""

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 0; 0 for equal images."""
        return (wide(restored) - wide(target)).square().mean()
