"""Losses: what a restorer is trained under, one published loss a file. A loss never knows its weight."""

from __future__ import annotations

from lossagent.losses.adversarial import Adversarial
from lossagent.losses.base import Compares, Example, Loss, Opponent
from lossagent.losses.charbonnier import Charbonnier
from lossagent.losses.dists import DISTS
from lossagent.losses.edge import Edge
from lossagent.losses.evidence import evidence, last_layer
from lossagent.losses.fft import FFT
from lossagent.losses.focal_frequency import FocalFrequency
from lossagent.losses.foreign import MetricLoss
from lossagent.losses.gan_kinds import KINDS
from lossagent.losses.l1 import L1
from lossagent.losses.ldl import LDL
from lossagent.losses.lpips import LPIPS
from lossagent.losses.ms_ssim import MSSSIM
from lossagent.losses.mse import MSE
from lossagent.losses.perceptual import Perceptual
from lossagent.losses.repository import LossRepository
from lossagent.losses.ssim import SSIM
from lossagent.losses.table import LOSSES, LossKind, LossOptions, LossTable
from lossagent.losses.total_variation import TotalVariation

__all__ = [
    "DISTS",
    "FFT",
    "KINDS",
    "L1",
    "LDL",
    "LOSSES",
    "LPIPS",
    "MSE",
    "MSSSIM",
    "SSIM",
    "Adversarial",
    "Charbonnier",
    "Compares",
    "Edge",
    "Example",
    "FocalFrequency",
    "Loss",
    "LossKind",
    "LossOptions",
    "LossRepository",
    "LossTable",
    "MetricLoss",
    "Opponent",
    "Perceptual",
    "TotalVariation",
    "evidence",
    "last_layer",
]
