"""Asymmetric generalised Gaussian distributions, fitted to many samples at once by matching moments.

Lasmar, Stitou and Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis", ICIP 2009; used by
NIQE (Mittal, Soundararajan and Bovik 2013, eq. (4) to (8)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Aggd:
    """Fitted parameters, one for each row of samples; float64.

    Attributes:
        shape: alpha, from a table 0.2, 0.201, ..., 10. A row without values on both sides of zero has 0.2.
        left, right: scales beta_l and beta_r; NaN where a row has no value below zero, or none above.
    """

    shape: Float[Tensor, "rows"]
    left: Float[Tensor, "rows"]
    right: Float[Tensor, "rows"]

    @property
    def mean(self) -> Float[Tensor, "rows"]:
        """eta = (beta_r - beta_l) Gamma(2/alpha) / Gamma(1/alpha), eq. (8)."""
        ratio = torch.exp(torch.lgamma(2 / self.shape) - torch.lgamma(1 / self.shape))
        return (self.right - self.left) * ratio


@cache
def _table() -> tuple[Tensor, Tensor]:
    """(shapes, midpoints of rho(alpha) = Gamma(2/alpha)^2 / (Gamma(1/alpha) Gamma(3/alpha))): rho is monotone."""
    shapes = torch.arange(200, 10001, dtype=torch.float64) / 1000
    inverse = 1 / shapes
    rho = torch.exp(2 * torch.lgamma(2 * inverse) - torch.lgamma(inverse) - torch.lgamma(3 * inverse))
    return shapes, (rho[1:] + rho[:-1]) / 2


def fit_aggd(samples: Float[Tensor, "rows samples"]) -> Aggd:
    """The distribution of each row.

    The shape is the entry of the table whose rho is nearest to the moments' (found by bisection between midpoints,
    since rho rises with alpha).

    Args:
        samples: float32 or float64, on any device.
    """
    # Counts as sums of signs and magnitudes as differences of sums: several times faster than comparing and abs.
    negative = samples.clamp(max=0)
    below = -negative.sign().sum(dim=1).double()
    above = samples.sign().sum(dim=1).double() + below
    total, total_below = samples.sum(dim=1).double(), negative.sum(dim=1).double()
    squares_below = torch.linalg.vecdot(negative, negative).double()
    squares = torch.linalg.vecdot(samples, samples).double()
    left = torch.sqrt(squares_below / below)
    right = torch.sqrt((squares - squares_below) / above)
    rho = (total - 2 * total_below).square() / (squares * samples.shape[1])
    skew = left / right
    rho = rho * (skew**3 + 1) * (skew + 1) / (skew.square() + 1).square()
    shapes, midpoints = (part.to(samples.device) for part in _table())
    # NaN (a row with one side empty) takes the first entry, as a minimum over NaN does in MATLAB and numpy.
    shape = shapes[torch.searchsorted(midpoints, rho.nan_to_num(nan=0.0))]
    scale = torch.exp((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2)
    return Aggd(shape, left * scale, right * scale)
