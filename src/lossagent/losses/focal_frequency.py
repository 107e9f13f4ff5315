"""A distance of spectra that looks most at what is worst."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.losses._precision import wide, without_autocast


@dataclass(frozen=True)
class FocalFrequency:
    """Mean of w(u, v) |D(u, v)|^2 [Jiang et al., ICCV 2021, arXiv 2012.12821].

    D is the orthonormal 2-D Fourier transform of restored - target for each channel, and w = |D|^alpha divided by its
    largest value in that channel of that image: frequencies that are hard to restore weigh most. No gradient goes
    through w.

    Attributes:
        alpha: how strongly the weights focus; 0 weighs all alike. >= 0; the paper's is 1.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and self.alpha >= 0):
            raise Refused(f"alpha must be a finite number >= 0; found {self.alpha!r}.")

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 0; 0 for equal images."""
        difference = wide(restored) - wide(target)
        with without_autocast(difference):
            spectrum = torch.fft.fft2(difference, norm="ortho")
        power = torch.view_as_real(spectrum).square().sum(dim=-1)
        weight = power.detach() ** (self.alpha / 2)
        largest = weight.amax(dim=(-2, -1), keepdim=True)
        return (weight / largest.where(largest > 0, torch.ones_like(largest)) * power).mean()
