"""Natural Image Quality Evaluator.

A. Mittal, R. Soundararajan and A. C. Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal
Processing Letters 2013. Lower is better; natural photographs score about 2 to 6. It can be gamed by fine correlated
noise (:mod:`lossagent.metrics.controls`): never read it alone.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_images, crop_border, implementation_version, scores
from lossagent.metrics._filters import filter_same, gaussian_taps, reduce
from lossagent.metrics.aggd import fit_aggd
from lossagent.metrics.colour import full_luma, limited_luma

BLOCK = 96
"""Side of a block at full size, in pixels; an image must hold one."""

Luma = Literal["limited", "yiq"]


@dataclass(frozen=True)
class Pristine:
    """Statistics of undistorted photographs, published by the authors (``data/NOTICE.md``).

    Attributes:
        mean: of the 36 features, float64.
        covariance: of the 36 features, float64.
        sha256: of the file that they come from.
    """

    mean: Float[Tensor, "features"]
    covariance: Float[Tensor, "features features"]
    sha256: str


@cache
def pristine() -> Pristine:
    """The published model."""
    content = (files("lossagent.metrics") / "data" / "niqe_pristine.npz").read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        mean, covariance = (torch.from_numpy(arrays[name]) for name in ("mean", "covariance"))
    return Pristine(mean, covariance, hashlib.sha256(content).hexdigest())


def niqe_features(luma: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch blocks 36"]:
    """The 18 statistics of each 96x96 block at two scales.

    Rows and columns beyond whole blocks are left out. Filters run in float64 and their outputs are rounded to 1e-9:
    a flat area then has exactly zero contrast; plain float64 leaves noise there whose sign becomes a feature.

    Args:
        luma: grey levels 0..255, float64, at least 96 px high and wide.
    """
    image = _settled(_whole_blocks(luma))
    features: list[Tensor] = []
    for scale in (1, 2):
        features.append(_block_statistics(_normalised(image), BLOCK // scale))
        if scale == 1:
            image = _settled(reduce(image / 255, 2)) * 255
    return torch.cat(features, dim=-1)


def niqe_distance(features: Float[Tensor, "batch blocks 36"]) -> Float[Tensor, "batch"]:
    """Distance between the Gaussians fitted to an image's blocks and to pristine ones, eq. (10).

    Means leave out NaN, covariances leave out blocks with any NaN (flat ones). With fewer than two blocks left
    there is no spread to measure: the covariance is 0. A feature that no block has (an image without any texture)
    is 0, so that the distance is large rather than NaN.
    """
    model = pristine()
    whole = features.isfinite().all(dim=-1, keepdim=True)
    count = whole.sum(dim=1, keepdim=True)
    kept = torch.where(whole, features, 0.0)
    centred = torch.where(whole, kept - kept.sum(dim=1, keepdim=True) / count.clamp(min=1), 0.0)
    covariance = centred.mT @ centred / (count - 1).clamp(min=1)
    difference = features.nanmean(dim=1).nan_to_num(nan=0.0) - model.mean.to(features.device)
    average = (model.covariance.to(features.device) + covariance) / 2
    inverse = torch.linalg.pinv(average, hermitian=True)
    squared = torch.einsum("bi,bij,bj->b", difference, inverse, difference)
    return squared.clamp(min=0).sqrt()


class NIQE:
    """NIQE with the published pristine model; no reference.

    Args:
        luma: ``"limited"`` is MATLAB's and BasicSR's: Y of limited-range YCbCr rounded to whole grey levels
            (baboon of Set14: 5.7296). ``"yiq"`` is pyiqa's default: full-range luma of YIQ, rounded likewise.
            They are different metrics; on strongly compressed images they differ by whole units. pyiqa itself
            does not settle flat areas: it agrees within 0.005 where an image has none, and not where it has some.
        border: pixels left out on each side.
    """

    def __init__(self, luma: Luma = "limited", border: int = 0) -> None:
        if luma not in ("limited", "yiq"):
            raise Refused(f"luma must be 'limited' or 'yiq'; found {luma!r}.")
        self.luma: Luma = luma
        self.border = border

    @property
    def facts(self) -> MetricFacts:
        """A change of 0.1 is worth speaking of."""
        return MetricFacts(
            name="niqe" if self.luma == "limited" else "niqe_yiq",
            direction="lower",
            low=0.0,
            high=None,
            needs_reference=False,
            unit=0.1,
            implementation=IMPLEMENTATION,
            version=implementation_version(),
            options={
                "luma": "BT.601 limited range, rounded" if self.luma == "limited" else "YIQ full range, rounded",
                "border": self.border,
                "weights": "niqe_pristine.npz",
                "sha256": pristine().sha256,
            },
        )

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Distance for each image. A reference is not looked at.

        Raises:
            Refused: an image smaller than 96 px, border taken off, in a direction; values outside [0, 1].
        """
        del reference
        check_images(restored, "restored", smallest=BLOCK)
        inside = _whole_blocks(crop_border(restored, self.border, smallest=BLOCK))
        # One image at a time: its maps stay in a processor's cache, and a GPU is filled by one image's blocks.
        parts = [niqe_features(self._luma(image)) for image in inside.split(1)]
        return scores(niqe_distance(torch.cat(parts)))

    def _luma(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1 height width"]:
        return (limited_luma if self.luma == "limited" else full_luma)(image, rounded=True)


def _whole_blocks(image: Tensor) -> Tensor:
    height, width = (side // BLOCK * BLOCK for side in image.shape[-2:])
    return image[..., :height, :width]


def _settled(image: Tensor) -> Tensor:
    return torch.round(image, decimals=9)


def _normalised(image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """Contrast-normalised image (I - mu) / (sigma + 1), eq. (1) to (3), in float32.

    Only the differences need float64; what comes out of them does not.
    """
    taps = gaussian_taps(7, 7 / 6)
    mean = _settled(filter_same(image, taps))
    variance = _settled(filter_same(image.square(), taps)).addcmul_(mean, mean, value=-1)
    return (image - mean).float().div_(variance.float().abs_().sqrt_().add_(1))


def _block_statistics(normalised: Float[Tensor, "batch 1 height width"], side: int) -> Float[Tensor, "batch blocks 18"]:
    """Shape and scale of a block's values, then those of products of neighbours in four directions."""
    batch, _, height, width = normalised.shape
    blocks = normalised.reshape(batch, height // side, side, width // side, side)
    blocks = blocks.transpose(2, 3).reshape(-1, side, side)
    values = fit_aggd(blocks.flatten(1))
    columns = [values.shape, (values.left + values.right) / 2]
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        products = blocks * blocks.roll((down, right), dims=(1, 2))
        fit = fit_aggd(products.flatten(1))
        columns += [fit.shape, fit.mean, fit.left, fit.right]
    return torch.stack(columns, dim=-1).reshape(batch, -1, 18)
