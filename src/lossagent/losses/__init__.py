"""Losses: what a restorer is trained under, one published loss a file. A loss never knows its weight."""

from __future__ import annotations

from lossagent.losses.adversarial import Adversarial
from lossagent.losses.base import Loss, Opponent
from lossagent.losses.charbonnier import Charbonnier
from lossagent.losses.evidence import evidence, last_layer
from lossagent.losses.l1 import L1
from lossagent.losses.lpips import LPIPS
from lossagent.losses.mse import MSE
from lossagent.losses.perceptual import Perceptual
from lossagent.losses.repository import LossRepository
from lossagent.losses.table import LOSSES, LossKind, LossOptions, LossTable

__all__ = [
    "L1",
    "LOSSES",
    "LPIPS",
    "MSE",
    "Adversarial",
    "Charbonnier",
    "Loss",
    "LossKind",
    "LossOptions",
    "LossRepository",
    "LossTable",
    "Opponent",
    "Perceptual",
    "evidence",
    "last_layer",
]
