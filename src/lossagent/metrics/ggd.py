"""Symmetric generalised Gaussian distributions, fitted to many samples at once by matching moments.

K. Sharifi and A. Leon-Garcia, "Estimation of shape parameter for generalized Gaussian distributions in subband
decompositions of video", IEEE Transactions on Circuits and Systems for Video Technology 5(1), 1995; used by BRISQUE
(Mittal, Moorthy and Bovik 2012, eq. (4)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Ggd:
    """Fitted parameters, one for each row of samples; float64.

    Attributes:
        shape: alpha, from a table 0.2, 0.201, ..., 10; 0.2 for a row of zeros.
        variance: sigma^2, the mean of the squares.
    """

    shape: Float[Tensor, "rows"]
    variance: Float[Tensor, "rows"]


@cache
def _table() -> tuple[Tensor, Tensor]:
    """(shapes, midpoints of r(alpha) = Gamma(1/alpha) Gamma(3/alpha) / Gamma(2/alpha)^2, which falls with alpha)."""
    shapes = torch.arange(200, 10001, dtype=torch.float64) / 1000
    inverse = 1 / shapes
    ratio = torch.exp(torch.lgamma(inverse) + torch.lgamma(3 * inverse) - 2 * torch.lgamma(2 * inverse))
    return shapes, (ratio[1:] + ratio[:-1]) / 2


def fit_ggd(samples: Float[Tensor, "rows samples"]) -> Ggd:
    """The distribution of each row.

    The shape is the entry of the table whose r is nearest to E[x^2] / E[|x|]^2.

    Args:
        samples: float64, on any device.
    """
    variance = samples.square().mean(dim=1)
    ratio = (variance / samples.abs().mean(dim=1).square()).nan_to_num(nan=torch.inf)
    shapes, midpoints = (part.to(samples.device) for part in _table())
    return Ggd(shapes[torch.searchsorted(-midpoints, -ratio)], variance)
