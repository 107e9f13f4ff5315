"""The published way of testing each task, by name: what is rounded, cropped and compared, and on which metrics.

Every choice here moves the figures: 8-bit rounding and the border by hundredths of a dB, the luma by 1.3 dB. They
are written beside every score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lossagent.errors import UnknownName
from lossagent.metrics import FIDELITY

SSIM_WINDOW = "Gaussian 11x11, sigma 1.5, valid region, mean over channels"
"""Metrics that a protocol's border is left out of; all others see the whole image."""

Source = Literal["bicubic", "real", "pairs"]


@dataclass(frozen=True)
class EvaluationProtocol:
    """How images are made, restored and compared.

    Attributes:
        name: what it is asked for by.
        task: the task in words.
        metrics: metrics of the published tables.
        rounded: whether restored images are clamped and rounded to 8 bit before they are compared, as files are.
        border: whether PSNR and SSIM leave out ``scale`` pixels on each side.
        crop: ground truths and inputs are cropped at their centre to multiples of it; 1 leaves them.
        source: what a set without a kind of its own is: ground truths reduced by MATLAB's bicubic (or with
            ready-made inputs beside them), real images without ground truth, or pairs.
        scale: the scale where no method has one.
        ssim_window: window of SSIM.
        notes: further rules, a sentence each.
    """

    name: str
    task: str
    metrics: tuple[str, ...]
    rounded: bool
    border: bool
    crop: int
    source: Source
    scale: int
    ssim_window: str = SSIM_WINDOW
    notes: tuple[str, ...] = ()

    def border_of(self, metric: str, scale: int) -> int:
        """Pixels that a metric leaves out on each side."""
        return scale if self.border and scale > 1 and metric in FIDELITY else 0

    def facts(self, scale: int) -> dict[str, str | int | bool]:
        """The rules as plain data, for files."""
        return {
            "protocol": self.name,
            "scale": scale,
            "rounded_to_8_bit": self.rounded,
            "border_of_fidelity_metrics": scale if self.border and scale > 1 else 0,
            "centre_crop_to_multiples_of": self.crop,
            "ssim_window": self.ssim_window,
        }

    def sentence(self, scale: int) -> str:
        """The rules in words, for tables."""
        border = f"{scale} px are left out on each side for PSNR and SSIM" if self.border and scale > 1 else "no border"
        crop = f"cropped at the centre to multiples of {self.crop}, " if self.crop > 1 else ""
        form = "8-bit rounded output" if self.rounded else "floats clipped to [0, 1], not rounded"
        return f"{self.task}: {crop}{form}; {border}. SSIM: {self.ssim_window}. {' '.join(self.notes)}".rstrip()


PROTOCOLS: Mapping[str, EvaluationProtocol] = MappingProxyType(
    {
        one.name: one
        for one in (
            EvaluationProtocol(
                name="classical-sr",
                task="Classical super-resolution",
                metrics=("psnr_y", "ssim_y"),
                rounded=True,
                border=True,
                crop=1,
                source="bicubic",
                scale=4,
                notes=(
                    "psnr_y and ssim_y are taken on Y of BT.601 in its limited range (MATLAB's, not rounded).",
                    "Inputs: ready-made ones where the folder has them, else MATLAB's bicubic.",
                    "Ground truths are cropped to the input's size times the scale.",
                ),
            ),
            EvaluationProtocol(
                name="real-sr",
                task="Real-world super-resolution",
                metrics=("niqe", "niqe_yiq"),
                rounded=True,
                border=False,
                crop=1,
                source="real",
                scale=4,
                notes=(
                    "No-reference metrics see the whole image.",
                    "Where there are ground truths, psnr, ssim and others may be asked for, without a border.",
                ),
            ),
            EvaluationProtocol(
                name="all-in-one",
                task="All-in-one restoration",
                metrics=("psnr", "ssim"),
                rounded=False,
                border=False,
                crop=16,
                source="pairs",
                scale=1,
                notes=(
                    "psnr and ssim are taken on RGB.",
                    "Noise is added to 8-bit images, clipped, cut to whole levels, and drawn from the file's name.",
                ),
            ),
        )
    }
)
"""name -> protocol."""


def protocol(name: str) -> EvaluationProtocol:
    """The protocol of a name.

    Raises:
        UnknownName: not one of :data:`PROTOCOLS`.
    """
    if name not in PROTOCOLS:
        raise UnknownName("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
