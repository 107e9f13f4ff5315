"""Degradations: how low-quality inputs are made from clean photographs."""

from __future__ import annotations

from lossagent.data.degradations.base import Degradation
from lossagent.data.degradations.bicubic import Bicubic, bicubic, bicubic_patch, imresize, modcrop

__all__ = ["Bicubic", "Degradation", "bicubic", "bicubic_patch", "imresize", "modcrop"]
