"""The Charbonnier loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.losses._precision import wide


@dataclass(frozen=True)
class Charbonnier:
    """mean sqrt((restored - target)^2 + eps^2), a smooth L1 [Lai et al., CVPR 2017, arXiv 1704.03915].

    Other code adds a number to the square that it calls eps: BasicSR's 1e-12 is an ``eps`` of 1e-6 here.

    Attributes:
        eps: differences well below it count quadratically, in units of the images; > 0. Equal images give ``eps``.
    """

    eps: float = 1e-3

    def __post_init__(self) -> None:
        if not (math.isfinite(self.eps) and self.eps > 0):
            raise Refused(f"eps must be a finite number > 0; found {self.eps!r}.")

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= eps."""
        return ((wide(restored) - wide(target)).square() + self.eps**2).sqrt().mean()
