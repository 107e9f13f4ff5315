"""Blind/Referenceless Image Spatial Quality Evaluator.

A. Mittal, A. K. Moorthy and A. C. Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", IEEE
Transactions on Image Processing 21(12), 2012. Lower is better; the scale is that of the difference mean opinion scores
of the LIVE database, about 0 (good) to 100 (bad). It has learned the five distortions there: JPEG, JPEG 2000, white
noise, Gaussian blur and fast fading. Restored images have others, and fine correlated noise games it
(:mod:`lossagent.metrics.controls`): blurred photographs fall from 59 to 13 with it. Never read it alone.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_images, crop_border, double, implementation_version, scores
from lossagent.metrics._filters import filter_axis, filter_valid, gaussian_taps, reduction_taps
from lossagent.metrics.aggd import fit_aggd
from lossagent.metrics.ggd import fit_ggd

SMALLEST = 32
"""Least height and width in pixels: below it, the black surround of the filters is most of what is measured."""

GREY = (0.2989360212937754, 0.5870430744511212, 0.1140209042551034)
"""Weights of MATLAB's ``rgb2gray``: the first row of the inverse of its YIQ matrix."""


@dataclass(frozen=True)
class Regression:
    """The authors' support vector regression, trained on the whole LIVE database (``data/NOTICE.md``).

    Attributes:
        vectors: support vectors, scaled features, float64.
        coefficients: alpha - alpha* of each.
        low, high: range of each feature in training, which is scaled to -1..1.
        gamma: of the kernel exp(-gamma |x - y|^2).
        rho: what is taken off the sum.
        sha256: of the file that they come from.
    """

    vectors: Float[Tensor, "vectors 36"]
    coefficients: Float[Tensor, "vectors"]
    low: Float[Tensor, "36"]
    high: Float[Tensor, "36"]
    gamma: float
    rho: float
    sha256: str

    def __call__(self, features: Float[Tensor, "batch 36"]) -> Float[Tensor, "batch"]:
        """Predicted difference mean opinion score.

        Far from all that was in training every kernel is 0 and -rho = 153.6 remains: the value of an image whose
        features do not exist, such as a black one.
        """
        low, high = self.low.to(features), self.high.to(features)
        scaled = 2 * (features - low) / (high - low) - 1
        squared = torch.cdist(scaled, self.vectors.to(features), compute_mode="donot_use_mm_for_euclid_dist").square()
        kernel = torch.exp(-self.gamma * squared).nan_to_num(nan=0.0)
        return kernel @ self.coefficients.to(features) - self.rho


@cache
def published() -> Regression:
    """The published model."""
    content = (files("lossagent.metrics") / "data" / "brisque_live.npz").read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        vectors, coefficients, low, high = (
            torch.from_numpy(arrays[name]) for name in ("vectors", "coefficients", "low", "high")
        )
        gamma, rho = float(arrays["gamma"]), float(arrays["rho"])
    return Regression(vectors, coefficients, low, high, gamma, rho, hashlib.sha256(content).hexdigest())


def rgb2gray(images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """Whole grey levels 0..255 as MATLAB's ``rgb2gray`` gives them for 8-bit images, float64.

    Args:
        images: RGB in [0, 1]; other values than multiples of 1/255 are rounded to them.
    """
    red, green, blue = double((images.detach() * 255).round()).split(1, dim=1)
    grey = (red * GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])
    return torch.round(grey, decimals=9).add_(0.5).floor_()


def brisque_features(grey: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 36"]:
    """The 18 statistics of table I at two scales; not finite where an image has no texture at all.

    The image ends in black, as the authors' filter makes it. As in NIQE, filter outputs are rounded to 1e-9, so that
    flat areas have exactly no contrast.

    Args:
        grey: levels 0..255, float64.
    """
    normalised = _normalised(grey)
    smaller = _normalised(_halved(grey))
    return torch.cat([_statistics(normalised), _statistics(smaller)], dim=-1)


class BRISQUE:
    """BRISQUE with the model that its authors published; no reference, no gradient.

    pyiqa's ``brisque`` has the same model and the grey of YIQ: it agrees within 0.15 on photographs, and within some
    units where an image has flat areas, in which it measures rounding noise. MATLAB's own ``brisque`` function
    (``brisque_matlab`` of pyiqa) and the packages brisque and image-quality have other models: other metrics.

    Args:
        border: pixels left out on each side.
    """

    def __init__(self, border: int = 0) -> None:
        self.border = border

    @property
    def facts(self) -> MetricFacts:
        """The usual range; what resembles no photograph has up to 153.6, and scores below 0 occur."""
        return MetricFacts(
            name="brisque",
            direction="lower",
            low=0.0,
            high=100.0,
            needs_reference=False,
            unit=1.0,
            implementation=IMPLEMENTATION,
            version=implementation_version(),
            options={
                "luma": "MATLAB rgb2gray, rounded",
                "border": self.border,
                "weights": "brisque_live.npz",
                "sha256": published().sha256,
            },
        )

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Predicted difference mean opinion score for each image. A reference is not looked at.

        Raises:
            Refused: an image smaller than 32 px, border taken off, in a direction; values outside [0, 1].
        """
        del reference
        check_images(restored, "restored", smallest=SMALLEST)
        inside = crop_border(restored, self.border, smallest=SMALLEST)
        # One image at a time: its maps stay in a processor's cache, and a GPU is filled by one image.
        parts = [brisque_features(rgb2gray(image)) for image in inside.split(1)]
        return scores(published()(torch.cat(parts)))


def _normalised(grey: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch height width"]:
    """Contrast-normalised image (I - mu) / (sigma + 1), eq. (1) to (3)."""
    taps = gaussian_taps(7, 7 / 6)
    padded = F.pad(grey, (3, 3, 3, 3))
    mean = torch.round(filter_valid(padded, taps), decimals=9)
    variance = torch.round(filter_valid(padded.square(), taps), decimals=9).addcmul_(mean, mean, value=-1)
    return ((grey - mean) / variance.abs_().sqrt_().add_(1)).squeeze(1)


def _halved(grey: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 low_height low_width"]:
    """MATLAB's ``imresize(grey, 0.5)`` of a float image: of an odd side, half a pixel more than half remains."""
    for axis in (-2, -1):
        length = grey.shape[axis]
        mirror = torch.arange(-3, length + 3 + length % 2, device=grey.device)
        mirror = torch.where(mirror < 0, -1 - mirror, torch.where(mirror < length, mirror, 2 * length - 1 - mirror))
        grey = filter_axis(grey.index_select(axis, mirror), reduction_taps(2), axis, stride=2)
    return torch.round(grey, decimals=9)


def _statistics(normalised: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch 18"]:
    """Shape and variance of the values, then shape, mean and both variances of products of neighbours, table I."""
    values = fit_ggd(normalised.flatten(1))
    columns = [values.shape, values.variance]
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        products = normalised * normalised.roll((down, right), dims=(1, 2))
        fit = fit_aggd(products.flatten(1))
        spread = torch.exp(torch.lgamma(3 / fit.shape) - torch.lgamma(1 / fit.shape))
        columns += [fit.shape, fit.mean, fit.left.square() * spread, fit.right.square() * spread]
    return torch.stack(columns, dim=-1)
