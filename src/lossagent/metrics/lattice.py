"""The lattice peak: a regular grid of pixels, the mark that strided layers and pixel-shuffle upsampling leave.

NIQE punishes such a grid without naming it, and a perceptual distance with a strided backbone does not see it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_images, implementation_version, scores
from lossagent.metrics._filters import filter_same, gaussian_taps
from lossagent.metrics.colour import full_luma

TILE = 64
"""Side of a tile in pixels: 1/2, 1/4 and 1/8 of the sampling rate fall on whole bins of its spectrum."""

FLOOR = 0.3
"""Grey levels of white noise added to every spectrum: what rounding to 8 bits leaves. A flat tile says nothing."""

NEIGHBOURS = (-5, -4, -3, 3, 4, 5)
"""Bins compared with, beyond the main lobe of the window."""


def lattice_peak(images: Float[Tensor, "batch 3 height width"], *, period: int = 4) -> Float[Tensor, "batch"]:
    """How far the spectrum stands out at the frequencies of a pixel grid; 1 = not at all.

    The luma's high-pass residual is cut into overlapping 64x64 tiles (Hann window); the logarithms of their
    amplitude spectra are averaged, so that every tile counts alike and no one texture dominates. At each multiple
    (i/period, j/period) of the sampling rate the amplitude is divided by the geometric mean of its neighbours, once
    along each axis, and the smaller ratio is kept: a grid is a point in the spectrum, an edge is a line and stands
    out in one direction only. The score is the largest such ratio, at least 1.

    Untouched photographs (Set14, BSD100) score 1.1 at the median and up to 1.4 at the 95th percentile; a checkerboard
    of one grey level and period 2 on them scores 6 and more.

    Args:
        images: RGB in [0, 1], at least 64 px high and wide.
        period: 2, 4 or 8 px; a period includes its divisors. 8 also sees the blocks of JPEG.

    Returns:
        Amplitude ratios >= 1, float64 on the CPU.

    Raises:
        Refused: another period, a smaller image or values outside [0, 1].
    """
    if period not in (2, 4, 8):
        raise Refused(f"period must be 2, 4 or 8 px; found {period}.")
    check_images(images, "images", smallest=TILE)
    step = TILE // period
    bins = torch.cartesian_prod(torch.arange(0, TILE, step), torch.arange(0, TILE, step))[1:]
    bins = bins.to(images.device)
    offsets = torch.tensor(NEIGHBOURS, device=images.device)
    peaks: list[Tensor] = []
    for image in images.split(1):
        spectrum = _log_spectrum(image)
        here = spectrum[bins[:, 0], bins[:, 1]]
        shifted = (bins[:, :, None] + offsets) % TILE
        down = spectrum[shifted[:, 0], bins[:, 1, None]].mean(dim=1)
        across = spectrum[bins[:, 0, None], shifted[:, 1]].mean(dim=1)
        peaks.append(torch.exp((here - torch.maximum(down, across)).max().clamp(min=0)))
    return scores(torch.stack(peaks))


class LatticePeak:
    """:func:`lattice_peak` as a metric; no reference.

    Args:
        period: 2, 4 or 8 px.
    """

    def __init__(self, period: int = 4) -> None:
        if period not in (2, 4, 8):
            raise Refused(f"period must be 2, 4 or 8 px; found {period}.")
        self.period = period

    @property
    def facts(self) -> MetricFacts:
        """A guard: watched, not steered by. A change of 0.1 is worth speaking of."""
        return MetricFacts(
            name="lattice" if self.period == 4 else f"lattice{self.period}",
            direction="lower",
            low=1.0,
            high=None,
            needs_reference=False,
            unit=0.1,
            implementation=IMPLEMENTATION,
            version=implementation_version(),
            options={"period": self.period, "tile": TILE},
        )

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Ratio for each image. A reference is not looked at."""
        del reference
        return lattice_peak(restored, period=self.period)


def _log_spectrum(image: Float[Tensor, "1 3 height width"]) -> Float[Tensor, "tile tile"]:
    """Mean over tiles of the logarithm of the amplitude, in grey levels of equally strong white noise."""
    luma = full_luma(image)
    residual = (luma - filter_same(luma, gaussian_taps(13, 2.0)))[0, 0]
    window = torch.hann_window(TILE, periodic=True, dtype=residual.dtype, device=residual.device)
    window = window[:, None] * window
    total = torch.zeros(TILE, TILE, dtype=residual.dtype, device=residual.device)
    tiles = residual.unfold(0, TILE, TILE // 2).unfold(1, TILE, TILE // 2)
    for row in tiles:  # A row of tiles at a time: overlapping tiles of a large image would fill the memory.
        power = torch.fft.fft2(row * window).abs().square() / window.square().sum()
        total += torch.log(power + FLOOR**2).sum(dim=0) / 2
    return total / (tiles.shape[0] * tiles.shape[1])
