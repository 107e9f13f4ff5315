"""The distance of two spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.losses._precision import wide, without_autocast


@dataclass(frozen=True)
class FFT:
    """Mean |Re D| + |Im D| over all coefficients, halved, of the 2-D Fourier transform D = F(restored) - F(target)
    of each channel: the L1 distance of spectra as stacks of real and imaginary parts, so that amplitude and phase
    both count [Cho et al., MIMO-UNet, ICCV 2021, arXiv 2108.05054: its frequency reconstruction loss at one scale].

    The published transform is not normalised (``"backward"``), and a coefficient is then a sum over pixels: for equal
    errors the value grows like the side of the patch. The paper's weight, 0.1 beside an L1 loss, belongs to it.

    Attributes:
        norm: ``"backward"``, or ``"ortho"``: divided by sqrt(height * width), about as large as an L1 loss.
    """

    norm: Literal["backward", "ortho"] = "backward"

    def __post_init__(self) -> None:
        if self.norm not in ("backward", "ortho"):
            raise Refused(f"norm must be 'backward' or 'ortho'; found {self.norm!r}.")

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 0; 0 for equal images."""
        difference = wide(restored) - wide(target)  # The transform is linear: one serves for two.
        with without_autocast(difference):
            spectrum = torch.fft.fft2(difference, norm=self.norm)
        return torch.view_as_real(spectrum).abs().mean()
