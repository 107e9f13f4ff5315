"""The distance of edges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lossagent.losses._precision import wide
from lossagent.losses._separable import filter_valid

TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)
EPS = 1e-3


@dataclass(frozen=True)
class Edge:
    """mean sqrt((lap(restored) - lap(target))^2 + eps^2), eps = 1e-3 [Zamir et al., MPRNet, CVPR 2021, arXiv
    2102.02808, eq. (3)].

    lap(u) = u - g(up(g(u))): g is the window [.05 .25 .4 .25 .05] in both directions with the edge pixel repeated
    outwards, and up keeps every second pixel of every second row, times 4, and sets the rest to 0: a level of the
    Laplacian pyramid [Burt & Adelson 1983]. The mean is over pixels, channels and batch; equal images give eps.
    """

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 1e-3, the value of equal images."""
        # The Laplacian is linear: that of the difference is the difference of two.
        return (laplacian(wide(restored) - wide(target)).square() + EPS**2).sqrt().mean()


def laplacian(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
    """What is left of images when a level of their Gaussian pyramid is taken away."""
    blurred = _blur(images)
    coarse = torch.zeros_like(blurred)
    coarse[..., ::2, ::2] = 4 * blurred[..., ::2, ::2]
    return images - _blur(coarse)


def _blur(images: Tensor) -> Tensor:
    margin = len(TAPS) // 2
    return filter_valid(F.pad(images, (margin,) * 4, mode="replicate"), TAPS)
