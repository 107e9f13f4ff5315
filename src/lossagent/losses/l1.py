"""The mean absolute error."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lossagent.losses._precision import wide


@dataclass(frozen=True)
class L1:
    """mean |restored - target| over pixels, channels and batch [Zhao et al., IEEE TCI 2017, arXiv 1511.08861]."""

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 0; 0 for equal images."""
        return (wide(restored) - wide(target)).abs().mean()
